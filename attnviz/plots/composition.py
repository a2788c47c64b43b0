"""Several plots as the panels of one figure: aligned, lettered, on one scale where asked.

Each panel is a figure of its own, drawn by its plot at the width of the panel, and keeps its
layout. The composition shifts them to their places and draws them with itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from attnviz.plots.alignment import Placed, align, data_axes, title_height
from attnviz.plots.figures import PaperFigure, figure_of, keep_style
from attnviz.plots.sizes import TITLE_SIZE, enlarged, look, size_of, widest
from attnviz.plots.styling import house_style, in_panel

__all__ = ["Composition", "Panel", "compose", "saying_which"]

Limits = tuple[float, float]
_GAP, _GUTTER = 0.1, 0.14  # inches: between columns; for a letter
_MOST, _INCH = 26, 25.4


@dataclass(frozen=True)
class Panel:
    """A plot and its place in a figure.

    Arguments:
        draw: Draws it with the given ends of its scale; with its own where it gets none.
        share: Panels with the same word here have one scale.
        span: How many columns it takes.
        title: In place of the plot's own; empty for none.
    """

    draw: Callable[[Limits | None], Figure | Axes]
    share: str | None = None
    span: int = 1
    title: str | None = None


class Composition(PaperFigure):
    """A figure whose panels are figures.

    Attributes:
        panels: In reading order, each with its own Axes.
        corners: The lower left corner of each, in inches.
    """

    panels: tuple[Figure, ...] = ()
    corners: tuple[tuple[float, float], ...] = ()

    def draw(self, renderer: Any) -> None:  # noqa: ANN401  (that of PDF and SVG is no RendererBase)
        """Draws itself, then each panel at its place."""
        super().draw(renderer)
        for panel, (left, bottom) in zip(self.panels, self.corners, strict=True):
            panel.set_dpi(self.get_dpi())  # that of the file, and it may have changed
            width, height = panel.get_size_inches()
            box = np.array([[0.0, 0.0], [width, height]])
            panel.bbox_inches.set_points(box + np.array([left, bottom]))
            try:
                panel.draw(renderer)
            finally:
                panel.bbox_inches.set_points(box)


def compose(
    panels: Sequence[Panel],
    *,
    columns: int = 1,
    letters: bool = True,
    provenance: Mapping[str, str] | None = None,
) -> Composition:
    """Draws plots as the panels of one figure of the style's width.

    Panels stand in rows, from left to right. Their Axes begin at one place in each column and at
    one height in each row. A letter stands before each.

    Arguments:
        panels: From left to right and from top to bottom.
        columns: How many stand side by side.
        letters: Whether to write a, b, c, ... before them.
        provenance: What the figure is drawn from.

    Returns:
        The figure.

    Raises:
        TypeError: If a panel draws neither a Figure nor Axes.
        ValueError: If there is no panel, there are more than 26, one is wider than the figure, or
            a scale is to be shared with a plot that has none.
    """
    if not 1 <= len(panels) <= _MOST:
        raise ValueError(f"A figure has 1 to {_MOST} panels, but there are {len(panels)}.")
    with house_style():
        gutter = _GUTTER if letters else 0.0
        column = (widest() - _GAP * (columns - 1)) / columns
        places = list(_places([panel.span for panel in panels], columns))
        widths = [column * p.span + _GAP * (p.span - 1) - gutter for p in panels]
        figures = _drawn(panels, [_INCH * enlarged(width) for width in widths])
        placed = [
            Placed(figure, row, at) for figure, (row, at) in zip(figures, places, strict=True)
        ]
        height = align(placed)
        lefts = [(column + _GAP) * one.column + gutter for one in placed]
        right = max(left + one.size[0] for left, one in zip(lefts, placed, strict=True))
        whole = _empty(right if look().width is None else widest(), height)
        whole.panels = tuple(figures)
        whole.corners = tuple(
            (enlarged(left), enlarged(height - one.top - one.size[1]))
            for left, one in zip(lefts, placed, strict=True)
        )
        for number, (left, one) in enumerate(zip(lefts, placed, strict=True)):
            if letters:
                top = title_height(other for other in placed if other.row == one.row)
                _letter(whole, chr(ord("a") + number), left - gutter, top)
        whole.provenance = dict(provenance or {})
    return whole


@contextmanager
def saying_which(number: int) -> Iterator[None]:
    """Lets what is wrong with a panel say which one it is.

    Arguments:
        number: Of the panel, counted from 1.
    """
    try:
        yield
    except (IndexError, KeyError, ValueError) as error:
        what, *more = error.args or ("",)
        error.args = (f"Panel {number}: {what}", *more)
        raise


def _places(spans: Sequence[int], columns: int) -> Iterator[tuple[int, int]]:
    """Row and first column of each panel; one that does not fit begins a row."""
    row, at = 0, 0
    for span in spans:
        if not 1 <= span <= columns:
            raise ValueError(
                f"A panel spans 1 to {columns} of the figure's columns, but span is {span}."
            )
        if at + span > columns:
            row, at = row + 1, 0
        yield row, at
        at += span


def _drawn(panels: Sequence[Panel], widths: Sequence[float]) -> list[Figure]:
    """All panels; those that share a scale are drawn again on it."""

    def draw(number: int, limits: Limits | None) -> Figure:
        with in_panel(width=widths[number], title=panels[number].title), saying_which(number + 1):
            return figure_of(panels[number].draw(limits))

    figures = [draw(number, None) for number in range(len(panels))]
    for word in {panel.share: None for panel in panels if panel.share is not None}:
        sharing = [number for number, panel in enumerate(panels) if panel.share == word]
        limits = _common([figures[number] for number in sharing], word)
        for number in sharing:
            if _limits(figures[number]) != limits:
                figures[number] = draw(number, limits)
        _share_axes([figures[number] for number in sharing])
    return figures


def _share_axes(figures: Sequence[Figure]) -> None:
    """One vertical axis for curves and stacks of the same name; maps have their rows."""
    by_name: dict[str, list[Axes]] = {}
    for ax in (ax for figure in figures for ax in data_axes(figure) if not ax.images):
        by_name.setdefault(str(ax.get_label()).partition(",")[0], []).append(ax)
    for alike in by_name.values():
        ends = [ax.get_ylim() for ax in alike]
        limits = (min(low for low, _ in ends), max(high for _, high in ends))
        for ax in alike:
            ax.set_ylim(*limits)


def _limits(figure: Figure) -> Limits | None:
    return figure.limits if isinstance(figure, PaperFigure) else None


def _common(figures: Sequence[Figure], word: str) -> Limits:
    """The ends that hold all; of scales with both signs alike on both sides."""
    ends = [_limits(figure) for figure in figures]
    known = [pair for pair in ends if pair is not None]
    if len(known) < len(ends):
        raise ValueError(
            f"The panels of the scale {word!r} are to share it, but panel {ends.index(None) + 1} "
            "of them has no scale. Heatmaps, text and curves have one; scatter plots and exit "
            "routes have none."
        )
    low, high = min(low for low, _ in known), max(high for _, high in known)
    maps = all(low == -high for low, high in known if low < 0)
    return (-max(-low, high), max(-low, high)) if low < 0 and maps else (low, high)


def _empty(width: float, height: float) -> Composition:
    size = (enlarged(width), enlarged(height))
    figure = Composition(figsize=size, dpi=matplotlib.rcParams["figure.dpi"])
    FigureCanvasAgg(figure)
    keep_style(figure)
    return figure


def _letter(figure: Figure, letter: str, left: float, top: float) -> None:
    across, down = size_of(figure)
    figure.text(
        (left + 0.02) / across, 1 - top / down, letter, ha="left", va="top",
        fontsize=enlarged(TITLE_SIZE + 1.0), fontweight="bold",
    )  # fmt: skip
