"""RRA over a whole sequence; the equations are `RRACell`'s."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cells.fast.gates import gate_slopes, gate_weights
from cells.fast.products import WeightGradients, add_product, product
from cells.fast.sweep import Arriving, Carried, Gradients, Sweep
from cells.rra import RRACell, RRAState

__all__ = ["RRASweep"]


class RRASweep(Sweep):
    """All timesteps of an RRA whose weights are the same at every one."""

    @staticmethod
    def obstacle(cell: RRACell, state: RRAState) -> str | None:
        """Rescaled weights differ between rows and timesteps."""
        return "missing='renormalise'" if cell.missing == "renormalise" else None

    @staticmethod
    def weights(cell: RRACell) -> dict[str, Tensor]:
        """The maps of the gates, and the normalised weights of the lags."""
        return {**gate_weights(cell.gates), "kernel": cell.lag_kernel()}

    def forward(
        self,
        x: Float[Tensor, "time batch feature"],
        start: Carried,
        weights: Mapping[str, Tensor],
    ) -> Float[Tensor, "time batch unit"]:
        """All timesteps."""
        assert start.memory is not None and start.window is not None
        self.from_hidden, self.kernel = weights["from_hidden"], weights["kernel"]
        self.x, self.from_input = x.contiguous(), weights["from_input"]
        self.gates = self.hoisted(self.x, self.from_input, weights.get("bias"))
        z, (i, f, o, g) = self.steps(self.gates), map(self.steps, self.gates.chunk(4, dim=-1))
        sigmoids = self.steps(self.gates[..., : 3 * self.units])

        # The window's states stand before those to come, so that each step's window is a slice.
        reach, first = self.lags[-1], self.lags[0]
        self.first_hidden = start.hidden
        self.hidden = self.with_window(start.window, lead=reach)
        self.memory = self.buffer(start.memory, self.units, lead=1)
        self.memory[0] = start.memory
        h = self.steps(self.hidden[reach:])
        c_past, c = self.steps(self.memory[:-1]), self.steps(self.memory[1:])
        self.context = self.passing(start.memory, self.units, needed="context" in self.keep)
        self.squashed = self.passing(start.memory, self.units, needed=self.saving)
        a, tanh_s = self.steps(self.context), self.steps(self.squashed)
        oldest_first = self.kernel.flip(0)[None]

        h_past = start.hidden
        for t, n in enumerate(self.running):
            raw = add_product(z[t], h_past[:n], self.from_hidden)
            torch.sigmoid(raw[:, : 3 * self.units], out=sigmoids[t])
            torch.tanh(raw[:, 3 * self.units :], out=g[t])
            torch.mul(f[t], c_past[t], out=c[t]).addcmul_(i[t], g[t])

            window = self.hidden[t : t + reach + 1 - first, :n].reshape(len(self.lags), -1)
            torch.mm(oldest_first, window, out=a[t].view(1, -1))
            torch.add(c[t], a[t], out=tanh_s[t]).tanh_()
            h_past = torch.mul(o[t], tanh_s[t], out=h[t])
        return self.hidden[reach:]

    def backward(self, arriving: Arriving, *, for_x: bool) -> Gradients:
        """Backpropagation through time."""
        weights, d_x = WeightGradients(), torch.empty_like(self.x) if for_x else None
        reach, first = self.lags[-1], self.lags[0]
        d_output = arriving.output
        by_window, d_window = self.window_gradients(arriving.window, d_output, lead=reach)
        arriving_h = self.steps(d_output if by_window is None else d_output + by_window)
        last_h = self.waiting(arriving.hidden, self.hidden)
        last_c = self.waiting(arriving.memory, self.hidden)
        carried_h, carried_c = last_h[: self.running[-1]], last_c[: self.running[-1]]
        to_hidden, nearest_first = self.from_hidden.t(), self.kernel[None]
        d_kernel = torch.zeros_like(self.kernel)  # the oldest first
        for start, end in self.pieces(4 * self.units):
            gates, size = self.gates[start:end], end - start
            i, f, o, g = gates.chunk(4, dim=-1)
            d_gates = self.room("gates", gates, size, 4 * self.units)
            d_h, d_c = (self.room(name, gates, size, self.units) for name in ("hidden", "memory"))
            slope_h = self.room("through", gates, size, self.units)
            d_sum = self.ahead("sum", gates, start, end)  # of c_t + a_t, read again as a_t's

            # The slopes of c_t by each gate, of h_t by o and by c_t + a_t.
            slope_i, slope_f, slope_o, slope_g = gate_slopes(gates, out=d_gates)
            tanh_s = self.squashed[start:end]
            slope_i *= g
            slope_f *= self.memory[start:end]
            slope_o *= tanh_s
            slope_g *= i
            torch.mul(tanh_s, tanh_s, out=slope_h).neg_().add_(1).mul_(o)
            self.blank(d_gates, start)

            delta, of_o = self.piece(d_gates, start), self.piece(slope_o, start)
            by_gate = self.piece(d_gates.unflatten(-1, (4, self.units)), start)
            dh, dc, of_f, of_h = (self.piece(part, start) for part in (d_h, d_c, f, slope_h))
            ds = self.piece(d_sum[:size], start)
            for t in reversed(range(start, end)):
                s, n = t - start, self.running[t]
                # By the shortcut, from every later timestep whose window holds h_t.
                later = d_sum[s + first : s + reach + 1, :n].reshape(len(self.lags), -1)
                torch.mm(nearest_first, later, out=dh[s].view(1, -1))
                dh[s].add_(arriving_h[t]).add_(self.joined(carried_h, last_h, t))
                torch.mul(dh[s], of_h[s], out=ds[s])
                torch.add(self.joined(carried_c, last_c, t), ds[s], out=dc[s])
                window = self.hidden[t : t + reach + 1 - first, :n].reshape(len(self.lags), -1)
                d_kernel.addmv_(window, ds[s].view(-1))
                d_o = of_o[s] * dh[s]
                by_gate[s].mul_(dc[s][:, None])
                of_o[s].copy_(d_o)
                carried_c = dc[s] * of_f[s]
                carried_h = product(delta[s], to_hidden)

            weights.add(d_gates, self.x[start:end], self.hidden_before(start, end))
            self.note("hidden", start, d_h)
            self.note("memory", start, d_c)
            if d_x is not None:
                d_x[start:end] = self.unhoisted(d_gates, self.from_input)
        from_input, from_hidden, bias = weights.parts()
        for lag in range(1, reach + 1):  # the shortcut from before the first timestep
            within = [at for at in self.lags if at >= lag]
            later = d_sum[within[0] - lag : within[-1] - lag + 1]
            d_window[lag - 1] += torch.einsum("j,jbu->bu", self.kernel[-len(within) :], later)
        learned = {
            "from_input": from_input,
            "from_hidden": from_hidden,
            "bias": bias,
            "kernel": d_kernel.flip(0),
        }
        return Gradients(d_x, Carried(carried_h, carried_c, d_window), learned)

    def hidden_before(self, start: int, end: int) -> Tensor:
        """The hidden states that the timesteps of a piece began with."""
        before = self.hidden[(reach := self.lags[-1]) + start - 1 : reach + end - 1]
        return before if start else torch.cat([self.first_hidden[None], before[1:]])

    def final(self, last: Int[Tensor, "batch"]) -> Carried:
        """The states and the window after each row's last timestep."""
        row, reach = torch.arange(self.batch, device=last.device), self.lags[-1]
        hidden = self.hidden[reach - 1 + last, row]
        window = self.window_after(self.hidden, last, lead=reach)
        return Carried(hidden, self.memory[last, row], window)

    def signal(self, name: str) -> Tensor:
        """One entry of the readout."""
        i, f, o, g = self.gates.chunk(4, dim=-1)
        if name == "context":
            return self.context
        if name in ("attention", "attention_used"):
            return self.kernel.expand(self.time, self.batch, 1, -1)
        if name == "contribution":
            return self._contribution()
        found: dict[str, Tensor] = {
            "hidden": self.hidden[self.lags[-1] :],
            "memory": self.memory[1:],
            "input_gate": i,
            "forget_gate": f,
            "output_gate": o,
            "candidate": g,
        }
        return found[name]

    def _contribution(self) -> Float[Tensor, "time batch 1 lag"]:
        norms, reach = torch.linalg.vector_norm(self.hidden, dim=-1), self.lags[-1]
        # Views of one array, shifted against each other; what would come after the end is cut off.
        past = [norms[reach - lag : reach - lag + self.time] for lag in self.lags]
        return (torch.stack(past, dim=-1) * self.kernel.abs())[:, :, None]
