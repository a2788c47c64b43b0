"""Gradients by class of path of a model that reads texts."""

from collections.abc import Callable, Sequence

import torch
import xarray as xr
from torch import Tensor

from attnviz.models import SequenceModel
from attnviz.path_classes.labels import PathOptions
from attnviz.path_classes.parts import of_classes, paths_in_parts
from attnviz.recording import Texts
from attnviz.recording.texts import check_sequence_model, encoded_texts

__all__ = ["text_gradient_paths"]

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
    rows = _rows(model, given)
    return paths_in_parts(
        model, rows, of_classes(given.right), given.ids,
        group=group, options=options, progress=progress,
    )  # fmt: skip


def _rows(model: SequenceModel, texts: Texts) -> list[Tensor]:
    check_sequence_model(model)
    if model.vocabulary is None or model.kind != "classification":
        raise ValueError(
            f"text_gradient_paths needs a model with a vocabulary that classifies a text, but "
            f"{model.name} is for {model.kind}"
            f"{' and has no vocabulary' if model.vocabulary is None else ''}. Give its inputs to "
            "gradient_paths, with an objective."
        )
    return [torch.from_numpy(text.ids) for text in encoded_texts(model, texts)]
