"""A figure that shows itself in a notebook once, without pyplot."""

import io
from collections.abc import Mapping
from types import MappingProxyType

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

__all__ = ["PaperFigure", "new_figure"]


class PaperFigure(Figure):
    """A figure that pyplot does not know of.

    A notebook shows it when it is the value of a cell, whether or not pyplot was imported. Pyplot
    would show it a second time, and keep it in memory until it is closed.

    Attributes:
        provenance: What it was drawn from, for `save_figure`.
    """

    provenance: Mapping[str, str] = MappingProxyType({})

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=150)
        return buffer.getvalue()


def new_figure(width: float, height: float) -> PaperFigure:
    """An empty figure.

    Arguments:
        width: In inches.
        height: In inches.

    Returns:
        The figure, ready to be drawn on or saved.
    """
    figure = PaperFigure(figsize=(width, height), dpi=matplotlib.rcParams["figure.dpi"])
    FigureCanvasAgg(figure)
    return figure
