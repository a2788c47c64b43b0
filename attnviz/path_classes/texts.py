"""Gradients by class of path of a model that reads texts."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
import xarray as xr
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from attnviz.models import SequenceModel
from attnviz.path_classes.labels import PathOptions
from attnviz.path_classes.measure import Objective, gradient_paths
from attnviz.recording import Texts
from attnviz.text import EncodedText, encode_text

__all__ = ["of_classes", "paths_in_parts", "text_gradient_paths"]

# Texts that are followed back together: every class of every text is a row of a batch.
_AT_ONCE = 8
_DEFAULT = PathOptions()


def text_gradient_paths(
    model: SequenceModel,
    texts: Sequence[str] | Texts,
    *,
    group: str | None = None,
    options: PathOptions = _DEFAULT,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """The gradient at every token, by the edges that it travelled on its way back.

    It is the gradient of each text's cross-entropy, with the right class where it is known and
    the predicted one elsewhere.

    Arguments:
        model: With a vocabulary, such as `load_model` returns.
        texts: What to read; cut to the length that the model was trained on.
        group: The layer and direction; the last layer's, forwards, if not given.
        options: Labels, hops, and the method.
        progress: Called with texts done and in all.

    Returns:
        As `gradient_paths`, with `id(sequence)`.

    Raises:
        TypeError: If `texts` is a single string.
        ValueError: If the model does not classify texts, there is no text, one holds no token, or
            as `gradient_paths`.
    """
    if isinstance(texts, str):
        raise TypeError("text_gradient_paths reads a list of texts; put a single one in brackets.")
    given = texts if isinstance(texts, Texts) else Texts(texts)
    if not given.texts:
        raise ValueError("text_gradient_paths needs at least one text, got none.")
    rows = [torch.from_numpy(text.ids) for text in _encoded(model, given)]
    return paths_in_parts(
        model, rows, of_classes(given.labels), given.ids,
        group=group, options=options, progress=progress,
    )  # fmt: skip


def paths_in_parts(
    model: SequenceModel,
    rows: Sequence[Tensor],
    objectives: Callable[[slice], Objective],
    ids: Sequence[str] | None,
    *,
    group: str | None,
    options: PathOptions,
    progress: Callable[[int, int], None] | None,
) -> xr.Dataset:
    """The gradient of each sequence's loss, a few sequences at a time.

    Arguments:
        model: That reads them.
        rows: What it reads, each of its own length.
        objectives: Gives the loss of some of the sequences, summed over them.
        ids: A name for each; their numbers if not given.
        group: The layer and direction; the last layer's, forwards, if None.
        options: Labels, hops, and the method.
        progress: Called with sequences done and in all.

    Returns:
        As `gradient_paths`, with `id(sequence)`.
    """
    parts = []
    for first in range(0, len(rows), _AT_ONCE):
        chosen = slice(first, first + _AT_ONCE)
        found = gradient_paths(
            model,
            pad_sequence(list(rows[chosen]), batch_first=True).to(next(model.parameters()).device),
            lengths=[len(row) for row in rows[chosen]],
            objective=objectives(chosen),
            group=group,
            options=options,
        )
        parts.append(found)
        if progress is not None:
            progress(min(first + _AT_ONCE, len(rows)), len(rows))
    joined = xr.concat(
        parts, "sequence", data_vars="minimal", coords="minimal", compat="override",
        join="outer", combine_attrs="override",
    )  # fmt: skip
    names = ids if ids is not None else [str(n) for n in range(len(rows))]
    return joined.assign(id=("sequence", np.array(names, dtype=object)))


def of_classes(labels: Sequence[int] | None) -> Callable[[slice], Objective]:
    """The cross-entropy of some sequences.

    Arguments:
        labels: The right classes, -1 where one is not known; the predicted ones if not given.
    """

    def objective(chosen: slice) -> Objective:
        right = None if labels is None else [int(label) for label in labels[chosen]]
        return partial(_cross_entropy, right)

    return objective


def _cross_entropy(right: Sequence[int] | None, logits: Tensor) -> Tensor:
    predicted = logits.detach().argmax(dim=-1)
    if right is None:
        return F.cross_entropy(logits, predicted, reduction="sum")
    known = torch.tensor(right, device=logits.device)
    if int(known.max()) >= logits.shape[-1] or int(known.min()) < -1:
        raise ValueError(
            f"Labels number the model's {logits.shape[-1]} classes from 0, with -1 where the "
            f"right one is not known, but they lie between {int(known.min())} and "
            f"{int(known.max())}."
        )
    return F.cross_entropy(logits, torch.where(known >= 0, known, predicted), reduction="sum")


def _encoded(model: SequenceModel, texts: Texts) -> list[EncodedText]:
    if model.vocabulary is None or model.kind != "classification":
        raise ValueError(
            f"text_gradient_paths needs a model with a vocabulary that classifies a text, but "
            f"{model.name} is for {model.kind}"
            f"{' and has no vocabulary' if model.vocabulary is None else ''}. Give its inputs to "
            "gradient_paths, with an objective."
        )
    limit, keep = model.reading
    encoded = []
    for row, text in enumerate(texts.texts):
        try:
            encoded.append(encode_text(text, model.vocabulary, limit=limit, keep=keep))
        except ValueError as error:
            name = texts.ids[row] if texts.ids is not None else row
            raise ValueError(f"Text {name}: {error}") from error
    return encoded
