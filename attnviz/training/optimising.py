"""The optimiser of a recipe, and its rate in each epoch."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from attnviz.training.recipe import Recipe

__all__ = ["begin_uniformly", "make_optimiser", "set_rate"]

_KINDS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adadelta": torch.optim.Adadelta,
}


def make_optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """A recipe's optimiser; the scale of RRA's lag scores means nothing, so they do not decay."""
    named = dict(model.named_parameters())
    scores = [p for name, p in named.items() if name.endswith("lag_scores")]
    others = [p for name, p in named.items() if not name.endswith("lag_scores")]
    groups = [
        {"params": others, "weight_decay": recipe.weight_decay},
        {"params": scores, "weight_decay": 0.0},
    ]
    used = [group for group in groups if group["params"]]
    return _KINDS[recipe.optimiser](used, lr=recipe.learning_rate)


def set_rate(optimiser: torch.optim.Optimizer, recipe: Recipe, epoch: int) -> None:
    """Gives the optimiser the learning rate of an epoch, counted from 0."""
    for group in optimiser.param_groups:
        group["lr"] = recipe.learning_rate * recipe.schedule.share(epoch)


def begin_uniformly(model: nn.Module, largest: float) -> None:
    """Draws matrices and embeddings anew, evenly between minus the largest and the largest."""
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.uniform_(parameter, -largest, largest)
