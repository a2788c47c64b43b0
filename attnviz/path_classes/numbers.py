"""Gradients by class of path of a model that reads numbers."""

from collections.abc import Callable

import xarray as xr

from attnviz.models import SequenceModel
from attnviz.path_classes.labels import PathOptions
from attnviz.path_classes.parts import of_classes, of_numbers, paths_in_parts
from attnviz.recording import Numbers
from attnviz.recording.numbers import number_rows

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

    It is the gradient of each sequence's loss: of the cross-entropy with its right class, or of the
    squared error, summed over outputs.

    Arguments:
        model: That classifies sequences of numbers, or predicts numbers from them.
        numbers: What to read, with what is right.
        group: The layer and direction; the last layer's, forwards, if not given.
        options: Labels, hops, and the method.
        progress: Called with sequences done and in all.

    Returns:
        As `gradient_paths`, with `id(sequence)`.

    Raises:
        ValueError: If the model reads no numbers or predicts at every timestep, what is right is
            not what it predicts, or as `gradient_paths`.
    """
    rows = number_rows(model, numbers)
    by_class = numbers.labels is not None
    objectives = of_classes(numbers.labels) if by_class else of_numbers(numbers.targets)
    return paths_in_parts(
        model, rows, objectives, numbers.ids, group=group, options=options, progress=progress
    )
