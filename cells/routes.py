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
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from cells.arrivals import Arrivals
from cells.base import Cell, Edit, Slot, StateName
from cells.fast.sweep import Use
from cells.hooks import Watch, norm_of_each
from cells.lengths import Rows

__all__ = [
    "RouteEntry",
    "Steps",
    "exit_names",
    "report",
    "route_entries",
    "trace_routes",
]

# Rows of one piece: large enough for good products, small enough for the cache.
PIECE = 4096

# How far a state may lie from itself when its step is read again, of the largest entry.
AGAIN = {torch.float64: 1e-8, torch.float32: 1e-3}


# How much of a gradient its routes may miss by rounding alone.
MISSING = {torch.float64: 1e-6, torch.float32: 5e-2}


class RouteEntry(NamedTuple):
    """One route into a state; of one lag, where it has several."""

    route: str
    lag: int | None = None

    @property
    def label(self) -> str:
        """Its name on an axis: `candidate`, `shortcut 3`."""
        return self.route if self.lag is None else f"{self.route} {self.lag}"


def route_entries(cell: Cell[Any], state: StateName) -> list[RouteEntry]:
    """All routes into a state of a cell: its output, its uses in steps, and the returned state."""
    entries = [RouteEntry("output")] if state == "hidden" else []
    for name, route in cell.routes.items():
        if route.state == state:
            lags: tuple[int | None, ...] = cell.lags if route.lagged else (None,)
            entries += [RouteEntry(name, lag) for lag in lags]
    return [*entries, RouteEntry("final_state")]


def exit_names(cell: Cell[Any]) -> list[str]:
    """The routes into the states that a step writes, by which every path leaves its input.

    The memory's use within its own step is left out: what leaves by it is on its way to others.
    """
    states = {route.state for route in cell.routes.values()}
    names = [
        entry.route
        for state in ("hidden", "memory")
        if state in states
        for entry in route_entries(cell, state)
    ]
    return [name for name in dict.fromkeys(names) if name != "hidden"]


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
        time = torch.cat([self.rows.timesteps(step) for step in range(start, end)])
        order = self.rows.order
        row = torch.cat([order[: self.rows.running[step]] for step in range(start, end)])

        def edit(weights: Tensor, values: Tensor, at: Any) -> tuple[Tensor, Tensor]:  # noqa: ANN401
            here = at._replace(
                timestep=time.to(weights.device), row=row.to(weights.device), group=self.group
            )
            for one in self.edits:
                weights, values = one(weights, values, here)
            return weights, values

        return edit


def report(
    watch: Watch,
    steps: Steps,
    totals: Mapping[StateName, Float[Tensor, "time batch unit"]],
    arrivals: Arrivals,
    longest: int,
) -> None:
    """Hands over what came back by each route, in the caller's order, NaN in padding."""
    found = trace_routes(steps, totals, arrivals, exits=watch.parts == "exits")
    _warn_of_residuals(steps, found)
    if not found:
        found = {f"{name}_gradient_norm": norm_of_each(total) for name, total in totals.items()}
    arrivals.of(-1)  # a later backward pass begins anew
    watch.report(
        {
            name: steps.rows.from_walk(values, longest=longest, fill=torch.nan)
            for name, values in found.items()
        }
    )


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
    """
    tables = {
        state: _Table(route_entries(steps.cell, state), total, by_name=exits)
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


def _trace_exits(steps: Steps, tables: Mapping[StateName, "_Table"]) -> dict[str, Tensor]:
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
    table = _Table([RouteEntry(name) for name in names], total, by_name=False)
    for name, part in parts.items():
        table.put(RouteEntry(name), 0, part)
    found = table.found()
    del found["route_residual"]  # zero by construction: the whole is their sum
    return found


class _Table:
    """The routes into one state: norms and projections as they come, never the vectors of all.

    Arguments:
        entries: The routes.
        total: The state's whole gradient `(time, batch, unit)`.
        by_name: Whether to add the vectors up by the routes' names.
    """

    def __init__(
        self, entries: list[RouteEntry], total: Float[Tensor, "time batch unit"], *, by_name: bool
    ) -> None:
        self.total, self.places = total, {entry: place for place, entry in enumerate(entries)}
        self.norm = norm_of_each(total)
        # Of length one, so that products of tiny gradients do not underflow.
        self.along = total / torch.where(self.norm == 0, 1, self.norm)[..., None]
        shape = (*total.shape[:2], len(entries))
        self.norms, self.projections = total.new_zeros(shape), total.new_zeros(shape)
        self.left = total.clone()
        self._last: tuple[Tensor, Tensor] | None = None
        names = {entry.route for entry in entries} - {"hidden"} if by_name else set()
        self.by_name = {name: torch.zeros_like(total) for name in names}

    def put(
        self,
        entry: RouteEntry,
        start: int,
        gradient: Float[Tensor, "steps batch unit"],
        times: Tensor | None = None,
    ) -> None:
        """The gradients that a route brought to the states from a timestep on.

        Arguments:
            entry: The route.
            start: The first timestep; below zero for uses of the state before the first.
            gradient: From there on.
            times: A number that they are multiplied by.
        """
        start, skipped = max(start, 0), max(-start, 0)
        norm, gradient = self._norm_of(gradient)[skipped:], gradient[skipped:]
        at, place = slice(start, start + len(gradient)), self.places[entry]
        factor = 1.0 if times is None else float(times)
        self.norms[at, :, place] = norm * abs(factor)
        self.projections[at, :, place] = torch.linalg.vecdot(gradient, self.along[at]) * factor
        self.left[at].sub_(gradient, alpha=factor)
        if entry.route in self.by_name:
            self.by_name[entry.route][at].add_(gradient, alpha=factor)

    def _norm_of(self, gradient: Tensor) -> Tensor:
        """Its norms; those of one that comes again, for another lag, are not taken again."""
        if self._last is None or self._last[0] is not gradient:
            self._last = gradient, norm_of_each(gradient)
        return self._last[1]

    def found(self) -> dict[str, Tensor]:
        """Everything by name."""
        # Below this a gradient has too few digits left to be told apart.
        number = torch.finfo(self.norm.dtype)
        told = self.norm > number.tiny / number.eps
        reached = torch.where(told, self.norm, torch.nan)
        projections = torch.where(told[..., None], self.projections, torch.nan)
        return {
            "gradient_norm": self.norm,
            "route_norm": self.norms,
            "route_projection": projections,
            "cancellation": self.norms.sum(dim=-1) / reached,
            "route_residual": norm_of_each(self.left) / reached,
        }


def _tensors(state: Any) -> list[Tensor]:  # noqa: ANN401  (a cell's own named tuple)
    if isinstance(state, Tensor):
        return [state]
    return [tensor for part in state for tensor in _tensors(part)]
