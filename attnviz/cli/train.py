"""`attnviz train`: a model of any task."""

import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli.console import busy, hush, next_commands, out, progress
from attnviz.cli.scripting import Quiet
from attnviz.cli.spreading import spread
from attnviz.cli.train_options import OTHERS, Read, Recipes, Watched

if TYPE_CHECKING:
    from attnviz.tasks import TextTask
    from attnviz.training import Recipe, Run
    from attnviz.training.kinds import Task as AnyTask

Cell = Annotated[str, typer.Argument(help="rra, larnn, rau, lstm or gru.")]
Task = Annotated[
    str,
    typer.Argument(help=f"imdb, {', '.join(OTHERS)}, or a CSV or TSV file of your own."),
]
Folder = Annotated[Path | None, typer.Option(help="The run's folder; runs/CELL-TASK if not given.")]
Test = Annotated[bool, typer.Option("--test", help="Score the test split, once.")]


@spread
def train(
    cell: Cell,
    task: Task,
    *,
    recipes: Recipes,
    read: Read,
    run: Folder = None,
    test: Test = False,
    watched: Watched,
    quiet: Quiet = False,
) -> None:
    """Trains a model on a data set, on texts of your own, or to add.

    Ctrl-C stops it with a checkpoint; the same command goes on from there.

    The model of the epoch that does best on validation is kept in the run's folder.

    Example: attnviz train rra imdb --epochs 5

    Example: attnviz train larnn reviews.csv --text review --label stars

    Example: attnviz train rra adding --length 200 --option 'forget_bias={"chrono": 200}'

    Example: attnviz train larnn har --fold 3

    Example: attnviz train rra adding --option window=5 --probe 100

    Example: attnviz train rau row-mnist --recipe paper --seed 1
    """
    hush(quiet)
    read.check(task)
    with busy("Loading PyTorch"):
        recipe = recipes.chosen(cell, task)
    loaded = read.load(task)
    recipe = recipes.changed(_of_size(recipe, loaded), read)
    folder = run or Path("runs") / f"{cell}-{loaded.name}"
    first = os.environ.get("LOCAL_RANK", "0") == "0"  # of several processes one is heard
    out().quiet = quiet or not first
    finished = _trained(recipe, loaded, folder, watched)
    if first:
        out().quiet = False
        _conclude(finished, loaded, test)
    out().quiet = quiet or not first
    if watched.probe is not None:
        kernel = ["--kind", "kernel-evolution", "-o", "kernel.pdf"]
        next_commands(["plot", folder / "probes.zarr", *kernel], why="Probes")
    next_commands(["plot", folder, "-o", "curve.pdf"], why="Learning curve")
    next_commands(["record", folder, *read.again(task), "--limit", 100, "-o", "trace.zarr"])


def _of_size(recipe: "Recipe", task: "AnyTask") -> "Recipe":
    """The recipe with as many outputs as the task has classes or words."""
    from attnviz.tasks import GeneratedTask, LanguageTask

    if isinstance(task, GeneratedTask):
        return recipe
    if isinstance(task, LanguageTask):
        words = len(task.words)
        return replace(recipe, model=replace(recipe.model, outputs=words, vocabulary_size=words))
    return replace(recipe, model=replace(recipe.model, outputs=len(task.classes)))


def _trained(recipe: "Recipe", task: "AnyTask", folder: Path, watched: Watched) -> "Run":
    """Trains, or goes on, and says how far it is."""
    from attnviz.tasks import TextTask
    from attnviz.training import train as train_run
    from attnviz.training.board import Board
    from attnviz.training.probe import Probe

    every = watched.probe
    watching = [] if every is None else [Probe(folder / "probes.zarr", every=every)]
    written = Board(folder / "tensorboard") if watched.tensorboard else None

    def report(row: dict[str, float | int]) -> None:
        _report(row)
        if written is not None:
            written.report(row)

    out().print(f"Training {recipe.model.cell} on {task.name} in {folder}.")
    if isinstance(task, TextTask):
        out().print(_told(task))
    with ExitStack() as bars:
        # One after the other: two bars cannot move on one terminal.
        prepare, advance = _Stage("preparing words", bars), _Stage("training", bars)
        return train_run(
            recipe, task, folder,
            progress=advance, report=report, preparing=prepare, say=out().print,
            callbacks=watching,
        )  # fmt: skip


def _told(task: "TextTask") -> str:
    """How many texts there are of what, so that a class too many is seen."""
    import numpy as np

    parts = [f"{len(split):,} for {name}" for name, split in task.splits.items() if len(split)]
    labels = np.concatenate([split.labels for split in task.splits.values()])
    counts = np.bincount(labels, minlength=len(task.classes))
    classes = ", ".join(f"{n:,} {name}" for n, name in zip(counts, task.classes, strict=True))
    repeated = task.provenance.get("repeated_texts")
    again = f"; {repeated:,} of them repeat another" if repeated else ""
    return f"{len(labels):,} texts ({', '.join(parts)}): {classes}{again}."


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
