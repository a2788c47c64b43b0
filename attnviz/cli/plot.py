"""`attnviz plot`: a figure from a saved trace."""

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from attnviz.cli.console import out
from attnviz.trace import Trace

LISTED = (
    "heatmap, contribution, gate-attention, feature-attention, text, lag-kernel, gradient-flow or "
    "shortcut"
)


def plot(  # noqa: PLR0913  (one parameter an option)
    trace: Annotated[Path, typer.Argument(help="A trace (directory or .zip).")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The figure; the suffix says pdf, svg or png.")
    ],
    kind: Annotated[
        str | None,
        typer.Option(help=f"What to draw: {LISTED}; the first that the trace holds if not given."),
    ] = None,
    sequence: Annotated[int, typer.Option(help="Which sequence, counted from 0.")] = 0,
    layer: Annotated[str | None, typer.Option(help="Layer and direction, such as l0.")] = None,
    head: Annotated[int | None, typer.Option(help="One head only.")] = None,
    tokens: Annotated[
        str | None, typer.Option(help="From a timestep up to another, such as 100:160.")
    ] = None,
    score: Annotated[str | None, typer.Option(help="What colours the text view.")] = None,
    numbers: Annotated[
        Path | None, typer.Option(help="Write the plotted numbers to this CSV as well.")
    ] = None,
) -> None:
    """Draws what a trace holds. Needs no PyTorch.

    Example: attnviz plot trace.zarr --kind contribution --sequence 3 -o figure.pdf
    """
    from attnviz.plots import KINDS, PlotOptions, provenance_of, save_figure, save_numbers
    from attnviz.store import open_trace

    if kind is not None and kind not in KINDS:
        raise ValueError(f"There is no kind {kind!r}; there are {', '.join(KINDS)}.")
    opened = open_trace(trace)
    options = PlotOptions(
        sequence=sequence, group=layer, head=head, tokens=_range(tokens), score=score
    )
    command = shlex.join(["attnviz", *sys.argv[1:]])
    provenance = {**provenance_of(opened), "command": command}
    chosen = KINDS[kind or _first_kind(opened)]
    save_figure(chosen.draw(opened, options), output, provenance=provenance)
    out.print(f"{output}: {chosen.shows}")
    if numbers is not None:
        save_numbers(chosen.numbers(opened, options), numbers, provenance=provenance)
        out.print(f"{numbers}: its numbers.")


def _first_kind(trace: Trace) -> str:
    from attnviz.plots import drawable_kinds

    kinds = drawable_kinds(trace)
    if not kinds:
        raise ValueError(f"There is no kind of figure for what {trace.path} holds.")
    return kinds[0]


def _range(tokens: str | None) -> tuple[int, int] | None:
    if tokens is None:
        return None
    first, colon, last = tokens.partition(":")
    if not (colon and first.isdigit() and last.isdigit()):
        raise ValueError(
            f"--tokens takes a first timestep and one after the last, such as 100:160, got "
            f"{tokens!r}."
        )
    return int(first), int(last)
