"""A sequence model as Lightning trains it: to tell classes apart, or to predict numbers."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from attnviz.models import SequenceModel
from attnviz.training.optimising import make_optimiser
from attnviz.training.recipe import Recipe

__all__ = ["Classifier", "Learner", "Regressor", "Row", "finished", "learner_for", "rank"]

Row = dict[str, float | int]  # one epoch of the history


def rank(row: Row) -> float:
    """By what the best epoch is chosen: accuracy where there is one, else the smallest loss."""
    return row.get("validation_accuracy", -row["validation_loss"])


def finished(history: Sequence[Row], recipe: Recipe) -> bool:
    """Whether a training is over: all epochs are done, or too many since the best one."""
    if len(history) >= recipe.epochs:
        return True
    if recipe.patience is None or not history:
        return False
    best = max(range(len(history)), key=lambda number: rank(history[number]))
    return len(history) - 1 - best >= recipe.patience


def learner_for(model: SequenceModel, recipe: Recipe) -> "Learner":
    """What trains a model, by its head."""
    kinds = {"classification": Classifier, "regression": Regressor}
    return kinds[recipe.model.head](model, recipe)


class Learner(LightningModule, ABC):
    """Trains a model.

    Arguments:
        model: What is trained.
        recipe: Optimiser, noise.

    Attributes:
        seen: Sums of loss, right answers and examples of the epoch so far.
    """

    def __init__(self, model: SequenceModel, recipe: Recipe) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe
        self.validation_loss = MeanMetric()
        self.seen = [0.0, 0.0, 0.0]

    @abstractmethod
    def loss(self, predicted: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of a batch."""

    def right(self, predicted: Tensor, targets: Tensor) -> float:
        """How many answers are right, where an answer can be."""
        return 0.0

    def training_step(self, batch: Sequence[Tensor], index: int) -> Tensor:
        """The mean loss of a batch.

        Raises:
            FloatingPointError: If it is not finite.
        """
        inputs, lengths, targets = batch
        if self.recipe.input_noise:
            inputs = inputs + self.recipe.input_noise * torch.randn_like(inputs)
        predicted = self.model(inputs, lengths)
        loss = self.loss(predicted, targets)
        value = float(loss.detach())
        if not torch.isfinite(loss.detach()):
            raise FloatingPointError(
                f"The loss is {value} at batch {index} of the epoch: training has diverged. The "
                "last checkpoint is kept. Lower the learning rate or clip harder."
            )
        right, count = self.right(predicted.detach(), targets), len(inputs)
        self.seen = [self.seen[0] + value * count, self.seen[1] + right, self.seen[2] + count]
        return loss

    def validation_step(self, batch: Sequence[Tensor], index: int) -> None:
        """Adds a batch to the validation scores."""
        inputs, lengths, targets = batch
        predicted = self.model(inputs, lengths)
        self.validation_loss.update(self.loss(predicted, targets), weight=len(inputs))

    def take_scores(self) -> Row:
        """The scores of the epoch, and begins to count anew."""
        loss, _, count = self.seen
        scores = {
            "train_loss": loss / count,
            "validation_loss": float(self.validation_loss.compute()),
        }
        self.validation_loss.reset()
        self.seen = [0.0, 0.0, 0.0]
        return scores

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """The recipe's."""
        return make_optimiser(self.model, self.recipe)


class Classifier(Learner):
    """Trains a model on the cross-entropy of the class."""

    def __init__(self, model: SequenceModel, recipe: Recipe) -> None:
        super().__init__(model, recipe)
        self.validation_accuracy = MulticlassAccuracy(recipe.model.outputs, average="micro")

    def loss(self, predicted: Tensor, targets: Tensor) -> Tensor:
        """The mean cross-entropy."""
        return nn.functional.cross_entropy(predicted, targets)

    def right(self, predicted: Tensor, targets: Tensor) -> float:
        """How many classes are right."""
        return float((predicted.argmax(dim=-1) == targets).sum())

    def validation_step(self, batch: Sequence[Tensor], index: int) -> None:
        """Adds a batch to the validation scores."""
        inputs, lengths, targets = batch
        predicted = self.model(inputs, lengths)
        self.validation_accuracy.update(predicted, targets)
        self.validation_loss.update(self.loss(predicted, targets), weight=len(inputs))

    def take_scores(self) -> Row:
        """The scores of the epoch, and begins to count anew."""
        accuracy = self.seen[1] / self.seen[2]
        scores = super().take_scores()
        row: Row = {
            "train_loss": scores["train_loss"],
            "train_accuracy": accuracy,
            "validation_loss": scores["validation_loss"],
            "validation_accuracy": float(self.validation_accuracy.compute()),
        }
        self.validation_accuracy.reset()
        return row


class Regressor(Learner):
    """Trains a model on the squared error of what it predicts."""

    def loss(self, predicted: Tensor, targets: Tensor) -> Tensor:
        """The mean squared error."""
        return nn.functional.mse_loss(predicted, targets)
