"""What a task is: texts or numbers with labels, in splits. Arrays in, arrays out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

__all__ = ["TextSplit", "TextTask", "join_groups", "split_groups"]


@dataclass(frozen=True)
class TextSplit:
    """One part of a text task.

    Arguments:
        ids: A name for each text.
        texts: The texts.
        labels: The class of each.
        groups: Texts of one group belong together and never stand in two splits.
    """

    ids: tuple[str, ...]
    texts: tuple[str, ...]
    labels: Int[np.ndarray, " sequence"]
    groups: tuple[str, ...]

    def __len__(self) -> int:
        """How many texts."""
        return len(self.texts)

    def select(self, rows: Sequence[int]) -> "TextSplit":
        """Some of its texts, in the order given."""
        return TextSplit(
            tuple(self.ids[row] for row in rows),
            tuple(self.texts[row] for row in rows),
            self.labels[np.asarray(rows, dtype=np.int64)],
            tuple(self.groups[row] for row in rows),
        )


@dataclass(frozen=True)
class TextTask:
    """Texts to classify.

    Arguments:
        name: Such as `imdb`.
        classes: Names of the labels 0, 1, ...
        splits: `train`, `validation` and, where there is one, `test`.
        provenance: Where the data comes from, what was left out, under which terms.
    """

    name: str
    classes: tuple[str, ...]
    splits: Mapping[str, TextSplit]
    provenance: Mapping[str, str] = field(default_factory=dict)


def join_groups(groups: Sequence[str], texts: Sequence[str]) -> list[int]:
    """Numbers groups so that those that share an identical text are one.

    Arguments:
        groups: The group of each text.
        texts: The texts.

    Returns:
        A number for each text; equal numbers belong together.
    """
    leader: dict[str, str] = {}

    def find(name: str) -> str:
        while leader.setdefault(name, name) != name:
            leader[name] = leader[leader[name]]
            name = leader[name]
        return name

    for group, text in zip(groups, texts, strict=True):
        leader[find(f"text {text}")] = find(f"group {group}")
    numbers: dict[str, int] = {}
    return [numbers.setdefault(find(f"group {group}"), len(numbers)) for group in groups]


def split_groups(groups: Sequence[int], share: float, *, seed: int) -> tuple[list[int], list[int]]:
    """Draws whole groups until they hold a share of all rows.

    Arguments:
        groups: The group of each row.
        share: How much to draw, above 0 and below 1.
        seed: Another one draws other groups.

    Returns:
        The rows that stay and the rows drawn, each in order.

    Raises:
        ValueError: If the share is no proper one, or leaves either side empty.
    """
    if not 0 < share < 1:
        raise ValueError(f"A share to split off lies between 0 and 1, got {share}.")
    sizes = np.bincount(np.asarray(groups))
    order = np.random.default_rng(seed).permutation(len(sizes))
    before = np.cumsum(sizes[order]) - sizes[order]
    drawn = set(order[before < share * len(groups)].tolist())
    rest = [row for row, group in enumerate(groups) if group not in drawn]
    taken = [row for row, group in enumerate(groups) if group in drawn]
    if not rest or not taken:
        raise ValueError(
            f"Splitting off {share:.0%} of {len(groups)} texts in {len(sizes)} groups leaves one "
            "side empty. Give more texts, or another share."
        )
    return rest, taken
