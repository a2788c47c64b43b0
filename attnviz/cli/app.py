"""The commands, and what happens when one fails."""

import functools
import sys
from collections.abc import Callable

import typer

from attnviz.cli.ablate import ablate
from attnviz.cli.cite import cite
from attnviz.cli.compare import compare
from attnviz.cli.console import USER_MISTAKES, err, explain, heard_again
from attnviz.cli.data import COMMANDS as DATA_COMMANDS
from attnviz.cli.data import app as data_app
from attnviz.cli.demo import demo
from attnviz.cli.doctor import doctor
from attnviz.cli.explore import explore
from attnviz.cli.export import export
from attnviz.cli.figure import figure
from attnviz.cli.influence import influence
from attnviz.cli.info import info
from attnviz.cli.models import models
from attnviz.cli.path_classes import path_classes
from attnviz.cli.plot import plot
from attnviz.cli.record import record
from attnviz.cli.report import report
from attnviz.cli.study import COMMANDS as STUDY_COMMANDS
from attnviz.cli.study import app as study_app
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


RESUMED = "Stopped. What was finished is kept; the same command goes on from there."
WHOLE = "Stopped. Nothing was written."
ANEW = "Stopped. What was finished is kept; the same command begins anew."


def _interruptible(command: Callable[..., None], left: str) -> Callable[..., None]:
    """The command, with a word on what is left when it is stopped by the keyboard."""

    @functools.wraps(command)
    def run(*arguments: object, **options: object) -> None:
        try:
            command(*arguments, **options)
        except KeyboardInterrupt as stop:
            heard_again()
            err().print(left)
            raise typer.Exit(130) from stop
        finally:
            heard_again()

    return run


# In the order of --help, with what a stop leaves.
for command, left in (
    (demo, ANEW), (train, RESUMED), (record, RESUMED), (info, WHOLE), (plot, WHOLE),
    (compare, WHOLE), (figure, WHOLE), (ablate, WHOLE), (influence, WHOLE), (path_classes, WHOLE),
    (report, WHOLE), (explore, WHOLE), (export, WHOLE), (doctor, WHOLE), (models, WHOLE),
    (cite, WHOLE),
):  # fmt: skip
    app.command()(_interruptible(command, left))

for name, of_data in DATA_COMMANDS.items():
    data_app.command(name)(_interruptible(of_data, WHOLE))
app.add_typer(data_app, name="data")

for name, (of_study, goes_on) in STUDY_COMMANDS.items():
    study_app.command(name)(_interruptible(of_study, RESUMED if goes_on else WHOLE))
app.add_typer(study_app, name="study")


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
