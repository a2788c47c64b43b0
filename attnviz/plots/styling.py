"""The look of the figures: type sizes, widths, and a style that is left again."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files

import matplotlib.style

__all__ = [
    "COLUMN",
    "GREY",
    "LABEL_SIZE",
    "NOTE_SIZE",
    "PAGE",
    "TITLE_SIZE",
    "TOKEN_SIZE",
    "style",
]

#: Widths of a column and of a page, in inches.
COLUMN, PAGE = 3.35, 6.9
#: Type sizes in points of figures whose layout is fixed in inches.
TITLE_SIZE, LABEL_SIZE, NOTE_SIZE, TOKEN_SIZE = 8.0, 6.0, 5.5, 5.5
GREY = "0.35"

_STYLES = ("paper",)


@contextmanager
def style(name: str = "paper") -> Iterator[None]:
    """Figures drawn inside the block get the style; the global settings come back after it.

    Save inside the block too, or with `save_figure`, to get the style's resolution and fonts.

    Arguments:
        name: The style: `paper`.

    Yields:
        Nothing.

    Raises:
        ValueError: If there is no such style.
    """
    if name not in _STYLES:
        raise ValueError(f"There is no style {name!r}; choose one of {list(_STYLES)}.")
    with (
        as_file(files("attnviz.plots") / f"{name}.mplstyle") as path,
        matplotlib.style.context(path),
    ):
        yield
