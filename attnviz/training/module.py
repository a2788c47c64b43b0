"""A sequence classifier as Lightning trains it."""

from collections.abc import Sequence

import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torchmetrics import MeanMetric
from torchmetrics.classification import MulticlassAccuracy

from attnviz.models import SequenceModel
from attnviz.training.recipe import Recipe

__all__ = ["Classifier"]


class Classifier(LightningModule):
    """Trains a model on the cross-entropy of the class.

    Arguments:
        model: What is trained.
        recipe: Learning rate, weight decay.

    Attributes:
        seen: Sums of loss, right answers and examples of the epoch so far.
    """

    def __init__(self, model: SequenceModel, recipe: Recipe) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe
        self.validation_accuracy = MulticlassAccuracy(recipe.model.outputs, average="micro")
        self.validation_loss = MeanMetric()
        self.seen = [0.0, 0.0, 0.0]

    def training_step(self, batch: Sequence[Tensor], index: int) -> Tensor:
        """The mean loss of a batch.

        Raises:
            FloatingPointError: If it is not finite.
        """
        ids, lengths, labels = batch
        logits = self.model(ids, lengths)
        loss = nn.functional.cross_entropy(logits, labels)
        value = float(loss.detach())
        if not torch.isfinite(loss.detach()):
            raise FloatingPointError(
                f"The loss is {value} at batch {index} of the epoch: training has diverged. The "
                "last checkpoint is kept. Lower the learning rate or clip harder."
            )
        right = float((logits.detach().argmax(dim=-1) == labels).sum())
        self.seen = [self.seen[0] + value * len(ids), self.seen[1] + right, self.seen[2] + len(ids)]
        return loss

    def validation_step(self, batch: Sequence[Tensor], index: int) -> None:
        """Adds a batch to the validation scores."""
        ids, lengths, labels = batch
        logits = self.model(ids, lengths)
        self.validation_accuracy.update(logits, labels)
        self.validation_loss.update(nn.functional.cross_entropy(logits, labels), weight=len(ids))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Adam; the scale of RRA's lag scores means nothing, so they do not decay."""
        named = dict(self.model.named_parameters())
        scores = [p for name, p in named.items() if name.endswith("lag_scores")]
        others = [p for name, p in named.items() if not name.endswith("lag_scores")]
        groups = [
            {"params": others, "weight_decay": self.recipe.weight_decay},
            {"params": scores, "weight_decay": 0.0},
        ]
        used = [group for group in groups if group["params"]]
        return torch.optim.Adam(used, lr=self.recipe.learning_rate)
