"""LARNN's attention over a whole sequence; the equations are `WindowAttention`'s."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from cells.fast.functions import by_step, running_rows, softmax_slope
from cells.fast.larnn_entries import Entries
from cells.larnn import LARNNCell

if TYPE_CHECKING:
    from cells.fast.larnn import LARNNSweep

__all__ = ["Slots"]


class Slots(Entries):
    """The window's entries, and what attention does with them.

    Arguments:
        cell: For its options.
        fitting: Whether batch statistics are taken, where enough rows run.
        dropping: Dropout on the weights.
    """

    def __init__(self, cell: LARNNCell, *, fitting: bool, dropping: float) -> None:
        super().__init__(cell, fitting=fitting)
        self.dropping = dropping

    def begin(
        self, sweep: "LARNNSweep", window: Float[Tensor, "lag batch unit"], w: Mapping[str, Tensor]
    ) -> None:
        """Makes room, and the entries of the window before the first timestep."""
        super().begin(sweep, window, w)
        time, batch, lags = sweep.time, sweep.batch, self.lags
        self.key_gain = w["key_gain"]
        self.gained = "value_gain" in w
        self.value_gain = w.get("value_gain", window.new_ones(self.units))
        self.value_shift = w.get("value_shift", window.new_zeros(self.units))
        self.attention = window.new_zeros(time, lags, batch, self.heads)  # the oldest first
        self.used = torch.zeros_like(self.attention) if self.dropping else self.attention
        # Σ α V without scale, gain and shift, and with them. Always in a buffer: a product's last
        # bits can depend on where in memory its factors lie, and so on whether it is recorded.
        self.gathered, self.context = (sweep.buffer(window, self.units) for _ in range(2))
        if self.dropping:  # as the step draws it, the nearest lag first
            self.masks = window.new_zeros(time, batch, self.heads, lags)

    def order_masks(self) -> None:
        """Puts what was drawn into the order of windows."""
        if self.dropping:
            self.masks = self.masks.flip(-1).permute(0, 3, 1, 2).contiguous()

    def _masks(self) -> list[Tensor]:
        return self.attended(self.masks.unbind()) if self.dropping else []

    def by_head(self, units: Float[Tensor, "time row unit"]) -> Float[Tensor, "time row head part"]:
        """The same numbers, the heads apart."""
        by_head: Tensor = units.unflatten(-1, (self.heads, self.part))
        return by_head

    def _rooms(self) -> list[Tensor]:
        """Room for a window, the same for all timesteps."""
        room = self.entries.new_empty(self.lags, self.batch, self.heads, self.part)
        return self.attended([room] * len(self.running))

    def attending(self, queries: list[Tensor]) -> Callable[[int], Tensor]:
        """What gives what a timestep gathers, one after the other.

        Arguments:
            queries: Of each timestep, `(row, head, part)`, there when it is asked for.
        """
        keys, values = self.windows(self.entries)
        alphas, useds = (self.attended(w.unbind()) for w in (self.attention, self.used))
        masks, rooms, running, fit = self._masks(), self._rooms(), self.running, self.fitter()
        gathered, contexts = (
            running_rows(self.by_head(buffer), running) for buffer in (self.gathered, self.context)
        )
        centres, scales = (
            part.unflatten(-1, (2, self.heads, self.part)).unbind()
            for part in (self.centre, self.scale)
        )
        heads = (self.heads, self.part)
        shift = self.value_shift.view(heads)
        gains = torch.stack([self.key_gain, self.value_gain]).view(2, *heads)
        of_keys, of_values = gains * scales[0]

        def attend(t: int) -> Tensor:
            rows, room = running[t], rooms[t]
            by_keys, by_values = of_keys, of_values
            if t < self.own_steps:
                fit(t)
                by_keys, by_values = gains * scales[t]
            scores = torch.mul(keys[t], queries[t] * by_keys, out=room).sum(dim=-1)
            weights = torch.softmax(scores, 0, out=alphas[t])
            if self.dropping:
                weights = torch.mul(weights, masks[t], out=useds[t])
            value = values[t]
            if self.kind == "batch":
                # The mean could be taken out of the sum, but where all entries are nearly the same
                # that would leave nothing but rounding.
                value = torch.sub(value, centres[t][1], out=room)
            torch.mul(value, weights.unsqueeze(-1), out=room)
            found = torch.sum(room, 0, out=gathered[t])
            if self.dropping:  # dropped weights do not sum to one
                total = weights.sum(dim=0).unsqueeze(-1)
                torch.mul(shift, total, out=contexts[t]).addcmul_(found, by_values)
            else:
                torch.mul(found, by_values, out=contexts[t]).add_(shift)
            return contexts[t].view(rows, self.units)

        return attend

    def of_keys(self, start: int, end: int) -> Float[Tensor, "time 1 unit"]:
        """What some timesteps multiply keys by, in the query."""
        return (self.key_gain * self.scale[start:end, : self.units])[:, None]

    def begin_backward(self, *, noting: bool) -> None:
        """Room for gradients.

        Arguments:
            noting: Whether `slot_uses` will be asked for.
        """
        self.begin_entries_backward()
        self.noting = noting
        if noting:
            self.d_scores = torch.zeros_like(self.attention)
            time, _, batch, _ = self.attention.shape
            self.queries, self.to_values = self.entries.new_zeros(2, time, batch, self.units)

    def attending_backward(self) -> Callable[[int, Tensor, Tensor, Tensor], None]:
        """What adds up the gradients of the entries that a timestep attended.

        It takes the timestep, the gradient of its context, and by head the query as it met the keys
        and room for the gradient of that query.
        """
        keys, values = self.windows(self.entries)
        d_keys, d_values = self.windows(self.d_entries)
        oldest = self.d_entries.unbind()
        alphas, useds = (self.attended(w.unbind()) for w in (self.attention, self.used))
        masks, rooms = self._masks(), self._rooms()
        gains = self.value_gain * self.scale[:, self.units :]
        # What the weights of a slot are worth whatever stands in it; without dropout the softmax
        # ignores it.
        common = (self.value_shift - gains * self.centre[:, self.units :]).unbind()
        shared = self.dropping and (self.gained or self.kind == "batch")
        of_values, to_statistics = gains.unbind(), self._statistics_backward()

        def back(t: int, d_context: Tensor, query: Tensor, out: Tensor) -> None:
            rows, room = len(query), rooms[t]
            oldest[t].zero_()  # no later timestep attended it
            to_values = (d_context * of_values[t]).view(query.shape)
            d_weights = torch.mul(values[t], to_values, out=room).sum(dim=-1)
            if shared:
                d_weights += (d_context * common[t]).view(query.shape).sum(dim=-1)
            if self.dropping:
                d_weights *= masks[t]
            d_scores = softmax_slope(d_weights, alphas[t], axis=0)
            shares = d_scores.unsqueeze(-1)
            torch.sum(torch.mul(keys[t], shares, out=room), 0, out=out)
            d_keys[t].addcmul_(shares, query)
            d_values[t].addcmul_(useds[t].unsqueeze(-1), to_values)
            if t < self.own_steps:
                to_statistics(t, query, out, to_values)
            if self.noting:
                self.d_scores[t, self.reached(t) :, :rows] = d_scores
                self.queries[t, :rows] = query.flatten(1)
                self.to_values[t, :rows] = to_values.flatten(1)

        return back

    def _statistics_backward(self) -> Callable[[int, Tensor, Tensor, Tensor], None]:
        r"""What notes what the mean μ and deviation 1/s of a step's n entries pass on to each.

        .. math:: -\frac{s^2}{n} \sum (e - \mu)\, \lambda^e \; (e - \mu) - \frac1n \sum \lambda^e

        with the gradient :math:`\lambda^e` that reaches an entry e while μ and s are held. That of
        keys sums to zero, as the softmax's does.

        It takes the timestep, the query as it met the keys and its gradient, and the gradient of
        the sum over values.
        """
        if not self.fitting:
            return lambda t, query, d_query, d_sum: None
        units, counts = self.units, self.counts()
        # Not the square first: where entries are all the same it is too large for half precision.
        factors = self.scale / by_step(self.scale, counts)[:, None] * -self.scale
        factor, against = factors.unbind(), self.centre.neg().unbind()
        slopes, levels = (part.unbind() for part in self.from_statistics.unbind(dim=1))
        of_values = [level[units:] for level in levels]
        gathered = running_rows(self.by_head(self.gathered), self.running)
        totals: list[Tensor] = []
        if self.dropping:
            totals = running_rows(self.used.sum(dim=1)[..., None], self.running)
        room = self.gathered.new_empty(3, self.batch, units)
        rooms = {n: (room[:, :n], *self.by_head(room)[:, :n].unbind()) for n in set(self.running)}

        def note(t: int, query: Tensor, d_query: Tensor, d_sum: Tensor) -> None:
            room, by_keys, by_values, by_level = rooms[len(query)]
            torch.mul(query, d_query, out=by_keys)
            torch.mul(d_sum, gathered[t], out=by_values)
            if self.dropping:
                torch.mul(d_sum, totals[t], out=by_level)
            else:
                by_level.copy_(d_sum)
            found = room.sum(dim=1)
            slope = torch.mul(found[:2].flatten(), factor[t], out=slopes[t])
            torch.mul(slope, against[t], out=levels[t])
            of_values[t].sub_(found[2], alpha=1 / counts[t])

        return note

    def learn(
        self,
        start: int,
        d_context: Float[Tensor, "time batch unit"],
        query: Float[Tensor, "time batch unit"],
        taken: Float[Tensor, "time batch unit"],
    ) -> None:
        """The gradients of gains and shift by the timesteps of a piece.

        Arguments:
            start: Its first timestep.
            d_context: The gradients of what was attended.
            query: As computed.
            taken: The gradients of the queries as they met the keys.
        """
        end = start + len(query)
        of_keys, of_values = self.scale[start:end].chunk(2, dim=-1)
        self.add("key_gain", ((query * taken).sum(dim=1) * of_keys).sum(dim=0))
        if not self.gained:
            return
        by_value = (d_context * self.gathered[start:end]).sum(dim=1)
        self.add("value_gain", (by_value * of_values).sum(dim=0))
        if self.dropping:
            totals = self.used[start:end].sum(dim=1)
            d_context = d_context * totals.repeat_interleave(self.part, dim=-1)
        self.add("value_shift", d_context.sum(dim=(0, 1)))
