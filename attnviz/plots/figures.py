"""Figures that keep the style they were drawn in, and show themselves in a notebook once."""

import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from attnviz.plots.sizes import enlarged

__all__ = ["PaperFigure", "figure_of", "keep_style", "new_figure", "settle"]

# What matplotlib looks up again when it draws, as for ticks, which it makes only then.
_LOOKED_UP = (
    "axes", "font", "grid", "hatch", "image", "legend", "lines", "mathtext", "patch", "path",
    "text", "xtick", "ytick",
)  # fmt: skip


class PaperFigure(Figure):
    """A figure that is drawn in its own style, wherever it is shown or saved.

    Pyplot knows only of those made for Axes. A notebook shows the others when they are the value
    of a cell; pyplot would show them a second time, and keep them in memory until they are closed.

    Attributes:
        provenance: What it was drawn from, for `save_figure`.
        limits: Ends of its colour scale or of the axis that figures can share, if there is one.
        settings: Of matplotlib, when it was made.
    """

    provenance: Mapping[str, str] = MappingProxyType({})
    limits: tuple[float, float] | None = None
    settings: Mapping[Any, Any] = MappingProxyType({})

    def draw(self, renderer: Any) -> None:  # noqa: ANN401  (that of PDF and SVG is no RendererBase)
        """Draws it in the style in which it was made."""
        with matplotlib.rc_context(dict(self.settings)):
            super().draw(renderer)

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=self.dpi)
        return buffer.getvalue()


def keep_style(figure: PaperFigure) -> None:
    """Gives a figure the style in force for good.

    Arguments:
        figure: A new one.
    """
    now = matplotlib.rcParams.copy()
    figure.settings = {key: now[key] for key in now if key.split(".")[0] in _LOOKED_UP}


def new_figure(width: float, height: float) -> PaperFigure:
    """An empty figure.

    Arguments:
        width: In inches on paper; a style with larger type enlarges both.
        height: In inches on paper.

    Returns:
        The figure, ready to be drawn on or saved.
    """
    size = (enlarged(width), enlarged(height))
    figure = PaperFigure(figsize=size, dpi=matplotlib.rcParams["figure.dpi"])
    FigureCanvasAgg(figure)
    keep_style(figure)
    return figure


def figure_of(drawn: object) -> Figure:
    """The figure that a plot drew, or that its Axes stand in.

    Raises:
        TypeError: If it is neither a Figure nor Axes.
        ValueError: If the Axes were removed from their figure.
    """
    figure = drawn.get_figure(root=True) if isinstance(drawn, Axes) else drawn
    if isinstance(drawn, Axes) and figure is None:
        raise ValueError("These Axes belong to no figure any more, so there is nothing to save.")
    if not isinstance(figure, Figure):
        raise TypeError(f"A plot gives a Figure or its Axes, got {type(drawn).__name__}.")
    return figure


def settle(figure: Figure) -> None:
    """Fixes where everything stands, whatever resolution the figure is drawn at next.

    Arguments:
        figure: Drawn; one that is laid out when it is drawn is laid out now and not again.
    """
    if figure.get_layout_engine() is not None:
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
