"""`attnviz doctor`: whether a model is recorded rightly, and what to do if not."""

from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli.console import explain, out, progress

if TYPE_CHECKING:
    from attnviz.checkup import Report

Model = Annotated[str, typer.Argument(help="A shipped model, or a folder of a run or model.")]
Json = Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")]
Strict = Annotated[bool, typer.Option("--strict", help="Let warnings fail too.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only what is wrong.")]
Compiled = Annotated[bool, typer.Option("--compiled", help="Try torch.compile on it, too.")]

USAGE = 2
STYLES = {
    "passed": "green",
    "note": "",
    "skipped": "dim",
    "warning": "yellow",
    "fault": "bold red",
}


def doctor(
    model: Model,
    as_json: Json = False,
    strict: Strict = False,
    quiet: Quiet = False,
    compiled: Compiled = False,
) -> None:
    """Examines whether a model is recorded rightly, and says what to do if not.

    Exit status, for scripts: 0 without a fault, 1 with one (or, with --strict, a warning), 2 if
    there is no such model.

    Example: attnviz doctor rra-imdb --strict --quiet
    """
    from attnviz.checkup import doctor as examine
    from attnviz.pretrained import load_model

    try:
        loaded = load_model(model)
    except (OSError, ValueError) as error:
        explain(error)
        raise typer.Exit(USAGE) from error
    if as_json or quiet:
        report = examine(loaded, compiled=compiled)
    else:
        with progress(f"examining {loaded.name}") as advance:
            report = examine(loaded, compiled=compiled, progress=advance)
    if as_json:
        typer.echo(report.to_json())
    else:
        _show(report, quiet=quiet)
    wrong = report.of("fault", "warning") if strict else report.of("fault")
    raise typer.Exit(1 if wrong else 0)


def _show(report: "Report", *, quiet: bool) -> None:
    """The report in colours; if quiet only faults and warnings, and nothing if there are none."""
    from rich.text import Text

    from attnviz.checkup.report import HEAD

    if quiet:
        report = report.wrong()
        if not report.findings:
            return
    for status, line in report.lines(out().width):
        shown = Text(line)
        if status is not None:
            # The mark, and the name of what is wrong; words stay in the terminal's own colour.
            ends = {"skipped": None, "warning": HEAD, "fault": HEAD}
            shown.stylize(STYLES[status], 0, ends.get(status, 4))
        out().print(shown)
