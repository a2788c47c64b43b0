"""Where data sets are found, and how they are fetched where they are not."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

__all__ = ["IMDB", "Source", "check_archive", "locate"]

VARIABLE = "ATTNVIZ_DATA"


@dataclass(frozen=True)
class Source:
    """A data set as its makers publish it.

    Arguments:
        name: The folder under the data folder.
        archives: File names that hold it, by their MD5: as published and in known repackings.
        unpacked: The folder that an archive unpacks to.
        address: Where it is published.
        sha256: Of the file at that address.
        megabytes: Its size.
        terms: Under what terms, and whom to cite.
    """

    name: str
    archives: dict[str, str]
    unpacked: str
    address: str
    sha256: str
    megabytes: int
    terms: str


IMDB = Source(
    name="imdb",
    archives={
        "7c2ac02c03563afcf9b574c7e56c153a": "aclImdb_v1.tar.gz",
        "8c5cc3d82261ad402df21b9ed5cc153c": "aclImdb_labelled.tar.gz",
    },
    unpacked="aclImdb",
    address="https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
    sha256="c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
    megabytes=84,
    terms="Large Movie Review Dataset: no formal licence; cite Maas et al., Learning Word Vectors "
    "for Sentiment Analysis, ACL 2011.",
)


def locate(
    source: Source,
    data: Path | str | None = None,
    *,
    announce: Callable[[str], None] = print,
) -> Path:
    """Finds a data set, or fetches it.

    Looks at `data`; else at the folder that the variable ATTNVIZ_DATA names; else in the user's
    cache; else downloads to that cache.

    Arguments:
        source: What to find.
        data: The data folder, the data set's folder in it, or the archive itself.
        announce: Told the terms and the address before a download.

    Returns:
        The archive, or the folder it was unpacked to.

    Raises:
        FileNotFoundError: If a place was named and holds no such data, or it cannot be fetched.
    """
    named = data if data is not None else os.environ.get(VARIABLE)
    cache = user_cache_path("attnviz") / "data"
    for root in [Path(named)] if named else [cache]:
        if found := _inside(source, root):
            return found
    if named:
        wanted = " or ".join([*source.archives.values(), f"{source.unpacked}/"])
        raise FileNotFoundError(
            f"There is no {source.name} data in {named}: expected {wanted} there or in its folder "
            f"{source.name}/. It is published at {source.address} ({source.megabytes} MB)."
        )
    return _download(source, cache / source.name, announce)


def check_archive(source: Source, path: Path) -> str:
    """The MD5 of an archive, if it is one of the data set's.

    Arguments:
        source: The data set.
        path: The archive.

    Returns:
        The MD5.

    Raises:
        ValueError: If the file is another one, or was cut off.
    """
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found not in source.archives:
        known = ", ".join(f"{name} {md5}" for md5, name in source.archives.items())
        raise ValueError(
            f"{path} ({path.stat().st_size:,} bytes) is not the {source.name} archive: its MD5 is "
            f"{found}, expected one of: {known}. Fetch it again from {source.address}."
        )
    return found


def _inside(source: Source, root: Path) -> Path | None:
    if root.is_file() or root.name == source.unpacked:
        return root if root.exists() else None
    for folder in (root / source.name, root):
        for name in (*source.archives.values(), source.unpacked):
            if (folder / name).exists():
                return folder / name
    return None


def _download(source: Source, folder: Path, announce: Callable[[str], None]) -> Path:
    advice = (
        f"Download {source.address} ({source.megabytes} MB, SHA-256 {source.sha256}) to {folder}, "
        f"or name the folder that has it with --data or the variable {VARIABLE}."
    )
    try:
        import pooch
    except ModuleNotFoundError as error:
        raise FileNotFoundError(
            f"There is no {source.name} data here, and fetching it needs the data extra: "
            f"pip install 'attnviz[data]'. {advice}"
        ) from error
    announce(f"Fetching {source.address}. {source.terms}")
    try:
        fetched = pooch.retrieve(
            source.address,
            known_hash=f"sha256:{source.sha256}",
            fname=next(iter(source.archives.values())),
            path=folder,
            downloader=pooch.HTTPDownloader(progressbar=_Progress(), timeout=30),
        )
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"The {source.name} data could not be fetched ({error}). {advice}"
        ) from error
    return Path(fetched)


class _Progress:
    """A progress bar of the kind that pooch drives."""

    def __init__(self) -> None:
        from rich.progress import DownloadColumn, Progress, TimeRemainingColumn

        self._bar = Progress(*Progress.get_default_columns()[:2], DownloadColumn(), TimeRemainingColumn())
        self._task = self._bar.add_task("fetching", total=None)
        self.total = 0

    def update(self, count: int) -> None:
        """So many more bytes."""
        self._bar.start()
        self._bar.update(self._task, advance=count, total=self.total)

    def reset(self) -> None:
        """Back to the start."""
        self._bar.reset(self._task)

    def close(self) -> None:
        """The download is over."""
        self._bar.stop()
