"""Is everything recorded, once, as the cells declare it?"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

import cells
from attnviz.checkup.calls import Seen, Unit, fresh, quiet, read
from attnviz.checkup.report import Finding
from attnviz.checkup.subject import Subject
from attnviz.modes import undisturbed
from cells.walk import map_state

__all__ = ["check_capture", "check_declaration"]

STEPS = 3  # of a cell alone


def check_capture(subject: Subject) -> list[Finding]:
    """Each cell fires once per timestep, layer and direction, and every timestep is handed over."""
    if not subject.whole.layers:
        return [_nothing_inside(subject.given)]
    with torch.no_grad():
        outcome = read(subject.whole)
    found = [*_calls(subject.whole, outcome.seen), *_shapes(outcome.seen)]
    for part in subject.parts:
        found += _fired(part)
    if found:
        return found
    groups = {one.group: int(one.lengths.sum()) for one in outcome.seen}
    said = ", ".join(f"{group} {count}" for group, count in groups.items())
    return [
        Finding(
            "capture",
            "passed",
            f"every cell fired once per timestep, and each was handed over once: {said} timesteps "
            "in all.",
            numbers=groups,
        )
    ]


def _nothing_inside(model: nn.Module) -> Finding:
    kind = type(model).__name__
    if isinstance(model, torch.jit.ScriptModule):
        return Finding(
            "capture",
            "fault",
            f"{kind} is a scripted or traced model: its layers are compiled away, and no hook of "
            "theirs fires.",
            "Record the model that it was made from.",
        )
    return Finding(
        "capture",
        "fault",
        f"{kind} holds no layer of this package, so that nothing of it is recorded.",
        "Open a trained model of torch.nn.LSTM or GRU with attnviz.open_model, derive a recurrence "
        "of your own from cells.Cell, or bring attention as numbers (attnviz.from_arrays).",
    )


def _calls(unit: Unit, seen: list[Seen]) -> Iterator[Finding]:
    """Each layer and direction reads once in a forward call."""
    times = Counter(one.group for one in seen)
    for prefix, layer in unit.layers.items():
        for group in layer.groups:
            count = times[prefix + group]
            if count == 1:
                continue
            numbers: dict[str, float | int | str] = {"calls": count}
            yield Finding(
                "capture",
                "fault",
                f"read {count} times in one forward call, and a trace holds one reading.",
                "Record the layer itself, attnviz.record(layer), or use a layer for each reading."
                if count
                else "Call the layer in the model's forward, not a method of its own or its cell; "
                "if it is not needed, leave it out.",
                prefix + group,
                numbers,
            )


def _shapes(seen: list[Seen]) -> Iterator[Finding]:
    """Every signal has its axes, an entry for each timestep, and nothing in padding."""
    for one in seen:
        time, batch = int(one.lengths.max()), len(one.lengths)
        for name, declared in one.cell.signals.items():
            values = one.readouts.get(name)
            if values is None:
                yield _unlike(one.group, name, "is declared, but not read out")
            elif values.dim() != 2 + len(declared.axes):
                axes = ("time", "batch", *declared.axes)
                yield _unlike(
                    one.group, name, f"has shape {tuple(values.shape)}, but declares axes {axes}"
                )
            elif values.shape[0] < time or values.shape[1] != batch:
                yield _unlike(
                    one.group,
                    name,
                    f"holds {values.shape[0]} timesteps of {values.shape[1]} sequences, where "
                    f"{time} of {batch} were read",
                )


def _unlike(group: str, name: str, problem: str) -> Finding:
    return Finding(
        "capture",
        "fault",
        f"the signal {name} {problem}.",
        "Return it in the cell's readout, for every row, or correct its declaration in `signals`.",
        group,
    )


def _fired(part: Unit) -> Iterator[Finding]:
    """Counts the calls of each cell, which only the path by steps makes."""
    unit = fresh(part)
    [(prefix, layer)] = unit.layers.items()
    fired: Counter[int] = Counter()
    layer.path = "step"
    handles = [
        cell.register_forward_pre_hook(lambda module, _: fired.update([id(module)]))
        for cell in set(layer.groups.values())
    ]
    with torch.no_grad():
        outcome = read(unit)
    for handle in handles:
        handle.remove()
    expected: Counter[int] = Counter()
    for one in outcome.seen:
        expected[id(one.cell)] += int(one.lengths.max())
    for group, cell in layer.groups.items():
        count, steps = fired[id(cell)], expected[id(cell)]
        if count != steps:
            yield _twice(prefix + group, cell, f"fired {count} times in {steps} timesteps")
            continue
        slots, _ = uses(cell)
        most, times = max(slots.items(), key=lambda item: item[1], default=(None, 0))
        if most is not None and times > STEPS:
            name = most.route if most.lag is None else f"{most.route} at lag {most.lag}"
            yield _twice(
                prefix + group,
                cell,
                f"used its state by the slot {name} {times} times in {STEPS} timesteps",
            )


def _twice(group: str, cell: nn.Module, problem: str) -> Finding:
    return Finding(
        "capture",
        "fault",
        f"{type(cell).__name__} {problem}: a readout then shows one of several passes.",
        "Let the cell go one step per call, and use each slot once in it; several passes are "
        "several layers (num_layers), and several uses of a state are several slots.",
        group,
    )


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
    said = f"{', '.join(sorted(names))} read out what they declare; every use of a state has a slot"
    return [Finding("declaration", "passed", f"{said}, and a step leaves its state as it was.")]


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
