"""Running text in segments, the state carried from each to the next."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int

from attnviz.models import ModelSettings, SequenceModel
from attnviz.tasks import LanguageTask, streams
from attnviz.training.batching import Batch, Loader, Progress, ResumableData, loader
from attnviz.training.recipe import Recipe

__all__ = ["NO_TARGET", "LanguageData", "text_loader"]

NO_TARGET = -100  # what torch's cross-entropy leaves out


class LanguageData(ResumableData[LanguageTask]):
    """A running text as a recipe reads it: streams side by side, cut into segments.

    The order is that of the text in every epoch. Tokens that are too few for one more timestep of
    all streams are left out in training; scoring leaves out none.
    """

    def __init__(
        self, task: LanguageTask, recipe: Recipe, *, progress: Progress | None = None
    ) -> None:
        super().__init__(task, recipe)
        self._text = streams(task.splits["train"].ids, recipe.batch_size)
        self._validation = text_loader(
            task.splits["validation"].ids, streams=recipe.validation_streams, segment=recipe.bptt
        )

    @staticmethod
    def check(settings: ModelSettings, task: LanguageTask) -> None:
        """Refuses a model that does not predict the task's words."""
        words = len(task.words)
        asked = (settings.head, settings.vocabulary_size, settings.outputs, settings.bidirectional)
        needed = ("language_model", words, words, False)
        if asked != needed:
            raise ValueError(
                f"{task.name} needs a model with head, vocabulary_size, outputs and bidirectional "
                f"{needed}, but the recipe has {asked}."
            )

    @staticmethod
    def held(model: SequenceModel, task: LanguageTask, split: str, recipe: Recipe) -> Loader:
        """A split: the test text as one stream, others as many as the recipe says."""
        if model.kind != "language_model":
            raise ValueError(f"{model.name} is for {model.kind}, so it cannot predict words.")
        count = 1 if split == "test" else recipe.validation_streams
        return text_loader(task.splits[split].ids, streams=count, segment=recipe.bptt)

    @property
    def steps(self) -> int:
        """Segments an epoch; the last may be shorter."""
        return int(-(-(self._text.shape[1] - 1) // self.recipe.bptt))

    def introduce(self, model: SequenceModel) -> None:
        """Tells a new model its words; it says what it reads."""
        model.classes = self.task.words

    def train_dataloader(self) -> Loader:
        """What is left of the epoch."""
        text, segment, first = self._text, self.recipe.bptt, self.first
        starts = range(first * segment, text.shape[1] - 1, segment)
        return loader(
            lambda: (
                _batch(text[:, at : at + segment + 1][:, :-1], text[:, at + 1 : at + segment + 1])
                for at in starts
            )
        )

    def val_dataloader(self) -> Loader:
        """The validation text."""
        return self._validation


def text_loader(ids: Int[np.ndarray, "token"], *, streams: int, segment: int) -> Loader:
    """Every token of a text but the first once as a target, in the order of its stream.

    Stream b begins with the last token of stream b − 1, so that no target is lost where streams
    meet; it begins without a past. What the last stream is short of is filled with `NO_TARGET`.

    Arguments:
        ids: The text.
        streams: Read side by side; 1 reads the text as it stands.
        segment: Timesteps a batch.

    Raises:
        ValueError: If there are fewer targets than streams.
    """
    count = len(ids) - 1
    if not 1 <= streams <= count:
        raise ValueError(
            f"A text of {len(ids)} tokens has {count} to predict, but {streams} streams were "
            "asked for; each needs one."
        )
    length = -(-count // streams)
    missing = streams * length - count
    inputs = np.pad(ids[:-1], (0, missing)).reshape(streams, length)
    targets = np.pad(ids[1:].astype(np.int64), (0, missing), constant_values=NO_TARGET)
    targets = targets.reshape(streams, length)

    def batches() -> Iterator[Batch]:
        for at in range(0, length, segment):
            yield _batch(inputs[:, at : at + segment], targets[:, at : at + segment])

    return loader(batches)


def _batch(inputs: Int[np.ndarray, "batch time"], targets: Int[np.ndarray, "batch time"]) -> Batch:
    return (
        torch.from_numpy(inputs.astype(np.int64)),
        torch.full((len(inputs),), inputs.shape[1]),
        torch.from_numpy(targets.astype(np.int64)),
    )
