"""How good a model is on a split."""

import torch
from torch import nn

from attnviz.models import SequenceModel
from attnviz.modes import evaluated
from attnviz.training.kinds import Task, data_for
from attnviz.training.recipe import Recipe

__all__ = ["score"]


@torch.no_grad()
def score(model: SequenceModel, task: Task, split: str, recipe: Recipe) -> dict[str, float]:
    """Accuracy and mean cross-entropy of a model on a split, or its mean squared error.

    Arguments:
        model: With a vocabulary for texts, without one for numbers.
        task: Any task.
        split: One of its splits.
        recipe: How texts are read.

    Returns:
        `accuracy` and `loss`; of a model that predicts numbers `loss` only.

    Raises:
        ValueError: If the model reads no text, but the task is one of texts, or the reverse.
    """
    right = loss = count = 0.0
    device = next(model.parameters()).device
    with evaluated(model):
        for inputs, lengths, targets in data_for(task).held(model, task, split, recipe):
            predicted, right_ones = model(inputs.to(device), lengths), targets.to(device)
            if model.kind == "regression":
                loss += float((predicted - right_ones).square().mean(dim=-1).sum())
            else:
                right += float((predicted.argmax(dim=-1) == right_ones).sum())
                loss += float(nn.functional.cross_entropy(predicted, right_ones, reduction="sum"))
            count += len(inputs)
    accuracy = {} if model.kind == "regression" else {"accuracy": right / count}
    return {**accuracy, "loss": loss / count}
