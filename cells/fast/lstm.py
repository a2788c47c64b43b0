"""The LSTM over a whole sequence; the equations are `LSTMCell`'s."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cells.fast.gates import gate_slopes, gate_weights
from cells.fast.products import WeightGradients, add_product, product
from cells.fast.sweep import Arriving, Carried, Gradients, Sweep
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
        self.from_hidden = weights["from_hidden"]
        self.x, self.from_input = x.contiguous(), weights["from_input"]
        self.gates = self.hoisted(self.x, self.from_input, weights.get("bias"))
        z, (i, f, o, g) = self.steps(self.gates), map(self.steps, self.gates.chunk(4, dim=-1))
        sigmoids = self.steps(self.gates[..., : 3 * self.units])

        self.hidden = self.buffer(start.hidden, self.units, lead=1)
        self.memory = self.buffer(start.memory, self.units, lead=1)
        self.hidden[0], self.memory[0] = start.hidden, start.memory
        h_past, h = self.steps(self.hidden[:-1]), self.steps(self.hidden[1:])
        c_past, c = self.steps(self.memory[:-1]), self.steps(self.memory[1:])
        self.squashed = self.passing(start.memory, self.units, needed=self.saving)
        tanh_c = self.steps(self.squashed)

        for t in range(self.time):
            raw = add_product(z[t], h_past[t], self.from_hidden)
            torch.sigmoid(raw[:, : 3 * self.units], out=sigmoids[t])
            torch.tanh(raw[:, 3 * self.units :], out=g[t])
            torch.mul(f[t], c_past[t], out=c[t]).addcmul_(i[t], g[t])
            torch.tanh(c[t], out=tanh_c[t])
            torch.mul(o[t], tanh_c[t], out=h[t])
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
            gates, size = self.gates[start:end], end - start
            i, f, o, g = gates.chunk(4, dim=-1)
            d_gates = self.room("gates", gates, size, 4 * self.units)
            d_h, d_c = (self.room(name, gates, size, self.units) for name in ("hidden", "memory"))
            slope_h = self.room("through", gates, size, self.units)

            # The slopes of c_t by each gate, of h_t by o and by c_t.
            slope_i, slope_f, slope_o, slope_g = gate_slopes(gates, out=d_gates)
            tanh_c = self.squashed[start:end]
            slope_i *= g
            slope_f *= self.memory[start:end]
            slope_o *= tanh_c
            slope_g *= i
            torch.mul(tanh_c, tanh_c, out=slope_h).neg_().add_(1).mul_(o)
            self.blank(d_gates, start)

            delta, of_o = self.piece(d_gates, start), self.piece(slope_o, start)
            by_gate = self.piece(d_gates.unflatten(-1, (4, self.units)), start)
            dh, dc, of_f, of_h = (self.piece(part, start) for part in (d_h, d_c, f, slope_h))
            for t in reversed(range(start, end)):
                s = t - start
                torch.add(arriving_h[t], self.joined(carried_h, last_h, t), out=dh[s])
                torch.addcmul(self.joined(carried_c, last_c, t), dh[s], of_h[s], out=dc[s])
                d_o = of_o[s] * dh[s]
                by_gate[s].mul_(dc[s][:, None])
                of_o[s].copy_(d_o)
                carried_c = dc[s] * of_f[s]
                carried_h = product(delta[s], to_hidden)

            weights.add(d_gates, self.x[start:end], self.hidden[start:end])
            self.note("hidden", start, d_h)
            self.note("memory", start, d_c)
            if d_x is not None:
                d_x[start:end] = self.unhoisted(d_gates, self.from_input)
        from_input, from_hidden, bias = weights.parts()
        learned = {"from_input": from_input, "from_hidden": from_hidden, "bias": bias}
        return Gradients(d_x, Carried(carried_h, carried_c), learned)

    def final(self, last: Int[Tensor, "batch"]) -> Carried:
        """The states after each row's last timestep."""
        row = torch.arange(self.batch, device=last.device)
        return Carried(self.hidden[last, row], self.memory[last, row])

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
