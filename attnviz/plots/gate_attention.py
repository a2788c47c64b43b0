"""The gate attention of one sequence: time×age, and what lies beyond."""

from dataclasses import replace

import numpy as np
from jaxtyping import UInt8
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from attnviz.analysis import (
    Statistic,
    gate_attention_parts,
    gate_attention_residual,
    one_sequence,
)
from attnviz.analysis.selection import step
from attnviz.plots.captions import cell_name, reads_backwards, subtitle, truncation_note
from attnviz.plots.headings import Heading
from attnviz.plots.numbers import provenance_of
from attnviz.plots.options import PlotOptions, chosen_lags, need
from attnviz.plots.scales import ColourScale, colour_scale
from attnviz.plots.strips import MapStrip, source_keys
from attnviz.plots.styling import in_house_style
from attnviz.plots.timesteps import at_timesteps, overview_note, time_axis
from attnviz.plots.wrapped import draw_wrapped
from attnviz.trace import SOURCE_MISSING, SOURCE_REAL, Trace

__all__ = ["gate_attention_numbers", "plot_gate_attention"]

_ROW_HEIGHT = 0.08


@in_house_style
def plot_gate_attention(
    trace: Trace,
    *,
    sequence: int = 0,
    group: str | None = None,
    tokens: tuple[int, int] | None = None,
    wrap: int = 60,
    limits: tuple[float, float] | None = None,
    lags: tuple[int, int] | None = None,
) -> Figure:
    """Draws how much of each earlier candidate the gates keep, by age, with the tokens below.

    The attention of a gated recurrence to its own past, exact with the gates held fixed. Two rows
    of their own show what lies beyond the last age, in grey on a scale of its own where it is more
    than all else, and on the initial state; the note below says how far all parts are from adding
    up to the state.

    Arguments:
        trace: Must hold `gate_attention`.
        sequence: Which sequence to draw.
        group: The layer and direction; the first that holds it if not given.
        tokens: First timestep and the one after the last; all of them if not given.
        wrap: Timesteps in a row at most.
        limits: Ends of the colour scale, to compare figures.
        lags: First age and the one after the last; all of them if not given.

    Returns:
        A figure of page width at most; in each row of tokens one Axes for the initial state, one
        for what lies beyond, one for the ages.

    Raises:
        KeyError: If the trace holds no `gate_attention`.
        IndexError: If there is no such sequence.
        ValueError: If the range does not fit the sequence.
    """
    options = PlotOptions(sequence, group, None, tokens, wrap, limits, lags=lags)
    group = need(trace, "gate_attention", group)
    statistic = gate_attention_numbers(trace, options)
    parts = [str(part) for part in statistic.values["part"].values]
    ages = [part for part in parts if part.isdigit()]
    holds = _before_start(trace, group, sequence, statistic)
    scale, beyond = _scales(statistic, limits)
    heading = Heading(
        f"Gate attention of {cell_name(trace, group)}: what is kept of each earlier candidate",
        subtitle(trace, sequence, group, tokens=tokens),
        scale,
        [*source_keys(holds, backwards=reads_backwards(trace, group)), *_beyond_key(scale, beyond)],
        [
            *_completeness(trace, group, sequence, statistic),
            *overview_note(trace, options),
            *truncation_note(trace, sequence),
        ],
        provenance=provenance_of(trace),
    )
    time = time_axis(statistic, trace, options)
    rest: list[list[str]] = [[part] for part in ("initial", "beyond") if part in parts]
    strips = [
        MapStrip(
            np.ascontiguousarray(statistic.values.sel(part=rows).values.T),
            beyond if rows == ["beyond"] else scale, rows, _ROW_HEIGHT * len(rows),
            holds=holds if rows == ages else None,
        )
        for rows in [*rest, ages]
    ]  # fmt: skip
    label = "age (timesteps since written, 0 = now)"
    return draw_wrapped(strips, time=time, heading=heading, row_label=label)


def gate_attention_numbers(trace: Trace, options: PlotOptions) -> Statistic:
    """The numbers of `plot_gate_attention`.

    Arguments:
        trace: Must hold `gate_attention`.
        options: What to show.

    Returns:
        Axes `(time, part)` with the coordinates `timestep`, `token` and `part`.
    """
    group = need(trace, "gate_attention", options.group)
    part = one_sequence(trace, options.sequence)
    parts = gate_attention_parts(part, group=group)
    if options.lags is not None:
        parts = _chosen_ages(parts, trace, group, options)
    return at_timesteps(parts, trace, options)


def _chosen_ages(parts: Statistic, trace: Trace, group: str, options: PlotOptions) -> Statistic:
    """The ages of the range, and what is no age."""
    by_age = replace(parts, values=trace.tree[group].dataset["age"])
    ages = {str(age) for age in chosen_lags(by_age, options, "age").values.values}
    names = [str(part) for part in parts.values["part"].values]
    kept = [n for n, part in enumerate(names) if part in ages or not part.isdigit()]
    return replace(parts, values=parts.values.isel(part=kept))


def _scales(
    statistic: Statistic, limits: tuple[float, float] | None
) -> tuple[ColourScale, ColourScale]:
    """The colours of ages and initial state, and of what lies beyond.

    An LSTM's memory may hold many times as much from beyond: on one scale the ages would be blank.
    """
    named = statistic.values["part"].values == "beyond"
    shared = replace(statistic, values=statistic.values.isel(part=np.flatnonzero(~named)))
    scale = colour_scale(shared, limits=limits)
    highest = float(np.nanmax(statistic.values.values[:, named], initial=0.0))
    if highest <= scale.highest:
        return scale, scale
    return scale, replace(scale, lowest=0.0, highest=highest, colours="Greys")


def _beyond_key(scale: ColourScale, beyond: ColourScale) -> list[tuple[Artist, str]]:
    if beyond is scale:
        return []
    patch = Rectangle((0.0, 0.0), 1.0, 1.0, facecolor="black", linewidth=0)
    return [(patch, f"“beyond” is grey: white 0, black {beyond.highest:.2g}")]


def _before_start(
    trace: Trace, group: str, sequence: int, statistic: Statistic
) -> UInt8[np.ndarray, "age time"]:
    taken = step(one_sequence(trace, sequence), group).values[0]
    parts = [str(part) for part in statistic.values["part"].values]
    age = np.array([int(part) for part in parts if part.isdigit()])[:, None]
    before = age > taken[statistic.values["timestep"].values]
    return np.where(before, SOURCE_MISSING, SOURCE_REAL).astype(np.uint8)


def _completeness(trace: Trace, group: str, sequence: int, statistic: Statistic) -> list[str]:
    highest = statistic.bounds[1] if statistic.bounds else np.inf
    total = "sum to one" if highest == 1 else "need not sum to one for this cell"
    notes = [f"“beyond” is older than the last age shown; ages, beyond and initial {total}."]
    if "gate_attention_residual" not in trace.tree[group].data_vars:
        return notes
    residual = gate_attention_residual(one_sequence(trace, sequence), group=group)
    return [
        *notes,
        "Weighted by them the candidates add up to the state, unit by unit, to within "
        f"{float(residual.values[0]):.1e} (largest residual of the sequence).",
    ]
