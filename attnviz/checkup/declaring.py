"""Does a step do as its cell declares?"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

import cells
from attnviz.checkup.calls import quiet
from attnviz.checkup.report import Finding
from attnviz.checkup.subject import Subject
from attnviz.modes import undisturbed
from cells.walk import map_state

__all__ = ["STEPS", "check_declaration", "uses"]

STEPS = 3  # of a cell alone


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

    with torch.no_grad(), undisturbed(), quiet():
        torch.manual_seed(0)
        state = _started(cell)
        for x in _steps(cell):
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
        "each signal declared is read out, every use of a state has its slot, and a step leaves "
        f"its state as it was ({', '.join(sorted(names))})."
    )
    return [Finding("declaration", "passed", said)]


def _declared(group: str, cell: cells.Cell[Any]) -> Iterator[Finding]:
    """What a step does otherwise than its cell says."""
    with undisturbed(), quiet():
        torch.manual_seed(0)
        state, x = _started(cell), _steps(cell)[0]
        before = map_state(torch.clone, state)
        _, readout = cell.forward(x, state)
    if missing := set(cell.signals) - set(readout):
        yield _differs(
            group,
            f"the readout lacks {sorted(missing)}, which `signals` declares.",
            "Return them in the readout, or take them out of `signals`.",
        )
    if not _equal(before, state):
        yield _differs(
            group,
            "a step changes the state that it was given.",
            "Make new tensors: what was returned earlier is still read by windows and by backward.",
        )
    slots, edited = uses(cell)
    used = {slot.route for slot in slots}
    if unknown := used - set(cell.routes):
        yield _differs(
            group,
            f"states are used by the routes {sorted(unknown)}, which `routes` does not declare.",
            "Declare them, with the state that they use; gradients by route leave them out.",
        )
    if unused := set(cell.routes) - used:
        yield _differs(
            group,
            f"`routes` declares {sorted(unused)}, by which no state is used.",
            "Take them out, or pass each use of a state through via(Slot(route), state).",
            "warning",
        )
    if leaking := _beside(cell):
        yield _differs(
            group,
            f"the new {leaking} depends on an earlier state beside `via`: gradients by route and "
            "classes of paths miss that use.",
            "Pass every use of a state through via(Slot(route, lag), value).",
        )
    attends = {"attention", "feature_attention"} & set(cell.signals)
    if attends and not edited:
        yield _differs(
            group,
            f"`edit` is never called, though the cell has {sorted(attends)[0]}: ablations would "
            "change nothing.",
            "Pass the weights and values through edit before they are summed.",
        )


def _differs(group: str, measured: str, advice: str, status: str = "fault") -> Finding:
    kind: Any = status
    return Finding("declaration", kind, measured, advice, group)


def _beside(cell: cells.Cell[Any]) -> str | None:
    """The state that still depends on the one before when every use through `via` is cut."""
    with undisturbed(), quiet():
        torch.manual_seed(0)
        state = _started(cell)
        leaves: list[Tensor] = []

        def leaf(value: Tensor) -> Tensor:
            if not value.is_floating_point():
                return value
            leaves.append(value.detach().clone().requires_grad_())
            return leaves[-1]

        with torch.enable_grad():
            new, _ = cell.forward(_steps(cell)[0], map_state(leaf, state), via=_cut)
            for name in ("hidden", "memory"):
                value = getattr(new, name, None)
                if value is None or not value.requires_grad:
                    continue
                found = torch.autograd.grad(
                    value.sum(), leaves, allow_unused=True, retain_graph=True
                )
                if any(gradient is not None and bool(gradient.any()) for gradient in found):
                    return name
    return None


def _cut(slot: cells.Slot, value: Tensor) -> Tensor:
    # Not a leaf's alias any more, and what is made of new values inside the step is cut as well.
    return value.detach()


def _like(cell: cells.Cell[Any]) -> Tensor:
    return next((p for p in cell.parameters() if p.is_floating_point()), torch.zeros(()))


def _steps(cell: cells.Cell[Any]) -> Tensor:
    source = torch.Generator().manual_seed(0)
    x = torch.randn(STEPS, 2, cell.input_size, generator=source, dtype=torch.float64)
    return x.to(_like(cell).detach())


def _started(cell: cells.Cell[Any]) -> Any:  # noqa: ANN401  (the cell's own named tuple)
    """A state that some steps have led to."""
    like = _like(cell)
    state = cell.initial_state(2, device=like.device, dtype=like.dtype)
    with torch.no_grad():
        for x in _steps(cell):
            state, _ = cell.forward(x, state)
    return state


def _equal(one: Any, other: Any) -> bool:  # noqa: ANN401  (a state, or a part of one)
    if isinstance(one, Tensor):
        return torch.equal(one, other) or bool((one.isnan() & other.isnan()).any())
    return all(_equal(a, b) for a, b in zip(one, other, strict=True))
