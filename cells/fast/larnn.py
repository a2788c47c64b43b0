"""LARNN over a whole sequence; the equations are `LARNNCell`'s."""

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from cells.fast.functions import by_step, draw_mask, elu
from cells.fast.gates import Gates
from cells.fast.larnn_backward import LARNNBackward
from cells.fast.larnn_readout import contribution, nearest_first, slot_uses
from cells.fast.larnn_weights import context_norm, larnn_weights
from cells.fast.larnn_window import Slots
from cells.fast.norms import StepNorm
from cells.fast.products import mapped, product
from cells.fast.sweep import Arriving, Before, Carried, Gradients, Sweep, Use
from cells.larnn import LARNNCell, LARNNState
from cells.lengths import Rows
from cells.norms import SMALLEST_BATCH

__all__ = ["LARNNSweep"]


class LARNNSweep(Sweep):
    """All timesteps of a LARNN without positions, whose attention enters all gates."""

    def __init__(self, cell: LARNNCell, rows: Rows, keep: frozenset[str], *, saving: bool) -> None:
        super().__init__(cell, rows, keep, saving=saving)
        options = cell.options
        self.elu_query, self.elu_context = options.query == "elu", options.context == "elu"
        self.training, self.begun = cell.training, 0
        noisy = cell.training or not options.eval_honoured
        # Batch statistics where enough rows run, of which the last timesteps have fewer; otherwise
        # the running ones.
        self.fitting = noisy and options.norm == "batch"
        self.own_steps = sum(n >= SMALLEST_BATCH for n in self.running) if self.fitting else 0
        self.dropping = options.hidden_dropout if noisy else 0.0
        dropping = options.attention_dropout if noisy else 0.0
        self.slots = Slots(cell, fitting=self.fitting, dropping=dropping)
        self.context_norm = StepNorm("context", context_norm(cell))
        self.memory_norm = StepNorm("memory", cell.memory_norm)
        self.hidden_norm = StepNorm("hidden", cell.hidden_norm)

    @staticmethod
    def obstacle(cell: LARNNCell, state: LARNNState | None) -> str | None:
        """What has no place here: slots that differ by lag or by row, and other gates."""
        options = cell.options
        if options.positions:
            return "positions=True"
        if options.attention_into != "all":
            return f"attention_into={options.attention_into!r}"
        if options.gate_norm == "applied":
            return "gate_norm='applied'"
        if options.linear_candidate:
            return "layer_candidate='linear'"
        if state is not None:
            reached = state.steps.clamp(max=len(cell.lags) - 1)
            if not bool((reached == reached[0]).all()):
                return "the sequences carried on have seen different numbers of timesteps"
        return None

    def carry_on(self, state: LARNNState) -> None:
        """How many timesteps the rows have seen, as far as their windows reach the same."""
        self.begun = int(state.steps[0])

    @staticmethod
    def weights(cell: LARNNCell) -> dict[str, Tensor]:
        """The maps of gates and query, of entries, of what is attended, and the norms."""
        return larnn_weights(cell)

    def forward(
        self,
        x: Float[Tensor, "time batch feature"],
        start: Carried,
        weights: Mapping[str, Tensor],
    ) -> Float[Tensor, "time batch unit"]:
        """All timesteps."""
        units = self.units
        self._begin(x, start, weights)
        gated, query = self.gates.split([4 * units, units], dim=-1)
        gates, enter = Gates(self, gated), self.slots.entering()
        by_head = query.unflatten(-1, (self.slots.heads, -1))
        attend = self.slots.attending(self.steps(by_head))
        output_bias = weights.get("output_bias")
        entering, query = self.steps(self.gates), self.steps(query)
        h_past, h = self.steps(self.hidden[:-1]), self.steps(self.hidden[1:])
        c, c_past = self.steps(self.memory[len(self.lags) :]), self.first_memory
        raw_c, raw_h, elu_r, attended, elu_c = (self.steps(b) for b in self.kept())

        for t, n in enumerate(self.running):
            own = t < self.own_steps
            entering[t].add_(product(h_past[t], self.from_hidden))
            if self.elu_query:
                elu(query[t], out=query[t])
            mapped = product(attend(t), self.output, output_bias)
            _elu_if(self.elu_context, mapped, out=elu_r[t])
            self.context_norm.forward(t, elu_r[t], own=own, out=attended[t])

            by_attention = product(attended[t], self.from_attention)
            gates.write(t, by_attention, c_past[:n], out=raw_c[t])
            c_past = self.memory_norm.forward(t, raw_c[t], own=own, out=c[t])
            elu(c_past, out=elu_c[t])
            torch.mul(gates.o[t], elu_c[t], out=raw_h[t])
            self.hidden_norm.forward(t, raw_h[t], own=own, out=h[t])
            if self.dropping:
                h[t].mul_(self.masks[t, :n])
            enter(t, c_past)
        return self.hidden[1:]

    def _begin(self, x: Tensor, start: Carried, weights: Mapping[str, Tensor]) -> None:
        """Makes room for all timesteps, and draws what is dropped."""
        assert start.memory is not None and start.window is not None
        units, lags = self.units, len(self.lags)
        self.read(x, weights)
        self.from_attention, self.output = weights["from_attention"], weights["output"]
        self.first_memory = start.memory
        self.memory = self.from_window(start.window, lead=lags)
        self.hidden = self.from_state(start.hidden)
        self.raw_memory, self.raw_hidden, self.raw_attended, self.attended, self.squashed = (
            self.passing(start.memory, units, needed=self.saving) for _ in range(5)
        )
        self.slots.begin(self, self.memory[:lags], weights)
        for norm in self.norms():
            norm.begin(weights, start.memory, self.running, saving=self.saving)
        if self.dropping:
            self.masks = self.buffer(start.memory, units)
        for t, n in enumerate(self.running):
            if self.slots.dropping:
                draw_mask(self.slots.masks[t, :n], self.slots.dropping)
            if self.dropping:
                draw_mask(self.masks[t, :n], self.dropping)
        self.slots.order_masks()

    def kept(self) -> tuple[Tensor, ...]:
        """What stands before norms (memory, hidden state, what is attended) or behind."""
        return self.raw_memory, self.raw_hidden, self.raw_attended, self.attended, self.squashed

    def norms(self) -> tuple[StepNorm, ...]:
        """Of what is attended, of the memory and of the hidden state."""
        return self.context_norm, self.memory_norm, self.hidden_norm

    def backward(self, arriving: Arriving, *, for_x: bool) -> Gradients:
        """Backpropagation through time."""
        units, lags = self.units, len(self.lags)
        d_x = torch.empty_like(self.x) if for_x else None
        by_window, d_window = self.window_gradients(arriving.window, self.hidden, lead=lags)
        arriving_h = self.steps(arriving.output)
        arriving_c = None if by_window is None else self.steps(by_window)
        last_h = self.waiting(arriving.hidden, self.hidden)
        last_c = self.waiting(arriving.memory, self.hidden)
        carried_h, carried_c = last_h[: self.running[-1]], last_c[: self.running[-1]]
        for norm in self.norms():
            norm.begin_backward()
        self.slots.begin_backward(noting=self.watching == "all")
        way = LARNNBackward(self)
        # Longer pieces than elsewhere: each begins with many small operations.
        for start, end in self.pieces(5 * units // 2):
            slopes = way.slopes(start, end)
            back, dh = way.through(slopes, start), self.piece(slopes.hidden, start)
            for t in reversed(range(start, end)):
                torch.add(arriving_h[t], self.joined(carried_h, last_h, t), out=dh[t - start])
                dc = self.joined(carried_c, last_c, t)
                dc = dc if arriving_c is None else dc + arriving_c[t]
                carried_h, carried_c = back(t, dh[t - start], dc)
            way.learn(slopes, start, end)
            self.note("hidden", start, slopes.hidden)
            self.note("memory", start, slopes.memory)
            if d_x is not None:
                torch.add(
                    self.unhoisted(slopes.gates, self.from_input[: 4 * units]),
                    self.unhoisted(slopes.query, self.from_input[4 * units :]),
                    out=d_x[start:end],
                )
        for lag in range(1, lags + 1):
            by_entry = way.leave(-lag)
            if by_entry is not None:
                d_window[lag - 1] += by_entry
        self.slots.learn_entries(slice(lags), self.memory[:lags])
        return Gradients(d_x, Carried(carried_h, carried_c, d_window), way.learned())

    def uses(self, start: int, end: int) -> Iterator[Use] | None:
        """The gradient of every use of a state in some timesteps.

        None under batch statistics or dropout, which the steps cannot repeat either.
        """
        if self.fitting or self.dropping or self.slots.dropping:
            return None
        return self._uses(start, end)

    def _uses(self, start: int, end: int) -> Iterator[Use]:
        units, weight = self.units, self.from_hidden
        delta, query = self.used("gates", start, end), self.used("query", start, end)
        yield Use("gates", None, 1, mapped(delta[..., : 3 * units], weight[: 3 * units]))
        candidate = slice(3 * units, 4 * units)
        yield Use("candidate", None, 1, mapped(delta[..., candidate], weight[candidate]))
        yield Use("query", None, 1, mapped(query, weight[4 * units :]))
        yield Use("memory", None, 1, self.used("carried", start, end))
        raw_hidden, through = (self.used(name, start, end) for name in ("raw hidden", "through"))
        yield Use("hidden", None, 0, raw_hidden * through)
        yield from slot_uses(self.slots, start, end)

    def final(self) -> Carried:
        """The states and the window after each row's last timestep."""
        hidden, memory = self.last_of(self.hidden), self.last_of(self.memory)
        return Carried(hidden, memory, self.window_after(self.memory, lead=len(self.lags)))

    def before(self) -> Before:
        """The states that every timestep began with."""
        return Before(
            self.hidden[:-1],
            self.began_with(self.memory, self.first_memory, 0, self.time),
            self.memory,
        )

    def signal(self, name: str) -> Tensor:
        """One entry of the readout."""
        i, f, o, g, _ = self.gates.split(self.units, dim=-1)
        if name == "attention":
            return nearest_first(self.slots.attention)
        if name == "attention_used":
            return nearest_first(self.slots.used)
        if name == "contribution":
            return contribution(self.slots, self.output)
        if name == "context":
            return self.slots.context
        if name == "running_statistics":
            taken = by_step(self.gates, [t >= self.own_steps for t in range(self.time)])
            return taken[:, None].expand(-1, self.batch)
        found: dict[str, Tensor] = {
            "hidden": self.hidden[1:],
            "memory": self.memory[len(self.lags) :],
            "input_gate": i,
            "forget_gate": f,
            "output_gate": o,
            "candidate": g,
        }
        return found[name]

    def statistics(self) -> dict[str, list[Tensor]]:
        """Batch statistics of each timestep that took its own, and the largest memory."""
        found = self.slots.statistics() if self.fitting else {}
        for norm in self.norms():
            if self.fitting and norm.kind == "batch":
                counted = norm.counted[: self.own_steps]
                found[f"{norm.name}_statistics"] = list(counted.unbind())
        if self.training:
            memories = self.memory[len(self.lags) :]
            found["largest_memory"] = [torch.stack(torch.aminmax(memories)).abs().max()]
        return found


def _elu_if(wanted: bool, x: Tensor, *, out: Tensor) -> None:
    if wanted:
        elu(x, out=out)
    else:
        out.copy_(x)
