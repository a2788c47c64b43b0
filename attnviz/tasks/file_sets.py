"""Data sets that are published file by file: where they are found, and fetched from."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from attnviz.tasks import sources
from attnviz.tasks.fetching import FetchError, fetch
from attnviz.tasks.published import FILE_SETS, FileSet
from attnviz.tasks.sources import DamagedDataError, DataNotFoundError, digest_of, places

__all__ = ["locate_files"]


def locate_files(
    name: str,
    data: Path | str | None = None,
    *,
    download: bool = True,
    announce: Callable[[str], None] = sources.announce_on_stderr,
) -> dict[str, Path]:
    """Finds a data set's files: at `data`, else where ATTNVIZ_DATA points, in the cache, or online.

    Arguments:
        name: Of the data set.
        data: The folder of the files, or one that holds such a folder, named after the data set.
            If given, no other place is tried.
        download: Whether to fetch from the canonical address into the cache what is missing there.
        announce: Is told the terms and the size before a download begins.

    Returns:
        The path of each file, by name; the digests are checked.

    Raises:
        KeyError: If there is no such data set.
        DataNotFoundError: If a file cannot be had; says where to get it and where to put it.
        DamagedDataError: If a file is not the published one.
    """
    if name not in FILE_SETS:
        raise KeyError(f"There is no data set {name!r}; there are {sorted(FILE_SETS)}.")
    wanted = FILE_SETS[name]
    missing = partial(_missing, wanted)
    for place in places(data, missing):
        for folder in (place / wanted.name, place):
            if all((folder / file.file).is_file() for file in wanted.files):
                return dict(_verified(wanted, folder))
    if data is not None:
        place = Path(data).expanduser()
        raise DataNotFoundError(missing(_absent(wanted, place), place))
    if not download:
        raise DataNotFoundError(missing("It is not on this machine.", None))
    return _downloaded(wanted, announce)


def _verified(wanted: FileSet, folder: Path) -> Iterator[tuple[str, Path]]:
    for file in wanted.files:
        path = folder / file.file
        digest = digest_of(path, file.algorithm)
        if digest != file.digest:
            raise DamagedDataError(
                f"{path} is not the published file of {wanted.name}: its {file.algorithm} is "
                f"{digest} ({path.stat().st_size:,} bytes), expected {file.digest}. It may be cut "
                "off, altered or of another data set: delete it and get it again from "
                f"{wanted.url}{file.file}"
            )
        yield file.file, path


def _absent(wanted: FileSet, place: Path) -> str:
    """Which files a place lacks."""
    inside = place / wanted.name
    folder = inside if inside.is_dir() else place
    absent = [file.file for file in wanted.files if not (folder / file.file).is_file()]
    return f"{folder} lacks {', '.join(absent)}."


def _missing(wanted: FileSet, reason: str, place: Path | None) -> str:
    folder = sources.cache_folder() if place is None or place.is_file() else place
    files = "; ".join(f"{wanted.url}{file.file} ({file.described})" for file in wanted.files)
    return (
        f"The {wanted.name} data set is needed. {reason} Get {files} and save them in "
        f"{folder / wanted.name}, or point --data or {sources.VARIABLE} at the folder that holds "
        f"{wanted.name}/{wanted.files[0].file}."
    )


def _downloaded(wanted: FileSet, announce: Callable[[str], None]) -> dict[str, Path]:
    folder = sources.cache_folder() / wanted.name
    message = (
        f"Downloading {len(wanted.files)} files from {wanted.url} ({wanted.size:,} bytes) to "
        f"{folder}. Terms: {wanted.terms}"
    )
    told: list[str] = []

    def tell_once() -> None:
        if not told:
            told.append(message)
            announce(message)

    paths = {file.file: folder / file.file for file in wanted.files}
    for file in wanted.files:
        url, digest = wanted.url + file.file, f"{file.algorithm}:{file.digest}"
        try:
            fetch(url, digest, paths[file.file], announce=tell_once)
        except FetchError as error:
            raise DataNotFoundError(_missing(wanted, str(error), None)) from error
    return paths
