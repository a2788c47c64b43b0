"""Panels of a figure, aligned: their Axes, and the titles of those side by side."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from attnviz.plots.figures import settle
from attnviz.plots.headings import ABOVE, MARGIN
from attnviz.plots.sizes import TITLE_SIZE, enlarged, size_of

__all__ = ["Placed", "align", "data_axes", "title_height"]

_BETWEEN = 0.06  # inches between rows
_NO_DATA = ("colour bar", "key", "<colorbar>")


@dataclass
class Placed:
    """A drawn panel and where it stands; in inches of the layout.

    Arguments:
        figure: The panel.
        row: Its row.
        column: The column where it begins.
        top: From the upper edge of the whole down to its own; found by `align`.
    """

    figure: Figure
    row: int
    column: int
    top: float = 0.0

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        return size_of(self.figure)

    @property
    def inset(self) -> float:
        """From the upper edge down to the first Axes that hold data."""
        tops = [ax.bbox.y1 for ax in data_axes(self.figure)] or [self.figure.bbox.y1]
        return self._below_edge(max(tops))

    @property
    def head(self) -> float:
        """From the upper edge down to the title; to where it would be, if there is none."""
        heading = [_top(line) for line in self.heading]
        tops = heading or [_top(title) for _, title in self.titles]
        return self._below_edge(max(tops)) if tops else MARGIN

    @property
    def heading(self) -> list[Text]:
        """The lines of a title that belongs to no Axes."""
        return [text for text in self.figure.texts if text.get_label() == ABOVE]

    @property
    def titles(self) -> list[tuple[Axes, Text]]:
        """The titles of its Axes that stand highest."""
        found = [(ax, title) for ax in data_axes(self.figure) for title in _title(ax)]
        highest = max((_top(title) for _, title in found), default=0.0)
        return [(ax, title) for ax, title in found if highest - _top(title) < 1]

    def begin_title(self) -> None:
        """Lets a title of Axes begin where other titles do, as large as they are."""
        if self.heading or len(self.titles) != 1:
            return
        [(ax, title)] = self.titles
        title.set_x((enlarged(MARGIN) * self.figure.get_dpi() - ax.bbox.x0) / ax.bbox.width)
        title.set_fontsize(enlarged(TITLE_SIZE))

    def raise_title(self, by: float) -> None:
        """Moves the title up.

        Arguments:
            by: How far.
        """
        dots = enlarged(by) * self.figure.get_dpi()
        for line in self.heading:
            line.set_y(line.get_position()[1] + dots / self.figure.bbox.height)
        for ax, title in [] if self.heading else self.titles:
            at = title.get_transform().transform(title.get_position())[1] + dots
            up = ax.transAxes.inverted().transform((0.0, at))[1]
            look = {"fontsize": title.get_fontsize(), "fontweight": title.get_fontweight()}
            ax.set_title(title.get_text(), look, loc="left", pad=0.0, y=up)

    def _below_edge(self, dots: float) -> float:
        return float((self.figure.bbox.y1 - dots) / self.figure.get_dpi() / enlarged(1.0))


def align(placed: Sequence[Placed]) -> float:
    """Settles the panels, their Axes aligned.

    Arguments:
        placed: In reading order.

    Returns:
        The height of all, in inches of the layout.
    """
    rows = [[one for one in placed if one.row == row] for row in range(placed[-1].row + 1)]
    level = [row for row in rows if len(row) > 1 and all(map(_is_fluid, row))]
    for row in level:
        for one in row:
            one.figure.set_figheight(max(beside.figure.get_figheight() for beside in row))
    for one in placed:
        settle(one.figure)
        one.figure.patch.set_visible(False)
    _align_columns(placed)
    for one in placed:
        one.begin_title()
    for row in level:
        _level(row)
    height = _align_rows(rows)
    for row in rows:
        highest = title_height(row)
        for one in row:
            if one.top + one.head > highest:
                one.raise_title(one.top + one.head - highest)
    return height


def title_height(row: Iterable[Placed]) -> float:
    """How far below the upper edge of the whole the highest title of a row stands.

    Arguments:
        row: Panels side by side, with the rows aligned.

    Returns:
        Inches of the layout.
    """
    return min(one.top + one.head for one in row)


def data_axes(figure: Figure) -> list[Axes]:
    """The Axes that hold data: no colour bar, no key.

    Arguments:
        figure: A panel.

    Returns:
        In the order in which they were made.
    """
    return [ax for ax in figure.axes if ax.axison and ax.get_label() not in _NO_DATA]


def _align_columns(placed: Sequence[Placed]) -> None:
    """Lets the Axes of panels one below the other begin at the same place."""
    for column in {one.column for one in placed}:
        # A text has no axes to align: narrowed, its words would no longer fit their boxes.
        below = [one for one in placed if one.column == column and data_axes(one.figure)]
        if not below:
            continue
        lefts = [min(ax.bbox.x0 for ax in data_axes(one.figure)) for one in below]
        dots = [one.figure.get_dpi() for one in below]
        most = max(left / dpi for left, dpi in zip(lefts, dots, strict=True))
        for one, left, dpi in zip(below, lefts, dots, strict=True):
            _begin_at(one.figure, left / dpi, most)


def _begin_at(figure: Figure, left: float, wanted: float) -> None:
    """Narrows the Axes of a figure so that they begin further right and end where they did."""
    if wanted - left < 1e-3 or any(ax.get_figure(root=False) is not figure for ax in figure.axes):
        return
    width = figure.get_figwidth()
    moved = [ax for ax in figure.axes if ax.get_label() not in _NO_DATA[:2]]
    right = max(ax.get_position().x1 for ax in moved) * width
    by = (right - wanted) / (right - left)
    for ax in moved:
        box = ax.get_position()
        x0, x1 = (wanted + (x * width - left) * by for x in (box.x0, box.x1))
        ax.set_position((x0 / width, box.y0, (x1 - x0) / width, box.height))


def _is_fluid(one: Placed) -> bool:
    """Whether the Axes of a panel take what room there is; those of maps have a fixed size."""
    return one.figure.get_layout_engine() is not None and not one.figure.subfigs


def _level(row: Sequence[Placed]) -> None:
    """Lets the Axes of panels side by side, of the same height, begin and end at one height."""
    boxes = [[ax.get_position() for ax in data_axes(one.figure)] for one in row]
    lowest = max(min(box.y0 for box in own) for own in boxes)
    highest = min(max(box.y1 for box in own) for own in boxes)
    for one, own in zip(row, boxes, strict=True):
        low, high = min(box.y0 for box in own), max(box.y1 for box in own)
        by = (highest - lowest) / (high - low)
        for ax in one.figure.axes:
            box = ax.get_position()
            ax.set_position((box.x0, lowest + (box.y0 - low) * by, box.width, box.height * by))


def _title(ax: Axes) -> list[Text]:
    """The title at the left, if there is one."""
    said = ax.get_title(loc="left")
    texts = [part for part in ax.get_children() if isinstance(part, Text) and said]
    return [text for text in texts if text.get_text() == said][:1]


def _top(text: Text) -> float:
    return float(text.get_window_extent().y1)


def _align_rows(rows: Sequence[Sequence[Placed]]) -> float:
    """Sets the upper edge of each panel; gives the height of all, in inches of the layout."""
    down = 0.0
    for row in rows:
        lowest = max(one.inset for one in row)
        for one in row:
            one.top = down + lowest - one.inset
        down = max(one.top + one.size[1] for one in row) + _BETWEEN
    return down - _BETWEEN
