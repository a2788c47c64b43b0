"""Time×lag maps of one sequence, drawn alike for attention and contributions."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import UInt8

from attnviz.analysis import (
    Statistic,
    attention_map,
    choose_head,
    contribution_norm,
    head_mean,
    one_sequence,
)
from attnviz.plots.captions import cell_name, reads_backwards, subtitle, truncation_note
from attnviz.plots.figures import PaperFigure
from attnviz.plots.headings import Heading
from attnviz.plots.numbers import provenance_of
from attnviz.plots.options import FEWEST_LAGS, PlotOptions, chosen_lags, need
from attnviz.plots.scales import beyond_scale, colour_scale
from attnviz.plots.strips import MapStrip, source_keys
from attnviz.plots.styling import in_house_style
from attnviz.plots.timesteps import at_timesteps, bin_size, overview_note, time_axis
from attnviz.plots.wrapped import draw_wrapped
from attnviz.trace import SOURCE_MISSING, SOURCE_REAL, Trace, source_kind

__all__ = ["draw_lag_map", "lag_numbers"]

_MOST_HEADS = 6
_HARDLY = 1.05  # times the highest of whole windows
_PAGE_HEIGHT, _LABELS = 8.4, 0.7  # inches for all rows; of each row for the tokens
_OF: dict[str, Callable[[Trace, str], Statistic]] = {
    "attention": lambda trace, group: attention_map(trace, group=group),
    "contribution": lambda trace, group: contribution_norm(trace, group=group),
}


def lag_numbers(trace: Trace, name: str, options: PlotOptions) -> Statistic:
    """The numbers of a time×lag map.

    Arguments:
        trace: Must hold the signal.
        name: `attention` or `contribution`.
        options: What to show.

    Returns:
        Axes `(time, head, lag)` with the coordinates `timestep`, `token` and `holds(time, lag)`
        (what stands there: `real`, `initial` or `missing`; of a bin, at its first timestep).
        Lags after the tenth that reach before the start at every timestep are left out, unless
        they are asked for.
    """
    group = need(trace, name, options.group)
    part = one_sequence(trace, options.sequence)
    whole = _OF[name](part, group)
    reached = options if options.lags is not None else replace(options, lags=_reached(part, group))
    statistic = chosen_lags(whole, reached)
    heads = statistic.values.sizes["head"]
    if "head" not in statistic.values.coords:
        statistic = replace(statistic, values=statistic.values.assign_coords(head=np.arange(heads)))
    if options.head is not None:
        statistic = choose_head(statistic, options.head)
    elif heads > _MOST_HEADS:
        statistic = head_mean(statistic)
    statistic = at_timesteps(statistic, trace, options)
    names = np.array(["real", "initial", "missing"])[_holds(trace, group, statistic, options)]
    return replace(statistic, values=statistic.values.assign_coords(holds=(("time", "lag"), names)))


@in_house_style
def draw_lag_map(
    trace: Trace, name: str, options: PlotOptions, *, title: str, notes: list[str]
) -> PaperFigure:
    """Draws a time×lag map, a strip for each head, wrapped into rows.

    Arguments:
        trace: Must hold the signal.
        name: `attention` or `contribution`.
        options: What to show.
        title: What is shown; the cell's name stands for `{cell}`.
        notes: What else a reader must know.

    Returns:
        The figure.
    """
    statistic = lag_numbers(trace, name, options)
    group = need(trace, name, options.group)
    values = statistic.values
    holds = np.ascontiguousarray(_holds(trace, group, statistic, options).T)
    time = time_axis(statistic, trace, options)
    scaling = _full_windows(statistic, holds)
    # Where all lags get the same, the map is to be neither blank nor full.
    twice_uniform = min(1.0, 2 / values.sizes["lag"]) if name == "attention" else 0.0
    scale = colour_scale(scaling, limits=options.limits, at_least=twice_uniform)
    lags = [str(lag) for lag in values["lag"].values]
    height = _strip_height(len(lags), values.sizes["head"], len(time.rows))
    strips = [
        MapStrip(
            np.ascontiguousarray(values.isel(head=index).values.T), scale, lags, height,
            label=_head_label(trace, group, statistic, index), holds=holds,
        )
        for index in range(values.sizes["head"])
    ]  # fmt: skip
    back = not reads_backwards(trace, group)
    short = f"timesteps with less than a whole window {'behind' if back else 'ahead of'} them"
    kind = ", overview" if bin_size(trace, options) > 1 else ""
    heading = Heading(
        title.format(cell=cell_name(trace, group)) + kind,
        subtitle(trace, options.sequence, group, tokens=options.tokens),
        scale,
        source_keys(holds, backwards=not back),
        [
            *notes,
            *beyond_scale(statistic, scaling, scale, where=short),
            *_left_out(trace, group, options, lags),
            *overview_note(trace, options),
            *truncation_note(trace, options.sequence),
        ],
        provenance=provenance_of(trace),
    )
    row_label = f"lag (timesteps {'back' if back else 'ahead: this layer reads backwards'})"
    return draw_wrapped(strips, time=time, heading=heading, row_label=row_label)


def _reached(part: Trace, group: str) -> tuple[int, int] | None:
    """The range of lags at which something stands at some timestep, but ten lags at least."""
    there = (source_kind(part, group, 0) != SOURCE_MISSING).any("time").values
    lags = part.tree[group].coords["lag"].values
    shown = lags[: max(FEWEST_LAGS, 1 + int(np.flatnonzero(there).max(initial=-1)))]
    return (int(shown.min()), int(shown.max()) + 1) if shown.size else None


def _left_out(trace: Trace, group: str, options: PlotOptions, shown: Sequence[str]) -> list[str]:
    """A note where lags of the cell are not shown because this sequence never reaches them."""
    lags = trace.tree[group].coords["lag"].values
    if options.lags is not None or len(shown) == len(lags):
        return []
    beyond = "beyond its end" if reads_backwards(trace, group) else "before its start"
    return [f"Lags above {shown[-1]} (up to {lags.max()}) reach {beyond} throughout."]


def _full_windows(statistic: Statistic, holds: UInt8[np.ndarray, "lag time"]) -> Statistic:
    """What the colours are scaled to: timesteps whose lags all hold a real state, if any do.

    The first timesteps share the same total among few states; scaled to them, a map is pale. Where
    they reach hardly higher than the rest, all count.
    """
    full = (holds == SOURCE_REAL).all(axis=0)
    if full.sum() < 2:  # as where every earlier timestep has a lag
        return statistic
    part = replace(statistic, values=statistic.values.isel(time=np.flatnonzero(full)))
    highest, all_of_it = (
        np.nanmax(np.abs(one.values.values), initial=0.0) for one in (part, statistic)
    )
    return statistic if all_of_it <= _HARDLY * highest else part


def _holds(
    trace: Trace, group: str, statistic: Statistic, options: PlotOptions
) -> UInt8[np.ndarray, "time lag"]:
    lags = statistic.values["lag"].values
    kinds = source_kind(trace, group, options.sequence).sel(lag=lags).values
    return np.asarray(kinds[statistic.values["timestep"].values])


def _strip_height(lags: int, heads: int, rows: int) -> float:
    fitting = (_PAGE_HEIGHT / rows - _LABELS) / (heads * lags)
    return lags * float(np.clip(fitting, 0.035 if lags <= 12 else 0.02, 0.096))


def _head_label(trace: Trace, group: str, statistic: Statistic, index: int) -> str:
    if "head" not in statistic.values.coords or trace.tree[group].sizes["head"] == 1:
        return ""
    return f"head {statistic.values['head'].values[index]}"
