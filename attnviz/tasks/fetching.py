"""Fetching a published file: told beforehand, with its progress, its digest checked."""

from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TransferSpeedColumn

__all__ = ["FetchError", "fetch"]


class FetchError(OSError):
    """A file cannot be fetched; says why in a sentence."""


def fetch(url: str, digest: str, path: Path, *, announce: Callable[[], None]) -> None:
    """Fetches a file from its address to a place.

    A file that is there already with this digest is left as it is.

    Arguments:
        url: The address.
        digest: Of what is there, such as `sha256:c40f...`.
        path: The place; its folder is made.
        announce: Is called before anything is fetched.

    Raises:
        FetchError: If pooch is missing, or there is no network, no room or a wrong digest.
    """
    try:
        import pooch
    except ModuleNotFoundError as error:
        raise FetchError("Downloading it needs pooch: pip install 'attnviz[data]'.") from error
    announce()
    bar = _Bar(path.name)
    try:
        # pooch writes beside the place, checks the digest, and then renames.
        pooch.retrieve(
            url,
            known_hash=digest,
            fname=path.name,
            path=path.parent,
            downloader=pooch.HTTPDownloader(progressbar=bar, timeout=30),
        )
    except (OSError, ValueError) as error:
        raise FetchError(f"Downloading it failed ({type(error).__name__}: {error}).") from error
    finally:
        bar.close()


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
