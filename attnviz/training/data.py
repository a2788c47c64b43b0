"""Encoded texts in batches of similar length, in an order that seed and epoch decide."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from pytorch_lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import IterableDataset

from attnviz.tasks import TextSplit, TextTask
from attnviz.text import EncodedText, Vocabulary, encode_text
from attnviz.training.recipe import Recipe

__all__ = ["Examples", "ResumableData", "TextData", "encode_split", "epoch_order"]

POOL = 50  # batches among which sequences are sorted by length
SMALLEST = 8  # a batch norm needs so many sequences
TOLD = 200  # texts between two words on progress
EVALUATED = 256  # sequences a batch where no gradient is kept

TextBatch = tuple[Tensor, Tensor, Tensor]  # ids (batch, time), lengths, labels


@dataclass(frozen=True)
class Examples:
    """The encoded texts of a split."""

    texts: Sequence[EncodedText]
    labels: Int[np.ndarray, " sequence"]

    @property
    def lengths(self) -> Int[np.ndarray, " sequence"]:
        """Tokens of each."""
        return np.array([len(text.ids) for text in self.texts])

    def batch(self, rows: Sequence[int]) -> TextBatch:
        """Some examples, padded to the longest of them."""
        ids = [torch.from_numpy(self.texts[row].ids) for row in rows]
        padded = torch.nn.utils.rnn.pad_sequence(ids, batch_first=True)
        labels = torch.from_numpy(self.labels[np.asarray(rows)])
        return padded, torch.tensor([len(row) for row in ids]), labels


def encode_split(
    split: TextSplit,
    vocabulary: Vocabulary,
    recipe: Recipe,
    *,
    watch: Callable[[Iterable[str]], Iterable[str]] = iter,
) -> Examples:
    """The texts of a split as a recipe reads them.

    Arguments:
        split: Texts and labels.
        vocabulary: Gives the numbers.
        recipe: With the limit and the side that is kept.
        watch: Hands the texts on, and may count them.

    Returns:
        The encoded texts.

    Raises:
        ValueError: If there are none, or one holds no token.
    """
    if not len(split):
        raise ValueError("A split to train or score on needs at least one text, got none.")
    encoded = []
    for name, text in zip(split.ids, watch(split.texts), strict=True):
        try:
            encoded.append(encode_text(text, vocabulary, limit=recipe.limit, keep=recipe.keep))
        except ValueError as error:
            raise ValueError(f"Text {name}: {error}") from error
    return Examples(encoded, split.labels)


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


class _Batches(IterableDataset[TextBatch]):
    """Batches of examples, one after the other."""

    def __init__(self, examples: Examples, batches: Sequence[Sequence[int]]) -> None:
        self.examples, self.batches = examples, batches

    def __iter__(self) -> Iterator[TextBatch]:
        return (self.examples.batch(rows) for rows in self.batches)


class ResumableData(LightningDataModule, ABC):
    """Batches that can be read from any place on.

    Attributes:
        recipe: With the batch size and the seed.
        epoch: The epoch to read next.
        first: The batch of it to begin with.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__()
        self.recipe = recipe
        self.epoch = self.first = 0

    @property
    @abstractmethod
    def steps(self) -> int:
        """Batches an epoch."""


class TextData(ResumableData):
    """A text task as a recipe reads it.

    Arguments:
        task: With the splits `train` and `validation`.
        recipe: Vocabulary, lengths, batch size and seed.
        progress: Called with texts read and to be read; training texts are read twice.
    """

    def __init__(
        self,
        task: TextTask,
        recipe: Recipe,
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        super().__init__(recipe)
        training, validation = task.splits["train"], task.splits["validation"]
        watch = _watch(progress, 2 * len(training) + len(validation))
        self.vocabulary = Vocabulary.build(
            watch(training.texts),
            size=recipe.model.vocabulary_size or 0,
            minimum_count=recipe.minimum_count,
        )
        self.train = encode_split(training, self.vocabulary, recipe, watch=watch)
        self.validation = encode_split(validation, self.vocabulary, recipe, watch=watch)
        self._ordered: tuple[int, list[list[int]]] = (-1, [])  # of one epoch

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return len(self.order())

    def order(self) -> list[list[int]]:
        """The batches of the epoch to read next."""
        if self._ordered[0] != self.epoch:
            recipe = self.recipe
            batches = epoch_order(
                self.train.lengths, recipe.batch_size, seed=recipe.seed, epoch=self.epoch
            )
            self._ordered = (self.epoch, batches)
        return self._ordered[1]

    def train_dataloader(self) -> torch.utils.data.DataLoader[TextBatch]:
        """What is left of the epoch."""
        return _loader(self.train, self.order()[self.first :])

    def val_dataloader(self) -> torch.utils.data.DataLoader[TextBatch]:
        """The validation split, shortest texts first."""
        return evaluation_loader(self.validation)


def _watch(
    progress: Callable[[int, int], None] | None, total: int
) -> Callable[[Iterable[str]], Iterator[str]]:
    """Hands texts on and counts all that have been read, now and then aloud."""
    done = 0

    def watched(texts: Iterable[str]) -> Iterator[str]:
        nonlocal done
        for text in texts:
            yield text
            done += 1
            if progress is not None and (done % TOLD == 0 or done == total):
                progress(done, total)

    return watched


def evaluation_loader(examples: Examples) -> torch.utils.data.DataLoader[TextBatch]:
    """Every example once, shortest first, in large batches."""
    rows = np.argsort(examples.lengths, kind="stable").tolist()
    starts = range(0, len(rows), EVALUATED)
    return _loader(examples, [rows[start : start + EVALUATED] for start in starts])


def _loader(examples: Examples, batches: list[list[int]]) -> torch.utils.data.DataLoader[TextBatch]:
    # A generator of its own: making an iterator draws from the global random state otherwise.
    return torch.utils.data.DataLoader(
        _Batches(examples, batches), batch_size=None, generator=torch.Generator()
    )
