"""Splits that keep together what belongs together."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int

__all__ = ["join_groups", "split_by_group"]

TRAINING = 0


def join_groups(groups: Sequence[str], texts: Sequence[str]) -> list[str]:
    """Joins groups that hold the same text, directly or through others.

    Returns:
        For each example the name of its joined group: the first, in code point order, of the
        groups that were joined.
    """
    parents = {group: group for group in groups}

    def root(group: str) -> str:
        while parents[group] != group:
            parents[group] = parents[parents[group]]
            group = parents[group]
        return group

    holders: dict[str, str] = {}
    for group, text in zip(groups, texts, strict=True):
        first, second = sorted((root(group), root(holders.setdefault(text, group))))
        parents[second] = first
    return [root(group) for group in groups]


def split_by_group(
    groups: Sequence[str],
    labels: Int[np.ndarray, "sequence"],
    shares: Sequence[float],
    *,
    seed: int,
) -> Int[np.ndarray, "sequence"]:
    """Draws splits of whole groups, each class having the same share of every split.

    Groups are taken in random order, one that would overfill a class of the split at hand being
    left for the next. If the groups are too coarse for that, only the sizes of the splits are
    kept and the classes fall as they may.

    Arguments:
        groups: The group of each example.
        labels: The class of each example.
        shares: The share of all examples that goes to each split beside training.
        seed: The same groups, labels, shares and seed give the same splits.

    Returns:
        For each example 0 for training, else the place of its split in `shares` from 1 on.

    Raises:
        ValueError: If a share is negative, they sum to 1 or more, or the groups are so large
            that a split stays empty or training lacks a class.
    """
    if min(shares) < 0 or sum(shares) >= 1:
        raise ValueError(
            "The shares of the splits must be at least 0 and sum to less than 1, but got "
            f"{list(shares)}."
        )
    every_class = np.unique(labels)
    for classes in (labels, np.zeros_like(labels)):
        splits = _drawn(groups, classes, shares, seed)
        filled = all((splits == i).any() for i, share in enumerate(shares, 1) if share > 0)
        if filled and np.array_equal(np.unique(labels[splits == TRAINING]), every_class):
            return splits
    raise ValueError(
        f"No splits with shares {list(shares)} can be drawn: the {len(labels)} examples fall into "
        f"{len(set(groups))} groups that must stay whole, the largest of "
        f"{Counter(groups).most_common(1)[0][1]}. Ask for other shares or coarser splits."
    )


def _drawn(
    groups: Sequence[str], classes: Int[np.ndarray, "sequence"], shares: Sequence[float], seed: int
) -> Int[np.ndarray, "sequence"]:
    members: dict[str, list[int]] = {}
    for example, group in enumerate(groups):
        members.setdefault(group, []).append(example)
    names = sorted(members)
    names = [names[i] for i in np.random.default_rng(seed).permutation(len(names))]
    totals = np.bincount(classes)
    sizes = {name: np.bincount(classes[members[name]], minlength=len(totals)) for name in names}

    splits = np.zeros(len(groups), dtype=np.int64)
    for split, share in enumerate(shares, 1):
        room = np.rint(share * totals).astype(np.int64)
        if share > 0:
            room = np.maximum(room, totals > len(shares))  # a small class is not forgotten
        left = []
        for name in names:
            if (sizes[name] <= room).all():
                room -= sizes[name]
                splits[members[name]] = split
            else:
                left.append(name)
        names = left
    return splits
