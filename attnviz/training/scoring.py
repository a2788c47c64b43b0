"""How good a model is on a split."""

import torch
from torch import nn

from attnviz.models import SequenceModel
from attnviz.modes import evaluated
from attnviz.states import without_windows
from attnviz.training.batching import Loader
from attnviz.training.kinds import Task, data_for
from attnviz.training.module import perplexity
from attnviz.training.recipe import Recipe

__all__ = ["score", "sequence_scores"]


@torch.no_grad()
def score(model: SequenceModel, task: Task, split: str, recipe: Recipe) -> dict[str, float]:
    """How good a model is on a split: accuracy, mean squared error or perplexity.

    A model that draws even in evaluation, as LARNN's preset `released` can, draws the same each
    time: by the recipe's seed.

    Arguments:
        model: With a vocabulary for texts, without one for numbers.
        task: Any task.
        split: One of its splits.
        recipe: How texts are read.

    Returns:
        `loss`, the mean of a sequence, or of a token of a running text: cross-entropy in nats, or
        squared error, the mean over outputs. Besides, of a model that tells classes apart
        `accuracy`, and of one that predicts words `perplexity`, the exponential of the loss.

    Raises:
        ValueError: If the model reads no text, but the task is one of texts, or the reverse.
    """
    held = data_for(task).held(model, task, split, recipe)
    with evaluated(model):
        torch.manual_seed(recipe.seed)
        if model.kind == "language_model":
            loss = _token_loss(model, held, recipe)
            return {"perplexity": perplexity(loss), "loss": loss}
        return sequence_scores(model, held)


def sequence_scores(model: SequenceModel, held: Loader) -> dict[str, float]:
    """What `score` returns of a model that answers once a sequence, in the mode it is in."""
    right = loss = count = 0.0
    device = next(model.parameters()).device
    for inputs, lengths, targets in held:
        predicted, wanted = model(inputs.to(device), lengths), targets.to(device)
        if model.kind == "regression":
            loss += float((predicted - wanted).square().mean(dim=-1).sum())
        else:
            right += float((predicted.argmax(dim=-1) == wanted).sum())
            loss += float(nn.functional.cross_entropy(predicted, wanted, reduction="sum"))
        count += len(inputs)
    accuracy = {} if model.kind == "regression" else {"accuracy": right / count}
    return {**accuracy, "loss": loss / count}


def _token_loss(model: SequenceModel, held: Loader, recipe: Recipe) -> float:
    """The mean negative log-likelihood of a token, the state carried from segment to segment."""
    loss, count, state = 0.0, 0, None
    device = next(model.parameters()).device
    for inputs, _, targets in held:
        if state is not None and not recipe.carry_windows:
            state = without_windows(model.layer, state)
        predicted, state = model.go_on(inputs.to(device), state)
        wanted = targets.to(device).flatten()
        logits = predicted.flatten(0, 1)
        loss += float(nn.functional.cross_entropy(logits, wanted, reduction="sum"))
        count += int((wanted >= 0).sum())
    return loss / count
