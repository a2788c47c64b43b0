r"""Which way the gradient came back to each state: a step read again, with every use apart.

After a backward pass the whole gradient of every state is known. A step then needs no other: from
the gradients of what it wrote, one product with its own Jacobian gives the gradient of every
single use of a state in it. All timesteps are read again at once, as rows of one large batch.

.. math::
    g^{\mathrm{slot}} = \Big(\frac{\partial h_t}{\partial\,\mathrm{slot}}\Big)^{\!\top}
        \frac{\partial L}{\partial h_t}
        + \Big(\frac{\partial c_t}{\partial\,\mathrm{slot}}\Big)^{\!\top}
        \frac{\partial L}{\partial c_t},
    \qquad \sum_{\mathrm{slots\;of\;} s} g^{\mathrm{slot}} = \frac{\partial L}{\partial s}

A use of the new memory within its own step is a slot of its own, cut off while the step is read.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cells.arrivals import Arrivals
from cells.base import Cell, Edit, Slot, StateName
from cells.fast.sweep import Use
from cells.lengths import Rows
from cells.routes import RouteEntry, RouteTable, exit_names, route_entries
from cells.walk import edits_at

__all__ = ["Steps", "trace_routes"]

# Rows of one piece: large enough for good products, small enough for the cache.
PIECE = 4096

# How far a state may lie from itself when its step is read again, of the largest entry.
AGAIN = {torch.float64: 1e-8, torch.float32: 1e-3}

# How much of a gradient its routes may miss by rounding alone.
MISSING = {torch.float64: 1e-6, torch.float32: 5e-2}


@dataclass(frozen=True)
class Steps:
    """What every step was given and gave, in the walk's order.

    Arguments:
        cell: The step.
        rows: The order of the rows.
        piece: The inputs and states of the running rows of some timesteps, one after the other.
        hidden: The hidden states that came out, `(time, batch, unit)`.
        uses: The gradients of the uses of states in some timesteps, where they are known already.
        edits: What changed attention.
        group: The layer and direction.
    """

    cell: Cell[Any]
    rows: Rows
    piece: Callable[[int, int], tuple[Tensor, Any]]
    hidden: Float[Tensor, "time batch unit"]
    uses: Callable[[int, int], Iterator[Use] | None] = lambda start, end: None
    edits: tuple[Edit, ...] = ()
    group: str = ""

    def edit(self, start: int, end: int) -> Edit:
        """The edits of some timesteps at once."""
        return edits_at(self.edits, self.rows, start, end, self.group)


def trace_routes(
    steps: Steps,
    totals: Mapping[StateName, Float[Tensor, "time batch unit"]],
    arrivals: Arrivals,
    *,
    exits: bool,
) -> dict[str, Tensor]:
    """What came back by each route, at every timestep.

    Arguments:
        steps: What they were given.
        totals: The whole gradient of every state.
        arrivals: The gradients at what the call returned.
        exits: Whether to follow the routes on to the inputs.

    Returns:
        In the walk's order, for each state (and `input`, with exits) by prefix:
        `gradient_norm (time, batch)`, `route_norm` and `route_projection (time, batch, route)`
        (⟨g_r, g⟩/‖g‖), `cancellation` (Σ‖g_r‖/‖g‖) and `route_residual` (‖Σ g_r - g‖/‖g‖). Where
        the gradient is zero, or in float32 below 1e-31, the last three are NaN. Nothing if a step
        read again does not give the state that it gave.

    Raises:
        ValueError: If the step uses a route that its cell does not declare, or none of those it
            does.
    """
    tables = {
        state: RouteTable(route_entries(steps.cell, state), total, by_name=exits)
        for state, total in totals.items()
    }
    if arrivals.output is not None:
        tables["hidden"].put(RouteEntry("output"), 0, arrivals.output)
    for state, gradient in arrivals.final.items():
        tables[state].put(RouteEntry("final_state"), 0, gradient)
    for start, end in _pieces(steps.rows):
        uses = steps.uses(start, end) or _uses(steps, totals, start, end)
        if uses is None:
            return {}
        for use in uses:
            at = tables[steps.cell.routes[use.route].state]
            at.put(RouteEntry(use.route, use.lag), start - use.back, use.gradient, use.times)
    found = {
        f"{state}_{name}": values
        for state, table in tables.items()
        for name, values in table.found().items()
    }
    _warn_of_residuals(steps, found)
    if exits:
        found |= {f"input_{n}": values for n, values in _trace_exits(steps, tables).items()}
    return found


def _pieces(rows: Rows) -> list[tuple[int, int]]:
    size = max(1, PIECE // len(rows.order))
    return [(t, min(t + size, len(rows.running))) for t in range(0, len(rows.running), size)]


def _uses(
    steps: Steps, totals: Mapping[StateName, Tensor], start: int, end: int
) -> list[Use] | None:
    """The uses of states in some timesteps, by reading them again; None if they then differ."""
    x, state = steps.piece(start, end)
    earlier = {id(tensor) for tensor in _tensors(state)}
    opened: list[tuple[Slot, bool, Tensor]] = []

    def open_slot(slot: Slot, value: Tensor) -> Tensor:
        leaf = value.detach().requires_grad_()
        opened.append((slot, id(value) in earlier, leaf))
        return leaf

    with torch.enable_grad(), _nothing_drawn(x):
        after, _ = steps.cell(x, state, edit=steps.edit(start, end), via=open_slot)
    if not _same_again(steps, after.hidden, start, end):
        return None
    _check_slots(steps.cell, {slot.route for slot, _, _ in opened})
    if not opened:
        return []
    gradients = torch.autograd.grad(
        [getattr(after, name) for name in totals],
        [leaf for _, _, leaf in opened],
        [steps.rows.packed(total, start, end) for total in totals.values()],
        allow_unused=True,
    )
    summed: dict[tuple[str, int | None, int], Tensor] = {}  # one route can stand for several uses
    for (slot, before, _), gradient in zip(opened, gradients, strict=True):
        if gradient is not None:
            key = slot.route, slot.lag, (slot.lag or 1) if before else 0
            summed[key] = gradient + summed[key] if key in summed else gradient
    return [Use(*key, steps.rows.spread(gradient, start, end)) for key, gradient in summed.items()]


def _check_slots(cell: Cell[Any], used: set[str]) -> None:
    """Refuses routes that a cell uses and does not declare, or declares and uses none of."""
    name, declared = type(cell).__name__, sorted(cell.routes)
    if unknown := sorted(used - set(declared)):
        raise ValueError(
            f"A step of {name} uses states by the routes {unknown}, but its `routes` declares "
            f"{declared}. Declare them, with the state that they use."
        )
    if declared and not used:
        raise ValueError(
            f"{name} declares the routes {declared}, but its step passes no state through via. "
            "Use each as via(cells.Slot(route, lag), state); or record with gradients='norms'."
        )


def _nothing_drawn(x: Tensor) -> AbstractContextManager[None]:
    """A scope that leaves the random state as it was: dropout, read again, would go on with it."""
    return torch.random.fork_rng(devices=[x.device] if x.is_cuda else [])


def _same_again(steps: Steps, hidden: Tensor, start: int, end: int) -> bool:
    known = steps.rows.packed(steps.hidden, start, end)
    scale = max(float(known.abs().max()), 1e-30)
    apart = float((known - hidden.detach()).abs().max()) / scale
    if apart <= AGAIN.get(known.dtype, 1e-1):
        return True
    if not math.isfinite(apart):
        warnings.warn(
            f"Routes of {steps.group or 'the layer'} are not recorded: its states are not finite.",
            stacklevel=2,
        )
        return False
    warnings.warn(
        f"Routes of {steps.group or 'the layer'} are not recorded: its steps, read again, give "
        f"states that lie {apart:.2g} apart from those it gave. Dropout or batch statistics act "
        "(call eval()), or autocast; gradient norms are recorded all the same.",
        stacklevel=2,
    )
    return False


def _trace_exits(steps: Steps, tables: Mapping[StateName, "RouteTable"]) -> dict[str, Tensor]:
    r"""What of each route goes on to the input of the step that wrote the state.

    .. math::
        \frac{\partial L}{\partial x_s} = \sum_{r \to h_s}
            \Big(\frac{\partial h_s}{\partial x_s}\Big)^{\!\top} g^r
        + \sum_{r \to c_s,\, r \neq \mathrm{hidden}}
            \Big(\frac{\partial c_s}{\partial x_s}\Big)^{\!\top} g^r
    """
    names, rows = exit_names(steps.cell), steps.rows
    x, _ = steps.piece(0, 1)
    like = next(iter(tables.values())).total
    total = like.new_zeros(*like.shape[:2], x.shape[1])
    parts = {name: torch.zeros_like(total) for name in names}
    for start, end in _pieces(rows):
        x, state = steps.piece(start, end)
        with torch.enable_grad(), _nothing_drawn(x):
            x = x.detach().requires_grad_()
            after, _ = steps.cell(x, state, edit=steps.edit(start, end))
        for name in names:
            routed = [
                (getattr(after, at), rows.packed(table.by_name[name], start, end))
                for at, table in tables.items()
                if name in table.by_name
            ]
            if routed:
                outputs, weights = zip(*routed, strict=True)
                (gradient,) = torch.autograd.grad(outputs, x, weights, retain_graph=True)
                parts[name][start:end] = rows.spread(gradient, start, end)
        total[start:end] = sum(part[start:end] for part in parts.values())
    table = RouteTable([RouteEntry(name) for name in names], total, by_name=False)
    for name, part in parts.items():
        table.put(RouteEntry(name), 0, part)
    found = table.found()
    del found["route_residual"]  # zero by construction: the whole is their sum
    return found


def _warn_of_residuals(steps: Steps, found: Mapping[str, Tensor]) -> None:
    """Says when routes do not add up: a use without a slot, or a gradient of a gradient."""
    for name, values in found.items():
        if not name.endswith("_route_residual"):
            continue
        largest = float(values.nan_to_num().max())
        if largest > MISSING.get(values.dtype, 0.1):
            warnings.warn(
                f"The routes into {name.removesuffix('_route_residual')} of "
                f"{steps.group or 'the layer'} miss up to {largest:.2g} of its gradient. Either a "
                "use of the state does not go through via, or this is a gradient of a gradient.",
                stacklevel=2,
            )


def _tensors(state: Any) -> list[Tensor]:  # noqa: ANN401  (a cell's own named tuple)
    if isinstance(state, Tensor):
        return [state]
    return [tensor for part in state for tensor in _tensors(part)]
