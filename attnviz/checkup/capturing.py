"""Is everything recorded, and once?"""

from collections import Counter
from collections.abc import Iterator

import torch
from torch import nn

from attnviz.checkup.calls import Seen, Unit, fresh, read
from attnviz.checkup.declaring import slot_name, uses
from attnviz.checkup.report import NOTHING, Finding
from attnviz.checkup.stepping import STEPS
from attnviz.checkup.subject import Subject
from attnviz.recording.declared import wrong_axes

__all__ = ["check_capture"]

CORRECT = "Return it in the cell's readout, for every row, or correct its declaration in `signals`."


def check_capture(subject: Subject) -> list[Finding]:
    """Each cell fires once per timestep, layer and direction, and every timestep is handed over."""
    if not subject.whole.layers:
        return [_nothing_inside(subject.given, subject.refused)]
    with torch.no_grad():
        outcome = read(subject.whole)
    found = [*_calls(subject.whole, outcome.seen), *_shapes(outcome.seen)]
    for part in subject.parts:
        found += _fired(part)
    if found:
        return found
    groups = {one.group: int(one.lengths.sum()) for one in outcome.seen}
    said = ", ".join(f"{group} {count}" for group, count in groups.items())
    advice = "Record what attnviz.open_model(model) gives: that was examined, not the model itself."
    return [
        Finding(
            "capture",
            "passed",
            f"each cell fired once per timestep, and every timestep was handed over once ({said}).",
            advice if subject.opened else NOTHING,
            numbers=groups,
        )
    ]


def _nothing_inside(model: nn.Module, refused: str) -> Finding:
    kind = type(model).__name__
    if isinstance(model, torch.jit.ScriptModule):
        return Finding(
            "capture",
            "fault",
            f"{kind} is a scripted or traced model: its layers are compiled away, and no hook of "
            "theirs fires.",
            "Record the model that it was made from.",
        )
    if refused:
        said = f"{kind} holds layers of torch.nn that cannot be recorded as they are: {refused}"
        advice = "Change that, or open what can be with attnviz.open_model(model, skip=...)."
        return Finding("capture", "fault", said, advice)
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
    """Every signal has its axes, of the sizes they have elsewhere, and all timesteps."""
    for one in seen:
        found = list(_misshapen(one))
        yield from found
        if not found and (said := wrong_axes(one.cell, one.readouts)) is not None:
            yield Finding("capture", "fault", said, CORRECT, one.group)


def _misshapen(one: Seen) -> Iterator[Finding]:
    """Signals with more or fewer axes than declared, or that lack entries."""
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
        CORRECT,
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
            yield _twice(
                prefix + group,
                cell,
                f"used its state by the slot {slot_name(most)} {times} times in {STEPS} timesteps",
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
