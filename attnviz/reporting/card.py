"""A model's card and results as sections of a report."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attnviz.cards import Card
from attnviz.reporting.contents import Block, Facts, Paragraph, Section, Table

__all__ = ["model_section", "result_section"]

# More epochs than this are shown thinned out.
MOST_EPOCHS = 30


def model_section(card: Card) -> Section:
    """What the model is, and how it was trained."""
    settings, said = card.settings, card.card
    recipe, data = _mapping(said.get("recipe")), _mapping(said.get("data"))
    study, limits = _mapping(said.get("study")), said.get("limits")
    rows = [
        ("model", card.name),
        ("cell", card.cell),
        ("options", _listed(_mapping(settings.get("options")))),
        ("layers × units", f"{settings.get('num_layers', '?')} × {settings.get('hidden_size', '?')}"
         + (", both directions" if settings.get("bidirectional") else "")),
        ("parameters", f"{card.parameters:,}"),
        ("vocabulary", _count(settings.get("vocabulary_size"), "words")),
        ("task", str(said.get("task", ""))),
        ("data", str(data.get("source", ""))),
        ("terms", str(data.get("terms", ""))),
        ("training", _listed(_training(recipe))),
        ("chosen epoch", str(said.get("chosen_epoch", ""))),
        ("command", str(said.get("command", ""))),
        ("chosen by", str(study.get("chosen_by", ""))),
        ("limits", " ".join(map(str, limits)) if isinstance(limits, list) else ""),
        ("licence", str(said.get("licence", ""))),
        ("versions", _listed(_mapping(said.get("versions")))),
    ]  # fmt: skip
    return Section("Model", [Facts([(name, value) for name, value in rows if value])])


def result_section(card: Card) -> Section:
    """How good it is, and how it became so."""
    blocks: list[Block] = []
    measures = {split: _mapping(card.card.get(split)) for split in ("validation", "test")}
    names = list(dict.fromkeys(name for found in measures.values() for name in found))
    if names:
        rows = [
            [split, *(_measure(name, found.get(name)) for name in names)]
            for split, found in measures.items()
            if found
        ]
        caption = "The epoch was chosen by validation."
        if not measures["test"]:
            caption += " The test split has not been scored."
        blocks.append(Table(["split", *names], rows, caption))
    else:
        blocks.append(Paragraph("The model's card says nothing of how good it is."))
    if (history := card.folder / "history.csv").is_file():
        blocks.append(_history(history))
    return Section("Results", blocks)


def _history(path: Path) -> Table:
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = [*csv.reader(file)] or [[]]
    thin = -(-len(rows) // MOST_EPOCHS)
    shown = [[_number(cell) for cell in row] for row in rows[::-1][::thin][::-1]]
    caption = "Training, epoch by epoch." + (f" One in {thin} is shown." if thin > 1 else "")
    return Table([name.replace("_", " ") for name in head], shown, caption)


_RECIPE = ("learning_rate", "batch_size", "epochs", "clip", "weight_decay", "seed", "limit", "keep")


def _training(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What a reader asks of a recipe; how texts are cut only where they are."""
    whole = ("limit", "keep") if recipe.get("limit") is None else ()
    return {name: recipe[name] for name in _RECIPE if name in recipe and name not in whole}


def _mapping(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, Mapping) else {}


def _listed(pairs: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in pairs.items())


def _count(number: object, what: str) -> str:
    return f"{number:,} {what}" if isinstance(number, int) else ""


def _measure(name: str, value: object) -> str:
    if not isinstance(value, (int, float)):
        return "–"
    return f"{value:.2%}" if name == "accuracy" else f"{value:.4g}"


def _number(cell: str) -> str:
    """A number of a table of numbers, no longer than can be read."""
    try:
        value = float(cell)
    except ValueError:
        return cell
    return cell if value.is_integer() and "." not in cell else f"{value:.4g}"
