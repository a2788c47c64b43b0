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
from attnviz.recording import Numbers, Texts
from attnviz.recording.numbers import number_rows
from attnviz.recording.texts import check_labels, check_sequence_model, encoded_texts
from attnviz.replay.plan import (
    AblationLevel,
    Attention,
    check_defined,
    first_number,
    plan_ablations,
)
from attnviz.replay.results import labelled_effects
from attnviz.replay.runs import Replay

__all__ = ["ablate"]


def ablate(
    model: SequenceModel,
    texts: Sequence[str] | Texts | Numbers,
    *,
    level: AblationLevel = "lag",
    method: Method = "zero",
    reference: Sequence[str] | Numbers | None = None,
    group: str | None = None,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """Takes away what attention reads, inside the recurrence, and measures what changes.

    Every edit is a row of a batch. The unedited arm is run on the same path, in a batch of the
    same shape, so that an edit that changes nothing has an effect of exactly zero. The model reads
    in eval mode; its running statistics and the random state stay as they are.

    Arguments:
        model: A classifier whose cells attend, or one that predicts numbers from numbers.
        texts: What to read, with labels where they are known; elsewhere the class that the model
            predicts stands for the right one. For a model of numbers, `attnviz.recording.Numbers`.
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
        `loss_effect` (squared error, summed over outputs). Axes `(sequence, ...)` by level:
        `(lag)`, `(time, lag)`, `(lag, other_lag)` (single lags on the diagonal), `(head, lag)` or
        `(feature)`, and `(head)` or `(time)` where all weights change; the unedited `margin`,
        `probability`, `loss` and `target (sequence)`; and for cells with lags the unedited
        `attention` and `contribution (sequence, time, lag)`, means over heads. NaN beyond a
        sequence's length.

    Raises:
        TypeError: If `texts` is a single string.
        KeyError: If there is no such layer.
        ValueError: If the test is not defined for the cell, the rows of a batch do not stand for
            themselves, a text cannot be read, or a method needs references.
    """
    given = texts if isinstance(texts, Texts | Numbers) else Texts(texts)
    if level not in get_args(AblationLevel):
        raise ValueError(f"level is one of {get_args(AblationLevel)}, got {level!r}.")
    check_sequence_model(model)
    rows = _rows(model, given)
    group = next(iter(model.layer.groups)) if group is None else group
    check_defined(model, group, level, method)
    with evaluated(model), _stepwise(model.layer):
        known = None if reference is None else _references(model, group, reference)
        check_method(method, known)
        replay = Replay(model, group, method, known)
        done, found = 0, []
        attention, whole = _attention(model, group, rows[0]), method in WHOLE
        plans = [
            plan_ablations(
                attention, level, len(row), whole=whole, first=first_number(seed, number)
            )
            for number, row in enumerate(rows)
        ]
        total = sum(len(plan.timesteps) for plan in plans)
        for row, plan, right in zip(rows, plans, _right(given, len(rows)), strict=True):
            found.append(replay.run(row, plan, right))
            done += len(plan.timesteps)
            if progress is not None:
                progress(done, total)
    return labelled_effects(model, given, found, level=level, method=method, group=group)


def _right(given: Texts | Numbers, count: int) -> Sequence[int | Tensor | None]:
    """Of each sequence the right class, as far as it is known, or the right numbers."""
    if isinstance(given, Numbers) and given.labels is None:
        return list(torch.from_numpy(given.targets))
    classes = given.labels if isinstance(given, Numbers) else given.right
    return [None] * count if classes is None else classes


def _rows(model: SequenceModel, given: Texts | Numbers) -> list[Tensor]:
    """What the model reads: a row of ids, or of features, each sequence."""
    if isinstance(given, Numbers):
        return number_rows(model, given)
    encoded = encoded_texts(model, given)
    check_labels(model, given)
    return [torch.from_numpy(text.ids) for text in encoded]


def _attention(model: SequenceModel, group: str, row: Tensor) -> Attention:
    """The heads and sources that a cell's attention is seen to have."""
    seen: list[tuple[int, ...]] = []

    def watch(weights: Tensor, values: Tensor, at: cells.At) -> tuple[Tensor, Tensor]:
        seen.append(tuple(weights.shape))
        return weights, values

    device = next(model.parameters()).device
    with model.layer.register_edit(watch, group=group), torch.no_grad():
        model(row[None].to(device))
    if not seen:
        name = type(model.layer.groups[group]).__name__
        raise ValueError(
            f"{name} declares attention, but its step never hands weights to its edit, so that "
            "nothing can be taken away. Let what it reads go through edit(weights, values, at)."
        )
    return Attention(*seen[0][1:])


def _references(model: SequenceModel, group: str, given: Sequence[str] | Numbers) -> References:
    collector = Collector()
    device = next(model.parameters()).device
    with model.layer.register_edit(collector, group=group), torch.no_grad():
        for row in _rows(model, given if isinstance(given, Numbers) else Texts(given)):
            model(row[None].to(device))
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
