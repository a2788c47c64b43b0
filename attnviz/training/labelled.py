"""Labelled sequences of numbers in batches, in an order that seed and epoch decide."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int

from attnviz.models import ModelSettings, SequenceModel
from attnviz.tasks import LabelledSplit, LabelledTask
from attnviz.training.batching import (
    Batch,
    Loader,
    Progress,
    ShuffledData,
    check_classes,
    loader,
    slices,
)
from attnviz.training.recipe import Recipe

__all__ = ["LabelledData", "labelled_loader"]


class LabelledData(ShuffledData[LabelledTask]):
    """Labelled sequences of numbers as a recipe reads them.

    What is kept as bytes becomes float32 batch by batch: 60,000 images stay at 47 MB.
    """

    def __init__(
        self, task: LabelledTask, recipe: Recipe, *, progress: Progress | None = None
    ) -> None:
        super().__init__(task, recipe)
        for name in ("train", "validation"):
            if not len(task.splits[name]):
                raise ValueError(f"{task.name} has no sequence in {name}, which training needs.")

    @staticmethod
    def check(settings: ModelSettings, task: LabelledTask) -> None:
        """Refuses a model that does not read the task's features and tell its classes apart."""
        check_classes(task.name, settings, task.classes)
        if (settings.input_size, settings.vocabulary_size) != (task.feature_count, None):
            raise ValueError(
                f"{task.name} has {task.feature_count} numbers a timestep, but the recipe's model "
                f"has input_size {settings.input_size} and vocabulary_size "
                f"{settings.vocabulary_size}."
            )

    @staticmethod
    def held(model: SequenceModel, task: LabelledTask, split: str, recipe: Recipe) -> Loader:
        """A split in its order."""
        if model.embedding is not None:
            raise ValueError(f"{model.name} reads tokens, so it cannot read numbers.")
        return labelled_loader(task.splits[split])

    @property
    def lengths(self) -> Int[np.ndarray, " sequence"]:
        """Timesteps of each sequence to train on."""
        return self.task.splits["train"].timesteps

    def introduce(self, model: SequenceModel) -> None:
        """Tells a new model the classes."""
        model.classes = self.task.classes

    def train_dataloader(self) -> Loader:
        """What is left of the epoch."""
        split, batches = self.task.splits["train"], self.order()[self.first :]
        return loader(lambda: (_batch(split, rows) for rows in batches))

    def val_dataloader(self) -> Loader:
        """The validation split."""
        return labelled_loader(self.task.splits["validation"])


def labelled_loader(split: LabelledSplit) -> Loader:
    """Every sequence of a split once, in its order, in large batches.

    Raises:
        ValueError: If there is none.
    """
    if not len(split):
        raise ValueError("A split to train or score on needs at least one sequence, got none.")
    return loader(lambda: (_batch(split, rows) for rows in slices(len(split))))


def _batch(split: LabelledSplit, rows: slice | Sequence[int]) -> Batch:
    lengths = torch.from_numpy(split.timesteps[rows])
    features = torch.from_numpy(split.features(rows))[:, : int(lengths.max())]
    return features, lengths, torch.from_numpy(split.labels[rows])
