"""LARNN's attention over a whole sequence; the equations are `WindowAttention`'s."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from cells.fast.functions import softmax_slope
from cells.fast.larnn_entries import Entries
from cells.larnn import LARNNCell
from cells.norms import SMALLEST_BATCH

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
        if self.dropping:
            self.drawn = window.new_zeros(time, batch, self.heads, lags)

    def drawing(self) -> Callable[[int], None]:
        """What draws what is dropped at a timestep, as the step draws it."""
        if not self.dropping:
            return lambda t: None
        ones, drawn = torch.ones_like(self.drawn[0]), self.drawn.unbind()

        def draw(t: int) -> None:
            rows = self.running[t]
            drawn[t][:rows] = F.dropout(ones[:rows], self.dropping)

        return draw

    def _masks(self) -> list[Tensor]:
        if not self.dropping:
            return []
        return self.attended(self.drawn.permute(0, 3, 1, 2).flip(1).contiguous().unbind())

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
            [rows[:n] for rows, n in zip(self.by_head(b).unbind(), running, strict=True)]
            for b in (self.gathered, self.context)
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
            if self.fitting and rows >= SMALLEST_BATCH:
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
        alphas, useds = (self.attended(w.unbind()) for w in (self.attention, self.used))
        masks, rooms = self._masks(), self._rooms()
        centres = self.centre[:, self.units :].unbind()
        of_values = (self.value_gain * self.scale[:, self.units :]).unbind()

        def back(t: int, d_context: Tensor, query: Tensor, out: Tensor) -> None:
            rows, room = len(query), rooms[t]
            to_values = (d_context * of_values[t]).view(query.shape)
            d_weights = torch.mul(values[t], to_values, out=room).sum(dim=-1)
            if self.dropping:  # otherwise the softmax ignores what all slots share
                if self.kind == "batch":
                    d_weights -= (to_values * centres[t].view(query.shape[1:])).sum(dim=-1)
                if self.gained:
                    d_weights += (d_context * self.value_shift).view(query.shape).sum(dim=-1)
                d_weights *= masks[t]
            d_scores = softmax_slope(d_weights, alphas[t], axis=0)
            shares = d_scores.unsqueeze(-1)
            torch.sum(torch.mul(keys[t], shares, out=room), 0, out=out)
            d_keys[t].addcmul_(shares, query)
            d_values[t].addcmul_(useds[t].unsqueeze(-1), to_values)
            if self.fitting and rows >= SMALLEST_BATCH:
                self._back_to_statistics(t, query * out, d_context, to_values)
            if self.noting:
                self.d_scores[t, self.reached(t) :, :rows] = d_scores
                self.queries[t, :rows] = query.flatten(1)
                self.to_values[t, :rows] = to_values.flatten(1)

        return back

    def _back_to_statistics(
        self, t: int, of_keys: Tensor, d_context: Tensor, to_values: Tensor
    ) -> None:
        r"""What the mean μ and deviation 1/s of a step's n entries pass on to each of them.

        .. math:: -\frac{s^2}{n} \sum (e - \mu)\, \lambda^e \; (e - \mu) - \frac1n \sum \lambda^e
        """
        rows, units = len(d_context), self.units
        of_values = (d_context * self.gathered[t, :rows]).sum(dim=0)
        of_values *= self.value_gain * self.scale[t, units:]
        along = torch.cat([of_keys.flatten(1).sum(dim=0), of_values])
        count = rows * (self.lags - self.reached(t))
        slope = torch.mul(along, self.scale[t], out=self.slopes[t])
        slope.mul_(self.scale[t]).div_(-count)
        level = torch.mul(slope, self.centre[t], out=self.levels[t]).neg_()
        if self.dropping:
            total = self.used[t, :, :rows].sum(dim=0)[..., None]
            to_values = to_values * total
        level[units:].sub_(to_values.sum(dim=0).flatten(), alpha=1 / count)

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
