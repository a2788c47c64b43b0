"""A sweep as one node of the graph."""

import gc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from cells.fast.sweep import Arriving, Carried, Sweep
from cells.lengths import Rows

__all__ = ["sweep_whole"]

Finish = Callable[[Sweep, int], None]


class _Plan(NamedTuple):
    """What the node needs besides tensors."""

    sweep: Sweep
    rows: Rows
    longest: int
    weights: tuple[str, ...]
    finish: Finish | None


def sweep_whole(
    sweep: Sweep,
    x: Float[Tensor, "time batch feature"],
    rows: Rows,
    start: Carried,
    weights: Mapping[str, Tensor],
    *,
    finish: Finish | None = None,
) -> tuple[Float[Tensor, "time batch unit"], Carried]:
    """Runs a sweep, as one node of the graph if it was made for saving.

    Arguments:
        sweep: Made for these rows; it has its signals afterwards.
        x: In the caller's order.
        rows: The order of the walk.
        start: The state before, in the walk's order.
        weights: What the sweep reads of its cell.
        finish: Takes the sweep with what it noted, and the backward pass, when that ends.

    Returns:
        The output in the caller's order, zero in padding, and the state after each row's own last
        timestep, in the walk's order.
    """
    plan = _Plan(sweep, rows, len(x), tuple(weights), finish)
    tensors = (x, *start, *weights.values())
    if sweep.saving:
        output, *final = _Whole.apply(plan, *tensors)
        return output, Carried(*final)
    return _run(plan, *(t if t is None else t.detach() for t in tensors))


def _run(plan: _Plan, x: Tensor | None, *tensors: Tensor | None) -> tuple[Tensor, Carried]:
    assert x is not None
    start, learned = Carried(*tensors[:3]), tensors[3:]  # type: ignore[arg-type]
    weights = {name: t for name, t in zip(plan.weights, learned, strict=True) if t is not None}
    with _undisturbed():
        hidden = plan.sweep.forward(plan.rows.to_walk(x), start, weights)
    output = plan.rows.from_walk(hidden, longest=plan.longest, fill=0.0)
    if output is hidden:
        # Callers may change what they are given in place; the sweep still needs its own.
        output = hidden.clone()
    return output, plan.sweep.final()


class _Whole(torch.autograd.Function):
    """Forward and backward of a whole sequence."""

    @staticmethod
    def forward(ctx: Any, plan: _Plan, *tensors: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """As `_run`."""
        ctx.set_materialize_grads(False)
        output, final = _run(plan, *tensors)
        # Saved as any node saves its tensors, so that torch frees them and sees changes in place.
        buffers = plan.sweep.tensors()
        ctx.plan, ctx.names, ctx.given = plan, tuple(buffers), len(tensors)
        ctx.save_for_backward(*tensors, *buffers.values())
        device = output.device.type
        ctx.mixed = device, torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)
        return output, *final

    @staticmethod
    def backward(
        ctx: Any,  # noqa: ANN401
        output: Tensor | None,
        *final: Tensor | None,
    ) -> tuple[Tensor | None, ...]:
        """The gradients of the input, the state before and the weights."""
        if torch.is_grad_enabled():
            raise RuntimeError(
                "A gradient of a gradient (create_graph=True) needs the step: the fast path's "
                "backward pass cannot be differentiated. Set the layer's path to 'step'."
            )
        plan: _Plan = ctx.plan
        x, *tensors = ctx.saved_tensors[: ctx.given]
        sweep = plan.sweep.revived(
            dict(zip(ctx.names, ctx.saved_tensors[ctx.given :], strict=True))
        )
        shape = (plan.longest, sweep.batch, sweep.units)
        whole = x.new_zeros(shape) if output is None else output
        device, dtype, enabled = ctx.mixed
        with torch.autocast(device, dtype, enabled), _undisturbed():
            found = sweep.backward(
                Arriving(plan.rows.to_walk(whole), *final), for_x=ctx.needs_input_grad[1]
            )
        if plan.finish is not None:
            # When the whole backward pass is over, as for hooks on states.
            engine = torch.autograd.Variable._execution_engine
            backward_pass = torch._C._current_graph_task_id()
            engine.queue_callback(partial(plan.finish, sweep, backward_pass))
        d_x = found.x
        if d_x is not None:
            d_x = plan.rows.from_walk(d_x, longest=plan.longest, fill=0.0)
        learned = [found.weights[name] for name in plan.weights]
        return None, d_x, *_shaped(found.start, tensors), *learned


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Spares a loop over timesteps what costs it a tenth of its time and is of no use to it.

    Nothing is differentiated within a node, so that no operation need ask whether to. And the views
    that a long sequence is cut into, thousands and in no cycle, would make the garbage collector
    search all that the process holds. Where two threads are at it, the one that began first turns
    the collector on again for both when it ends.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        with torch._C._AutoDispatchBelowAutograd():
            yield
    finally:
        if collecting:
            gc.enable()


def _shaped(start: Carried, given: list[Tensor | None]) -> list[Tensor | None]:
    return [None if g is None else d for g, d in zip(given, start, strict=False)]
