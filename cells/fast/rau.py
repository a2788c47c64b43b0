"""RAU over a whole sequence; the equations are `RAUCell`'s."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cells.fast.products import WeightGradients, mapped, product
from cells.fast.sweep import Arriving, Before, Carried, Gradients, Sweep, Use
from cells.lengths import Rows
from cells.rau import RAUCell, RAUState

__all__ = ["RAUSweep"]


class RAUSweep(Sweep):
    """All timesteps of a RAU that attends over its input and its state."""

    def __init__(self, cell: RAUCell, rows: Rows, keep: frozenset[str], *, saving: bool) -> None:
        super().__init__(cell, rows, keep, saving=saving)
        self.both = cell.input_size + cell.hidden_size
        self.scale = float(self.both) if cell.rescale else 1.0

    @staticmethod
    def obstacle(cell: RAUCell, state: RAUState | None) -> str | None:
        """The other readings weigh something else."""
        return None if cell.reading == "input" else f"reading={cell.reading!r}"

    @staticmethod
    def weights(cell: RAUCell) -> dict[str, Tensor]:
        """The maps of gates and scores, which read the same, of the plain candidate, and so on."""
        features, both = cell.input_size, 2 * cell.hidden_size
        from_input, score = cell.from_input, cell.score
        weights: dict[str, Any] = {
            "from_input": torch.cat([from_input.weight[:both], score.weight[:, :features]]),
            "from_hidden": torch.cat(
                [
                    cell.update_from_hidden.weight,
                    cell.reset_from_hidden.weight,
                    score.weight[:, features:],
                ]
            ),
            "plain_from_input": from_input.weight[both:],
            "plain_from_recalled": cell.candidate_from_hidden.weight,
            "attended": cell.attended.weight,
        }
        if from_input.bias is not None:
            weights["bias"] = torch.cat([from_input.bias[:both], score.bias])
            weights["plain_bias"] = from_input.bias[both:]
            weights["attended_bias"] = cell.attended.bias
        return weights

    def forward(
        self,
        x: Float[Tensor, "time batch feature"],
        start: Carried,
        weights: Mapping[str, Tensor],
    ) -> Float[Tensor, "time batch unit"]:
        """All timesteps."""
        units, keep = self.units, self.keep
        self.read(x, weights)
        self.plain_from_input = weights["plain_from_input"]
        self.plain_from_recalled = weights["plain_from_recalled"]
        self.attended = weights["attended"]
        self.plain = self.hoisted(self.x, self.plain_from_input, weights.get("plain_bias"))
        z_r, attention = map(self.steps, self.gates.split([2 * units, self.both], dim=-1))
        z, r = (self.steps(gate) for gate in self.gates[..., : 2 * units].chunk(2, dim=-1))
        x_now, plain = self.steps(self.x), self.steps(self.plain)

        self.hidden = self.from_state(start.hidden)
        h_past, h = self.steps(self.hidden[:-1]), self.steps(self.hidden[1:])
        saving, room = self.saving, start.hidden
        self.recalled = self.passing(room, units, needed=saving)  # what the reset gate leaves
        self.weighed = self.passing(room, self.both, needed=saving)
        shown = saving or "attended_candidate" in keep
        self.attended_candidate = self.passing(room, units, needed=shown)
        self.candidate = self.passing(room, units, needed=saving or "candidate" in keep)
        recalled, weighed = self.steps(self.recalled), self.steps(self.weighed)
        attended, candidate = self.steps(self.attended_candidate), self.steps(self.candidate)
        offset = weights.get("attended_bias", room.new_zeros(units))

        for t in range(self.time):
            raw = product(h_past[t], self.from_hidden)
            torch.add(z_r[t], raw[:, : 2 * units], out=z_r[t]).sigmoid_()
            torch.mul(r[t], h_past[t], out=recalled[t])
            plain[t].add_(product(recalled[t], self.plain_from_recalled)).tanh_()

            scores = attention[t] + raw[:, 2 * units :]
            torch.softmax(scores, dim=-1, out=attention[t])
            values = torch.cat([x_now[t], h_past[t]], dim=-1)
            torch.mul(attention[t], values, out=weighed[t])
            if self.scale != 1:
                weighed[t].mul_(self.scale)
            torch.add(product(weighed[t], self.attended), offset, out=attended[t]).tanh_()

            torch.add(plain[t], attended[t], out=candidate[t]).div_(2)
            torch.lerp(h_past[t], candidate[t], z[t], out=h[t])
        return self.hidden[1:]

    def backward(self, arriving: Arriving, *, for_x: bool) -> Gradients:
        """Backpropagation through time."""
        units, features, both = self.units, self.features, self.both
        d_x = torch.empty_like(self.x) if for_x else None
        of_gates, of_plain, of_attended = (WeightGradients() for _ in range(3))
        arriving_h, last_h = self.steps(arriving.output), self.waiting(arriving.hidden, self.hidden)
        carried = last_h[: self.running[-1]]
        to_hidden, to_recalled = self.from_hidden.t(), self.plain_from_recalled.t()
        to_weighed = self.attended.t()
        for start, end in self.pieces(2 * units + both):
            gates = self.gates[start:end]
            z, r, attention = gates.split([units, units, both], dim=-1)
            past, plain = self.hidden[start:end], self.plain[start:end]
            attended, weighed = self.attended_candidate[start:end], self.weighed[start:end]
            d_gates = self.room("gates", gates, start, end, 2 * units + both)
            d_h, d_plain, d_attended, kept = (
                self.room(name, gates, start, end, units)
                for name in ("hidden", "plain", "attended", "kept")
            )
            d_values = self.room("values", gates, start, end, both)

            # The slopes of h_t by z and by either candidate, and of what is reset by r.
            slope_z, slope_r, d_scores = d_gates.split([units, units, both], dim=-1)
            torch.sub(1, z, out=kept)
            torch.mul(z, kept, out=slope_z).mul_(self.candidate[start:end] - past)
            torch.sub(1, r, out=slope_r).mul_(r).mul_(past)
            for half, slope in ((plain, d_plain), (attended, d_attended)):
                torch.mul(half, half, out=slope).neg_().add_(1).mul_(z).div_(2)
            values = torch.cat([self.x[start:end], past], dim=-1)
            for slopes in (d_gates, d_plain, d_attended):
                self.blank(slopes, start)

            dh, keep, delta = (self.piece(part, start) for part in (d_h, kept, d_gates))
            dz, dr, ds = (self.piece(part, start) for part in (slope_z, slope_r, d_scores))
            dp, da, dv = (self.piece(part, start) for part in (d_plain, d_attended, d_values))
            alpha, value = self.piece(attention, start), self.piece(values, start)
            of_r = self.piece(r, start)
            for t in reversed(range(start, end)):
                s = t - start
                torch.add(arriving_h[t], self.joined(carried, last_h, t), out=dh[s])
                dz[s].mul_(dh[s])
                dp[s].mul_(dh[s])
                da[s].mul_(dh[s])
                d_reset = product(dp[s], to_recalled)
                dr[s].mul_(d_reset)

                # U_t ⊙ [x_t, h_{t-1}]: first as what is weighed, then by its softmax.
                d_weighed = product(da[s], to_weighed)
                if self.scale != 1:
                    d_weighed.mul_(self.scale)
                d_weighed.mul_(alpha[s])
                dv[s].copy_(d_weighed)
                d_weighed.mul_(value[s])
                total = d_weighed.sum(dim=-1, keepdim=True)
                torch.addcmul(d_weighed, alpha[s], total, value=-1, out=ds[s])

                carried = product(delta[s], to_hidden)
                carried.addcmul_(dh[s], keep[s]).addcmul_(d_reset, of_r[s])
                carried.add_(dv[s][:, features:])

            of_gates.add(d_gates, self.x[start:end], past)
            of_plain.add(d_plain, self.x[start:end], self.recalled[start:end])
            of_attended.add(d_attended, weighed)
            self.note("hidden", start, d_h)
            if d_x is not None:
                torch.add(
                    self.unhoisted(d_gates, self.from_input),
                    self.unhoisted(d_plain, self.plain_from_input),
                    out=d_x[start:end],
                )
                d_x[start:end] += d_values[..., :features]
        learned = of_gates.named("from_input", "from_hidden", "bias")
        learned |= of_plain.named("plain_from_input", "plain_from_recalled", "plain_bias")
        learned |= of_attended.named("attended", "attended_bias")
        return Gradients(d_x, Carried(carried), learned)

    def uses(self, start: int, end: int) -> Iterator[Use]:
        """The gradient of every use of a state in some timesteps."""
        d_h, kept, d_plain, d_values = (
            self.used(name, start, end) for name in ("hidden", "kept", "plain", "values")
        )
        yield Use("carry", None, 1, d_h * kept)
        sizes = [self.units, self.units, self.both]
        delta = self.used("gates", start, end).split(sizes, dim=-1)
        names = ("update_gate", "reset_gate", "attention_score")
        for name, part, weight in zip(names, delta, self.from_hidden.split(sizes), strict=True):
            yield Use(name, None, 1, mapped(part, weight))
        r = self.gates[start:end, :, self.units : 2 * self.units]
        yield Use("candidate", None, 1, mapped(d_plain, self.plain_from_recalled) * r)
        yield Use("attention_value", None, 1, d_values[..., self.features :])

    def final(self) -> Carried:
        """The state after each row's last timestep."""
        return Carried(self.last_of(self.hidden))

    def before(self) -> Before:
        """The states that every timestep began with."""
        return Before(self.hidden[:-1])

    def signal(self, name: str) -> Tensor:
        """One entry of the readout."""
        z, r, attention = self.gates.split([self.units, self.units, self.both], dim=-1)
        found: dict[str, Tensor] = {
            "feature_attention": attention,
            "hidden": self.hidden[1:],
            "update_gate": z,
            "reset_gate": r,
            "candidate": self.candidate,
            "plain_candidate": self.plain,
            "attended_candidate": self.attended_candidate,
        }
        return found[name]
