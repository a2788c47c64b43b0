"""Many sequences followed back, a few at a time, and the losses that they are followed from."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
import xarray as xr
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from attnviz.models import SequenceModel
from attnviz.path_classes.labels import PathOptions
from attnviz.path_classes.measure import Objective, gradient_paths

__all__ = ["of_classes", "of_numbers", "paths_in_parts"]

# Sequences that are followed back together: every class of every one is a row of a batch.
_AT_ONCE = 8


def paths_in_parts(
    model: SequenceModel,
    rows: Sequence[Tensor],
    objectives: Callable[[slice], Objective],
    ids: Sequence[str] | None,
    *,
    group: str | None,
    options: PathOptions,
    progress: Callable[[int, int], None] | None,
) -> xr.Dataset:
    """The gradient of each sequence's loss, a few sequences at a time.

    Arguments:
        model: That reads them.
        rows: What it reads, each of its own length.
        objectives: Gives the loss of some of the sequences, summed over them.
        ids: A name for each; their numbers if not given.
        group: The layer and direction; the last layer's, forwards, if None.
        options: Labels, hops, and the method.
        progress: Called with sequences done and in all.

    Returns:
        As `gradient_paths`, with `id(sequence)`.
    """
    parts = []
    for first in range(0, len(rows), _AT_ONCE):
        chosen = slice(first, first + _AT_ONCE)
        found = gradient_paths(
            model,
            pad_sequence(list(rows[chosen]), batch_first=True).to(next(model.parameters()).device),
            lengths=[len(row) for row in rows[chosen]],
            objective=objectives(chosen),
            group=group,
            options=options,
        )
        parts.append(found)
        if progress is not None:
            progress(min(first + _AT_ONCE, len(rows)), len(rows))
    joined = xr.concat(
        parts, "sequence", data_vars="minimal", coords="minimal", compat="override",
        join="outer", combine_attrs="override",
    )  # fmt: skip
    names = ids if ids is not None else [str(n) for n in range(len(rows))]
    return joined.assign(id=("sequence", np.array(names, dtype=object)))


def of_classes(labels: Sequence[int] | None) -> Callable[[slice], Objective]:
    """The cross-entropy of some sequences.

    Arguments:
        labels: The right classes, -1 where one is not known; the predicted ones if not given.
    """

    def objective(chosen: slice) -> Objective:
        right = None if labels is None else [int(label) for label in labels[chosen]]
        return partial(_cross_entropy, right)

    return objective


def _cross_entropy(right: Sequence[int] | None, logits: Tensor) -> Tensor:
    predicted = logits.detach().argmax(dim=-1)
    if right is None:
        return F.cross_entropy(logits, predicted, reduction="sum")
    known = torch.tensor(right, device=logits.device)
    if int(known.max()) >= logits.shape[-1] or int(known.min()) < -1:
        raise ValueError(
            f"Labels number the model's {logits.shape[-1]} classes from 0, with -1 where the "
            f"right one is not known, but they lie between {int(known.min())} and "
            f"{int(known.max())}."
        )
    return F.cross_entropy(logits, torch.where(known >= 0, known, predicted), reduction="sum")


def of_numbers(targets: Float[np.ndarray, "sequence output"]) -> Callable[[slice], Objective]:
    """The squared error of some sequences, summed over outputs.

    Arguments:
        targets: The right numbers.
    """

    def objective(chosen: slice) -> Objective:
        right = torch.from_numpy(targets[chosen])
        return lambda predicted: (predicted - right.to(predicted)).square().sum()

    return objective
