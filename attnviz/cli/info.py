"""`attnviz info`: what is in a trace, or in a figure made from one."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cards import RUN
from attnviz.cli.console import labelled, out
from attnviz.cli.scripting import answer
from attnviz.plots.suffixes import FORMATS

if TYPE_CHECKING:
    from attnviz.trace import Trace

TABLES = (".csv", ".tex")
LONGEST_ID, GAP = 24, 2


def info(
    path: Annotated[
        Path,
        typer.Argument(
            help="A trace or probes (directory or .zip), a result (.nc), a run, a folder of a "
            "study's results, a figure, or its table."
        ),
    ],
    json: Annotated[
        bool, typer.Option("--json", help="Print the same as JSON, for a script.")
    ] = False,
) -> None:
    """Says what a trace, a run, probes, a study or a measured result (.nc) holds, and whence.

    A figure, or the table of its numbers, tells which trace, model and versions made it, and the
    command that makes it again, to the byte. If files of a trace are missing or cut short, it says
    so and the exit status is 1.

    Example: attnviz info trace.zarr

    Example: attnviz info figure.pdf --json
    """
    suffix = path.suffix.lower()
    figure = suffix in FORMATS and not path.is_dir()
    if figure or (suffix in TABLES and path.is_file() and _says(path)):
        _about_figure(path, as_json=json)
        return
    if json:
        from attnviz.cli.describing import described

        answer(described(path))
        _refuse_damage(path)
        return
    if suffix == ".nc" and not path.is_dir():
        _about_result(path)
        return
    if _of_training(path):
        from attnviz.cli.info_training import about_training
        from attnviz.cli.sources import open_source

        about_training(open_source(path))
        return
    from attnviz.store import open_trace, trace_digest

    trace = open_trace(path)
    _about(trace, trace_digest(path))
    _signals(trace)
    _refuse_damage(path)
    _some_sequences(trace)


def _of_training(path: Path) -> bool:
    """Whether a run, probes or the results of a study lie there."""
    from attnviz.store.probes import is_probes

    own = any((path / name).is_file() for name in ("study.toml", RUN))
    return own or (path.exists() and is_probes(path))


def _refuse_damage(path: Path) -> None:
    """Ends with a fault where a trace opens, but its files are not whole."""
    from attnviz.store.checking import damage
    from attnviz.store.probes import is_probes
    from attnviz.trace import TraceFormatError

    is_trace = path.suffix == ".zip" or (path / "zarr.json").is_file()
    if is_trace and not is_probes(path) and (found := damage(path)):
        raise TraceFormatError("\n".join(found))


def _about_figure(path: Path, *, as_json: bool) -> None:
    from rich.text import Text

    from attnviz.cli.provenance import again

    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    said = _said_by(path)
    made = again(said, path)
    if as_json:
        found = {**said, "again": made.command} if made else said
        answer(found)
        return
    for name, value in said.items():
        if name != "command":
            said_so = ", ".join(str(value).splitlines())
            out().print(Text.assemble((name, "bold"), f"  {said_so}"))
    if made is None:
        return
    for name, digest in made.missing:
        missing = f"  {name} (digest {digest[:12]}…): put its path into the command."
        out().print(Text.assemble(("not found here", "bold"), missing))
    out().print("made again by", style="bold")
    out().print(made.command)


def _about_result(path: Path) -> None:
    """What was measured, on what, and what can be drawn from it."""
    from attnviz.cli.sources import open_source
    from attnviz.store import open_result

    result, kinds = open_result(path), open_source(path).drawable
    rows = {str(name): str(value) for name, value in result.attrs.items()}
    rows["axes"] = ", ".join(f"{axis} {size}" for axis, size in result.sizes.items())
    rows["kinds"] = ", ".join(kinds)
    out().print(labelled(rows.items()))


def _says(path: Path) -> bool:
    """Whether a table says where it comes from; another file is taken for a trace that is none."""
    from attnviz.plots.provenance import read_comments

    return bool(read_comments(path))


def _said_by(path: Path) -> dict[str, str]:
    """The provenance of a figure or of a table."""
    if path.suffix.lower() in FORMATS:
        from attnviz.plots.provenance import read_provenance

        return read_provenance(path)
    from attnviz.plots.provenance import read_comments

    return read_comments(path)


def _about(trace: "Trace", digest: str) -> None:
    lengths = trace.tree.dataset["length"].values
    recorded = lengths[lengths >= 0]
    rows = {
        "trace": f"{trace.path}",
        "sequences": f"{len(recorded)} of {len(lengths)} planned are recorded"
        if len(recorded) < len(lengths)
        else f"{len(lengths)}",
    }
    if len(recorded):
        rows["timesteps"] = f"{recorded.min()} to {recorded.max()}, {recorded.sum():,} in all"
    rows |= {str(name): str(value) for name, value in trace.tree.attrs.items()}
    rows["digest"] = digest
    out().print(labelled(rows.items()))


def _signals(trace: "Trace") -> None:
    from rich.table import Table

    table = Table("layer", "signal", "axes", "type", "bytes", box=None, pad_edge=False)
    for name, node in trace.tree.children.items():
        for signal, values in node.data_vars.items():
            axes = ", ".join(f"{axis} {size}" for axis, size in values.sizes.items())
            table.add_row(name, str(signal), axes, str(values.dtype), f"{values.nbytes:,}")
    out().print()
    out().print(table)


def _some_sequences(trace: "Trace", count: int = 5) -> None:
    """The first sequences, with what the model made of them."""
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    root = trace.tree.dataset
    lengths = root["length"].values
    rows = []
    for row in range(min(count, len(lengths))):
        text = str(root["text"].values[row]) if "text" in root else ""
        name = str(root["id"].values[row])
        rows.append(
            (
                str(row),
                name if len(name) <= LONGEST_ID else name[: LONGEST_ID - 1] + "…",
                "not recorded" if lengths[row] < 0 else str(lengths[row]),
                *_outcome(trace, row),
                " ".join(text[:60].split()) + ("…" if len(text) > 60 else ""),
            )
        )
    names = ("sequence", "id", "length", "label", "predicted")
    widths = [
        max(map(cell_len, column)) for column in zip(names, *(r[:-1] for r in rows), strict=True)
    ]
    left = max(20, out().width - sum(widths) - GAP * len(widths))  # the text alone gives way
    table = Table(*names, "text", box=None, pad_edge=False)
    for *cells, text in rows:
        short = Text(text)
        short.truncate(left, overflow="ellipsis")
        table.add_row(*cells, short)
    out().print()
    out().print(table)
    if (more := len(lengths) - len(rows)) > 0:
        out().print(f"and {more:,} more")


def _outcome(trace: "Trace", row: int) -> tuple[str, str]:
    """What was true, and what the model said."""
    from attnviz.analysis import outcome

    if trace.tree.dataset["length"].values[row] < 0:
        return "", ""
    found = outcome(trace, row)
    return found.true or "–", found.said
