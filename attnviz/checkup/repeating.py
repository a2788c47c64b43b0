"""Do the same inputs give the same, whatever else is read, and only from what was there?"""

from dataclasses import replace

import torch
from torch import Tensor

import cells
from attnviz.checkup.calls import Outcome, Unit, apart, fresh, identical, read, tolerance
from attnviz.checkup.examples import layer_inputs
from attnviz.checkup.report import Finding
from attnviz.checkup.subject import Subject
from attnviz.checkup.variations import (
    middle,
    timed,
    whole_lengths,
    with_others,
    with_steps,
)

__all__ = ["check_calls", "check_causality", "check_eval", "check_pieces"]


@torch.no_grad()
def check_calls(subject: Subject) -> list[Finding]:
    """Nothing is carried over from one call to the next."""
    unit = fresh(subject.whole)
    example = unit.example
    if example.sequences is not None:  # whole sequences: a state that is kept then fits the next
        example = whole_lengths(example)
    first = read(unit, example)
    read(unit, with_others(example))
    again = read(unit, example)
    place = identical(first.everything(), again.everything())
    if place is None:
        said = "the same inputs give the same, bit for bit, after others were read."
        return [Finding("calls", "passed", said)]
    gap, _ = apart(first.everything(), again.everything())
    return [
        Finding(
            "calls",
            "fault",
            f"the same inputs, read again after others from the same random state, give another "
            f"{place}, by {gap:.3g} of the largest entry.",
            "Keep nothing of a call on the module or the cell: a state is passed in and returned. "
            "If the model draws random numbers of NumPy's, draw torch's.",
            numbers={"difference": gap},
        )
    ]


@torch.no_grad()
def check_eval(subject: Subject) -> list[Finding]:
    """In eval mode nothing is drawn at random."""
    first, second = read(subject.whole, seed=0), read(subject.whole, seed=1)
    place = identical(first.everything(), second.everything())
    if place is None:
        return [Finding("eval", "passed", "in eval mode nothing depends on the random state.")]
    gap, _ = apart(first.everything(), second.everything())
    return [
        Finding(
            "eval",
            "fault",
            f"in eval mode {place} changes with the random state, by {gap:.3g} of the largest "
            "entry: something is still drawn, as by dropout.",
            "Give dropout the module's mode: F.dropout(x, p, training=self.training), or a "
            "torch.nn.Dropout that eval() reaches.",
            numbers={"difference": gap},
        )
    ]


@torch.no_grad()
def check_causality(subject: Subject) -> list[Finding]:
    """Later inputs change nothing earlier, except in directions that read from the end."""
    found = [finding for part in subject.parts for finding in _causal(part)]
    if found:
        return found
    if early := _front(subject):
        return [early]
    cut = middle(timed(subject.parts[0].example))
    return [
        Finding(
            "causality",
            "passed",
            f"other inputs from timestep {cut} on change nothing before it"
            + (" (reverse directions: the other way round)." if _two_ways(subject) else "."),
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
        gap, _ = apart(_output(plain, layer, kept), _output(other, layer, kept))
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


def _front(subject: Subject) -> Finding | None:
    """Whether what stands before the first layer mixes timesteps."""
    whole = subject.whole
    if isinstance(whole.module, cells.Recurrent) or whole.example.sequences is None:
        return None
    example = whole_lengths(whole.example)
    cut = middle(timed(example))
    before = layer_inputs(whole, example)
    after = layer_inputs(whole, with_steps(example, slice(cut, None)))
    group, one = next(iter(before.items()))
    if len(one.x) != len(timed(example)):
        return None  # timesteps of the layer are not those of the input
    gap, _ = apart({"x": one.x[:cut]}, {"x": after[group].x[:cut]})
    if gap <= tolerance(whole):
        return None
    return Finding(
        "causality",
        "warning",
        f"what the layer reads before timestep {cut} changes by {gap:.3g} of its largest entry "
        "with inputs after it: something in front of it mixes timesteps.",
        "Read a lag as one of the layer's own inputs, not of the model's; or make what stands in "
        "front causal (a convolution padded on the left, a norm over features only).",
        group.rstrip("."),
        {"difference": gap, "timestep": cut},
    )


@torch.no_grad()
def check_pieces(subject: Subject) -> list[Finding]:
    """A sequence read in two pieces, the state carried over, gives what the whole gives."""
    found: list[Finding] = []
    tried = []
    for part in subject.parts:
        [(prefix, layer)] = part.layers.items()
        if layer.bidirectional or len(timed(part.example)) < 2:
            continue
        tried.append(prefix)
        gap, place = _in_pieces(part, layer)
        if gap > tolerance(part):
            found.append(
                Finding(
                    "pieces",
                    "fault",
                    f"read in two pieces, the state carried over, {place} differs from the whole "
                    f"by {gap:.3g} of the largest entry.",
                    "Put all that a later step needs into the state that the cell returns, and "
                    "count steps in the state.",
                    (prefix + "l0"),
                    {"difference": gap},
                )
            )
    if not tried:
        return [
            Finding(
                "pieces", "skipped", "one timestep, or two directions, are read as a whole only."
            )
        ]
    said = "a sequence in two pieces, the state carried over, gives what the whole gives."
    return found or [Finding("pieces", "passed", said)]


def _in_pieces(part: Unit, layer: cells.Recurrent) -> tuple[float, str]:
    example = whole_lengths(part.example)
    x, axis = timed(example), example.time_axis or 0
    cut = middle(x)
    whole = read(part, example)
    first, second = (
        example.changed(0, piece.transpose(0, axis)).changed("lengths", None)
        for piece in (x[:cut], x[cut:])
    )
    begun = layer(*first.arguments)[1]
    rest = read(part, replace(second, arguments=(second.arguments[0], begun)))
    kept = slice(cut, None)
    expected = {f"{s.group} {n}": v[kept] for s in whole.seen for n, v in s.signals.items()}
    expected |= _output(whole, layer, kept)
    found = {f"{s.group} {n}": v for s in rest.seen for n, v in s.signals.items()}
    return apart(expected, found | _output(rest, layer, slice(None)))


def _output(outcome: Outcome, layer: cells.Recurrent, steps: slice) -> dict[str, Tensor]:
    """What a layer returned for some timesteps."""
    output = outcome.outputs["output[0]"]
    return {"output": (output.transpose(0, 1) if layer.batch_first else output)[steps]}


def _two_ways(subject: Subject) -> bool:
    return any(layer.bidirectional for layer in subject.whole.layers.values())
