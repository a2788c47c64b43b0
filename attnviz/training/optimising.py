"""The optimiser of a recipe, what it trains, and its rate in each epoch."""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from attnviz.training.recipe import Recipe

__all__ = ["begin_uniformly", "freeze", "make_optimiser", "set_rate", "trained"]

_KINDS: Mapping[str, Callable[..., torch.optim.Optimizer]] = {
    "adam": torch.optim.Adam,
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adadelta": torch.optim.Adadelta,
}


def make_optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """A recipe's optimiser; the scale of RRA's lag scores means nothing, so they do not decay."""
    named = trained(model, recipe)
    scores = [p for name, p in named.items() if name.endswith("lag_scores")]
    others = [p for name, p in named.items() if not name.endswith("lag_scores")]
    groups = [
        {"params": others, "weight_decay": recipe.weight_decay},
        {"params": scores, "weight_decay": 0.0},
    ]
    used = [group for group in groups if group["params"]]
    return _KINDS[recipe.optimiser](used, lr=recipe.learning_rate)


def trained(model: nn.Module, recipe: Recipe) -> dict[str, nn.Parameter]:
    """The parameters that a recipe trains, by name: all but those it keeps frozen.

    Raises:
        ValueError: If it freezes what the model does not have, or everything.
    """
    named = dict(model.named_parameters())
    for beginning in recipe.frozen:
        if not any(name.startswith(beginning) for name in named):
            raise ValueError(
                f"The recipe freezes {beginning!r}, but no parameter's name begins so; there are "
                f"{', '.join(named)}."
            )
    left = {name: one for name, one in named.items() if not name.startswith(recipe.frozen)}
    if not left:
        raise ValueError(f"The recipe freezes {list(recipe.frozen)}: nothing is left to train.")
    return left


def freeze(model: nn.Module, recipe: Recipe) -> None:
    """Asks for no gradient of what a recipe keeps frozen."""
    left = trained(model, recipe)
    for name, parameter in model.named_parameters():
        if name not in left:
            parameter.requires_grad_(False)


def set_rate(optimiser: torch.optim.Optimizer, recipe: Recipe, epoch: int) -> None:
    """Gives the optimiser the learning rate of an epoch, counted from 0."""
    for group in optimiser.param_groups:
        group["lr"] = recipe.learning_rate * recipe.schedule.share(epoch)


def begin_uniformly(model: nn.Module, largest: float) -> None:
    """Draws matrices and embeddings anew, evenly between minus the largest and the largest."""
    for parameter in model.parameters():
        if parameter.dim() > 1:
            nn.init.uniform_(parameter, -largest, largest)
