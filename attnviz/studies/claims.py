"""One process at a time: claims that outlive no process.

A claim is a file that says who holds it, numbered upwards. It is made whole or not at all, and a
number can be made only once: whoever finds the holder of the highest number dead makes the next,
and of two who try one fails. No file is ever taken away, so nobody takes away another's claim.
"""

import json
import os
import secrets
import socket
from pathlib import Path
from typing import Any

from attnviz.files import replacing, to_disk

__all__ = ["Claim", "claim", "holder"]


class Claim:
    """A claim that is held.

    Arguments:
        path: The file that says so.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def release(self) -> None:
        """Lets others claim."""
        with replacing(self.path) as beside:
            beside.write_text("{}\n", encoding="utf-8")


def claim(folder: Path) -> Claim | None:
    """Claims what a folder stands for.

    Arguments:
        folder: Of the claims; made if it is not there.

    Returns:
        The claim; None if a living process holds it, or another host.

    Raises:
        ValueError: If the last claim is damaged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    last = _last(folder)
    if last is not None and _held(last):
        return None
    path = folder / f"{0 if last is None else int(last.stem) + 1:06d}.json"
    beside = folder / f".{secrets.token_hex(8)}-{path.name}"
    about = {"pid": os.getpid(), "host": socket.gethostname(), "began": _began(os.getpid())}
    try:
        beside.write_text(json.dumps(about) + "\n", encoding="utf-8")
        to_disk(beside)
        os.link(beside, path)  # fails where it is there: a rename would replace it
    except FileExistsError:
        return None
    finally:
        beside.unlink(missing_ok=True)
    return Claim(path)


def holder(folder: Path) -> str | None:
    """Who holds a claim, in words; None if nobody alive does.

    Raises:
        ValueError: If the last claim is damaged.
    """
    last = _last(folder)
    held = None if last is None else _held(last)
    if not held:
        return None
    return f"process {held['pid']} on {held['host']} (by {last})"


def _last(folder: Path) -> Path | None:
    return max(folder.glob("[0-9]*.json"), default=None)


def _held(path: Path) -> dict[str, Any] | None:
    """What a claim says, if who made it may still be at work."""
    if (about := _said(path)) is None:
        return None
    if about["host"] != socket.gethostname() or os.name != "posix":
        return about  # whether it lives cannot be seen from here; elsewhere asking would end it
    try:
        os.kill(about["pid"], 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # another user's process, perhaps not the one that claimed
    # The number may have gone to another process since. Where that is not told, it has not.
    return about if _began(about["pid"]) in (about["began"], None) else None


def _said(path: Path) -> dict[str, Any] | None:
    """What a claim says; None if it was released.

    So it is if the file is empty: a claim appears with all that it says, so that nobody is writing
    it, and only the end of the machine itself can have emptied it, which ended its process too.
    """
    try:
        about = json.loads(path.read_bytes().strip(b"\0") or "{}")  # some file systems leave zeros
        if about == {}:
            return None
        return {"pid": int(about["pid"]), "host": about["host"], "began": about["began"]}
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is damaged and does not say which process is at work there: {error!r}. If "
            "none is, delete it."
        ) from error


def _began(pid: int) -> str | None:
    """When a process began, in ticks since the machine did; None where that is not told."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return None
    return told.rpartition(")")[2].split()[19]
