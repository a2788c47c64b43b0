"""Gradients by class of path of a model that reads numbers."""

from collections.abc import Callable

import torch
import xarray as xr

from attnviz.models import SequenceModel
from attnviz.path_classes.labels import PathOptions
from attnviz.path_classes.texts import paths_in_parts
from attnviz.recording import Numbers
from attnviz.recording.numbers import check_numbers

__all__ = ["number_gradient_paths"]

_DEFAULT = PathOptions()


def number_gradient_paths(
    model: SequenceModel,
    numbers: Numbers,
    *,
    group: str | None = None,
    options: PathOptions = _DEFAULT,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """The gradient at every timestep of sequences of numbers, by the edges that it travelled.

    It is the gradient of each sequence's cross-entropy with its right class.

    Arguments:
        model: That classifies sequences of numbers.
        numbers: What to read, with the right classes.
        group: The layer and direction; the last layer's, forwards, if not given.
        options: Labels, hops, and the method.
        progress: Called with sequences done and in all.

    Returns:
        As `gradient_paths`, with `id(sequence)`.

    Raises:
        ValueError: If the model does not classify numbers, a class is none of its own, or as
            `gradient_paths`.
    """
    check_numbers(model, numbers)
    if model.kind != "classification":
        raise ValueError(
            f"number_gradient_paths follows the cross-entropy of a class, but {model.name} is for "
            f"{model.kind}. Give its inputs to gradient_paths, with an objective."
        )
    like = next(model.parameters())
    rows = [torch.from_numpy(row).to(like) for row in numbers.features]
    return paths_in_parts(
        model, rows, numbers.labels, numbers.ids, group=group, options=options, progress=progress
    )
