"""The GRU over a whole sequence; the equations are `GRUCell`'s."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cells.fast.products import WeightGradients, mapped, product
from cells.fast.sweep import Arriving, Before, Carried, Gradients, Sweep, Use
from cells.gru import GRUCell
from cells.lengths import Rows

__all__ = ["GRUSweep"]


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
                candidate[t].addcmul_(r[t], recalled[t]).tanh_()
            else:
                torch.mul(r[t], h_past[t], out=recalled[t])
                raw = product(recalled[t], self.from_recalled)
                candidate[t].add_(raw).tanh_()
            torch.lerp(h_past[t], candidate[t], z[t], out=h[t])
        return self.hidden[1:]

    def backward(self, arriving: Arriving, *, for_x: bool) -> Gradients:
        """Backpropagation through time."""
        both, d_x = 2 * self.units, torch.empty_like(self.x) if for_x else None
        from_input, from_hidden, from_recalled = (WeightGradients() for _ in range(3))
        arriving_h, last_h = self.steps(arriving.output), self.waiting(arriving.hidden, self.hidden)
        carried = last_h[: self.running[-1]]
        to_hidden = self.from_hidden.t()
        for start, end in self.pieces(3 * self.units):
            gates = self.gates[start:end]
            z, r, candidate = gates.chunk(3, dim=-1)
            past, recalled = self.hidden[start:end], self.recalled[start:end]
            d_gates = self.room("gates", gates, start, end, 3 * self.units)
            d_h, kept, d_recalled = (
                self.room(name, gates, start, end, self.units)
                for name in ("hidden", "kept", "recalled")
            )

            # The slopes of h_t by z and the candidate, and of the candidate by r.
            torch.mul(gates, gates, out=d_gates)
            torch.sub(gates, d_gates, out=d_gates)
            slope_z, slope_r, slope_candidate = d_gates.chunk(3, dim=-1)
            slope_z *= candidate - past
            torch.mul(candidate, candidate, out=slope_candidate).neg_().add_(1).mul_(z)
            if self.reset_after:
                slope_r *= recalled
                slope_r *= slope_candidate
            else:
                slope_r *= past
            torch.sub(1, z, out=kept)
            self.blank(d_gates, start)
            if self.reset_after:
                # The product's own candidate passes the reset gate, the input's does not.
                d_product = self.room("product", gates, start, end, 3 * self.units).copy_(d_gates)
                d_product[..., both:] *= r
            else:
                d_product = d_gates[..., :both]

            dh, keep = self.piece(d_h, start), self.piece(kept, start)
            delta = self.piece(d_product, start)
            by_gate = self.piece(d_product.unflatten(-1, (-1, self.units)), start)
            d_candidate = self.piece(slope_candidate, start)
            dr, of_r = self.piece(slope_r, start), self.piece(r, start)
            d_reset = self.piece(d_recalled, start)
            for t in reversed(range(start, end)):
                s = t - start
                torch.add(arriving_h[t], self.joined(carried, last_h, t), out=dh[s])
                if self.reset_after:
                    by_gate[s].mul_(dh[s][:, None])
                    carried = product(delta[s], to_hidden).addcmul_(dh[s], keep[s])
                else:
                    by_gate[s][:, 0].mul_(dh[s])
                    d_candidate[s].mul_(dh[s])
                    d_reset[s].copy_(product(d_candidate[s], self.from_recalled.t()))
                    dr[s].mul_(d_reset[s])
                    carried = product(delta[s], to_hidden).addcmul_(dh[s], keep[s])
                    carried.addcmul_(d_reset[s], of_r[s])

            if self.reset_after:
                d_gates.unflatten(-1, (3, self.units)).mul_(d_h[:, :, None])
            else:
                from_recalled.add(slope_candidate, recalled)
            from_input.add(d_gates, self.x[start:end])
            from_hidden.add(d_product, past)
            self.note("hidden", start, d_h)
            if d_x is not None:
                d_x[start:end] = self.unhoisted(d_gates, self.from_input)
        learned = from_input.named("from_input", "bias")
        learned |= from_hidden.named("from_hidden", "candidate_bias")
        learned["candidate_bias"] = learned["candidate_bias"][both:]
        if not self.reset_after:
            learned |= from_recalled.named("candidate_from_recalled")
        return Gradients(d_x, Carried(carried), learned)

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
