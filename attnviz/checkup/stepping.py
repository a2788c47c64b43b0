"""A cell by itself: steps to try it in, and the tensors of its state by name."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

import cells
from attnviz.checkup.calls import quiet
from attnviz.modes import undisturbed

__all__ = ["STEPS", "alone", "begun", "enough", "named_tensors", "started", "steps_of"]

STEPS = 3  # of a cell alone, where none reaches further back
ROWS = 2


@contextmanager
def alone() -> Iterator[None]:
    """A fixed random state and no warnings, while a cell is called by itself."""
    with undisturbed(), quiet():
        torch.manual_seed(0)
        yield


def enough(cell: cells.Cell[Any]) -> int:
    """Steps after which every lag holds a state that a step has made."""
    return max(STEPS, max(cell.lags, default=0) + 1)


def steps_of(cell: cells.Cell[Any], count: int = STEPS) -> Tensor:
    """Inputs of some steps, `(step, row, feature)`."""
    source = torch.Generator().manual_seed(0)
    x = torch.randn(count, ROWS, cell.input_size, generator=source, dtype=torch.float64)
    return x.to(_like(cell))


def begun(cell: cells.Cell[Any]) -> Any:  # noqa: ANN401  (the cell's own named tuple)
    """The state before the first step."""
    like = _like(cell)
    return cell.initial_state(ROWS, device=like.device, dtype=like.dtype)


def started(cell: cells.Cell[Any]) -> Any:  # noqa: ANN401
    """A state that some steps have led to, one for each lag at least."""
    state = begun(cell)
    with torch.no_grad():
        for x in steps_of(cell, enough(cell)):
            state, _ = cell.forward(x, state)
    return state


def named_tensors(state: Any) -> dict[str, Tensor]:  # noqa: ANN401
    """The tensors of a state, as its cell's code calls them: `hidden`, `window[0]`."""
    fields = zip(getattr(state, "_fields", ()), state, strict=False)
    return {name: tensor for field, part in fields for name, tensor in _named(field, part)}


def _named(name: str, part: Any) -> Iterator[tuple[str, Tensor]]:  # noqa: ANN401
    if isinstance(part, Tensor):
        yield name, part
        return
    for index, one in enumerate(part):
        yield from _named(f"{name}[{index}]", one)


def _like(cell: cells.Cell[Any]) -> Tensor:
    found = (p.detach() for p in cell.parameters() if p.is_floating_point())
    return next(found, torch.zeros(()))
