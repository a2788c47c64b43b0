"""Watching the gradient of every state of a walk, without touching it."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from cells.base import StateName
from cells.lengths import Rows

__all__ = [
    "GradientHook",
    "GradientParts",
    "ReadoutHook",
    "Watch",
    "norm_of_each",
    "watch_for",
    "watch_gradients",
]

ReadoutHook = Callable[[str, Mapping[str, Tensor], Tensor], None]
GradientHook = Callable[[str, Mapping[str, Tensor]], None]
GradientParts = Literal["norms", "routes", "exits"]
"""The norms of the states' gradients; by route; and by the routes' way on to the input."""


class Watch(NamedTuple):
    """Who wants to know what of the gradients, when a backward pass ends."""

    report: Callable[[dict[str, Tensor]], None]
    parts: GradientParts


def watch_for(group: str, hooks: Iterable[tuple[GradientHook, GradientParts]]) -> Watch | None:
    """What hooks on the gradients of a group want to know together; none if there are none.

    Arguments:
        group: The layer and direction.
        hooks: As they are now, each with the parts that it asked for.
    """
    asked = list(hooks)
    if not asked:
        return None

    def report(gradients: dict[str, Tensor]) -> None:
        for hook, parts in asked:
            hook(group, {n: v for n, v in gradients.items() if _asked_for(n, parts)})

    return Watch(report, max((parts for _, parts in asked), key=get_args(GradientParts).index))


def _asked_for(name: str, parts: GradientParts) -> bool:
    """Whether a hook that asked for these parts is told a number."""
    if parts == "exits":
        return True
    of_states = not name.startswith("input_")
    return of_states if parts == "routes" else of_states and name.endswith("_gradient_norm")


def watch_gradients(
    states: Mapping[StateName, list[Tensor]],
    rows: Rows,
    *,
    reduce: Callable[[Tensor], Tensor],
    finish: Callable[[dict[StateName, list[Tensor]], int], None],
) -> None:
    """Collects the gradient at every state, each time a backward pass ends.

    Arguments:
        states: For each state (`hidden`, `memory`), one tensor a step.
        rows: The order of the rows.
        reduce: What to keep of a gradient `(row, unit)`: one entry a row.
        finish: Takes it for each state and step; zero where no gradient came, NaN at states that
            do not depend on anything that asks for gradients. Also, which backward pass it was.
    """
    watched = {name: [step.requires_grad for step in steps] for name, steps in states.items()}
    like = next(iter(states.values()))[0].detach()
    collected = _Collected(watched, rows, reduce(like[:0]), reduce=reduce, finish=finish)
    for name, steps in states.items():
        for step, state in enumerate(steps):
            if state.requires_grad:
                take = partial(collected.take, name, step)
                state.register_hook(take)  # type: ignore[no-untyped-call]


class _Collected:
    """What is kept of one backward pass.

    It must not hold a tensor or node of the graph, as `register_multi_grad_hook` does: hooks are
    kept by the graph, and the two would keep each other in memory for good.
    """

    def __init__(
        self,
        watched: dict[StateName, list[bool]],
        rows: Rows,
        like: Tensor,
        *,
        reduce: Callable[[Tensor], Tensor],
        finish: Callable[[dict[StateName, list[Tensor]], int], None],
    ) -> None:
        self.watched, self.rows, self.like = watched, rows, like
        self.reduce, self.finish = reduce, finish
        self.backward_pass = -1
        self.taken: dict[StateName, list[Tensor]] = {}

    def take(self, name: StateName, step: int, gradient: Tensor) -> None:
        """Called by backward, with the whole gradient of one state."""
        current = torch._C._current_graph_task_id()
        if current != self.backward_pass:
            self.backward_pass, self.taken = current, self._untouched()
            engine = torch.autograd.Variable._execution_engine
            engine.queue_callback(self._finish)
        self.taken[name][step] = self.reduce(gradient.detach())

    def _untouched(self) -> dict[StateName, list[Tensor]]:
        """No gradient has arrived: zero, or NaN where none can."""
        sizes, rest = self.rows.running, self.like.shape[1:]
        return {
            name: [
                self.like.new_full((size, *rest), 0.0 if asks else torch.nan)
                for size, asks in zip(sizes, steps, strict=True)
            ]
            for name, steps in self.watched.items()
        }

    def _finish(self) -> None:
        taken, self.taken = self.taken, {}
        self.finish(taken, self.backward_pass)


def norm_of_each(gradient: Float[Tensor, "*rows unit"]) -> Float[Tensor, "*rows"]:
    """The Euclidean norm over the units, of tiny gradients too."""
    # Squares underflow in float32 below about 1e-22, so that such rows are scaled first: all of
    # them on a GPU, where looking whether there are any would wait for it.
    if gradient.device.type != "cpu":
        return _scaled_norm(gradient)
    squares = torch.linalg.vecdot(gradient, gradient)
    norm: Tensor = squares.sqrt()
    number = torch.finfo(gradient.dtype)
    odd = (squares < number.tiny / number.eps**2) | (squares > number.max * number.eps)
    if bool(odd.any()):
        odd &= gradient.abs().amax(dim=-1) != 0  # zeros are what they are; NaN is not zero
        norm[odd] = _scaled_norm(gradient[odd]).to(norm.dtype)  # autocast makes it float32
    return norm


def _scaled_norm(gradient: Float[Tensor, "*rows unit"]) -> Float[Tensor, "*rows"]:
    scale = gradient.abs().amax(dim=-1, keepdim=True).clamp_min(torch.finfo(gradient.dtype).tiny)
    norm: Tensor = torch.linalg.vector_norm(gradient / scale, dim=-1)
    return norm * scale[..., 0]
