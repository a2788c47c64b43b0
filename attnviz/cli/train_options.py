"""What `attnviz train` is told: what to read, which recipe, what is other than in it."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from attnviz.cli.console import busy
from attnviz.cli.number_tasks import NUMBER_TASKS, load_numbers
from attnviz.cli.reading import Columns, DataPlace, LabelColumn, TextColumn, load_texts

if TYPE_CHECKING:
    from attnviz.training import Recipe
    from attnviz.training.kinds import Task as AnyTask

__all__ = ["OTHERS", "Read", "Recipes", "Watched", "with_options"]

# Besides imdb and files of texts.
OTHERS = ("adding", *NUMBER_TASKS, "ptb")

Length = Annotated[
    int | None,
    typer.Option(
        help="Timesteps of the adding problem; 100 if not given, for which tuned was chosen.",
        min=2,
    ),
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


@dataclass(frozen=True)
class Read:
    """What is read of a task, as typed."""

    text: TextColumn = None
    label: LabelColumn = None
    data: DataPlace = None
    length: Length = None
    fold: Fold = None
    limit: Limit = None
    keep: Keep = None

    def check(self, task: str) -> None:
        """Refuses options that mean nothing for a task.

        Raises:
            ValueError: If there is one.
        """
        of_texts = task not in OTHERS
        fits = {
            "length": task == "adding", "fold": task == "har", "data": task != "adding",
            "text": of_texts, "label": of_texts, "limit": of_texts, "keep": of_texts,
        }  # fmt: skip
        wrong = [name for name, fit in fits.items() if not fit and getattr(self, name) is not None]
        if wrong:
            given = ", ".join(f"--{name}" for name in wrong)
            raise ValueError(f"{given} means nothing for the task {task}. Leave it out.")

    def load(self, task: str) -> "AnyTask":
        """The task of a name."""
        from attnviz.tasks import load_adding, load_ptb

        if task == "adding":
            return load_adding(self.length or 100)
        if task == "ptb":
            with busy("Reading ptb"):
                return load_ptb(self.data)
        if task in NUMBER_TASKS:
            return load_numbers(task, self.data, fold=self.fold)
        columns = Columns(self.text, self.label, ("--text", "--label"))
        return load_texts(task, columns, self.data, others=OTHERS)

    def again(self, task: str) -> list[str]:
        """The options with which `attnviz record` reads the same."""
        words = ["--task", task]
        if self.text is not None:
            words += ["--text-column", self.text, "--label-column", str(self.label)]
            words += ["--split", "test"]
        return words if self.data is None else [*words, "--data", str(self.data)]


@dataclass(frozen=True)
class Recipes:
    """Which recipe, and what is other than in it, as typed."""

    name: Name = None
    epochs: Epochs = None
    learning_rate: LearningRate = None
    batch_size: BatchSize = None
    hidden: Hidden = None
    seed: Seed = None
    option: Options = None

    def chosen(self, cell: str, task: str) -> "Recipe":
        """The recipe by its name, or from a file; of a file of texts as of imdb."""
        from attnviz.training import read_recipe, recipe_for

        known = task if task in OTHERS else "imdb"
        if self.name is not None and self.name.endswith(".toml"):
            return read_recipe(Path(self.name), cell, known)
        return recipe_for(cell, known, self.name)

    def changed(self, recipe: "Recipe", read: Read) -> "Recipe":
        """The recipe with what is other."""
        said = {
            "epochs": self.epochs, "learning_rate": self.learning_rate,
            "batch_size": self.batch_size, "seed": self.seed,
            "limit": read.limit, "keep": read.keep,
        }  # fmt: skip
        changes: dict[str, Any] = {name: new for name, new in said.items() if new is not None}
        if self.hidden is not None:
            changes["model"] = replace(recipe.model, hidden_size=self.hidden)
        return with_options(replace(recipe, **changes), self.option or [])


@dataclass(frozen=True)
class Watched:
    """What is written of a training besides the run, as typed."""

    tensorboard: TensorBoard = False
    probe: ProbeEvery = None


def with_options(recipe: "Recipe", given: list[str]) -> "Recipe":
    """A recipe whose cell has the options that were typed.

    Arguments:
        recipe: What is changed.
        given: As NAME=VALUE. A value is a number, true or false, or a list or object in JSON,
            such as `forget_bias={"chrono": 220}`; everything else is a word.

    Raises:
        ValueError: If one is not of that form.
    """
    options: dict[str, Any] = dict(recipe.model.options)
    for option in given:
        name, equals, value = option.partition("=")
        if not (name and equals):
            raise ValueError(f"--option takes NAME=VALUE, such as window=20, got {option!r}.")
        options[name] = _value(name, value)
    return replace(recipe, model=replace(recipe.model, options=options))


def _value(name: str, text: str) -> Any:  # noqa: ANN401  (whatever JSON can say)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if text.startswith(("{", "[", '"')):
            raise ValueError(
                f"The value of --option {name} begins like JSON, but {text} is none: {error}. A "
                "shell takes quotes away, so put others around it all, as in --option "
                "'forget_bias={\"chrono\": 220}'."
            ) from error
    for kind in (int, float):
        try:
            return kind(text)  # what JSON does not write: +3, .5, 1_000
        except ValueError:
            continue
    return text
