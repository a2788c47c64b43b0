"""Which uses of a state carry which label, and the classes of paths that follow from it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["DIRECT", "MOST_LABELS", "PathClasses", "PathOptions", "label_routes"]

#: The class of paths that carry no label: entry and c → h within one timestep.
DIRECT = "direct"
#: Labels at most: every further one doubles the classes.
MOST_LABELS = 5

# The label of a route of the package's own cells; one of another name is a label of its own.
_LABEL_OF: Mapping[str, str] = {
    "gates": "gates",
    "candidate": "gates",
    "query": "gates",
    "update_gate": "gates",
    "reset_gate": "gates",
    "attention_key": "attention",
    "attention_value": "attention",
    "attention_score": "attention",
}


@dataclass(frozen=True)
class PathOptions:
    """How paths are told apart.

    Arguments:
        labels: The routes of each label, such as `{"shortcut": ["shortcut"]}`; a route that is
            in none carries no label. By the names of the cell's routes if not given.
        hops: Of the class of paths that pass `hops_of` alone, tell apart 1, 2, ... edges; the
            last of them stands for this many or more. 0 does not tell them apart.
        hops_of: The label whose edges are counted.
        method: `"recursion"` carries one gradient a class backwards through the cell's steps;
            `"doors"` closes the doors of every set of labels in turn (inclusion-exclusion), which
            is slower, loses small classes to rounding, and is there as a check.
    """

    labels: Mapping[str, Sequence[str]] | None = None
    hops: int = 0
    hops_of: str = "shortcut"
    method: Literal["recursion", "doors"] = "recursion"

    def __post_init__(self) -> None:
        if self.hops < 0:
            raise ValueError(f"hops counts edges to tell apart and cannot be {self.hops}.")
        if self.method not in ("recursion", "doors"):
            raise ValueError(f"method is 'recursion' or 'doors', got {self.method!r}.")
        if self.method == "doors" and self.hops:
            raise ValueError(
                "Hops are counted by the recursion only: closed doors tell whether a path passes "
                "a label, not how often. Leave method='doors' out, or hops."
            )


@dataclass(frozen=True)
class PathClasses:
    """The sets of labels, each a class of paths, and how an edge moves a path between them.

    Class number `n` holds label `i` where bit `i` of `n` is set. Behind the classes stand the
    hops of one class, if they are told apart.

    Arguments:
        labels: Names, in order.
        label_of: The label of each route that has one.
        hops: How many numbers of edges are told apart.
        hops_of: The label whose edges are counted.
    """

    labels: tuple[str, ...]
    label_of: Mapping[str, str]
    hops: int = 0
    hops_of: str = ""

    @property
    def count(self) -> int:
        """How many classes there are."""
        return 1 << len(self.labels)

    @property
    def names(self) -> list[str]:
        """The labels of each class, joined by `+`; `direct` for the class without."""
        return ["+".join(self.members(number)) or DIRECT for number in range(self.count)]

    def members(self, number: int) -> list[str]:
        """The labels of a class."""
        return [label for bit, label in enumerate(self.labels) if number >> bit & 1]

    def moves(self, route: str) -> tuple[Int[Tensor, "moved"], Int[Tensor, "moved"]]:
        """Which entries pass an edge of a route, and what they become.

        Arguments:
            route: Of a use of a state.

        Returns:
            Numbers of classes, then of hops, before and after.
        """
        label = self.label_of.get(route)
        before = list(range(self.count + self.hops))
        if label is None:
            return torch.tensor(before), torch.tensor(before)
        bit = 1 << self.labels.index(label)
        pairs = [(number, number | bit) for number in range(self.count)]
        if self.hops and label == self.hops_of:
            last = self.count + self.hops - 1
            pairs.append((0, self.count))  # the first edge, from the class without labels
            pairs += [(hop, min(hop + 1, last)) for hop in range(self.count, last + 1)]
        passing, becoming = zip(*pairs, strict=True)
        return torch.tensor(passing), torch.tensor(becoming)


def label_routes(cell: str, routes: Iterable[str], options: PathOptions) -> PathClasses:
    """The classes that a cell's routes and the options give.

    Arguments:
        cell: The cell's name, for messages.
        routes: The uses of states that reach to an earlier timestep.
        options: With the labels, or without.

    Returns:
        The classes.

    Raises:
        ValueError: If a label names a route that the cell does not have or that another label
            has, if there are too many labels, or if hops are asked of none of them.
    """
    known = list(routes)
    given = options.labels
    if given is None:
        label_of = {route: _LABEL_OF.get(route, route) for route in known}
    else:
        label_of = {}
        for label, held in given.items():
            for route in [held] if isinstance(held, str) else held:
                _check_route(cell, label, route, known, label_of)
                label_of[route] = label
    labels = tuple(dict.fromkeys(label_of.values()))
    if len(labels) > MOST_LABELS:
        raise ValueError(
            f"{cell} has {len(labels)} labels of paths, {list(labels)}, which make "
            f"{2 ** len(labels)} classes. Join them to at most {MOST_LABELS} with "
            "PathOptions(labels={name: [route, ...]})."
        )
    if options.hops and options.hops_of not in labels:
        raise ValueError(
            f"Hops count the edges of the label {options.hops_of!r}, but the paths of {cell} have "
            f"the labels {list(labels)}. Leave hops out, or choose one of these as hops_of."
        )
    return PathClasses(labels, label_of, options.hops, options.hops_of)


def _check_route(
    cell: str, label: str, route: str, known: list[str], taken: Mapping[str, str]
) -> None:
    if route not in known:
        raise ValueError(
            f"The label {label!r} names the route {route!r}, but the routes by which {cell} uses "
            f"an earlier state are {known}. Uses within one timestep carry no label."
        )
    if route in taken:
        raise ValueError(
            f"The route {route!r} is in two labels, {taken[route]!r} and {label!r}; an edge "
            "carries one."
        )
