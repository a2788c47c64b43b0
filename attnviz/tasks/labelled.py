"""Sequences of numbers that each have a class: images read as sequences, windows of sensors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from attnviz.arrays import check_array
from attnviz.tasks.base import check_finite, check_labels, check_lengths, spread_rows

__all__ = ["LabelledSplit", "LabelledTask"]


@dataclass(frozen=True, eq=False)
class LabelledSplit:
    """Sequences of numbers, the i-th entry of every field belonging to the i-th of them.

    Arguments:
        values: As they are kept: uint8, of which 255 means 1, or float32.
        labels: int64, the place of each sequence's class in the task's `classes`.
        ids: A name for each sequence, unique in its task.
        groups: int64, what sequences share that must not be torn apart by a split, such as a
            subject; a number of its own for each if they share nothing.
        lengths: Timesteps of each sequence, where they differ: the values are padded to the
            longest, and what stands in the padding is never read.

    Raises:
        TypeError: If values or labels are no arrays, or labels no whole numbers.
        ValueError: If the fields differ in length, the values are of another type, NaN or
            infinite, or a length is none of a sequence.
    """

    values: Shaped[np.ndarray, "sequence time feature"]
    labels: Int[np.ndarray, "label"]
    ids: tuple[str, ...]
    groups: Int[np.ndarray, "group"]
    lengths: Int[np.ndarray, "own_length"] | None = None

    def __post_init__(self) -> None:
        check_array("LabelledSplit", "values", self.values, padded=True)
        check_array("LabelledSplit", "labels", self.labels, kinds="iu")
        lengths = (len(self.values), len(self.labels), len(self.ids), len(self.groups))
        if len(set(lengths)) != 1:
            raise ValueError(
                "A LabelledSplit has one label, id and group for each sequence, but got "
                "{} sequences, {} labels, {} ids and {} groups.".format(*lengths)
            )
        if self.values.dtype not in (np.uint8, np.float32):
            raise ValueError(
                f"A LabelledSplit keeps uint8 or float32, but got {self.values.dtype}: of other "
                "types it is not known what they are to be divided by."
            )
        check_lengths(self.lengths, self.values.shape)
        pads = "" if self.lengths is None else ", or the padding (fill it with zeros),"
        check_finite(self.values, self.ids, what=f"features{pads}")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def timesteps(self) -> Int[np.ndarray, " sequence"]:
        """How many each sequence has, int64."""
        count, longest = self.values.shape[:2]
        return np.full(count, longest) if self.lengths is None else self.lengths.astype(np.int64)

    def features(
        self, rows: slice | Sequence[int] | Int[np.ndarray, "row"] = slice(None)
    ) -> Float[np.ndarray, "row_ time feature"]:
        """Some of the sequences as a model reads them, made when they are asked for.

        Arguments:
            rows: Which, in the order given; all of them if not given.

        Returns:
            float32. What is kept as uint8 is divided by 255 and so is in [0, 1].
        """
        values = self.values[_places(rows)]
        if values.dtype == np.uint8:
            return values.astype(np.float32) / np.float32(255)
        return values

    def select(self, rows: Sequence[int] | Int[np.ndarray, "row"]) -> "LabelledSplit":
        """Some of the sequences, in the order given."""
        places = np.asarray(rows, dtype=np.int64)
        return LabelledSplit(
            self.values[places],
            self.labels[places],
            tuple(self.ids[place] for place in places),
            self.groups[places],
            None if self.lengths is None else self.lengths[places],
        )

    def spread(self, count: int | None) -> "LabelledSplit":
        """So many sequences, evenly spread: data sets tend to be sorted by class.

        Arguments:
            count: How many; all of them if there are not so many, or if None.
        """
        return self.select(spread_rows(len(self), count))


def _places(rows: slice | Sequence[int] | Int[np.ndarray, "row"]) -> slice | np.ndarray:
    return rows if isinstance(rows, slice) else np.asarray(rows, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class LabelledTask:
    """Sequences of numbers to be told apart, with the splits that every run shares.

    Its score is the accuracy: the share of the sequences whose class is predicted.

    Arguments:
        name: What the task is called in traces and tables.
        classes: The name of each label.
        features: The name of each feature; empty if they have none.
        splits: `train`, `validation` and `test`; an unwanted one is empty, not absent.
        provenance: Where the sequences came from, how they were split and on which terms;
            values that JSON can hold.
        metric: What its score is called.

    Raises:
        ValueError: If a label stands for no class, an id occurs twice, or splits differ in
            features or, where no lengths are given, in timesteps.
    """

    name: str
    classes: tuple[str, ...]
    features: tuple[str, ...]
    splits: Mapping[str, LabelledSplit]
    provenance: Mapping[str, str | int | float | None]
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        check_labels(self.name, self.classes, self.splits, of="sequences")
        shapes = {name: split.values.shape[1:] for name, split in self.splits.items()}
        padded = all(split.lengths is not None for split in self.splits.values() if len(split))
        if len({shape[1:] if padded else shape for shape in shapes.values()}) != 1:
            raise ValueError(
                f"{self.name} needs the same features, and without lengths of its sequences the "
                "same timesteps, in every split, but has "
                + ", ".join(f"{name} {time} x {size}" for name, (time, size) in shapes.items())
            )
        if self.features and len(self.features) != self.feature_count:
            raise ValueError(
                f"{self.name} names {len(self.features)} features but has {self.feature_count}."
            )

    @property
    def length(self) -> int:
        """Timesteps of the longest sequence."""
        return max(int(split.values.shape[1]) for split in self.splits.values())

    @property
    def feature_count(self) -> int:
        """Numbers a timestep."""
        return int(next(iter(self.splits.values())).values.shape[2])
