"""Watching the gradient of every state of a walk, without touching it."""

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.graph import register_multi_grad_hook

from cells.lengths import Rows

__all__ = ["GradientHook", "ReadoutHook", "watch_gradients"]

ReadoutHook = Callable[[str, Mapping[str, Tensor], Tensor], None]
GradientHook = Callable[[str, Mapping[str, Tensor]], None]


def watch_gradients(
    states: Mapping[str, list[Tensor]],
    rows: Rows,
    *,
    longest: int,
    report: Callable[[dict[str, Tensor]], None],
) -> None:
    """Reports the norm of the gradient at every state once backward has reached all of them.

    Arguments:
        states: For each state (`hidden`, `memory`), one tensor a step.
        rows: The order of the rows.
        longest: Timesteps in the caller's input.
        report: Takes `{"hidden_gradient_norm": (time, batch), ...}`, NaN in padding.
    """
    names = [name for name, steps in states.items() for _ in steps]
    watched = [state for steps in states.values() for state in steps]

    def reached(gradients: Sequence[Tensor | None]) -> None:
        norms: dict[str, list[Tensor]] = {name: [] for name in states}
        for name, state, gradient in zip(names, watched, gradients, strict=True):
            norms[name].append(
                state.new_zeros(len(state)) if gradient is None else _norm(gradient.detach())
            )
        report(
            {
                f"{name}_gradient_norm": rows.restore(steps, longest=longest, fill=torch.nan)
                for name, steps in norms.items()
            }
        )

    register_multi_grad_hook(watched, reached)


def _norm(gradient: Float[Tensor, "batch unit"]) -> Float[Tensor, "batch"]:
    # Scaled first: squares underflow in float32 below about 1e-22.
    scale = gradient.abs().amax(dim=-1, keepdim=True).clamp_min(torch.finfo(gradient.dtype).tiny)
    norm: Tensor = torch.linalg.vector_norm(gradient / scale, dim=-1)
    return norm * scale[:, 0]
