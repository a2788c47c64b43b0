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

from cells.fast.functions import elu, elu_slope
from cells.fast.norms import Part
from cells.fast.products import WeightGradients, product
from cells.larnn import LARNNCell
from cells.norms import SMALLEST_BATCH, Norm

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
            self.means, self.squares = window.new_zeros(2, lags + time, 2 * units)
            self.within = window.new_zeros(time, 2 * units)
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
            return centre.repeat(time, 1), scale.repeat(time, 1)
        return centre.expand(time, -1), scale.expand(time, -1)

    def entering(self) -> Callable[[int, Tensor], None]:
        """What makes the entry of the memory of a timestep (before the first: counted from -1)."""
        rooms = self._by_place(self.entries)
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
                self._count(slice(place, place + 1), len(memory))

        return enter

    def _by_place(self, entries: Float[Tensor, "place row two_units"]) -> list[Tensor]:
        """Those of the rows that ran when each was made."""
        rows = [self.batch] * self.lags + list(self.running)
        return [
            entry if n == self.batch else entry[:n]
            for entry, n in zip(entries.unbind(), rows, strict=True)
        ]

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

    def _count(self, places: slice, rows: int) -> None:
        """Mean and sum of squares about it, over the rows, of some entries."""
        # About the first row: memories that are all the same, as at the start, have no variance,
        # and rounding must not give them one to be divided by.
        first = self.entries[places, :1]
        about = self.entries[places, :rows] - first
        mean = about.mean(dim=1, keepdim=True)
        torch.add(first[:, 0], mean[:, 0], out=self.means[places])
        torch.sum(about.sub_(mean).square_(), dim=1, out=self.squares[places])

    def fitter(self) -> Callable[[int], None]:
        """What normalises by the statistics of a window's entries from a timestep on."""
        if not self.fitting:
            return lambda t: None
        means, squares = (
            self.attended(part.unfold(0, self.lags, 1).movedim(-1, 1)[:, :, None].unbind())
            for part in (self.means, self.squares)
        )
        counted, centres, withins, scales = (
            [self.batch], self.centre.unbind(), self.within.unbind(), self.scale.unbind()
        )  # fmt: skip

        def fit(t: int) -> None:
            rows, mean = self.running[t], means[t][:, 0]
            if rows != counted[0]:
                counted[0] = rows
                self._count(self.window(t), rows)
            centre = torch.mean(mean, dim=0, out=centres[t])
            within = torch.sum(squares[t][:, 0], dim=0, out=withins[t])
            within.add_((mean - centre).square_().sum(dim=0), alpha=rows)
            torch.div(within, rows * len(mean), out=scales[t]).add_(self.epsilon).rsqrt_()

        return fit

    def statistics(self) -> dict[str, list[Tensor]]:
        """Count, mean and unbiased variance of each timestep that took its own."""
        if not self.fitting:
            return {}
        own = [t for t, rows in enumerate(self.running) if rows >= SMALLEST_BATCH]
        counts = self.within[: len(own)].clone()
        for t in own:
            counts[t] = self.running[t] * (self.lags - self.reached(t))
        centre, within = self.centre[: len(own)], self.within[: len(own)]  # the last have fewer
        counted = torch.stack([counts, centre, within / (counts - 1)], dim=1)
        names = ("key_statistics", "value_statistics")
        halves = counted.chunk(2, dim=-1)
        return {name: list(half.unbind()) for name, half in zip(names, halves, strict=True)}

    # Backward

    def begin_entries_backward(self) -> None:
        """Room for the gradients of the entries, and for what batch norm sends to all of them."""
        self.d_entries = torch.zeros_like(self.entries)
        if self.fitting:
            self.slopes, self.levels = self.means.new_zeros(2, len(self.running), 2 * self.units)
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
                d_entry += self._from_statistics(slice(first, last + 1), place, len(d_entry))
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
