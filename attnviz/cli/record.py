"""`attnviz record`: what a model looks at while it reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attnviz.cli.console import busy, checked_output, hush, next_commands, out, progress
from attnviz.cli.given import READABLE, read_given
from attnviz.cli.measuring import what_is_read
from attnviz.cli.reading import Asked, told
from attnviz.cli.scripting import Quiet
from attnviz.cli.spreading import spread

if TYPE_CHECKING:
    from attnviz.recording.gradients import GradientRecording
    from attnviz.trace import Trace

Model = Annotated[str, typer.Argument(help="A shipped model, a run, or a model's folder.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="The trace store to write.")]
Task = Annotated[
    str | None,
    typer.Option(
        help=f"Read this data set: {', '.join(READABLE)}, imdb, or a file of your own: CSV, TSV, "
        "or .txt with a text a line."
    ),
]
Limit = Annotated[int | None, typer.Option(help="Read only so many sequences.", min=1)]
Keep = Annotated[str | None, typer.Option(help="Signals to record, with commas between; or all.")]
Gradients = Annotated[
    Literal["none", "norms", "routes", "exits"],
    typer.Option(help="Gradients at the states, by route, or by route on to the input."),
]
Half = Annotated[bool, typer.Option("--half", help="Store bounded signals in float16.")]


@dataclass(frozen=True)
class _Asked(Asked):
    """Of all tasks, and as many sequences as there are."""

    task: Task = None
    limit: Limit = None


@spread
def record(
    model: Model,
    output: Output,
    *,
    asked: _Asked,
    keep: Keep = None,
    gradients: Gradients = "routes",
    half: Half = False,
    quiet: Quiet = False,
) -> None:
    """Records what a model attends to while it reads texts or sequences of numbers.

    An interrupted recording goes on where it stopped when called again.

    Example: attnviz record rra-imdb --task imdb --split test --limit 100 -o trace.zarr

    Of ptb, a sequence is a piece of 100 tokens of the running text.

    Of a file of your own every row is read, with labels or without, unless --split is given.

    Example: attnviz record rra-imdb --task mine.csv --text-column review -o trace.zarr

    Example: attnviz record runs/larnn-har --task har --limit 50 -o trace.zarr
    """
    from attnviz.pretrained import load_model
    from attnviz.recording import Numbers, Texts, record_numbers, record_running, record_texts
    from attnviz.store.saving import check_store_path, save_trace

    hush(quiet)
    check_store_path(checked_output(output))
    source = asked.source(few=None, others=READABLE)
    loaded = load_model(model)
    names = None if keep is None else keep.split(",")
    wanted: "GradientRecording" = False if gradients == "none" else gradients
    given = read_given(loaded, source)
    if isinstance(given, Texts):
        with progress(f"recording {loaded.name}") as advance:
            trace = record_texts(
                loaded, given, keep=names, gradients=wanted, path=output, half=half,
                progress=advance,
            )  # fmt: skip
    else:
        with busy(f"Recording {loaded.name}"):
            if isinstance(given, Numbers):
                trace = record_numbers(loaded, given, keep=names, gradients=wanted)
            else:
                trace = record_running(loaded, given, keep=names, gradients=wanted)
        save_trace(trace, output, half=half)
    _conclude(trace, what_is_read(given), output)


def _conclude(trace: "Trace", what: str, output: Path) -> None:
    from attnviz.plots import drawable_kinds

    count = trace.tree.sizes["sequence"]
    out().print(
        f"Recorded {count} {what}{'' if count == 1 else 's'}{told(trace.tree.attrs)} in {output}."
    )
    kinds = drawable_kinds(trace)
    plots = [["plot", output, "--kind", kind, "-o", "figure.pdf"] for kind in kinds[:1]]
    next_commands(["info", output], *plots)
