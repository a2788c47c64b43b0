"""LARNN's memories as attention reads them: each made an *entry* once, when it enters the window.

An entry is a memory's key and value side by side, normalised but for gain and shift. Those are
affine: the keys' gain goes into the query, the values' gain and shift into the output map. Batch
norm's mean and deviation are affine too, but differ at every timestep, and each step's statistics
send gradients to all entries that they were taken over.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from cells.fast.functions import by_step, elu, elu_slope, running_rows
from cells.fast.norms import Part
from cells.fast.products import WeightGradients, product
from cells.larnn import LARNNCell
from cells.norms import Norm

if TYPE_CHECKING:
    from cells.fast.larnn import LARNNSweep

__all__ = ["Entries"]


class Entries(Part):
    """The entries of all memories, in the order of time, those before the first timestep in front.

    Arguments:
        cell: For its options and the norms' running statistics.
        fitting: Whether batch statistics are taken, where enough rows run.
    """

    def __init__(self, cell: LARNNCell, *, fitting: bool) -> None:
        attention, options = cell.attention, cell.options
        self.heads, self.units, self.lags = attention.heads, cell.hidden_size, len(cell.lags)
        self.part = self.units // self.heads
        self.linear = options.key_value == "linear"
        self.kind = "none" if self.linear else options.norm
        self.fitting = fitting and self.kind == "batch"
        self.epsilon = cell.memory_norm.epsilon
        norms = attention.norms()
        self.norms: list[Norm] = []
        if self.kind == "batch":
            self.norms = [norms["key_statistics"], norms["value_statistics"]]

    def begin(
        self, sweep: "LARNNSweep", window: Float[Tensor, "lag batch unit"], w: Mapping[str, Tensor]
    ) -> None:
        """Makes room, and the entries of the window before the first timestep.

        Arguments:
            sweep: Whose part this is.
            window: Those memories, the oldest first.
            w: The sweep's weights.
        """
        time, lags, units = sweep.time, self.lags, self.units
        self.running, self.saving = sweep.running, sweep.saving
        self.own_steps = sweep.own_steps if self.fitting else 0
        self.begun, self.first = sweep.begun, max(0, lags - sweep.begun - 1)
        self.to_entry, self.entry_bias = w["to_entry"], w["entry_bias"]
        self.entries = sweep.buffer(window, 2 * units, lead=lags)
        self.entries[: self.first] = 0  # nothing stood there
        if self.kind == "layer" and self.saving:
            self.raw = sweep.buffer(window, 2 * units, lead=lags)  # before the norm
            self.raw[: self.first] = 0
        # Layer norm's mean and inverse deviation, from the first entry on.
        self.kept: list[tuple[Tensor, Tensor]] = []
        if self.fitting:
            # Of each entry over its rows, and of each window over its entries and their rows.
            self.means, self.variances = window.new_zeros(2, lags + time, 2 * units)
            self.variance = window.new_zeros(time, 2 * units)
        # Mean and inverse deviation by which entries are taken to be normalised at each timestep.
        self.centre, self.scale = self._constant(window, time)
        self.batch = sweep.batch
        enter = self.entering()
        for place in range(self.first, lags):
            enter(place - lags, window[place])

    def _constant(self, like: Tensor, time: int) -> tuple[Tensor, Tensor]:
        """What entries are normalised by where that is the same at all timesteps."""
        centre, scale = like.new_zeros(2 * self.units), like.new_ones(2 * self.units)
        if self.kind == "batch":
            centre = torch.cat([norm.running_mean for norm in self.norms])
            variance = torch.cat([norm.running_var for norm in self.norms])
            scale = (variance + self.epsilon).rsqrt()
        if self.fitting:
            centre, scale = centre.repeat(time, 1), scale.repeat(time, 1)
            centre[: self.own_steps] = 0  # theirs is added to nought times what stands here
            return centre, scale
        return centre.expand(time, -1), scale.expand(time, -1)

    def entering(self) -> Callable[[int, Tensor], None]:
        """What makes the entry of the memory of a timestep (before the first: counted from -1)."""
        rooms, count = self._by_place(self.entries), self._counting()
        raws = self._by_place(self.raw) if self.kind == "layer" and self.saving else None

        def enter(t: int, memory: Tensor) -> None:
            place = self.lags + t
            entry, room = product(memory, self.to_entry, self.entry_bias), rooms[place]
            if self.linear:
                room.copy_(entry)
            elif self.kind == "layer":
                raw = elu(entry, out=entry if raws is None else raws[place])
                halves = raw.view(-1, self.units)
                normed, mean, scale = torch.native_layer_norm(
                    halves, [self.units], None, None, self.epsilon
                )
                if self.saving:
                    self.kept.append((mean, scale))
                room.copy_(normed.view_as(entry))
            else:
                elu(entry, out=room)
            if self.fitting:
                count(place, room)

        return enter

    def _by_place(self, entries: Float[Tensor, "place row two_units"]) -> list[Tensor]:
        """Those of the rows that ran when each was made."""
        return running_rows(entries, [self.batch] * self.lags + list(self.running))

    def reached(self, t: int) -> int:
        """How many of the window's oldest places hold nothing yet at a timestep."""
        return max(0, self.first - t)

    def window(self, t: int) -> slice:
        """The places of the entries that a timestep attends."""
        return slice(t + self.reached(t), t + self.lags)

    def windows(self, entries: Float[Tensor, "place row two_units"]) -> list[list[Tensor]]:
        """Of keys and of values, each timestep's window `(lag, row, head, part)`."""
        halves = entries.view(*entries.shape[:2], 2, self.heads, self.part).unbind(dim=2)
        views = (half.unfold(0, self.lags, 1).movedim(-1, 1).unbind() for half in halves)
        return [self.attended(of_half) for of_half in views]

    def attended(self, windows: Sequence[Float[Tensor, "lag row *part"]]) -> list[Tensor]:
        """Of the window of each timestep, the slots that it reaches, of the running rows."""
        return [
            window if n == self.batch and t >= self.first else window[self.reached(t) :, :n]
            for t, (window, n) in enumerate(zip(windows, self.running, strict=False))
        ]

    # Batch statistics

    def _counting(self) -> Callable[[int, Tensor], None]:
        """What takes mean and variance over the rows of the entry of a place."""
        if not self.fitting:
            return lambda place, rows: None
        means, variances = self.means.unbind(), self.variances.unbind()

        def count(place: int, rows: Tensor) -> None:
            # With a momentum of one they are written over these two.
            torch.batch_norm_update_stats(rows, means[place], variances[place], 1.0)

        return count

    def fitter(self) -> Callable[[int], None]:
        r"""What normalises by the statistics of a window's entries from a timestep on.

        .. math:: \mu = \frac1k \sum_j \mu_j, \qquad \sigma^2 = \frac1k \sum_j (\mu_j - \mu)^2
            + \frac{n - 1}{k\,n} \sum_j s_j^2

        with the mean :math:`\mu_j` and the unbiased variance :math:`s_j^2` of each of k entries
        over n rows.
        """
        if not self.fitting:
            return lambda t: None
        means, variances = (
            self.attended(part.unfold(0, self.lags, 1).movedim(-1, 1)[:, :, None].unbind())
            for part in (self.means, self.variances)
        )
        count, counted = self._counting(), [self.batch]
        centres, found, scales = self.centre.unbind(), self.variance.unbind(), self.scale.unbind()
        between = self.means.new_empty(2 * self.units)  # unbiased, which nobody reads

        def fit(t: int) -> None:
            rows, mean = self.running[t], means[t][:, 0]
            if rows != counted[0]:
                counted[0] = rows
                for place in range(self.lags + t)[self.window(t)]:
                    count(place, self.entries[place, :rows])
            _, apart = torch.batch_norm_update_stats(mean, centres[t], between, 1.0)
            within = variances[t][:, 0].sum(dim=0)
            torch.add(apart, within, alpha=(rows - 1) / (rows * len(mean)), out=found[t])
            torch.add(found[t], self.epsilon, out=scales[t]).rsqrt_()

        return fit

    def statistics(self) -> dict[str, list[Tensor]]:
        """Count, mean and unbiased variance of each timestep that took its own."""
        if not self.fitting:
            return {}
        own = slice(self.own_steps)
        counts = by_step(self.centre, self.counts()[own])[:, None]
        unbiased = self.variance[own] * (counts / (counts - 1))
        counted = torch.stack([counts.expand_as(unbiased), self.centre[own], unbiased], dim=1)
        names = ("key_statistics", "value_statistics")
        halves = counted.chunk(2, dim=-1)
        return {name: list(half.unbind()) for name, half in zip(names, halves, strict=True)}

    def counts(self) -> list[int]:
        """How many entries each timestep attends, all rows counted."""
        return [rows * (self.lags - self.reached(t)) for t, rows in enumerate(self.running)]

    # Backward

    def begin_entries_backward(self) -> None:
        """Room for the gradients of the entries, and for what batch norm sends to all of them."""
        self.d_entries = torch.empty_like(self.entries)
        self.d_entries[len(self.running) :] = 0  # the others when a timestep comes by
        if self.fitting:
            # By which each of a window's entries is multiplied, and what is added to it.
            self.from_statistics = self.means.new_zeros(len(self.running), 2, 2 * self.units)
        self.of_entries = WeightGradients()

    def leaving_backward(self) -> Callable[[int], Tensor | None]:
        """What gives the gradient of the memory of a timestep, from all that attended its entry."""
        gradients = self._by_place(self.d_entries)
        results = self._by_place(self.raw if self.kind == "layer" else self.entries)
        latest, from_entry = len(self.running) - 1, self.to_entry.t()

        def leave(t: int) -> Tensor | None:
            place = self.lags + t
            first, last = max(0, t + 1), min(t + self.lags, latest)
            if first > last or place < self.first:
                return None
            d_entry, result = gradients[place], results[place]
            if self.fitting:
                self._add_statistics(slice(first, last + 1), place, d_entry)
            found = d_entry
            if self.kind == "layer":
                mean, scale = self.kept[place - self.first]
                found, _, _ = torch.ops.aten.native_layer_norm_backward(
                    d_entry.view(-1, self.units), result.view(-1, self.units), [self.units], mean,
                    scale, None, None, [True, False, False],
                )  # fmt: skip
                found = found.view_as(d_entry)
            if not self.linear:
                found = elu_slope(found, result, out=d_entry)
            return product(found, from_entry)

        return leave

    def _add_statistics(self, steps: slice, place: int, d_entry: Tensor) -> None:
        """Adds what an entry receives as one of many that mean and deviation were taken over."""
        running, rows = self.running[steps], len(d_entry)
        entries, sent = self.entries[place, :rows], self.from_statistics[steps]
        if running[-1] == rows:
            slope, level = sent.sum(dim=0)
        else:  # a row that has ended was not counted
            row = torch.arange(rows, device=entries.device)[:, None]
            counted = (row < torch.tensor(running, device=entries.device)).to(entries.dtype)
            slope, level = counted @ sent[:, 0], counted @ sent[:, 1]
        d_entry.addcmul_(entries, slope).add_(level)

    def learn_entries(self, places: slice, memories: Float[Tensor, "time batch unit"]) -> None:
        """The gradients of the maps to the entries of these places."""
        self.of_entries.add(self.d_entries[places], memories)
