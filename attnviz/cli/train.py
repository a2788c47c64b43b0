"""`attnviz train`: a model from texts and labels, or of the adding problem."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from attnviz.cli.console import busy, out, progress
from attnviz.cli.options import with_options
from attnviz.cli.reading import Columns, DataPlace, LabelColumn, TextColumn, load_texts

if TYPE_CHECKING:
    from attnviz.tasks import GeneratedTask, TextTask
    from attnviz.training import Recipe, Run

Cell = Annotated[str, typer.Argument(help="rra, larnn, rau, lstm or gru.")]
Task = Annotated[str, typer.Argument(help="imdb, adding, or a CSV or TSV file of your own.")]
Folder = Annotated[Path | None, typer.Option(help="The run's folder; runs/CELL-TASK if not given.")]
Length = Annotated[
    int | None, typer.Option(help="Timesteps of the adding problem; 100 if not given.", min=2)
]
Epochs = Annotated[int | None, typer.Option(help="Passes over the data.", min=1)]
LearningRate = Annotated[float | None, typer.Option(help="Adam's.")]
BatchSize = Annotated[int | None, typer.Option(help="Texts a step.", min=1)]
Hidden = Annotated[int, typer.Option(help="Units of the state.", min=1)]
Limit = Annotated[int | None, typer.Option(help="Tokens read of a text at most.")]
Keep = Annotated[
    Literal["start", "end"] | None, typer.Option(help="Which side of a longer text is read.")
]
Seed = Annotated[int, typer.Option(help="Initial weights, order and dropout.")]
Options = Annotated[
    list[str] | None,
    typer.Option(help="The cell's own, such as window=20; lists and objects as JSON."),
]
Test = Annotated[bool, typer.Option("--test", help="Score the test split, once.")]


def train(  # noqa: PLR0913  (one parameter an option)
    cell: Cell,
    task: Task,
    text: TextColumn = None,
    label: LabelColumn = None,
    run: Folder = None,
    length: Length = None,
    data: DataPlace = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    batch_size: BatchSize = None,
    hidden: Hidden = 64,
    limit: Limit = None,
    keep: Keep = None,
    seed: Seed = 0,
    option: Options = None,
    test: Test = False,
) -> None:
    """Trains a model to classify texts, or to add.

    Ctrl-C stops it with a checkpoint; the same command goes on from there.

    The model of the epoch that does best on validation is kept in the run's folder.

    Example: attnviz train rra imdb --epochs 5

    Example: attnviz train larnn reviews.csv --text review --label stars

    Example: attnviz train rra adding --length 200
    """
    of_texts = {"text": text, "label": label, "data": data, "limit": limit, "keep": keep}
    _refuse(task, of_texts if task == "adding" else {"length": length})
    source = _Source(task, Columns(text, label, ("--text", "--label")), data)
    loaded, recipe = _begun(cell, source, hidden, length)
    changes = {"epochs": epochs, "learning_rate": learning_rate, "batch_size": batch_size}
    recipe = _changed(recipe, {**changes, "limit": limit, "keep": keep, "seed": seed})
    recipe = with_options(recipe, option or [])
    folder = run or Path("runs") / f"{cell}-{loaded.name}"
    _conclude(_trained(recipe, loaded, folder), loaded, test)
    out().print(f"Next: attnviz record {folder} {source.again} --limit 100 -o trace.zarr")


class _Source(NamedTuple):
    """What is learned: a task, a table's columns and where data lies."""

    task: str
    columns: Columns
    data: Path | None

    @property
    def again(self) -> str:
        """The options with which `attnviz record` reads the same."""
        text, label, _ = self.columns
        columns = "" if text is None else f" --text-column {text} --label-column {label}"
        where = "" if self.data is None else f" --data {self.data}"
        return f"--task {self.task}{columns}{where}"


def _refuse(task: str, options: Mapping[str, object]) -> None:
    """Refuses options that mean nothing for a task."""
    if given := [f"--{name}" for name, value in options.items() if value is not None]:
        raise ValueError(f"{', '.join(given)} means nothing for the task {task}. Leave it out.")


def _begun(
    cell: str, source: _Source, hidden: int, length: int | None
) -> "tuple[TextTask | GeneratedTask, Recipe]":
    """The task, and the recipe that suits it."""
    from attnviz.tasks import load_adding

    with busy("Loading PyTorch"):
        from attnviz.training import adding_recipe, default_recipe

    if source.task == "adding":
        return load_adding(length or 100), adding_recipe(cell, hidden_size=hidden)
    recipe = default_recipe(cell, hidden_size=hidden)
    texts = load_texts(*source, others=("adding",))
    return texts, replace(recipe, model=replace(recipe.model, outputs=len(texts.classes)))


def _changed(recipe: "Recipe", changes: Mapping[str, Any]) -> "Recipe":
    """The recipe with what was asked for."""
    return replace(recipe, **{name: new for name, new in changes.items() if new is not None})


def _trained(recipe: "Recipe", task: "TextTask | GeneratedTask", folder: Path) -> "Run":
    """Trains, or goes on, and says how far it is."""
    from attnviz.training import train as train_run

    out().print(f"Training {recipe.model.cell} on {task.name} in {folder}.")
    with ExitStack() as bars:
        # One after the other: two bars cannot move on one terminal.
        prepare, advance = _Stage("preparing words", bars), _Stage("training", bars)
        return train_run(
            recipe, task, folder,
            progress=advance, report=_report, preparing=prepare, say=out().print,
        )  # fmt: skip


class _Stage:
    """A bar that appears when it is first told of progress, in place of the one before."""

    def __init__(self, what: str, bars: ExitStack) -> None:
        self.what, self.bars = what, bars
        self.advance: Callable[[int, int], None] | None = None

    def __call__(self, done: int, total: int) -> None:
        if self.advance is None:
            self.bars.close()
            self.advance = self.bars.enter_context(progress(self.what))
        self.advance(done, total)


def _conclude(run: "Run", task: "TextTask | GeneratedTask", test: bool) -> None:
    """Says what came out."""
    from attnviz.tasks import GeneratedTask
    from attnviz.training import score_test

    best = run.best
    kept = f"Kept epoch {best['epoch']:.0f}: validation"
    if isinstance(task, GeneratedTask):
        compared = f"(always saying the mean: {task.baseline:.4f}, solved below {task.solved:.4f})"
        out().print(f"{kept} mean squared error {best['validation_loss']:.4f} {compared}.")
        if test:
            out().print(f"Test mean squared error {score_test(run, task)['loss']:.4f}.")
        return
    out().print(f"{kept} accuracy {best['validation_accuracy']:.4f}.")
    if test:
        out().print(f"Test accuracy {score_test(run, task)['accuracy']:.4f}.")


def _report(row: dict[str, float | int]) -> None:
    scores = {
        part: ", ".join(
            f"{name} {row[f'{part}_{name}']:.4f}"
            for name in ("loss", "accuracy")
            if f"{part}_{name}" in row
        )
        for part in ("train", "validation")
    }
    out().print(
        f"epoch {row['epoch']:.0f}: {scores['train']}; validation {scores['validation']}; "
        f"{row['seconds']:.0f} s"
    )
