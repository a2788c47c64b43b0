"""The commands, and what happens when one fails.

A command is imported when it is asked for, so that one waits for no other.
"""

import functools
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Iterable

import typer

from attnviz.cli.console import USER_MISTAKES, err, explain, heard_again
from attnviz.cli.keyboard import listening

__all__ = ["app", "main"]

app: typer.Typer  # with every command; assembled when it is first used

RESUMED = "Stopped. What was finished is kept; the same command goes on from there."
WHOLE = "Stopped. Nothing was written."
ANEW = "Stopped. What was finished is kept; the same command begins anew."

# Each command has a module of its name. In the order of --help, with what a stop leaves.
_COMMANDS = {
    "demo": ANEW, "train": RESUMED, "record": RESUMED, "info": WHOLE, "plot": WHOLE,
    "compare": WHOLE, "figure": WHOLE, "ablate": WHOLE, "influence": WHOLE, "path-classes": WHOLE,
    "report": WHOLE, "explore": WHOLE, "export": WHOLE, "doctor": WHOLE, "models": WHOLE,
    "cite": WHOLE,
}  # fmt: skip


def _interruptible(command: Callable[..., None], left: str) -> Callable[..., None]:
    """The command, with a word on what is left when it is stopped by the keyboard."""

    @functools.wraps(command)
    def run(*arguments: object, **options: object) -> None:
        with listening() as keyboard:
            try:
                command(*arguments, **options)
            except typer.Exit:
                raise
            except (KeyboardInterrupt, Exception) as stop:
                if not (keyboard.pressed or isinstance(stop, KeyboardInterrupt)):
                    raise
                if os.environ.get("ATTNVIZ_DEBUG"):
                    err().print_exception()
                heard_again()
                err().print(left)
                raise typer.Exit(130) from stop
            finally:
                heard_again()

    return run


def _command(name: str) -> Callable[..., None]:
    """A command as it is defined."""
    own = name.replace("-", "_")
    found: Callable[..., None] = getattr(importlib.import_module(f"attnviz.cli.{own}"), own)
    return found


@functools.cache
def _data() -> typer.Typer:
    from attnviz.cli.data import COMMANDS, app

    for name, command in COMMANDS.items():
        app.command(name, help=_flowing(command))(_interruptible(command, WHOLE))
    return app


@functools.cache
def _study() -> typer.Typer:
    from attnviz.cli.study import COMMANDS, app

    for name, (command, goes_on) in COMMANDS.items():
        left = RESUMED if goes_on else WHOLE
        app.command(name, help=_flowing(command))(_interruptible(command, left))
    return app


# Below the commands in --help.
_GROUPS = {"data": _data, "study": _study}


def _assembled(names: Iterable[str]) -> typer.Typer:
    """The command line with some of its commands."""
    made = typer.Typer(
        name="attnviz",
        help="See what recurrent cells that attend over their own past look at.",
        no_args_is_help=True,
        add_completion=False,
        rich_markup_mode="rich",
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback(invoke_without_command=True)(_options)
    for name in names:
        if name in _GROUPS:
            made.add_typer(_GROUPS[name](), name=name)
        else:
            command = _command(name)
            made.command(name, help=_flowing(command))(_interruptible(command, _COMMANDS[name]))
    return made


def _flowing(command: Callable[..., None]) -> str:
    """A command's docstring without the ends of its lines, which a narrow terminal would keep."""
    paragraphs = (inspect.getdoc(command) or "").split("\n\n")
    return "\n\n".join(" ".join(part.split("\n")) for part in paragraphs)


def _options(
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    """See what recurrent cells that attend over their own past look at."""
    if version:
        import attnviz

        typer.echo(f"attnviz {attnviz.__version__}")
        raise typer.Exit


def main() -> None:
    """Runs the command line; a user's mistake is one message and exit status 1."""
    every = [*_COMMANDS, *_GROUPS]
    asked = [word for word in sys.argv[1:2] if word in every]
    try:
        _assembled(asked or every)()
    except USER_MISTAKES as error:
        explain(error)
        sys.exit(1)


def __getattr__(name: str) -> object:
    """Assembles `app` when it is first used."""
    if name != "app":
        raise AttributeError(f"attnviz.cli.app has no {name!r}; it has {', '.join(__all__)}.")
    return globals().setdefault("app", _assembled([*_COMMANDS, *_GROUPS]))
