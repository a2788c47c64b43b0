"""`attnviz record`: what a model looks at while it reads."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attnviz.cli.console import busy, checked_output, out, progress

if TYPE_CHECKING:
    from attnviz.models import SequenceModel
    from attnviz.recording import Texts
    from attnviz.recording.gradients import GradientRecording
    from attnviz.tasks import TextTask
    from attnviz.trace import Trace


def record(  # noqa: PLR0913  (one parameter an option)
    model: Annotated[str, typer.Argument(help="A shipped model, a run, or a model's folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The trace store to write.")],
    task: Annotated[
        str | None, typer.Option(help="Read this data set: imdb, adding, or a CSV or TSV file.")
    ] = None,
    text_column: Annotated[str | None, typer.Option(help="The file's column of texts.")] = None,
    label_column: Annotated[str | None, typer.Option(help="The file's column of labels.")] = None,
    split: Annotated[
        Literal["train", "validation", "test"], typer.Option(help="Which part of the data set.")
    ] = "test",
    limit: Annotated[int | None, typer.Option(help="Read only so many sequences.", min=1)] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="Read this text; may be given several times.")
    ] = None,
    keep: Annotated[
        str | None, typer.Option(help="Signals to record, with commas between; or all.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Where the data set lies.")] = None,
    gradients: Annotated[
        Literal["none", "norms", "routes", "exits"],
        typer.Option(help="Gradients at the states, by route, or by route on to the input."),
    ] = "routes",
    half: Annotated[bool, typer.Option("--half", help="Store bounded signals in float16.")] = False,
) -> None:
    """Records what a model attends to while it reads texts.

    An interrupted recording goes on where it stopped when called again.

    Example: attnviz record rra-imdb --task imdb --split test --limit 100 -o trace.zarr
    """
    from attnviz.pretrained import load_model
    from attnviz.recording import Texts, record_texts

    checked_output(output)
    loaded = load_model(model)
    if (task is None) == (text is None):
        raise ValueError(
            "Say what to read: either --task imdb with --split, or one or more --text '...'."
        )
    names = None if keep is None else keep.split(",")
    wanted: "GradientRecording" = False if gradients == "none" else gradients
    if task == "adding":
        from attnviz.store import save_trace

        trace = _recorded_sums(loaded, split, limit, names, wanted)
        save_trace(trace, output, half=half)
        _conclude(trace, "sequence", output)
        return
    if task is None:
        texts = Texts((text or [])[:limit], about={"task": "own text"})
    else:
        texts = _some(_task(task, text_column, label_column, data), split, limit)
    with progress(f"recording {loaded.name}") as advance:
        trace = record_texts(
            loaded,
            texts,
            keep=names,
            gradients=wanted,
            path=output,
            half=half,
            progress=advance,
        )
    _conclude(trace, "text", output)


def _conclude(trace: "Trace", what: str, output: Path) -> None:
    from attnviz.plots import drawable_kinds

    count = trace.tree.sizes["sequence"]
    out.print(f"Recorded {count} {what}{'' if count == 1 else 's'} in {output}.")
    kinds = drawable_kinds(trace)
    plot = f", or attnviz plot {output} --kind {kinds[0]} -o figure.pdf" if kinds else ""
    out.print(f"Next: attnviz info {output}{plot}")


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


def some_texts(
    task: str, split: str, limit: int, *, text: str | None, label: str | None, data: Path | None
) -> "Texts":
    """So many texts of a data set's split, with their labels."""
    return _some(_task(task, text, label, data), split, limit)


def _task(task: str, text: str | None, label: str | None, data: Path | None) -> "TextTask":
    from attnviz.tasks import load_imdb, load_table

    if task == "imdb":
        with busy("Reading IMDB"):
            return load_imdb(data)
    if not Path(task).suffix:
        raise ValueError(
            f"There is no task {task!r} to read; there are imdb, adding, or a CSV or TSV file."
        )
    if text is None or label is None:
        raise ValueError(
            f"Say which columns of {task} hold the texts and the labels: --text-column COLUMN "
            "--label-column COLUMN."
        )
    return load_table(task, text=text, label=label)


def _some(task: "TextTask", split: str, limit: int | None) -> "Texts":
    """So many texts of a split, evenly spread: data sets tend to be sorted by class."""
    from attnviz.recording import Texts

    chosen = task.splits[split]
    count = len(chosen.texts)
    wanted = min(limit or count, count)
    rows = [row * count // wanted for row in range(wanted)]
    return Texts(
        [chosen.texts[row] for row in rows],
        labels=[int(chosen.labels[row]) for row in rows],
        ids=[chosen.ids[row] for row in rows],
        about={"task": task.name, "split": split},
    )
