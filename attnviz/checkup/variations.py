"""Other inputs for a model that reads some: at some timesteps, in padding, of other lengths."""

import torch
from torch import Tensor

from attnviz.checkup.calls import Example, Outcome, Tensors

__all__ = [
    "cropped",
    "ends_of",
    "inside",
    "layer_output",
    "masked",
    "middle",
    "shortened",
    "timed",
    "whole_lengths",
    "with_others",
    "with_padding",
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


def ends_of(example: Example) -> Tensor:
    """The length of each sequence; all timesteps where none are given."""
    x = timed(example)
    ends = example.ends
    return torch.full((x.shape[1],), len(x)) if ends is None else ends


def inside(example: Example) -> Tensor:
    """Which timesteps belong to a sequence, `(time, batch)`."""
    return torch.arange(len(timed(example)))[:, None] < ends_of(example)


def layer_output(outcome: Outcome, batch_first: bool, steps: slice) -> Tensors:
    """What a layer returned for some timesteps."""
    output = outcome.outputs["output[0]"]
    return {"output": (output.transpose(0, 1) if batch_first else output)[steps]}


def masked(values: Tensors, kept: Tensor, axis: int) -> Tensors:
    """Tensors with zeros in padding, where anything may stand.

    Arguments:
        values: Those whose first two axes are time and batch are masked, others left.
        kept: What lies inside the sequences, `(time, batch)`.
        axis: Where time runs in them: 0 or 1.
    """
    mask = kept.transpose(0, axis)
    return {
        name: torch.where(mask.to(one.device).reshape(*mask.shape, *[1] * (one.dim() - 2)), one, 0)
        if one.dim() > 1 and one.shape[:2] == mask.shape
        else one
        for name, one in values.items()
    }


def shortened(example: Example, longest: int) -> Example:
    """Every sequence ended by a timestep at the latest, what follows left as padding."""
    if example.lengths is None or example.ends is None:
        return example
    given = example.at(example.lengths)
    if isinstance(given, Tensor):
        return example.changed(example.lengths, given.clamp(max=longest))
    return example.changed(example.lengths, [min(int(length), longest) for length in given])


def cropped(example: Example, time: int) -> Example:
    """The first timesteps, without those that follow."""
    return with_sequences(shortened(example, time), timed(example)[:time])


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
    x[steps] = _other_values(x)[steps]
    return with_sequences(example, x)


def with_padding(example: Example) -> Example:
    """An example with something else in its padding."""
    x, kept = timed(example), inside(example)
    kept = kept.to(x.device).reshape(*kept.shape, *[1] * (x.dim() - 2))
    return with_sequences(example, torch.where(kept, x, _other_values(x)))


def _other_values(x: Tensor) -> Tensor:
    """Other inputs of the same kind, none of them where it was: a timestep on and a row on."""
    moved = x.roll((1, 1), (0, 1))
    if not x.is_floating_point():
        # Where neighbours are equal, another id that is surely known to the model.
        return torch.where(moved == x, x.amin() + (x.amax() - x).clamp_min(0), moved)
    return moved * 1.5 + 0.5


def with_others(example: Example) -> Example:
    """An example with other inputs throughout, where their axes are known."""
    return example if example.sequences is None else with_steps(example, slice(None))
