"""Recording what a text model looks at while it reads given texts."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from jaxtyping import Int
from torch import Tensor, nn

from attnviz.cards import READ_BY_NAME, recording_command, typed_task
from attnviz.models import SequenceModel
from attnviz.modes import evaluated
from attnviz.recording.assembly import provenance
from attnviz.recording.gradients import GradientRecording, leaves_of
from attnviz.recording.recorder import record
from attnviz.recording.signals import recurrent_layers
from attnviz.store import Plan, TraceWriter, Truncation, make_plan, open_trace
from attnviz.store.saving import check_store_path
from attnviz.text import EncodedText, encode_text
from attnviz.trace import Trace, sequences_of

__all__ = ["Texts", "check_labels", "check_sequence_model", "encoded_texts", "record_texts"]


@dataclass(frozen=True)
class Texts:
    """Texts with what is known about them.

    Arguments:
        texts: One string a sequence.
        labels: The right class of each; −1 where it is not known.
        ids: A name for each; their numbers if not given.
        about: What the trace shall say of them, such as `{"task": "imdb", "split": "test"}`.
    """

    texts: Sequence[str]
    labels: Sequence[int] | Int[np.ndarray, "label"] | None = None
    ids: Sequence[str] | None = None
    about: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses labels or ids that do not match the texts."""
        for name, given in (("labels", self.labels), ("ids", self.ids)):
            if given is not None and len(given) != len(self.texts):
                raise ValueError(
                    f"Texts needs one of {name} for each of the {len(self.texts)} texts, got "
                    f"{len(given)}."
                )

    @cached_property
    def right(self) -> list[int] | None:
        """The right classes, −1 where one is not known; none if not one is."""
        labels = [] if self.labels is None else [int(label) for label in self.labels]
        return labels if any(label >= 0 for label in labels) else None


def record_texts(
    model: SequenceModel,
    texts: Sequence[str] | Texts,
    *,
    keep: Iterable[str] | None = None,
    gradients: GradientRecording = True,
    path: Path | str | None = None,
    half: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Trace:
    """Records a model while it reads texts.

    The model reads in eval mode; its modes and the random state stay as they are. The loss behind
    the gradients is the cross-entropy of each sequence on its own, with the right class where it
    is known and the predicted one elsewhere.

    Arguments:
        model: With a vocabulary, such as `load_model` returns.
        texts: What to read; cut to the length that the model was trained on.
        keep: Signals to record; the cells' declared defaults and `gate_attention` if not given.
        gradients: What to record of gradients, as `record` takes it, at the price of a backward.
        path: Write to a trace store here, block by block, in place of memory. A store that an
            interrupted call left is completed.
        half: Store signals with declared bounds in float16.
        progress: Called with sequences done and in all.

    Returns:
        The trace, in memory or opened from its store.

    Raises:
        TypeError: If the model is none that reads texts, `texts` is a single string, or a label is
            no whole number.
        ValueError: If the model reads no text, there is no text, one holds no token or has a
            label that is no class; or the store holds another recording, or has the name of a
            file for other programs.
    """
    check_sequence_model(model)
    if isinstance(texts, str):
        raise TypeError("record_texts reads a list of texts; put a single one in brackets.")
    if path is not None:
        check_store_path(Path(path))
    given = texts if isinstance(texts, Texts) else Texts(texts)
    kept = None if keep is None else sorted([keep] if isinstance(keep, str) else keep)
    check_labels(model, given)
    leaves = leaves_of(model) if gradients else []
    job = _Job(model, given, encoded_texts(model, given), kept, gradients, leaves)
    return job.to_memory(progress) if path is None else job.to_store(Path(path), half, progress)


@dataclass(frozen=True)
class _Job:
    """A plan's worth of reading."""

    model: SequenceModel
    texts: Texts
    encoded: list[EncodedText]
    keep: list[str] | None
    gradients: GradientRecording
    leaves: list[nn.Parameter]

    @property
    def ids(self) -> list[str]:
        given = self.texts.ids
        return list(given) if given is not None else [str(n) for n in range(len(self.encoded))]

    def plan(self) -> Plan:
        limit, keep = self.model.reading
        cut = None if limit is None else Truncation(keep, limit)
        return make_plan(self.ids, [text.original_length for text in self.encoded], truncation=cut)

    def attributes(self, known: Mapping[str, str]) -> dict[str, str]:
        """What the trace says about where it comes from, with what is known of the model."""
        reading = self.model.reading
        cut = {"side": "none" if reading.limit is None else reading.keep, "length": reading.limit}
        settings = self.model.card.get("settings", {})
        recipe = self.model.card.get("recipe", {})
        return {
            **known,
            "mode": "eval",
            "options": json.dumps(settings),
            **({"seed": str(recipe["seed"])} if "seed" in recipe else {}),
            "truncation": json.dumps(cut),
            "tokens": str(sum(len(text.ids) for text in self.encoded)),
            "unknown_tokens": str(sum(text.unknown_count for text in self.encoded)),
            "loss": self.model.loss_name,
            "loss_target": "predicted class" if self.texts.right is None else "label",
            # A store is only gone on with by a recording of the same texts and signals.
            "recorded": json.dumps({"keep": self.keep, "gradients": self.gradients}),
            "texts_digest": self._texts_digest(),
            **self.texts.about,
        }

    def _texts_digest(self) -> str:
        labels = None if self.texts.labels is None else [int(n) for n in self.texts.labels]
        told = json.dumps([list(self.texts.texts), labels])
        return hashlib.sha256(told.encode()).hexdigest()

    def to_memory(self, progress: Callable[[int, int], None] | None) -> Trace:
        batches = [batch for block in self.plan().blocks for batch in block.batches]
        tree = self._read(batches, progress, done=0)
        tree.attrs = self.attributes({str(name): told for name, told in tree.attrs.items()})
        return Trace(tree)

    def to_store(
        self, path: Path, half: bool, progress: Callable[[int, int], None] | None
    ) -> Trace:
        known = provenance(self.model, recurrent_layers(self.model))
        writer = TraceWriter(path, self.plan(), self.attributes(known), half=half)
        pending = writer.pending()
        done = len(self.encoded) - sum(block.stop - block.start for block in pending)
        for block in pending:
            writer.write(block, self._read(block.batches, progress, done=done))
            done += block.stop - block.start
        return open_trace(path)

    def _read(
        self,
        batches: Sequence[Sequence[int]],
        progress: Callable[[int, int], None] | None,
        *,
        done: int,
    ) -> xr.DataTree:
        """Reads batches of rows and returns them in the order of the rows."""
        ids, labels = self.ids, self.texts.right
        rows = [row for batch in batches for row in batch]
        watched = record(self.model, self.keep, self.gradients)
        with evaluated(self.model), watched as recording:
            for batch in batches:
                chosen = [self.encoded[row] for row in batch]
                recording.describe(
                    id=[ids[row] for row in batch],
                    text=[self.texts.texts[row] for row in batch],
                    span=[text.spans for text in chosen],
                    label=None if labels is None else [labels[row] for row in batch],
                )
                self._forward(chosen, batch)
                done += len(batch)
                if progress is not None:
                    progress(done, len(self.encoded))
        return sequences_of(recording.trace.tree, np.argsort(rows))

    def _forward(self, chosen: list[EncodedText], batch: Sequence[int]) -> None:
        device = next(self.model.parameters()).device
        ids = nn.utils.rnn.pad_sequence(
            [torch.from_numpy(text.ids) for text in chosen], batch_first=True
        ).to(device)
        lengths = torch.tensor([len(text.ids) for text in chosen])
        with torch.set_grad_enabled(bool(self.gradients)):
            logits = self.model(ids, lengths)
            if self.gradients:
                loss = nn.functional.cross_entropy(
                    logits, self._targets(logits, batch), reduction="sum"
                )
                # Gradients at the states only: the parameters' own .grad stays untouched.
                torch.autograd.grad(loss, self.leaves, allow_unused=True)

    def _targets(self, logits: Tensor, batch: Sequence[int]) -> Tensor:
        predicted = logits.detach().argmax(dim=-1)
        if (known := self.texts.right) is None:
            return predicted
        labels = torch.tensor([known[row] for row in batch], device=logits.device)
        return torch.where(labels >= 0, labels, predicted)


def check_labels(model: SequenceModel, texts: Texts) -> None:
    """Refuses labels that are no class of the model.

    Raises:
        ValueError: If one lies outside; -1 means not known.
    """
    for row, label in enumerate([] if texts.labels is None else texts.labels):
        if isinstance(label, bool) or not isinstance(label, (int, np.integer)):
            numbered = ", ".join(f"{n} = {name}" for n, name in enumerate(model.classes))
            raise TypeError(
                f"Labels are the numbers of classes, but text {row} has the label {label!r}. "
                f"For {model.name}: {numbered}; -1 where it is not known."
            )
        if not -1 <= int(label) < len(model.classes):
            name = texts.ids[row] if texts.ids is not None else row
            raise ValueError(
                f"Text {name} has the label {label}, but {model.name} tells {len(model.classes)} "
                f"classes apart: {list(model.classes)}, numbered from 0; -1 means not known."
            )


def check_sequence_model(model: object) -> None:
    """Refuses what is no `SequenceModel`, such as the name of one.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(model, SequenceModel):
        raise TypeError(
            "This takes a SequenceModel, such as attnviz.load_model(name) returns, but got "
            f"{type(model).__name__}. A recurrent layer becomes one with a head: "
            "attnviz.SequenceModel(layer, outputs=2). Any model is recorded with attnviz.record."
        )


def encoded_texts(model: SequenceModel, texts: Texts) -> list[EncodedText]:
    """Texts as a classifier reads them: ids and spans, cut as it was trained.

    Raises:
        ValueError: If the model reads no text or does not classify, or there is no text or one
            holds no token.
    """
    check_sequence_model(model)
    if model.vocabulary is None and model.embedding is None:
        shell = ""
        if typed_task(model.card) in READ_BY_NAME:
            shell = f", or from the shell with {recording_command(model.card)}"
        raise ValueError(
            f"{model.name} has no vocabulary, so it cannot read text: it reads numbers. Record "
            f"some with attnviz.recording.record_numbers{shell}"
        )
    if model.vocabulary is None:
        raise ValueError(
            f"{model.name} has no vocabulary, so it cannot read text. Give it one "
            "(model.vocabulary = ...), or use attnviz.record around calls of your own."
        )
    if model.kind != "classification":
        raise ValueError(
            f"record_texts reads with models that classify a text, but {model.name} is for "
            f"{model.kind}. Use attnviz.record around calls of your own."
        )
    if not len(texts.texts):
        raise ValueError("record_texts needs at least one text, got none.")
    encoded = []
    for row, text in enumerate(texts.texts):
        try:
            encoded.append(
                encode_text(
                    text, model.vocabulary, limit=model.reading.limit, keep=model.reading.keep
                )
            )
        except ValueError as error:
            name = texts.ids[row] if texts.ids is not None else row
            raise ValueError(f"Text {name}: {error}") from error
    return encoded
