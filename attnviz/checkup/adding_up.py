"""Do the parts that a cell declares add up: routes to the gradient, gates to the state?"""

from collections.abc import Mapping

import torch
from torch import Tensor

import cells
from attnviz.checkup.calls import (
    Seen,
    Tensors,
    Unit,
    fresh,
    quiet,
    read,
    tolerance,
    weighed,
    within,
)
from attnviz.checkup.report import Finding
from attnviz.checkup.subject import Subject
from attnviz.recording.signals import gate_signals

__all__ = ["check_gates", "check_routes"]


def check_routes(subject: Subject) -> list[Finding]:
    """What comes back to a state by its routes is the whole of its gradient."""
    found, worst, groups = [], 0.0, 0
    for part in subject.parts:
        [prefix] = part.layers
        for group, gradients in _gradients(part).items():
            gaps = {state: _gap(gradients, state) for state in ("hidden", "memory")}
            known = {state: gap for state, gap in gaps.items() if gap is not None}
            groups += bool(known)
            state = max(known, key=lambda name: known[name], default="hidden")
            worst = max(worst, known.get(state, 0.0))
            if known.get(state, 0.0) > tolerance(part):
                found.append(_missing(prefix + group, state, known[state]))
    if found:
        return found
    if not groups:
        said = "no gradient comes back to a state, or none that can be followed."
        return [Finding("routes", "skipped", said)]
    said = f"the routes into each state add up to its gradient {within(worst)}."
    return [Finding("routes", "passed", said, numbers={"difference": worst})]


def _gradients(part: Unit) -> dict[str, Tensors]:
    """What a layer reports of a backward pass, by group."""
    unit = fresh(part)
    for parameter in unit.module.parameters():  # frozen ones too: states need a gradient here
        parameter.requires_grad_(parameter.is_floating_point())
    [layer] = unit.layers.values()
    found: dict[str, Tensors] = {}

    def keep(group: str, gradients: Mapping[str, Tensor]) -> None:
        found[group] = dict(gradients)

    handle = layer.register_gradient_hook(keep, parts="routes")
    with torch.enable_grad(), quiet():  # a residual is a finding, not a warning
        loss = weighed({"output": read(unit).outputs["output[0]"]})
        if loss is not None:
            loss.backward()  # type: ignore[no-untyped-call]
    handle.remove()
    return found


def _gap(gradients: Tensors, state: str) -> float | None:
    """How much of a state's gradient its routes miss, of the largest; None where there is none.

    Not of the gradient at the same timestep: where that nearly vanishes, all of it is rounding.
    """
    norms = gradients.get(f"{state}_gradient_norm")
    residuals = gradients.get(f"{state}_route_residual")
    if norms is None or residuals is None or not float(norms.nan_to_num().max()):
        return None
    missed = (residuals * norms).nan_to_num(0.0)
    return float(missed.max() / norms.nan_to_num(0.0).max())


def _missing(group: str, state: str, gap: float) -> Finding:
    return Finding(
        "routes",
        "fault",
        f"the routes into {state} miss {gap:.3g} of its largest gradient: gradient is lost, or "
        "comes by a way that has no slot.",
        "Keep the states that are passed on in the graph (no detach(), no_grad() or .data on the "
        "window), and pass every use of one through via, as it is, before anything is done to it.",
        group,
        {"difference": gap},
    )


@torch.no_grad()
def check_gates(subject: Subject) -> list[Finding]:
    """A state that is declared to be written through gates is what these gates wrote."""
    found, worst, groups = [], 0.0, []
    for one in read(subject.whole).seen:
        gated = one.cell.gated
        if gated is None:
            continue
        groups.append(one.group)
        gap = _unwritten(one, gated)
        worst = max(worst, gap)
        if gap > tolerance(subject.whole):
            found.append(_unlike(one, gated, gap, tolerance(subject.whole)))
    if found:
        return found
    if not groups:
        return [Finding("gates", "skipped", "no cell declares a state that gates write.")]
    said = f"what gates wrote adds up to the state {within(worst)} ({', '.join(groups)})."
    return [Finding("gates", "passed", said, numbers={"difference": worst})]


def _unwritten(one: Seen, gated: cells.GatedState) -> float:
    """How far gate attention misses the state, of its largest entry."""
    parts = gate_signals(gated, one.readouts, one.lengths, 1, one.reverse)
    gaps = torch.as_tensor(parts["gate_attention_residual"]).nan_to_num(0.0)
    largest = one.readouts[gated.state].nan_to_num(0.0).abs().max()
    return float(gaps.max()) / max(float(largest), 1.0)


def _unlike(one: Seen, gated: cells.GatedState, gap: float, allowed: float) -> Finding:
    keep = gated.keep or f"1 − {gated.write}"
    said = (
        f"{gated.state} is declared to be {keep} · {gated.state} before + {gated.write} · "
        f"{gated.candidate}, but differs by {gap:.3g} of its largest entry"
    )
    if gated.keep is not None:
        swapped = gated._replace(write=gated.keep, keep=gated.write)
        if _unwritten(one, swapped) <= allowed:
            said += ": `write` and `keep` are exchanged"
    return Finding(
        "gates",
        "fault",
        f"{said}.",
        "Correct `gated`: write is the gate on the candidate, keep that on the state before; or "
        "take it out, where a norm or another term comes between. Gate attention rests on it.",
        one.group,
        {"difference": gap},
    )
