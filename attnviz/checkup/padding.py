"""Are lengths honoured, and is every sequence read by itself?"""

from collections.abc import Iterator

import torch
from torch import Tensor

from attnviz.checkup.calls import (
    Example,
    Outcome,
    Unit,
    apart,
    parameters_of,
    read,
    tolerance,
    weighed,
)
from attnviz.checkup.report import Finding
from attnviz.checkup.subject import Subject
from attnviz.checkup.variations import other_values, timed, with_sequences

__all__ = ["check_batch", "check_lengths"]

WITHOUT = (
    "The model takes no lengths, so that padding would be read as input; its layers alone were "
    "examined. Give it sequences of one length, or let its forward take lengths and pass them on."
)


def check_lengths(subject: Subject) -> list[Finding]:
    """What stands in padding changes no output, signal or gradient."""
    found = [finding for unit in subject.reading for finding in _padded(unit)]
    if found:
        return found
    unit = subject.reading[0]
    padding = sum(int((len(timed(u.example)) - _ends(u.example)).sum()) for u in subject.reading)
    if not padding:
        said = "all sequences have one length, so that there is no padding to try."
        return [Finding("lengths", "skipped", said, "Pass inputs of several lengths.")]
    said = (
        f"{padding} padded timesteps were overwritten: no output, signal or gradient inside a "
        "sequence changed."
    )
    if unit is subject.whole:
        return [Finding("lengths", "passed", said, numbers={"padding": padding})]
    return [Finding("lengths", "note", said, WITHOUT, "layers alone", {"padding": padding})]


def _padded(unit: Unit) -> Iterator[Finding]:
    example, ends = unit.example, _ends(unit.example)
    x = timed(example).clone()
    inside = torch.arange(len(x))[:, None] < ends
    with torch.no_grad():
        plain = read(unit)
    for one in plain.seen:
        if not torch.equal(one.lengths, ends):
            row = int((one.lengths != ends).nonzero()[0])
            yield Finding(
                "lengths",
                "fault",
                f"read {int(one.lengths[row])} timesteps of sequence {row}, whose length is "
                f"{int(ends[row])}: padding is read as input and recorded as timesteps.",
                "Pass lengths on: layer(x, lengths=lengths), or a PackedSequence.",
                one.group,
            )
            return
    x = torch.where(inside.to(x.device).reshape(*inside.shape, *[1] * (x.dim() - 2)), x,
                    other_values(x))  # fmt: skip
    changed = with_sequences(example, x)
    with torch.no_grad():
        other = read(unit, changed)
    allowed = tolerance(unit)
    gap, place = apart(_within(plain, example, inside), _within(other, example, inside))
    if gap > allowed:
        yield _leak(unit, place, gap)
        return
    gap = _gradient_gap(unit, changed, inside)
    if gap > allowed:
        yield _leak(unit, "the parameters' gradients", gap)


def _leak(unit: Unit, place: str, gap: float) -> Finding:
    return Finding(
        "lengths",
        "fault",
        f"what stands in padding changes {place}, by {gap:.3g} of the largest entry.",
        "Take each sequence's own last timestep (output[rows, lengths - 1], or the returned "
        "state), and leave padding out of means, norms and sums over time.",
        unit.name.rstrip("."),
        {"difference": gap},
    )


def _gradient_gap(unit: Unit, changed: Example, inside: Tensor) -> float:
    """How far padding moves the gradients of a loss over what lies inside the sequences."""
    parameters = parameters_of(unit.module)
    gradients = []
    for example in (unit.example, changed):
        with torch.enable_grad():
            outcome = read(unit, example)
            loss = weighed(_outputs(outcome, example, inside))
        if loss is None or not parameters:
            return 0.0
        found = torch.autograd.grad(loss, parameters, allow_unused=True)
        gradients.append({str(i): g for i, g in enumerate(found) if g is not None})
    return apart(*gradients)[0]


@torch.no_grad()
def check_batch(subject: Subject) -> list[Finding]:
    """A sequence gives the same alone, among others, and in any order."""
    found = [finding for unit in subject.reading for finding in _among(unit)]
    if found:
        return found
    said = "sequences in another order, and alone, give what they gave in the batch."
    return [Finding("batch", "passed", said)]


def _among(unit: Unit) -> Iterator[Finding]:
    example, batch = unit.example, len(_ends(unit.example))
    if batch < 2:
        yield Finding("batch", "skipped", "there is one sequence only.", "Pass several.")
        return
    plain, allowed = read(unit), tolerance(unit)
    order = torch.arange(batch).roll(1)
    trials = {"in another order": order}
    longest = int(_ends(example).argmax())
    for row in dict.fromkeys((longest, (longest + 1) % batch)):
        trials["alone"] = torch.tensor([row])
        for how, rows in trials.items():
            other = read(unit, _rows(example, rows))
            gap, place = apart(*_both(plain, other, rows, batch, example))
            if gap > allowed:
                yield Finding(
                    "batch",
                    "fault",
                    f"read {how}, a sequence gives another {place}, by {gap:.3g} of the largest "
                    "entry: it depends on the others in its batch.",
                    "In eval mode use no statistics of the batch, and mix no rows: sums, means and "
                    "softmax run over time or features.",
                    unit.name.rstrip("."),
                    {"difference": gap},
                )
                return


def _rows(example: Example, rows: Tensor) -> Example:
    chosen = with_sequences(example, timed(example)[:, rows])
    if chosen.lengths is None or chosen.ends is None:
        return chosen
    given = chosen.at(chosen.lengths)
    picked = given[rows] if isinstance(given, Tensor) else [given[row] for row in rows.tolist()]
    return chosen.changed(chosen.lengths, picked)


def _both(
    plain: Outcome, other: Outcome, rows: Tensor, batch: int, example: Example
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What some rows gave in the batch and without it, inside their sequences."""
    time = int(_ends(example)[rows].max())
    expected, found = {}, {}
    for one, alone in zip(plain.seen, other.seen, strict=False):
        for name, values in one.signals.items():
            place = f"{one.group} {name}"
            expected[place], found[place] = values[:time, rows], alone.signals[name][:time]
    for name, values in plain.outputs.items():
        axes = [axis for axis, size in enumerate(values.shape) if size == batch]
        if len(axes) == 1 and values.dim() == other.outputs[name].dim():
            expected[name], found[name] = values.index_select(axes[0], rows), other.outputs[name]
    return expected, found


def _within(outcome: Outcome, example: Example, inside: Tensor) -> dict[str, Tensor]:
    """Signals and outputs, with zeros in padding, where anything may stand."""
    signals = {f"{s.group} {n}": v for s in outcome.seen for n, v in s.signals.items()}
    return _masked(signals, inside, 0) | _outputs(outcome, example, inside)


def _outputs(outcome: Outcome, example: Example, inside: Tensor) -> dict[str, Tensor]:
    return _masked(outcome.outputs, inside, example.time_axis or 0)


def _masked(values: dict[str, Tensor], inside: Tensor, axis: int) -> dict[str, Tensor]:
    mask = inside.transpose(0, axis)
    return {
        name: torch.where(mask.to(one.device).reshape(*mask.shape, *[1] * (one.dim() - 2)), one, 0)
        if one.dim() > 1 and one.shape[:2] == mask.shape
        else one
        for name, one in values.items()
    }


def _ends(example: Example) -> Tensor:
    ends = example.ends
    if ends is not None:
        return ends
    x = timed(example)
    return torch.full((x.shape[1],), len(x))
