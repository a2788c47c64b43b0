"""Gradients by class of path of a language model."""

from collections.abc import Callable

import torch
import xarray as xr

from attnviz.models import SequenceModel
from attnviz.path_classes.labels import PathOptions
from attnviz.path_classes.parts import of_classes, paths_in_parts
from attnviz.recording import Running
from attnviz.recording.running import check_running

__all__ = ["running_gradient_paths"]

_DEFAULT = PathOptions()


def running_gradient_paths(
    model: SequenceModel,
    running: Running,
    *,
    group: str | None = None,
    options: PathOptions = _DEFAULT,
    progress: Callable[[int, int], None] | None = None,
) -> xr.Dataset:
    """The gradient at every token of a running text's pieces, by the edges that it travelled.

    It is the gradient of the loss of each piece's last token, predicted from those before it in
    the piece, which is read by itself: the path ends where the piece begins.

    Arguments:
        model: With the head `language_model`.
        running: The text.
        group: The layer and direction; the last layer's, forwards, if not given.
        options: Labels, hops, and the method.
        progress: Called with pieces done and in all.

    Returns:
        As `gradient_paths`, with `id(sequence)`; a piece is a sequence, without its last token.

    Raises:
        ValueError: If the model is no language model of so many words, or as `gradient_paths`.
    """
    check_running(model, running)
    pieces = [torch.from_numpy(piece) for piece in running.pieces]
    return paths_in_parts(
        model, [piece[:-1] for piece in pieces], of_classes([int(piece[-1]) for piece in pieces]),
        running.ids, group=group, options=options, progress=progress,
    )  # fmt: skip
