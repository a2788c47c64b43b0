"""What a task is: texts in splits made once and for all, or numbers that are drawn anew."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int, Shaped

from attnviz.arrays import check_array

__all__ = [
    "GeneratedTask",
    "Labelled",
    "NumberSplit",
    "TextSplit",
    "TextTask",
    "check_finite",
    "check_labels",
    "spread_rows",
]

TRAINING = 0  # the first entry of the seeds of what is trained on; splits have others


@dataclass(frozen=True, eq=False)
class TextSplit:
    """Labelled texts, the i-th entry of every field belonging to the i-th example.

    Arguments:
        ids: A name for each example, unique in its task.
        texts: The texts as they were found, markup included.
        labels: int64, the place of each example's class in the task's `classes`.
        groups: What examples share that must not be torn apart by a split, such as a movie.

    Raises:
        ValueError: If the fields differ in length.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    labels: Int[np.ndarray, "sequence"]
    groups: tuple[str, ...]

    def __post_init__(self) -> None:
        lengths = (len(self.ids), len(self.texts), len(self.labels), len(self.groups))
        if len(set(lengths)) != 1:
            raise ValueError(
                "A TextSplit has one id, text, label and group for each example, but got "
                "{} ids, {} texts, {} labels and {} groups.".format(*lengths)
            )

    def __len__(self) -> int:
        return len(self.ids)

    def select(self, rows: Sequence[int] | Int[np.ndarray, "row"]) -> "TextSplit":
        """Some of the examples, in the order given."""
        return TextSplit(
            tuple(self.ids[row] for row in rows),
            tuple(self.texts[row] for row in rows),
            self.labels[np.asarray(rows, dtype=np.int64)],
            tuple(self.groups[row] for row in rows),
        )

    def spread(self, count: int | None) -> "TextSplit":
        """So many examples, evenly spread: data sets tend to be sorted by class.

        Arguments:
            count: How many; all of them if there are not so many, or if None.
        """
        return self.select(spread_rows(len(self), count))


@dataclass(frozen=True, eq=False)
class TextTask:
    """Texts to be told apart, with the splits that every run shares.

    Arguments:
        name: What the task is called in traces and tables.
        classes: The name of each label.
        splits: `train`, `validation` and `test`; an unwanted one is empty, not absent.
        provenance: Where the texts came from, what was left out and on which terms; values
            that JSON can hold.

    Raises:
        ValueError: If a label stands for no class, or an id occurs twice.
    """

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, TextSplit]
    provenance: Mapping[str, str | int | float | None]

    def __post_init__(self) -> None:
        check_labels(self.name, self.classes, self.splits, of="examples")


def spread_rows(rows: int, count: int | None) -> list[int]:
    """So many of the rows of a split, evenly spread; all of them if not so many, or if None."""
    wanted = rows if count is None else min(count, rows)
    return [place * rows // wanted for place in range(wanted)]


def check_lengths(lengths: Int[np.ndarray, " sequence"] | None, shape: Sequence[int]) -> None:
    """Refuses lengths that do not fit what is padded to the longest; `cells` has it for tensors.

    Arguments:
        lengths: Timesteps of each sequence; all of them if None.
        shape: Of the values, `(sequence, time, ...)`.

    Raises:
        TypeError: If they are no array of whole numbers.
        ValueError: If there is not one for each sequence, or one is not within the values.
    """
    if lengths is None:
        return
    if not isinstance(lengths, np.ndarray) or lengths.ndim != 1 or lengths.dtype.kind not in "iu":
        came = lengths.dtype if isinstance(lengths, np.ndarray) else type(lengths).__name__
        raise TypeError(f"Lengths are an array of whole numbers with one axis, got {came}.")
    count, longest = shape[:2]
    if len(lengths) != count:
        raise ValueError(f"{count} sequences need a length each, got {len(lengths)} lengths.")
    outside = (lengths < 1) | (lengths > longest)
    if outside.any():
        row = int(outside.argmax())
        raise ValueError(
            f"A length lies between 1 and the {longest} timesteps of the values, but that of "
            f"sequence {row} is {lengths[row]}. Leave empty sequences out."
        )


def check_finite(
    values: Shaped[np.ndarray, "sequence *rest"], ids: Sequence[str] = (), *, what: str = "features"
) -> None:
    """Refuses numbers that would make a training NaN.

    Arguments:
        values: Of each sequence.
        ids: What the sequences are called; their numbers if not given.
        what: What the values are.

    Raises:
        ValueError: If one is NaN or infinite.
    """
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return
    bad = np.flatnonzero(~np.isfinite(values).all(axis=tuple(range(1, values.ndim))))
    names = [ids[row] if ids else str(row) for row in bad[:3]]
    raise ValueError(
        f"The {what} of {len(bad)} of {len(values)} sequences hold NaN or infinite numbers: "
        f"{', '.join(names)}{', ...' if len(bad) > 3 else ''}. Mend them or leave these out."
    )


@runtime_checkable
class Labelled(Protocol):
    """A split whose examples have an id and a label each."""

    @property
    def ids(self) -> tuple[str, ...]:
        """A name for each."""

    @property
    def labels(self) -> Int[np.ndarray, "sequence"]:
        """The place of each one's class."""


def check_labels(
    task: str, classes: Sequence[str], splits: Mapping[str, Labelled], *, of: str
) -> None:
    """Refuses labels that stand for no class, and ids that occur twice.

    Arguments:
        task: The task's name.
        classes: The name of each label.
        splits: By name.
        of: What the splits are of, in words.

    Raises:
        ValueError: If there is one.
    """
    for name, split in splits.items():
        outside = (split.labels < 0) | (split.labels >= len(classes))
        if outside.any():
            first = int(outside.argmax())
            raise ValueError(
                f"{task} has {len(classes)} classes, but {split.ids[first]} in {name} has label "
                f"{split.labels[first]}."
            )
    ids = [one for split in splits.values() for one in split.ids]
    if len(set(ids)) != len(ids):
        twice = [one for one, count in Counter(ids).items() if count > 1]
        shown = ", ".join(map(repr, twice[:3])) + (", ..." if len(twice) > 3 else "")
        raise ValueError(
            f"{task} has {len(ids)} {of} but {len(set(ids))} ids: {shown} come more than once."
        )


@dataclass(frozen=True, eq=False)
class NumberSplit:
    """Sequences of numbers, and what is to be predicted from each.

    Arguments:
        features: float32.
        targets: float32.

    Raises:
        TypeError: If one is no array of numbers.
        ValueError: If there are more of one than of the other, or a number is NaN or infinite.
    """

    features: Float[np.ndarray, "sequence time feature"]
    targets: Float[np.ndarray, "other_sequence output"]

    def __post_init__(self) -> None:
        for what, given in (("features", self.features), ("targets", self.targets)):
            check_array("NumberSplit", what, given)
        if len(self.features) != len(self.targets):
            raise ValueError(
                "A NumberSplit has one row of targets for each sequence, but got "
                f"{len(self.features)} sequences and {len(self.targets)} rows of targets."
            )
        check_finite(self.features)
        check_finite(self.targets, what="targets")

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True, eq=False)
class GeneratedTask:
    """Numbers to be predicted from sequences that are drawn anew at every step of a training.

    Arguments:
        name: What the task is called in traces and tables.
        draw: Makes so many sequences from a source of random numbers.
        splits: `validation` and `test`, the same for every run.
        outputs: Names of the numbers to predict.
        epoch_size: Sequences that are drawn between two validations.
        baseline: The mean squared error of the best constant.
        solved: The mean squared error below which the task counts as learnt.
        provenance: What decides the sequences; values that JSON can hold.
    """

    name: str
    draw: Callable[[int, np.random.Generator], NumberSplit]
    splits: Mapping[str, NumberSplit]
    outputs: tuple[str, ...]
    epoch_size: int
    baseline: float
    solved: float
    provenance: Mapping[str, str | int | float | None]

    @property
    def features(self) -> int:
        """Numbers a timestep."""
        return int(self.splits["validation"].features.shape[-1])

    def fresh(self, count: int, *, seed: int, step: int) -> NumberSplit:
        """Sequences to train on, a pure function of the arguments.

        Arguments:
            count: How many.
            seed: Of the training.
            step: Of the training, counted from 0 over all epochs.

        Returns:
            The sequences; none of them is in a split, but by chance.
        """
        return self.draw(count, np.random.default_rng([TRAINING, seed, step]))
