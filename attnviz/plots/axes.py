"""What plots on Axes share: new Axes, a title with its note, bands, and legends of any words."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import cast

import numpy as np
import xarray as xr
from matplotlib import rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.font_manager import FontProperties
from matplotlib.legend import Legend
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

from attnviz.plots.figures import PaperFigure, keep_style
from attnviz.plots.lettering import drawable, fold, fold_evenly, own_words, text_width
from attnviz.plots.sizes import GREY, NOTE_SIZE, PAGE, chosen_width, enlarged, look, size_of
from attnviz.plots.styling import house_style

__all__ = [
    "axes_to_draw_on",
    "columns_for",
    "draw_band",
    "legend_beside",
    "letter_legend",
    "number_logarithm",
    "number_small",
    "write_title",
]

_SMALL = 1e-3  # below this numbers would share a factor
_GAP, _LINE = 3.0, 1.3  # points above the Axes; height of a line, of its type
_LEFT, _HINTED = 0.6, 1.03  # inches of tick labels and axis name; see `headings`
_NARROW = 4.6  # inches: in figures below this a legend stands under the Axes
_HANDLE = 4.9  # widths of an m: a legend's handle and the gaps around it


@contextmanager
def axes_to_draw_on(ax: Axes | None, width: float, height: float) -> Iterator[Axes]:
    """The Axes that were given, in whatever style they are; else new ones in the house style.

    New ones have a figure of their own, that pyplot knows of.

    Arguments:
        ax: What was given.
        width: Of the figure in inches on paper, unless the style was given one.
        height: Of the figure in inches on paper.

    Yields:
        The Axes.
    """
    if ax is not None:
        yield ax
        return
    import matplotlib.pyplot as plt

    with house_style():
        size = (enlarged(chosen_width(width)), enlarged(height))
        figure = plt.figure(figsize=size, layout="constrained", FigureClass=PaperFigure)
        keep_style(cast(PaperFigure, figure))
        yield figure.subplots()


def write_title(ax: Axes, title: str, note: str, *, panel: bool = False) -> None:
    """Writes a title and a line of grey below it; either is folded where it is too long.

    Arguments:
        ax: The Axes.
        title: What they show; never read as mathematics, which one of one's own may hold.
        note: What else a reader must know; never read as mathematics.
        panel: Whether it names one of several Axes, which a title of one's own does not replace.
    """
    own = look().title
    title, maths = (title, False) if own is None or panel else own_words(own)
    size, gap = enlarged(NOTE_SIZE), enlarged(_GAP)
    below, families = drawable(fold(note, _room(ax), size))
    _grow(ax, _LINE * size * (len(below) - 1))
    ax.annotate(
        "\n".join(below), (0, 1), xycoords="axes fraction", xytext=(0, gap),
        textcoords="offset points", size=size, color=GREY, va="bottom", ha="left",
        linespacing=1.1, parse_math=False, family=families, annotation_clip=False,
    )  # fmt: skip
    if not title:
        return
    type_size = _points(rcParams["axes.titlesize"])
    lines = fold_evenly(title, _room(ax), type_size, maths=maths)
    above, families = (lines, [look().family]) if maths else drawable(lines)
    _grow(ax, _LINE * type_size * (len(above) - 1))
    ax.set_title(
        "\n".join(above), loc="left", pad=2 * gap + _LINE * size * len(below),
        parse_math=maths, family=families,
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
    if figure is not None and size_of(figure)[0] < _NARROW:
        below = _LINE * (_points(rcParams["xtick.labelsize"]) + _points(rcParams["axes.labelsize"]))
        down = ScaledTranslation(0, -(below + 3 * enlarged(_GAP)) / 72, figure.dpi_scale_trans)
        corner, place, columns = (0.0, 0.0), ax.transAxes + down, columns_for(said, _room(ax))
        high = max((1 + word.count("\n") for word in said), default=1)
        size = _points(rcParams["legend.fontsize"])
        _grow(ax, 1.5 * size * high * -(-len(said) // columns))
    legend = ax.legend(
        handles, said, loc="upper left", borderaxespad=0.0, ncols=columns,
        bbox_to_anchor=corner, bbox_transform=place,
    )  # fmt: skip
    letter_legend(legend)


def number_logarithm(axis: Axis) -> None:
    """Numbers a logarithmic axis so that there are several numbers, and none stand too close.

    Evenly spaced below a decade, at 1, 2 and 5 of each power of ten below three, else at powers.

    Arguments:
        axis: One axis of Axes, logarithmic and with its limits.
    """
    low, high = sorted(axis.get_view_interval())
    if high / low < 1000:
        wide = high / low > 8
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)) if wide else MaxNLocator(5))
        axis.set_major_formatter(lambda value, _: f"{value:.4g}")
    axis.set_minor_formatter(NullFormatter())


def number_small(axis: Axis) -> None:
    """Numbers an axis of tiny values one by one: their common factor would stand in the title.

    Arguments:
        axis: One axis of Axes, linear and with its limits.
    """
    if float(np.abs(axis.get_view_interval()).max()) < _SMALL:
        axis.set_major_formatter(lambda value, _: f"{value:.3g}".replace("-", "−"))


def letter_legend(legend: Legend) -> None:
    """Makes the words of a legend drawable: names from the data are no mathematics.

    Arguments:
        legend: Of Axes or a figure.
    """
    said = [text.get_text().split("\n") for text in legend.get_texts()]
    _, families = drawable([line for lines in said for line in lines])
    for text, lines in zip(legend.get_texts(), said, strict=True):
        text.set(text="\n".join(drawable(lines)[0]), parse_math=False, family=families)


def columns_for(words: Sequence[str], room: float) -> int:
    """How many columns of a legend fit side by side.

    Arguments:
        words: Its words.
        room: In inches of the figure.

    Returns:
        One at least.
    """
    size = _points(rcParams["legend.fontsize"])
    _, families = drawable([line for word in words for line in word.split("\n")])
    widths = [
        max(text_width(line, size, families) for line in drawable(word.split("\n"))[0])
        for word in words
    ]
    for columns in range(len(words), 1, -1):
        if -(-len(words) // -(-len(words) // columns)) < columns:
            continue  # fewer columns have as few lines
        # Each is as wide as its widest word; the first ones have one word more.
        parts = np.array_split(widths, columns)
        if sum(float(part.max()) + _HANDLE * size for part in parts) <= 72 * room:
            return columns
    return 1


def _points(size: float | str) -> float:
    return float(FontProperties(size=size).get_size_in_points())


def _room(ax: Axes) -> float:
    """Inches for text above the Axes: up to the figure's edge, where nothing stands beside them."""
    figure = ax.get_figure(root=True)
    place, grid = ax.get_position(original=True), ax.get_subplotspec()
    whole = PAGE if figure is None else float(figure.get_figwidth())
    if grid is not None and not grid.is_last_col():
        return float(whole * place.width / _HINTED)
    return float((whole - max(whole * place.x0, enlarged(_LEFT))) / _HINTED)


def _grow(ax: Axes, points: float) -> None:
    """Makes room by making a figure higher, if it was made for these Axes."""
    figure = ax.get_figure(root=True)
    if isinstance(figure, PaperFigure):
        figure.set_figheight(figure.get_figheight() + points / 72)
