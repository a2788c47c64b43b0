"""A long sequence as a figure of page width: rows of timesteps, strips stacked in each row.

The layout is fixed in inches, so that type is as large on paper as it says and nothing overlaps.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import offset_copy

from attnviz.plots.figures import PaperFigure, new_figure
from attnviz.plots.headings import (
    MARGIN,
    Heading,
    axes_at,
    draw_heading,
    footer_height,
    heading_height,
)
from attnviz.plots.lettering import drawable, shorten, text_width
from attnviz.plots.sizes import (
    COLUMN,
    GREY,
    LABEL_SIZE,
    NOTE_SIZE,
    enlarged,
    look,
    most_words,
    widest,
    word_size,
)
from attnviz.plots.strips import Strip

__all__ = ["TimeAxis", "draw_wrapped", "words_under"]

_LEFT, _GAP = 0.56, 0.05
_ASIDE = 5.8  # points from the Axes to a word at their left
_WIDEST_CELL, _WIDEST_IN_PANEL, _LONGEST_TOKEN = 0.2, 0.5, 12
_WORD = "word"


@dataclass(frozen=True)
class TimeAxis:
    """The timesteps of a figure.

    Arguments:
        numbers: The timestep at each place (of a bin, its first).
        tokens: A word for each place, or none to show the numbers.
        wrap: Places in a row at most; fewer where words would be too small to read.
    """

    numbers: list[int]
    tokens: list[str] | None
    wrap: int

    @property
    def rows(self) -> list[tuple[int, int]]:
        """First and last (exclusive) place of each row, all of about the same length."""
        count = len(self.numbers)
        wrap = self.wrap
        if self.tokens is not None:
            wrap = min(wrap, most_words(widest() - _LEFT - MARGIN))
        length = int(np.ceil(count / np.ceil(count / wrap)))
        return [(at, min(at + length, count)) for at in range(0, count, length)]


@dataclass(frozen=True)
class _Layout:
    """The measures of a wrapped figure, in inches, and its words as they can be drawn."""

    width: float
    cell: float
    words: list[str]
    families: list[str]

    @property
    def type_size(self) -> float:
        return word_size(self.cell)

    @property
    def above(self) -> float:
        return 0.13 if self.words else 0.06

    def below(self, span: tuple[int, int]) -> float:
        words = self.words[slice(*span)]
        widths = (text_width(word, self.type_size, self.families) / 72 for word in words)
        return max(widths, default=0.22) + 0.08


def draw_wrapped(
    strips: Sequence[Strip], *, time: TimeAxis, heading: Heading, row_label: str = ""
) -> PaperFigure:
    """Draws strips over the timesteps, wrapped into rows.

    Arguments:
        strips: From top to bottom.
        time: The timesteps and their tokens.
        heading: Title, colour bar and notes.
        row_label: What the rows of the maps are, such as `lag (timesteps back)`, at the left
            edge. Where the rows are too low for it, what stands in brackets goes to the notes.

    Returns:
        The figure; each Axes carries its strip's label and timesteps as `get_label()`.
    """
    layout = _measure(time)
    stack = sum(strip.height + _GAP for strip in strips) - _GAP
    heights = [layout.above + stack + layout.below(span) for span in time.rows]
    beside = sum(heights) - layout.above  # below the word at the left of the first numbers
    shown, explained = _row_label(row_label, beside)
    heading = replace(heading, notes=[*explained, *heading.notes])
    top, foot = heading_height(heading, layout.width), footer_height(heading, layout.width)
    figure = new_figure(layout.width, top + sum(heights) + foot)
    draw_heading(figure, heading)
    for index, span in enumerate(time.rows):
        y = top + sum(heights[:index]) + layout.above
        axes = _draw_row(figure, strips, span, y, layout)
        for ax, strip in zip(axes, strips, strict=True):
            first, last = time.numbers[span[0]], time.numbers[span[1] - 1]
            ax.set_label(f"{strip.label or row_label}, {first}–{last}")
        numbers = time.numbers[span[0] : span[1]]
        if layout.words:
            _number(axes[0], numbers, layout.cell, named=index == 0)
            _spell(figure, axes[-1], layout.words[slice(*span)], layout)
        else:
            _tick(axes[-1], numbers)
            axes[-1].set_xlabel("timestep", fontsize=enlarged(LABEL_SIZE), labelpad=enlarged(1.0))
    down = top + sum(heights) + foot
    middle = min(sum(heights) / 2, beside - _long(shown) / 2)
    figure.text(
        MARGIN / 2 / layout.width, (foot + middle) / down, shown,
        rotation=90, ha="left", va="center", fontsize=enlarged(LABEL_SIZE), color=GREY,
        parse_math=False,
    )  # fmt: skip
    return figure


def _row_label(label: str, room: float) -> tuple[str, list[str]]:
    """The label as it fits beside the rows, and a note of what had to be left out."""
    name, bracket, meaning = label.partition(" (")
    if not bracket or _long(label) < room - 0.05:
        return label, []
    return name, [f"{name.capitalize()}: {meaning.removesuffix(')')}."]


def _long(label: str) -> float:
    words, families = drawable([label])
    return text_width(words[0], LABEL_SIZE, families) / 72


def _measure(time: TimeAxis) -> _Layout:
    longest = time.rows[0][1]
    least = min(COLUMN, widest())
    # A figure of its own is as narrow as it may be; a panel fills its columns.
    most = _WIDEST_IN_PANEL if look().panel else _WIDEST_CELL
    width = float(np.clip(_LEFT + MARGIN + most * longest, least, widest()))
    cell = min((width - _LEFT - MARGIN) / longest, most)
    words, families = drawable([shorten(token, _LONGEST_TOKEN) for token in time.tokens or []])
    return _Layout(width, cell, words, families)


def _draw_row(
    figure: PaperFigure, strips: Sequence[Strip], span: tuple[int, int], top: float, layout: _Layout
) -> list[Axes]:
    axes = []
    for strip in strips:
        ax = axes_at(figure, _LEFT, top, layout.cell * (span[1] - span[0]), strip.height)
        strip.draw(ax, *span)
        ax.set_xlim(-0.5, span[1] - span[0] - 0.5)
        ax.set_xticks([])
        ax.spines[["top", "right"]].set_visible(True)
        size, gap = enlarged(LABEL_SIZE), enlarged(2.0)
        ax.set_ylabel(strip.label, fontsize=size, parse_math=False, labelpad=gap)
        axes.append(ax)
        top += strip.height + _GAP
    return axes


def words_under(ax: Axes) -> list[Text]:
    """The words below a row, from left to right.

    Arguments:
        ax: The lowest Axes of a row.

    Returns:
        One text a timestep; none where the row shows numbers.
    """
    return [text for text in ax.texts if text.get_label() == _WORD]


def _spell(figure: PaperFigure, ax: Axes, words: list[str], layout: _Layout) -> None:
    # Not as labels of ticks: a tick costs five artists, and a long text has many.
    size, length = enlarged(layout.type_size), enlarged(1.5)
    below = ax.get_xaxis_transform()
    lower = offset_copy(below, figure, y=-2 * length, units="points")
    for place, word in enumerate(words):
        ax.text(
            place, 0, word, rotation=90, ha="center", va="top", fontsize=size,
            family=layout.families, color=rcParams["xtick.color"], parse_math=False, label=_WORD,
            transform=lower,
        )  # fmt: skip
    down = length / 72 / (figure.get_figheight() * ax.get_position().height)
    ax.vlines(
        range(len(words)), -down, 0, colors=rcParams["xtick.color"], transform=below,
        linewidth=rcParams["xtick.major.width"], clip_on=False,
    )  # fmt: skip


def _number(ax: Axes, numbers: list[int], cell: float, *, named: bool) -> None:
    labels = [
        (place, str(number), "center")
        for place, number in enumerate(numbers)
        if place == 0 or (number % 10 == 0 and place > 2)
    ]
    # The name stands left of the first number, over the row labels.
    for place, label, side in [(-0.5, "timestep", "right"), *labels] if named else labels:
        aside = 0.0 if side == "center" else -min(_ASIDE, 0.4 * cell * 72)
        ax.annotate(
            label, (place, 1), xycoords=("data", "axes fraction"), ha=side, va="bottom",
            xytext=(enlarged(aside), enlarged(1.5)), textcoords="offset points",
            fontsize=enlarged(NOTE_SIZE), color=GREY,
        )  # fmt: skip


def _tick(ax: Axes, numbers: list[int]) -> None:
    size = numbers[1] - numbers[0] if len(numbers) > 1 else 1
    first, last = numbers[0], numbers[-1] + size - 1
    ticks = MaxNLocator(12, integer=True, steps=[1, 2, 5, 10]).tick_values(first, last)
    inside = [int(tick) for tick in ticks if first <= tick <= last]
    places = [(tick - first) / size for tick in inside]
    ax.set_xticks(places, [str(tick) for tick in inside], fontsize=enlarged(NOTE_SIZE))
    ax.tick_params(axis="x", length=enlarged(1.5), pad=enlarged(1.5))
