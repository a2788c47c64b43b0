"""The whole report: what goes on it, and how it is written."""

import os
import shutil
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from attnviz.cards import Card, read_card, shipped_cards
from attnviz.citing import bibtex
from attnviz.files import replacing
from attnviz.plots import provenance_of, style
from attnviz.reporting.card import model_section, result_section
from attnviz.reporting.contents import Code, Report, Section, Warn
from attnviz.reporting.health import health_section
from attnviz.reporting.html import html_page
from attnviz.reporting.markdown import markdown_page
from attnviz.reporting.pictures import ablation_section, chosen_sequences, figure_sections
from attnviz.reporting.recorded import (
    attention_section,
    flow_section,
    recorded_only,
    trace_section,
)
from attnviz.store import trace_digest
from attnviz.trace import Trace, sequence_length

__all__ = ["Sources", "write_report"]

# So many sequences enter the tables of numbers and the search for NaN.
MOST = 200


@dataclass(frozen=True)
class Sources:
    """What a report is told besides the trace.

    Arguments:
        model: The folder of the run or model that was recorded; known of a model that ships.
        effects: Of ablations, as `attnviz.ablate` gives them.
        sequences: Which to draw; the surest right and the surest wrong prediction if not given.
        command: What made the report, for its figures.
    """

    model: Path | None = None
    effects: xr.Dataset | None = None
    sequences: Sequence[int] | None = None
    command: str | None = None


def write_report(trace: Trace, path: Path | str, *, sources: Sources = Sources()) -> Path:
    """Writes one page on a model: card, results, figures, numbers, residuals and warnings.

    An `.html` page holds its figures, fetches nothing and runs nothing; an `.md` page has them in
    a folder beside it, `NAME-figures`. Both are written beside their place and renamed. The same
    trace gives the same bytes.

    Arguments:
        trace: What the model was seen doing.
        path: Where to write; the suffix says the format.
        sources: What else is known.

    Returns:
        The path.

    Raises:
        ValueError: If the suffix is neither `.html` nor `.md`, or no sequence is recorded.
        IndexError: If there is no such sequence.
        FileExistsError: If the folder for figures holds what no report has written.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".md"):
        raise ValueError(f"A report is written as .html or .md, but got {path.name}.")
    with style("paper"):
        report = _report(trace, sources)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".html":
            with replacing(path) as beside:
                beside.write_text(html_page(report), encoding="utf-8")
        else:
            _write_markdown(report, path)
    return path


def _report(trace: Trace, sources: Sources) -> Report:
    if not (trace.tree.dataset["length"].values > 0).any():
        raise ValueError("There is nothing to report: no sequence of the trace is recorded.")
    some, of = recorded_only(trace, MOST)
    chosen = chosen_sequences(trace) if sources.sequences is None else sources.sequences
    for sequence in chosen:
        sequence_length(trace, sequence)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        figures = figure_sections(trace, chosen)
        numbers = [attention_section(some, of), flow_section(some, of)]
        effects = [] if sources.effects is None else [ablation_section(sources.effects)]
    health = health_section(_all_rows(trace, some), of)
    told = [Warn(text) for text in dict.fromkeys(str(one.message) for one in said)]
    card = _card(trace, sources)
    model = str(trace.tree.attrs.get("model", "model"))
    digest = trace_digest(some if trace.path is None else trace)
    sections = [
        *([] if card is None else [model_section(card), result_section(card)]),
        trace_section(trace, digest),
        Section(health.title, [*told, *health.blocks]),
        *figures,
        *numbers,
        *effects,
        Section("Whom to cite", [Code(bibtex(trace))]),
    ]
    provenance = provenance_of(trace) | ({"command": sources.command} if sources.command else {})
    cell, task = (str(trace.tree.attrs.get(name, "")) for name in ("cell", "task"))
    subtitle = " · ".join(part for part in (cell, task, of, f"trace {digest[:12]}") if part)
    return Report(model, subtitle, sections, provenance)


def _all_rows(trace: Trace, some: Trace) -> Trace:
    """What is searched for what is amiss: few rows, but with those that are absent if they fit."""
    return trace if trace.tree.sizes["sequence"] <= MOST else some


def _card(trace: Trace, sources: Sources) -> Card | None:
    if sources.model is not None:
        return read_card(sources.model)
    named = str(trace.tree.attrs.get("model"))
    return next((card for card in shipped_cards() if card.name == named), None)


def _write_markdown(report: Report, path: Path) -> None:
    """The page and its folder: made beside, then both put in place."""
    folder = path.with_name(f"{path.stem}-figures")
    if folder.exists() and any(one.suffix != ".png" for one in folder.iterdir()):
        raise FileExistsError(
            f"{folder} holds other things than a report's figures. Move them, or name the report "
            "otherwise."
        )
    beside = path.with_name(f".{folder.name}.{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        text = markdown_page(report, beside, folder.name)
        with replacing(path) as page:
            page.write_text(text, encoding="utf-8")
            shutil.rmtree(folder, ignore_errors=True)
            beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
