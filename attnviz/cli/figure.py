"""`attnviz figure`: a figure of several panels, from a file that says which."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli.figure_options import Appearance, Dpi, Outputs, command_line
from attnviz.cli.spreading import spread

if TYPE_CHECKING:
    from collections.abc import Callable

    from attnviz.analysis.statistic import Statistic
    from attnviz.cli.sources import Opened
    from attnviz.plots import FigureSpec, PanelSpec, PlotOptions

Spec = Annotated[Path, typer.Argument(help=r"A TOML file with [\[panel]] tables.")]
Traces = Annotated[
    list[str] | None,
    typer.Option("--trace", help=r"NAME=PATH in place of what \[traces] says; several times."),
]


@spread
def figure(spec: Spec, trace: Traces = None, dpi: Dpi = None, *, outputs: Outputs) -> None:
    r"""Composes a figure of several panels, with letters and aligned axes. Needs no PyTorch.

    The file has a table \[traces] of names and paths (from its own folder), a [\[panel]] table for
    each panel with trace, kind and the options of attnviz plot, and at the top width, style, font,
    font_size, colours, labels (a list of "OLD=NEW"), columns, letters and share (one scale for all
    panels of a kind).
    Without -o the figure has the file's name.

    Example: attnviz figure heatmaps.toml -o heatmaps.pdf

    Example: attnviz figure flow.toml --trace rra=mine.zarr --format pdf,svg --data
    """
    from attnviz.plots.specification import read_spec

    outputs.suffixes()
    read = read_spec(spec)
    changed = _changed(read, trace or [])
    paths = {name: spec.parent / place for name, place in read.traces.items()} | changed
    sources = _opened(read, paths, spec)
    look = Appearance(
        width=str(read.width),
        style=str(spec.parent / read.style) if read.style.endswith(".mplstyle") else read.style,
        font=read.font,
        font_size=read.font_size,
        colours=read.colours,
        labels=list(read.labels),
        dpi=dpi,
    )
    again = ["figure", spec.name, *(f"--trace={n}={p.name}" for n, p in changed.items())]
    again += [] if dpi is None else ["--dpi", f"{dpi:g}"]
    with look.applied():
        _write(read, sources, spec, look, outputs, command_line(*again))


def _changed(read: "FigureSpec", given: list[str]) -> dict[str, Path]:
    """The traces that stand in place of those in the file."""
    found = {}
    for one in given:
        name, equals, place = one.partition("=")
        if not (equals and place) or name not in read.traces:
            raise ValueError(
                f"--trace takes NAME=PATH with a name of [traces], which has "
                f"{', '.join(read.traces) or 'none'}, got {one!r}."
            )
        found[name] = Path(place)
    return found


def _opened(read: "FigureSpec", paths: Mapping[str, Path], spec: Path) -> "dict[str, Opened]":
    """Every trace that a panel names, by that name."""
    from attnviz.cli.sources import open_source

    named = dict.fromkeys(name for panel in read.panels for name in panel.traces)
    found = {}
    for name in named:
        path = paths.get(name, spec.parent / name)
        if name not in paths and not path.exists():
            raise FileNotFoundError(
                f"{spec} has a panel of {name!r}, but [traces] has only "
                f"{', '.join(paths) or 'nothing'} and there is no file {path}."
            )
        if not path.exists():
            raise FileNotFoundError(_how_to_make(name, path, spec))
        found[name] = open_source(path)
    return found


def _how_to_make(name: str, path: Path, spec: Path) -> str:
    """What to do about a trace that a specification names and that is not there."""
    lines = spec.read_text(encoding="utf-8").splitlines()
    told = any(line.startswith("#     ") for line in lines)
    how = f"The comments of {spec} say how to make it" if told else "Make it with attnviz record"
    return (
        f"{spec} draws {name!r} from {path}, which is not there. {how}; or draw another: "
        f"--trace {name}=PATH."
    )


def _write(
    read: "FigureSpec",
    sources: "Mapping[str, Opened]",
    spec: Path,
    look: Appearance,
    outputs: Outputs,
    command: str,
) -> None:
    from attnviz.cli.figure_files import Drawn, writing
    from attnviz.cli.panels import panel, provenance_of_all
    from attnviz.cli.provenance import file_digest, style_provenance
    from attnviz.plots.composition import compose

    chosen = [_options(one, sources, n) for n, one in enumerate(read.panels, start=1)]
    panels = [
        panel(
            _shown(one, sources), one.kind, options,
            share=one.scale or (one.kind if read.share and _repeated(one.kind, read) else None),
            span=one.span, title=one.title,
        )
        for one, options in zip(read.panels, chosen, strict=True)
    ]  # fmt: skip
    said = {"spec": spec.name, "spec_digest": file_digest(spec), "command": command}
    output = outputs.output if outputs.is_file else None
    folder = output.parent if output else outputs.output or Path()
    drawn = Drawn(
        output.stem if output else spec.stem,
        f"{len(panels)} panel{'' if len(panels) == 1 else 's'}.",
        lambda: compose(panels, columns=read.columns, letters=read.letters),
        _numbers(read.panels, chosen, sources),
        {**provenance_of_all(list(sources.values())), **style_provenance(look.style), **said},
        "In the file, tokens draws some of the timesteps of a panel, and columns sets panels side "
        "by side.",
    )
    with writing(folder, outputs) as written:
        written.write(drawn, look)


def _shown(one: "PanelSpec", sources: "Mapping[str, Opened]") -> "dict[str, Opened]":
    """The traces of a panel by the names to show: several by those of the file."""
    if len(one.traces) == 1:
        source = sources[one.traces[0]]
        return {source.model: source}
    return {name: sources[name] for name in one.traces}


def _repeated(kind: str, read: "FigureSpec") -> bool:
    return sum(one.kind == kind for one in read.panels) > 1


def _options(one: "PanelSpec", sources: "Mapping[str, Opened]", number: int) -> "PlotOptions":
    """The options of a panel; those that mean nothing for its kind are refused."""
    from attnviz.cli.panels import settled
    from attnviz.plots.composition import saying_which
    from attnviz.plots.options import PlotOptions

    source = sources[one.traces[0]]
    takes = source.kind(one.kind).takes
    given = {
        "sequence": one.sequence, "group": one.layer, "head": one.head, "tokens": one.tokens,
        "lags": one.lags, "limits": one.limits, "score": one.score,
    }  # fmt: skip
    if idle := [name for name, value in given.items() if value is not None and name not in takes]:
        names = ", ".join("layer" if name == "group" else name for name in idle)
        raise ValueError(f"Panel {number}: {names} means nothing for the kind {one.kind}.")
    wanted = "0" if one.sequence is None else one.sequence
    with saying_which(number):
        sequence = source.sequence(wanted) if "sequence" in takes else 0
    options = PlotOptions(
        sequence=sequence,
        group=one.layer, head=one.head, tokens=one.tokens, limits=one.limits, score=one.score,
        lags=one.lags, measure=one.measure,  # type: ignore[arg-type]  # read_spec checks it
    )  # fmt: skip
    return settled([sources[name] for name in one.traces], one.kind, options)


def _numbers(
    panels: "Sequence[PanelSpec]",
    chosen: "Sequence[PlotOptions]",
    sources: "Mapping[str, Opened]",
) -> "dict[str, Callable[[], Statistic]]":
    """What each panel draws, by its letter; of several traces by letter and number."""
    from functools import partial

    from attnviz.cli.panels import numbers_of

    found: dict[str, Callable[[], Statistic]] = {}
    for number, (one, options) in enumerate(zip(panels, chosen, strict=True)):
        for at, name in enumerate(one.traces, start=1):
            letter = chr(ord("a") + number) + (str(at) if len(one.traces) > 1 else "")
            found[letter] = partial(numbers_of, sources[name], one.kind, options)
    return found
