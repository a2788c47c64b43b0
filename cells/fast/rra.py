"""RRA over a whole sequence; the equations are `RRACell`'s."""

from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from cells.fast.functions import tanh, tanh_slope
from cells.fast.gates import GateDeltas, Gates, gate_uses, gate_weights
from cells.fast.products import WeightGradients, product
from cells.fast.sweep import Arriving, Before, Carried, Gradients, Sweep, Use
from cells.rra import RRACell, RRAState

__all__ = ["RRASweep"]


class RRASweep(Sweep):
    """All timesteps of an RRA whose weights are the same at every one."""

    @staticmethod
    def obstacle(cell: RRACell, state: RRAState | None) -> str | None:
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
        self.read(x, weights)
        self.kernel, gates = weights["kernel"], Gates(self, self.gates)

        # The window's states stand before those to come, so that each step's window is a slice.
        reach = self.lags[-1]
        self.first_hidden = start.hidden
        self.hidden = self.from_window(start.window, lead=reach)
        self.memory = self.from_state(start.memory)
        h = self.steps(self.hidden[reach:])
        c_past, c = self.steps(self.memory[:-1]), self.steps(self.memory[1:])
        self.context = self.passing(start.memory, self.units, needed="context" in self.keep)
        self.squashed = self.passing(start.memory, self.units, needed=self.saving)
        a, tanh_s = self.steps(self.context), self.steps(self.squashed)
        oldest_first, windows = self.kernel.flip(0)[None], self._windows(self.hidden, 0, self.time)

        h_past = start.hidden
        for t, n in enumerate(self.running):
            gates.write(t, product(h_past[:n], self.from_hidden), c_past[t], out=c[t])
            torch.mm(oldest_first, windows[t], out=a[t].view(1, -1))
            tanh(torch.add(c[t], a[t], out=tanh_s[t]), out=tanh_s[t])
            h_past = torch.mul(gates.o[t], tanh_s[t], out=h[t])
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
            _, f, o, _ = gates.chunk(4, dim=-1)
            d_h, d_c, of_h = (
                self.room(name, gates, start, end, self.units)
                for name in ("hidden", "memory", "slope")
            )
            d_sum = self.ahead("sum", gates, start, end)  # of c_t + a_t, read again as a_t's
            tanh_s = self.squashed[start:end]
            tanh_slope(o, tanh_s, out=of_h)  # of h_t by c_t + a_t
            deltas = GateDeltas(
                self, start, gates, out=self.room("gates", gates, start, end, 4 * self.units),
                c_past=self.memory[start:end], squashed=tanh_s,
            )  # fmt: skip

            dh, dc, kept, slope = (self.piece(part, start) for part in (d_h, d_c, f, of_h))
            ds = self.piece(d_sum[:size], start)
            windows = self._windows(self.hidden[start:], start, end)
            # By the shortcut h_t reaches every later timestep whose window holds it.
            laters = self._windows(d_sum[first:], start, end)
            for t in reversed(range(start, end)):
                s = t - start
                torch.add(arriving_h[t], self.joined(carried_h, last_h, t), out=dh[s])
                dh[s].view(1, -1).addmm_(nearest_first, laters[s])
                torch.mul(dh[s], slope[s], out=ds[s])
                torch.add(self.joined(carried_c, last_c, t), ds[s], out=dc[s])
                d_kernel.addmv_(windows[s], ds[s].view(-1))
                delta = deltas.take(s, dc[s], dh[s])
                carried_c = dc[s] * kept[s]
                carried_h = product(delta, to_hidden)

            d_gates = deltas.whole
            weights.add(
                d_gates,
                self.x[start:end],
                self.began_with(self.hidden, self.first_hidden, start, end),
            )
            self.note("hidden", start, d_h)
            self.note("memory", start, d_c)
            if d_x is not None:
                d_x[start:end] = self.unhoisted(d_gates, self.from_input)
        for lag in range(1, reach + 1):  # the shortcut from before the first timestep
            within = [at for at in self.lags if at >= lag]
            later = d_sum[within[0] - lag : within[-1] - lag + 1]
            d_window[lag - 1] += torch.einsum("j,jbu->bu", self.kernel[-len(within) :], later)
        learned = weights.named("from_input", "from_hidden", "bias")
        learned["kernel"] = d_kernel.flip(0)
        return Gradients(d_x, Carried(carried_h, carried_c, d_window), learned)

    def _windows(
        self, states: Float[Tensor, "place batch unit"], start: int, end: int
    ) -> list[Tensor]:
        """For each timestep of a piece as many states as there are lags, each a row of numbers.

        The first timestep's stand in front; every other's, one place further on.
        """
        lags = len(self.lags)
        if self.even:
            return list(states.flatten(1).unfold(0, lags, 1).movedim(-1, 1)[: end - start].unbind())
        return [
            states[place : place + lags, :n].reshape(lags, -1)
            for place, n in enumerate(self.running[start:end])
        ]

    def uses(self, start: int, end: int) -> Iterator[Use]:
        """The gradient of every use of a state in some timesteps."""
        yield from gate_uses(self, start, end)
        d_sum = self.used("sum", start, end)
        yield Use("hidden", None, 0, d_sum)
        for lag, weight in zip(self.lags, self.kernel, strict=True):
            yield Use("shortcut", lag, lag, d_sum, weight)

    def final(self) -> Carried:
        """The states and the window after each row's last timestep."""
        hidden, memory = self.last_of(self.hidden), self.last_of(self.memory)
        return Carried(hidden, memory, self.window_after(self.hidden, lead=self.lags[-1]))

    def before(self) -> Before:
        """The states that every timestep began with."""
        return Before(
            self.began_with(self.hidden, self.first_hidden, 0, self.time),
            self.memory[:-1],
            self.hidden,
        )

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
