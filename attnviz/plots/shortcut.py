"""What came back by each lag of a route: RRA's shortcut, or LARNN's attention."""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure

from attnviz.analysis import Statistic, one_sequence
from attnviz.analysis.flow import shortcut_share
from attnviz.analysis.selection import lagged_routes, step
from attnviz.plots.captions import cell_name, reads_backwards, subtitle, truncation_note
from attnviz.plots.headings import Heading
from attnviz.plots.numbers import provenance_of
from attnviz.plots.options import PlotOptions, chosen_lags
from attnviz.plots.scales import colour_scale
from attnviz.plots.strips import MapStrip
from attnviz.plots.styling import in_house_style
from attnviz.plots.timesteps import at_timesteps, overview_note, time_axis
from attnviz.plots.wrapped import draw_wrapped
from attnviz.trace import Trace, group_for, layer_groups, sequence_length

__all__ = ["plot_shortcut", "shortcut_numbers"]

_ROW_HEIGHT = 0.096  # inches: every lag can be numbered


@in_house_style
def plot_shortcut(
    trace: Trace,
    *,
    sequence: int = 0,
    route: str | None = None,
    group: str | None = None,
    tokens: tuple[int, int] | None = None,
    wrap: int = 60,
    limits: tuple[float, float] | None = None,
    lags: tuple[int, int] | None = None,
) -> Figure:
    """Draws what came back to each timestep by each lag of a route, of its whole gradient.

    A cell at timestep t and lag j is what came from timestep t + j; of a layer that reads
    backwards, from t − j. Red works against the whole.

    Arguments:
        trace: Recorded with `gradients="routes"`.
        sequence: Which sequence to draw.
        route: RRA's `shortcut`, LARNN's `attention_value` or `attention_key`; the first that the
            trace has if not given.
        group: The layer and direction; the first that holds it if not given.
        tokens: First timestep and the one after the last; all of them if not given.
        wrap: Timesteps in a row at most.
        limits: Ends of the colour scale, to compare figures.
        lags: First lag and the one after the last; all of them if not given.

    Returns:
        A figure of page width at most.

    Raises:
        KeyError: If the trace holds no route with lags.
        IndexError: If there is no such sequence.
        ValueError: If the range does not fit the sequence.
    """
    options = PlotOptions(sequence, group, None, tokens, wrap, limits, lags=lags)
    route = route or next(iter(lagged_routes(trace)), "shortcut")
    statistic = shortcut_numbers(trace, options, route=route)
    scale = colour_scale(statistic, limits=limits or _limits(statistic))
    rows = [str(lag) for lag in statistic.values["lag"].values]
    values = np.ascontiguousarray(statistic.values.values.T)
    where = group_for(trace, shares_of(trace, route), group)
    way, came, end = "later", "later", "after the end"
    if reads_backwards(trace, where):
        way, came, end = "earlier", "earlier, as this layer reads backwards", "before the start"
    heading = Heading(
        f"Gradient that came back by the {route.replace('_', ' ')} of {cell_name(trace, where)}",
        subtitle(trace, sequence, where, tokens=tokens),
        scale,
        [],
        [
            "Share of the gradient at the timestep that receives it; it came from the timestep "
            f"that many lags {came}; grey: {end}, or no gradient.",
            *overview_note(trace, options),
            *truncation_note(trace, sequence),
        ],
        provenance=provenance_of(trace),
    )
    strip = MapStrip(values, scale, rows, _ROW_HEIGHT * len(rows))
    time = time_axis(statistic, trace, options)
    return draw_wrapped([strip], time=time, heading=heading, row_label=f"lag (timesteps {way})")


def shortcut_numbers(trace: Trace, options: PlotOptions, *, route: str | None = None) -> Statistic:
    """The numbers of `plot_shortcut`: axes `(time, lag)`."""
    route = route or next(iter(lagged_routes(trace)), "shortcut")
    part = one_sequence(trace, options.sequence)
    shares = chosen_lags(shortcut_share(part, route=route, group=options.group), options)
    where = group_for(trace, shares_of(trace, route), options.group)
    taken = step(part, where)
    later = taken + shares.values["lag"] < sequence_length(trace, options.sequence)
    # Nothing comes from after the end: no value rather than a zero.
    return at_timesteps(replace(shares, values=shares.values.where(later)), trace, options)


def shares_of(trace: Trace, route: str) -> str:
    """The array that holds a route with lags."""
    for group in layer_groups(trace):
        data = trace.tree[group].dataset
        for place in ("hidden", "memory"):
            if route in data.coords.get(f"{place}_route_kind", ()):
                return f"{place}_route_projection"
    return "hidden_route_projection"


def _limits(statistic: Statistic) -> tuple[float, float]:
    """Of 98 % of the cells; where a gradient nearly vanishes its shares are huge."""
    there = np.abs(statistic.values.values[np.isfinite(statistic.values.values)])
    reach = float(np.percentile(there, 98)) if there.size else 0.0
    return -max(reach, 0.01), max(reach, 0.01)
