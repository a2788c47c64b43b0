"""Sequences that are drawn anew at every step, each step's a function of seed and step."""

from collections.abc import Iterator

import torch

from attnviz.models import ModelSettings, SequenceModel
from attnviz.tasks import GeneratedTask, NumberSplit
from attnviz.training.batching import Batch, Loader, ResumableData, loader, slices
from attnviz.training.recipe import Recipe

__all__ = ["GeneratedData", "number_loader"]


class GeneratedData(ResumableData[GeneratedTask]):
    """A generated task as a recipe reads it."""

    @staticmethod
    def check(settings: ModelSettings, task: GeneratedTask) -> None:
        """Refuses a model that does not read the task's features and predict its outputs."""
        asked = (settings.head, settings.input_size, settings.outputs, settings.vocabulary_size)
        needed = ("regression", task.features, len(task.outputs), None)
        if asked != needed:
            raise ValueError(
                f"{task.name} needs a model with head, input_size, outputs and vocabulary_size "
                f"{needed}, but the recipe has {asked}."
            )

    @staticmethod
    def held(model: SequenceModel, task: GeneratedTask, split: str, recipe: Recipe) -> Loader:
        """A split in its order."""
        if model.vocabulary is not None:
            raise ValueError(f"{model.name} reads text, so it cannot read numbers.")
        return number_loader(task.splits[split])

    @property
    def steps(self) -> int:
        """Batches an epoch, all of them whole."""
        return max(1, self.task.epoch_size // self.recipe.batch_size)

    def introduce(self, model: SequenceModel) -> None:
        """Tells a new model the names of its outputs."""
        model.classes = self.task.outputs

    def train_dataloader(self) -> Loader:
        """What is left of the epoch."""
        return loader(self._fresh)

    def val_dataloader(self) -> Loader:
        """The validation split."""
        return number_loader(self.task.splits["validation"])

    def _fresh(self) -> Iterator[Batch]:
        """The batches from the first one wanted on, drawn when they are read."""
        before, recipe = self.epoch * self.steps, self.recipe
        for step in range(before + self.first, before + self.steps):
            yield _batch(self.task.fresh(recipe.batch_size, seed=recipe.seed, step=step))


def number_loader(split: NumberSplit) -> Loader:
    """Every sequence of a split once, in its order, in large batches."""
    return loader(
        lambda: (
            _batch(NumberSplit(split.features[rows], split.targets[rows]))
            for rows in slices(len(split))
        )
    )


def _batch(split: NumberSplit) -> Batch:
    count, time, _ = split.features.shape
    features, targets = torch.from_numpy(split.features), torch.from_numpy(split.targets)
    return features, torch.full((count,), time), targets
