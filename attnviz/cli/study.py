"""`attnviz study`: several cells on one task under one protocol, and the tables of it."""

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli.console import busy, checked_output, err, hush, next_commands, out, progress
from attnviz.cli.reading import DataPlace
from attnviz.cli.scripting import Quiet

if TYPE_CHECKING:
    from attnviz.studies import Study
    from attnviz.studies.running import Progress

__all__ = ["COMMANDS", "app"]

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY.toml", help="What is studied.")]
Runs = Annotated[Path, typer.Option(help="Where each run has its folder.")]
Results = Annotated[Path, typer.Option(help="Where the compact results are kept.")]
Cells = Annotated[
    list[str] | None, typer.Option("--cell", help="Only this cell; may be given several times.")
]
Budget = Annotated[float | None, typer.Option(help="Begin no run after so many minutes.", min=0)]
ResultsFolder = Annotated[
    Path, typer.Argument(metavar="RESULTS", help="Holds study files and folders of results.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write the tables to this .md file.")
]
Summary = Annotated[
    bool, typer.Option("--summary", help="Only a row for each study, and what was answered.")
]
StudyResults = Annotated[
    Path, typer.Argument(metavar="RESULTS", help="The folder of results of one study.")
]
TomlOutput = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write them to this .toml file.")
]
RunsPlace = Annotated[Path, typer.Option(help="Where the runs lie, as study run was told.")]
ModelsOutput = Annotated[
    Path, typer.Option("--output", "-o", help="In this folder each model gets one of its own.")
]
Limits = Annotated[
    list[str] | None,
    typer.Option(help="What the models were not tried on, in a sentence; several times."),
]
Licence = Annotated[str | None, typer.Option(help="Of the weights, for the cards.")]
Into = Annotated[
    Path | None, typer.Option(help="Put them between the two markers of this file instead.")
]

app = typer.Typer(
    no_args_is_help=True,
    help="Studies: several cells on one task, with equal effort for each.\n\n"
    "Example: attnviz study run notebooks/results/adding-100.toml --budget 60\n\n"
    "Example: attnviz study tables notebooks/results -o results.md",
)


def run_command(
    study: StudyFile,
    runs: Runs = Path("runs"),
    results: Results = Path("notebooks/results"),
    cell: Cells = None,
    budget: Budget = None,
    data: DataPlace = None,
) -> None:
    """Works through a study: its trials, then the chosen settings with each seed.

    Any number of processes may work on one study at once. Ctrl-C stops with a checkpoint; the
    same command goes on from there. The file of a study is explained in attnviz/README.md.

    Example: attnviz study run adding-100.toml --runs runs --results notebooks/results

    Example: attnviz study run har.toml --cell rra --cell lstm --budget 30
    """
    from attnviz.studies import load_study_folds, load_study_task, read_study
    from attnviz.studies.answers import FEWEST

    read = read_study(study)
    with busy(f"Loading PyTorch and {read.task[0]}"):
        from attnviz.studies.running import Watch, run_study

        task, folds = load_study_task(read, data), load_study_folds(read, data)
    if read.questions and len(read.final.seeds) < FEWEST:
        out().print(
            f"{read.name} asks a question, which takes {FEWEST} seeds to be answered, and has "
            f"{len(read.final.seeds)}: it will stay open."
        )
    bars = _Bars()
    try:
        done = run_study(
            read, task, runs, results, folds=folds, cells=cell or (),
            budget=math.inf if budget is None else 60 * budget,
            watch=Watch(bars.say, bars.report, bars.advance),
        )  # fmt: skip
    finally:
        bars.close()
    _conclude(read, done, results)


def tables(
    results: ResultsFolder, output: Output = None, into: Into = None, summary: Summary = False
) -> None:
    """Writes what studies found as Markdown: tables, answers, and what was not run.

    The tables come from the results folder alone; no run is needed.

    Example: attnviz study tables notebooks/results -o results.md

    Example: attnviz study tables notebooks/results --summary --into README.md
    """
    from attnviz.files import replacing
    from attnviz.studies.summary import summary_of
    from attnviz.studies.tables import put_between, tables_of

    if output is not None and into is not None:
        raise ValueError(
            "Give either -o FILE.md, a file of their own, or --into FILE.md, not both."
        )
    if output is not None and checked_output(output).suffix.lower() != ".md":
        raise ValueError(f"study tables writes .md, but {output.name} does not end so.")
    text = summary_of(results) if summary else tables_of(results)
    if into is not None:
        put_between(into, text)
    elif output is not None:
        with replacing(output) as beside:
            beside.write_text(text, encoding="utf-8")
    else:
        typer.echo(text, nl=False)
        return
    err().print(f"{into or output}: the tables of {results}.")


def recipes(results: StudyResults, cells: Cells = None, output: TomlOutput = None) -> None:
    """Prints what a study chose for each cell, as recipes to train with.

    The file is one for `attnviz train CELL TASK --recipe`, with a table for each cell.

    Example: attnviz study recipes notebooks/results/row-mnist --cell rra -o rra.toml
    """
    from attnviz.files import replacing
    from attnviz.studies import open_results
    from attnviz.studies.choices import recipes_to_toml

    if output is not None and checked_output(output).suffix.lower() != ".toml":
        raise ValueError(f"study recipes writes .toml, but {output.name} does not end so.")
    study, records = open_results(results)
    text = recipes_to_toml(study, cells or study.cells, records)
    if output is None:
        typer.echo(text, nl=False)
        return
    with replacing(output) as beside:
        beside.write_text(text, encoding="utf-8")
    err().print(f"{output}: what {study.name} chose.")


def models(
    results: StudyResults,
    output: ModelsOutput,
    runs: RunsPlace = Path("runs"),
    cell: Cells = None,
    limits: Limits = None,
    licence: Licence = None,
    quiet: Quiet = False,
) -> None:
    """Writes the model of each cell that did best on validation, to load or to share.

    Of the final runs at equal hidden size it is the seed with the best validation score, once all
    seeds have been run. Weights are float16. The card says where the data come from, recipe, seed,
    scores, what every other seed scored, and what the model was not tried on.

    Example: attnviz study models notebooks/results/row-mnist --runs runs -o models

    Example: attnviz study models notebooks/results/har --cell rra --licence MIT -o models
    """
    hush(quiet)
    with busy("Loading PyTorch"):
        from attnviz.studies.exporting import export_models

    written = export_models(
        results, runs, output, cells=cell or (), limits=limits or (), licence=licence
    )
    for folder in written:
        out().print(str(folder))
    next_commands(["models", output])


COMMANDS: Mapping[str, tuple[Callable[..., None], bool]] = {
    "run": (run_command, True),
    "tables": (tables, False),
    "recipes": (recipes, False),
    "models": (models, False),
}
"""Each with whether it goes on where it was stopped."""


class _Bars:
    """One bar a run, gone before the next sentence."""

    def __init__(self) -> None:
        self.bar: AbstractContextManager[Callable[[int, int], None]] | None = None
        self.move: Callable[[int, int], None] | None = None

    def advance(self, done: int, total: int) -> None:
        """Moves the bar of the run at hand."""
        if self.move is None:
            self.bar = progress("training")
            self.move = self.bar.__enter__()
        self.move(done, total)

    def say(self, message: str) -> None:
        """Says a sentence."""
        self.close()
        out().print(message)

    def report(self, row: Mapping[str, float | int]) -> None:
        """Says how an epoch went."""
        names = ("validation_accuracy", "validation_perplexity", "validation_loss")
        name = next(name for name in names if name in row)
        shown = name.replace("_", " ")
        out().print(f"  epoch {row['epoch']:.0f}: {shown} {row[name]:.4f}; {row['seconds']:.0f} s")

    def close(self) -> None:
        """Takes the bar away."""
        if self.bar is not None:
            self.bar.__exit__(None, None, None)
        self.bar = self.move = None


def _conclude(study: "Study", done: "Progress", results: Path) -> None:
    """Says how far it is."""
    total = len(done.finished) + len(done.open) + len(done.held)
    out().print(f"{study.name}: {len(done.finished)} of {total} runs are finished.")
    for job, who in done.held.items():
        out().print(f"  {job.name} is held by {who}.")
    if done.open:
        out().print(f"{len(done.open)} are left: the same command goes on.")
    next_commands(["study", "tables", results])
