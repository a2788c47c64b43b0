"""What changes when attention cannot read something."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import get_args

import torch
import xarray as xr
from torch import Tensor

import cells
from attnviz.edits import WHOLE, Collector, Method, References, check_method
from attnviz.models import SequenceModel
from attnviz.modes import evaluated
from attnviz.recording import Numbers, Running, Texts
from attnviz.recording.numbers import number_rows
from attnviz.recording.running import check_running
from attnviz.recording.texts import check_labels, check_sequence_model, encoded_texts
from attnviz.replay.plan import (
    AblationLevel,
    Attention,
    check_defined,
    first_number,
    plan_ablations,
)
from attnviz.replay.results import labelled_effects
from attnviz.replay.runs import Case, Replay
from attnviz.states import State

__all__ = ["ablate"]


def ablate(
    model: SequenceModel,
    texts: Sequence[str] | Texts | Numbers | Running,
    *,
    level: AblationLevel = "lag",
    method: Method = "zero",
    reference: Sequence[str] | Numbers | Running | None = None,
    group: str | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Takes away what attention reads, inside the recurrence, and measures what changes.

    Every edit is a row of a batch. The unedited arm is run on the same path, in a batch of the
    same shape, so that an edit that changes nothing has an effect of exactly zero. The model reads
    in eval mode; its running statistics and the random state stay as they are.

    Arguments:
        model: A classifier whose cells attend, one that predicts numbers from numbers, or a
            language model.
        texts: What to read, with labels where they are known; elsewhere the class that the model
            predicts stands for the right one. For a model of numbers, `attnviz.recording.Numbers`.
            For a language model, `attnviz.recording.Running`: each piece is a sequence, and begins
            with the state in which what came before has left the unedited model.
        level: What one edit takes away: a `lag` at all timesteps; a lag at one timestep (`step`);
            a `pair` of lags at all timesteps; a lag of one `head`; or, of RAU, a `feature`.
        method: As `attnviz.edits.Ablation` has them: `zero`, `remove`, `mean`, `resample`.
            `uniform`, `permute` and `frozen` change all weights of a head at once, at all
            timesteps (`head`) or at one (`step`).
        reference: Texts, or numbers, that `mean`, `resample` and `frozen` take values from.
        group: The layer and direction that is edited; the first if not given.
        seed: For what `resample` and `permute` draw, each text for itself; 0 or more.
        progress: Called with edits done and in all.

    Returns:
        Effects (edited minus unedited) `margin_effect` (logit of the class minus the best other),
        `probability_effect` and `loss_effect` (cross-entropy); where numbers are predicted only
        `loss_effect` (squared error, summed over outputs), of a running text only `loss_effect`
        (mean over a piece's next tokens, in nats). Axes `(sequence, ...)` by level:
        `(lag)`, `(time, lag)`, `(lag, other_lag)` (single lags on the diagonal), `(head, lag)` or
        `(feature)`, and `(head)` or `(time)` where all weights change (at the last timestep of a
        piece NaN: what follows is not known); the unedited `margin`,
        `probability`, `loss` and `target (sequence)`; and for cells with lags the unedited
        `attention` and `contribution (sequence, time, lag)`, means over heads. NaN beyond a
        sequence's length.

    Raises:
        TypeError: If `texts` is a single string.
        KeyError: If there is no such layer.
        ValueError: If the test is not defined for the cell or the head, the rows of a batch do not
            stand for themselves, a text cannot be read, or a method needs references.
    """
    given = texts if isinstance(texts, Texts | Numbers | Running) else Texts(texts)
    if level not in get_args(AblationLevel):
        raise ValueError(f"level is one of {get_args(AblationLevel)}, got {level!r}.")
    check_sequence_model(model)
    _check_head(model, given)
    group = next(iter(model.layer.groups)) if group is None else group
    check_defined(model, group, level, method)
    with evaluated(model), _stepwise(model.layer):
        cases = _cases(model, given)
        known = None if reference is None else _references(model, group, reference)
        check_method(method, known)
        replay = Replay(model, group, method, known)
        done, found = 0, []
        attention, whole = _attention(model, group, cases[0]), method in WHOLE
        plans = [
            plan_ablations(
                attention, level, len(case.row), whole=whole, first=first_number(seed, number)
            )
            for number, case in enumerate(cases)
        ]
        total = sum(len(plan.timesteps) for plan in plans)
        for case, plan in zip(cases, plans, strict=True):
            found.append(replay.run(case, plan))
            done += len(plan.timesteps)
            if progress is not None:
                progress(done, total)
    return labelled_effects(model, given, found, level=level, method=method, group=group)


def _check_head(model: SequenceModel, given: Texts | Numbers | Running) -> None:
    """Refuses a model that predicts at every timestep, unless it is the next token of a text.

    Raises:
        ValueError: If it does, or a running text is given to another model.
    """
    if isinstance(given, Running):
        check_running(model, given)
    elif model.per_step:
        advice = ""
        if model.kind == "language_model":
            advice = " Give it attnviz.recording.Running."
        raise ValueError(
            f"ablate measures what is predicted after the last timestep, but {model.name} is for "
            f"{model.kind} and predicts at every one.{advice}"
        )


def _cases(model: SequenceModel, given: Texts | Numbers | Running) -> list[Case]:
    """What the model reads, a row of ids or of features each sequence, and what is right."""
    if isinstance(given, Running):
        return _pieces(model, given)
    if isinstance(given, Numbers):
        rows = number_rows(model, given)
        if given.labels is None:
            return [Case(*both) for both in zip(rows, torch.from_numpy(given.targets), strict=True)]
    else:
        rows = [torch.from_numpy(text.ids) for text in encoded_texts(model, given)]
        check_labels(model, given)
    classes = given.labels if isinstance(given, Numbers) else given.right
    known = [None] * len(rows) if classes is None else classes
    return [Case(row, right) for row, right in zip(rows, known, strict=True)]


@torch.no_grad()
def _pieces(model: SequenceModel, given: Running) -> list[Case]:
    """The pieces of a running text, each with the state that the one before has left."""
    device = next(model.parameters()).device
    pieces: list[Case] = []
    state: State | None = None
    for tokens in map(torch.from_numpy, given.pieces):
        pieces.append(Case(tokens, tokens[1:], state))
        state = model.go_on(tokens[None].to(device), state)[1]
    return pieces


def _attention(model: SequenceModel, group: str, case: Case) -> Attention:
    """The heads and sources that a cell's attention is seen to have."""
    seen: list[tuple[int, ...]] = []

    def watch(weights: Tensor, values: Tensor, at: cells.At) -> tuple[Tensor, Tensor]:
        seen.append(tuple(weights.shape))
        return weights, values

    device = next(model.parameters()).device
    with model.layer.register_edit(watch, group=group), torch.no_grad():
        model(case.row[None].to(device), None, case.begin)
    if not seen:
        name = type(model.layer.groups[group]).__name__
        raise ValueError(
            f"{name} declares attention, but its step never hands weights to its edit, so that "
            "nothing can be taken away. Let what it reads go through edit(weights, values, at)."
        )
    return Attention(*seen[0][1:])


def _references(
    model: SequenceModel, group: str, given: Sequence[str] | Numbers | Running
) -> References:
    usual = given if isinstance(given, Numbers | Running) else Texts(given)
    _check_head(model, usual)
    collector = Collector()
    device = next(model.parameters()).device
    with model.layer.register_edit(collector, group=group), torch.no_grad():
        if isinstance(usual, Running):
            _pieces(model, usual)  # which reads them all
        else:
            for case in _cases(model, usual):
                model(case.row[None].to(device))
    return collector.references()


@contextmanager
def _stepwise(layer: cells.Recurrent) -> Iterator[None]:
    """A scope on the step path, the only one on which attention can be edited."""
    path = layer.path
    layer.path = "step"
    try:
        yield
    finally:
        layer.path = path
