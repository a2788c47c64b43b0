"""Recording what a model that reads numbers looks at."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from attnviz.arrays import check_array
from attnviz.models import SequenceModel
from attnviz.modes import evaluated
from attnviz.recording.gradients import GradientRecording, leaves_of
from attnviz.recording.recorder import record
from attnviz.recording.texts import check_sequence_model
from attnviz.trace import Trace
from cells.lengths import check_lengths

__all__ = ["Numbers", "number_rows", "record_numbers"]

BATCH = 64  # sequences that are read at once


@dataclass(frozen=True, eq=False)
class Numbers:
    """Sequences of numbers with what is known about them, as `Texts` are of texts.

    Arguments:
        features: What is read, `(sequence, time, feature)`.
        targets: What is right: classes, or numbers `(sequence, output)`.
        ids: A name for each; their numbers if not given.
        about: Where they come from, such as `{"task": "row-mnist", "split": "test"}`.
        lengths: Timesteps of each, where they differ: what stands in the padding is never read.

    Raises:
        TypeError: If features or targets are no arrays of numbers.
        ValueError: If there is no sequence, they have other axes, or targets, ids or lengths do not
            match.
    """

    features: Float[np.ndarray, "sequence time feature"]
    targets: Float[np.ndarray, "other_sequence output"] | Int[np.ndarray, "other_sequence"]
    ids: Sequence[str] | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    lengths: Sequence[int] | Int[np.ndarray, "own_length"] | None = None

    def __post_init__(self) -> None:
        """Refuses what are no arrays, and targets, ids or lengths that do not match."""
        for what, given, sizes, axes in (
            ("features", self.features, (3,), "(sequence, time, feature)"),
            ("targets", self.targets, (1, 2), "(sequence), or (sequence, output)"),
        ):
            check_array("Numbers", what, given, axes=axes, padded=what == "features")
            if given.ndim not in sizes:
                raise ValueError(f"Numbers takes {what} {axes}, got shape {given.shape}.")
        if self.targets.ndim == 1 and self.targets.dtype.kind == "f":
            raise TypeError(
                "Numbers takes classes as whole numbers (sequence), and numbers to be predicted as "
                f"(sequence, output), got targets of {self.targets.dtype} with one axis. Give "
                "targets.astype(int), or targets[:, None]."
            )
        counts = [len(self.targets), len(self.timesteps)] + (
            [] if self.ids is None else [len(self.ids)]
        )
        if not len(self.features) or any(count != len(self.features) for count in counts):
            raise ValueError(
                "Numbers needs at least one sequence, with a row of targets (and an id, if any) "
                f"for each, got {len(self.features)} sequences, {len(self.targets)} rows"
                f"{'' if self.ids is None else f' and {len(self.ids)} ids'}."
            )

    @property
    def timesteps(self) -> Int[Tensor, " sequence"]:
        """How many each sequence has."""
        count, longest = self.features.shape[:2]
        given = None if self.lengths is None else torch.as_tensor(self.lengths)
        return check_lengths(given, batch=count, longest=longest)

    @property
    def labels(self) -> list[int] | None:
        """The right classes; none where numbers are right."""
        return [int(label) for label in self.targets] if self.targets.ndim == 1 else None


def number_rows(model: SequenceModel, numbers: Numbers) -> list[Float[Tensor, "time feature"]]:
    """The sequences as a model reads them, without padding, on its device and in its precision.

    Arguments:
        model: What shall read them.
        numbers: What to read, with what is right.

    Raises:
        TypeError: If it is no `SequenceModel`, or these are no `Numbers`.
        ValueError: If the model reads tokens or predicts at every timestep, or targets and head do
            not match.
    """
    check_sequence_model(model)
    if not isinstance(numbers, Numbers):
        raise TypeError(
            f"{model.name} reads attnviz.recording.Numbers, got a {type(numbers).__name__}. Make "
            "them of arrays: Numbers(features, targets, lengths=lengths); of a LabelledSplit "
            "Numbers(split.features(), split.labels, split.ids, lengths=split.lengths)."
        )
    if model.per_step or model.embedding is not None:
        raise ValueError(
            "Numbers are read by models without an embedding that predict after the last, but "
            f"{model.name} has the head {model.kind}"
            f"{'' if model.embedding is None else ' and reads tokens'}."
        )
    _check_targets(model, numbers.targets)
    rows = list(torch.from_numpy(numbers.features).to(next(model.parameters())))
    return [row[:end] for row, end in zip(rows, numbers.timesteps.tolist(), strict=True)]


def record_numbers(
    model: SequenceModel,
    numbers: Numbers,
    *,
    keep: Iterable[str] | None = None,
    gradients: GradientRecording = True,
) -> Trace:
    """Records a model while it reads sequences of numbers.

    The model reads in eval mode; its modes and the random state stay as they are. The loss behind
    the gradients is that of each sequence on its own: the cross-entropy of its class, or the
    squared error, summed over outputs. The trace holds no text: its tokens are the numbers of the
    timesteps.

    Arguments:
        model: With the head `classification` or `regression`.
        numbers: What to read, with what is right. That is recorded as `label`, of numbers only
            where the model has one output.
        keep: Signals to record; the cells' declared defaults and `gate_attention` if not given.
        gradients: What to record of gradients, as `record` takes it, at the price of a backward.

    Returns:
        The trace, in memory.

    Raises:
        TypeError: If it is no `SequenceModel`, or these are no `Numbers`.
        ValueError: If the model reads no numbers, or its head predicts no such targets.
    """
    read = number_rows(model, numbers)
    leaves = leaves_of(model) if gradients else []
    watched = record(model, keep, gradients)
    with evaluated(model), watched as recording, torch.set_grad_enabled(bool(gradients)):
        for start in range(0, len(read), BATCH):
            rows = slice(start, start + BATCH)
            named = None if numbers.ids is None else list(numbers.ids[rows])
            right = numbers.targets[rows]
            recording.describe(id=named, label=_labels(right))
            lengths = torch.tensor([len(row) for row in read[rows]])
            predicted = model(pad_sequence(read[rows], batch_first=True), lengths)
            if gradients:
                loss = _loss(predicted, torch.from_numpy(right).to(predicted.device))
                # Gradients at the states only: the parameters' own .grad stays untouched.
                torch.autograd.grad(loss, leaves, allow_unused=True)
    trace = recording.trace
    trace.tree.attrs |= {"loss": model.loss_name, "loss_target": "label", **numbers.about}
    return trace


def _check_targets(model: SequenceModel, targets: np.ndarray) -> None:
    """Refuses classes for a model that predicts numbers, and the reverse, and classes unknown."""
    classes = targets.ndim == 1
    if classes != (model.kind == "classification"):
        given = "classes" if classes else "numbers"
        raise ValueError(f"{model.name} has the head {model.kind}, but the targets are {given}.")
    if classes and len(targets) and not (0 <= targets.min() <= targets.max() < len(model.classes)):
        raise ValueError(
            f"{model.name} tells {len(model.classes)} classes apart, numbered from 0, but the "
            f"targets run from {targets.min()} to {targets.max()}."
        )


def _labels(targets: np.ndarray) -> list[int] | list[float] | None:
    if targets.ndim == 1:
        return [int(label) for label in targets]
    return [float(number) for number in targets[:, 0]] if targets.shape[1] == 1 else None


def _loss(predicted: Tensor, targets: Tensor) -> Tensor:
    """Summed over the batch: each sequence's gradients are its own."""
    if targets.ndim == 1:
        return nn.functional.cross_entropy(predicted, targets.long(), reduction="sum")
    return (predicted - targets.to(predicted.dtype)).square().sum()
