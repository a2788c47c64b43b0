"""RAU over a whole sequence; the equations are `RAUCell`'s."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from cells.fast.functions import sigmoid_slope, softmax_slope, tanh, tanh_slope
from cells.fast.products import WeightGradients, mapped, product
from cells.fast.sweep import Arriving, Before, Carried, Gradients, Sweep, Use
from cells.lengths import Rows
from cells.rau import RAUCell, RAUState

__all__ = ["RAUSweep"]

# From a timestep of a piece and the gradient of its state, that of the state before.
_Back = Callable[[int, Tensor], Tensor]


class _Slopes(NamedTuple):
    """The gradients of what enters gates, scores and candidates in a piece, but for that of h_t."""

    gates: Float[Tensor, "time batch gates_and_scores"]
    plain: Float[Tensor, "time batch unit"]
    attended: Float[Tensor, "time batch unit"]
    values: Float[Tensor, "time batch feature_and_unit"]
    kept: Float[Tensor, "time batch unit"]


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
        offset = weights.get("attended_bias")

        for t in range(self.time):
            raw = product(h_past[t], self.from_hidden)
            torch.add(z_r[t], raw[:, : 2 * units], out=z_r[t]).sigmoid_()
            torch.mul(r[t], h_past[t], out=recalled[t])
            tanh(plain[t].add_(product(recalled[t], self.plain_from_recalled)), out=plain[t])

            scores = attention[t] + raw[:, 2 * units :]
            torch.softmax(scores, dim=-1, out=attention[t])
            values = torch.cat([x_now[t], h_past[t]], dim=-1)
            torch.mul(attention[t], values, out=weighed[t])
            if self.scale != 1:
                weighed[t].mul_(self.scale)
            tanh(product(weighed[t], self.attended, offset), out=attended[t])

            torch.add(plain[t], attended[t], out=candidate[t]).div_(2)
            torch.lerp(h_past[t], candidate[t], z[t], out=h[t])
        return self.hidden[1:]

    def backward(self, arriving: Arriving, *, for_x: bool) -> Gradients:
        """Backpropagation through time."""
        units, both = self.units, self.both
        d_x = torch.empty_like(self.x) if for_x else None
        of_gates, of_plain, of_attended = (WeightGradients() for _ in range(3))
        arriving_h, last_h = self.steps(arriving.output), self.waiting(arriving.hidden, self.hidden)
        carried = last_h[: self.running[-1]]
        for start, end in self.pieces(2 * units + both):
            x, past = self.x[start:end], self.hidden[start:end]
            d_h = self.room("hidden", self.gates, start, end, units)
            dh = self.piece(d_h, start)
            slopes = self._slopes(start, end)
            back = self._through(slopes, start)
            for t in reversed(range(start, end)):
                s = t - start
                torch.add(arriving_h[t], self.joined(carried, last_h, t), out=dh[s])
                carried = back(s, dh[s])

            of_gates.add(slopes.gates, x, past)
            of_plain.add(slopes.plain, x, self.recalled[start:end])
            of_attended.add(slopes.attended, self.weighed[start:end])
            self.note("hidden", start, d_h)
            if d_x is not None:
                torch.add(
                    self.unhoisted(slopes.gates, self.from_input),
                    self.unhoisted(slopes.plain, self.plain_from_input),
                    out=d_x[start:end],
                )
                d_x[start:end] += slopes.values[..., : self.features]
        learned = of_gates.named("from_input", "from_hidden", "bias")
        learned |= of_plain.named("plain_from_input", "plain_from_recalled", "plain_bias")
        learned |= of_attended.named("attended", "attended_bias")
        return Gradients(d_x, Carried(carried), learned)

    def _slopes(self, start: int, end: int) -> _Slopes:
        r"""What h_t is worth to z and to either candidate, and ρ = r ⊙ h_{t-1} to r, at once.

        .. math::
            \delta_z = z(1-z)\left(\frac{\tilde h + \hat h}{2} - h_{t-1}\right)\lambda, \quad
            \delta_{\tilde h} = (1-\tilde h^2)\,\frac z2 \lambda, \quad
            \delta_{\hat h} = (1-\hat h^2)\,\frac z2 \lambda, \quad
            \delta_r = r(1-r)\, h_{t-1}\, \partial L/\partial \rho

        They become gradients as λ comes by.
        """
        units, both, gates = self.units, self.both, self.gates[start:end]
        z, r, _ = gates.split([units, units, both], dim=-1)
        past = self.hidden[start:end]
        d_gates = self.room("gates", gates, start, end, 2 * units + both)
        d_plain, d_attended, kept = (
            self.room(name, gates, start, end, units) for name in ("plain", "attended", "kept")
        )
        d_values = self.room("values", gates, start, end, both)

        slope_z, slope_r, _ = d_gates.split([units, units, both], dim=-1)
        half = torch.div(z, 2, out=kept)
        tanh_slope(half, self.plain[start:end], out=d_plain)
        tanh_slope(half, self.attended_candidate[start:end], out=d_attended)
        sigmoid_slope(torch.sub(self.candidate[start:end], past, out=kept), z, out=slope_z)
        sigmoid_slope(past, r, out=slope_r)
        torch.sub(1, z, out=kept)
        for slopes in (d_gates, d_plain, d_attended):
            self.blank(slopes, start)
        return _Slopes(d_gates, d_plain, d_attended, d_values, kept)

    def _through(self, slopes: _Slopes, start: int) -> _Back:
        """Back through the timesteps of a piece."""
        end, sizes = start + len(slopes.gates), [self.units, self.units, self.both]
        dz, dr, d_scores = (self.piece(p, start) for p in slopes.gates.split(sizes, dim=-1))
        delta, dp, da, dv, keep = (self.piece(part, start) for part in slopes)
        _, of_r, alpha = (
            self.piece(part, start) for part in self.gates[start:end].split(sizes, dim=-1)
        )
        values = torch.cat([self.x[start:end], self.hidden[start:end]], dim=-1)
        value = self.piece(values, start)
        to_hidden, to_recalled = self.from_hidden.t(), self.plain_from_recalled.t()
        to_weighed = self.attended.t()

        def back(s: int, dh: Tensor) -> Tensor:
            dz[s].mul_(dh)
            dp[s].mul_(dh)
            da[s].mul_(dh)
            d_reset = product(dp[s], to_recalled)
            dr[s].mul_(d_reset)

            # U_t ⊙ [x_t, h_{t-1}]: first as what is weighed, then by its softmax.
            d_weighed = product(da[s], to_weighed)
            if self.scale != 1:
                d_weighed.mul_(self.scale)
            torch.mul(d_weighed, alpha[s], out=dv[s])
            d_scores[s].copy_(softmax_slope(d_weighed.mul_(value[s]), alpha[s], axis=-1))

            carried = product(delta[s], to_hidden)
            carried.addcmul_(dh, keep[s]).addcmul_(d_reset, of_r[s])
            return carried.add_(dv[s][:, self.features :])

        return back

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
