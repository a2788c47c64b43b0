"""Sequences that are drawn anew at every step, each step's a function of seed and step."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from attnviz.tasks import GeneratedTask, NumberSplit
from attnviz.training.data import EVALUATED, ResumableData
from attnviz.training.recipe import Recipe

__all__ = ["GeneratedData", "number_loader"]

NumberBatch = tuple[Tensor, Tensor, Tensor]  # features (batch, time, feature), lengths, targets


class GeneratedData(ResumableData):
    """A generated task as a recipe reads it.

    Arguments:
        task: Draws the sequences; with the split `validation`.
        recipe: Batch size and seed.
    """

    def __init__(self, task: GeneratedTask, recipe: Recipe) -> None:
        super().__init__(recipe)
        self.task = task

    @property
    def steps(self) -> int:
        """Batches an epoch, all of them whole."""
        return max(1, self.task.epoch_size // self.recipe.batch_size)

    def train_dataloader(self) -> DataLoader[NumberBatch]:
        """What is left of the epoch."""
        return _loader(self._fresh)

    def val_dataloader(self) -> DataLoader[NumberBatch]:
        """The validation split."""
        return number_loader(self.task.splits["validation"])

    def _fresh(self) -> Iterator[NumberBatch]:
        """The batches from the first one wanted on, drawn when they are read."""
        before, recipe = self.epoch * self.steps, self.recipe
        for step in range(before + self.first, before + self.steps):
            yield _batch(self.task.fresh(recipe.batch_size, seed=recipe.seed, step=step))


def number_loader(split: NumberSplit) -> DataLoader[NumberBatch]:
    """Every sequence of a split once, in its order, in large batches."""

    def held() -> Iterator[NumberBatch]:
        for start in range(0, len(split), EVALUATED):
            rows = slice(start, start + EVALUATED)
            yield _batch(NumberSplit(split.features[rows], split.targets[rows]))

    return _loader(held)


class _Batches(IterableDataset[NumberBatch]):
    """Batches that are made when they are read."""

    def __init__(self, make: Callable[[], Iterator[NumberBatch]]) -> None:
        self.make = make

    def __iter__(self) -> Iterator[NumberBatch]:
        return self.make()


def _batch(split: NumberSplit) -> NumberBatch:
    count, time, _ = split.features.shape
    features, targets = torch.from_numpy(split.features), torch.from_numpy(split.targets)
    return features, torch.full((count,), time), targets


def _loader(make: Callable[[], Iterator[NumberBatch]]) -> DataLoader[NumberBatch]:
    # A generator of its own: making an iterator draws from the global random state otherwise.
    return DataLoader(_Batches(make), batch_size=None, generator=torch.Generator())
