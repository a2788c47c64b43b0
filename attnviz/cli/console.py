"""What every command shares: how it speaks, shows progress and fails."""

import functools
import os
import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


__all__ = [
    "USER_MISTAKES",
    "busy",
    "checked_output",
    "err",
    "explain",
    "heard_again",
    "hush",
    "labelled",
    "next_commands",
    "out",
    "progress",
]


@functools.cache
def out() -> "Console":
    """The terminal, made when something is first said: a figure is drawn without a word.

    Brackets in what is said are printed as they are: they may come from a path or a text.
    """
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, markup=False)


@functools.cache
def err() -> "Console":
    """The stream of messages."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True, markup=False)


def next_commands(*commands: Iterable[object], why: str = "Next") -> None:
    """Suggests what to type next, quoted as a shell needs it.

    Arguments:
        commands: The words of each after `attnviz`.
        why: What is said in front.
    """
    typed = (shlex.join(["attnviz", *map(str, words)]) for words in commands)
    out().print(f"{why}: {', or '.join(typed)}")


def labelled(rows: Iterable[tuple[str, str]]) -> "Table":
    """A table of what is known, each behind its name."""
    from rich.table import Table

    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    for name, value in rows:
        table.add_row(name, value)
    return table


def hush(quiet: bool, *, answering: bool = False) -> None:
    """Lets a command say nothing but errors from here on, if it is to be quiet.

    Arguments:
        quiet: Whether it is.
        answering: What it prints is what was asked for: only progress is left out.
    """
    if quiet:
        err().quiet, out().quiet = True, not answering


def heard_again() -> None:
    """Lets everything be heard, as before `hush`."""
    for console in (out, err):
        if console.cache_info().currsize:  # else nothing was said, and rich need not be there
            console().quiet = False


# What a wrong argument or file raises; anything else is a fault of ours and shows its traceback.
USER_MISTAKES = (
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    OSError,
    FloatingPointError,
    ModuleNotFoundError,
)

# Which extra brings a package that may not be there.
EXTRAS = {
    "torch": "torch",
    "safetensors": "torch",
    "pytorch_lightning": "train",
    "torchmetrics": "train",
    "pooch": "data",
    "h5netcdf": "export",
    "h5py": "export",
    "pyarrow": "export",
    "anywidget": "notebook",
    "jupyterlab": "notebook",
}


def explain(error: BaseException) -> None:
    """Prints an error as one message for the person who typed the command."""
    from rich.text import Text

    from attnviz.cli.wording import in_the_shell

    heard_again()
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        extra = f"attnviz[{EXTRAS[error.name]}]"
        message = f"This needs {error.name}, which is not installed: pip install '{extra}'"
    elif isinstance(error, KeyError) and error.args:
        message = str(error.args[0])  # str(KeyError) would quote it
    elif isinstance(error, OSError) and error.strerror and error.filename is not None:
        message = (
            f"The system refuses {error.filename}: {error.strerror.lower()}. Check the path, and "
            "whether you may write there."
        )
    else:
        message = str(error) or type(error).__name__
    err().print(Text.assemble(("attnviz:", "bold red"), " ", in_the_shell(message)))
    if os.environ.get("ATTNVIZ_DEBUG"):
        err().print_exception()


#: Without a terminal, a line of progress at most so often, in seconds.
QUIET = 30.0


def busy(what: str) -> AbstractContextManager[object]:
    """Says what is being done: with a moving sign on a terminal, else in a line."""
    if sys.stderr.isatty():
        return err().status(what)
    err().print(f"{what} …")
    return nullcontext()


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on the terminal's error stream, or a line now and then where there is none.

    Arguments:
        what: Is being done.

    Yields:
        A function of steps done and in all.
    """
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    if not sys.stderr.isatty():
        yield _lines(what)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=err()) as bar:
        task = bar.add_task(what, total=None)

        def advance(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield advance


def _lines(what: str) -> Callable[[int, int], None]:
    last = time.monotonic()

    def advance(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last >= QUIET:
            last = time.monotonic()
            err().print(f"{what}: {done:,} of {total:,}")

    return advance


def checked_output(path: Path) -> Path:
    """The path, if a file can be written there.

    Raises:
        FileNotFoundError: If its folder does not exist.
        NotADirectoryError: If its folder is a file.
    """
    if path.parent.exists() and not path.parent.is_dir():
        raise NotADirectoryError(f"Cannot write {path}: {path.parent} is a file, no folder.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"Cannot write {path}: the folder {path.parent} does not exist.")
    return path
