"""`attnviz data`: data sets, their terms, where they lie and whether they are whole."""

from collections.abc import Callable, Mapping
from typing import Annotated

import typer

from attnviz.cli.console import busy, err, out
from attnviz.cli.reading import DataPlace
from attnviz.cli.scripting import Json, Quiet, answer

__all__ = ["COMMANDS", "app"]

Name = Annotated[str, typer.Argument(help="The data set: imdb.")]

app = typer.Typer(no_args_is_help=True, help="Data sets: list, terms, where, download, verify.")


def list_data(json: Json = False, quiet: Quiet = False, data: DataPlace = None) -> None:
    """Lists the data sets, their sizes and whether they are here.

    Example: attnviz data list
    """
    from rich.markup import escape
    from rich.table import Table

    from attnviz.tasks.catalogue import DATASETS, place_of

    rows = [(one, place_of(name, data)) for name, one in DATASETS.items()]
    if json:
        answer([
            {"name": one.name, "what": one.what, "sequences": dict(one.published),
             "bytes": one.source.archives[0].size if one.source else 0,
             "url": one.source.url if one.source else None, "terms": one.terms,
             "generated": one.source is None, "path": None if path is None else str(path)}
            for one, path in rows
        ])  # fmt: skip
        return
    if quiet:
        for one, _ in rows:
            typer.echo(one.name)
        return
    table = Table("data set", "sequences", "download", "here", "what", box=None, pad_edge=False)
    for one, path in rows:
        halves = ", ".join(f"{count:,} {half}" for half, count in one.published.items())
        size = "generated" if one.source is None else _megabytes(one.source.archives[0].size)
        here = "–" if one.source is None else "no" if path is None else "yes"
        table.add_row(one.name, halves or "any number", size, here, escape(one.what))
    out().print(table)
    out().print("\nNext: attnviz data terms imdb, or attnviz data download imdb")


def _megabytes(size: int | None) -> str:
    return "not told" if size is None else f"{size / 1e6:.0f} MB"


def terms(name: Name, json: Json = False) -> None:
    """Says on which terms a data set may be used, and where it is published.

    Example: attnviz data terms imdb
    """
    from attnviz.tasks.catalogue import dataset

    known = dataset(name)
    url = known.source.url if known.source else None
    if json:
        answer({"name": name, "terms": known.terms, "url": url})
        return
    typer.echo(known.terms + (f"\n{url}" if url else ""))


def where(name: Name, data: DataPlace = None) -> None:
    """Prints where a data set lies; exit status 1 if it is not here.

    Example: attnviz data where imdb
    """
    from attnviz.tasks.catalogue import dataset
    from attnviz.tasks.sources import locate

    if dataset(name).source is None:
        raise ValueError(f"{name} is generated when it is needed: it lies nowhere.")
    typer.echo(str(locate(name, data, download=False)))


def download(name: Name, quiet: Quiet = False) -> None:
    """Fetches a data set from its publishers into the user's cache, unless it is here already.

    The terms are told before. What is fetched is checked before it takes its place; stopped by
    Ctrl-C, nothing is left.

    Example: attnviz data download imdb
    """
    from rich.markup import escape

    from attnviz.tasks.catalogue import dataset, place_of
    from attnviz.tasks.sources import announce_on_stderr, locate

    if dataset(name).source is None:
        raise ValueError(f"{name} is generated when it is needed: there is nothing to download.")
    if (found := place_of(name)) is not None:
        if not quiet:
            err().print(f"{name} is here already. Terms: {escape(dataset(name).terms)}")
        typer.echo(str(found))
        return
    typer.echo(str(locate(name, announce=announce_on_stderr)))


def verify(name: Name, data: DataPlace = None, json: Json = False, quiet: Quiet = False) -> None:
    """Reads a data set whole: is it the published one, and are all its sequences there?

    Example: attnviz data verify imdb
    """
    from rich.markup import escape
    from rich.table import Table

    from attnviz.tasks.catalogue import verify as check

    if quiet or json:
        found = check(name, data)
    else:
        with busy(f"Reading {name}"):
            found = check(name, data)
    if json:
        answer({"name": name, "path": str(found.path), "md5": found.md5, "splits": found.counts})
        return
    if quiet:
        return
    digest = f"its md5 {found.md5} is the published one" if found.md5 else (
        "an unpacked folder, which has no digest"
    )  # fmt: skip
    out().print(f"{escape(str(found.path))}: {digest}.")
    table = Table("split", "class", box=None, pad_edge=False)
    table.add_column("sequences", justify="right")
    for split, by_class in found.counts.items():
        for label, count in by_class.items():
            table.add_row(split, label, f"{count:,}")
    out().print(table)
    out().print(
        f"{found.left_out:,} training sequences are left out: their text is in test as well."
    )


COMMANDS: Mapping[str, Callable[..., None]] = {
    "list": list_data,
    "terms": terms,
    "where": where,
    "download": download,
    "verify": verify,
}
