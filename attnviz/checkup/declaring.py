"""Does a step do as its cell declares?"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

import cells
from attnviz.checkup.openings import beside, dropped_edits, misnamed_sources, misplaced_slots
from attnviz.checkup.parameters import few
from attnviz.checkup.report import Finding, Status
from attnviz.checkup.stepping import STEPS, alone, named_tensors, started, steps_of
from attnviz.checkup.subject import Subject
from cells.walk import map_state

__all__ = ["check_declaration", "slot_name", "uses"]


def uses(cell: cells.Cell[Any]) -> tuple[Counter[cells.Slot], int]:
    """How often each slot is used in some steps of a cell alone, and how often it edits."""
    slots: Counter[cells.Slot] = Counter()
    edited = 0

    def via(slot: cells.Slot, value: Tensor) -> Tensor:
        slots[slot] += 1
        return cells.alias(slot, value)

    def edit(weights: Tensor, values: Tensor, at: cells.At) -> tuple[Tensor, Tensor]:
        nonlocal edited
        edited += 1
        return weights, values

    with torch.no_grad(), alone():
        state = started(cell)
        for x in steps_of(cell):
            state, _ = cell.forward(x, state, edit=edit, via=via)
    return slots, edited


def check_declaration(subject: Subject) -> list[Finding]:
    """The step does as the cell declares: readout, routes, edits, and a state left as it was."""
    found: list[Finding] = []
    names = set()
    for prefix, layer in subject.whole.layers.items():
        for group, cell in layer.groups.items():
            names.add(type(cell).__name__)
            found += _declared(prefix + group, cell)
    if found:
        return found
    said = (
        "each signal declared is read out, every use of a state has its slot, edits act, and a "
        f"step leaves its state as it was ({', '.join(sorted(names))})."
    )
    return [Finding("declaration", "passed", said)]


def _declared(group: str, cell: cells.Cell[Any]) -> Iterator[Finding]:
    """What a step does otherwise than its cell says."""
    changed, readout = _changed(cell)
    if changed:
        yield _differs(
            group,
            f"a step of {type(cell).__name__} changes the state that it was given: it writes to "
            f"{changed} in place.",
            "Make new tensors (memory * 0.5, not memory.mul_(0.5); torch.where, not x[...] = y): "
            "what was returned earlier is still read by windows and by backward.",
        )
        return  # backward and what is read again would only show it once more
    if missing := set(cell.signals) - readout:
        yield _differs(
            group,
            f"the readout lacks {sorted(missing)}, which `signals` declares.",
            "Return them in the readout, or take them out of `signals`.",
        )
    if dropped := readout - set(cell.signals) - set(cell.statistics):
        yield _differs(
            group,
            f"the readout holds {sorted(dropped)}, which `signals` does not declare: recordings "
            "leave them out.",
            "Declare them in `signals`, with their axes, or take them out of the readout.",
            "warning",
        )
    if unknown := _gates(cell) - set(cell.signals):
        yield _differs(
            group,
            f"`gated` names {sorted(unknown)}, which `signals` does not declare.",
            "Declare the state, its gates and its candidate as signals, and read them out.",
        )
    routed = list(_routed(group, cell))
    yield from routed
    yield from _edited(group, cell, located=not routed)


def _gates(cell: cells.Cell[Any]) -> set[str]:
    """The signals that gate attention is made of."""
    gated = cell.gated
    if gated is None:
        return set()
    return {gated.state, gated.write, gated.candidate, gated.keep or gated.write}


def _routed(group: str, cell: cells.Cell[Any]) -> Iterator[Finding]:
    """Every use of a state has a slot that is declared and says what it holds."""
    slots, _ = uses(cell)
    used = {slot.route for slot in slots}
    if unknown := used - set(cell.routes):
        yield _differs(
            group,
            f"states are used by the routes {sorted(unknown)}, which `routes` does not declare.",
            "Declare them, with the state that they use; gradients by route leave them out.",
        )
    if leaking := beside(cell):
        new, old = leaking
        yield _differs(
            group,
            f"the new {new} depends on {old} beside `via`: gradients by route and classes of "
            "paths miss that use.",
            "Pass every use of a state through via(Slot(route, lag), value).",
        )
    elif unused := set(cell.routes) - used:
        yield _differs(
            group,
            f"`routes` declares {sorted(unused)}, by which no state is used.",
            "Take them out, or pass each use of a state through via(Slot(route), state).",
            "warning",
        )
    if max(slots.values(), default=0) > STEPS:
        return  # several passes in a step, which `capture` tells
    if wrong := misplaced_slots(cell):
        listed = [f"{slot_name(slot)} is given {holds}" for slot, holds in wrong.items()]
        yield _differs(
            group,
            f"slots are given other states than they name: {few(listed)}.",
            "Let the window move by one state a step, newest first, (new, *window[:-1]), let a "
            "slot's lag say how long ago its state was, and pass the state itself through via.",
        )


def _edited(group: str, cell: cells.Cell[Any], *, located: bool) -> Iterator[Finding]:
    """What attention reads can be edited, and by the lag it is of, where slots are right."""
    _, edited = uses(cell)
    attends = {"attention", "feature_attention"} & set(cell.signals)
    if attends and not edited:
        yield _differs(
            group,
            f"`edit` is never called, though the cell has {sorted(attends)[0]}: ablations would "
            "change nothing.",
            "Pass the weights and values through edit before they are summed.",
        )
    elif dropped := dropped_edits(cell):
        yield _differs(
            group,
            f"the {' and '.join(dropped)} that `edit` returns are not used: set to zero they "
            "change no state, so that ablations would find no effect.",
            "Go on with what edit returns: weights, values = edit(attention, past, at).",
        )
    if located and (wrong := next(misnamed_sources(cell), None)):
        lag, of = wrong
        yield _differs(
            group,
            f"what `edit` is given for lag {lag} is made of the state of lag "
            f"{', '.join(map(str, of))}: attention is shown, and ablated, at the wrong lag.",
            "Stack weights and values in the order of `lags`, and pass At(reachable, self.lags).",
        )


def slot_name(slot: cells.Slot) -> str:
    """A slot in words."""
    return slot.route if slot.lag is None else f"{slot.route} at lag {slot.lag}"


def _differs(group: str, measured: str, advice: str, status: Status = "fault") -> Finding:
    return Finding("declaration", status, measured, advice, group)


def _changed(cell: cells.Cell[Any]) -> tuple[str, set[str]]:
    """What of a state a step changes in place, if anything, and what its readout holds."""
    with alone():
        state, x = started(cell), steps_of(cell)[0]
        before = map_state(torch.clone, state)
        versions = {name: _version(tensor) for name, tensor in named_tensors(state).items()}
        with torch.no_grad():  # where a leaf of the graph was changed, torch would only raise
            _, readout = cell.forward(x, state)
        changed = [
            f"state.{name}"
            for (name, tensor), old in zip(
                named_tensors(state).items(), named_tensors(before).values(), strict=True
            )
            if _version(tensor) != versions[name] or not _equal(old, tensor)
        ]
    # A window's newest entry can be the hidden state itself: one tensor by two names.
    return few(changed), set(readout)


def _version(tensor: Tensor) -> int:
    """How often a tensor was written to; written with what it held, it counts too."""
    return 0 if tensor.is_inference() else tensor._version


def _equal(one: Tensor, other: Tensor) -> bool:
    return bool(((one == other) | ((one != one) & (other != other))).all())  # NaN is NaN
