"""`attnviz compare`: several traces in one figure, on one scale."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attnviz.cli.figure_options import Appearance, Choice, Outputs, command_line
from attnviz.cli.spreading import spread

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from matplotlib.figure import Figure

    from attnviz.cli.sources import Opened
    from attnviz.plots import PlotOptions

Places = Annotated[
    list[Path],
    typer.Argument(help="Traces, measured results (.nc), runs or studies; two at least."),
]
Kind = Annotated[
    str | None,
    typer.Option(
        help="What to draw, as in attnviz plot; if not given lag-kernel, "
        "or the first that all can be drawn as."
    ),
]
Names = Annotated[
    list[str] | None,
    typer.Option("--name", help="What to call each, in order; the model's name or a run's cell."),
]
Layout = Annotated[
    Literal["together", "panels"] | None,
    typer.Option(help="All in one plot, where the kind can; or a panel for each."),
]
Columns = Annotated[int, typer.Option(help="Panels side by side.", min=1)]
OwnScale = Annotated[bool, typer.Option("--own-scale", help="Each panel on a scale of its own.")]
# Kinds whose panels have no scale to share.
_WITHOUT_SCALE = ("effect-against", "exit-routes", "influence", "path-classes", "vanishing")


@dataclass(frozen=True)
class Arrangement:
    """How several traces stand in a figure, as typed."""

    layout: Layout = None
    columns: Columns = 1
    own_scale: OwnScale = False

    def words(self) -> list[str]:
        """The options as they are typed."""
        words = [] if self.layout is None else ["--layout", self.layout]
        words += [] if self.columns == 1 else ["--columns", str(self.columns)]
        return words + (["--own-scale"] if self.own_scale else [])


@spread
def compare(
    traces: Places,
    kind: Kind = None,
    name: Names = None,
    *,
    arrangement: Arrangement,
    choice: Choice,
    look: Appearance,
    outputs: Outputs,
) -> None:
    """Draws several traces or trainings in one plot, or panels on one scale. Needs no PyTorch.

    Without -o the figure is compare-KIND.pdf.

    Example: attnviz compare rra.zarr larnn.zarr -o kernels.pdf

    Example: attnviz compare rra.zarr larnn.zarr --kind heatmap --sequence 3 -o heatmaps.pdf

    Example: attnviz compare rra.zarr lstm.zarr --kind exit-routes --name RRA --name LSTM

    Example: attnviz compare runs/rra-imdb runs/lstm-imdb -o curves.pdf
    """
    from attnviz.cli.sources import open_source

    outputs.suffixes()
    if len(traces) < 2:
        raise ValueError(
            "attnviz compare takes two traces or more, got one: attnviz plot draws it."
        )
    if len(choice.sequences) > 1:
        raise ValueError(
            f"attnviz compare draws one sequence of each trace, got {len(choice.sequences)}: "
            "attnviz plot draws several of one trace."
        )
    named = _named([open_source(path) for path in traces], name or [])
    chosen = kind or _usual(named)
    with look.applied():
        draw, options = _drawing(named, chosen, choice, arrangement)
        words = ["compare", *(source.name for source in named.values()), "--kind", chosen]
        words += [word for given in name or [] for word in ("--name", given)]
        words += arrangement.words()
        words += _shown(next(iter(named.values())), chosen, choice)
        _write(named, chosen, draw, options, look, outputs, command_line(*words, *look.words()))


def _shown(source: "Opened", kind: str, choice: Choice) -> list[str]:
    """What is shown of each trace, as it is typed."""
    takes = source.kind(kind).takes
    words = choice.words(tuple(name for name in takes if name != "sequence"), 0)
    first = choice.sequences[0]
    return [*words, "--sequence", first] if "sequence" in takes else words


def _named(sources: "list[Opened]", names: list[str]) -> "dict[str, Opened]":
    """The traces by what they are called: the model's name, or the file's where that is doubled."""
    if names and len(names) != len(sources):
        raise ValueError(f"There are {len(sources)} traces and {len(names)} --name. Name each.")
    models = [source.model for source in sources]
    stems = [source.stem for source in sources]
    shown = names or (models if len(set(models)) == len(models) else stems)
    if len(set(shown)) < len(shown):
        raise ValueError(
            f"Two of the traces are called the same ({', '.join(shown)}). Give each a --name."
        )
    return dict(zip(shown, sources, strict=True))


def _usual(named: "Mapping[str, Opened]") -> str:
    common = set.intersection(*(set(source.drawable) for source in named.values()))
    order = ["lag-kernel", *next(iter(named.values())).drawable]
    found = next((kind for kind in order if kind in common), None)
    if found is None and all("learning-curves" in source.kinds for source in named.values()):
        return "learning-curves"  # which says what is missing
    if found is None:
        each = "; ".join(f"{name}: {', '.join(s.drawable)}" for name, s in named.items())
        raise ValueError(
            f"No kind of plot can be drawn of all of them ({each}). attnviz figure puts different "
            "kinds into one figure."
        )
    return found


def _together(named: "Mapping[str, Opened]", kind: str, layout: str | None) -> bool:
    able = all(source.kind(kind).together is not None for source in named.values())
    if layout == "together" and not able:
        raise ValueError(
            f"The kind {kind!r} draws one trace at a time: leave out --layout together."
        )
    return able and layout != "panels"


def _drawing(
    named: "Mapping[str, Opened]",
    kind: str,
    choice: Choice,
    arrangement: Arrangement,
) -> "tuple[Callable[[], Figure], dict[str, PlotOptions]]":
    """What draws the figure, and the options of each trace."""
    from attnviz.cli.panels import panel, settled
    from attnviz.plots.composition import compose
    from attnviz.plots.figures import figure_of
    from attnviz.plots.sizes import look

    first = choice.sequences[0]
    takes = {name: source.kind(kind).takes for name, source in named.items()}
    meant = set().union(*takes.values())
    if idle := [option for name, option in choice.given.items() if name not in meant]:
        raise ValueError(f"{', '.join(idle)} means nothing for the kind {kind}. Leave it out.")
    options = {
        name: settled(
            [*named.values()],
            kind,
            choice.options(source.sequence(first) if "sequence" in takes[name] else 0),
        )
        for name, source in named.items()
    }
    if _together(named, kind, arrangement.layout):
        one = panel(named, kind, next(iter(options.values())))
        return lambda: figure_of(one.draw(None)), dict(options)
    own, share = look().title, not arrangement.own_scale and kind not in _WITHOUT_SCALE
    panels = [
        panel(
            {name: _called(source, name)}, kind, options[name], share=kind if share else None,
            title=f"{own}: {name}" if own else own,
        )
        for name, source in named.items()
    ]  # fmt: skip
    return lambda: compose(panels, columns=arrangement.columns), dict(options)


def _called(source: "Opened", name: str) -> "Opened":
    """The same by another name, which its panel says where it would say the model's."""
    import xarray as xr

    from attnviz.trace import Trace

    data = source.data
    if isinstance(data, Trace):
        tree = data.tree.copy()
        tree.attrs["model"] = name
        return replace(source, data=replace(data, tree=tree))
    if isinstance(data, xr.Dataset):
        return replace(source, data=data.assign_attrs(model=name))
    return source


def _write(
    named: "Mapping[str, Opened]",
    kind: str,
    draw: "Callable[[], Figure]",
    options: "Mapping[str, PlotOptions]",
    look: Appearance,
    outputs: Outputs,
    command: str,
) -> None:
    from functools import partial

    from attnviz.cli.figure_files import Drawn, lower, writing
    from attnviz.cli.panels import numbers_of, provenance_of_all
    from attnviz.cli.provenance import style_provenance

    output = outputs.output
    if output is not None and not outputs.is_file:
        output = output / f"compare-{kind}"
    output = output or Path(f"compare-{kind}")
    said = {"kind": kind, "command": command, **style_provenance(look.style)}
    drawn = Drawn(
        output.stem,
        f"{kind} of {', '.join(named)}.",
        draw,
        {
            _stem(name): partial(numbers_of, source, kind, options[name])
            for name, source in named.items()
        },
        {**provenance_of_all(list(named.values())), **said},
        lower(next(iter(named.values())).kind(kind).takes, look),
    )
    with writing(output.parent, outputs) as written:
        written.write(drawn, look)


def _stem(name: str) -> str:
    """A name as part of a file's name."""
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
