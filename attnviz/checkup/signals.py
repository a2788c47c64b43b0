"""Are the signals what their cell says they are?"""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from attnviz.checkup.calls import Outcome, Seen, can_train, fresh, read, within
from attnviz.checkup.parameters import few
from attnviz.checkup.report import Finding
from attnviz.checkup.subject import Subject
from attnviz.opening.convert import given_names

__all__ = ["check_bounds", "check_dropout", "check_finite", "check_weights"]

OUTGROWN = 10.0  # times the largest memory of training


class Break(NamedTuple):
    """Where something first goes wrong, as the layer reads."""

    step: int  # of the layer's own reading
    time: int
    row: int
    rest: tuple[int, ...]


@torch.no_grad()
def check_finite(subject: Subject) -> list[Finding]:
    """No NaN and no infinity; else the timestep where it begins, and in what."""
    found = _broken(read(subject.whole))
    if found is None:
        return [Finding("finite", "passed", "no NaN and no infinity in any signal or output.")]
    model = subject.whole.module
    named = model.named_parameters()
    bad = [name for name, values in named if not bool(torch.isfinite(values).all())]
    if not bad:
        return [found]
    before = list(dict.fromkeys(name for one in bad for name in given_names(model, one)))
    return [
        replace(
            found,
            measured=f"{few(before)} {'is' if len(before) == 1 else 'are'} not finite: "
            f"{found.measured}",
            advice="Load parameters from before they broke, or train again with a lower learning "
            "rate or clipped gradients.",
        )
    ]


def _broken(outcome: Outcome) -> Finding | None:
    """Where NaN or infinity begins, if anywhere."""
    for one in outcome.seen:  # in the order of reading: what comes later may only pass it on
        broken = {
            name: place
            for name, values in one.signals.items()
            if (place := _first(one, ~torch.isfinite(values))) is not None
        }
        if broken:
            return _not_finite(one, broken)
    for name, values in outcome.outputs.items():
        if values.is_floating_point() and bool(values.isnan().any()):
            return Finding(
                "finite",
                "fault",
                f"{name} holds {int(values.isnan().sum())} NaN, though every signal of the "
                "layers is finite.",
                "Look behind the layers, in the head: a division by a length, a log, a mask.",
            )
    return None


def _not_finite(one: Seen, broken: dict[str, Break]) -> Finding:
    begun = min(place.step for place in broken.values())
    first = {name: place for name, place in broken.items() if place.step == begun}
    name, place = next(iter(first.items()))
    value = float(one.signals[name][(place.time, place.row, *place.rest)])
    what = "NaN" if value != value else "infinity"
    return Finding(
        "finite",
        "fault",
        f"{what} begins at timestep {place.time} of sequence {place.row}, in {', '.join(first)}.",
        "Look at that timestep: an input that is not finite, a division or logarithm of zero, or a "
        "state that grew (record hidden and memory). Lower the learning rate or clip gradients if "
        "it came with training.",
        one.group,
        {"timestep": place.time, "sequence": place.row, "signal": name},
    )


@torch.no_grad()
def check_weights(subject: Subject) -> list[Finding]:
    """Weights that are declared to sum to one do."""
    found, worst, names = [], 0.0, []
    for one in read(subject.whole).seen:
        for name in _normalised(one):
            names.append(f"{one.group} {name}")
            gap, place = _sum_gap(one, name)
            worst = max(worst, gap)
            if place is not None:
                total = float(_total(one, name)[(place.time, place.row, *place.rest)])
                found.append(_no_sum(one.group, name, total, place))
    if found:
        return found
    if not names:
        return [Finding("weights", "skipped", "no signal is declared to sum to one.")]
    said = f"sums are one {within(worst)}: {', '.join(names)}."
    return [Finding("weights", "passed", said, numbers={"difference": worst})]


def _no_sum(group: str, name: str, total: float, place: Break) -> Finding:
    return Finding(
        "weights",
        "fault",
        f"{name} is declared to sum to one, but sums to {total:.4g} at timestep {place.time} of "
        f"sequence {place.row}.",
        "Read the weights out after normalising and before dropout, or take normalised_over out of "
        "the declaration: then maps and mean lags treat them as plain weights.",
        group,
        {"sum": total, "timestep": place.time, "sequence": place.row},
    )


@torch.no_grad()
def check_bounds(subject: Subject) -> list[Finding]:
    """Signals stay within the bounds they declare, and memories within those of training."""
    found, count = [], 0
    for one in read(subject.whole).seen:
        for name, declared in one.cell.signals.items():
            values = one.signals.get(name)
            if declared.bounds is None or values is None:
                continue
            count += 1
            low, high = declared.bounds
            slack = 8 * _rounding(values) * max(abs(low), abs(high))
            outside = (values < low - slack) | (values > high + slack)
            if (place := _first(one, outside)) is not None:
                value = float(values[(place.time, place.row, *place.rest)])
                found.append(_outside(one.group, name, value, (low, high), place))
        found += _outgrown(one)
    if found:
        return found
    return [Finding("bounds", "passed", f"{count} signals stay within their declared bounds.")]


def _outside(
    group: str, name: str, value: float, bounds: tuple[float, float], place: Break
) -> Finding:
    return Finding(
        "bounds",
        "fault",
        f"{name} declares the bounds {bounds}, but is {value:.4g} at timestep {place.time} of "
        f"sequence {place.row}.",
        "Correct the bounds in `signals`, or the computation. Scales of figures and float16 in "
        "stores rest on them.",
        group,
        {"value": value, "timestep": place.time, "sequence": place.row},
    )


def _outgrown(one: Seen) -> Iterator[Finding]:
    """A memory that batch norm lets grow beyond what training saw."""
    largest = getattr(one.cell, "largest_memory", None)
    memory = one.signals.get("memory")
    if not isinstance(largest, Tensor) or memory is None or float(largest) <= 0:
        return
    if (place := _first(one, memory.abs() > OUTGROWN * largest)) is None:
        return
    value = float(memory[(place.time, place.row, *place.rest)])
    yield Finding(
        "bounds",
        "warning",
        f"the memory is {value:.3g} at timestep {place.time} of sequence {place.row}, more than "
        f"{OUTGROWN:g} times the {float(largest):.3g} of training.",
        "Read shorter sequences, train with layer norm (options=STABLE), or begin with a smaller "
        "gain: with running statistics, γ f / σ above one lets the memory grow without bound.",
        one.group,
        {"value": value, "timestep": place.time, "sequence": place.row},
    )


@torch.no_grad()
def check_dropout(subject: Subject) -> list[Finding]:
    """Attention is read out before dropout: in training mode it still sums to one."""
    found, tried = [], 0
    for part in subject.parts:
        if not can_train(part):
            said = "the batch is too small for batch norm to be trained."
            return [Finding("dropout", "skipped", said, "Pass eight sequences or more.")]
        unit = fresh(part)
        unit.module.train()
        evaluated = {one.group: one for one in read(part).seen}
        for one in read(unit).seen:
            for name in {"attention", "feature_attention"} & set(one.signals):
                tried += 1
                if dropped := _dropped(evaluated[one.group], one, name):
                    found.append(_after_dropout(one.group, dropped))
    if found:
        return found
    if not tried:
        return [Finding("dropout", "skipped", "no cell has attention.")]
    said = "attention in training mode is read out before dropout."
    return [Finding("dropout", "passed", said)]


def _dropped(steady: Seen, noisy: Seen, name: str) -> str | None:
    """What dropout did to weights in training mode."""
    if name in _normalised(noisy):
        _, place = _sum_gap(noisy, name)
        if place is None or _sum_gap(steady, name)[1] is not None:
            return None
        total = float(_total(noisy, name)[(place.time, place.row, *place.rest)])
        return f"{name} sums to {total:.4g} at timestep {place.time} of sequence {place.row}"
    before, after = (float((one.signals[name] == 0).double().mean()) for one in (steady, noisy))
    return f"{after - before:.1%} more of {name} is zero" if after > before + 1e-3 else None


def _after_dropout(group: str, said: str) -> Finding:
    return Finding(
        "dropout",
        "fault",
        f"in training mode {said}, in eval mode not: it was read out after dropout.",
        "Read the weights out before dropout; those that were used can be a signal of their own "
        "(attention_used).",
        group,
    )


def _normalised(one: Seen) -> list[str]:
    return [n for n, s in one.cell.signals.items() if s.normalised_over and n in one.signals]


def _total(one: Seen, name: str) -> Tensor:
    declared = one.cell.signals[name]
    return one.signals[name].sum(dim=2 + declared.axes.index(str(declared.normalised_over)))


def _sum_gap(one: Seen, name: str) -> tuple[float, Break | None]:
    """How far sums are from one inside the sequences, and the first that is too far."""
    values, total = one.signals[name], _total(one, name)
    declared = one.cell.signals[name]
    size = values.abs().sum(dim=2 + declared.axes.index(str(declared.normalised_over)))
    gap = (total - 1).abs().nan_to_num(0.0)
    gap = torch.where(size == 0, 0, gap)  # weights that reach no state at all may all be zero
    allowed = 64 * _rounding(values) * size.clamp_min(1).nan_to_num(1.0)
    return float(gap.max()), _first(one, gap > allowed)


def _rounding(values: Tensor) -> float:
    return float(torch.finfo(values.dtype).eps)


def _first(one: Seen, wrong: Tensor) -> Break | None:
    """Where something is first wrong inside the sequences, in the order of reading."""
    time = torch.arange(len(wrong))[:, None]
    inside = (time < one.lengths[None]).to(wrong.device)
    places = (wrong & inside.reshape(*inside.shape, *[1] * (wrong.dim() - 2))).nonzero()
    if not len(places):
        return None
    steps = places[:, 0].cpu()
    if one.reverse:
        steps = one.lengths[places[:, 1].cpu()] - 1 - steps
    found = int(steps.argmin())
    at, row, *index = places[found].tolist()
    return Break(int(steps[found]), at, row, tuple(index))
