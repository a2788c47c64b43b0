"""The step over time: one cell, one direction."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from cells.base import At, Cell, Edit, Slot, StateName, Via, alias, same
from cells.checks import check_step
from cells.lengths import Rows

__all__ = ["Tap", "Walk", "edits_at", "join_states", "map_state", "walk"]

State = Any  # a named tuple of tensors, or of tuples of them

# As `Via`, with the step of the walk in front.
Tap = Callable[[int, Slot, Tensor], Tensor]


class Walk(NamedTuple):
    """What a walk leaves: per step, in the walk's own order of rows and time."""

    before: list[State]
    outputs: list[Tensor]
    state: State
    readouts: dict[str, list[Tensor]]
    states: dict[StateName, list[Tensor]]
    statistics: dict[str, list[Tensor]]


def walk(
    cell: Cell[Any],
    inputs: Float[Tensor, "time batch feature"],
    rows: Rows,
    state: State,
    *,
    keep: frozenset[str] = frozenset(),
    edits: Sequence[Edit] = (),
    group: str = "",
    tap: Tap | None = None,
) -> Walk:
    """Reads a batch of sequences with one cell.

    Arguments:
        cell: The step.
        inputs: Arranged by `rows`.
        rows: The order of the rows, and how many still run at each step.
        state: The state before the first step, sorted by `rows`.
        keep: Names of readout entries to collect.
        edits: Applied to attention at every step, one after the other.
        group: The layer and direction, for the edits.
        tap: Stands on every use of a state.

    Returns:
        The state before each step, outputs, readouts (detached), states and batch statistics of
        each step, and the state of every row after its own last step.

    Raises:
        TypeError: If the first step does not return a new state and a readout of tensors.
        ValueError: If its readout lacks an entry of `keep` that the cell declares.
    """
    before: list[State] = []
    left, outputs = [], []
    readouts: dict[str, list[Tensor]] = {name: [] for name in cell.signals if name in keep}
    states: dict[StateName, list[Tensor]] = {name: [] for name in _state_names(state)}
    statistics: dict[str, list[Tensor]] = {name: [] for name in cell.statistics}
    running = len(rows.order)
    for step, x in enumerate(inputs.unbind()):
        if rows.running[step] < running:
            running = rows.running[step]
            left.append(_some_rows(state, slice(running, None)))
            state = _some_rows(state, slice(running))
        before.append(state)
        edit = edits_at(edits, rows, step, step + 1, group) if edits else same
        returned = cell(x[:running], state, edit=edit, via=_via_at(tap, step))
        if step == 0:
            check_step(cell, state, returned, readouts)
        state, readout = returned
        outputs.append(_via_at(tap, step)(Slot("output"), state.hidden))
        for name, collected in readouts.items():
            collected.append(readout[name].detach())
        for name, collected in states.items():
            collected.append(getattr(state, name))
        for name, collected in statistics.items():
            if name in readout:
                collected.append(readout[name].detach())
    left.append(state)
    final = _final_state(join_states(left[::-1]), _via_at(tap, len(outputs)))
    return Walk(before, outputs, final, readouts, states, statistics)


def edits_at(edits: Sequence[Edit], rows: Rows, start: int, end: int, group: str) -> Edit:
    """Edits, one after the other, of the running rows of some steps, one step after the other."""
    time = torch.cat([rows.timesteps(step) for step in range(start, end)])
    row = torch.cat([rows.order[: rows.running[step]] for step in range(start, end)])

    def edit(weights: Tensor, values: Tensor, at: At) -> tuple[Tensor, Tensor]:
        device = weights.device
        here = at._replace(timestep=time.to(device), row=row.to(device), group=group)
        for one in edits:
            weights, values = one(weights, values, here)
        return weights, values

    return edit


def map_state(change: Callable[[Tensor], Tensor], state: State) -> State:
    """The same state with every tensor changed."""
    if isinstance(state, Tensor):
        return change(state)
    return _rebuild(state, [map_state(change, part) for part in state])


def _some_rows(state: State, rows: slice) -> State:
    return map_state(lambda tensor: tensor[rows], state)


def _rebuild(state: State, parts: list[State]) -> State:
    return type(state)(*parts) if hasattr(state, "_fields") else tuple(parts)


def join_states(states: list[State]) -> State:
    """The rows of several states in one."""
    if len(states) == 1:
        return states[0]
    if isinstance(states[0], Tensor):
        return torch.cat(states)
    return _rebuild(states[0], [join_states(list(parts)) for parts in zip(*states, strict=True)])


def _state_names(state: State) -> list[StateName]:
    return [name for name in ("hidden", "memory") if name in state._fields]


def _final_state(state: State, via: Via) -> State:
    """The state as it is returned: the last use of each of its tensors."""
    parts: list[State] = []
    for name, part in zip(state._fields, state, strict=True):
        if isinstance(part, tuple):
            window = [via(Slot("final_state", lag), s) for lag, s in enumerate(part, start=1)]
            parts.append(tuple(window))
        elif part.is_floating_point():
            parts.append(via(Slot("final_state", state=name), part))
        else:
            parts.append(part)
    return _rebuild(state, parts)


def _via_at(tap: Tap | None, step: int) -> Via:
    if tap is None:
        return alias
    return lambda slot, value: tap(step, slot, value)
