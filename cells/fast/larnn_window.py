"""LARNN's attention over a whole sequence; the equations are `WindowAttention`'s.

A memory is projected once, when it enters the window, and stands there as an *entry*: its key and
value side by side, normalised but for gain and shift. Those are affine: the keys' gain goes into
the query, the values' gain and shift come out of the weighted sum, and what all slots of a softmax
share falls away. Batch norm's mean and deviation are affine too, but differ at every timestep, and
each step's statistics send gradients to all entries that they were taken over.
"""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from cells.fast.norms import Part
from cells.fast.products import WeightGradients, mapped, product
from cells.fast.sweep import Use
from cells.larnn import LARNNCell
from cells.norms import SMALLEST_BATCH, Norm

if TYPE_CHECKING:
    from cells.fast.larnn import LARNNSweep

__all__ = ["Slots", "elu_backward"]


def elu_backward(gradient: Tensor, elu: Tensor) -> Tensor:
    """The gradient of what went into an ELU, from what came out."""
    found: Tensor = torch.ops.aten.elu_backward(gradient, 1.0, 1.0, 1.0, True, elu)
    return found


def _through_norm(
    gradient: Float[Tensor, "time row two_units"],
    normed: Float[Tensor, "time row two_units"],
    scale: Float[Tensor, "time row half"],
) -> Tensor:
    r"""The gradient of what layer norm read, of either half.

    .. math:: (\delta - \overline{\delta} - \hat x\, \overline{\delta \hat x}) / \sigma
    """
    delta, hat = (values.unflatten(-1, (2, -1)) for values in (gradient, normed))
    along = (delta * hat).mean(dim=-1, keepdim=True)
    found: Tensor = (delta - delta.mean(dim=-1, keepdim=True) - hat * along) * scale[..., None]
    return found.flatten(2)


class Slots(Part):
    """The window's entries, and what attention does with them.

    Arguments:
        cell: For its options and the norms' running statistics.
        fitting: Whether batch statistics are taken, where enough rows run.
        dropping: Dropout on the weights.
    """

    def __init__(self, cell: LARNNCell, *, fitting: bool, dropping: float) -> None:
        attention, options = cell.attention, cell.options
        self.heads, self.units, self.lags = attention.heads, cell.hidden_size, len(cell.lags)
        self.part = self.units // self.heads
        self.linear = options.key_value == "linear"
        self.kind = "none" if self.linear else options.norm
        self.fitting, self.dropping = fitting and self.kind == "batch", dropping
        self.epsilon = cell.memory_norm.epsilon
        norms = attention.norms()
        self.norms: list[Norm] = []
        if self.kind == "batch":
            self.norms = [norms["key_statistics"], norms["value_statistics"]]
        self.gradients: dict[str, Tensor] = {}

    def begin(
        self, sweep: "LARNNSweep", window: Float[Tensor, "lag batch unit"], w: Mapping[str, Tensor]
    ) -> None:
        """Makes room, and the entries of the window before the first timestep.

        Arguments:
            sweep: Whose part this is.
            window: Those memories, the oldest first.
            w: The sweep's weights.
        """
        time, batch, lags, units = sweep.time, sweep.batch, self.lags, self.units
        self.begun, self.running, self.saving = sweep.begun, sweep.running, sweep.saving
        self.to_entry, self.entry_bias = w["to_entry"], w["entry_bias"]
        gains = [w.get(f"{name}_gain", window.new_ones(units)) for name in ("key", "value")]
        self.gain, self.shift = torch.cat(gains), w.get("value_shift", window.new_zeros(units))
        self.gained, self.shifted = "value_gain" in w, "value_shift" in w

        self.entries = sweep.buffer(window, 2 * units, lead=lags)
        if self.kind == "layer":
            if self.saving:
                self.raw = sweep.buffer(window, 2 * units, lead=lags)  # before the norm
        self.kept: list[tuple[Tensor, Tensor]] = []  # layer norm's mean and inverse deviation
        if self.fitting:
            self.means, self.squares = window.new_zeros(2, lags + time, 2 * units)
            self.counted = window.new_zeros(time, 3, 2 * units)
        self.attention = window.new_zeros(time, lags, batch, self.heads)  # the oldest first
        self.used = self.attention
        if self.dropping:
            self.used, self.masks = torch.zeros_like(self.attention), torch.zeros_like(self.used)
        self.gathered = sweep.passing(window, units, needed=sweep.saving)
        self.context = sweep.passing(window, units, needed=sweep.saving or "context" in sweep.keep)
        # Mean and inverse deviation by which entries are taken to be normalised at each timestep.
        self.centre, self.scale = self._constant(window, time)
        if not self.fitting:  # the same at all timesteps
            by = self.gain * self.scale[0]
            self.key_gain, self.value_gain = (
                by[: self.units] / math.sqrt(self.part),
                by[self.units :],
            )
        self._make_room(batch)
        self.rows = batch
        for place in range(lags):
            self.enter(place - lags, window[place])

    def _constant(self, like: Tensor, time: int) -> tuple[Tensor, Tensor]:
        """What entries are normalised by where that is the same at all timesteps."""
        centre, scale = like.new_zeros(2 * self.units), like.new_ones(2 * self.units)
        if self.kind == "batch":
            centre = torch.cat([norm.running_mean for norm in self.norms])
            variance = torch.cat([norm.running_var for norm in self.norms])
            scale = (variance + self.epsilon).rsqrt()
        if self.fitting:
            return centre.repeat(time, 1), scale.repeat(time, 1)
        return centre.expand(time, -1), scale.expand(time, -1)

    def enter(self, t: int, memory: Float[Tensor, "row unit"]) -> None:
        """Makes the entry of the memory of a timestep (before the first: counted down from -1)."""
        place, rows = self.lags + t, len(memory)
        entry = product(memory, self.to_entry).add_(self.entry_bias)
        if not self.linear:
            F.elu_(entry)
        if self.kind == "layer":
            if self.saving:
                self.raw[place, :rows] = entry
            normed, mean, scale = torch.native_layer_norm(
                entry.view(2 * rows, -1), [self.units], None, None, self.epsilon
            )
            if self.saving:
                self.kept.append((mean, scale))
            entry = normed.view(rows, -1)
        self.entries[place, :rows] = entry
        if self.fitting:
            self._count(slice(place, place + 1), rows)

    def _count(self, places: slice, rows: int) -> None:
        """Mean and sum of squares about it, over the rows, of some entries."""
        # About the first row: memories that are all the same, as at the start, have no variance,
        # and rounding must not give them one to be divided by.
        first = self.entries[places, :1]
        about = self.entries[places, :rows] - first
        mean = about.sum(dim=1, keepdim=True).div_(rows)
        self.means[places] = (first + mean)[:, 0]
        self.squares[places] = about.sub_(mean).square_().sum(dim=1)

    def window(self, t: int) -> slice:
        """The places of the entries that a timestep attends; those before hold nothing yet."""
        return slice(self.lags + t - min(self.lags, self.begun + t + 1), self.lags + t)

    def _fit(self, t: int, rows: int) -> None:
        """Normalises by the statistics of the window's entries from here on."""
        places = self.window(t)
        if rows != self.rows:
            self.rows = rows
            self._count(places, rows)
        means = self.means[places]
        centre, count = means.mean(dim=0), rows * len(means)
        squares = self.squares[places].sum(dim=0)
        squares.add_((means - centre).square_().sum(dim=0), alpha=rows)
        self.centre[t] = centre
        torch.add(squares / count, self.epsilon, out=self.scale[t]).rsqrt_()
        self.counted[t, 0], self.counted[t, 1] = count, centre
        torch.div(squares, count - 1, out=self.counted[t, 2])

    def _gains(self, t: int) -> tuple[Tensor, Tensor]:
        """What a timestep multiplies keys by (in the query), and values (in the sum)."""
        if not self.fitting:
            return self.key_gain, self.value_gain
        by = self.gain * self.scale[t]
        return by[: self.units] / math.sqrt(self.part), by[self.units :]

    def _halves(self, t: int, places: slice, rows: int) -> tuple[Tensor, Tensor]:
        """Keys and values `(lag, row, head, part)` of some entries, about their mean.

        The mean of all slots falls away in a softmax and could be taken out of the weighted sum,
        but where all entries are nearly the same that would leave nothing but rounding.
        """
        entries = self.entries[places, :rows]
        if self.kind == "batch":
            entries = entries - self.centre[t]
        by_head = entries.unflatten(-1, (2, self.heads, self.part))
        keys, values = by_head.unbind(dim=2)
        return keys, values

    def attend(self, t: int, query: Float[Tensor, "row unit"]) -> Float[Tensor, "row unit"]:
        """The context of a timestep."""
        rows, places = len(query), self.window(t)
        reached = slice(self.lags - (places.stop - places.start), None)
        if self.fitting and rows >= SMALLEST_BATCH:
            self._fit(t, rows)
        of_keys, of_values = self._gains(t)
        keys, values = self._halves(t, places, rows)
        room, total = self._room[0][reached, :rows], None

        scaled = (query * of_keys).unflatten(-1, (self.heads, self.part))
        scores = torch.mul(keys, scaled, out=room).sum(dim=-1)
        weights = self.attention[t, reached, :rows]
        torch.softmax(scores, dim=0, out=weights)
        if self.dropping:
            ones = query.new_ones(rows, self.heads, self.lags)  # drawn as the step draws it
            mask = self.masks[t, reached, :rows]
            mask.copy_(F.dropout(ones, self.dropping).permute(2, 0, 1).flip(0)[reached])
            weights = torch.mul(weights, mask, out=self.used[t, reached, :rows])
            total = weights.sum(dim=0)[..., None]

        gathered = self.gathered[t, :rows]
        by_head = gathered.unflatten(-1, (self.heads, self.part))
        torch.sum(torch.mul(values, weights[..., None], out=room), dim=0, out=by_head)
        context = gathered * of_values
        if self.shifted:
            if total is None:
                context += self.shift
            else:  # dropped weights do not sum to one
                by_head = context.unflatten(-1, (self.heads, self.part))
                by_head.addcmul_(total, self.shift.view(self.heads, self.part))
        # A copy: a product's last bits can depend on where in memory its factors lie, and so on
        # whether the context is recorded.
        self.context[t, :rows] = context
        return context

    def _make_room(self, batch: int) -> None:
        # Inside a list it is not saved for the backward pass, which makes its own.
        self._room = [self.entries.new_empty(self.lags, batch, self.heads, self.part)]

    def begin_backward(self, *, noting: bool) -> None:
        """Room for the gradients of the entries, and for what batch norm sends to all of them.

        Arguments:
            noting: Whether `uses` will be asked for.
        """
        self.noting, heads = noting, 2 * self.heads
        if noting:
            time, lags, batch, _ = self.attention.shape
            self.shares = self.entries.new_zeros(time, lags, batch, heads)
            self.shared = self.entries.new_zeros(time, batch, heads, self.part)
        self._make_room(self.entries.shape[1])
        self.d_entries = torch.zeros_like(self.entries)
        if self.fitting:
            self.slopes, self.levels = self.means.new_zeros(2, len(self.running), 2 * self.units)
        self.of_entries = WeightGradients()

    def attend_backward(
        self, t: int, d_context: Float[Tensor, "row unit"], query: Float[Tensor, "row unit"]
    ) -> Float[Tensor, "row unit"]:
        """The gradient of a timestep's query; those of the entries are added up."""
        rows, places = len(query), self.window(t)
        reached = slice(self.lags - (places.stop - places.start), None)
        of_keys, of_values = self._gains(t)
        keys, values = self._halves(t, places, rows)
        room, heads = self._room[0][reached, :rows], (self.heads, self.part)
        weights, used = self.attention[t, reached, :rows], self.used[t, reached, :rows]

        to_values = d_context * of_values
        d_weights = torch.mul(values, to_values.unflatten(-1, heads), out=room).sum(dim=-1)
        if self.dropping:
            if self.shifted:  # without dropout the softmax ignores what all slots share
                d_weights += (d_context * self.shift).unflatten(-1, heads).sum(dim=-1)
            d_weights *= self.masks[t, reached, :rows]
        d_scores = torch.ops.aten._softmax_backward_data(d_weights, weights, 0, weights.dtype)
        taken = torch.mul(keys, d_scores[..., None], out=room).sum(dim=0).flatten(1)

        both = torch.cat([query * of_keys, to_values], dim=-1).unflatten(-1, (-1, self.part))
        shares = torch.cat([d_scores, used], dim=-1)[..., None]
        by_head = self.d_entries[places, :rows].unflatten(-1, (-1, self.part))
        by_head.addcmul_(shares, both)
        if self.noting:
            self.shares[t, reached, :rows] = shares[..., 0]
            self.shared[t, :rows] = both
        if self.gained or self.shifted or self.fitting:
            total = used.sum(dim=0)[..., None] if self.dropping else None
            self._learn(t, query * taken, d_context, total)
        return taken.mul_(of_keys)

    def _learn(
        self,
        t: int,
        of_keys: Float[Tensor, "row unit"],
        d_context: Float[Tensor, "row unit"],
        total: Float[Tensor, "row head 1"] | None,
    ) -> None:
        """The gradients of gains and shift, and what a step's own statistics pass on."""
        rows, units = len(d_context), self.units
        by_head = d_context.unflatten(-1, (self.heads, self.part))
        shift = (by_head if total is None else by_head * total).sum(dim=0).flatten()
        value = (d_context * self.gathered[t, :rows]).sum(dim=0)
        gain = torch.cat([of_keys.sum(dim=0).div_(math.sqrt(self.part)), value]).mul_(self.scale[t])
        if self.gained:
            self.add("gain", gain.clone())
        if self.shifted:
            self.add("shift", shift.clone())
        if self.fitting and rows >= SMALLEST_BATCH:
            by = self.gain * self.scale[t] / (rows * (self.window(t).stop - self.window(t).start))
            slope = torch.mul(gain.mul_(by), self.scale[t], out=self.slopes[t]).neg_()
            level = torch.mul(slope, self.centre[t], out=self.levels[t]).neg_()
            level[units:].addcmul_(by[units:], shift, value=-1)

    def leave_backward(self, t: int, rows: int) -> Float[Tensor, "row unit"] | None:
        """The gradient of the memory of a timestep, from all that attended its entry."""
        place = self.lags + t
        first, last = max(0, t + 1), min(t + self.lags, len(self.running) - 1)
        if first > last or place < self.lags - 1 - self.begun:
            return None
        d_entry = self.d_entries[place, :rows]
        if self.fitting:
            d_entry += self._from_statistics(slice(first, last + 1), place, rows)
        elu, found = self.entries[place, :rows], d_entry
        if self.kind == "layer":
            elu, halves = self.raw[place, :rows], (2 * rows, -1)
            mean, scale = self.kept[place]
            found, _, _ = torch.ops.aten.native_layer_norm_backward(
                d_entry.view(halves), elu.view(halves), [self.units], mean, scale, None, None,
                [True, False, False],
            )  # fmt: skip
            found = found.view(rows, -1)
        if not self.linear:
            found = elu_backward(found, elu)
        self.d_entries[place, :rows] = found
        return product(found, self.to_entry.t())

    def uses(self, start: int, end: int) -> Iterator[Use]:
        """The gradients of the memories in some timesteps' windows, as keys and as values."""
        scale = self._scales() if self.kind == "layer" else None
        for lag in range(1, self.lags + 1):
            places = slice(self.lags + start - lag, self.lags + end - lag)
            shares = self.shares[start:end, self.lags - lag, ..., None]
            found = (shares * self.shared[start:end]).flatten(2)
            if scale is not None:
                found = _through_norm(found, self.entries[places], scale[places])
            if not self.linear:
                found = elu_backward(found, (self.entries if scale is None else self.raw)[places])
            keys, values = found.split(self.units, dim=-1)
            yield Use("attention_key", lag, lag, mapped(keys, self.to_entry[: self.units]))
            yield Use("attention_value", lag, lag, mapped(values, self.to_entry[self.units :]))

    def _scales(self) -> Float[Tensor, "place row half"]:
        """Layer norm's inverse deviation of every entry."""
        scales = self.entries.new_zeros(*self.entries.shape[:2], 2)
        for place, (_, scale) in enumerate(self.kept):
            rows = len(scale) // 2
            scales[place, :rows] = scale.view(rows, 2)
        return scales

    def _from_statistics(self, steps: slice, place: int, rows: int) -> Tensor:
        """What an entry receives as one of many that mean and deviation were taken over."""
        running = self.running[steps]
        entries = self.entries[place, :rows]
        level: Tensor = self.levels[steps].sum(dim=0)
        slope: Tensor = self.slopes[steps].sum(dim=0)
        if running[-1] < rows:  # a row that has ended was not counted
            row = torch.arange(rows, device=entries.device)[:, None]
            counted = (row < torch.tensor(running, device=entries.device)).to(entries.dtype)
            level, slope = counted @ self.levels[steps], counted @ self.slopes[steps]
        return torch.addcmul(level, slope, entries)

    def learn_entries(self, places: slice, memories: Float[Tensor, "time batch unit"]) -> None:
        """The gradients of the maps to the entries of these places."""
        self.of_entries.add(self.d_entries[places], memories)

    def learned(self) -> dict[str, Tensor]:
        """The gradients of all weights, by the sweep's names."""
        found = self.of_entries.named("to_entry", "entry_bias")
        if "gain" in self.gradients:
            found["key_gain"], found["value_gain"] = self.gradients["gain"].chunk(2)
        if "shift" in self.gradients:
            found["value_shift"] = self.gradients["shift"]
        return found

    def statistics(self) -> dict[str, list[Tensor]]:
        """Count, mean and unbiased variance of each timestep that took its own."""
        if not self.fitting:
            return {}
        own = [t for t, rows in enumerate(self.running) if rows >= SMALLEST_BATCH]
        halves = self.counted.chunk(2, dim=-1)
        names = ("key_statistics", "value_statistics")
        return {name: [half[t] for t in own] for name, half in zip(names, halves, strict=True)}

    def nearest_first(self, weights: Tensor) -> Float[Tensor, "time batch head lag"]:
        """Weights as the readout has them."""
        by_head: Tensor = weights.permute(0, 2, 3, 1)
        return by_head.flip(-1)

    def contribution(
        self, output: Float[Tensor, "unit unit"]
    ) -> Float[Tensor, "time batch head lag"]:
        """The norm of what each slot adds to the output map, ‖α W_O V‖."""
        maps = output.view(self.units, self.heads, -1).permute(1, 2, 0)
        gram, time = maps @ maps.transpose(1, 2), len(self.running)
        if self.fitting:
            windows = torch.stack(
                [self._sizes(t, slice(t, t + self.lags), gram) for t in range(time)]
            )
        else:
            sizes = self._sizes(0, slice(None), gram)
            windows = torch.stack([sizes[t : t + self.lags] for t in range(time)])
        return self.nearest_first(self.used.abs() * windows)

    def _sizes(
        self, t: int, places: slice, gram: Float[Tensor, "head part part"]
    ) -> Float[Tensor, "lag batch head"]:
        """‖W_O V‖ of some entries, as a timestep normalises them."""
        _, values = self._halves(t, places, self.entries.shape[1])
        _, of_values = self._gains(t)
        heads = (self.heads, self.part)
        values = torch.addcmul(self.shift.view(heads), values, of_values.view(heads))
        by_head = values.permute(2, 0, 1, 3).flatten(1, 2)
        squares = (by_head @ gram * by_head).sum(dim=-1)
        return squares.clamp_min(0).sqrt().view(self.heads, *values.shape[:2]).permute(1, 2, 0)
