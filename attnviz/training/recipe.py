"""What a training is: model, optimiser, data and seed, in one frozen description."""

import json
from dataclasses import asdict, dataclass, field
from typing import Literal, get_args

from attnviz.models import ModelSettings

__all__ = [
    "MatmulPrecision",
    "Optimiser",
    "Precision",
    "Recipe",
    "Schedule",
    "recipe_from_json",
    "recipe_to_json",
]

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]
MatmulPrecision = Literal["highest", "high", "medium"]
Optimiser = Literal["adam", "sgd", "rmsprop", "adadelta"]


# A step's random state is a million times the seed, and torch's are below 2^63.
LARGEST_SEED = 1 << 40


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
        initial_range: Weight matrices and embeddings begin between minus this and this; as the
            cell has them if None. Vectors (biases, norms, lag scores) begin as the cell has them.
        bptt: Timesteps of a running text that a gradient goes back through.
        carry_windows: Whether what attention reads of a running text reaches back into the segment
            before; hidden state and memory always do.
        sum_over_time: Whether the loss that is descended is the sum over a segment of running
            text, as in Zaremba et al. (2014), not the mean: the rate is then that many times
            larger, and the gradient before it is clipped. Losses are told by token either way.
        validation_streams: Pieces of the validation text that are read side by side. The test text
            is read as one.
        precision: As Lightning names it: `bf16-mixed` and `16-mixed` compute products in half
            precision, in training and its validation. Scoring is always in float32.
        matmul_precision: As `torch.set_float32_matmul_precision` names it: how exactly products of
            float32 are computed in training and its validation, where the device has a faster way;
            what the process has set does not count meanwhile. `high` is TF32 on a GPU; `medium`
            reads bfloat16 and sums in float32, also on processors with AMX.
        devices: Processes that share each batch, by Lightning's `ddp`; on GPUs where there are.
        frozen: Beginnings of the names of parameters that stay as they were drawn, such as
            `layer.`, the recurrent layers: a reservoir. No optimiser knows them.
        test_every_epoch: Whether each epoch is scored on the test split too, for the history: to
            show what choosing the epoch by it would do. Nothing is chosen by it here.
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
    initial_range: float | None = None
    bptt: int = 35
    carry_windows: bool = True
    sum_over_time: bool = False
    validation_streams: int = 20
    precision: Precision = "32-true"
    matmul_precision: MatmulPrecision = "highest"
    devices: int = 1
    frozen: tuple[str, ...] = ()
    test_every_epoch: bool = False

    def __post_init__(self) -> None:
        """Refuses what cannot be trained with."""
        self._check_numbers()
        self._check_names()
        if self.batch_size % self.devices:
            raise ValueError(
                f"{self.devices} devices cannot share batches of {self.batch_size} evenly."
            )
        if self.input_noise and self.model.vocabulary_size is not None:
            raise ValueError("input_noise is added to numbers, but the recipe's model reads words.")

    def _check_numbers(self) -> None:
        for name in (
            "learning_rate", "clip", "batch_size", "epochs", "minimum_count", "patience",
            "initial_range", "bptt", "validation_streams", "devices",
        ):  # fmt: skip
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"A recipe needs {name} above 0, got {value}.")
        if not 0 <= self.seed < LARGEST_SEED:
            raise ValueError(f"A seed is from 0 to {LARGEST_SEED - 1:,}, got {self.seed}.")
        for name in ("weight_decay", "input_noise"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"A recipe needs {name} of 0 or more, got {getattr(self, name)}.")

    def _check_names(self) -> None:
        for name, kind in (
            ("optimiser", Optimiser), ("precision", Precision),
            ("matmul_precision", MatmulPrecision),
        ):  # fmt: skip
            if (value := getattr(self, name)) not in get_args(kind):
                raise ValueError(
                    f"There is no {name} {value!r}; there are {', '.join(get_args(kind))}."
                )
        # A single text is no tuple: its letters would be beginnings of names.
        whole = self.frozen == tuple(self.frozen)
        if not whole or not all(isinstance(one, str) and one for one in self.frozen):
            raise ValueError(f"frozen holds beginnings of parameters' names, got {self.frozen}.")


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
        frozen = tuple(read.get("frozen", ()))  # JSON knows lists only
        return Recipe(**{**read, "model": model, "schedule": schedule, "frozen": frozen})
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"This is not a recipe that this version wrote: {error}.") from error
