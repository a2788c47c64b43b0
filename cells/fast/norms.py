"""The norms of a recurrence, one timestep after the other, with what their gradients need."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from cells.fast.functions import by_step
from cells.norms import Norm

__all__ = ["Part", "StepNorm", "norm_weights"]


def norm_weights(name: str, norm: Norm) -> dict[str, Tensor]:
    """What a norm learns, as `name_gain` and `name_shift`."""
    learned = {f"{name}_gain": norm.weight, f"{name}_shift": norm.bias}
    return {key: weight for key, weight in learned.items() if weight is not None}


class Part:
    """A part of a sweep that holds tensors of its own and adds up gradients of its own weights."""

    gradients: dict[str, Tensor]

    def add(self, name: str, gradient: Tensor) -> None:
        """Adds to the gradient of a weight."""
        total = self.gradients.get(name)
        self.gradients[name] = gradient if total is None else total.add_(gradient)


class StepNorm(Part):
    """One norm over the timesteps of a sweep; the equations are `Norm`'s.

    Arguments:
        name: Of the norm, in the weights.
        norm: For its kind, ε and running statistics.
    """

    def __init__(self, name: str, norm: Norm) -> None:
        self.name, self.kind, self.units, self.epsilon = name, norm.kind, norm.units, norm.epsilon
        running = norm.kind == "batch"
        self.running = (norm.running_mean, norm.running_var) if running else None
        self.gradients = {}

    def begin(
        self, weights: Mapping[str, Tensor], like: Tensor, running: Sequence[int], *, saving: bool
    ) -> None:
        """Room for the statistics of all timesteps: of batch norm's rows, count, mean, variance."""
        self.saving = saving
        self.gain, self.shift = (weights.get(f"{self.name}_{part}") for part in ("gain", "shift"))
        if self.kind == "batch":
            self.counted = like.new_zeros(len(running), 3, self.units)
            self.counted[:, 0] = by_step(like, running)[:, None]
            self.statistics = list(zip(*self.counted[:, 1:].unbind(dim=1), strict=True))
            saved = like.new_empty(2, len(running), self.units)
            self.saved = list(zip(*saved, strict=True))
        # Mean and inverse deviation of each timestep: small, and nobody else's, so in a list.
        self.kept: list[tuple[Tensor, Tensor]] = []

    def forward(
        self, t: int, x: Float[Tensor, "row unit"], *, own: bool, out: Float[Tensor, "row unit"]
    ) -> Float[Tensor, "row unit"]:
        """Normalises a timestep; `own` is whether batch norm takes the rows' own statistics."""
        if self.kind == "none":
            return out.copy_(x)
        if self.kind == "layer":
            y, mean, scale = torch.native_layer_norm(
                x, [self.units], self.gain, self.shift, self.epsilon
            )
            self._keep(mean, scale)
            return out.copy_(y)
        if own:
            # With a momentum of one the batch's statistics are written over these two.
            mean, variance = self.statistics[t]
            torch.native_batch_norm(
                x, self.gain, self.shift, mean, variance, True, 1.0, self.epsilon,
                out=(out, *self.saved[t]),
            )  # fmt: skip
            self._keep(*self.saved[t])
            return out
        mean, variance = self.running  # type: ignore[misc]  # batch norm has them
        y, _, _ = torch.native_batch_norm(
            x, self.gain, self.shift, mean, variance, False, 0.0, self.epsilon
        )
        self._keep(mean, variance)  # which backward leaves unread
        return out.copy_(y)

    def _keep(self, mean: Tensor, scale: Tensor) -> None:
        if self.saving:
            self.kept.append((mean, scale))

    def begin_backward(self) -> None:
        """Room for batch norm's gradients of gain and shift, of each timestep."""
        self.learning: list[tuple[Tensor | None, Tensor | None]] = []

    def backward(
        self,
        t: int,
        dy: Float[Tensor, "row unit"],
        x: Float[Tensor, "row unit"],
        *,
        own: bool,
    ) -> Float[Tensor, "row unit"]:
        """The gradient of what was normalised; batch norm's of gain and shift are kept."""
        if self.kind == "none":
            return dy
        mean, scale = self.kept[t]
        if self.kind == "layer":
            dx, _, _ = torch.ops.aten.native_layer_norm_backward(
                dy, x, [self.units], mean, scale, self.gain, self.shift, [True, False, False]
            )
            found: Tensor = dx
            return found
        wanted = [True, self.gain is not None, self.shift is not None]
        found, d_gain, d_shift = torch.ops.aten.native_batch_norm_backward(
            dy, x, self.gain, *(self.running or ()), mean, scale, own, self.epsilon, wanted
        )
        self.learning.append((d_gain, d_shift))
        return found

    def learn(self, dy: Float[Tensor, "time row unit"], x: Float[Tensor, "time row unit"]) -> None:
        """Layer norm's gradients of gain and shift, from many timesteps at once."""
        wanted = [False, self.gain is not None, self.shift is not None]
        if self.kind != "layer" or not any(wanted):
            return
        _, mean, scale = torch.native_layer_norm(x, [self.units], None, None, self.epsilon)
        _, d_gain, d_shift = torch.ops.aten.native_layer_norm_backward(
            dy, x, [self.units], mean, scale, self.gain, self.shift, wanted
        )
        self._add_both(d_gain, d_shift)

    def learned(self) -> dict[str, Tensor]:
        """The gradients of gain and shift, after a backward pass."""
        if self.learning:
            gains, shifts = zip(*self.learning, strict=True)
            self._add_both(
                *(None if p[0] is None else torch.stack(p).sum(dim=0) for p in (gains, shifts))
            )
        return self.gradients

    def _add_both(self, gain: Tensor | None, shift: Tensor | None) -> None:
        for part, gradient in (("gain", gain), ("shift", shift)):
            if gradient is not None:
                self.add(f"{self.name}_{part}", gradient)
