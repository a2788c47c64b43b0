"""Watching the gradient of every state of a walk, without touching it."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from cells.lengths import Rows

__all__ = ["GradientHook", "ReadoutHook", "norm_of_each", "watch_gradients"]

ReadoutHook = Callable[[str, Mapping[str, Tensor], Tensor], None]
GradientHook = Callable[[str, Mapping[str, Tensor]], None]
Report = Callable[[dict[str, Tensor]], None]


def watch_gradients(
    states: Mapping[str, list[Tensor]], rows: Rows, *, longest: int, report: Report
) -> None:
    """Reports the norm of the gradient at every state, each time a backward pass ends.

    Arguments:
        states: For each state (`hidden`, `memory`), one tensor a step.
        rows: The order of the rows.
        longest: Timesteps in the caller's input.
        report: Takes `{"hidden_gradient_norm": (time, batch), ...}`, NaN in padding and at
            states that do not depend on anything that asks for gradients.
    """
    watched = {name: [step.requires_grad for step in steps] for name, steps in states.items()}
    like = next(iter(states.values()))[0].detach().new_empty(0)
    norms = _Norms(watched, rows, longest=longest, like=like, report=report)
    for name, steps in states.items():
        for step, state in enumerate(steps):
            if state.requires_grad:
                state.register_hook(partial(norms.take, name, step))  # type: ignore[no-untyped-call]


class _Norms:
    """The norms of one backward pass.

    It must not hold a tensor or node of the graph, as `register_multi_grad_hook` does: hooks are
    kept by the graph, and the two would keep each other in memory for good.
    """

    def __init__(
        self,
        watched: dict[str, list[bool]],
        rows: Rows,
        *,
        longest: int,
        like: Tensor,
        report: Report,
    ) -> None:
        self.watched, self.rows, self.longest = watched, rows, longest
        self.like, self.report = like, report
        self.backward_pass = -1
        self.taken: dict[str, list[Tensor]] = {}

    def take(self, name: str, step: int, gradient: Tensor) -> None:
        """Called by backward, with the whole gradient of one state."""
        current = torch._C._current_graph_task_id()
        if current != self.backward_pass:
            self.backward_pass, self.taken = current, self._untouched()
            engine = torch.autograd.Variable._execution_engine
            engine.queue_callback(self._finish)
        self.taken[name][step] = norm_of_each(gradient.detach())

    def _untouched(self) -> dict[str, list[Tensor]]:
        """No gradient has arrived: zero, or NaN where none can."""
        sizes = self.rows.running
        return {
            name: [
                self.like.new_full((size,), 0.0 if asks else torch.nan)
                for size, asks in zip(sizes, steps, strict=True)
            ]
            for name, steps in self.watched.items()
        }

    def _finish(self) -> None:
        taken, self.taken = self.taken, {}
        self.report(
            {
                f"{name}_gradient_norm": self.rows.from_steps(
                    steps, longest=self.longest, fill=torch.nan
                )
                for name, steps in taken.items()
            }
        )


def norm_of_each(gradient: Float[Tensor, "*rows unit"]) -> Float[Tensor, "*rows"]:
    """The Euclidean norm over the units."""
    # Scaled first: squares underflow in float32 below about 1e-22.
    scale = gradient.abs().amax(dim=-1, keepdim=True).clamp_min(torch.finfo(gradient.dtype).tiny)
    norm: Tensor = torch.linalg.vector_norm(gradient / scale, dim=-1)
    return norm * scale[..., 0]
