"""Whom to cite for a trace, a model or effects: the cell, the data and the methods."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import xarray as xr

from attnviz.cards import Card, current_task, shipped_cards
from attnviz.trace import Trace, layer_groups

__all__ = ["Reference", "all_references", "bibtex", "references"]

Pairs = Iterator[tuple[str, str]]  # a key, and what it is cited for
Subject = Trace | Card | xr.Dataset | Mapping[str, str]


@dataclass(frozen=True)
class Reference:
    """One work to cite.

    Arguments:
        key: Its key in BibTeX.
        why: What it is cited for.
        entry: Its BibTeX entry.
    """

    key: str
    why: str
    entry: str


CELLS: Mapping[str, tuple[str, ...]] = {
    "RRA": ("wang2017rra",),
    "LARNN": ("chevalier2018larnn",),
    "RAU": ("zhong2018rau",),
    "LSTM": ("hochreiter1997lstm", "gers2000forget"),
    "GRU": ("cho2014gru",),
}

# By how the names of tasks begin.
DATA: Mapping[str, tuple[tuple[str, str], ...]] = {
    "imdb": (("maas2011imdb", "the reviews"),),
    "row-mnist": (("lecun1998gradient", "the digits"),),
    "pixel-mnist": (
        ("lecun1998gradient", "the digits"),
        ("le2015simple", "reading them pixel by pixel"),
    ),
    "permuted-mnist": (
        ("lecun1998gradient", "the digits"),
        ("le2015simple", "reading them pixel by pixel, permuted"),
    ),
    "row-fashion-mnist": (("xiao2017fashion", "the pictures of clothes"),),
    "har": (("anguita2013har", "the windows of motion"),),
    "ptb": (
        ("marcus1993treebank", "the Penn Treebank"),
        ("mikolov2010recurrent", "its preparation with a vocabulary of 10,000"),
        ("zaremba2014recurrent", "how the words are read in parallel streams"),
    ),
    "adding": (
        ("hochreiter1997lstm", "the adding problem"),
        ("arjovsky2016unitary", "the adding problem with numbers from [0, 1]"),
    ),
}

# By the signals that a trace holds.
SIGNALS: Mapping[str, tuple[str, str]] = {
    "contribution": ("kobayashi2020norms", "contribution, the norm of weight times value"),
}

# What statistics of any trace, and studies, may use: only where everything is listed.
STATISTICS = (
    ("raghu2021distance", "mean_lag, the mean distance of attention"),
    ("efron1979bootstrap", "intervals by resampling sequences"),
    ("spearman1904", "effect_against, a rank correlation"),
    ("student1908", "intervals over the seeds of a study"),
    ("mckay1979sampling", "how a study draws its trials"),
)

# How LARNN's presets normalise, where its options do not say it.
_NORMS = {"fixed": "batch", "paper": "batch", "released": "batch", "stable": "layer"}


def bibtex(subject: Subject | None = None) -> str:
    """What to cite, as BibTeX.

    Arguments:
        subject: A trace, a model's card, a measured result, what a figure says about itself
            (`read_provenance`); everything if not given.

    Returns:
        Entries with a comment above each that says what it is cited for; attnviz is the first.
    """
    found = all_references() if subject is None else references(subject)
    return "\n".join(f"% for {one.why}\n{one.entry}\n" for one in found)


def references(subject: Subject) -> list[Reference]:
    """Whom to cite for what was recorded, trained or measured.

    Arguments:
        subject: A trace, a model's card, effects of ablations, or a figure's provenance.

    Returns:
        Each work once, attnviz first, then cell, data and methods.
    """
    if isinstance(subject, Trace):
        return _entries(_of_trace(subject))
    if not isinstance(subject, Card | xr.Dataset):
        return _entries(_of_figure(subject))
    return _entries(_of_card(subject) if isinstance(subject, Card) else _of_effects(subject))


def all_references() -> list[Reference]:
    """Every work that the package is built on."""

    def pairs() -> Pairs:
        for cell in CELLS:
            yield from _of_cell(cell, {})
        yield from _of_cell("LARNN", {"norm": "layer"})
        yield from _of_cell("LARNN", {"norm": "batch", "forget_bias": {"chrono": 2}})
        for task in DATA:
            yield from _of_task(task)
        yield from SIGNALS.values()
        yield from STATISTICS

    return _entries(pairs())


def _of_trace(trace: Trace) -> Pairs:
    attributes = trace.tree.attrs
    cell, model = str(attributes.get("cell", "")), str(attributes.get("model", ""))
    yield from _of_cell(cell, _read(attributes.get("options")))
    yield from _of_task(str(attributes.get("task", "")))
    yield from _of_shipped(model)
    for group in layer_groups(trace):
        for name in trace.tree[group].data_vars:
            if str(name) in SIGNALS:
                yield SIGNALS[str(name)]


def _of_card(card: Card) -> Pairs:
    yield from _of_cell(card.cell, dict(card.settings.get("options", {})))
    yield from _of_task(str(card.card.get("task", "")))


def _of_effects(effects: xr.Dataset) -> Pairs:
    options = _read(effects.attrs.get("options"))
    yield from _of_cell(str(effects.attrs.get("cell", "")), options)
    yield from _of_shipped(str(effects.attrs.get("model", "")))
    yield STATISTICS[1]
    if not str(effects.attrs.get("format", "")).startswith(("attnviz-influence", "attnviz-paths")):
        yield STATISTICS[2]


def _of_figure(said: Mapping[str, str]) -> Pairs:
    """Of a figure: the cells and tasks that it names, and the methods that its plot rests on."""
    for cell in said.get("cell", "").split(", "):
        yield from _of_cell(cell, None)
    for line in said.get("options", "").splitlines():
        for cell, options in (_read(line) or {}).items():
            yield from _of_cell(cell, options)
    for task in said.get("task", "").split(", "):
        yield from _of_task(task)
    for model in said.get("model", "").split(", "):
        yield from _of_shipped(model)
    for signal, entry in SIGNALS.items():
        if signal in said.get("command", ""):
            yield entry
    if "level" in said or "estimator" in said:  # of a measured result
        yield STATISTICS[1]
    if said.get("kind") == "effect-against":
        yield STATISTICS[2]


def _of_shipped(model: str) -> Pairs:
    """The data of a model that ships, whatever it has read since."""
    for card in shipped_cards():
        if card.name == model:
            for key, why in _of_task(str(card.card.get("task", ""))):
                yield key, f"{why}, on which {model} was trained"


def _of_cell(cell: str, options: Mapping[str, Any] | None) -> Pairs:
    """A cell's own paper, and what its options rest on, where they are known."""
    for key in CELLS.get(cell.upper(), ()):
        yield key, f"the cell {cell.upper()}"
    if options is None:
        return
    if isinstance(options.get("forget_bias"), Mapping):
        yield "tallec2018chrono", "the forget bias for a range of time spans"
    if cell.upper() == "LARNN":
        norm = options.get("norm", _NORMS.get(str(options.get("preset", "fixed"))))
        if norm == "layer":
            yield "ba2016layernorm", "LARNN's layer norm"
        if norm == "batch":
            yield "ioffe2015batchnorm", "LARNN's batch norm"
            yield "cooijmans2017recurrent", "its gain at the start, in a recurrence"


def _of_task(task: str) -> Pairs:
    for name, entries in DATA.items():
        if current_task(task).startswith(name):
            yield from entries


def _read(options: object) -> dict[str, Any] | None:
    """Options of a cell as a trace keeps them; None where it does not say them."""
    try:
        found = json.loads(options) if isinstance(options, str) else options
    except json.JSONDecodeError:
        return None
    return dict(found) if isinstance(found, Mapping) else None


def _entries(pairs: Iterable[tuple[str, str]]) -> list[Reference]:
    """The works, each once, with all that they are cited for."""
    reasons: dict[str, list[str]] = {"attnviz": ["this analysis"]}
    for key, why in pairs:
        known = reasons.setdefault(key, [])
        if why not in known:
            known.append(why)
    held = _file()
    return [replace(held[key], why="; ".join(whys)) for key, whys in reasons.items()]


def _file() -> dict[str, Reference]:
    text = files("attnviz").joinpath("papers.bib").read_text(encoding="utf-8")
    text = text.replace("VERSION", version("attnviz"))
    found = re.findall(r"^(@\w+\{(\w+),\n.*?^\})$", text, re.MULTILINE | re.DOTALL)
    return {key: Reference(key, "", entry) for entry, key in found}
