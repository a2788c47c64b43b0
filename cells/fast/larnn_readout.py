"""What LARNN's attention over a whole sequence shows: weights, contributions, uses of memories."""

import itertools
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from cells.fast.functions import elu_slope
from cells.fast.larnn_window import Slots
from cells.fast.products import mapped, product
from cells.fast.sweep import PIECE, Use

__all__ = ["contribution", "nearest_first", "slot_uses"]


def nearest_first(
    weights: Float[Tensor, "time lag batch head"],
) -> Float[Tensor, "time batch head lag"]:
    """Weights as the readout has them."""
    by_head: Tensor = weights.permute(0, 2, 3, 1)
    return by_head.flip(-1)


def contribution(
    slots: Slots, output: Float[Tensor, "unit unit"]
) -> Float[Tensor, "time batch head lag"]:
    """The norm of what each slot adds to the output map, ‖α W_O V‖.

    Arguments:
        slots: After a forward pass.
        output: The map from what is attended.
    """
    maps = output.view(slots.units, slots.heads, -1).permute(1, 2, 0)
    gram = maps @ maps.transpose(1, 2)
    windows = (_sizes_fitted if slots.fitting else _sizes)(slots, gram)
    return nearest_first(slots.used.abs() * windows)


def _sizes(
    slots: Slots, gram: Float[Tensor, "head part part"]
) -> Float[Tensor, "time lag row head"]:
    """‖W_O V‖ of the entries of all windows, normalised alike at all timesteps."""
    units, time = slots.units, len(slots.running)
    values, gain = slots.entries[:, :, units:], slots.value_gain * slots.scale[0, units:]
    if slots.kind == "batch":
        values = values - slots.centre[0, units:]
    values = torch.addcmul(slots.value_shift, values, gain)
    by_head = slots.by_head(values).permute(2, 0, 1, 3).flatten(1, 2)
    squares = (by_head @ gram).mul_(by_head).sum(dim=-1).view(-1, *values.shape[:2])
    sizes = squares.clamp_min_(0).sqrt_().permute(1, 2, 0)
    return sizes.unfold(0, slots.lags, 1)[:time].movedim(-1, 1)


def _sizes_fitted(
    slots: Slots, gram: Float[Tensor, "head part part"]
) -> Float[Tensor, "time lag row head"]:
    """The same, as each timestep normalises its window: by its own mean and deviation."""
    units, lags, time, part = slots.units, slots.lags, len(slots.running), slots.part
    entries = slots.by_head(slots.entries[:, :, units:]).permute(2, 0, 1, 3).contiguous()
    windows = entries.unfold(1, lags, 1).movedim(-1, 2)[:, :time]
    gains = slots.scale[:, units:] * slots.value_gain
    offsets = slots.value_shift - slots.centre[:, units:] * gains
    gains, offsets = (
        values.view(time, slots.heads, 1, 1, part).transpose(0, 1) for values in (gains, offsets)
    )
    squares = entries.new_empty(windows.shape[:-1])
    size = max(1, PIECE // windows[0, 0].numel())
    room = entries.new_empty(size, *windows.shape[2:])
    for head, start in itertools.product(range(slots.heads), range(0, time, size)):
        piece = slice(start, start + size)
        window, gain = windows[head, piece], gains[head, piece]
        values = torch.addcmul(offsets[head, piece], window, gain, out=room[: len(window)])
        by_gram = product(values.view(-1, part), gram[head]).view_as(values)
        torch.sum(by_gram.mul_(values), dim=-1, out=squares[head, piece])
    sizes: Tensor = squares.clamp_min_(0).sqrt_().permute(1, 2, 3, 0)
    return sizes


def slot_uses(slots: Slots, start: int, end: int) -> Iterator[Use]:
    """The gradients of the memories in some timesteps' windows, as keys and as values.

    Arguments:
        slots: After a backward pass that noted.
        start: The first timestep.
        end: The one after the last.
    """
    scale = _scales(slots) if slots.kind == "layer" else None
    halves = (
        ("attention_key", slots.d_scores, slots.queries),
        ("attention_value", slots.used, slots.to_values),
    )
    for lag in range(1, slots.lags + 1):
        places = slice(slots.lags + start - lag, slots.lags + end - lag)
        for half, (name, weights, shared) in enumerate(halves):
            units = slice(half * slots.units, (half + 1) * slots.units)
            share = weights[start:end, slots.lags - lag, ..., None]
            by_head = shared[start:end].unflatten(-1, (slots.heads, slots.part))
            found, results = (share * by_head).flatten(2), slots.entries[places, :, units]
            if scale is not None:
                found = _through_norm(found, results, scale[places, :, half, None])
                results = slots.raw[places, :, units]
            if not slots.linear:
                found = elu_slope(found, results, out=found)
            yield Use(name, lag, lag, mapped(found, slots.to_entry[units]))


def _scales(slots: Slots) -> Float[Tensor, "place row half"]:
    """Layer norm's inverse deviation of every entry."""
    scales = slots.entries.new_zeros(*slots.entries.shape[:2], 2)
    for place, (_, scale) in enumerate(slots.kept, start=slots.first):
        rows = len(scale) // 2
        scales[place, :rows] = scale.view(rows, 2)
    return scales


def _through_norm(
    delta: Float[Tensor, "time row unit"],
    normed: Float[Tensor, "time row unit"],
    scale: Float[Tensor, "time row 1"],
) -> Float[Tensor, "time row unit"]:
    r"""The gradient of what layer norm read.

    .. math:: (\delta - \overline{\delta} - \hat x\, \overline{\delta \hat x}) / \sigma
    """
    along = (delta * normed).mean(dim=-1, keepdim=True)
    delta -= delta.mean(dim=-1, keepdim=True)
    return delta.addcmul_(normed, along, value=-1).mul_(scale)
