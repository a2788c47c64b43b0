"""`attnviz cite`: whom to cite."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli.console import checked_output, err
from attnviz.cli.scripting import Json, Quiet, answer
from attnviz.plots.suffixes import FORMATS

if TYPE_CHECKING:
    from attnviz.citing import Subject

What = Annotated[
    str | None,
    typer.Argument(
        metavar="TRACE|MODEL|FIGURE",
        help="A trace, a shipped model, the folder of a run, results (.nc) or a figure.",
    ),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write the entries to this .bib file.")
]


def cite(
    what: What = None, output: Output = None, json: Json = False, quiet: Quiet = False
) -> None:
    """Prints BibTeX for the cell, the data and the methods behind a trace, model or figure.

    Without an argument, for everything the package is built on.

    Example: attnviz cite trace.zarr

    Example: attnviz cite larnn-imdb -o paper.bib
    """
    from attnviz.citing import all_references, bibtex, references
    from attnviz.files import replacing

    if output is not None:
        checked_output(output)
        if output.suffix.lower() != ".bib":
            raise ValueError(f"cite writes .bib, but {output.name} does not end so.")
    subject = None if what is None else _subject(what)
    found = all_references() if subject is None else references(subject)
    if output is not None:
        with replacing(output) as beside:
            beside.write_text(bibtex(subject), encoding="utf-8")
    if json:
        answer([{"key": one.key, "for": one.why, "bibtex": one.entry} for one in found])
    elif output is None:
        typer.echo(bibtex(subject), nl=False)
    elif not quiet:
        err().print(f"{output}: {len(found)} entries.")


def _subject(what: str) -> "Subject":
    """What a name or a path stands for."""
    from attnviz.cards import read_card, shipped_cards
    from attnviz.store import open_result, open_trace

    shipped = {card.name: card for card in shipped_cards()}
    path = Path(what)
    if what in shipped:
        return shipped[what]
    if not path.exists():
        raise FileNotFoundError(
            f"There is nothing to cite at {what!r}: it is neither a trace, a run or model, nor one "
            f"of the models that ship, {', '.join(shipped)}."
        )
    if path.suffix.lower() in FORMATS:
        from attnviz.plots.provenance import read_provenance

        return read_provenance(path)
    if path.suffix == ".nc":
        return open_result(path)
    if path.is_dir() and any((path / name).exists() for name in ("model.json", "model")):
        return read_card(path)
    return open_trace(path)
