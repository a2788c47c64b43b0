"""`attnviz record`: what a model looks at while it reads."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attnviz.cli.console import checked_output, out, progress

if TYPE_CHECKING:
    from attnviz.recording import Texts


def record(  # noqa: PLR0913  (one parameter an option)
    model: Annotated[str, typer.Argument(help="A shipped model, a run, or a model's folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The trace store to write.")],
    task: Annotated[str | None, typer.Option(help="Read this data set: imdb.")] = None,
    split: Annotated[
        Literal["train", "validation", "test"], typer.Option(help="Which part of the data set.")
    ] = "test",
    limit: Annotated[int | None, typer.Option(help="Read only so many texts.", min=1)] = None,
    text: Annotated[
        list[str] | None, typer.Option(help="Read this text; may be given several times.")
    ] = None,
    keep: Annotated[
        str | None, typer.Option(help="Signals to record, with commas between; or all.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Where the data set lies.")] = None,
    gradients: Annotated[bool, typer.Option(help="Record gradient norms.")] = True,
    half: Annotated[bool, typer.Option("--half", help="Store bounded signals in float16.")] = False,
) -> None:
    """Records what a model attends to while it reads texts.

    An interrupted recording goes on where it stopped when called again.

    Example: attnviz record rra-imdb --task imdb --split test --limit 100 -o trace.zarr
    """
    from attnviz.pretrained import load_model
    from attnviz.recording import record_texts

    checked_output(output)
    loaded = load_model(model)
    texts = _texts(task, split, limit, text, data)
    with progress(f"recording {loaded.name}") as advance:
        record_texts(
            loaded,
            texts,
            keep=None if keep is None else keep.split(","),
            gradients=gradients,
            path=output,
            half=half,
            progress=advance,
        )
    out.print(f"Recorded {len(texts.texts)} texts in {output}.")
    out.print(f"Next: attnviz info {output}, or attnviz plot {output} --kind heatmap -o figure.pdf")


def _texts(
    task: str | None, split: str, limit: int | None, text: list[str] | None, data: Path | None
) -> "Texts":
    from attnviz.recording import Texts

    if (task is None) == (text is None):
        raise ValueError(
            "Say what to read: either --task imdb with --split, or one or more --text '...'."
        )
    if text is not None:
        return Texts(text[:limit], about={"task": "own text"})
    if task != "imdb":
        raise ValueError(f"There is no task {task!r} to read; there is imdb.")
    from attnviz.tasks import load_imdb

    with out.status("reading IMDB"):
        chosen = load_imdb(data).splits[split]
    # The data set is sorted by class: every n-th review gives both.
    count = len(chosen.texts)
    rows = [row * count // (limit or count) for row in range(min(limit or count, count))]
    return Texts(
        [chosen.texts[row] for row in rows],
        labels=[int(chosen.labels[row]) for row in rows],
        ids=[chosen.ids[row] for row in rows],
        about={"task": "imdb", "split": split},
    )
