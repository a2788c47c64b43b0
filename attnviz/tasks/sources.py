"""Where data sets are found, and fetched from if nowhere at hand."""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

__all__ = [
    "SOURCES",
    "Archive",
    "DamagedDataError",
    "DataNotFoundError",
    "Source",
    "cache_folder",
    "locate",
    "verified",
]

VARIABLE = "ATTNVIZ_DATA"


class DataNotFoundError(FileNotFoundError):
    """A data set is neither here nor to be had."""


class DamagedDataError(ValueError):
    """A data set is not what its publishers published."""


@dataclass(frozen=True)
class Archive:
    """One published file that holds a data set.

    Arguments:
        file: Its name.
        md5: The digest of its content.
        size: In bytes.
    """

    file: str
    md5: str
    size: int


@dataclass(frozen=True)
class Source:
    """Where a data set is published, and on which terms.

    Arguments:
        name: Of the data set, and of the folder that holds it.
        url: The canonical address.
        sha256: The digest of what is there.
        archives: What is accepted; the first is the one at `url`.
        folder: The folder that unpacking gives, accepted in place of an archive.
        terms: What its publishers ask of its users.
    """

    name: str
    url: str
    sha256: str
    archives: tuple[Archive, ...]
    folder: str
    terms: str


SOURCES = {
    "imdb": Source(
        name="imdb",
        url="https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
        sha256="c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
        archives=(
            Archive("aclImdb_v1.tar.gz", "7c2ac02c03563afcf9b574c7e56c153a", 84_125_825),
            # The labelled reviews alone, member for member the same.
            Archive("aclImdb_labelled.tar.gz", "8c5cc3d82261ad402df21b9ed5cc153c", 28_535_776),
        ),
        folder="aclImdb",
        terms=(
            "Large Movie Review Dataset: no formal licence. Cite Maas et al., Learning Word "
            "Vectors for Sentiment Analysis, ACL 2011, https://aclanthology.org/P11-1015."
        ),
    )
}


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
    place = data if data is not None else os.environ.get(VARIABLE) or None
    if place is not None:
        place = Path(place).expanduser()
        if not place.exists():
            raise DataNotFoundError(_missing(source, f"There is nothing at {place}.", place))
        if found := _found(source, place):
            return found
    if data is not None:
        raise DataNotFoundError(_missing(source, f"It is not in {place}.", place))
    if found := _found(source, cache_folder()):
        return found
    if not download:
        raise DataNotFoundError(_missing(source, "It is not on this machine.", None))
    return _downloaded(source, announce)


def verified(path: Path, source: Source) -> Archive:
    """Tells which published archive a file is.

    Raises:
        DamagedDataError: If it is none of them.
    """
    with path.open("rb") as file:
        md5 = hashlib.file_digest(file, "md5").hexdigest()
    for archive in source.archives:
        if archive.md5 == md5:
            return archive
    expected = " or ".join(f"{archive.md5} ({archive.file})" for archive in source.archives)
    raise DamagedDataError(
        f"{path} is not the published {source.name} archive: its md5 is {md5} "
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
    published = source.archives[0]
    folder = cache_folder() if place is None or place.is_file() else place
    return (
        f"The {source.name} data set is needed. {reason} Get {source.url} "
        f"({published.size:,} bytes, sha256 {source.sha256}) and save it as "
        f"{folder / source.name / published.file}, or point --data or {VARIABLE} at the folder "
        f"that holds {source.name}/{published.file}."
    )


class _Bar:
    """Shows a download's progress; has what pooch asks of a bar."""

    def __init__(self, name: str) -> None:
        self._progress = Progress(
            "{task.description}",
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=Console(stderr=True),
        )
        self._task = self._progress.add_task(name, total=None)
        self._progress.start()

    @property
    def total(self) -> int | float | None:
        """How many bytes are awaited."""
        return self._progress.tasks[0].total

    @total.setter
    def total(self, total: int | float) -> None:
        self._progress.update(self._task, total=total)

    def update(self, count: int) -> None:
        """More bytes have come."""
        self._progress.advance(self._task, count)

    def reset(self) -> None:
        """Begins again at nothing."""
        self._progress.reset(self._task, total=self.total)

    def close(self) -> None:
        """Leaves the terminal as it was."""
        self._progress.stop()


def _downloaded(source: Source, announce: Callable[[str], None]) -> Path:
    published = source.archives[0]
    try:
        import pooch
    except ModuleNotFoundError as error:
        reason = "Downloading it needs pooch: pip install 'attnviz[data]'."
        raise DataNotFoundError(_missing(source, reason, None)) from error
    folder = cache_folder() / source.name
    announce(
        f"Downloading {source.url} ({published.size:,} bytes) to {folder}. Terms: {source.terms}"
    )
    bar = _Bar(published.file)
    try:
        # pooch writes beside the place, checks the digest, and then renames.
        path = pooch.retrieve(
            source.url,
            known_hash=f"sha256:{source.sha256}",
            fname=published.file,
            path=folder,
            downloader=pooch.HTTPDownloader(progressbar=bar, timeout=30),
        )
    except (OSError, ValueError) as error:  # no network, no room, or a wrong digest
        reason = f"Downloading it failed ({type(error).__name__}: {error})."
        raise DataNotFoundError(_missing(source, reason, None)) from error
    finally:
        bar.close()
    return Path(path)
