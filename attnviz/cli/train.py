"""`attnviz train`: a model of any task."""

import os
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from attnviz.cli.console import busy, hush, out, progress
from attnviz.cli.number_tasks import NUMBER_TASKS, load_numbers
from attnviz.cli.options import with_options
from attnviz.cli.reading import Columns, DataPlace, LabelColumn, TextColumn, load_texts
from attnviz.cli.scripting import Quiet

if TYPE_CHECKING:
    from attnviz.training import Recipe, Run
    from attnviz.training.kinds import Task as AnyTask

_OTHERS = ("adding", *NUMBER_TASKS, "ptb")

Cell = Annotated[str, typer.Argument(help="rra, larnn, rau, lstm or gru.")]
Task = Annotated[
    str,
    typer.Argument(help=f"imdb, {', '.join(_OTHERS)}, or a CSV or TSV file of your own."),
]
Folder = Annotated[Path | None, typer.Option(help="The run's folder; runs/CELL-TASK if not given.")]
Length = Annotated[
    int | None, typer.Option(help="Timesteps of the adding problem; 100 if not given.", min=2)
]
Fold = Annotated[
    int | None,
    typer.Option(help="Which seventh of HAR's subjects is for validation; 0 if not given.", min=0),
]
Epochs = Annotated[int | None, typer.Option(help="Passes over the data.", min=1)]
LearningRate = Annotated[float | None, typer.Option(help="The optimiser's.")]
BatchSize = Annotated[int | None, typer.Option(help="Sequences a step.", min=1)]
Hidden = Annotated[int | None, typer.Option(help="Units of the state.", min=1)]
Name = Annotated[
    str | None,
    typer.Option(
        "--recipe",
        help="tuned, start (before tuning), paper (as published), or a FILE.toml of your own; the "
        "first of these if not given. Options go on top.",
    ),
]
Limit = Annotated[int | None, typer.Option(help="Tokens read of a text at most.")]
Keep = Annotated[
    Literal["start", "end"] | None, typer.Option(help="Which side of a longer text is read.")
]
Seed = Annotated[int | None, typer.Option(help="Initial weights, order and dropout.")]
Options = Annotated[
    list[str] | None,
    typer.Option(help="The cell's own, such as window=20; lists and objects as JSON."),
]
TensorBoard = Annotated[
    bool, typer.Option("--tensorboard", help="Write the history for TensorBoard, too.")
]
ProbeEvery = Annotated[
    int | None,
    typer.Option(
        "--probe",
        help="Record 64 validation examples every so many iterations, to probes.zarr of the run.",
        min=1,
    ),
]
Test = Annotated[bool, typer.Option("--test", help="Score the test split, once.")]


def train(  # noqa: PLR0913  (one parameter an option)
    cell: Cell,
    task: Task,
    text: TextColumn = None,
    label: LabelColumn = None,
    run: Folder = None,
    length: Length = None,
    fold: Fold = None,
    name: Name = None,
    data: DataPlace = None,
    epochs: Epochs = None,
    learning_rate: LearningRate = None,
    batch_size: BatchSize = None,
    hidden: Hidden = None,
    limit: Limit = None,
    keep: Keep = None,
    seed: Seed = None,
    option: Options = None,
    test: Test = False,
    tensorboard: TensorBoard = False,
    probe: ProbeEvery = None,
    quiet: Quiet = False,
) -> None:
    """Trains a model on a data set, on texts of your own, or to add.

    Ctrl-C stops it with a checkpoint; the same command goes on from there.

    The model of the epoch that does best on validation is kept in the run's folder.

    Example: attnviz train rra imdb --epochs 5

    Example: attnviz train larnn reviews.csv --text review --label stars

    Example: attnviz train rra adding --length 200

    Example: attnviz train larnn har --fold 3

    Example: attnviz train rra adding --option window=5 --probe 100

    Example: attnviz train rau row-mnist --recipe paper --seed 1
    """
    hush(quiet)
    _refuse(task, {"length": length}, {"adding"})
    _refuse(task, {"fold": fold}, {"har"})
    of_texts = {"text": text, "label": label, "limit": limit, "keep": keep}
    _refuse(task, of_texts if task in _OTHERS else {}, set())
    _refuse(task, {"data": data} if task == "adding" else {}, set())
    source = _Source(task, Columns(text, label, ("--text", "--label")), data)
    with busy("Loading PyTorch"):
        recipe = _chosen(cell, task if task in _OTHERS else "imdb", name)
    if hidden is not None:
        recipe = replace(recipe, model=replace(recipe.model, hidden_size=hidden))
    loaded = _loaded(source, length, fold)
    recipe = _of_size(recipe, loaded)
    changes = {"epochs": epochs, "learning_rate": learning_rate, "batch_size": batch_size}
    recipe = _changed(recipe, {**changes, "limit": limit, "keep": keep, "seed": seed})
    recipe = with_options(recipe, option or [])
    folder = run or Path("runs") / f"{cell}-{loaded.name}"
    first = os.environ.get("LOCAL_RANK", "0") == "0"  # of several processes one is heard
    out().quiet = quiet or not first
    finished = _trained(recipe, loaded, folder, board=tensorboard, probe=probe)
    if first:
        out().quiet = False
        _conclude(finished, loaded, test)
    out().quiet = quiet or not first
    if probe is not None:
        probes = folder / "probes.zarr"
        out().print(f"Probes: attnviz plot {probes} --kind kernel-evolution -o kernel.pdf")
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
        own = f" --text-column {text} --label-column {label} --split test"
        columns = "" if text is None else own
        where = "" if self.data is None else f" --data {self.data}"
        return f"--task {self.task}{columns}{where}"


def _refuse(task: str, options: Mapping[str, object], only_for: Collection[str]) -> None:
    """Refuses options that mean nothing for a task."""
    if task in only_for:
        return
    if given := [f"--{name}" for name, value in options.items() if value is not None]:
        raise ValueError(f"{', '.join(given)} means nothing for the task {task}. Leave it out.")


def _chosen(cell: str, task: str, name: str | None) -> "Recipe":
    """A recipe by its name, or from a file."""
    from attnviz.training import read_recipe, recipe_for

    if name is not None and name.endswith(".toml"):
        return read_recipe(Path(name), cell, task)
    return recipe_for(cell, task, name)


def _loaded(source: _Source, length: int | None, fold: int | None) -> "AnyTask":
    """The task."""
    from attnviz.tasks import load_adding, load_ptb

    if source.task == "adding":
        return load_adding(length or 100)
    if source.task == "ptb":
        with busy("Reading ptb"):
            return load_ptb(source.data)
    if source.task in NUMBER_TASKS:
        return load_numbers(source.task, source.data, fold=fold)
    return load_texts(*source, others=_OTHERS)


def _of_size(recipe: "Recipe", task: "AnyTask") -> "Recipe":
    """The recipe with as many outputs as the task has classes or words."""
    from attnviz.tasks import GeneratedTask, LanguageTask

    if isinstance(task, GeneratedTask):
        return recipe
    if isinstance(task, LanguageTask):
        words = len(task.words)
        return replace(recipe, model=replace(recipe.model, outputs=words, vocabulary_size=words))
    return replace(recipe, model=replace(recipe.model, outputs=len(task.classes)))


def _changed(recipe: "Recipe", changes: Mapping[str, Any]) -> "Recipe":
    """The recipe with what was asked for."""
    return replace(recipe, **{name: new for name, new in changes.items() if new is not None})


def _trained(
    recipe: "Recipe", task: "AnyTask", folder: Path, *, board: bool, probe: int | None
) -> "Run":
    """Trains, or goes on, and says how far it is."""
    from attnviz.training import train as train_run
    from attnviz.training.board import Board
    from attnviz.training.probe import Probe

    watching = [] if probe is None else [Probe(folder / "probes.zarr", every=probe)]
    written = Board(folder / "tensorboard") if board else None

    def report(row: dict[str, float | int]) -> None:
        _report(row)
        if written is not None:
            written.report(row)

    out().print(f"Training {recipe.model.cell} on {task.name} in {folder}.")
    with ExitStack() as bars:
        # One after the other: two bars cannot move on one terminal.
        prepare, advance = _Stage("preparing words", bars), _Stage("training", bars)
        return train_run(
            recipe, task, folder,
            progress=advance, report=report, preparing=prepare, say=out().print,
            callbacks=watching,
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


def _conclude(run: "Run", task: "AnyTask", test: bool) -> None:
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
    metric, digits = ("perplexity", 2) if "validation_perplexity" in best else ("accuracy", 4)
    out().print(f"{kept} {metric} {best[f'validation_{metric}']:.{digits}f}.")
    if test:
        out().print(f"Test {metric} {score_test(run, task)[metric]:.{digits}f}.")


def _report(row: dict[str, float | int]) -> None:
    scores = {
        part: ", ".join(
            f"{name} {row[f'{part}_{name}']:.4f}"
            for name in ("loss", "accuracy", "perplexity")
            if f"{part}_{name}" in row
        )
        for part in ("train", "validation")
    }
    out().print(
        f"epoch {row['epoch']:.0f}: {scores['train']}; validation {scores['validation']}; "
        f"{row['seconds']:.0f} s"
    )
