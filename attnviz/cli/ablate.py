"""`attnviz ablate`: what changes when attention cannot read something."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attnviz.cli.console import checked_output, hush, out, progress
from attnviz.cli.figure_options import command_line
from attnviz.cli.given import READABLE, read_given, read_usual
from attnviz.cli.measuring import Measured, Model, Seed, checked_result, counted, what_is_read
from attnviz.cli.reading import Source, told
from attnviz.cli.scripting import Quiet
from attnviz.cli.spreading import spread

if TYPE_CHECKING:
    import xarray as xr

    from attnviz.analysis.statistic import Statistic
    from attnviz.models import SequenceModel
    from attnviz.recording import Numbers, Running, Texts

Level = Annotated[
    Literal["lag", "step", "pair", "head", "feature"],
    typer.Option(help="What one edit takes away."),
]
Method = Annotated[
    Literal["zero", "remove", "mean", "resample", "uniform", "permute", "frozen"],
    typer.Option(help="What happens to it; some methods need --reference."),
]
Reference = Annotated[
    list[str] | None,
    typer.Option(
        help="A text that other values are taken from; of numbers and of ptb they come from the "
        "training split, of the adding problem from the other of validation and test."
    ),
]
Layer = Annotated[str | None, typer.Option(help="Layer and direction, such as l0.")]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write all effects to this .nc file.")
]
Figure = Annotated[Path | None, typer.Option(help="Draw them; the suffix says pdf, svg or png.")]

_FILES = ("--figure", "--output", "-o")
# A table with more rows than this shows the strongest effects only.
MOST_ROWS, STRONGEST = 40, 15


@spread
def ablate(  # noqa: PLR0913  (one parameter an option)
    model: Model,
    *,
    asked: Measured,
    level: Level = "lag",
    method: Method = "zero",
    reference: Reference = None,
    layer: Layer = None,
    seed: Seed = 0,
    output: Output = None,
    figure: Figure = None,
    quiet: Quiet = False,
) -> None:
    """Takes away what attention reads, inside the recurrence, and shows what changes.

    Both arms run step by step, so that an edit that changes nothing has no effect at all.

    Example: attnviz ablate rra-imdb --text "Slow, but wonderful to see again." --figure a.pdf

    Example: attnviz ablate rra-imdb --task imdb --level step -o effects.nc

    Example: attnviz ablate larnn-row-mnist --task row-mnist --level head

    Of ptb, the first pieces of 100 tokens are read, one after the other; the effect is on the mean
    loss of a piece's tokens.
    """
    from attnviz.pretrained import load_model
    from attnviz.replay import ablate as run

    hush(quiet, answering=output is None and figure is None)
    _check_files(output, figure)
    source = asked.source("validation", others=READABLE)
    loaded = load_model(model)
    given = read_given(loaded, source)
    usual = _usual(loaded, source, method, reference)
    with progress(f"ablating {loaded.name}") as advance:
        effects = run(
            loaded, given, level=level, method=method, reference=usual, group=layer, seed=seed,
            progress=advance,
        )  # fmt: skip
    effects = effects.assign_attrs(dict(given.about or {}))
    _show(effects, given)
    _write(effects, output, figure)


def _check_files(output: Path | None, figure: Path | None) -> None:
    """Refuses files that could not be written, before anything is read."""
    if figure is not None:
        checked_output(figure)
    if output is not None:
        checked_result(output)


def _usual(
    model: "SequenceModel", source: Source, method: str, reference: list[str] | None
) -> "list[str] | Numbers | Running | None":
    """What other values are taken from, where the method asks for some."""
    if source.task in READABLE and (reference or method in ("mean", "resample", "frozen")):
        return read_usual(model, source, reference)
    return reference


def _show(effects: "xr.Dataset", given: "Texts | Numbers | Running") -> None:
    """The mean effects as a table; of maps the strongest."""
    from rich.table import Table

    from attnviz.analysis.ablation import ablation_effect, measures_of
    from attnviz.plots.captions import FEW, interval_note

    telling, *fewer = measures_of(effects)
    first = ablation_effect(effects, measure=telling)
    others: dict[str, "Statistic"] = {
        name: ablation_effect(effects, measure=name) for name in fewer
    }
    axes = [str(axis) for axis in first.values.dims]
    flat = first.values.stack(edit=axes)
    table = Table(box=None, pad_edge=False)
    for name in [*axes, first.name, "95 % interval", *others]:
        table.add_column(name.replace("_", " "), justify="right")
    for place in _shown(flat):
        at = flat["edit"].values[place]
        where = dict(zip(axes, at if isinstance(at, tuple) else (at,), strict=True))
        unread = bool(first.values.sel(where).isnull())
        numbers = ["—"] * (2 + len(others)) if unread else _numbers(first, others, where)
        table.add_row(*map(str, where.values()), *numbers)
    count, long = effects.sizes["sequence"], flat.sizes["edit"] > MOST_ROWS
    out().print(
        f"{effects.attrs['model']}, layer {effects.attrs['group']}: mean over "
        f"{counted(count, given)}{told(effects.attrs)}, edited minus unedited"
        + (f", the {STRONGEST} strongest" if long else "")
    )
    for note in interval_note("intervals", [count]) if count < FEW else []:
        out().print(f"{note}.")
    out().print(table)
    if any(bool(flat[place].isnull()) for place in _shown(flat)):
        out().print(f"—: no {what_is_read(given)} is long enough to read this lag.")


def _shown(flat: "xr.DataArray") -> list[int]:
    """Which edits a table shows: all of them in order, or the strongest of many."""
    count = flat.sizes["edit"]
    if count <= MOST_ROWS:
        return list(range(count))
    strongest: list[int] = abs(flat.fillna(0)).values.argsort()[::-1][:STRONGEST].tolist()
    return strongest


def _numbers(
    first: "Statistic", others: "Mapping[str, Statistic]", where: Mapping[str, object]
) -> list[str]:
    """The effects of one edit: the most telling with its interval, and the others."""
    from attnviz.plots.captions import signed

    ends = ""
    if first.uncertainty is not None:
        low, high = first.uncertainty.sel(where).values
        ends = f"{signed(low, 3)} to {signed(high, 3)}"
    further = [signed(float(other.values.sel(where)), 3) for other in others.values()]
    return [signed(float(first.values.sel(where)), 3), ends, *further]


def _write(effects: "xr.Dataset", output: Path | None, figure: Path | None) -> None:
    from attnviz.store import save_effects

    if output is not None:
        save_effects(effects, output)
        out().print(f"{output}: all effects (attnviz.open_effects).")
    if figure is not None:
        _draw(effects, figure)


def _draw(effects: "xr.Dataset", path: Path) -> None:
    from attnviz.plots import plot_ablation, save_figure, style
    from attnviz.plots.numbers import options_of, versions

    with style("paper"):
        ax = plot_ablation(effects)
        names = ("model", "cell", "weights_digest", "level", "method", "group")
        said = {name: str(effects.attrs[name]) for name in names} | options_of(effects.attrs)
        command = command_line(*_without_files(sys.argv[1:]))
        save_figure(ax, path, provenance={**said, **versions(), "command": command})
    out().print(f"{path}: the effects with their intervals.")


def _without_files(words: list[str]) -> list[str]:
    """What was typed but for the files to write: the same figure says the same wherever it is."""
    kept, rest = [], iter(words)
    for word in rest:
        if word in _FILES:
            next(rest, None)
        elif not word.startswith(tuple(f"{name}=" for name in _FILES)):
            kept.append(word)
    return kept
