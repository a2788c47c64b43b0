"""What a training is: model, optimiser, data and seed, in one frozen description."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from attnviz.models import CELLS, ModelSettings

__all__ = [
    "OPTIMISERS",
    "Optimiser",
    "Recipe",
    "Schedule",
    "adding_recipe",
    "default_recipe",
    "number_recipe",
    "recipe_from_json",
    "recipe_to_json",
]

Optimiser = Literal["adam", "sgd", "rmsprop", "adadelta"]
OPTIMISERS: tuple[str, ...] = get_args(Optimiser)


@dataclass(frozen=True)
class Schedule:
    """What becomes of the learning rate from epoch to epoch; constant if nothing is given.

    Arguments:
        factor: What the rate is multiplied by, each time.
        every: After every so many epochs.
        after: Or after each epoch, once this many have passed with the whole rate.

    Raises:
        ValueError: If it is neither constant nor just one of the two.
    """

    factor: float = 1.0
    every: int | None = None
    after: int | None = None

    def __post_init__(self) -> None:
        """Refuses a schedule that says nothing, or two things."""
        given = [number for number in (self.every, self.after) if number is not None]
        if len(given) != (self.factor != 1.0) or any(number < 1 for number in given):
            raise ValueError(
                "A schedule is constant, or has a factor other than 1 and either `every` or "
                f"`after`, 1 or more, got {self}."
            )
        if not self.factor > 0:
            raise ValueError(f"A schedule needs a factor above 0, got {self.factor}.")

    def share(self, epoch: int) -> float:
        """What is left of the learning rate in an epoch, counted from 0."""
        times = 0
        if self.every is not None:
            times = epoch // self.every
        elif self.after is not None:
            times = max(0, epoch + 1 - self.after)
        return float(self.factor**times)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what comes out of a training, but the data itself.

    Arguments:
        model: What is trained; its vocabulary size is an upper bound until the data is seen.
        learning_rate: The optimiser's.
        weight_decay: Its share of each weight that is added to the gradient, of everything but
            RRA's lag scores, whose scale means nothing.
        clip: The largest norm of the whole gradient; None for any.
        batch_size: Sequences a step.
        epochs: Passes over the data.
        seed: Decides initial weights, order and dropout.
        limit: Tokens read of a text at most.
        keep: Which side of a longer text is read.
        minimum_count: Rarer words are unknown.
        optimiser: As in `torch.optim`, its further settings as they are there.
        schedule: What becomes of the learning rate from epoch to epoch.
        patience: Training ends after so many epochs without a better validation score; None to
            go on to the last.
        input_noise: Standard deviation of normal noise that is added to numbers in training.
    """

    model: ModelSettings
    learning_rate: float = 2e-3
    weight_decay: float = 0.0
    clip: float | None = 1.0
    batch_size: int = 64
    epochs: int = 4
    seed: int = 0
    limit: int | None = 400
    keep: Literal["start", "end"] = "end"
    minimum_count: int = 2
    optimiser: Optimiser = "adam"
    schedule: Schedule = field(default_factory=Schedule)
    patience: int | None = None
    input_noise: float = 0.0

    def __post_init__(self) -> None:
        """Refuses what cannot be trained with."""
        for name in ("learning_rate", "clip", "batch_size", "epochs", "minimum_count", "patience"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"A recipe needs {name} above 0, got {value}.")
        for name in ("weight_decay", "input_noise"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"A recipe needs {name} of 0 or more, got {getattr(self, name)}.")
        if self.optimiser not in OPTIMISERS:
            raise ValueError(
                f"There is no optimiser {self.optimiser!r}; there are {', '.join(OPTIMISERS)}."
            )
        if self.input_noise and self.model.vocabulary_size is not None:
            raise ValueError("input_noise is added to numbers, but the recipe's model reads words.")


# Options, learning rate and dropout of each cell: the best of four trials by validation accuracy.
_OPTIONS: Mapping[str, Mapping[str, Any]] = {
    "rra": {"window": 10, "forget_bias": 1.0},
    # With norms that begin at γ = 0.1 the attention stays almost uniform.
    "larnn": {"window": 10, "heads": 4, "preset": "stable", "gain": 1.0, "forget_bias": 1.0},
    "rau": {},
    "lstm": {"forget_bias": 3.0},
    "gru": {},
}
_LEARNING_RATE: Mapping[str, float] = {
    "rra": 2e-3, "larnn": 4e-3, "rau": 2e-3, "lstm": 2e-3, "gru": 2e-3
}  # fmt: skip
_DROPOUT: Mapping[str, float] = {"rra": 0.5, "larnn": 0.5, "rau": 0.5, "lstm": 0.5, "gru": 0.3}

# A forget bias of 1 wherever there is one, so that no cell is helped to remember more than another.
_ADDING_OPTIONS: Mapping[str, Mapping[str, Any]] = {"lstm": {"forget_bias": 1.0}}


def adding_recipe(cell: str, *, hidden_size: int = 64) -> Recipe:
    """A recipe for the adding problem.

    Arguments:
        cell: One of the five cells.
        hidden_size: Units of the state.

    Returns:
        The recipe; change it with `dataclasses.replace`.

    Raises:
        ValueError: If there is no such cell.
    """
    _check_cell(cell)
    settings = ModelSettings(
        cell,
        hidden_size=hidden_size,
        outputs=1,
        head="regression",
        input_size=2,
        options={**_OPTIONS[cell], **_ADDING_OPTIONS.get(cell, {})},
    )
    return Recipe(settings, learning_rate=5e-3, epochs=20, limit=None)


def number_recipe(cell: str, *, features: int, classes: int, hidden_size: int = 64) -> Recipe:
    """A recipe for telling apart sequences of numbers.

    Arguments:
        cell: One of the five cells.
        features: Numbers a timestep.
        classes: How many.
        hidden_size: Units of the state.

    Returns:
        The recipe; change it with `dataclasses.replace`.

    Raises:
        ValueError: If there is no such cell.
    """
    _check_cell(cell)
    options = {**_OPTIONS[cell], **_ADDING_OPTIONS.get(cell, {})}
    settings = ModelSettings(
        cell, hidden_size=hidden_size, outputs=classes, input_size=features, options=options
    )
    return Recipe(settings, epochs=20, limit=None)


def default_recipe(cell: str, *, hidden_size: int = 64) -> Recipe:
    """A recipe for telling apart two classes of texts of a few hundred words.

    Arguments:
        cell: One of the five cells.
        hidden_size: Units of the state.

    Returns:
        The recipe; change it with `dataclasses.replace`.

    Raises:
        ValueError: If there is no such cell.
    """
    _check_cell(cell)
    settings = ModelSettings(
        cell,
        hidden_size=hidden_size,
        outputs=2,
        vocabulary_size=8000,
        embedding_size=64,
        dropout=_DROPOUT[cell],
        options=dict(_OPTIONS[cell]),
    )
    return Recipe(settings, learning_rate=_LEARNING_RATE[cell])


def _check_cell(cell: str) -> None:
    if cell not in CELLS:
        raise ValueError(f"There is no cell {cell!r}; there are {', '.join(CELLS)}.")


def recipe_to_json(recipe: Recipe) -> str:
    """Writes a recipe as JSON, the same text for the same recipe."""
    return json.dumps(asdict(recipe), indent=2, sort_keys=True) + "\n"


def recipe_from_json(text: str) -> Recipe:
    """Reads what `recipe_to_json` wrote.

    Arguments:
        text: The JSON.

    Returns:
        The recipe.

    Raises:
        ValueError: If the text is not a recipe.
    """
    try:
        read = json.loads(text)
        model, schedule = ModelSettings(**read["model"]), Schedule(**read.get("schedule", {}))
        return Recipe(**{**read, "model": model, "schedule": schedule})
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"This is not a recipe that this version wrote: {error}.") from error
