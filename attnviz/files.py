"""Files that are whole or not there: written beside their place, then renamed."""

import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing", "replacing_several", "to_disk"]

_OF_DISKS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a path beside `path` to write to; moves it there once the block succeeds.

    Arguments:
        path: Where the file shall stand. Whatever stood there stays until the move.

    Yields:
        The path to write to, in the same folder and with the same suffix.
    """
    # On a shared folder another host may have a process of the same number.
    number = f"{os.getpid()}-{secrets.token_hex(4)}"
    beside = path.with_name(f".{path.stem}.{number}{path.suffix}")
    try:
        yield beside
        if beside.is_file():
            to_disk(beside)
        beside.replace(path)
    except OSError as error:
        # The name is one that nobody typed; a full disk is told without any.
        if error.filename == str(beside) or (error.filename is None and error.errno in _OF_DISKS):
            raise type(error)(f"Cannot write {path}: {error.strerror}.") from error
        raise
    finally:
        beside.unlink(missing_ok=True)


def to_disk(path: Path) -> None:
    """Waits until a file that was written is on the disk: a power cut could leave it empty."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


@contextmanager
def replacing_several(folder: Path) -> Iterator[Path]:
    """Yields a folder to write several files to; moves them to `folder` once the block succeeds.

    Nothing is left where the block fails or is interrupted, not even a folder.

    Arguments:
        folder: Where the files shall stand; made if it is not there. Others in it stay.

    Yields:
        A folder beside.

    Raises:
        OSError: If nothing can be written there.
    """
    standing = next(place for place in (folder, *folder.parents) if place.exists())
    if not standing.is_dir():
        raise NotADirectoryError(f"Cannot write to {folder}: {standing} is a file, no folder.")
    try:
        beside = tempfile.TemporaryDirectory(dir=standing, prefix=".attnviz-")
    except OSError as error:
        raise type(error)(f"Cannot write to {folder}: {error.strerror}.") from error
    with beside as staged:
        yield Path(staged)
        folder.mkdir(parents=True, exist_ok=True)
        for file in sorted(Path(staged).iterdir()):
            file.replace(folder / file.name)
