"""A cell by itself: steps to try it in, and the tensors of its state by name."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

import cells
from attnviz.checkup.calls import quiet
from attnviz.modes import undisturbed
from cells.checks import check_began, check_step

__all__ = ["STEPS", "alone", "begun", "broken", "enough", "named_tensors", "started", "steps_of"]

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


def broken(layers: Mapping[str, cells.Recurrent]) -> str | None:
    """The first cell that cannot take a step even by itself, in words; None if all can.

    Arguments:
        layers: By the prefix of their groups.
    """
    found = (_broken(cell) for layer in layers.values() for cell in layer.groups.values())
    return next(filter(None, found), None)


def _broken(cell: cells.Cell[Any]) -> str | None:
    """Why a cell cannot take its first step."""
    name = type(cell).__name__
    with torch.no_grad(), alone():
        try:
            state = begun(cell)
        except Exception as error:  # a cell of one's own can raise anything
            return (
                f"{name}.initial_state raises {type(error).__name__}: {error}. It is called as "
                "initial_state(batch, device=..., dtype=...)."
            )
        try:
            check_began(cell, state)
        except TypeError as error:
            return str(error)
        x = steps_of(cell, 1)[0]
        try:
            returned = cell(x, state, edit=cells.same, via=cells.alias)
        except Exception as error:
            return (
                f"The step of {name} raises {type(error).__name__}: {error}. It was given x of "
                f"{_told(x)} and a state whose hidden is {_told(state.hidden)}; "
                "forward(x, state, *, edit, via) returns (state, readout)."
            )
        try:
            check_step(cell, state, returned, ())
        except TypeError as error:
            return str(error)
    return None


def _told(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"


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
