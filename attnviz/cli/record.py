"""`attnviz record`: what a model looks at while it reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attnviz.cli.console import checked_output, out, progress
from attnviz.cli.reading import (
    Columns,
    DataPlace,
    GivenTexts,
    LabelColumn,
    Source,
    Split,
    TextColumn,
)

if TYPE_CHECKING:
    from attnviz.models import SequenceModel
    from attnviz.recording.gradients import GradientRecording
    from attnviz.trace import Trace

Model = Annotated[str, typer.Argument(help="A shipped model, a run, or a model's folder.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="The trace store to write.")]
Task = Annotated[
    str | None, typer.Option(help="Read this data set: imdb, adding, or a CSV or TSV file.")
]
Limit = Annotated[int | None, typer.Option(help="Read only so many sequences.", min=1)]
Keep = Annotated[str | None, typer.Option(help="Signals to record, with commas between; or all.")]
Gradients = Annotated[
    Literal["none", "norms", "routes", "exits"],
    typer.Option(help="Gradients at the states, by route, or by route on to the input."),
]
Half = Annotated[bool, typer.Option("--half", help="Store bounded signals in float16.")]


def record(  # noqa: PLR0913  (one parameter an option)
    model: Model,
    output: Output,
    task: Task = None,
    text_column: TextColumn = None,
    label_column: LabelColumn = None,
    split: Split = "test",
    limit: Limit = None,
    text: GivenTexts = None,
    keep: Keep = None,
    data: DataPlace = None,
    gradients: Gradients = "routes",
    half: Half = False,
) -> None:
    """Records what a model attends to while it reads texts.

    An interrupted recording goes on where it stopped when called again.

    Example: attnviz record rra-imdb --task imdb --split test --limit 100 -o trace.zarr
    """
    from attnviz.pretrained import load_model
    from attnviz.recording import record_texts
    from attnviz.store import save_trace

    checked_output(output)
    columns = Columns(text_column, label_column)
    source = Source(text, task, split, limit, columns, data, others=("adding",))
    loaded = load_model(model)
    names = None if keep is None else keep.split(",")
    wanted: "GradientRecording" = False if gradients == "none" else gradients
    if task == "adding":
        trace = _recorded_sums(loaded, split, limit, names, wanted)
        save_trace(trace, output, half=half)
        _conclude(trace, "sequence", output)
        return
    texts = source.texts()
    with progress(f"recording {loaded.name}") as advance:
        trace = record_texts(
            loaded, texts, keep=names, gradients=wanted, path=output, half=half, progress=advance
        )
    _conclude(trace, "text", output)


def _conclude(trace: "Trace", what: str, output: Path) -> None:
    from attnviz.plots import drawable_kinds

    count = trace.tree.sizes["sequence"]
    out().print(f"Recorded {count} {what}{'' if count == 1 else 's'} in {output}.")
    kinds = drawable_kinds(trace)
    plot = f", or attnviz plot {output} --kind {kinds[0]} -o figure.pdf" if kinds else ""
    out().print(f"Next: attnviz info {output}{plot}")


def _recorded_sums(
    model: "SequenceModel",
    split: str,
    limit: int | None,
    keep: list[str] | None,
    gradients: "GradientRecording",
) -> "Trace":
    """The adding problem, as the model was trained on it."""
    from attnviz.recording import record_numbers
    from attnviz.tasks import load_adding

    data: Mapping[str, int] = model.card.get("data", {})
    if "held_out" not in data:
        raise ValueError(
            f"{model.name} was not trained on the adding problem. attnviz train rra adding makes a "
            "model that was."
        )
    task = load_adding(data["length"], held_out=data["held_out"])
    if split not in task.splits:
        raise ValueError(
            f"The adding problem is drawn anew for training; it has the splits "
            f"{sorted(task.splits)}, got {split!r}."
        )
    chosen = task.splits[split]
    return record_numbers(
        model,
        chosen.features[:limit],
        chosen.targets[:limit],
        keep=keep,
        gradients=gradients,
        about={"task": task.name, "split": split},
    )
