"""Recording what a model that reads numbers looks at."""

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from jaxtyping import Float

from attnviz.models import SequenceModel
from attnviz.modes import evaluated
from attnviz.recording.gradients import GradientRecording
from attnviz.recording.recorder import record
from attnviz.trace import Trace

__all__ = ["record_numbers"]

BATCH = 64  # sequences that are read at once


def record_numbers(
    model: SequenceModel,
    features: Float[np.ndarray, "sequence time feature"],
    targets: Float[np.ndarray, "other_sequence output"],
    *,
    keep: Iterable[str] | None = None,
    gradients: GradientRecording = True,
    about: Mapping[str, str] | None = None,
) -> Trace:
    """Records a model that predicts numbers while it reads sequences of numbers.

    The model reads in eval mode; its modes and the random state stay as they are. The loss behind
    the gradients is the squared error of each sequence on its own, summed over outputs. The trace
    holds no text: its tokens are the numbers of the timesteps.

    Arguments:
        model: With the head `regression`.
        features: What to read.
        targets: What is right; recorded as `label` where the model has one output.
        keep: Signals to record; the cells' declared defaults and `gate_attention` if not given.
        gradients: What to record of gradients, as `record` takes it, at the price of a backward.
        about: What the trace shall say of the sequences, such as `{"task": "adding-100"}`.

    Returns:
        The trace, in memory.

    Raises:
        ValueError: If the model predicts no numbers, or sequences and targets do not match.
    """
    if model.kind != "regression" or model.embedding is not None:
        raise ValueError(
            f"record_numbers records models that read and predict numbers, but {model.name} has "
            f"the head {model.kind}{'' if model.embedding is None else ' and reads tokens'}."
        )
    if len(features) != len(targets) or not len(features):
        raise ValueError(
            "record_numbers needs a row of targets for each sequence, and at least one, got "
            f"{len(features)} sequences and {len(targets)} rows."
        )
    like = next(model.parameters())
    leaves = [values for values in model.layer.parameters() if values.requires_grad]
    if gradients and not leaves:
        raise ValueError(
            f"No parameter of {model.name}'s layers asks for a gradient, so there is none to "
            "follow. Pass gradients=False, or unfreeze the layers (requires_grad_)."
        )
    watched = record(model, keep, gradients)
    with evaluated(model), watched as recording, torch.set_grad_enabled(bool(gradients)):
        for start in range(0, len(features), BATCH):
            rows = slice(start, start + BATCH)
            if targets.shape[1] == 1:
                recording.describe(label=targets[rows, 0].tolist())
            predicted = model(torch.from_numpy(features[rows]).to(like))
            if gradients:
                loss = (predicted - torch.from_numpy(targets[rows]).to(like)).square().sum()
                # Gradients at the states only: the parameters' own .grad stays untouched.
                torch.autograd.grad(loss, leaves, allow_unused=True)
    trace = recording.trace
    trace.tree.attrs |= {"loss": "squared error", "loss_target": "label", **(about or {})}
    return trace
