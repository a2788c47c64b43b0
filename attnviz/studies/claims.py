"""One process at a time: claims that outlive no process.

A claim is a file that says who holds it, numbered upwards. It is made whole or not at all, and a
number can be made only once: whoever finds the holder of the highest number dead makes the next,
and of two who try one fails. No file is ever taken away, so nobody takes away another's claim.
"""

import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

from attnviz.files import replacing

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
    """
    folder.mkdir(parents=True, exist_ok=True)
    last = _last(folder)
    if last is not None and _held(last):
        return None
    path = folder / f"{0 if last is None else int(last.stem) + 1:06d}.json"
    beside = folder / f".{os.getpid()}-{threading.get_ident()}-{path.name}"
    about = {"pid": os.getpid(), "host": socket.gethostname(), "began": _began(os.getpid())}
    try:
        beside.write_text(json.dumps(about) + "\n", encoding="utf-8")
        os.link(beside, path)  # fails where it is there: a rename would replace it
    except FileExistsError:
        return None
    finally:
        beside.unlink(missing_ok=True)
    return Claim(path)


def holder(folder: Path) -> str | None:
    """Who holds a claim, in words; None if nobody alive does."""
    last = _last(folder)
    held = None if last is None else _held(last)
    if not held:
        return None
    return f"process {held['pid']} on {held['host']} (by {last})"


def _last(folder: Path) -> Path | None:
    return max(folder.glob("[0-9]*.json"), default=None)


def _held(path: Path) -> dict[str, Any] | None:
    """What a claim says, if who made it may still be at work."""
    about: dict[str, Any] = json.loads(path.read_text("utf-8"))
    if not about:
        return None
    if about["host"] != socket.gethostname() or os.name != "posix":
        return about  # whether it lives cannot be seen from here; elsewhere asking would end it
    try:
        os.kill(about["pid"], 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return about  # another user's
    # The number may have gone to another process since.
    return about if about["began"] == _began(about["pid"]) else None


def _began(pid: int) -> str | None:
    """When a process began, in ticks since the machine did; None where that is not told."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return None
    return told.rpartition(")")[2].split()[19]
