"""Does recording change anything? Which path runs, and why?"""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import NamedTuple

import torch
from torch import Tensor

import cells
from attnviz.checkup.calls import (
    Unit,
    apart,
    can_train,
    fresh,
    identical,
    parameters_of,
    quiet,
    read,
    tolerance,
    weighed,
    within,
)
from attnviz.checkup.report import Finding
from attnviz.checkup.subject import Subject
from attnviz.modes import undisturbed
from attnviz.opening.checking import tensors_in
from attnviz.recording import record
from cells.lengths import Rows, check_lengths
from cells.paths import Call, obstacle, worth_saying

__all__ = ["check_path", "check_recording"]


class Ran(NamedTuple):
    """All that a forward and backward pass leave."""

    outputs: dict[str, Tensor]
    gradients: dict[str, Tensor]
    left: dict[str, Tensor]  # buffers, and torch's random state


def check_recording(subject: Subject) -> list[Finding]:
    """Outputs, gradients, buffers and the random state are the same, recorded or not."""
    parts = ["eval mode"]
    found = list(_recorded(subject.whole, training=False))
    if not found and can_train(subject.whole):
        parts.append("training mode")
        found = list(_recorded(subject.whole, training=True))
    if found:
        return found
    said = (
        "outputs, parameter gradients, buffers and the random state are the same bit for bit with "
        f"every signal recorded and without, in {' and '.join(parts)}."
    )
    return [Finding("recording", "passed", said)]


def _recorded(unit: Unit, *, training: bool) -> Iterator[Finding]:
    plain, watched = _ran(unit, training, recorded=False), _ran(unit, training, recorded=True)
    mode = "training" if training else "eval"
    for what, one, other in zip(Ran._fields, plain, watched, strict=True):
        place = identical(one, other)
        if place is not None:
            gap, _ = apart(one, other)
            name = {"gradients": f"the gradient of {place}"}.get(what, place)
            yield Finding(
                "recording",
                "fault",
                f"in {mode} mode recording changes {name}, by {gap:.3g} of the largest entry.",
                "Let the cell's forward compute the same whether or not its readout is kept: draw "
                "no random numbers for it, and change no tensor in place.",
                numbers={"difference": gap},
            )
            return


def _ran(unit: Unit, training: bool, *, recorded: bool) -> Ran:
    """One forward and backward pass of a copy, from a fixed random state."""
    copied = fresh(unit)
    model = copied.module.train(training)
    given = copied.example
    block = record(model, keep="all") if recorded else nullcontext()
    with undisturbed(), quiet(), torch.enable_grad():
        torch.manual_seed(0)
        with block:
            outputs = dict(tensors_in(model(*given.arguments, **given.named), "output"))
            loss, parameters = weighed(outputs), parameters_of(model)
            gradients: dict[str, Tensor] = {}
            if loss is not None and parameters:
                named = [name for name, p in model.named_parameters() if p.requires_grad]
                taken = torch.autograd.grad(loss, parameters, allow_unused=True)
                gradients = {n: g for n, g in zip(named, taken, strict=True) if g is not None}
        left = dict(model.named_buffers()) | {"the random state": torch.get_rng_state()}
    return Ran({n: v.detach() for n, v in outputs.items()}, gradients, left)


def check_path(subject: Subject) -> list[Finding]:
    """Which path reads each layer and why, and whether both give the same."""
    found = []
    for part in subject.parts:
        [(prefix, layer)] = part.layers.items()
        reasons = {prefix + group: why for group, why in _reasons(part, layer).items()}
        if layer.path == "step":
            reasons = dict.fromkeys(reasons, "its path is set to 'step'")
        found += [_by_steps(group, why, layer) for group, why in reasons.items() if why]
        if fast := [group for group, why in reasons.items() if why is None]:
            found.append(_fast(part, layer, fast))
        if layer.edited:
            found.append(_edited(prefix or "the layer"))
    return found


def _reasons(part: Unit, layer: cells.Recurrent) -> dict[str, str | None]:
    """Why a call of each group cannot be read all at once; None where it can."""
    example = part.example
    x = example.sequences
    if x is None:
        return {}
    time, batch = x.transpose(0, example.time_axis or 0).shape[:2]
    lengths = check_lengths(example.ends, batch=batch, longest=time)
    found = {}
    for group, cell in layer.groups.items():
        inputs = x.new_zeros(time, batch, cell.input_size)
        state = cell.initial_state(batch, device=x.device, dtype=x.dtype)
        rows = Rows.sorted(lengths, reverse=group.endswith("_reverse"))
        edits = [edit for edit, only in layer._edits.values() if only in (None, group)]
        found[group] = obstacle(Call(cell, inputs, rows, state, carried=False, edits=edits))
    return found


def _by_steps(group: str, why: str, layer: cells.Recurrent) -> Finding:
    cell = layer.groups[group.rpartition(".")[2]]
    if not worth_saying(cell):
        said = f"step by step: {why}, as any cell of one's own."
        return Finding("path", "passed", said, where=group, numbers={"path": "step"})
    return Finding(
        "path",
        "note",
        f"step by step, though {type(cell).__name__} has a fast path: {why}.",
        "Slower, and right. Leave path at 'auto' and cells without hooks, edits and foreign parts "
        "to have the fast path.",
        group,
        {"path": "step"},
    )


def _fast(part: Unit, layer: cells.Recurrent, groups: list[str]) -> Finding:
    """The fast path held to the step."""
    unit = fresh(part)
    outcomes = []
    for path in ("step", "fast" if len(groups) == len(layer.groups) else "auto"):
        for one in unit.layers.values():
            setattr(one, "path", path)  # noqa: B010  (a Literal, which mypy cannot see here)
        with torch.no_grad():
            outcomes.append(read(unit).everything())
    gap, place = apart(*outcomes)
    where = ", ".join(groups)
    if gap > tolerance(part):
        return Finding(
            "path",
            "fault",
            f"the fast path gives another {place} than the step, by {gap:.3g} of the largest "
            "entry.",
            "Set layer.path = 'step', the definition, and report the model's options with this "
            "finding.",
            where,
            {"path": "fast", "difference": gap},
        )
    said = f"the fast path, which gives what the step gives {within(gap)}."
    return Finding("path", "passed", said, where=where, numbers={"path": "fast", "difference": gap})


def _edited(where: str) -> Finding:
    return Finding(
        "path",
        "warning",
        "an edit is registered: outputs and what attention reads are those of a changed model.",
        "Remove it (handle.remove(), or a with block) where the model as trained is meant.",
        where.rstrip("."),
    )
