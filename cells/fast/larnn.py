"""LARNN over a whole sequence; the equations are `LARNNCell`'s."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from cells.fast.gates import GateDeltas, Gates, gate_weights
from cells.fast.larnn_window import Slots, elu_backward
from cells.fast.norms import StepNorm, norm_weights
from cells.fast.products import WeightGradients, add_product, mapped, product
from cells.fast.sweep import Arriving, Before, Carried, Gradients, Sweep, Use
from cells.larnn import LARNNCell, LARNNState
from cells.lengths import Rows
from cells.norms import SMALLEST_BATCH, Norm

__all__ = ["LARNNSweep"]


class LARNNSweep(Sweep):
    """All timesteps of a LARNN without positions, whose attention enters all gates."""

    def __init__(self, cell: LARNNCell, rows: Rows, keep: frozenset[str], *, saving: bool) -> None:
        super().__init__(cell, rows, keep, saving=saving)
        options = cell.options
        self.elu_query, self.elu_context = options.query == "elu", options.context == "elu"
        self.training, self.begun = cell.training, 0
        noisy = cell.training or not options.eval_honoured
        # Batch statistics where enough rows run; otherwise the running ones.
        self.fitting = noisy and options.norm == "batch"
        self.dropping = options.hidden_dropout if noisy else 0.0
        dropping = options.attention_dropout if noisy else 0.0
        self.slots = Slots(cell, fitting=self.fitting, dropping=dropping)
        self.context_norm = StepNorm("context", _context_norm(cell))
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
        attention, gates = cell.attention, gate_weights(cell.gates)
        zeros = gates["from_input"].new_zeros(())
        of_gates = zeros.expand(4 * cell.hidden_size)
        for bias in (gates.get("bias"), cell.from_attention.bias):
            of_gates = of_gates if bias is None else of_gates + bias
        query_bias = attention.query_from_input.bias
        of_query = zeros.expand(cell.hidden_size) if query_bias is None else query_bias
        maps = (attention.key, attention.value)
        of_entries: list[Tensor] = [
            zeros.expand(cell.hidden_size) if m.bias is None else m.bias for m in maps
        ]
        weights: dict[str, Any] = {
            "from_input": torch.cat([gates["from_input"], attention.query_from_input.weight]),
            "bias": torch.cat([of_gates, of_query]),
            "from_hidden": torch.cat([gates["from_hidden"], attention.query_from_hidden.weight]),
            "to_entry": torch.cat((maps[0].weight, maps[1].weight)),
            "entry_bias": torch.cat(of_entries),
            "output": attention.output.weight,
            "output_bias": attention.output.bias,
            "from_attention": cell.from_attention.weight,
            **norm_weights("context", _context_norm(cell)),
            **norm_weights("memory", cell.memory_norm),
            **norm_weights("hidden", cell.hidden_norm),
        }
        if cell.options.key_value == "own":
            weights["key_gain"] = attention.key_norm.weight  # the softmax ignores its shift
            weights |= norm_weights("value", attention.value_norm)
        return {name: weight for name, weight in weights.items() if weight is not None}

    def forward(
        self,
        x: Float[Tensor, "time batch feature"],
        start: Carried,
        weights: Mapping[str, Tensor],
    ) -> Float[Tensor, "time batch unit"]:
        """All timesteps."""
        assert start.memory is not None and start.window is not None
        units, lags = self.units, len(self.lags)
        self.read(x, weights)
        self.from_attention = weights["from_attention"]
        self.output, output_bias = weights["output"], weights.get("output_bias")
        gated, query = self.gates.split([4 * units, units], dim=-1)
        gates, query = Gates(self, gated), self.steps(query)

        self.first_memory = start.memory
        self.memory = self.from_window(start.window, lead=lags)
        self.slots.begin(self, self.memory[:lags], weights)
        self.hidden = self.from_state(start.hidden)
        h_past, h = self.steps(self.hidden[:-1]), self.steps(self.hidden[1:])
        c = self.steps(self.memory[lags:])
        needed = {"needed": self.saving}
        room = start.memory
        self.raw_memory = self.passing(room, units, **needed)  # before their norms
        self.raw_hidden = self.passing(room, units, **needed)
        self.raw_attended = self.passing(room, units, **needed)
        self.attended = self.passing(room, units, **needed)
        self.squashed = self.passing(room, units, **needed)
        raw_c, raw_h, raw_r = (
            self.steps(b) for b in (self.raw_memory, self.raw_hidden, self.raw_attended)
        )
        attended, elu_c = self.steps(self.attended), self.steps(self.squashed)
        if self.dropping:
            self.masks = self.buffer(room, units)
        for norm in (self.context_norm, self.memory_norm, self.hidden_norm):
            norm.begin(weights, room, self.time, saving=self.saving)

        c_past = start.memory
        for t, n in enumerate(self.running):
            own = self.fitting and n >= SMALLEST_BATCH
            raw = product(h_past[t], self.from_hidden)
            query[t].add_(raw[:, 4 * units :])
            if self.elu_query:
                F.elu_(query[t])
            context = self.slots.attend(t, query[t])
            mapped = product(context, self.output)
            if output_bias is not None:
                mapped += output_bias
            if self.elu_context:
                F.elu_(mapped)
            raw_r[t].copy_(mapped)
            attended[t].copy_(self.context_norm.forward(t, raw_r[t], own=own))

            raw = gates.from_input[t] + raw[:, : 4 * units]
            raw = add_product(raw, attended[t], self.from_attention)
            gates.write(t, raw, c_past[:n], out=raw_c[t])
            c_past = c[t].copy_(self.memory_norm.forward(t, raw_c[t], own=own))
            elu_c[t].copy_(F.elu(c_past))
            torch.mul(gates.o[t], elu_c[t], out=raw_h[t])
            h[t].copy_(self.hidden_norm.forward(t, raw_h[t], own=own))
            if self.dropping:
                mask = F.dropout(torch.ones_like(h[t]), self.dropping)
                self.masks[t, :n] = mask
                h[t].mul_(mask)
            self.slots.enter(t, c_past)
        return self.hidden[1:]

    def backward(self, arriving: Arriving, *, for_x: bool) -> Gradients:
        """Backpropagation through time."""
        units, gates, lags = self.units, 4 * self.units, len(self.lags)
        d_x = torch.empty_like(self.x) if for_x else None
        by_window, d_window = self.window_gradients(arriving.window, self.hidden, lead=lags)
        of_gates, of_attended, of_output = (WeightGradients() for _ in range(3))
        arriving_h = self.steps(arriving.output)
        arriving_c = None if by_window is None else self.steps(by_window)
        last_h = self.waiting(arriving.hidden, self.hidden)
        last_c = self.waiting(arriving.memory, self.hidden)
        carried_h, carried_c = last_h[: self.running[-1]], last_c[: self.running[-1]]
        self.slots.begin_backward(noting=self.watching == "all")
        for start, end in self.pieces(5 * units):
            _, f, o, _, query = self.gates[start:end].split(units, dim=-1)
            both = self.room("deltas", self.gates, start, end, 5 * units)  # of gates and query
            d_h, d_c, d_mapped = (
                self.room(name, self.gates, start, end, units)
                for name in ("hidden", "memory", "mapped")
            )

            d_gates, d_query = both.split([gates, units], dim=-1)
            deltas = GateDeltas(
                self, start, self.gates[start:end, :, :gates], out=d_gates,
                c_past=self.began_with(self.memory, self.first_memory, start, end),
                squashed=self.squashed[start:end],
            )  # fmt: skip

            keep = self._keeper(start, end)
            delta, d_query = self.piece(both, start), self.piece(d_query, start)
            dh, dc, dr = (self.piece(part, start) for part in (d_h, d_c, d_mapped))
            f, o, query = (self.piece(part, start) for part in (f, o, query))
            elu_c, elu_r, raw_c, raw_h = (
                self.piece(part[start:end], start)
                for part in (self.squashed, self.raw_attended, self.raw_memory, self.raw_hidden)
            )
            for t in reversed(range(start, end)):
                s, n = t - start, self.running[t]
                own = self.fitting and n >= SMALLEST_BATCH
                torch.add(arriving_h[t], self.joined(carried_h, last_h, t), out=dh[s])
                d_normed = dh[s] * self.masks[t, :n] if self.dropping else dh[s]
                d_raw_h = self.hidden_norm.backward(t, d_normed, raw_h[s], own=own)
                by_hidden = elu_backward(d_raw_h * o[s], elu_c[s])
                torch.add(self.joined(carried_c, last_c, t), by_hidden, out=dc[s])
                by_entry = self.slots.leave_backward(t, n)
                if by_entry is not None:
                    dc[s].add_(by_entry)
                if arriving_c is not None:
                    dc[s].add_(arriving_c[t])
                d_raw_c = self.memory_norm.backward(t, dc[s], raw_c[s], own=own)
                carried_c = d_raw_c * f[s]
                keep(s, carried_c, by_hidden)

                of_gates_now = deltas.take(s, d_raw_c, d_raw_h).contiguous()
                d_attended = product(of_gates_now, self.from_attention.t())
                d_raw = self.context_norm.backward(t, d_attended, elu_r[s], own=own)
                dr[s].copy_(elu_backward(d_raw, elu_r[s]) if self.elu_context else d_raw)
                d_context = product(dr[s], self.output.t())
                d_elu = self.slots.attend_backward(t, d_context, query[s])
                d_query[s].copy_(elu_backward(d_elu, query[s]) if self.elu_query else d_elu)
                carried_h = product(delta[s], self.from_hidden.t())

            of_gates.add(both, self.x[start:end], self.hidden[start:end])
            of_attended.add(d_gates, self.attended[start:end])
            of_output.add(d_mapped, self.slots.context[start:end])
            places = slice(lags + start, lags + end)
            self.slots.learn_entries(places, self.memory[places])
            self.note("hidden", start, d_h)
            self.note("memory", start, d_c)
            if d_x is not None:
                d_x[start:end] = self.unhoisted(both, self.from_input)

        for lag in range(1, lags + 1):
            by_entry = self.slots.leave_backward(-lag, self.batch)
            if by_entry is not None:
                d_window[lag - 1] += by_entry
        self.slots.learn_entries(slice(lags), self.memory[:lags])
        learned = self.slots.learned()
        for norm in (self.context_norm, self.memory_norm, self.hidden_norm):
            learned |= norm.gradients
        learned |= of_gates.named("from_input", "from_hidden", "bias")
        learned |= of_attended.named("from_attention")
        learned |= of_output.named("output", "output_bias")
        return Gradients(d_x, Carried(carried_h, carried_c, d_window), learned)

    def _keeper(self, start: int, end: int) -> Callable[[int, Tensor, Tensor], None]:
        """Keeps the gradients that came to memories by their two uses, if `uses` needs them."""
        if self.watching != "all":
            return lambda s, carried, through: None
        rooms = [
            self.piece(self.room(name, self.gates, start, end, self.units), start)
            for name in ("kept", "through")
        ]

        def keep(s: int, carried: Tensor, through: Tensor) -> None:
            rooms[0][s].copy_(carried)
            rooms[1][s].copy_(through)

        return keep

    def uses(self, start: int, end: int) -> Iterator[Use] | None:
        """The gradient of every use of a state in some timesteps.

        None under batch statistics or dropout, which the steps cannot repeat either.
        """
        if self.fitting or self.dropping or self.slots.dropping:
            return None
        return self._uses(start, end)

    def _uses(self, start: int, end: int) -> Iterator[Use]:
        units = self.units
        delta, weight = self.used("deltas", start, end), self.from_hidden
        yield Use("gates", None, 1, mapped(delta[..., : 3 * units], weight[: 3 * units]))
        candidate = slice(3 * units, 4 * units)
        yield Use("candidate", None, 1, mapped(delta[..., candidate], weight[candidate]))
        yield Use("query", None, 1, mapped(delta[..., 4 * units :], weight[4 * units :]))
        yield Use("memory", None, 1, self.used("kept", start, end))
        yield Use("hidden", None, 0, self.used("through", start, end))
        yield from self.slots.uses(start, end)

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
            return self.slots.nearest_first(self.slots.attention)
        if name == "attention_used":
            return self.slots.nearest_first(self.slots.used)
        if name == "contribution":
            return self.slots.contribution(self.output)
        if name == "running_statistics":
            by_step = [0.0 if self.fitting and n >= SMALLEST_BATCH else 1.0 for n in self.running]
            return self.gates.new_tensor(by_step)[:, None].expand(-1, self.batch)
        found: dict[str, Tensor] = {
            "context": self.slots.context,
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
        for norm in (self.context_norm, self.memory_norm, self.hidden_norm):
            if self.fitting and norm.kind == "batch":
                own = [t for t, n in enumerate(self.running) if n >= SMALLEST_BATCH]
                found[f"{norm.name}_statistics"] = [norm.counted[t] for t in own]
        if self.training:
            memories = self.memory[len(self.lags) :]
            found["largest_memory"] = [torch.linalg.vector_norm(memories, torch.inf)]
        return found


def _context_norm(cell: LARNNCell) -> Norm:
    """The norm of what is attended; one that changes nothing where there is none."""
    if cell.options.context == "elu":
        return cell.attention.context_norm
    return Norm(cell.hidden_size, "none")
