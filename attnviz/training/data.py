"""Encoded texts in batches of similar length, in an order that seed and epoch decide."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int

from attnviz.models import ModelSettings, Reading, SequenceModel
from attnviz.tasks import TextSplit, TextTask
from attnviz.text import EncodedText, Vocabulary, encode_text
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

__all__ = ["Examples", "TextData", "encode_split", "evaluation_loader"]

TOLD = 200  # texts between two words on progress


@dataclass(frozen=True)
class Examples:
    """The encoded texts of a split."""

    texts: Sequence[EncodedText]
    labels: Int[np.ndarray, " sequence"]

    @property
    def lengths(self) -> Int[np.ndarray, " sequence"]:
        """Tokens of each."""
        return np.array([len(text.ids) for text in self.texts])

    def batch(self, rows: Sequence[int]) -> Batch:
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


class TextData(ShuffledData[TextTask]):
    """A text task as a recipe reads it; training texts are read twice while it is prepared."""

    def __init__(self, task: TextTask, recipe: Recipe, *, progress: Progress | None = None) -> None:
        super().__init__(task, recipe)
        training, validation = task.splits["train"], task.splits["validation"]
        watch = _watch(progress, 2 * len(training) + len(validation))
        self.vocabulary = Vocabulary.build(
            watch(training.texts),
            size=recipe.model.vocabulary_size or 0,
            minimum_count=recipe.minimum_count,
        )
        self.train = encode_split(training, self.vocabulary, recipe, watch=watch)
        self.validation = encode_split(validation, self.vocabulary, recipe, watch=watch)

    @staticmethod
    def check(settings: ModelSettings, task: TextTask) -> None:
        """Refuses a model that does not tell the task's classes apart, or reads numbers."""
        check_classes(task.name, settings, task.classes)
        if settings.vocabulary_size is None:
            raise ValueError(
                f"{task.name} is of texts, but the recipe's model reads numbers: it has no "
                "vocabulary_size."
            )

    @staticmethod
    def held(model: SequenceModel, task: TextTask, split: str, recipe: Recipe) -> Loader:
        """A split, shortest texts first."""
        if model.vocabulary is None:
            raise ValueError(f"{model.name} has no vocabulary, so it cannot read texts.")
        return evaluation_loader(encode_split(task.splits[split], model.vocabulary, recipe))

    @property
    def settings(self) -> ModelSettings:
        """The model, with as many words as there are."""
        return replace(self.recipe.model, vocabulary_size=len(self.vocabulary))

    def introduce(self, model: SequenceModel) -> None:
        """Tells a new model its words, how much of a text it reads, and the classes."""
        model.classes, model.vocabulary = self.task.classes, self.vocabulary
        model.reading = Reading(self.recipe.limit, self.recipe.keep)

    @property
    def lengths(self) -> Int[np.ndarray, " sequence"]:
        """Tokens of each text to train on."""
        return self.train.lengths

    def train_dataloader(self) -> Loader:
        """What is left of the epoch."""
        return _loader(self.train, self.order()[self.first :])

    def val_dataloader(self) -> Loader:
        """The validation split, shortest texts first."""
        return evaluation_loader(self.validation)


def _watch(progress: Progress | None, total: int) -> Callable[[Iterable[str]], Iterator[str]]:
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


def evaluation_loader(examples: Examples) -> Loader:
    """Every example once, shortest first, in large batches."""
    rows = np.argsort(examples.lengths, kind="stable").tolist()
    return _loader(examples, [rows[part] for part in slices(len(rows))])


def _loader(examples: Examples, batches: list[list[int]]) -> Loader:
    return loader(lambda: (examples.batch(rows) for rows in batches))
