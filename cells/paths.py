"""The ways in which a layer reads a sequence with a cell: step by step, or all at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cells.arrivals import watch_arrivals
from cells.base import Cell, Edit, StateName
from cells.fast import SWEEPS, Before, Carried, Sweep, sweep_whole
from cells.gates import LSTMGates
from cells.hooks import Watch, watch_gradients
from cells.larnn_attention import WindowAttention
from cells.lengths import Rows
from cells.norms import Norm
from cells.retrace import Steps
from cells.walk import Walk, join_states, map_state, walk
from cells.watching import Watching

__all__ = [
    "Call",
    "Path",
    "Read",
    "check_path",
    "foreign_part",
    "obstacle",
    "read",
    "transformed",
    "worth_saying",
]

Path = Literal["auto", "step", "fast", "graph"]

# Parts of the built-in cells whose computation the fast paths know.
_KNOWN = (nn.Linear, LSTMGates, Norm, WindowAttention)


@dataclass(frozen=True)
class Call:
    """One cell that reads one batch of sequences in one direction.

    Arguments:
        cell: The step.
        x: In the caller's order.
        rows: The order of the walk.
        state: Before the first timestep, in the caller's order.
        carried: Whether that state was given, so that it may be any.
        keep: Names of readout entries to collect.
        edits: Applied to attention at every step.
        group: The layer and direction, for the edits.
        watch: Who wants to know what of the gradients.
    """

    cell: Cell[Any]
    x: Float[Tensor, "time batch feature"]
    rows: Rows
    state: Any
    carried: bool = True
    keep: frozenset[str] = frozenset()
    edits: Sequence[Edit] = ()
    group: str = ""
    watch: Watch | None = None


class Read(NamedTuple):
    """What reading leaves, in the caller's order of rows and time."""

    output: Float[Tensor, "time batch unit"]
    state: Any
    readouts: dict[str, Tensor]
    statistics: dict[str, list[Tensor]]


def check_path(path: str) -> Path:
    """A path by its name.

    Raises:
        ValueError: If there is none of that name.
    """
    if path not in get_args(Path):
        raise ValueError(f"A path is one of {get_args(Path)}, got {path!r}.")
    return path  # type: ignore[return-value]


def worth_saying(cell: Cell[Any]) -> bool:
    """Whether a user would expect a fast path for this cell."""
    return type(cell) in SWEEPS


def obstacle(call: Call) -> str | None:
    """Why a call cannot be read all at once; None if it can."""
    sweep = SWEEPS.get(type(call.cell))
    if sweep is None:
        return f"{type(call.cell).__name__} has no fast path"
    if call.edits:
        return "an edit is registered"
    if transformed():
        return "a function transform (vmap, jvp, torch.func.grad) is active"
    if call.watch is not None and not call.x.requires_grad and _partly_frozen(call.cell):
        return "gradients are watched while some of its weights are frozen"
    return foreign_part(call.cell) or sweep.obstacle(
        call.cell, call.state if call.carried else None
    )


def read(call: Call, path: Literal["step", "fast"]) -> Read:
    """Reads the sequences, step by step or all at once."""
    watching = None if call.watch is None else Watching(call.watch, call.rows, len(call.x))
    found = (_read_whole if path == "fast" else _read_steps)(call, watching)
    if watching is not None and watching.whole:
        watch_arrivals(call.cell, call.rows, found.output, found.state, watching.arrivals)
    return found


def _read_steps(call: Call, watching: Watching | None) -> Read:
    rows, longest = call.rows, len(call.x)
    x = rows.to_walk(call.x)
    walked = walk(
        call.cell,
        x,
        rows,
        map_state(rows.sort_rows, call.state),
        keep=call.keep,
        edits=call.edits,
        group=call.group,
    )
    if watching is not None and walked.outputs[0].requires_grad:
        _watch_steps(call, walked, x.detach(), watching)
    return Read(
        rows.from_steps(walked.outputs, longest=longest, fill=0.0),
        map_state(rows.restore_rows, walked.state),
        {
            name: rows.from_steps(steps, longest=longest, fill=_missing(steps[0]))
            for name, steps in walked.readouts.items()
        },
        walked.statistics,
    )


def _watch_steps(call: Call, walked: Walk, x: Tensor, watching: Watching) -> None:
    rows = call.rows
    steps = _walked_again(call, walked, x) if watching.whole else None

    def finish(taken: dict[StateName, list[Tensor]], backward_pass: int) -> None:
        kept = {name: rows.whole(one) for name, one in taken.items()}
        watching.finish(kept, backward_pass, steps)

    watch_gradients(walked.states, rows, reduce=watching.keep, finish=finish)


def _walked_again(call: Call, walked: Walk, x: Tensor) -> Steps:
    """What the steps of a walk were given, cut off from the graph."""
    rows, before = call.rows, [map_state(torch.Tensor.detach, state) for state in walked.before]
    hidden = rows.whole([step.detach() for step in walked.states["hidden"]])

    def piece(start: int, end: int) -> tuple[Tensor, Any]:
        return rows.packed(x, start, end), join_states(before[start:end])

    return Steps(call.cell, rows, piece, hidden, edits=tuple(call.edits), group=call.group)


def _read_whole(call: Call, watching: Watching | None) -> Read:
    cell, rows = call.cell, call.rows
    kind = SWEEPS[type(cell)]
    weights, start = kind.weights(cell), _carried(map_state(rows.sort_rows, call.state))
    x = call.x
    if torch.is_autocast_enabled(x.device.type):
        x = x.to(start.hidden.dtype)
    given = (x, *start, *weights.values())
    saving = torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in given)
    sweep = kind(cell, rows, call.keep, saving=saving)
    if call.carried:
        sweep.carry_on(call.state)
    finish = None
    if watching is not None:
        sweep.watching = "all" if watching.whole else "norms"
        finish = _finish_whole(call, watching)
    output, final = sweep_whole(sweep, x, rows, start, weights, finish=finish)
    with torch.no_grad():
        readouts = {
            name: rows.from_walk(signal, longest=len(x), fill=_missing(signal))
            for name in cell.signals
            if name in call.keep
            for signal in [sweep.signal(name)]
        }
        statistics = sweep.statistics()
    sweep.release()
    state = _state(call.state, final, rows)
    return Read(output, map_state(rows.restore_rows, state), readouts, statistics)


def _finish_whole(call: Call, watching: Watching) -> Callable[[Sweep, int], None]:
    """What a backward pass does at its end with the gradients that a sweep noted."""
    # Not the call itself: it holds the input and the state, which may be part of a graph.
    call = replace(call, x=call.x.detach(), state=map_state(torch.Tensor.detach, call.state))

    def finish(sweep: Sweep, backward_pass: int) -> None:
        steps = _swept_again(call, sweep) if watching.whole else None
        watching.finish(sweep.noted, backward_pass, steps)

    return finish


def _swept_again(call: Call, sweep: Sweep) -> Steps:
    """What the timesteps of a sweep were given."""
    rows, before, kind = call.rows, sweep.before(), type(call.state)
    first = rows.sort_rows(call.state.steps) if "steps" in call.state._fields else None

    def piece(start: int, end: int) -> tuple[Tensor, Any]:
        state = _states_of_piece(kind, before, first, rows, start, end)
        return rows.packed(sweep.x, start, end), state

    return Steps(call.cell, rows, piece, sweep.signal("hidden"), sweep.uses, group=call.group)


def _states_of_piece(
    kind: type[Any],
    before: Before,
    first: Tensor | None,
    rows: Rows,
    start: int,
    end: int,
) -> Any:  # noqa: ANN401
    """The states before some timesteps, in the form of a cell's own."""
    fields: dict[str, Any] = {"hidden": rows.packed(before.hidden, start, end)}
    if before.memory is not None:
        fields["memory"] = rows.packed(before.memory, start, end)
    if before.past is not None and first is not None:
        lead, time = len(before.past) - len(rows.running), len(rows.running)
        fields["window"] = tuple(
            rows.packed(before.past[lead - lag : lead - lag + time], start, end)
            for lag in range(1, lead + 1)
        )
        taken = first + torch.arange(time, device=first.device)[:, None]
        fields["steps"] = rows.packed(taken, start, end)
    return kind(**fields)


def _carried(state: Any) -> Carried:  # noqa: ANN401  (a cell's own named tuple)
    fields = state._asdict()
    window = torch.stack(fields["window"]) if "window" in fields else None
    return Carried(state.hidden, fields.get("memory"), window)


def _state(start: Any, final: Carried, rows: Rows) -> Any:  # noqa: ANN401
    """The state in the form of the one that was given, in the walk's order."""
    fields: dict[str, Any] = {"hidden": final.hidden}
    if final.memory is not None:
        fields["memory"] = final.memory
    if final.window is not None:
        taken = rows.lengths[rows.order]
        steps = rows.sort_rows(start.steps)
        steps = steps + (len(rows.running) if rows.even else taken.to(steps.device))
        fields["window"], fields["steps"] = final.window.unbind(), steps
    return type(start)(**fields)


def transformed() -> bool:
    """Whether a function transform is at work."""
    forward_mode: bool = torch.autograd.forward_ad._current_level >= 0
    return forward_mode or torch._C._are_functorch_transforms_active()


def _partly_frozen(cell: Cell[Any]) -> bool:
    """Whether some states may depend on nothing that asks for gradients, and others do."""
    return len({parameter.requires_grad for parameter in cell.parameters()}) > 1


def foreign_part(cell: Cell[Any]) -> str | None:
    """A part that was replaced or is hooked, so that its own forward must be called."""
    for name, module in cell.named_modules():
        known = module is cell or type(module) in _KNOWN
        if not known:
            return f"{name} is a {type(module).__name__}"
        if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks:
            return f"{name or 'the cell'} has hooks"
    return None


def _missing(value: Tensor) -> float:
    return torch.nan if value.is_floating_point() else 0
