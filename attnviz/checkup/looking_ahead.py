"""Does anything see inputs that have not come yet: a cell, or the model's code around it?"""

from typing import NamedTuple

import torch

import cells
from attnviz.checkup.calls import Example, Unit, apart, read, tolerance
from attnviz.checkup.examples import layer_inputs
from attnviz.checkup.report import Finding, Status
from attnviz.checkup.shortening import time_axes
from attnviz.checkup.subject import Subject
from attnviz.checkup.variations import (
    inside,
    layer_output,
    middle,
    timed,
    whole_lengths,
    with_padding,
    with_steps,
)

__all__ = ["check_causality"]

SUM = 1e-3  # how far a sum of weights over time may be from one, in half precision too

FRONT = (
    "Read a lag as one of the layer's own inputs, not of the model's; or make what stands in "
    "front causal (a convolution padded on the left, a norm over features only)"
)


class Ahead(NamedTuple):
    """What changes before a timestep with inputs from it on, in a model around its layers.

    Attributes:
        cut: The timestep.
        inputs: How far what each layer reads changes, by its prefix, in the order of their calls.
        reversed: Layers that read the timesteps from the last to the first.
        output: The output at single timesteps that changes most; empty if none does.
        gap: How far it does.
        single: Whether all that is returned is of single timesteps.
    """

    cut: int
    inputs: dict[str, float]
    reversed: list[str]
    output: str
    gap: float
    single: bool


@torch.no_grad()
def check_causality(subject: Subject) -> list[Finding]:
    """Later inputs change nothing earlier, except in directions that read from the end."""
    found = [finding for part in subject.parts for finding in _causal(part)]
    if found:
        return found
    if early := _around(subject):
        return [early]
    cut = middle(timed(subject.parts[0].example))
    return [
        Finding(
            "causality",
            "passed",
            f"other inputs from timestep {cut} on change nothing before it"
            + (" (reverse directions: the other way round)." if _two_ways(subject.whole) else "."),
        )
    ]


def _causal(part: Unit) -> list[Finding]:
    """A layer alone: the cell of each direction sees only what it has read."""
    [(prefix, layer)] = part.layers.items()
    example = whole_lengths(part.example)
    time = len(timed(example))
    cut, allowed = middle(timed(example)), tolerance(part)
    plain = read(part, example)
    for reverse in (False, True) if layer.bidirectional else (False,):
        changed = slice(0, cut) if reverse else slice(cut, time)
        kept = slice(cut, time) if reverse else slice(0, cut)
        other = read(part, with_steps(example, changed))
        for one, moved in zip(plain.seen, other.seen, strict=True):
            # Above the first layer of two directions every group has seen all inputs.
            if one.reverse != reverse or (layer.bidirectional and one.group[-2:] != "l0"
                                          and not one.group.endswith("l0_reverse")):  # fmt: skip
                continue
            before = {n: v[kept] for n, v in one.signals.items()}
            gap, place = apart(before, {n: v[kept] for n, v in moved.signals.items()})
            if gap > allowed:
                return [_reads_ahead(one.group, gap, place, cut, reverse)]
        if layer.bidirectional:
            continue
        gap, _ = apart(
            layer_output(plain, layer.batch_first, kept),
            layer_output(other, layer.batch_first, kept),
        )
        if gap > allowed:
            return [_reads_ahead(f"{prefix or 'the layer'}", gap, "its output", cut, reverse)]
    return []


def _reads_ahead(where: str, gap: float, place: str, cut: int, reverse: bool) -> Finding:
    side, other = ("before", "from") if reverse else ("from", "before")
    return Finding(
        "causality",
        "fault",
        f"other inputs {side} timestep {cut} on change {place} {other} it, by {gap:.3g} of the "
        "largest entry: the cell reads what has not come yet.",
        "Compute a timestep from its input and the state alone. Attention then looks back, as its "
        "lags say, and influence and gradients by distance mean what they say.",
        where.rstrip("."),
        {"difference": gap, "timestep": cut},
    )


def _around(subject: Subject) -> Finding | None:
    """Whether the model's own code mixes timesteps, before its layers or behind them."""
    whole = subject.whole
    if isinstance(whole.module, cells.Recurrent) or whole.example.sequences is None:
        return None
    allowed = tolerance(whole)
    ahead = _ahead(whole, allowed)
    early = [prefix for prefix, gap in ahead.inputs.items() if gap > allowed]
    mixed = [prefix for prefix in early if prefix not in ahead.reversed]
    if not early:
        return _behind(ahead) if ahead.gap > allowed else None
    # Of several layers one may read all that another has read, as a decoder does; what the first
    # of them reads is the model's own input.
    if not mixed or next(iter(ahead.inputs)) not in mixed:
        return _meant(ahead, (mixed or early)[0])
    padding = _padding_gap(whole, mixed[0]) if _reads_lengths(subject) else 0.0
    everywhere = ahead.gap > allowed and len(mixed) == len(ahead.inputs)
    return _in_front(ahead, mixed[0], everywhere, padding if padding > allowed else 0.0)


def _ahead(whole: Unit, allowed: float) -> Ahead:
    example = whole_lengths(whole.example)
    time, cut = len(timed(example)), middle(timed(example))
    read_at = {prefix: one.x for prefix, one in layer_inputs(whole, example).items()}
    # Timesteps of a layer that has others than the input cannot be told to be early.
    read_at = {prefix: x for prefix, x in read_at.items() if len(x) == time}
    if _two_ways(whole):  # what stands behind a layer of two directions has seen everything
        read_at = dict(list(read_at.items())[:1])

    def gaps(changed: slice) -> dict[str, float]:
        other = layer_inputs(whole, with_steps(example, changed))
        return {p: apart({"": x[:cut]}, {"": other[p].x[:cut]})[0] for p, x in read_at.items()}

    late, first = gaps(slice(cut, None)), gaps(slice(0, time - cut))
    backwards = [p for p, gap in late.items() if gap > allowed and first[p] <= allowed]
    output, gap, single = ("", 0.0, True) if backwards else _predictions(whole, example, cut)
    return Ahead(cut, late, backwards, output, gap, single)


def _predictions(whole: Unit, example: Example, cut: int) -> tuple[str, float, bool]:
    """The output that later inputs change most at earlier timesteps; none in two directions.

    And whether there are no outputs but of single timesteps.
    """
    if cut == 0 or _two_ways(whole):
        return "", 0.0, True
    plain = read(whole, example).outputs
    moved = read(whole, with_steps(example, slice(cut, None))).outputs
    found, axes = ("", 0.0), time_axes(whole, example)
    for name, axis in axes.items():
        total = plain[name].double().sum(axis)
        if bool(((total - 1).abs() < SUM).all()):
            continue  # weights over all timesteps, as of pooling
        one, other = ({name: values[name].narrow(axis, 0, cut)} for values in (plain, moved))
        found = max(found, (name, apart(one, other)[0]), key=lambda each: each[1])
    return *found, axes.keys() >= plain.keys()


def _reads_lengths(subject: Subject) -> bool:
    return subject.reading == (subject.whole,)


def _padding_gap(whole: Unit, prefix: str) -> float:
    """How far padding changes what a layer reads inside the sequences."""
    kept = inside(whole.example)
    one, other = (
        layer_inputs(whole, example)[prefix].x
        for example in (whole.example, with_padding(whole.example))
    )
    kept = kept[: len(one)].to(one.device)  # packed sequences end with the longest
    return apart({"x": one[kept]}, {"x": other[kept]})[0]


def _in_front(ahead: Ahead, prefix: str, everywhere: bool, padding: float) -> Finding:
    """Before a whole sequence is classified that may be meant; in a prediction it cannot be."""
    gap = ahead.inputs[prefix]
    said = (
        f"what the layer reads before timestep {ahead.cut} changes by {gap:.3g} of its largest "
        "entry with inputs after it: something in front of it mixes timesteps"
    )
    advice = FRONT
    if everywhere:
        said += f", and {ahead.output} before it changes too, by {ahead.gap:.3g}"
    if padding:
        said += f"; padding enters the sequences that way, by {padding:.3g}"
        advice += "; and mask padding before that"
    numbers: dict[str, float | int | str] = {"difference": gap, "timestep": ahead.cut}
    status: Status = "fault" if everywhere or padding else "warning"
    return Finding("causality", status, f"{said}.", f"{advice}.", prefix.rstrip("."), numbers)


def _behind(ahead: Ahead) -> Finding:
    """Beside the answer to a whole sequence it may be meant, as scores of a pooling are."""
    return Finding(
        "causality",
        "fault" if ahead.single else "warning",
        f"other inputs from timestep {ahead.cut} on change {ahead.output} before it, by "
        f"{ahead.gap:.3g} of the largest entry, though nothing that the layers read: the model's "
        "code behind them mixes timesteps.",
        "Let what is returned for a timestep depend on the layers' output there and before: no "
        "shift to the left, no mean or norm over time. Where all of a sequence may be seen, take "
        "bidirectional=True, which says so.",
        numbers={"difference": ahead.gap, "timestep": ahead.cut},
    )


def _meant(ahead: Ahead, prefix: str) -> Finding:
    """A layer beside or behind others that need not be causal."""
    gap = ahead.inputs[prefix]
    said = (
        "what this layer reads comes in reversed order"
        if prefix in ahead.reversed
        else f"what this layer reads before timestep {ahead.cut} changes by {gap:.3g} of its "
        "largest entry with the model's inputs after it, as a decoder's does"
    )
    return Finding(
        "causality",
        "note",
        f"{said}.",
        "Read its timesteps and lags as those of its own inputs, not of the model's.",
        prefix.rstrip("."),
        {"difference": gap, "timestep": ahead.cut},
    )


def _two_ways(unit: Unit) -> bool:
    return any(layer.bidirectional for layer in unit.layers.values())
