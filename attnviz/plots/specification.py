"""Figures as files: which panels of which traces, in TOML. Read and checked, nothing drawn."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from attnviz.plots.kinds import KINDS
from attnviz.plots.ranges import real_range, whole_range
from attnviz.plots.result_kinds import RESULT_KINDS
from attnviz.plots.training_kinds import TRAINING_KINDS

__all__ = ["FigureSpec", "PanelSpec", "read_spec"]

Table = dict[str, Any]
_NUMBER = (int, float)
#: What may stand at the top, with its type and what it is, for messages.
_TOP: Mapping[str, tuple[tuple[type, ...], str]] = {
    "width": ((str, int, float), "'column', 'page' or millimetres"),
    "style": ((str,), "a name or the path of a .mplstyle file"),
    "font": ((str,), "a font family"),
    "font_size": (_NUMBER, "points"),
    "colours": ((str,), "a colour map"),
    "labels": ((list,), "a list such as ['lag (timesteps back)=lag']"),
    "columns": ((int,), "a whole number"),
    "letters": ((bool,), "true or false"),
    "share": ((bool,), "true or false"),
    "traces": ((dict,), "a table of names and paths"),
    "panel": ((list,), "[[panel]] tables"),
}
_PANEL: Mapping[str, tuple[tuple[type, ...], str]] = {
    "trace": ((str,), "a name of [traces], or a path"),
    "traces": ((list,), "a list of names of [traces], or paths"),
    "kind": ((str,), "a kind of plot"),
    "title": ((str,), "a text, empty for none"),
    "span": ((int,), "a whole number of columns"),
    "scale": ((str,), "a word; panels with the same word share a scale"),
    "sequence": ((int, str), "a number, an id or words of the text"),
    "layer": ((str,), "a layer and direction"),
    "head": ((int, list), "a number or a list of them"),
    "tokens": ((str,), "two numbers such as '0:40'"),
    "lags": ((str,), "two numbers such as '1:6'"),
    "limits": ((str,), "two numbers such as '0:0.5'"),
    "score": ((str,), "the name of a score"),
    "measure": ((str,), "'margin', 'probability' or 'loss'"),
}


@dataclass(frozen=True)
class PanelSpec:
    """One panel, as it was written.

    Arguments:
        traces: Names of traces or paths, one at least.
        kind: A name of `KINDS`, `RESULT_KINDS` or `TRAINING_KINDS`.
        title: In place of the plot's own.
        span: Columns it takes.
        scale: The word of a shared scale.
        sequence: Number, id or words of the text.
        layer: Layer and direction.
        head: Heads.
        tokens: Range of timesteps.
        lags: Range of lags.
        limits: Ends of the scale.
        score: What colours a text, what effects are drawn against, or the score of a training.
        measure: Of effects.
    """

    traces: tuple[str, ...]
    kind: str
    title: str | None = None
    span: int = 1
    scale: str | None = None
    sequence: str | None = None
    layer: str | None = None
    head: tuple[int, ...] | None = None
    tokens: tuple[int, int] | None = None
    lags: tuple[int, int] | None = None
    limits: tuple[float, float] | None = None
    score: str | None = None
    measure: str | None = None


@dataclass(frozen=True)
class FigureSpec:
    """A figure, as it was written.

    Arguments:
        panels: In reading order.
        traces: Paths by name; as written, from the folder of the file.
        width: `column`, `page` or millimetres.
        style: A name, or the path of a `.mplstyle` file from the folder of the file.
        font: A font family.
        font_size: In points.
        colours: A colour map.
        labels: As OLD=NEW, what labels are to read.
        columns: Panels side by side.
        letters: Whether panels have letters.
        share: Whether all panels of a kind share a scale.
    """

    panels: tuple[PanelSpec, ...]
    traces: Mapping[str, str] = field(default_factory=dict)
    width: str | float = "page"
    style: str = "paper"
    font: str | None = None
    font_size: float | None = None
    colours: str | None = None
    labels: tuple[str, ...] = ()
    columns: int = 1
    letters: bool = True
    share: bool = False


def read_spec(path: Path | str) -> FigureSpec:
    """Reads a figure specification.

    Arguments:
        path: A TOML file. At the top it may have `width`, `style`, `font`, `font_size`, `colours`,
            `labels`, `columns`, `letters` and `share`; a table `[traces]` of names and paths; and
            a table `[[panel]]` for each panel, with `trace` (or `traces`, where a kind can draw
            several together), `kind`, and the options of `attnviz plot`, besides `title`, `span`
            and `scale`.

    Returns:
        What it says.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no TOML, has a key that is not known, or a value of another type.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path} to take a figure from.")
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}.") from error
    _check(read, _TOP, str(path))
    panels = read.pop("panel", [])
    if not panels:
        raise ValueError(f"{path} has no [[panel]], so there is nothing to draw.")
    traces = read.pop("traces", {})
    for name, place in traces.items():
        _check_value(place, (str,), "a path", f"{path}: [traces] {name}")
    made = tuple(_panel(panel, f"{path}, panel {n}") for n, panel in enumerate(panels, start=1))
    labels = read.pop("labels", [])
    for label in labels:
        _check_value(label, (str,), _TOP["labels"][1], f"{path}: labels")
    return FigureSpec(made, traces, labels=tuple(labels), **read)


def _panel(read: Table, where: str) -> PanelSpec:
    if not isinstance(read, dict):
        raise ValueError(f"{where} should be a [[panel]] table, got {read!r}.")
    _check(read, _PANEL, where)
    known = {**KINDS, **RESULT_KINDS, **TRAINING_KINDS}
    if (kind := read.get("kind")) not in known:
        raise ValueError(f"{where} needs a kind, one of {', '.join(known)}, got {kind!r}.")
    if ("trace" in read) == ("traces" in read):
        raise ValueError(f"{where} needs either trace = '...' or traces = ['...', '...'].")
    traces = read.pop("traces", None) or [read.pop("trace")]
    heads = read.pop("head", None)
    ranges: Table = {
        name: (real_range if name == "limits" else whole_range)(read.pop(name), f"{where}: {name}")
        for name in ("tokens", "lags", "limits")
        if name in read
    }
    for name, values, kind_of in (("traces", traces, str), ("head", heads, int)):
        for value in values if isinstance(values, list) else []:
            _check_value(value, (kind_of,), _PANEL[name][1], f"{where}: {name}")
    if "sequence" in read:
        read["sequence"] = str(read["sequence"])
    chosen = (heads,) if isinstance(heads, int) else None if heads is None else tuple(heads)
    return PanelSpec(traces=tuple(traces), head=chosen, **read, **ranges)


def _check(read: Table, known: Mapping[str, tuple[tuple[type, ...], str]], where: str) -> None:
    for name, value in read.items():
        if name not in known:
            near = difflib.get_close_matches(name, list(known), n=1)
            meant = f" Did you mean {near[0]}?" if near else ""
            raise ValueError(f"{where} has the key {name!r}; known are {', '.join(known)}.{meant}")
        _check_value(value, *known[name], f"{where}: {name}")


def _check_value(value: object, kinds: tuple[type, ...], what: str, where: str) -> None:
    # A bool is an int to Python, and not to whoever writes true.
    if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
        raise ValueError(f"{where} is {what}, got {value!r}.")
