"""The look of the figures: a style that is left again."""

import difflib
import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib import font_manager
from matplotlib.colors import to_hex
from matplotlib.font_manager import FontProperties

from attnviz.plots.sizes import LOOK, PAPER, Look, Width, figure_width, look

__all__ = ["Lettering", "cycle_colour", "house_style", "in_house_style", "in_panel", "style"]

Given = ParamSpec("Given")
Drawn = TypeVar("Drawn")

_STYLES = {
    "paper": PAPER,
    "slides": Look(column=200.0, page=300.0),
    "notebook": Look(column=120.0, page=240.0),
}
Settings = dict[Any, Any]
_PAPER_TYPE = 7.0  # points of `font.size` in the paper style
_GREEK = "DejaVu Sans"  # matplotlib's own, for letters and signs that a font lacks
_LEAST_TYPE, _MOST_TYPE = 5.0, 60.0
# Settings that are no style: of windows, files and the system.
_NO_STYLE = {
    "backend", "backend_fallback", "date.epoch", "docstring.hardcopy", "figure.max_open_warning",
    "figure.raise_window", "interactive", "savefig.directory", "timezone", "tk.window_focus",
    "toolbar", "webagg.address", "webagg.open_in_browser", "webagg.port", "webagg.port_retries",
}  # fmt: skip


@dataclass(frozen=True)
class Lettering:
    """What a style leaves open: font, size and words of a figure.

    Arguments:
        font: A font family that is installed; the style's if not given.
        size: In points, of the text in general (`font.size`): titles are an eighth larger, numbers
            and words an eighth smaller; the style's if not given. Everything else grows with it.
        title: In place of the plot's own title, mathematics between dollar signs; empty for none,
            and no line below it.

    Raises:
        ValueError: If the size is not between 5 and 60 points.
    """

    font: str | None = None
    size: float | None = None
    title: str | None = None

    def __post_init__(self) -> None:
        """Refuses a size that nobody can read."""
        if self.size is not None and not _LEAST_TYPE <= self.size <= _MOST_TYPE:
            raise ValueError(
                f"Type is between {_LEAST_TYPE:g} and {_MOST_TYPE:g} points, but the font size is "
                f"{self.size:g}. The paper style has 7."
            )


@contextmanager
def style(
    name: str | Path = "paper",
    *,
    width: Width | None = None,
    lettering: Lettering | None = None,
    colours: str | None = None,
) -> Iterator[None]:
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
        lettering: Font, type size and title, in place of the style's and the plot's.
        colours: A colour map of matplotlib for all maps. Each plot has its own if not given:
            one that runs one way, or both ways where values have both signs.

    Yields:
        Nothing.

    Raises:
        ValueError: If there is no such style, width, font or colour map.
        FileNotFoundError: If there is no such file.
    """
    sizes = _STYLES.get(str(name))
    own = _own_sheet(name) if sizes is None else _sheet(str(name))
    paper, lettering = _sheet("paper"), lettering or Lettering()
    if colours is not None:
        _check_colours(colours)
    own = {**own, **_lettered(lettering)}
    scale = float(own.get("font.size", _PAPER_TYPE)) / _PAPER_TYPE
    with _settings(_larger(paper, scale), own):
        chosen = replace(
            sizes or PAPER, scale=scale, family=_family(), title=lettering.title, colours=colours
        )
        before = LOOK.set(chosen)
        try:
            if width is not None:
                LOOK.set(replace(chosen, width=25.4 * figure_width(width)))
            yield
        finally:
            LOOK.reset(before)


@contextmanager
def _settings(*sheets: Settings) -> Iterator[None]:
    """Matplotlib's own defaults and these sheets over them, for a while.

    As `matplotlib.style.context` does it, whose import reads every sheet that ships.
    """
    with matplotlib.rc_context():
        plain = matplotlib.rcParamsDefault
        matplotlib.rcParams.update({key: plain[key] for key in plain if key not in _NO_STYLE})
        for sheet in sheets:
            kept = {key: value for key, value in sheet.items() if key not in _NO_STYLE}
            matplotlib.rcParams.update(kept)
        yield


@contextmanager
def in_panel(*, width: float, title: str | None) -> Iterator[None]:
    """The style in force, with the width and the title of a panel of a figure.

    Arguments:
        width: Of the panel, in millimetres.
        title: In place of the plot's own; that of the style if not given.

    Yields:
        Nothing.
    """
    with house_style():
        now = look()
        title = now.title if title is None else title
        before = LOOK.set(replace(now, width=width, title=title, panel=True))
        try:
            yield
        finally:
            LOOK.reset(before)


def house_style() -> AbstractContextManager[None]:
    """The style in force, or the paper's where there is none: what figures of this package get."""
    return style("paper") if LOOK.get() is None else nullcontext()


def cycle_colour(number: int) -> str:
    """A colour of the style in force, the first seven by number and then again.

    Matplotlib looks up its own names for them, `C0` and so on, when a figure is drawn: by then the
    style may be another.
    """
    return to_hex(f"C{number % 7}")


def of_what_is_open(plot: Callable[Given, Drawn]) -> Callable[Given, Drawn]:
    """A plot that says how to open what it was given as a path.

    Arguments:
        plot: Draws something.

    Returns:
        The same; a `TypeError` where its first argument is a path.
    """

    @functools.wraps(plot)
    def checked(*args: Given.args, **kwargs: Given.kwargs) -> Drawn:
        if args and isinstance(args[0], (str, Path)):
            raise TypeError(
                f"{plot.__name__} draws what is open, but got the path {str(args[0])!r}. "
                "attnviz.open_trace opens a trace, open_effects and open_result what was measured, "
                "open_probes probes; a history is a table of pandas.read_csv."
            )
        return plot(*args, **kwargs)

    return checked


def in_house_style(plot: Callable[Given, Drawn]) -> Callable[Given, Drawn]:
    """A plot that is drawn in the house style from its first patch on.

    Arguments:
        plot: Draws something.

    Returns:
        The same in the style in force, or the paper's.
    """

    @of_what_is_open
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


def _lettered(lettering: Lettering) -> Settings:
    """Font and size as settings of matplotlib."""
    found: Settings = {}
    if lettering.size is not None:
        found["font.size"] = lettering.size
    if lettering.font is not None:
        installed = {font.name for font in font_manager.fontManager.ttflist}
        if lettering.font not in installed:
            near = difflib.get_close_matches(lettering.font, sorted(installed), n=5, cutoff=0.4)
            raise ValueError(
                f"The font {lettering.font!r} is not installed, as far as matplotlib sees. "
                f"{'Near it' if near else 'Installed'}: "
                f"{', '.join(near or sorted(installed)[:8])}."
            )
        found["font.family"] = [lettering.font, _GREEK]
    return found


def _check_colours(name: str) -> None:
    if name not in matplotlib.colormaps:
        near = difflib.get_close_matches(name, list(matplotlib.colormaps), n=4, cutoff=0.4)
        advice = f"Near it: {', '.join(near)}." if near else "Blues, viridis, cividis are some."
        raise ValueError(f"matplotlib has no colour map {name!r}. {advice}")


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
