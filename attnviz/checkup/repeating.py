"""Do the same inputs give the same, whatever else is read, at once or in pieces?"""

from dataclasses import replace

import torch

import cells
from attnviz.checkup.calls import Unit, apart, fresh, identical, read, tolerance
from attnviz.checkup.report import Finding
from attnviz.checkup.subject import Subject
from attnviz.checkup.variations import layer_output, middle, timed, whole_lengths, with_others

__all__ = ["check_calls", "check_eval", "check_pieces"]


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
    expected |= layer_output(whole, layer.batch_first, kept)
    found = {f"{s.group} {n}": v for s in rest.seen for n, v in s.signals.items()}
    return apart(expected, found | layer_output(rest, layer.batch_first, slice(None)))
