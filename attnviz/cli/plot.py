"""`attnviz plot`: figures from a saved trace."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli.figure_options import Appearance, Choice, Outputs, command_line
from attnviz.cli.spreading import spread

if TYPE_CHECKING:
    from attnviz.cli.figure_files import Drawn
    from attnviz.cli.sources import Opened

LISTED = (
    "heatmap, contribution, gate-attention, feature-attention, text, lag-kernel, gradient-flow, "
    "shortcut or exit-routes; of effects ablation or effect-against; of influence influence or "
    "influence-map; of paths path-classes or vanishing; of probes kernel-evolution; of runs and "
    "studies learning-curves, of studies score-against"
)
Place = Annotated[
    Path,
    typer.Argument(
        help="A trace (directory or .zip), a measured result (.nc), a run, probes of a training, "
        "or the results of a study."
    ),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option("--kind", help=f"What to draw: {LISTED}. May be given several times."),
]


@spread
def plot(
    trace: Place, kind: Kinds = None, *, choice: Choice, look: Appearance, outputs: Outputs
) -> None:
    """Draws what a trace holds, what was measured on a model, or a training. Needs no PyTorch.

    Without --kind and -o every plot that the trace can draw goes to a folder with an index page.
    Several kinds or sequences go to a folder too. The same trace and options give the same bytes.

    Example: attnviz plot trace.zarr

    Example: attnviz plot trace.zarr --kind contribution --sequence 3 --width column -o figure.pdf

    Example: attnviz plot trace.zarr --kind heatmap --sequence "what an ending" --lags 1:6 --data

    Example: attnviz plot influence.nc --kind influence-map --sequence 2 -o influence.pdf

    Example: attnviz plot runs/rra-adding-100/probes.zarr --kind kernel-evolution -o kernel.pdf

    Example: attnviz plot runs/rra-imdb -o curve.pdf

    Example: attnviz plot notebooks/results/row-mnist --kind learning-curves -o curves.pdf

    Example: attnviz plot effects.nc --kind ablation --no-title --format pdf,svg -o ablation.pdf
    """
    from attnviz.cli.sources import open_source

    outputs.suffixes()  # a wrong format is said before anything is read
    source = open_source(trace)
    kinds = list(dict.fromkeys(kind or _usual(source, one=outputs.is_file)))
    for name in kinds:
        source.kind(name)
    _refuse_idle(source, kinds, choice)
    with look.applied():
        _write(source, kinds, choice, look, outputs, everything=kind is None)
    if not outputs.quiet:
        _say_of_layers(source, kinds, choice)


def _usual(source: "Opened", *, one: bool) -> list[str]:
    """What is drawn where nothing is asked for: the first kind for one file, else all."""
    if not source.drawable and "learning-curves" in source.kinds:
        return ["learning-curves"]  # which says what is missing
    if not source.drawable:
        raise ValueError(f"There is no kind of figure for what {source.path} holds.")
    return source.drawable[:1] if one else source.drawable


def _refuse_idle(source: "Opened", kinds: list[str], choice: Choice) -> None:
    """Refuses options that mean nothing for any of the kinds."""
    meant = {name for kind in kinds for name in source.kind(kind).takes}
    if idle := [option for name, option in choice.given.items() if name not in meant]:
        plural = "s" if len(kinds) > 1 else ""
        raise ValueError(
            f"{', '.join(idle)} means nothing for the kind{plural} {', '.join(kinds)}. Leave it "
            "out."
        )


def _say_of_layers(source: "Opened", kinds: list[str], choice: Choice) -> None:
    """Says that there are more layers than the one that was drawn."""
    from attnviz.cli.console import err
    from attnviz.trace import Trace, layer_groups

    asked = choice.layer is not None or not any("group" in source.kind(k).takes for k in kinds)
    if asked or not isinstance(source.data, Trace) or len(layer_groups(source.data)) < 2:
        return
    first, *rest = layer_groups(source.data)
    err().print(f"Of the layers, {first} was drawn. For {', '.join(rest)} give --layer.")


def _write(
    source: "Opened",
    kinds: list[str],
    choice: Choice,
    look: Appearance,
    outputs: Outputs,
    *,
    everything: bool,
) -> None:
    from attnviz.cli.figure_files import writing
    from attnviz.trace import TraceFormatError

    numbers = list(dict.fromkeys(source.sequence(what) for what in choice.sequences))
    single = _single(kinds, numbers, outputs, everything=everything)
    figures = [
        figured(source, kind, choice, number, look, several=len(numbers) > 1, stem=single)
        for kind in kinds
        for number in (numbers if "sequence" in source.kind(kind).takes else numbers[:1])
    ]
    folder = outputs.output if single is None else (outputs.output or Path()).parent
    with writing(folder or Path(f"{source.stem}-figures"), outputs) as written:
        shown: list[Drawn] = []
        damaged: dict[str, TraceFormatError] = {}
        for drawn in figures:
            try:
                written.write(drawn, look)
            except (KeyError, ValueError) as error:
                if not everything or single is not None:
                    raise
                _leave_out(drawn, error)
                if isinstance(error, TraceFormatError):
                    damaged[drawn.stem] = error
                continue
            shown.append(drawn)
            if single is None:
                written.thumbnail(drawn)
        if not shown:
            raise ValueError(f"Nothing of what {source.path} holds could be drawn.")
        if single is None:
            from attnviz.cli.index_page import write_index

            write_index(written, shown, source)
    if damaged:
        raise TraceFormatError(
            f"{len(damaged)} of {len(figures)} figures could not be drawn, as {source.path} is "
            f"damaged: {', '.join(damaged)}. {next(iter(damaged.values()))}"
        )


def _single(
    kinds: list[str], numbers: list[int], outputs: Outputs, *, everything: bool
) -> str | None:
    """The stem of the only figure, or none where a folder is written."""
    if outputs.is_file and outputs.output is not None:
        if len(kinds) * len(numbers) > 1:
            raise ValueError(
                f"{len(kinds)} kinds and {len(numbers)} sequences make several figures, but "
                f"{outputs.output} is one file. Name a folder: -o {outputs.output.stem}."
            )
        return outputs.output.stem
    if outputs.output is None and not everything and len(kinds) * len(numbers) == 1:
        return kinds[0]
    return None


def figured(
    source: "Opened",
    kind: str,
    choice: Choice,
    number: int,
    look: Appearance,
    *,
    several: bool,
    stem: str | None,
) -> "Drawn":
    """A figure that is to be drawn, with the command that makes it alone."""
    from attnviz.cli.figure_files import Drawn, lower
    from attnviz.cli.provenance import style_provenance

    chosen = source.kind(kind)
    options = choice.options(number)
    own = f"{kind}-{number}" if several and "sequence" in chosen.takes else kind
    words = ["plot", source.name, "--kind", kind, *choice.words(chosen.takes, number)]
    said = {"kind": kind, "command": command_line(*words, *look.words())}
    return Drawn(
        stem or own,
        source.shows(kind),
        lambda: chosen.draw(source.data, options),
        {"": lambda: chosen.numbers(source.data, options)},
        {**source.provenance, **said, **style_provenance(look.style)},
        lower(chosen.takes, look),
    )


def _leave_out(drawn: "Drawn", error: Exception) -> None:
    from attnviz.cli.console import err

    why = str(error.args[0]) if error.args else type(error).__name__
    err().print(f"Left out {drawn.stem}: {why}")
