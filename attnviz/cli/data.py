"""`attnviz data`: data sets, their terms, where they lie and whether they are whole."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli.console import busy, err, out
from attnviz.cli.reading import DataPlace
from attnviz.cli.scripting import Json, Quiet, answer

if TYPE_CHECKING:
    from attnviz.tasks.catalogue import Dataset, Verdict

__all__ = ["COMMANDS", "app"]

Name = Annotated[str, typer.Argument(help="The data set, such as imdb; attnviz data list has all.")]
AnyName = Annotated[
    str | None, typer.Argument(help="The data set, such as imdb; all that are here if not given.")
]

app = typer.Typer(
    no_args_is_help=True,
    help="Data sets: list, terms, where, download, verify.\n\nExample: attnviz data terms imdb",
)


def list_data(json: Json = False, quiet: Quiet = False, data: DataPlace = None) -> None:
    """Lists the data sets, their sizes and whether they are here.

    Example: attnviz data list
    """
    from attnviz.tasks.catalogue import DATASETS, place_of

    if quiet and not json:
        for name in DATASETS:
            typer.echo(name)
        return
    rows = [(one, place_of(name, data)) for name, one in DATASETS.items()]
    if json:
        answer([_described(one, path) for one, path in rows])
        return
    from rich.table import Table

    table = Table("data set", "holds", "download", "here", "what", box=None, pad_edge=False)
    for one, path in rows:
        parts = ", ".join(f"{count:,} {part}" for part, count in one.published.items())
        size = "generated" if one.source is None else _megabytes(one.size)
        here = "–" if one.source is None else "no" if path is None else "yes"
        table.add_row(one.name, parts or "any number", size, here, one.what)
    out().print(table)
    out().print("\nNext: attnviz data terms imdb, or attnviz data download imdb")


def _described(one: "Dataset", path: Path | None) -> dict[str, object]:
    """A data set, for a script."""
    return {
        "name": one.name, "what": one.what, one.unit: dict(one.published), "bytes": one.size,
        "files": [
            {"name": file.file, "bytes": file.size, file.algorithm: file.digest}
            for file in one.files
        ],
        "url": one.source.url if one.source else None, "terms": one.terms,
        "generated": one.source is None, "path": None if path is None else str(path),
    }  # fmt: skip


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


def where(name: Name, json: Json = False, data: DataPlace = None) -> None:
    """Prints where a data set lies; exit status 1 if it is not here.

    Example: attnviz data where ptb
    """
    from attnviz.tasks.catalogue import find

    path = str(find(name, data, download=False))
    if json:
        answer({"name": name, "path": path})
        return
    typer.echo(path)


def download(name: Name, json: Json = False, quiet: Quiet = False) -> None:
    """Fetches a data set from its publishers into the user's cache, unless it is here already.

    The terms are told before. What is fetched is checked before it takes its place; stopped by
    Ctrl-C, no file is left half.

    Example: attnviz data download mnist
    """
    from attnviz.tasks.catalogue import dataset, find, place_of

    if dataset(name).source is None:
        raise ValueError(f"{name} is generated when it is needed: there is nothing to download.")
    found = place_of(name)
    if found is not None and not quiet:
        err().print(f"{name} is here already. Terms: {dataset(name).terms}")
    path = str(found or find(name))
    if json:
        answer({"name": name, "path": path, "downloaded": found is None})
        return
    typer.echo(path)


def verify(
    name: AnyName = None, data: DataPlace = None, json: Json = False, quiet: Quiet = False
) -> None:
    """Reads a data set whole: is it the published one, and is all of it there?

    Without a name all those that are here are read; one that is damaged does not hinder the others.

    Example: attnviz data verify

    Example: attnviz data verify uci-har
    """
    if name is not None:
        found = _verified(name, data, json=json, quiet=quiet)
        if json:
            answer(found)
        return
    whole, damaged = _verify_all(data, json=json, quiet=quiet)
    if json:
        answer(whole)
    if damaged:
        raise ValueError(
            f"{len(damaged)} of {len(damaged) + len(whole)} data sets are damaged: "
            f"{', '.join(damaged)}. Delete them and get them again with attnviz data download."
        )


def _verify_all(
    data: Path | None, *, json: bool, quiet: bool
) -> tuple[list[dict[str, object]], list[str]]:
    """Those that are whole, for a script, and the names of those that are not."""
    from attnviz.tasks import DamagedDataError
    from attnviz.tasks.catalogue import DATASETS, place_of

    whole, damaged = [], []
    for name in DATASETS:
        try:
            if place_of(name, data) is not None:
                whole.append(_verified(name, data, json=json, quiet=quiet))
        except DamagedDataError as error:
            damaged.append(name)
            err().print(f"{name}: {error}")
    if not whole and not damaged:
        raise FileNotFoundError(
            "No data set is here to be verified. attnviz data list has all, attnviz data download "
            "gets one."
        )
    return whole, damaged


def _verified(name: str, data: Path | None, *, json: bool, quiet: bool) -> dict[str, object]:
    """Reads one and shows it, unless that is not asked for; what it is, for a script."""
    from attnviz.tasks.catalogue import dataset
    from attnviz.tasks.catalogue import verify as check

    with nullcontext() if quiet or json else busy(f"Reading {name}"):
        found = check(name, data)
    if not (json or quiet):
        _show(found, dataset(name).unit)
    path, digests = str(found.path), dict(found.digests)
    return {"name": name, "path": path, "digests": digests, "splits": found.counts}


def _show(found: "Verdict", unit: str) -> None:
    from rich.table import Table

    out().print(f"{found.path}: {_checked(found.digests)}")
    table = Table("split", "class", box=None, pad_edge=False)
    table.add_column(unit, justify="right")
    for split, by_class in found.counts.items():
        for label, count in by_class.items():
            table.add_row(split, label, f"{count:,}")
    out().print(table)
    if found.left_out:
        left = f"{found.left_out:,} training sequences are left out"
        out().print(f"{left}: their text is in test as well.")


def _checked(digests: Mapping[str, str]) -> str:
    if not digests:
        return "an unpacked folder, which has no digest."
    if len(digests) == 1:
        return f"its {next(iter(digests.values()))} is the published one."
    return f"the digests of its {len(digests)} files are the published ones."


COMMANDS: Mapping[str, Callable[..., None]] = {
    "list": list_data,
    "terms": terms,
    "where": where,
    "download": download,
    "verify": verify,
}
