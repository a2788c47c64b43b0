"""What plots on Axes share: new Axes, a title with its note, bands, and legends of any words."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib import rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.legend import Legend
from matplotlib.transforms import ScaledTranslation

from attnviz.plots.lettering import drawable, fold, text_width
from attnviz.plots.styling import GREY, NOTE_SIZE, PAGE

__all__ = ["draw_band", "legend_beside", "letter_legend", "new_axes", "write_title"]

_GAP, _LINE = 3.0, 1.3  # points above the Axes; height of a line, of its type
_NARROW = 0.7 * PAGE  # inches: in figures below this a legend stands under the Axes
_HANDLE = 4.9  # widths of an m: a legend's handle and the gaps around it


def new_axes(width: float, height: float) -> Axes:
    """Axes in a figure of their own, that pyplot knows of.

    Arguments:
        width: Of the figure, in inches.
        height: Of the figure, in inches.

    Returns:
        The Axes.
    """
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(width, height), layout="constrained")
    return ax


def write_title(ax: Axes, title: str, note: str) -> None:
    """Writes a title and a line of grey below it; either is folded where it is too long.

    Arguments:
        ax: The Axes.
        title: What they show; never read as mathematics.
        note: What else a reader must know; never read as mathematics.
    """
    below, families = drawable(fold(note, _room(ax), NOTE_SIZE))
    ax.annotate(
        "\n".join(below), (0, 1), xycoords="axes fraction", xytext=(0, _GAP),
        textcoords="offset points", size=NOTE_SIZE, color=GREY, va="bottom", ha="left",
        linespacing=1.1, parse_math=False, family=families, annotation_clip=False,
    )  # fmt: skip
    above, families = drawable(fold(title, _room(ax), _points(rcParams["axes.titlesize"])))
    ax.set_title(
        "\n".join(above), loc="left", pad=2 * _GAP + _LINE * NOTE_SIZE * len(below),
        parse_math=False, family=families,
    )  # fmt: skip


def draw_band(ax: Axes, across: xr.DataArray, interval: xr.DataArray, *, colour: str) -> None:
    """Draws an interval as a band behind its line.

    Arguments:
        ax: The Axes.
        across: The places, one axis.
        interval: Axes as the places and `end` (`low`, `high`).
        colour: The colour of the line.
    """
    low, high = (interval.sel(end=end).values for end in ("low", "high"))
    ax.fill_between(across.values, low, high, color=colour, alpha=0.18, linewidth=0)


def legend_beside(
    ax: Axes, handles: Sequence[Artist] | None = None, words: Sequence[str] | None = None
) -> None:
    """A legend to the right of the Axes; in a narrow figure below them.

    Arguments:
        ax: The Axes.
        handles: What to explain; whatever has a label if not given.
        words: A word for each handle; their labels if not given.
    """
    if handles is None:
        handles, labels = ax.get_legend_handles_labels()
        words = labels if words is None else words
    said = [str(handle.get_label()) for handle in handles] if words is None else list(words)
    figure = ax.get_figure(root=True)
    corner, place, columns = (1.01, 1.0), ax.transAxes, 1
    if figure is not None and figure.get_figwidth() < _NARROW:
        below = _LINE * (_points(rcParams["xtick.labelsize"]) + _points(rcParams["axes.labelsize"]))
        down = ScaledTranslation(0, -(below + 3 * _GAP) / 72, figure.dpi_scale_trans)
        corner, place, columns = (0.0, 0.0), ax.transAxes + down, _columns(said, _room(ax))
    legend = ax.legend(
        handles, said, loc="upper left", borderaxespad=0.0, ncols=columns,
        bbox_to_anchor=corner, bbox_transform=place,
    )  # fmt: skip
    letter_legend(legend)


def letter_legend(legend: Legend) -> None:
    """Makes the words of a legend drawable: names from the data are no mathematics.

    Arguments:
        legend: Of Axes or a figure.
    """
    said = [text.get_text().split("\n") for text in legend.get_texts()]
    _, families = drawable([line for lines in said for line in lines])
    for text, lines in zip(legend.get_texts(), said, strict=True):
        text.set(text="\n".join(drawable(lines)[0]), parse_math=False, family=families)


def _columns(words: Sequence[str], room: float) -> int:
    size = _points(rcParams["legend.fontsize"])
    texts, families = drawable([line for word in words for line in word.split("\n")])
    widest = max((text_width(text, size, families) for text in texts), default=0.0)
    return int(np.clip(72 * room // (widest + _HANDLE * size), 1, max(1, len(words))))


def _points(size: float | str) -> float:
    return float(FontProperties(size=size).get_size_in_points())


def _room(ax: Axes) -> float:
    """Inches for text above the Axes: up to the figure's edge, where nothing stands beside them."""
    figure = ax.get_figure(root=True)
    place, grid = ax.get_position(original=True), ax.get_subplotspec()
    across = 1 - place.x0 if grid is None or grid.is_last_col() else place.width
    return across * (PAGE if figure is None else float(figure.get_figwidth()))
