"""How good a model is on a split."""

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from attnviz.models import SequenceModel
from attnviz.modes import evaluated
from attnviz.tasks import GeneratedTask, TextTask
from attnviz.training.data import encode_split, evaluation_loader
from attnviz.training.generated import number_loader
from attnviz.training.recipe import Recipe

__all__ = ["score"]


@torch.no_grad()
def score(
    model: SequenceModel, task: TextTask | GeneratedTask, split: str, recipe: Recipe
) -> dict[str, float]:
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
    with evaluated(model):
        for inputs, lengths, targets in _batches(model, task, split, recipe):
            predicted = model(inputs, lengths)
            if model.kind == "regression":
                loss += float((predicted - targets).square().mean(dim=-1).sum())
            else:
                right += float((predicted.argmax(dim=-1) == targets).sum())
                loss += float(nn.functional.cross_entropy(predicted, targets, reduction="sum"))
            count += len(inputs)
    accuracy = {} if model.kind == "regression" else {"accuracy": right / count}
    return {**accuracy, "loss": loss / count}


def _batches(
    model: SequenceModel, task: TextTask | GeneratedTask, split: str, recipe: Recipe
) -> DataLoader[tuple[Tensor, Tensor, Tensor]]:
    if isinstance(task, GeneratedTask):
        if model.vocabulary is not None:
            raise ValueError(f"{model.name} reads text, so it cannot read numbers.")
        return number_loader(task.splits[split])
    if model.vocabulary is None:
        raise ValueError(f"{model.name} has no vocabulary, so it cannot read texts.")
    return evaluation_loader(encode_split(task.splits[split], model.vocabulary, recipe))
