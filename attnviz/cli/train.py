"""`attnviz train`: a model from texts and labels, or of the adding problem."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from attnviz.cli.console import busy, out, progress

if TYPE_CHECKING:
    from attnviz.tasks import GeneratedTask, TextTask
    from attnviz.training import Recipe, Run


def train(  # noqa: PLR0913  (one parameter an option)
    cell: Annotated[str, typer.Argument(help="rra, larnn, rau, lstm or gru.")],
    task: Annotated[str, typer.Argument(help="imdb, adding, or a CSV or TSV file of your own.")],
    text: Annotated[str | None, typer.Option(help="The file's column of texts.")] = None,
    label: Annotated[str | None, typer.Option(help="The file's column of labels.")] = None,
    run: Annotated[
        Path | None, typer.Option(help="The run's folder; runs/CELL-TASK if not given.")
    ] = None,
    length: Annotated[
        int | None, typer.Option(help="Timesteps of the adding problem; 100 if not given.", min=2)
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Where the data set lies.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the data.", min=1)] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Adam's.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Texts a step.", min=1)] = None,
    hidden: Annotated[int, typer.Option(help="Units of the state.", min=1)] = 64,
    limit: Annotated[int | None, typer.Option(help="Tokens read of a text at most.")] = None,
    keep: Annotated[
        Literal["start", "end"] | None, typer.Option(help="Which side of a longer text is read.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Initial weights, order and dropout.")] = 0,
    option: Annotated[
        list[str] | None, typer.Option(help="The cell's own, such as window=20.")
    ] = None,
    test: Annotated[bool, typer.Option("--test", help="Score the test split, once.")] = False,
) -> None:
    """Trains a model to classify texts, or to add.

    Ctrl-C stops it with a checkpoint; the same command goes on from there.

    The model of the epoch that does best on validation is kept in the run's folder.

    Example: attnviz train rra imdb --epochs 5

    Example: attnviz train larnn reviews.csv --text review --label stars

    Example: attnviz train rra adding --length 200
    """
    with busy("Loading PyTorch"):
        from attnviz.training import train as train_run

    of_texts = {"text": text, "label": label, "data": data, "limit": limit, "keep": keep}
    _refuse(task, of_texts if task == "adding" else {"length": length})
    loaded, recipe = _begun(cell, task, hidden, length, lambda: _task(task, text, label, data))
    changes: dict[str, Any] = {
        "epochs": epochs,
        "learning_rate": learning_rate,
        "batch_size": batch_size,
        "limit": limit,
        "keep": keep,
        "seed": seed,
    }
    recipe = replace(recipe, **{k: v for k, v in changes.items() if v is not None})
    recipe = _with_options(recipe, option or [])
    folder = run or Path("runs") / f"{cell}-{loaded.name}"
    out.print(f"Training {cell} on {loaded.name} in {folder}.")
    with ExitStack() as bars:
        # One after the other: two bars cannot move on one terminal.
        prepare = _Stage("preparing words", bars)
        advance = _Stage("training", bars)
        finished = train_run(
            recipe,
            loaded,
            folder,
            progress=advance,
            report=_report,
            preparing=prepare,
            say=out.print,
        )
    _conclude(finished, loaded, test)
    if task == "adding":
        out.print(f"Next: attnviz record {folder} --task adding --limit 100 -o trace.zarr")
        return
    columns = "" if text is None else f" --text-column {text} --label-column {label}"
    where = "" if data is None else f" --data {data}"
    out.print(
        f"Next: attnviz record {folder} --task {task}{columns}{where} --limit 100 -o trace.zarr"
    )


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


def _refuse(task: str, options: Mapping[str, object]) -> None:
    """Refuses options that mean nothing for a task."""
    if given := [f"--{name}" for name, value in options.items() if value is not None]:
        raise ValueError(f"{', '.join(given)} means nothing for the task {task}. Leave it out.")


def _begun(
    cell: str, task: str, hidden: int, length: int | None, load: Callable[[], "TextTask"]
) -> "tuple[TextTask | GeneratedTask, Recipe]":
    """The task, and the recipe that suits it."""
    from attnviz.tasks import load_adding
    from attnviz.training import adding_recipe, default_recipe

    if task == "adding":
        return load_adding(length or 100), adding_recipe(cell, hidden_size=hidden)
    recipe = default_recipe(cell, hidden_size=hidden)
    texts = load()
    return texts, replace(recipe, model=replace(recipe.model, outputs=len(texts.classes)))


def _conclude(run: "Run", task: "TextTask | GeneratedTask", test: bool) -> None:
    """Says what came out."""
    from attnviz.tasks import GeneratedTask
    from attnviz.training import score_test

    best = run.best
    kept = f"Kept epoch {best['epoch']:.0f}: validation"
    if isinstance(task, GeneratedTask):
        compared = f"(always saying the mean: {task.baseline:.4f}, solved below {task.solved:.4f})"
        out.print(f"{kept} mean squared error {best['validation_loss']:.4f} {compared}.")
        if test:
            out.print(f"Test mean squared error {score_test(run, task)['loss']:.4f}.")
        return
    out.print(f"{kept} accuracy {best['validation_accuracy']:.4f}.")
    if test:
        out.print(f"Test accuracy {score_test(run, task)['accuracy']:.4f}.")


def _task(task: str, text: str | None, label: str | None, data: Path | None) -> "TextTask":
    from attnviz.tasks import load_imdb, load_table

    if task == "imdb":
        with busy("Reading IMDB"):
            return load_imdb(data)
    if not Path(task).suffix:
        raise ValueError(f"There is no task {task!r}: name imdb, adding, or a CSV or TSV file.")
    if text is None or label is None:
        raise ValueError(
            f"Say which columns of {task} hold the texts and the labels: --text COLUMN --label "
            "COLUMN."
        )
    return load_table(task, text=text, label=label)


def _with_options(recipe: "Recipe", given: list[str]) -> "Recipe":
    options: dict[str, Any] = dict(recipe.model.options)
    for option in given:
        name, equals, value = option.partition("=")
        if not (name and equals):
            raise ValueError(f"--option takes NAME=VALUE, such as window=20, got {option!r}.")
        options[name] = _value(value)
    return replace(recipe, model=replace(recipe.model, options=options))


def _value(text: str) -> str | int | float | bool:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _report(row: dict[str, float | int]) -> None:
    scores = {
        part: ", ".join(
            f"{name} {row[f'{part}_{name}']:.4f}"
            for name in ("loss", "accuracy")
            if f"{part}_{name}" in row
        )
        for part in ("train", "validation")
    }
    out.print(
        f"epoch {row['epoch']:.0f}: {scores['train']}; validation {scores['validation']}; "
        f"{row['seconds']:.0f} s"
    )
