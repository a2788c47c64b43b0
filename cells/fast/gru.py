"""The GRU over a whole sequence; the equations are `GRUCell`'s."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from cells.fast.functions import sigmoid_slope, tanh, tanh_slope
from cells.fast.products import WeightGradients, mapped, product
from cells.fast.sweep import Arriving, Before, Carried, Gradients, Sweep, Use
from cells.gru import GRUCell
from cells.lengths import Rows

__all__ = ["GRUSweep"]

# From a timestep of a piece and the gradient of its state, that of the state before.
_Back = Callable[[int, Tensor], Tensor]


class _Slopes(NamedTuple):
    """The gradients of what enters gates and candidate in a piece, but for that of h_t."""

    gates: Float[Tensor, "time batch three_units"]
    product: Float[Tensor, "time batch from_hidden"]  # what the recurrent product gives to them
    kept: Float[Tensor, "time batch unit"]


class GRUSweep(Sweep):
    """All timesteps of a GRU, with its reset after or before the recurrent product."""

    def __init__(self, cell: GRUCell, rows: Rows, keep: frozenset[str], *, saving: bool) -> None:
        super().__init__(cell, rows, keep, saving=saving)
        self.reset_after = cell.reset == "after"

    @staticmethod
    def weights(cell: GRUCell) -> dict[str, Tensor]:
        """The maps of gates and candidate; from the hidden state as one where one product does."""
        from_hidden = [cell.update_from_hidden.weight, cell.reset_from_hidden.weight]
        weights: dict[str, Any] = {
            "from_input": cell.from_input.weight,
            "bias": cell.from_input.bias,
        }
        if cell.reset == "after":
            from_hidden.append(cell.candidate_from_hidden.weight)
            weights["candidate_bias"] = cell.candidate_from_hidden.bias
        else:
            weights["candidate_from_recalled"] = cell.candidate_from_hidden.weight
        weights["from_hidden"] = torch.cat(from_hidden)
        return {name: weight for name, weight in weights.items() if weight is not None}

    def forward(
        self,
        x: Float[Tensor, "time batch feature"],
        start: Carried,
        weights: Mapping[str, Tensor],
    ) -> Float[Tensor, "time batch unit"]:
        """All timesteps."""
        both = 2 * self.units
        self.read(x, weights)
        if not self.reset_after:
            self.from_recalled = weights["candidate_from_recalled"]
        zr = self.steps(self.gates[..., :both])
        z, r, candidate = map(self.steps, self.gates.chunk(3, dim=-1))

        self.hidden = self.from_state(start.hidden)
        h_past, h = self.steps(self.hidden[:-1]), self.steps(self.hidden[1:])
        # What the reset gate acts on (after the product) or leaves (before it).
        self.recalled = self.passing(start.hidden, self.units, needed=self.saving)
        recalled = self.steps(self.recalled)
        offset = weights.get("candidate_bias", start.hidden.new_zeros(()))

        for t in range(self.time):
            raw = product(h_past[t], self.from_hidden)
            torch.add(zr[t], raw[:, :both], out=zr[t]).sigmoid_()
            if self.reset_after:
                torch.add(raw[:, both:], offset, out=recalled[t])
                tanh(candidate[t].addcmul_(r[t], recalled[t]), out=candidate[t])
            else:
                torch.mul(r[t], h_past[t], out=recalled[t])
                raw = product(recalled[t], self.from_recalled)
                tanh(candidate[t].add_(raw), out=candidate[t])
            torch.lerp(h_past[t], candidate[t], z[t], out=h[t])
        return self.hidden[1:]

    def backward(self, arriving: Arriving, *, for_x: bool) -> Gradients:
        """Backpropagation through time."""
        both, d_x = 2 * self.units, torch.empty_like(self.x) if for_x else None
        from_input, from_hidden, from_recalled = (WeightGradients() for _ in range(3))
        arriving_h, last_h = self.steps(arriving.output), self.waiting(arriving.hidden, self.hidden)
        carried = last_h[: self.running[-1]]
        through = self._through_reset_after if self.reset_after else self._through_reset_before
        for start, end in self.pieces(3 * self.units):
            slopes = self._slopes(start, end)
            d_h = self.room("hidden", self.gates, start, end, self.units)
            dh = self.piece(d_h, start)
            back = through(slopes, start)
            for t in reversed(range(start, end)):
                s = t - start
                torch.add(arriving_h[t], self.joined(carried, last_h, t), out=dh[s])
                carried = back(s, dh[s])

            d_gates, d_product, _ = slopes
            if self.reset_after:
                d_gates.unflatten(-1, (3, self.units)).mul_(d_h[:, :, None])
            else:
                from_recalled.add(d_gates[..., both:], self.recalled[start:end])
            from_input.add(d_gates, self.x[start:end])
            from_hidden.add(d_product, self.hidden[start:end])
            self.note("hidden", start, d_h)
            if d_x is not None:
                d_x[start:end] = self.unhoisted(d_gates, self.from_input)
        learned = from_input.named("from_input", "bias")
        learned |= from_hidden.named("from_hidden", "candidate_bias")
        learned["candidate_bias"] = learned["candidate_bias"][both:]
        if not self.reset_after:
            learned |= from_recalled.named("candidate_from_recalled")
        return Gradients(d_x, Carried(carried), learned)

    def _slopes(self, start: int, end: int) -> _Slopes:
        r"""What h_t is worth to each gate and to the candidate, for a piece at once.

        .. math::
            \delta_z = z(1-z)(\tilde h - h_{t-1})\lambda, \quad
            \delta_{\tilde h} = (1-\tilde h^2)\, z \lambda, \quad
            \delta_r = r(1-r)\, \rho\, \partial L/\partial \rho

        with ρ what the reset gate acts on. They become gradients as λ comes by.
        """
        both, gates = 2 * self.units, self.gates[start:end]
        z, r, candidate = gates.chunk(3, dim=-1)
        past, recalled = self.hidden[start:end], self.recalled[start:end]
        d_gates = self.room("gates", gates, start, end, 3 * self.units)
        kept = self.room("kept", gates, start, end, self.units)
        slope_z, slope_r, slope_candidate = d_gates.chunk(3, dim=-1)
        tanh_slope(z, candidate, out=slope_candidate)
        sigmoid_slope(torch.sub(candidate, past, out=kept), z, out=slope_z)
        sigmoid_slope(recalled if self.reset_after else past, r, out=slope_r)
        torch.sub(1, z, out=kept)
        if not self.reset_after:
            self.blank(d_gates, start)
            return _Slopes(d_gates, d_gates[..., :both], kept)
        slope_r *= slope_candidate
        self.blank(d_gates, start)
        # The product's own candidate passes the reset gate, the input's does not.
        d_product = self.room("product", gates, start, end, 3 * self.units).copy_(d_gates)
        d_product[..., both:] *= r
        return _Slopes(d_gates, d_product, kept)

    def _through_reset_after(self, slopes: _Slopes, start: int) -> _Back:
        delta, keep = self.piece(slopes.product, start), self.piece(slopes.kept, start)
        by_gate = self.piece(slopes.product.unflatten(-1, (3, self.units)), start)
        to_hidden = self.from_hidden.t()

        def back(s: int, dh: Tensor) -> Tensor:
            by_gate[s].mul_(dh[:, None])
            return product(delta[s], to_hidden).addcmul_(dh, keep[s])

        return back

    def _through_reset_before(self, slopes: _Slopes, start: int) -> _Back:
        end = start + len(slopes.gates)
        d_recalled = self.room("recalled", self.gates, start, end, self.units)
        parts = (*slopes.gates.chunk(3, dim=-1), d_recalled, slopes.product, slopes.kept)
        dz, dr, d_candidate, d_reset, delta, keep = (self.piece(part, start) for part in parts)
        _, of_r, _ = (self.piece(part, start) for part in self.gates[start:end].chunk(3, dim=-1))
        to_hidden, to_recalled = self.from_hidden.t(), self.from_recalled.t()

        def back(s: int, dh: Tensor) -> Tensor:
            dz[s].mul_(dh)
            d_candidate[s].mul_(dh)
            d_reset[s].copy_(product(d_candidate[s], to_recalled))
            dr[s].mul_(d_reset[s])
            carried = product(delta[s], to_hidden).addcmul_(dh, keep[s])
            return carried.addcmul_(d_reset[s], of_r[s])

        return back

    def uses(self, start: int, end: int) -> Iterator[Use]:
        """The gradient of every use of a state in some timesteps."""
        d_h, kept = (self.used(name, start, end) for name in ("hidden", "kept"))
        yield Use("carry", None, 1, d_h * kept)
        delta = self.used("product" if self.reset_after else "gates", start, end)
        names = ("update_gate", "reset_gate", "candidate")
        parts = zip(
            names, delta.split(self.units, -1), self.from_hidden.split(self.units), strict=False
        )
        for name, part, weight in parts:
            yield Use(name, None, 1, mapped(part, weight))
        if not self.reset_after:
            _, r, _ = self.gates[start:end].chunk(3, dim=-1)
            yield Use("candidate", None, 1, self.used("recalled", start, end) * r)

    def final(self) -> Carried:
        """The state after each row's last timestep."""
        return Carried(self.last_of(self.hidden))

    def before(self) -> Before:
        """The states that every timestep began with."""
        return Before(self.hidden[:-1])

    def signal(self, name: str) -> Tensor:
        """One entry of the readout."""
        z, r, candidate = self.gates.chunk(3, dim=-1)
        found: dict[str, Tensor] = {
            "hidden": self.hidden[1:],
            "update_gate": z,
            "reset_gate": r,
            "candidate": candidate,
        }
        return found[name]
