"""`attnviz models`: what ships, what was trained here, and how good it is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli.console import out
from attnviz.cli.scripting import Json, Quiet, answer

if TYPE_CHECKING:
    from attnviz.cards import Card

Folders = Annotated[
    list[Path] | None,
    typer.Argument(help="Folders with own runs or models; runs/ if it is there and none is given."),
]

RUNS = Path("runs")


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
                out().print(f"\n{why_no_model(run)}", markup=False)


def _called(card: "Card") -> str:
    """What to type for it."""
    return card.name if card.shipped else str(card.folder)


def _show(cards: "list[Card]") -> None:
    from rich.cells import cell_len
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    # Names and folders are there to be typed again: they are never cut.
    table.add_column("model", min_width=max(cell_len(_called(card)) for card in cards))
    for name in ("cell", "task"):
        table.add_column(name)
    for name in ("layers × units", "parameters", "size", "validation", "test"):
        table.add_column(name, justify="right")
    for card in cards:
        settings = card.settings
        table.add_row(
            escape(_called(card)),
            escape(card.cell),
            escape(str(card.card.get("task", "–"))),
            f"{settings.get('num_layers', '?')} × {settings.get('hidden_size', '?')}",
            f"{card.parameters:,}",
            f"{card.size / 1e6:.2f} MB",
            _score(card, "validation"),
            _score(card, "test"),
        )
    out().print(table)
    out().print(
        "\nAccuracy; of models that predict numbers the mean squared error. Test was scored once, "
        "after choosing by validation. Next: attnviz record rra-imdb --text '...' -o trace.zarr"
    )


def _score(card: "Card", split: str) -> str:
    found = card.score(split)
    if found is None:
        return "–"
    name, value = found
    return f"{value:.2%}" if name == "accuracy" else f"{value:.4f}"
