"""The routes by which gradient comes back to a state, by name, and how much came by each."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from cells.base import Cell, StateName
from cells.hooks import norm_of_each

__all__ = ["RouteEntry", "RouteTable", "exit_names", "route_entries"]


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


class RouteTable:
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
        along = self.along[at].to(gradient.dtype)  # under autocast some states are bfloat16
        self.projections[at, :, place] = torch.linalg.vecdot(gradient, along) * factor
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
