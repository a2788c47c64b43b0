"""Shorter inputs: what padding changes by being there, and which axis of a return is time."""

from collections.abc import Collection, Iterator

import torch
from torch import Tensor

from attnviz.checkup.calls import Example, Outcome, Tensors, Unit, apart, read
from attnviz.checkup.variations import cropped, inside, masked, middle, shortened, timed

__all__ = ["FEW", "read_short", "time_axes", "trimmed", "without_padding"]

FEW = 2  # timesteps: nearly every sequence fills them. Of one, squeeze() would lose the axis.


@torch.no_grad()
def without_padding(unit: Unit) -> tuple[float, str] | None:
    """How far anything moves when padding behind the longest sequence is cut off, and what.

    All sequences are ended early and read twice, with what followed as padding and without it:
    the rows are the same, so that nothing but the padding can tell.

    Arguments:
        unit: One that reads lengths.

    Returns:
        The difference; None where it cannot be tried, as of a model that reads one number of
        timesteps only.
    """
    tried = []
    for time in dict.fromkeys((FEW, middle(timed(unit.example)))):
        if 0 < time < len(timed(unit.example)) and unit.example.ends is not None:
            tried += _apart_at(unit, time)
    return max(tried, default=None)


def _apart_at(unit: Unit, time: int) -> list[tuple[float, str]]:
    """The difference with sequences ended by a timestep; nothing if the model refuses them."""
    ended = shortened(unit.example, time)
    short = cropped(ended, time)
    try:
        padded, alone = read(unit, ended), read(unit, short)
    except Exception:  # of the model's own code, at inputs that it need not know
        return []
    return [apart(*_both(padded, alone, short, extra=len(timed(ended)) - time))]


def _both(
    padded: Outcome, alone: Outcome, short: Example, *, extra: int
) -> tuple[Tensors, Tensors]:
    kept, axis = inside(short), short.time_axis or 0
    expected: Tensors = {}
    found: Tensors = {}
    for one, other, at in (
        (padded.signals(), alone.signals(), 0),
        (padded.outputs, alone.outputs, axis),
    ):
        alike = dict(trimmed(one, other, {extra}))
        expected |= masked(alike, kept, at)
        found |= masked({name: other[name] for name in alike}, kept, at)
    return expected, found


def read_short(unit: Unit, example: Example, time: int) -> Outcome:
    """Reads the first timesteps only, or all where the model reads one number of them only."""
    kept = max(time, FEW)
    if example.ends is None or kept >= len(timed(example)):
        return read(unit, example)
    try:
        return read(unit, cropped(example, kept))
    except Exception:  # of the model's own code; if it is another fault, it comes again
        return read(unit, example)


def trimmed(long: Tensors, short: Tensors, extra: Collection[int]) -> Iterator[tuple[str, Tensor]]:
    """What was found in more timesteps, cut to what there is in fewer.

    Arguments:
        long: What is cut.
        short: What it is cut to.
        extra: How many timesteps there can be more. An axis that is longer by just as many is
            time.

    Yields:
        Name and tensor, of those that can be cut: not of one whose time and rows share an axis.
    """
    for name, values in long.items():
        axes = _longer(values, short.get(name), extra)
        if axes is not None:
            for axis in axes:
                values = values.narrow(axis, 0, short[name].shape[axis])
            yield name, values


def _longer(values: Tensor, other: Tensor | None, extra: Collection[int]) -> list[int] | None:
    """The axes that are longer, if they are so by as many timesteps; None if nothing fits."""
    if other is None or values.dim() != other.dim():
        return None
    sizes = list(zip(values.shape, other.shape, strict=True))
    if any(one != less and one - less not in extra for one, less in sizes):
        return None
    return [axis for axis, (one, less) in enumerate(sizes) if one != less]


@torch.no_grad()
def time_axes(unit: Unit, example: Example) -> dict[str, int]:
    """Which axis of each output is time, an entry for each timestep of the input.

    Arguments:
        unit: To call, with fewer timesteps than there are.
        example: Its sequences, of which there are two timesteps or more.

    Returns:
        By the output's name; without those that have no such axis, or several. Nothing if the
        model reads no other number of timesteps.
    """
    time = len(timed(example))
    try:
        whole, less = read(unit, example), read(unit, cropped(example, time - 1))
    except Exception:  # of the model's own code, at inputs that it need not know
        return {}
    found = {}
    for name, values in whole.outputs.items():
        axes = _longer(values, less.outputs.get(name), {1}) or []
        if len(axes) == 1 and values.shape[axes[0]] == time:
            found[name] = axes[0]
    return found
