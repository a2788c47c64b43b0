"""What a task is: texts with labels, parted into splits once and for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

__all__ = ["TextSplit", "TextTask"]


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
        for name, split in self.splits.items():
            outside = (split.labels < 0) | (split.labels >= len(self.classes))
            if outside.any():
                first = int(outside.argmax())
                raise ValueError(
                    f"{self.name} has {len(self.classes)} classes, but {split.ids[first]} in "
                    f"{name} has label {split.labels[first]}."
                )
        ids = [example for split in self.splits.values() for example in split.ids]
        if len(set(ids)) != len(ids):
            raise ValueError(f"{self.name} has {len(ids)} examples but {len(set(ids))} ids.")
