"""`attnviz models`: what ships, what was trained here, and how good it is."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli.console import out
from attnviz.cli.scripting import Json, Quiet, answer

if TYPE_CHECKING:
    from rich.table import Table

    from attnviz.cards import Card

Folders = Annotated[
    list[Path] | None,
    typer.Argument(help="Folders with own runs or models; runs/ if it is there and none is given."),
]

RUNS = Path("runs")
LAYERS = "layers × units"


def models(folders: Folders = None, json: Json = False, quiet: Quiet = False) -> None:
    """Lists the models that ship, and own runs, with their accuracy. Needs no PyTorch.

    Every command that takes a model takes these names and folders. With --quiet only they are
    printed, one a line. A run that has no model yet is named below with the command that goes on.

    Example: attnviz models

    Example: attnviz models runs/ --json
    """
    from attnviz.cards import find_cards, find_unfinished, shipped_cards, why_no_model

    places = folders if folders is not None else [RUNS] if RUNS.is_dir() else []
    found = shipped_cards() + [card for place in places for card in find_cards(place)]
    if json:
        answer([card.told() for card in found])
    elif quiet:
        for card in found:
            typer.echo(_called(card))
    else:
        _show(found)
        for place in places:
            for run in find_unfinished(place):
                out().print(f"\n{why_no_model(run)}")


def _called(card: "Card") -> str:
    """What to type for it."""
    return card.name if card.shipped else str(card.folder)


def _show(cards: "list[Card]") -> None:
    table = _table(cards, ())
    for idle in (("size",), ("size", "parameters"), ("size", "parameters", LAYERS)):
        if _width(table) <= out().width:
            break
        table = _table(cards, idle)
    # Names and folders are there to be typed again: they are never cut.
    table.width = _width(table)
    out().print(table, crop=False)
    out().print(
        "\nAccuracy; of models that predict numbers the mean squared error. Test was scored once, "
        "after choosing by validation. Next: attnviz record rra-imdb --text '...' -o trace.zarr"
    )


def _width(table: "Table") -> int:
    """Columns that a table needs to show everything."""
    console = out()
    return console.measure(table, options=console.options.update(max_width=10_000)).maximum


def _table(cards: "list[Card]", without: Collection[str]) -> "Table":
    """What is known of each model, but for columns that a narrow terminal has no room for."""
    from rich.table import Table

    rows = [
        {
            "model": _called(card),
            "cell": card.cell,
            "task": str(card.card.get("task", "–")),
            LAYERS: f"{card.settings.get('num_layers', '?')} × "
            f"{card.settings.get('hidden_size', '?')}",
            "parameters": f"{card.parameters:,}",
            "size": f"{card.size / 1e6:.2f} MB",
            "validation": _score(card, "validation"),
            "test": _score(card, "test"),
        }
        for card in cards
    ]
    table = Table(box=None, pad_edge=False)
    names = [name for name in rows[0] if name not in without]
    for name in names:
        words = name in ("model", "cell", "task")
        table.add_column(name, justify="left" if words else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(row[name] for name in names))
    return table


def _score(card: "Card", split: str) -> str:
    found = card.score(split)
    if found is None:
        return "–"
    name, value = found
    return f"{value:.2%}" if name == "accuracy" else f"{value:.3g}"
