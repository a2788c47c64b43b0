"""Where data sets are found, and fetched from if nowhere at hand."""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from platformdirs import user_cache_path

from attnviz.tasks.fetching import FetchError, fetch
from attnviz.tasks.published import SOURCES, Archive, Source

__all__ = [
    "SOURCES",
    "Archive",
    "DamagedDataError",
    "DataNotFoundError",
    "Source",
    "announce_on_stderr",
    "cache_folder",
    "digest_of",
    "locate",
    "places",
    "verified",
]

VARIABLE = "ATTNVIZ_DATA"


class DataNotFoundError(FileNotFoundError):
    """A data set is neither here nor to be had."""


class DamagedDataError(ValueError):
    """A data set is not what its publishers published."""


def announce_on_stderr(message: str) -> None:
    """Prints a message beside the program's output."""
    print(message, file=sys.stderr)


def cache_folder() -> Path:
    """Where downloaded data sets are kept."""
    return user_cache_path("attnviz", appauthor=False) / "data"


def locate(
    name: str,
    data: Path | str | None = None,
    *,
    download: bool = True,
    announce: Callable[[str], None] = announce_on_stderr,
) -> Path:
    """Finds a data set: at `data`, else where ATTNVIZ_DATA points, else in the cache, else online.

    Arguments:
        name: Of the data set.
        data: The archive, the unpacked folder, or a folder that holds either (or one named
            after the data set that does). If given, no other place is tried.
        download: Whether to fetch it from its canonical address into the cache.
        announce: Is told the terms and the size before a download begins.

    Returns:
        A published archive, its digest checked, or an unpacked folder, unchecked.

    Raises:
        KeyError: If there is no such data set.
        DataNotFoundError: If it cannot be had; says where to get it and where to put it.
        DamagedDataError: If an archive is not the published one.
    """
    if name not in SOURCES:
        raise KeyError(f"There is no data set {name!r}; there are {sorted(SOURCES)}.")
    source = SOURCES[name]
    missing = partial(_missing, source)
    for place in places(data, missing):
        if found := _found(source, place):
            return found
    if data is not None:
        place = Path(data).expanduser()
        raise DataNotFoundError(missing(f"It is not in {place}.", place))
    if not download:
        raise DataNotFoundError(missing("It is not on this machine.", None))
    return _downloaded(source, announce)


def places(data: Path | str | None, missing: Callable[[str, Path | None], str]) -> list[Path]:
    """Where to look for a data set: at `data` alone, else where ATTNVIZ_DATA points, and the cache.

    Arguments:
        data: The place that was named, if any.
        missing: Makes a message of a reason and the place it is about.

    Raises:
        DataNotFoundError: If there is nothing at the place that was named.
    """
    named = data if data is not None else os.environ.get(VARIABLE) or None
    if named is None:
        return [cache_folder()]
    place = Path(named).expanduser()
    if not place.exists():
        raise DataNotFoundError(missing(f"There is nothing at {place}.", place))
    return [place] if data is not None else [place, cache_folder()]


def digest_of(path: Path, algorithm: str) -> str:
    """The digest of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def verified(path: Path, source: Source) -> Archive:
    """Tells which published archive a file is.

    Raises:
        DamagedDataError: If it is none of them.
    """
    algorithm = source.archives[0].algorithm
    digest = digest_of(path, algorithm)
    for archive in source.archives:
        if archive.digest == digest:
            return archive
    expected = " or ".join(f"{archive.digest} ({archive.file})" for archive in source.archives)
    raise DamagedDataError(
        f"{path} is not the published {source.name} archive: its {algorithm} is {digest} "
        f"({path.stat().st_size:,} bytes), expected {expected}. It may be cut off or altered: "
        f"delete it and get it again from {source.url}"
    )


def _found(source: Source, place: Path) -> Path | None:
    if place.is_file():
        verified(place, source)
        return place
    if place.name == source.folder and (place / "train").is_dir():
        return place
    for candidate in _candidates(source, place):
        if candidate.is_dir():
            return candidate
        if candidate.is_file():
            verified(candidate, source)
            return candidate
    return None


def _candidates(source: Source, place: Path) -> Iterator[Path]:
    for folder in (place / source.name, place):
        for archive in source.archives:
            yield folder / archive.file
        yield folder / source.folder


def _missing(source: Source, reason: str, place: Path | None) -> str:
    published = _published(source)
    folder = cache_folder() if place is None or place.is_file() else place
    return (
        f"The {source.name} data set is needed. {reason} Get {source.url} "
        f"({published.described}) and save it as "
        f"{folder / source.name / published.file}, or point --data or {VARIABLE} at the folder "
        f"that holds {source.name}/{published.file}."
    )


def _published(source: Source) -> Archive:
    """What is at the source's address, with the digest that a download is held to."""
    return replace(source.archives[0], digest=source.sha256)


def _downloaded(source: Source, announce: Callable[[str], None]) -> Path:
    published = _published(source)
    path = cache_folder() / source.name / published.file
    size = "" if published.size is None else f" ({published.size:,} bytes)"
    message = f"Downloading {source.url}{size} to {path.parent}. Terms: {source.terms}"
    try:
        fetch(source.url, f"sha256:{source.sha256}", path, announce=lambda: announce(message))
    except FetchError as error:
        raise DataNotFoundError(_missing(source, str(error), None)) from error
    return path
