"""A sequence model as Lightning trains it, by its head."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torchmetrics import SumMetric
from torchmetrics.classification import MulticlassAccuracy

from attnviz.models import SequenceModel
from attnviz.states import State, detached, rebuilt, tensors_of, without_windows
from attnviz.training.history import Row
from attnviz.training.optimising import make_optimiser
from attnviz.training.processes import Place, own_rows, share_of
from attnviz.training.recipe import Recipe

__all__ = [
    "Classifier",
    "LanguageLearner",
    "Learner",
    "Regressor",
    "learner_for",
]

_LARGEST = 700  # its exponential is still a float


def perplexity(loss: float) -> float:
    """The exponential of a mean negative log-likelihood; infinite where it is too large."""
    return math.exp(loss) if loss < _LARGEST else math.inf


def learner_for(model: SequenceModel, recipe: Recipe) -> "Learner":
    """What trains a model, by its head."""
    kinds: dict[str, type[Classifier | Regressor | LanguageLearner]] = {
        "classification": Classifier,
        "regression": Regressor,
        "language_model": LanguageLearner,
    }
    return kinds[recipe.model.head](model, recipe)


class Learner(LightningModule, ABC):
    """Trains a model.

    Arguments:
        model: What is trained.
        recipe: Optimiser, noise.

    Attributes:
        seen: Sums of loss, right answers and targets of the epoch so far.
        place: Which process this is, of those that share a batch.
    """

    def __init__(self, model: SequenceModel, recipe: Recipe) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe
        # By default a batch whose loss is NaN is left out, and the others make a good score; and a
        # mean that leaves nothing out forgets its weights.
        self.validation_loss = SumMetric(nan_strategy="disable")
        self.validation_count = SumMetric(nan_strategy="disable")
        self.seen = [0.0, 0.0, 0.0]
        self.place = Place()

    @abstractmethod
    def loss(self, predicted: Tensor, targets: Tensor) -> Tensor:
        """The mean loss of a batch."""

    def right(self, predicted: Tensor, targets: Tensor) -> float:
        """How many answers are right, where an answer can be."""
        return 0.0

    def predict(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """What the model says of a batch."""
        predicted: Tensor = self.model(inputs, lengths)
        return predicted

    def count(self, targets: Tensor) -> int:
        """How many targets there are to be right or wrong about."""
        return len(targets)

    def descended(self, loss: Tensor, targets: Tensor) -> Tensor:
        """What the gradient is taken of."""
        return loss

    def carried(self) -> list[Tensor]:
        """What goes over from one training step to the next besides weights, for a checkpoint."""
        return []

    def carry(self, tensors: list[Tensor]) -> None:
        """Puts back what `carried` gave; an empty list begins anew."""

    def training_step(self, batch: Sequence[Tensor], index: int) -> Tensor:
        """The mean loss of a batch.

        Raises:
            FloatingPointError: If it is not finite.
        """
        own = own_rows(self.place, batch)
        share = share_of(self.place, batch, own)
        inputs, lengths, targets = own
        if self.recipe.input_noise:
            inputs = inputs + self.recipe.input_noise * torch.randn_like(inputs)
        predicted = self.predict(inputs, lengths)
        loss = self.loss(predicted, targets)
        value = float(loss.detach())
        if not math.isfinite(value):
            raise FloatingPointError(
                f"The loss is {value} at batch {index} of the epoch: training has diverged. The "
                "last checkpoint is kept. Lower the learning rate or clip harder."
            )
        right, count = self.right(predicted.detach(), targets), self.count(targets)
        self.seen = [self.seen[0] + value * count, self.seen[1] + right, self.seen[2] + count]
        return self.descended(loss, targets) * share

    def validation_step(self, batch: Sequence[Tensor], index: int) -> None:
        """Adds a batch to the validation scores."""
        inputs, lengths, targets = own_rows(self.place, batch)
        if not len(inputs):
            return
        predicted = self.predict(inputs, lengths)
        self.note(predicted, targets)

    def note(self, predicted: Tensor, targets: Tensor) -> None:
        """Adds what was said of a batch to the validation scores."""
        count = self.count(targets)
        self.validation_loss.update(self.loss(predicted, targets) * count)
        self.validation_count.update(count)

    def take_scores(self) -> Row:
        """The scores of the epoch, and begins to count anew."""
        loss, _, count = self.seen
        validation = self.validation_loss.compute() / self.validation_count.compute()
        scores = {"train_loss": loss / count, "validation_loss": float(validation)}
        self.validation_loss.reset()
        self.validation_count.reset()
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

    def note(self, predicted: Tensor, targets: Tensor) -> None:
        """Adds what was said of a batch to the validation scores."""
        super().note(predicted, targets)
        self.validation_accuracy.update(predicted, targets)

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


class LanguageLearner(Learner):
    """Trains a model on the negative log-likelihood of each next token of a running text.

    The state goes on from segment to segment, without gradient; an epoch and a validation begin
    without one.
    """

    def __init__(self, model: SequenceModel, recipe: Recipe) -> None:
        super().__init__(model, recipe)
        self._state: State | None = None  # of the training text
        self._held: State | None = None  # of the validation text

    def predict(self, inputs: Tensor, lengths: Tensor) -> Tensor:
        """What comes next, after the text so far."""
        before = self._state if self.training else self._held
        if before is not None and not self.recipe.carry_windows:
            before = without_windows(self.model.layer, before)
        predicted, after = self.model.go_on(inputs, before)
        if self.training:
            self._state = detached(after)
        else:
            self._held = detached(after)
        return predicted

    def loss(self, predicted: Tensor, targets: Tensor) -> Tensor:
        """The mean negative log-likelihood of a token, in nats."""
        return nn.functional.cross_entropy(predicted.flatten(0, 1), targets.flatten())

    def count(self, targets: Tensor) -> int:
        """How many tokens are predicted."""
        return int((targets >= 0).sum())

    def descended(self, loss: Tensor, targets: Tensor) -> Tensor:
        """The mean over the tokens, or the sum over time of the mean over streams."""
        return loss * targets.shape[1] if self.recipe.sum_over_time else loss

    def carried(self) -> list[Tensor]:
        """The state of the training text."""
        return [] if self._state is None else tensors_of(self._state)

    def carry(self, tensors: list[Tensor]) -> None:
        """Goes on from such a state."""
        moved = [tensor.to(self.device) for tensor in tensors]
        self._state = rebuilt(self.model.layer, moved) if moved else None

    def on_validation_epoch_start(self) -> None:
        """Begins the validation text."""
        self._held = None

    def take_scores(self) -> Row:
        """The scores of the epoch, and begins to count anew."""
        scores = super().take_scores()
        return {
            **scores,
            "train_perplexity": perplexity(scores["train_loss"]),
            "validation_perplexity": perplexity(scores["validation_loss"]),
        }
