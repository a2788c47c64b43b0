"""What every kind of data has in common: batches that can be read from any place on."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

import numpy as np
import torch
from jaxtyping import Int
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from attnviz.models import ModelSettings, SequenceModel
from attnviz.training.recipe import Recipe

__all__ = [
    "EVALUATED",
    "Batch",
    "Loader",
    "Progress",
    "ResumableData",
    "ShuffledData",
    "check_classes",
    "epoch_order",
    "loader",
    "slices",
]

POOL = 50  # batches among which sequences are sorted by length
SMALLEST = 8  # a batch norm needs so many sequences
EVALUATED = 256  # sequences a batch where no gradient is kept

Batch = tuple[Tensor, Tensor, Tensor]  # what is read, lengths, what is right
Loader = DataLoader[Batch]
Progress = Callable[[int, int], None]  # done and in all


T = TypeVar("T")


class ResumableData(LightningDataModule, ABC, Generic[T]):
    """A task of one kind as a recipe reads it, in batches that can be read from any place on.

    Arguments:
        task: With the splits `train` and `validation`.
        recipe: With the batch size and the seed.
        progress: Called with what is done and in all, where preparing takes long.

    Attributes:
        epoch: The epoch to read next.
        first: The batch of it to begin with.
    """

    def __init__(self, task: T, recipe: Recipe, *, progress: Progress | None = None) -> None:
        super().__init__()
        self.task, self.recipe = task, recipe
        self.epoch = self.first = 0

    @staticmethod
    @abstractmethod
    def check(settings: ModelSettings, task: T) -> None:
        """Refuses a model that is not for the task, with a ValueError."""

    @staticmethod
    @abstractmethod
    def held(model: SequenceModel, task: T, split: str, recipe: Recipe) -> "Loader":
        """A split to score a model on; a ValueError if the model cannot read it."""

    @property
    @abstractmethod
    def steps(self) -> int:
        """Batches an epoch."""

    @property
    def settings(self) -> ModelSettings:
        """The model, its sizes as the data has them."""
        return self.recipe.model

    @abstractmethod
    def introduce(self, model: SequenceModel) -> None:
        """Tells a new model what it reads and says."""


def check_classes(name: str, settings: ModelSettings, classes: tuple[str, ...]) -> None:
    """Refuses a model that does not tell just these classes apart.

    Raises:
        ValueError: If its head is another one, or it has other outputs.
    """
    if settings.head != "classification":
        raise ValueError(
            f"{name} tells classes apart, but the recipe's head is {settings.head!r}. "
            "Set model.head = 'classification'."
        )
    if settings.outputs != len(classes):
        raise ValueError(
            f"The recipe tells {settings.outputs} classes apart, but the task has "
            f"{len(classes)}: {list(classes)}."
        )


def epoch_order(
    lengths: Int[np.ndarray, " sequence"], batch_size: int, *, seed: int, epoch: int
) -> list[list[int]]:
    """Batches of similar length, a pure function of its arguments.

    Sequences are shuffled, sorted by length within pools of 50 batches, cut into batches, and the
    batches shuffled. A last batch of fewer than eight joins the one before.

    Arguments:
        lengths: Of each sequence.
        batch_size: Sequences a batch.
        seed: Of the training.
        epoch: Counted from 0.

    Returns:
        The rows of each batch; every row once.
    """
    random = np.random.default_rng([seed, epoch])
    shuffled = random.permutation(len(lengths))
    batches: list[list[int]] = []
    for start in range(0, len(shuffled), POOL * batch_size):
        pool = shuffled[start : start + POOL * batch_size]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [
            pool[first : first + batch_size].tolist() for first in range(0, len(pool), batch_size)
        ]
    if len(batches) > 1 and len(batches[-1]) < min(SMALLEST, batch_size):
        last = batches.pop()
        batches[-1] += last
    return [batches[index] for index in random.permutation(len(batches))]


class ShuffledData(ResumableData[T]):
    """Sequences that are read once an epoch, in an order that seed and epoch decide."""

    _ordered: tuple[int, list[list[int]]] = (-1, [])  # of one epoch

    @property
    @abstractmethod
    def lengths(self) -> Int[np.ndarray, " sequence"]:
        """Timesteps of each sequence to train on."""

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return len(self.order())

    def order(self) -> list[list[int]]:
        """The batches of the epoch to read next."""
        if self._ordered[0] != self.epoch:
            size, seed = self.recipe.batch_size, self.recipe.seed
            self._ordered = (
                self.epoch, epoch_order(self.lengths, size, seed=seed, epoch=self.epoch)
            )  # fmt: skip
        return self._ordered[1]


class _Batches(IterableDataset[Batch]):
    """Batches that are made when they are read."""

    def __init__(self, make: Callable[[], Iterator[Batch]]) -> None:
        self.make = make

    def __iter__(self) -> Iterator[Batch]:
        return self.make()


def loader(make: Callable[[], Iterator[Batch]]) -> Loader:
    """Hands on batches that are made when they are read."""
    # A generator of its own: making an iterator draws from the global random state otherwise.
    return DataLoader(_Batches(make), batch_size=None, generator=torch.Generator())


def slices(count: int, size: int = EVALUATED) -> Iterator[slice]:
    """So many rows in their order, cut into batches."""
    return (slice(start, start + size) for start in range(0, count, size))
