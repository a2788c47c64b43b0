"""Orders drawn once and for all: the same with every version of every library."""

import hashlib
from importlib.resources import files

import numpy as np
from jaxtyping import Bool, Int

__all__ = ["drawn_order", "pixel_permutation", "stratified"]

_PERMUTATION = "pixel_permutation.txt"


def drawn_order(count: int, *, seed: int) -> Int[np.ndarray, "place"]:
    """An order of 0, ..., count − 1 that looks random and never changes.

    Numbers are sorted by the SHA-256 of `seed:number` in ASCII. NumPy's own permutations may
    change with its versions.
    """
    keys = [hashlib.sha256(f"{seed}:{number}".encode()).digest() for number in range(count)]
    return np.array(sorted(range(count), key=keys.__getitem__), dtype=np.int64)


def pixel_permutation() -> Int[np.ndarray, "time"]:
    """The order in which the pixels of permuted MNIST are read.

    Timestep t reads pixel `pixel_permutation()[t]`, counted row by row. It is `drawn_order(784,
    seed=0)`, stored with the package. Each paper drew its own, so results on permuted MNIST are
    comparable between papers only as far as one permutation is as hard as another.
    """
    content = (files("attnviz") / "tasks" / _PERMUTATION).read_text(encoding="ascii")
    return np.array(content.split(), dtype=np.int64)


def stratified(
    labels: Int[np.ndarray, "sequence"], count: int, *, seed: int
) -> Bool[np.ndarray, "sequence"]:
    """Draws so many sequences, every class by its share.

    Classes have their share rounded down, and those with the largest remainders, the first of
    equals, one more until there are enough.

    Arguments:
        labels: The class of each sequence.
        count: How many to draw.
        seed: The same labels, count and seed draw the same.

    Returns:
        Which were drawn.

    Raises:
        ValueError: If they are more than there are, or all.
    """
    if not 0 <= count < len(labels):
        raise ValueError(
            f"Of {len(labels)} sequences 0 to {len(labels) - 1} can be held out, the others being "
            f"trained on, but got {count}."
        )
    totals = np.bincount(labels)
    rooms, remainders = np.divmod(totals * count, len(labels))
    rooms[np.argsort(-remainders, kind="stable")[: count - rooms.sum()]] += 1
    order = drawn_order(len(labels), seed=seed)
    drawn = np.zeros(len(labels), dtype=bool)
    for label, room in enumerate(rooms):
        drawn[order[labels[order] == label][:room]] = True
    return drawn
