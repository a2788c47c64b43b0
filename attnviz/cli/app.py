"""The commands, and what happens when one fails."""

import functools
import sys
from collections.abc import Callable

import typer

from attnviz.cli.ablate import ablate
from attnviz.cli.compare import compare
from attnviz.cli.console import USER_MISTAKES, err, explain
from attnviz.cli.demo import demo
from attnviz.cli.explore import explore
from attnviz.cli.figure import figure
from attnviz.cli.info import info
from attnviz.cli.plot import plot
from attnviz.cli.record import record
from attnviz.cli.train import train

__all__ = ["app", "main"]

app = typer.Typer(
    name="attnviz",
    help="See what recurrent cells that attend over their own past look at.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _interruptible(command: Callable[..., None]) -> Callable[..., None]:
    """The command, with a word on what is left when it is stopped by the keyboard."""

    @functools.wraps(command)
    def run(*arguments: object, **options: object) -> None:
        try:
            command(*arguments, **options)
        except KeyboardInterrupt as stop:
            err.print("Stopped. What was finished is kept; the same command goes on from there.")
            raise typer.Exit(130) from stop

    return run


for command in (demo, train, record, info, plot, compare, figure, ablate, explore):
    app.command()(_interruptible(command))


@app.callback(invoke_without_command=True)
def options(
    version: bool = typer.Option(False, "--version", help="Print the version and leave."),
) -> None:
    """See what recurrent cells that attend over their own past look at."""
    if version:
        import attnviz

        typer.echo(f"attnviz {attnviz.__version__}")
        raise typer.Exit


def main() -> None:
    """Runs the command line; a user's mistake is one message and exit status 1."""
    try:
        app()
    except USER_MISTAKES as error:
        explain(error)
        sys.exit(1)
