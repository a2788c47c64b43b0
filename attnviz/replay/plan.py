"""Which edits an ablation is made of, and for which cells it is defined."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

import cells
from attnviz.edits import WHOLE, Method
from attnviz.models import SequenceModel

__all__ = [
    "AXES",
    "AblationLevel",
    "Attention",
    "Plan",
    "check_defined",
    "first_number",
    "plan_ablations",
]

AblationLevel = Literal["lag", "step", "pair", "head", "feature"]
"""What one edit takes away; see `attnviz.ablate`."""

AXES: Mapping[AblationLevel, tuple[str, ...]] = {
    "lag": ("lag",),
    "step": ("time", "lag"),
    "pair": ("lag", "other_lag"),
    "head": ("head", "lag"),
    "feature": ("feature",),
}
"""The axes of the effects by level; where whole heads change, the first of them only."""

NO_LAGS: Mapping[str, str] = {
    "LSTM": "has no attention of its own",
    "GRU": "has no attention of its own",
    "RAU": "attends over features, not over lags",
}
"""Cells whose lags cannot be ablated, and why."""


class Attention(NamedTuple):
    """How many heads a cell's attention has, and how many sources each of them reads."""

    heads: int
    sources: int


@dataclass(frozen=True)
class Plan:
    """All edits of one sequence, a row each.

    Arguments:
        sources: Which sources each takes away.
        heads: From which heads.
        timesteps: At which timestep; −1 for all of them.
        shape: Sizes of the axes of the effects.
        numbers: What the draws of each depend on.
    """

    sources: Bool[Tensor, "row source"]
    heads: Bool[Tensor, "row head"]
    timesteps: Int[Tensor, "row"]
    shape: tuple[int, ...]
    numbers: Int[Tensor, "row"]


def plan_ablations(
    attention: Attention, level: AblationLevel, length: int, *, whole: bool, first: int
) -> Plan:
    """All edits of a sequence at a level.

    Arguments:
        attention: Of the cell.
        level: What one edit takes away.
        length: Timesteps of the sequence.
        whole: Whether an edit changes all weights of a head at once.
        first: The number of the first edit; the others follow.

    Returns:
        The plan, its rows in the order of the level's axes.
    """
    heads, count = attention
    one = torch.ones(1, count, dtype=torch.bool) if whole else torch.eye(count, dtype=torch.bool)
    each, every = torch.eye(heads, dtype=torch.bool), torch.ones(1, heads, dtype=torch.bool)
    sources, chosen = one, every
    shape: tuple[int, ...] = (count,)
    times = torch.full((1,), -1)
    if level == "step":
        sources, times = one.repeat(length, 1), torch.arange(length).repeat_interleave(len(one))
        shape = (length,) if whole else (length, count)
    elif level == "pair":
        sources, shape = (one[:, None] | one[None]).flatten(0, 1), (count, count)
    elif level == "head":
        sources, chosen = one.repeat(heads, 1), each.repeat_interleave(len(one), dim=0)
        shape = (heads,) if whole else (heads, count)
    size = len(sources)
    numbers = first + torch.arange(size)
    return Plan(sources, chosen.expand(size, -1), times.expand(size), shape, numbers)


def first_number(seed: int, sequence: int) -> int:
    """The number of a sequence's first edit, far from that of any other seed and sequence.

    Raises:
        ValueError: If the seed is negative.
    """
    if seed < 0:
        raise ValueError(f"The seed of an ablation is a whole number from 0 on, got {seed}.")
    drawn = np.random.SeedSequence(seed, spawn_key=(sequence,)).generate_state(1, np.uint64)
    return int(drawn[0] >> np.uint64(2))  # room to count on from there


def check_defined(
    model: SequenceModel, group: str, level: AblationLevel, method: Method
) -> cells.Cell[Any]:
    """The cell whose attention is ablated.

    Arguments:
        model: Whose it is.
        group: One of its layers and directions.
        level: What one edit takes away.
        method: What happens to it.

    Raises:
        KeyError: If there is no such layer.
        ValueError: If its cell has nothing of that kind to take away, or method and level do not
            go together.
    """
    if group not in model.layer.groups:
        raise KeyError(f"{model.name} has no layer {group!r}; it has {list(model.layer.groups)}.")
    cell = model.layer.groups[group]
    _check_sources(cell, level, method)
    if method in WHOLE and level not in ("step", "head"):
        raise ValueError(
            f"The method {method!r} changes all weights of a head at once, so that single sources "
            "have no effects of their own. Choose level='head' (all timesteps) or 'step'."
        )
    return cell


def _check_sources(cell: cells.Cell[Any], level: AblationLevel, method: Method) -> None:
    name = type(cell).__name__.removesuffix("Cell")
    if level == "feature":
        if "feature_attention" not in cell.signals:
            raise ValueError(f"{name} does not attend over features; ablate a lag instead.")
    elif not cell.lags and not (method in WHOLE and "feature_attention" in cell.signals):
        why = NO_LAGS.get(name, "has no attention with lags")
        advice = " (level='feature' ablates those)" if name == "RAU" else ""
        raise ValueError(
            f"A lag of {name} cannot be ablated: it {why}{advice}. To see how far back it looks, "
            "replace its inputs: attnviz.replacement_influence."
        )
