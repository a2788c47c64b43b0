"""What a figure says about itself: title, colours, marks and notes, placed in inches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from attnviz.plots.figures import PaperFigure
from attnviz.plots.lettering import drawable, fold, fold_evenly, own_words, text_width
from attnviz.plots.scales import ColourScale
from attnviz.plots.sizes import GREY, LABEL_SIZE, NOTE_SIZE, TITLE_SIZE, enlarged, look, size_of

__all__ = [
    "ABOVE",
    "MARGIN",
    "Heading",
    "axes_at",
    "draw_heading",
    "footer_height",
    "heading_height",
]

#: Inches left free at the edges of a figure.
MARGIN = 0.08
#: How the lines of a title are labelled.
ABOVE = "title"
_HINTED = 1.03  # on a screen letters stand at whole dots, which makes lines wider
_SPACING = 1.3 / 72  # inches of line spacing for a point of type
_BAR_WIDTH, _BAR_HEIGHT, _BAR_ROOM = 1.2, 0.07, 0.27  # of the room, most is for its numbers
_BAR_BEYOND = 0.07  # that its numbers may stand out at either end
_KEY_WIDTH, _KEY_GAP, _LEGEND_LINE = 0.25, 0.2, 0.14


_BAR_LEFT = MARGIN + 0.05  # its first number is centred on its left end


@dataclass(frozen=True)
class Heading:
    """What a figure says about itself.

    Arguments:
        title: What is shown.
        subtitle: Of which model and sequence.
        scale: The colours, if there is a map.
        keys: Further patches or lines and their meaning.
        notes: What else a reader must know, below the figure.
        provenance: What the figure is drawn from.
        limits: Ends of the axis that several figures can share, where there is no map.
    """

    title: str
    subtitle: str
    scale: ColourScale | None = None
    keys: Sequence[tuple[Artist, str]] = ()
    notes: Sequence[str] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    limits: tuple[float, float] | None = None


def axes_at(figure: Figure, left: float, top: float, width: float, height: float) -> Axes:
    """New Axes at a place given in inches from the upper left corner."""
    across, down = size_of(figure)
    return figure.add_axes(
        (left / across, 1 - (top + height) / down, width / across, height / down)
    )


def heading_height(heading: Heading, width: float) -> float:
    """Inches that the heading takes above the figure's own Axes."""
    lines = _folded(heading, width)
    height = MARGIN + sum(_SPACING * line.size for line in lines)
    return height + _legend_height(heading, width) + 0.04


def footer_height(heading: Heading, width: float) -> float:
    """Inches that the notes take below the figure's own Axes."""
    return _SPACING * NOTE_SIZE * len(_notes(heading, width)) + MARGIN


def draw_heading(figure: PaperFigure, heading: Heading) -> None:
    """Writes title, colour bar, keys and notes, and notes where the figure comes from.

    Arguments:
        figure: As high as `heading_height`, the Axes and `footer_height` need.
        heading: What to write.
    """
    figure.provenance, scale = heading.provenance, heading.scale
    figure.limits = heading.limits if scale is None else (scale.lowest, scale.highest)
    width, height = size_of(figure)
    top = MARGIN
    for line in _folded(heading, width):
        words = write(
            figure, MARGIN, top, line.text, size=line.size, colour=line.colour, maths=line.maths
        )
        words.set_label(ABOVE)
        top += _SPACING * line.size
    if heading.scale is not None:
        bar = axes_at(figure, _BAR_LEFT, top + 0.05, _BAR_WIDTH, _BAR_HEIGHT)
        bar.set_label("colour bar")
        heading.scale.draw_bar(bar)
        bar.tick_params(labelsize=enlarged(NOTE_SIZE), length=enlarged(1.5), pad=enlarged(1.0))
        _keep_inside(bar)
    _draw_legend(figure, _legend(heading, width), top + 0.03)
    top = height - footer_height(heading, width) + 0.02
    for note in _notes(heading, width):
        write(figure, MARGIN, top, note, size=NOTE_SIZE, colour=GREY)
        top += _SPACING * NOTE_SIZE


def write(
    figure: Figure,
    left: float,
    top: float,
    text: str,
    *,
    size: float,
    colour: str = "black",
    maths: bool = False,
) -> Text:
    """Writes a line of text at a place in inches from the upper left corner.

    Arguments:
        figure: Where to write.
        left: Left end.
        top: Upper edge.
        text: One line.
        size: Type size in points.
        colour: Any colour.
        maths: Whether to read what stands between dollar signs as mathematics.

    Returns:
        What was written.
    """
    across, down = size_of(figure)
    words, families = ([text], [look().family]) if maths else drawable([text])
    return figure.text(
        left / across, 1 - top / down, words[0], fontsize=enlarged(size), color=colour,
        family=families, ha="left", va="top", parse_math=maths,
    )  # fmt: skip


def _keep_inside(bar: Axes) -> None:
    """Numbers at the ends of a colour bar that would run into what stands beside end with it."""
    for place, label in zip(bar.get_xticks(), bar.get_xticklabels(), strict=True):
        half = _written(label.get_text(), NOTE_SIZE) / 2
        if place * _BAR_WIDTH - half < -_BAR_BEYOND:
            label.set_horizontalalignment("left")
        elif place * _BAR_WIDTH + half > _BAR_WIDTH + _BAR_BEYOND:
            label.set_horizontalalignment("right")


@dataclass(frozen=True)
class _Entry:
    """A line of text in the legend, the key that stands before it if any, and where they go."""

    text: str
    key: Artist | None
    left: float
    indent: float
    line: int


def _legend(heading: Heading, width: float) -> list[_Entry]:
    """What the colours and keys mean, right of the colour bar, in as many lines as it needs."""
    start = MARGIN + 0.05 if heading.scale is None else _BAR_LEFT + _BAR_WIDTH + 0.1
    room = (width - MARGIN - start) / _HINTED
    found: list[_Entry] = []
    left, line = start, 0
    said: list[tuple[Artist | None, str]] = list(heading.keys)
    if heading.scale is not None:
        said.insert(0, (None, heading.scale.label))
    for key, meaning in said:
        indent = 0.0 if key is None else _KEY_WIDTH
        lines = fold(meaning, room - indent, LABEL_SIZE)
        widest = max(_written(text, LABEL_SIZE) for text in lines)
        if left > start and left + indent + widest > width - MARGIN:
            left, line = start, line + 1
        for number, text in enumerate(lines):
            found.append(_Entry(text, None if number else key, left, indent, line + number))
        if len(lines) > 1:
            left, line = start, line + len(lines)
        else:
            left += indent + widest + _KEY_GAP
    return found


def _legend_height(heading: Heading, width: float) -> float:
    entries = _legend(heading, width)
    if not entries:
        return 0.0
    lines = 1 + max(entry.line for entry in entries)
    return max(_BAR_ROOM if heading.scale else 0.0, 0.07 + _LEGEND_LINE * lines)


def _draw_legend(figure: Figure, entries: Sequence[_Entry], top: float) -> None:
    for entry in entries:
        at, left = top + _LEGEND_LINE * entry.line, entry.left
        if entry.key is not None:
            box = axes_at(figure, left, at + 0.005, _KEY_WIDTH - 0.05, 0.09)
            box.set_label("key")
            box.set_axis_off()
            box.set_xlim(0, 1)
            box.set_ylim(0, 1)
            box.add_artist(entry.key)
        write(figure, left + entry.indent, at, entry.text, size=LABEL_SIZE)


class _Line(NamedTuple):
    """A line of the title or below it; only a title of one's own may hold mathematics."""

    text: str
    size: float
    colour: str
    maths: bool = False


def _folded(heading: Heading, width: float) -> list[_Line]:
    across = (width - 2 * MARGIN) / _HINTED
    own = look().title
    title, maths = (heading.title, False) if own is None else own_words(own)
    # A title of one's own does not say which sequence this is; a panel's stands for both.
    told = own is None or (own and not look().panel)
    subtitle = heading.subtitle if told else ""
    lines = fold_evenly(title, across, TITLE_SIZE, maths=maths)
    above = [_Line(line, TITLE_SIZE, "black", maths) for line in lines]
    below = [_Line(line, LABEL_SIZE, GREY) for line in fold(subtitle, across, LABEL_SIZE)]
    return (above if title else []) + (below if subtitle else [])


def _notes(heading: Heading, width: float) -> list[str]:
    across = (width - 2 * MARGIN) / _HINTED
    return [line for note in heading.notes for line in fold(note, across, NOTE_SIZE)]


def _written(text: str, size: float) -> float:
    """How wide a line is when written, in inches."""
    words, families = drawable([text])
    return _HINTED * text_width(words[0], size, families) / 72
