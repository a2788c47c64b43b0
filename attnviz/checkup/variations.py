"""Other inputs for a model that reads some: at some timesteps, in padding, of other lengths."""

import torch
from torch import Tensor

from attnviz.checkup.calls import Example

__all__ = [
    "middle",
    "other_values",
    "timed",
    "whole_lengths",
    "with_others",
    "with_sequences",
    "with_steps",
]


def timed(example: Example) -> Tensor:
    """The sequences of an example, time first.

    Raises:
        ValueError: If their axes are not known.
    """
    x = example.sequences
    if x is None:
        raise ValueError("The axes of the inputs are not known.")
    return x.transpose(0, example.time_axis or 0)


def middle(x: Tensor) -> int:
    """The timestep halfway."""
    return len(x) // 2


def whole_lengths(example: Example) -> Example:
    """Every sequence up to the end."""
    if example.lengths is None or example.ends is None:
        return example
    full = torch.full_like(example.ends, len(timed(example)))
    return example.changed(example.lengths, full)


def with_sequences(example: Example, x: Tensor) -> Example:
    """An example with other sequences, given time first.

    Raises:
        ValueError: If the axes of its own are not known.
    """
    if example.x is None:
        raise ValueError("The axes of the inputs are not known.")
    return example.changed(example.x, x.transpose(0, example.time_axis or 0))


def with_steps(example: Example, steps: slice) -> Example:
    """An example with other inputs at some timesteps."""
    x = timed(example).clone()
    x[steps] = other_values(x)[steps]
    return with_sequences(example, x)


def other_values(x: Tensor) -> Tensor:
    """Other inputs of the same kind, none of them where it was: a timestep on and a row on."""
    moved = x.roll((1, 1), (0, 1))
    if not x.is_floating_point():
        # Where neighbours are equal, another id that is surely known to the model.
        return torch.where(moved == x, x.amin() + (x.amax() - x).clamp_min(0), moved)
    return moved * 1.5 + 0.5


def with_others(example: Example) -> Example:
    """An example with other inputs throughout, where their axes are known."""
    return example if example.sequences is None else with_steps(example, slice(None))
