"""Back through a LARNN's timesteps: what a sweep does at every one, and for a piece at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from cells.fast.functions import elu_slope
from cells.fast.gates import GateDeltas
from cells.fast.products import WeightGradients, product

if TYPE_CHECKING:
    from cells.fast.larnn import LARNNSweep

__all__ = ["LARNNBackward"]

# From a timestep, the gradient of its hidden state and what has come to its memory so far, those of
# the states before.
Back = Callable[[int, Tensor, Tensor], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class _Slopes:
    """The gradients within a piece; before their timestep has come, some are only slopes."""

    gate_deltas: GateDeltas
    gates: Float[Tensor, "time batch four_units"]
    taken: Float[Tensor, "time batch unit"]  # of the queries as they met the keys
    hidden: Float[Tensor, "time batch unit"]
    memory: Float[Tensor, "time batch unit"]
    query: Float[Tensor, "time batch unit"]
    mapped: Float[Tensor, "time batch unit"]  # of the output map
    context: Float[Tensor, "time batch unit"]
    attended: Float[Tensor, "time batch unit"]
    through: Float[Tensor, "time batch unit"]  # of the hidden state, before its norm, by the memory
    queries: Float[Tensor, "time batch unit"]  # no gradients: as they met the keys


class LARNNBackward:
    """The gradients of one backward pass.

    Arguments:
        sweep: Whose forward pass is taken back.

    Attributes:
        leave: Gives the gradient of the memory of a timestep from all that attended its entry.
    """

    def __init__(self, sweep: "LARNNSweep") -> None:
        self.sweep, gates = sweep, 4 * sweep.units
        self.of_gates, self.of_query, self.of_output = (WeightGradients() for _ in range(3))
        # What the gates read of the attended and of the hidden state, in one product.
        # Its columns lie together, as oneDNN reads them fastest.
        self.to_both = torch.cat([sweep.from_attention, sweep.from_hidden[:gates]], dim=1).t()
        self.to_hidden, self.to_context = sweep.from_hidden[gates:].t(), sweep.output.t()
        self.attend_back = sweep.slots.attending_backward()
        self.leave = sweep.slots.leaving_backward()

    def slopes(self, start: int, end: int) -> _Slopes:
        r"""What states, query and what is attended are worth to what enters them, at once.

        .. math::
            \lambda^c \mathrel{+}= o \odot \mathrm{ELU}'(c_t) \odot \lambda^{\bar h}, \quad
            \delta_q = \gamma_K \odot \mathrm{ELU}' \odot \lambda^q, \quad
            \delta_r = \mathrm{ELU}' \odot \lambda^r

        with h̄ the hidden state before its norm. The gates' are those of `GateDeltas`.
        """
        sweep = self.sweep
        gates = sweep.gates[start:end]
        _, _, o, _, query = gates.split(sweep.units, dim=-1)
        names = ("hidden", "memory", "query", "context", "mapped", "attended", "through", "queries")
        rooms = {name: sweep.room(name, gates, start, end, sweep.units) for name in names}
        of_keys = sweep.slots.of_keys(start, end)
        elu_slope(o, sweep.squashed[start:end], out=rooms["through"])
        torch.mul(query, of_keys, out=rooms["queries"])
        rooms["query"].copy_(of_keys)
        if sweep.elu_query:
            elu_slope(rooms["query"], query, out=rooms["query"])
        rooms["mapped"].fill_(1)
        if sweep.elu_context:
            elu_slope(rooms["mapped"], sweep.raw_attended[start:end], out=rooms["mapped"])
        for name in ("query", "mapped"):
            sweep.blank(rooms[name], start)
        d_gates = sweep.room("gates", gates, start, end, 4 * sweep.units)
        deltas = GateDeltas(
            sweep, start, gates[..., : 4 * sweep.units], out=d_gates,
            c_past=sweep.began_with(sweep.memory, sweep.first_memory, start, end),
            squashed=sweep.squashed[start:end],
        )  # fmt: skip
        taken = sweep.room("taken", gates, start, end, sweep.units)
        return _Slopes(deltas, d_gates, taken, **rooms)

    def through(self, slopes: _Slopes, start: int) -> Back:
        """What leads back through the timesteps of a piece."""
        sweep, units = self.sweep, self.sweep.units
        end = start + len(slopes.hidden)
        d_c, d_query, d_mapped, d_attended, of_c, queries, taken = (
            sweep.piece(part, start)
            for part in (
                slopes.memory, slopes.query, slopes.mapped, slopes.attended, slopes.through,
                sweep.slots.by_head(slopes.queries), sweep.slots.by_head(slopes.taken),
            )
        )  # fmt: skip
        taken_units, d_context = (sweep.piece(p, start) for p in (slopes.taken, slopes.context))
        f = sweep.piece(sweep.gates[start:end, :, units : 2 * units], start)
        raw_c, raw_h, elu_r, _, _ = (sweep.piece(b[start:end], start) for b in sweep.kept())
        keep = self._keeper(start, end)

        def back(t: int, dh: Tensor, dc: Tensor) -> tuple[Tensor, Tensor]:
            s, n = t - start, sweep.running[t]
            own = t < sweep.own_steps
            d_normed = dh * sweep.masks[t, :n] if sweep.dropping else dh
            d_raw_h = sweep.hidden_norm.backward(t, d_normed, raw_h[s], own=own)
            torch.addcmul(dc, d_raw_h, of_c[s], out=d_c[s])
            by_entry = self.leave(t)
            if by_entry is not None:
                d_c[s].add_(by_entry)
            d_raw_c = sweep.memory_norm.backward(t, d_c[s], raw_c[s], own=own)
            carried_c = d_raw_c * f[s]
            keep(s, carried_c, d_raw_h)

            by_gates = product(slopes.gate_deltas.take(s, d_raw_c, d_raw_h), self.to_both)
            by_attended, by_hidden = by_gates.split(units, dim=-1)
            d_attended[s].copy_(by_attended)
            d_raw = sweep.context_norm.backward(t, d_attended[s], elu_r[s], own=own)
            d_mapped[s].mul_(d_raw)
            d_context[s].copy_(product(d_mapped[s], self.to_context))
            self.attend_back(t, d_context[s], queries[s], taken[s])
            d_query[s].mul_(taken_units[s])
            carried_h = product(d_query[s], self.to_hidden).add_(by_hidden)
            return carried_h, carried_c

        return back

    def learn(self, slopes: _Slopes, start: int, end: int) -> None:
        """The gradients of weights by the timesteps of a piece."""
        sweep = self.sweep
        x, past, lags = sweep.x[start:end], sweep.hidden[start:end], len(sweep.lags)
        self.of_gates.add(slopes.gates, x, past, sweep.attended[start:end])
        self.of_query.add(slopes.query, x, past)
        self.of_output.add(slopes.mapped, sweep.slots.context[start:end])
        places = slice(lags + start, lags + end)
        sweep.slots.learn_entries(places, sweep.memory[places])
        query = sweep.gates[start:end, :, 4 * sweep.units :]
        sweep.slots.learn(start, slopes.context, query, slopes.taken)
        d_normed = slopes.hidden * sweep.masks[start:end] if sweep.dropping else slopes.hidden
        sweep.context_norm.learn(slopes.attended, sweep.raw_attended[start:end])
        sweep.memory_norm.learn(slopes.memory, sweep.raw_memory[start:end])
        sweep.hidden_norm.learn(d_normed, sweep.raw_hidden[start:end])

    def learned(self) -> dict[str, Tensor]:
        """The gradients of all weights."""
        sweep = self.sweep
        learned = sweep.slots.of_entries.named("to_entry", "entry_bias") | sweep.slots.gradients
        for norm in sweep.norms():
            learned |= norm.learned()
        learned |= self.of_gates.named("from_input", "from_hidden", "from_attention", "bias")
        of_query = self.of_query.named("from_input", "from_hidden", "bias")
        for name, gradient in of_query.items():
            learned[name] = torch.cat([learned[name], gradient])
        return learned | self.of_output.named("output", "output_bias")

    def _keeper(self, start: int, end: int) -> Callable[[int, Tensor, Tensor], None]:
        """Keeps the gradients that came to memories by their two uses, if `uses` needs them."""
        sweep = self.sweep
        if sweep.watching != "all":
            return lambda s, carried, through: None
        rooms = [
            sweep.piece(sweep.room(name, sweep.gates, start, end, sweep.units), start)
            for name in ("carried", "raw hidden")
        ]

        def keep(s: int, carried: Tensor, raw_hidden: Tensor) -> None:
            rooms[0][s].copy_(carried)
            rooms[1][s].copy_(raw_hidden)

        return keep
