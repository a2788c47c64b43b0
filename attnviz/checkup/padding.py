"""Are lengths honoured, and is every sequence read by itself?"""

from collections.abc import Iterator

import torch
from torch import Tensor

from attnviz.checkup.calls import (
    Example,
    Outcome,
    Tensors,
    Unit,
    apart,
    parameters_of,
    read,
    tolerance,
    weighed,
)
from attnviz.checkup.report import Finding
from attnviz.checkup.shortening import FEW, read_short, trimmed, without_padding
from attnviz.checkup.subject import Subject
from attnviz.checkup.variations import (
    ends_of,
    inside,
    masked,
    timed,
    with_padding,
    with_sequences,
)

__all__ = ["check_batch", "check_lengths"]

WITHOUT = (
    "The model takes no lengths, so that padding would be read as input; its layers alone were "
    "examined. Give it sequences of one length, or let its forward take lengths and pass them on."
)


def check_lengths(subject: Subject) -> list[Finding]:
    """What stands in padding, and how much of it there is, changes no output, signal, gradient."""
    found = [finding for unit in subject.reading for finding in _padded(unit)]
    if found:
        return found
    unit = subject.reading[0]
    padding = sum(int((~inside(u.example)).sum()) for u in subject.reading)
    if not padding:
        said = "all sequences have one length, so that there is no padding to try."
        return [Finding("lengths", "skipped", said, "Pass inputs of several lengths.")]
    said = (
        f"{padding} padded timesteps were overwritten: no output, signal or gradient inside a "
        "sequence changed"
    )
    tried = [without_padding(one) is not None for one in subject.reading]
    said += ", nor without them." if all(tried) else "."
    if unit is subject.whole:
        return [Finding("lengths", "passed", said, numbers={"padding": padding})]
    return [Finding("lengths", "note", said, WITHOUT, "layers alone", {"padding": padding})]


def _padded(unit: Unit) -> Iterator[Finding]:
    example, kept, ends = unit.example, inside(unit.example), ends_of(unit.example)
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
    changed = with_padding(example)
    with torch.no_grad():
        other = read(unit, changed)
    allowed = tolerance(unit)
    gap, place = apart(_within(plain, example, kept), _within(other, example, kept))
    if gap > allowed:
        yield _leak(unit, "what stands in padding", place, gap)
        return
    gap = _gradient_gap(unit, changed, kept)
    if gap > allowed:
        yield _leak(unit, "what stands in padding", "the parameters' gradients", gap)
        return
    gap, place = without_padding(unit) or (0.0, "")
    if gap > allowed:
        yield _leak(unit, "how much padding follows a sequence", place, gap)


def _leak(unit: Unit, what: str, place: str, gap: float) -> Finding:
    return Finding(
        "lengths",
        "fault",
        f"{what} changes {place}, by {gap:.3g} of the largest entry.",
        "Take each sequence's own last timestep (output[rows, lengths - 1], or the returned "
        "state), and leave padding out of means, norms and sums over time.",
        unit.name.rstrip("."),
        {"difference": gap},
    )


def _gradient_gap(unit: Unit, changed: Example, kept: Tensor) -> float:
    """How far padding moves the gradients of a loss over what lies inside the sequences."""
    parameters = parameters_of(unit.module)
    gradients = []
    for example in (unit.example, changed):
        with torch.enable_grad():
            outcome = read(unit, example)
            loss = weighed(_outputs(outcome, example, kept))
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
    example, batch = unit.example, len(ends_of(unit.example))
    if batch < 2:
        yield Finding("batch", "skipped", "there is one sequence only.", "Pass several.")
        return
    plain, allowed = read(unit), tolerance(unit)
    order = torch.arange(batch).roll(1)
    trials = {"in another order": order}
    longest = int(ends_of(example).argmax())
    for row in dict.fromkeys((longest, (longest + 1) % batch)):
        trials["alone"] = torch.tensor([row])
        for how, rows in trials.items():
            # Cut to what the rows need: alone, nobody would pad a sequence for others.
            other = read_short(unit, _rows(example, rows), int(ends_of(example)[rows].max()))
            gap, place = apart(*_both(plain, other, rows, batch, example))
            if gap > allowed:
                yield Finding(
                    "batch",
                    "fault",
                    f"read {how}, a sequence gives another {place}, by {gap:.3g} of the largest "
                    "entry: it depends on the others in its batch.",
                    "In eval mode use no statistics of the batch, and mix no rows: sums, means and "
                    "softmax run over time or features. Padding, whose amount the others decide, "
                    "belongs into no mean and is nobody's last timestep.",
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
) -> tuple[Tensors, Tensors]:
    """What some rows gave in the batch and without it, inside their sequences."""
    time = int(ends_of(example)[rows].max())
    expected: Tensors = {}
    found: Tensors = {}
    for one, alone in zip(plain.seen, other.seen, strict=False):
        for name, values in one.signals.items():
            place = f"{one.group} {name}"
            expected[place], found[place] = values[:time, rows], alone.signals[name][:time]
    chosen = {}
    for name, values in plain.outputs.items():
        axes = [axis for axis, size in enumerate(values.shape) if size == batch]
        if len(axes) == 1 and values.dim() == other.outputs[name].dim():
            chosen[name] = values.index_select(axes[0], rows.to(values.device))
    # Padded as the inputs are, or only up to the longest sequence, as packed sequences are.
    padded = {len(timed(example)), int(ends_of(example).max())}
    extra = {more - less for more in padded for less in (time, FEW) if more > less}
    alike = dict(trimmed(chosen, other.outputs, extra))
    return expected | alike, found | {name: other.outputs[name] for name in alike}


def _within(outcome: Outcome, example: Example, kept: Tensor) -> Tensors:
    """Signals and outputs, with zeros in padding, where anything may stand."""
    return masked(outcome.signals(), kept, 0) | _outputs(outcome, example, kept)


def _outputs(outcome: Outcome, example: Example, kept: Tensor) -> Tensors:
    return masked(outcome.outputs, kept, example.time_axis or 0)
