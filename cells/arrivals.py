"""The gradients that reach what a call returned: its output, and the state it left."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from cells.base import Cell, StateName
from cells.lengths import Rows

__all__ = ["Arrivals", "watch_arrivals"]


@dataclass
class Arrivals:
    """The gradients at what a call returned, each `(time, batch, unit)` of the state it is."""

    output: Tensor | None = None
    final: dict[StateName, Tensor] = field(default_factory=dict)
    backward_pass: int = -1

    def of(self, backward_pass: int) -> "Arrivals":
        """Those of a backward pass; what an earlier one left is forgotten."""
        if self.backward_pass != backward_pass:
            self.backward_pass, self.output, self.final = backward_pass, None, {}
        return self

    def add(self, state: StateName, gradient: Tensor) -> None:
        """Adds to what arrived at the returned state."""
        before = self.final.get(state)
        self.final[state] = gradient if before is None else before + gradient


def watch_arrivals(
    cell: Cell[Any],
    rows: Rows,
    output: Tensor,
    final: Any,  # noqa: ANN401  (a cell's own named tuple)
    arrivals: Arrivals,
) -> None:
    """Notes the gradients at what a call returned, when a backward pass brings them.

    Arguments:
        cell: The step.
        rows: The order of the rows.
        output: In the caller's order.
        final: The returned state, in the caller's order.
        arrivals: Takes the gradients, in the walk's.
    """

    def arrived(gradient: Tensor | None) -> None:
        if gradient is not None:
            now = arrivals.of(torch._C._current_graph_task_id())
            now.output = rows.to_walk(gradient.detach())

    if output.requires_grad:
        output.register_hook(arrived)  # type: ignore[no-untyped-call]
    lagged = {route.state for route in cell.routes.values() if route.lagged}
    for name, part in zip(final._fields, final, strict=True):
        if isinstance(part, tuple):
            for state in lagged:
                for lag, tensor in enumerate(part, start=1):
                    _watch_final(state, tensor, lag, rows, arrivals)
        elif name in ("hidden", "memory"):
            _watch_final(name, part, 1, rows, arrivals)


def _watch_final(
    state: StateName, tensor: Tensor, lag: int, rows: Rows, arrivals: Arrivals
) -> None:
    """A returned state, `lag` timesteps before the one that would come next."""
    taken = rows.lengths[rows.order]
    row = (taken >= lag).nonzero()[:, 0]  # the others return what they were given

    def arrived(gradient: Tensor | None) -> None:
        if gradient is None:
            return
        placed = gradient.new_zeros(len(rows.running), *gradient.shape)
        here = row.to(gradient.device)
        placed[(taken[row] - lag).to(gradient.device), here] = rows.sort_rows(gradient)[here]
        arrivals.of(torch._C._current_graph_task_id()).add(state, placed)

    if tensor.requires_grad:
        tensor.register_hook(arrived)  # type: ignore[no-untyped-call]
