"""The look of the figures: a style that is left again."""

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
import matplotlib.style
from matplotlib import font_manager
from matplotlib.font_manager import FontProperties

from attnviz.plots.sizes import LOOK, PAPER, Look, Width, figure_width

__all__ = ["house_style", "in_house_style", "style"]

Given = ParamSpec("Given")
Drawn = TypeVar("Drawn")

_STYLES = {
    "paper": PAPER,
    "slides": Look(column=200.0, page=300.0),
    "notebook": Look(column=120.0, page=240.0),
}
Settings = dict[Any, Any]
_PAPER_TYPE = 7.0  # points of `font.size` in the paper style


@contextmanager
def style(name: str | Path = "paper", *, width: Width | None = None) -> Iterator[None]:
    """Figures drawn inside the block get the style; the global settings come back after it.

    Inside, only the style counts, not what was set globally before: the same data give the same
    figure on every machine that has its fonts. Save inside the block too to get the style's
    resolution. Blocks can stand inside one another; the innermost counts.

    Arguments:
        name: `paper` (type of 6 to 8 points), `slides` (15 to 20) or `notebook` (8 to 11); or the
            path of a `.mplstyle` file, whose settings go over those of the paper style. Its
            `font.size` sets how large everything is, 7 being as on paper.
        width: How wide figures are: `column`, `page` or millimetres. Maps of few words may be
            narrower. If not given, each plot has a width of its own, a page's at most.

    Yields:
        Nothing.

    Raises:
        ValueError: If there is no such style or width.
        FileNotFoundError: If there is no such file.
    """
    sizes = _STYLES.get(str(name))
    own = _own_sheet(name) if sizes is None else _sheet(str(name))
    paper = _sheet("paper")
    scale = float(own.get("font.size", _PAPER_TYPE)) / _PAPER_TYPE
    with matplotlib.style.context(["default", _larger(paper, scale), own]):
        look = replace(sizes or PAPER, scale=scale, family=_family())
        before = LOOK.set(look)
        try:
            if width is not None:
                LOOK.set(replace(look, width=25.4 * figure_width(width)))
            yield
        finally:
            LOOK.reset(before)


def house_style() -> AbstractContextManager[None]:
    """The style in force, or the paper's where there is none: what figures of this package get."""
    return style("paper") if LOOK.get() is None else nullcontext()


def in_house_style(plot: Callable[Given, Drawn]) -> Callable[Given, Drawn]:
    """A plot that is drawn in the house style from its first patch on.

    Arguments:
        plot: Draws something.

    Returns:
        The same in the style in force, or the paper's.
    """

    @functools.wraps(plot)
    def styled(*args: Given.args, **kwargs: Given.kwargs) -> Drawn:
        with house_style():
            return plot(*args, **kwargs)

    return styled


def _sheet(name: str) -> Settings:
    with as_file(files("attnviz.plots") / f"{name}.mplstyle") as path:
        return dict(matplotlib.rc_params_from_file(path, use_default_template=False))


def _own_sheet(name: str | Path) -> Settings:
    path = Path(name)
    if path.suffix != ".mplstyle":
        raise ValueError(
            f"There is no style {str(name)!r}; choose one of {list(_STYLES)}, or give the path of "
            "a .mplstyle file."
        )
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path} to take a style from.")
    return dict(matplotlib.rc_params_from_file(path, use_default_template=False))


def _larger(settings: Settings, scale: float) -> Settings:
    """The settings with every size, width and distance in points enlarged.

    Hatching keeps its lines, because their distance does not grow with them.
    """
    return {
        key: scale * value
        if key.endswith(("size", "width", "pad")) and not key.startswith("hatch")
        else value
        for key, value in settings.items()
    }


def _family() -> str:
    """The first font of the style that is installed."""
    found = font_manager.findfont(FontProperties())
    return str(font_manager.get_font(found).family_name)
