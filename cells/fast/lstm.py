"""The LSTM over a whole sequence; the equations are `LSTMCell`'s."""

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from cells.fast.functions import tanh, tanh_slope
from cells.fast.gates import GateDeltas, Gates, gate_uses, gate_weights
from cells.fast.products import WeightGradients, product
from cells.fast.sweep import Arriving, Before, Carried, Gradients, Sweep, Use
from cells.lstm import LSTMCell

__all__ = ["LSTMSweep"]


class LSTMSweep(Sweep):
    """All timesteps of an LSTM."""

    @staticmethod
    def weights(cell: LSTMCell) -> dict[str, Tensor]:
        """The maps of the gates."""
        return gate_weights(cell.gates)

    def forward(
        self,
        x: Float[Tensor, "time batch feature"],
        start: Carried,
        weights: Mapping[str, Tensor],
    ) -> Float[Tensor, "time batch unit"]:
        """All timesteps."""
        assert start.memory is not None
        self.read(x, weights)
        gates = Gates(self, self.gates)
        self.hidden, self.memory = self.from_state(start.hidden), self.from_state(start.memory)
        h_past, h = self.steps(self.hidden[:-1]), self.steps(self.hidden[1:])
        c_past, c = self.steps(self.memory[:-1]), self.steps(self.memory[1:])
        self.squashed = self.passing(start.memory, self.units, needed=self.saving)
        tanh_c = self.steps(self.squashed)

        for t in range(self.time):
            gates.write(t, product(h_past[t], self.from_hidden), c_past[t], out=c[t])
            tanh(c[t], out=tanh_c[t])
            torch.mul(gates.o[t], tanh_c[t], out=h[t])
        return self.hidden[1:]

    def backward(self, arriving: Arriving, *, for_x: bool) -> Gradients:
        """Backpropagation through time."""
        weights, d_x = WeightGradients(), torch.empty_like(self.x) if for_x else None
        arriving_h = self.steps(arriving.output)
        last_h = self.waiting(arriving.hidden, self.hidden)
        last_c = self.waiting(arriving.memory, self.hidden)
        carried_h, carried_c = last_h[: self.running[-1]], last_c[: self.running[-1]]
        to_hidden = self.from_hidden.t()
        for start, end in self.pieces(4 * self.units):
            gates = self.gates[start:end]
            _, f, o, _ = gates.chunk(4, dim=-1)
            d_h, d_c, of_h = (
                self.room(name, gates, start, end, self.units)
                for name in ("hidden", "memory", "slope")
            )
            tanh_c = self.squashed[start:end]
            tanh_slope(o, tanh_c, out=of_h)  # of h_t by c_t
            deltas = GateDeltas(
                self, start, gates, out=self.room("gates", gates, start, end, 4 * self.units),
                c_past=self.memory[start:end], squashed=tanh_c,
            )  # fmt: skip

            dh, dc, kept, slope = (self.piece(part, start) for part in (d_h, d_c, f, of_h))
            for t in reversed(range(start, end)):
                s = t - start
                torch.add(arriving_h[t], self.joined(carried_h, last_h, t), out=dh[s])
                torch.addcmul(self.joined(carried_c, last_c, t), dh[s], slope[s], out=dc[s])
                delta = deltas.take(s, dc[s], dh[s])
                carried_c = dc[s] * kept[s]
                carried_h = product(delta, to_hidden)

            d_gates = deltas.whole
            weights.add(d_gates, self.x[start:end], self.hidden[start:end])
            self.note("hidden", start, d_h)
            self.note("memory", start, d_c)
            if d_x is not None:
                d_x[start:end] = self.unhoisted(d_gates, self.from_input)
        learned = weights.named("from_input", "from_hidden", "bias")
        return Gradients(d_x, Carried(carried_h, carried_c), learned)

    def uses(self, start: int, end: int) -> Iterator[Use]:
        """The gradient of every use of a state in some timesteps."""
        yield from gate_uses(self, start, end)
        d_h, of_h = (self.used(name, start, end) for name in ("hidden", "slope"))
        yield Use("hidden", None, 0, d_h * of_h)

    def final(self) -> Carried:
        """The states after each row's last timestep."""
        return Carried(self.last_of(self.hidden), self.last_of(self.memory))

    def before(self) -> Before:
        """The states that every timestep began with."""
        return Before(self.hidden[:-1], self.memory[:-1])

    def signal(self, name: str) -> Tensor:
        """One entry of the readout."""
        i, f, o, g = self.gates.chunk(4, dim=-1)
        found: dict[str, Tensor] = {
            "hidden": self.hidden[1:],
            "memory": self.memory[1:],
            "input_gate": i,
            "forget_gate": f,
            "output_gate": o,
            "candidate": g,
        }
        return found[name]
