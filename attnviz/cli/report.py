"""`attnviz report`: one page on a model."""

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli.console import busy, checked_output, err, hush
from attnviz.cli.scripting import Quiet
from attnviz.plots.ranges import whole_numbers

if TYPE_CHECKING:
    from attnviz.trace import Trace

What = Annotated[
    str,
    typer.Argument(metavar="RUN|TRACE", help="A trace, a run's folder, or a model that ships."),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="The page; .html or .md.")]
Model = Annotated[
    Path | None, typer.Option(help="The run that a trace was recorded from, for card and results.")
]
Effects = Annotated[
    Path | None, typer.Option(help="Ablations to report, as attnviz ablate -o writes them (.nc).")
]
Sequences = Annotated[
    str | None,
    typer.Option(help="Which to draw, numbers with commas between; if not given, the surest right "
                 "and the surest wrong prediction."),
]  # fmt: skip

# Of the adding problem, where a run is reported and no trace.
SUMS = 20


def report(
    what: What,
    output: Output,
    model: Model = None,
    effects: Effects = None,
    sequences: Sequences = None,
    quiet: Quiet = False,
) -> None:
    """Writes one page: the model's card, results, figures, numbers, residuals and warnings.

    Of a trace it needs no PyTorch. Of a run or model it first records the sentences that ship (of
    the adding problem, held-out sums); a model of other numbers or of language is recorded before.
    An HTML page holds all it shows and needs no network.

    Example: attnviz report trace.zarr -o report.html

    Example: attnviz report runs/rra-imdb --effects lags.nc -o report.md
    """
    from attnviz.reporting import Sources, write_report
    from attnviz.store import open_effects

    hush(quiet)
    checked_output(output)
    if output.suffix.lower() not in (".html", ".md"):
        raise ValueError(f"A report is written as .html or .md, but got {output.name}.")
    chosen = None if sequences is None else whole_numbers(sequences, "--sequences")
    measured = None if effects is None else open_effects(effects)
    trace, folder = _opened(what)
    command = shlex.join(["attnviz", *sys.argv[1:]])
    sources = Sources(_placed(model) or folder, measured, chosen, command)
    with busy("Writing the report"):
        write_report(trace, output, sources=sources)
    size = output.stat().st_size / 1e6
    err().print(
        f"{output} ({size:.1f} MB)" + ("" if output.suffix == ".html" else " and its figures")
    )


def _opened(what: str) -> "tuple[Trace, Path | None]":
    """The trace, and the folder of the model where a model was named."""
    from attnviz.cards import shipped_cards
    from attnviz.store import open_trace

    path = Path(what)
    if what in [card.name for card in shipped_cards()]:
        return _recorded(what), None
    if path.is_dir() and any((path / name).exists() for name in ("model.json", "model")):
        return _recorded(path), path
    if not path.exists():
        raise FileNotFoundError(
            f"There is nothing to report at {what!r}: it is neither a trace, a run, nor a model "
            "that ships."
        )
    return open_trace(path), None


def _placed(model: Path | None) -> Path | None:
    """Where a model lies that is named by its folder, or as one that ships."""
    from attnviz.cards import SHIPPED

    named = None if model is None or model.exists() else SHIPPED / model
    return named if named is not None and named.is_dir() else model


def _recorded(name: str | Path) -> "Trace":
    """What a model does on the sentences that ship, or on sums."""
    with busy("Loading PyTorch"):
        from attnviz.cards import recording_command
        from attnviz.pretrained import load_model
        from attnviz.recording import Numbers, Texts, record_numbers, record_texts
        from attnviz.tasks import load_adding, load_demo_sentences

    model = load_model(name)
    data = model.card.get("data", {})
    if {"length", "held_out"} <= {*data}:  # of sums that are drawn; images hold some out, too
        task = load_adding(data["length"], held_out=data["held_out"])
        some = task.splits["validation"]
        about = {"task": task.name, "split": "validation"}
        sums = Numbers(some.features[:SUMS], some.targets[:SUMS], about=about)
        return record_numbers(model, sums)
    if model.vocabulary is None or model.kind != "classification":
        by = "record_running" if model.kind == "language_model" else "record_numbers"
        raise ValueError(
            f"{model.name} tells no texts apart, so the sentences that ship say nothing of it. "
            "Record some of what it was trained on and report that: "
            f"{recording_command(model.card, str(name), by=by)}, then attnviz report trace.zarr"
            f"{f' --model {name}' if isinstance(name, Path) else ''} -o report.html."
        )
    sentences = load_demo_sentences(model.classes)
    labels = [int(label) for label in sentences.labels]
    about = {"task": "demo sentences"}
    return record_texts(model, Texts(sentences.texts, labels, sentences.ids, about))
