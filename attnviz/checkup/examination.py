"""The check-up: every check in order, each only where those it rests on have passed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from attnviz.checkup.adding_up import check_gates, check_routes
from attnviz.checkup.capturing import check_capture
from attnviz.checkup.declaring import check_declaration
from attnviz.checkup.keeping import check_saved, check_trained
from attnviz.checkup.looking_ahead import check_causality
from attnviz.checkup.padding import check_batch, check_lengths
from attnviz.checkup.parameters import check_gradient, check_registered
from attnviz.checkup.repeating import check_calls, check_eval, check_pieces
from attnviz.checkup.report import AFTERWARDS, Finding, Report
from attnviz.checkup.signals import check_bounds, check_dropout, check_finite, check_weights
from attnviz.checkup.subject import Subject, described, subject_of
from attnviz.checkup.surroundings import check_compiled, check_precision, check_versions
from attnviz.checkup.watching import check_path, check_recording
from attnviz.modes import evaluated

__all__ = ["doctor"]

Check = Callable[[Subject], list[Finding]]


class Entry(NamedTuple):
    """A check, and the checks whose fault would show in it too."""

    name: str
    check: Check
    rests_on: tuple[str, ...] = ()


_STEADY = ("capture", "declaration", "calls", "eval")

CHECKS = (
    Entry("versions", check_versions),
    Entry("precision", check_precision),
    Entry("declaration", check_declaration),
    Entry("capture", check_capture, ("declaration",)),
    Entry("path", check_path, ("capture", "declaration")),
    Entry("compiled", check_compiled, ("capture", "declaration", "calls")),
    Entry("calls", check_calls, ("capture", "declaration")),
    Entry("eval", check_eval, ("capture", "declaration", "calls")),
    Entry("finite", check_finite, ("capture", "declaration")),
    Entry("weights", check_weights, ("capture", "declaration", "finite")),
    Entry("bounds", check_bounds, ("capture", "declaration", "finite")),
    Entry("gates", check_gates, ("capture", "declaration", "finite", "bounds")),
    Entry("dropout", check_dropout, ("capture", "declaration", "finite", "weights")),
    Entry("causality", check_causality, _STEADY),
    Entry("lengths", check_lengths, (*_STEADY, "causality")),
    Entry("batch", check_batch, (*_STEADY, "causality", "lengths")),
    Entry("pieces", check_pieces, (*_STEADY, "causality", "finite")),
    Entry("registered", check_registered, ("declaration",)),
    Entry("gradient", check_gradient, ("capture", "declaration", "registered", "finite")),
    Entry("routes", check_routes, (*_STEADY, "finite", "registered", "gradient")),
    Entry("trained", check_trained, ("registered",)),
    Entry("recording", check_recording, ("precision", *_STEADY[:3], "registered")),
    Entry("saved", check_saved, (*_STEADY, "registered")),
)


def doctor(
    model: nn.Module | str | Path,
    inputs: Any = None,  # noqa: ANN401  (whatever the model's forward takes)
    *,
    compiled: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Examines whether a model is recorded rightly, and says what to do where it is not.

        report = attnviz.doctor(model)          # or a cell, a layer, "rra-imdb", a run's folder
        print(report)
        report.ok, report.of("fault", "warning"), report.to_frame(), report.to_json()

    A copy is examined, in eval mode unless a check needs training: parameters, modes, buffers,
    hooks and random states of the model stay as they are. (A model that is compiled is also
    called as it is.) A check that another fault would upset is left out and says so; a check that
    raises is a fault.

    What is tried: `declaration`, a step does as its cell says; `capture`, each cell fires once
    per timestep and all of it is handed over; `path`, which path runs, why, and whether both give
    the same; `compiled`, hooks fire under torch.compile; `calls` and `eval`, the same inputs give
    the same; `finite`, `weights`, `bounds`, `dropout`, signals are what they are declared to be;
    `gates` and `routes`, what gates wrote adds up to the state, what routes bring back to the
    gradient; `causality` and `pieces`, only what was read counts; `lengths` and `batch`, padding
    and other sequences change nothing; `registered`, `gradient`, `trained` and `saved`, of the
    parameters; `recording`, being watched changes nothing.

    Arguments:
        model: Any module that holds `cells.Recurrent` layers (opened ones too), a layer or cell,
            the name of a shipped model, or the folder of a run or model. One that holds
            `torch.nn.LSTM` or `GRU` instead is opened first, as by `attnviz.open_model`.
        inputs: What its forward takes: a single tensor, a tuple of arguments, or a dict of named
            ones. Made up if not given; a short batch of real data finds more. Lengths are an
            argument whose name has `length` in it.
        compiled: Whether to try torch.compile on it, which takes some seconds.
        progress: Called with checks done and in all.

    Returns:
        The findings, in the order of the checks.

    Raises:
        TypeError: If it is no model, a cell of it cannot take a step, inputs do not fit, or none
            can be made up.
        FileNotFoundError: If there is no model of that name.
        ValueError: If the model cannot be copied.
    """
    subject = subject_of(model, inputs, compiled=compiled)
    findings: list[Finding] = []
    with evaluated(subject.given):
        for number, entry in enumerate(CHECKS):
            findings += _carried_out(entry, subject, findings)
            if progress is not None:
                progress(number + 1, len(CHECKS))
    return Report(*described(subject), tuple(findings))


def _carried_out(entry: Entry, subject: Subject, before: list[Finding]) -> list[Finding]:
    """What a check finds, or why it was left out."""
    faults = {finding.check for finding in before if finding.status == "fault"}
    if not subject.whole.layers and entry.name not in ("versions", "capture", "registered"):
        return []
    if upset := [name for name in entry.rests_on if name in faults]:
        said = f"left out, since the fault in {' and '.join(upset)} would show here too."
        return [Finding(entry.name, "skipped", said, AFTERWARDS)]
    try:
        return entry.check(subject)
    except Exception as error:  # of the model's own code: whatever it is, it is a finding
        said = f"the model raised {type(error).__name__}: {error}"
        return [Finding(entry.name, "fault", said, _advice(error))]


def _advice(error: Exception) -> str:
    """What to do where the model's own code raised."""
    if "in-place" in str(error) or "inplace" in str(error):
        return (
            "A state, or what a layer returned, seems to be changed in place, though backward or a "
            "later step reads it. Make a new one (x * 0.5, not x.mul_(0.5) or x[...] = y)."
        )
    return (
        "Call it as this check does (see doctor's documentation) and mend what raises; or pass "
        "inputs= that it reads."
    )
