"""How wide figures are and how large their type, in the style that is in force.

Layouts are reckoned in inches and points of the paper style. A style with larger type enlarges
them as a whole, so that what does not overlap on paper does not overlap on a slide.
"""

from contextvars import ContextVar
from dataclasses import dataclass

from matplotlib.figure import Figure

__all__ = [
    "COLUMN",
    "GREY",
    "LABEL_SIZE",
    "LOOK",
    "NOTE_SIZE",
    "PAGE",
    "PAPER",
    "TITLE_SIZE",
    "TOKEN_SIZE",
    "Look",
    "Width",
    "chosen_width",
    "enlarged",
    "figure_width",
    "look",
    "most_words",
    "size_of",
    "widest",
    "word_size",
]

#: `column`, `page`, or millimetres.
Width = str | float | int
_INCH = 25.4  # millimetres
_LEAST, _MOST = 20.0, 2000.0
_WORD_FILLS = 0.82  # how much of its cell an upright word fills
#: Widths of a column and of a page on paper, in inches.
COLUMN, PAGE = 85 / _INCH, 175 / _INCH
#: Type sizes in points of figures whose layout is fixed in inches; nothing is smaller.
TITLE_SIZE, LABEL_SIZE, NOTE_SIZE, TOKEN_SIZE = 8.0, 6.0, 6.0, 6.0
GREY = "0.35"


@dataclass(frozen=True)
class Look:
    """The sizes of a style.

    Arguments:
        column: Width of a column, in millimetres.
        page: Width of a page, in millimetres.
        scale: How many times as large type and lines are as on paper.
        family: The font family of words from the data, as far as it has their characters.
        width: How wide figures are, in millimetres; each plot has its own if not given.
        title: In place of the plot's own title; empty for none, and no line below it.
        panel: Whether this is a panel of a figure, whose title replaces the line below it too.
        colours: Name of the colour map of all maps; each plot has its own if not given.
    """

    column: float = 85.0
    page: float = 175.0
    scale: float = 1.0
    family: str = "DejaVu Sans"
    width: float | None = None
    title: str | None = None
    panel: bool = False
    colours: str | None = None


PAPER = Look()
#: The style in force; none outside every block, where `look` gives the paper's.
LOOK: ContextVar[Look | None] = ContextVar("LOOK", default=None)


def look() -> Look:
    """The sizes of the style in force."""
    return LOOK.get() or PAPER


def figure_width(width: Width) -> float:
    """A width in inches, for `figsize`.

    Arguments:
        width: `column`, `page`, or millimetres. A column and a page are 85 and 175 mm on paper,
            200 and 300 mm on slides, 120 and 240 mm in a notebook, by the style in force.

    Returns:
        Inches.

    Raises:
        ValueError: If there is no such width, or it is not between 20 mm and 2 m.
    """
    if isinstance(width, str):
        if width not in ("column", "page"):
            raise ValueError(
                f"A figure's width is 'column', 'page' or a number of millimetres, not {width!r}."
            )
        return (look().column if width == "column" else look().page) / _INCH
    if not _LEAST <= width <= _MOST:
        raise ValueError(
            f"A figure is between {_LEAST:g} and {_MOST:g} mm wide, but width is {width:g}. Widths "
            "are in millimetres: a column has 85, a page 175."
        )
    return width / _INCH


def chosen_width(usual: float) -> float:
    """How wide a figure is, in inches of the layout.

    Arguments:
        usual: What the plot would choose, in inches on paper.

    Returns:
        The width that the style was given; else the usual one, or the page's if that is less.
    """
    return widest() if look().width is not None else min(usual, widest())


def widest() -> float:
    """How wide a figure can be, in inches of the layout."""
    own = look()
    return (own.page if own.width is None else own.width) / _INCH / own.scale


def most_words(room: float) -> int:
    """How many words fit side by side, upright, in letters of a size that can be read.

    Arguments:
        room: Inches of the layout.

    Returns:
        One at least.
    """
    return max(1, int(room / (TOKEN_SIZE / 72 / _WORD_FILLS)))


def word_size(cell: float) -> float:
    """The type size in points of upright words side by side.

    Arguments:
        cell: Inches that each has for itself.

    Returns:
        The size of tokens, or less where that would touch.
    """
    return min(TOKEN_SIZE, _WORD_FILLS * 72 * cell)


def enlarged(points: float) -> float:
    """Points of the layout as points of the style in force.

    Arguments:
        points: A size of type, a width of lines or a distance, as on paper.

    Returns:
        The same on the figure.
    """
    return points * look().scale


def size_of(figure: Figure) -> tuple[float, float]:
    """Width and height of a figure, in inches of the layout.

    Arguments:
        figure: Made in the style in force.

    Returns:
        Both.
    """
    across, down = figure.get_size_inches() / look().scale
    return float(across), float(down)
