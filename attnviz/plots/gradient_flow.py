"""Which way the gradient came back to each timestep of one sequence."""

from dataclasses import replace

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from attnviz.analysis import Statistic, one_sequence
from attnviz.analysis.flow import (
    FlowPlace,
    gradient_norm,
    largest_route_residual,
    route_cancellation,
    route_share,
)
from attnviz.plots.captions import cell_name, subtitle, truncation_note
from attnviz.plots.headings import Heading
from attnviz.plots.numbers import provenance_of
from attnviz.plots.options import PlotOptions
from attnviz.plots.strips import LineStrip, StackStrip, Strip
from attnviz.plots.styling import in_house_style
from attnviz.plots.timesteps import at_timesteps, overview_note, time_axis
from attnviz.plots.wrapped import draw_wrapped
from attnviz.trace import Trace, layer_groups

__all__ = ["flow_place", "gradient_flow_numbers", "plot_gradient_flow", "route_colour"]

_NORM_HEIGHT, _SHARE_HEIGHT = 0.42, 0.62
_SEEN = 0.005  # the least share that can be
_NAMES = {"hidden": "hidden state", "memory": "memory", "input": "input"}
# A route has the same colour for every cell: what goes through products is orange and red, what
# passes without is blue and green, what comes from outside grey.
_COLOURS = {
    "output": "0.75", "final_state": "0.55",
    "gates": "#E69F00", "update_gate": "#E69F00", "reset_gate": "#F0C75E",
    "candidate": "#D55E00", "query": "#CC79A7", "hidden": "#999933",
    "memory": "#0072B2", "carry": "#0072B2",
    "shortcut": "#009E73", "attention_value": "#009E73", "attention_key": "#88CCAA",
    "attention_score": "#88CCAA",
}  # fmt: skip
_OWN = ("#56B4E9", "#AA4499", "#117733", "#882255")


@in_house_style
def plot_gradient_flow(
    trace: Trace,
    *,
    sequence: int = 0,
    place: FlowPlace | None = None,
    group: str | None = None,
    tokens: tuple[int, int] | None = None,
    wrap: int = 60,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Draws the gradient that reaches each timestep, and the shares of the routes it came by.

    Above, the norm of the gradient on a logarithmic axis; below, the signed shares of the routes,
    which add up to one: what works against the whole stands below zero.

    Arguments:
        trace: Recorded with `gradients="routes"`, for the input with `"exits"`.
        sequence: Which sequence to draw.
        place: Where the gradient arrives; the input if the trace has it, where cells can be
            compared, else the hidden state.
        group: The layer and direction; the first that holds it if not given.
        tokens: First timestep and the one after the last; all of them if not given.
        wrap: Timesteps in a row at most.
        limits: Ends of the norm's axis, to compare figures.

    Returns:
        A figure of page width at most; in each row of tokens one Axes for the norm and one for
        the shares.

    Raises:
        KeyError: If the trace holds no routes.
        IndexError: If there is no such sequence.
        ValueError: If the range does not fit the sequence.
    """
    options = PlotOptions(sequence, group, None, tokens, wrap, limits)
    place = flow_place(trace) if place is None else place
    statistic = gradient_flow_numbers(trace, options, place=place)
    part = one_sequence(trace, sequence)
    where = group or _group_with(trace, place)
    norm = np.asarray(statistic.values["gradient_norm"].values)
    kappa = route_cancellation(part, place=place, group=group).values.values
    names = [str(name) for name in statistic.values["route"].values]
    shares = np.ascontiguousarray(statistic.values.values.T)
    carrying = [n for n in range(len(names)) if np.nanmax(np.abs(shares[n]), initial=0.0) > _SEEN]
    colours = [route_colour(names[n], n) for n in carrying]
    decades = _decades(norm) if limits is None else _above_zero(limits)
    strips: list[Strip] = [
        LineStrip(norm[None], decades, _NORM_HEIGHT, label="norm", logarithmic=True),
        StackStrip(shares[carrying], colours, _limits(shares), _SHARE_HEIGHT, label="share"),
    ]  # fmt: skip
    keys: list[tuple[Artist, str]] = [
        (Rectangle((0, 0), 1, 1, facecolor=colour, linewidth=0), names[n].replace("_", " "))
        for n, colour in zip(carrying, colours, strict=True)
    ]
    sums = [*_cancelling(kappa), *_residual(part, place, group), *_against(shares)]
    heading = Heading(
        f"Gradient at the {_NAMES[place]} of {cell_name(trace, where)}, by route",
        subtitle(trace, sequence, where, tokens=tokens),
        None,
        keys,
        [
            *([" ".join(sums)] if sums else []),
            *overview_note(trace, options),
            *truncation_note(trace, sequence),
        ],
        provenance=provenance_of(trace),
        limits=decades,
    )
    return draw_wrapped(strips, time=time_axis(statistic, trace, options), heading=heading)


def gradient_flow_numbers(
    trace: Trace, options: PlotOptions, *, place: FlowPlace | None = None
) -> Statistic:
    """The numbers of `plot_gradient_flow`: shares, lags of a route added up, and the norm.

    Arguments:
        trace: Recorded with `gradients="routes"`, for the input with `"exits"`.
        options: What to show.
        place: Where the gradient arrives, as in the plot.

    Returns:
        Shares, axes `(time, route)`, with the coordinates `timestep`, `token`, `route` and
        `gradient_norm`, of each timestep.
    """
    place = flow_place(trace) if place is None else place
    part = one_sequence(trace, options.sequence)
    shares = route_share(part, place=place, group=options.group)
    values = shares.values
    if "kind" in values.coords:
        kinds = list(dict.fromkeys(str(kind) for kind in values["kind"].values))
        summed = [values.isel(route=np.flatnonzero(values["kind"].values == k)) for k in kinds]
        both = np.stack([one.sum("route", skipna=False).values for one in summed], axis=-1)
        frame = values.isel(route=slice(len(kinds))).drop_vars(["kind", "lag"])
        values = frame.copy(data=both).assign_coords(route=np.array(kinds, dtype=object))
    found = at_timesteps(replace(shares, values=values), trace, options)
    norm = at_timesteps(gradient_norm(part, place=place, group=options.group), trace, options)
    curve = ("time", norm.values.values)
    return replace(found, values=found.values.assign_coords(gradient_norm=curve))


def flow_place(trace: Trace) -> FlowPlace:
    """The input where the trace has exits, else the hidden state."""
    held = {str(v) for group in layer_groups(trace) for v in trace.tree[group].data_vars}
    return "input" if "input_route_projection" in held else "hidden"


def route_colour(name: str, number: int) -> str:
    """The colour of a route: the same for every cell; of a cell of one's own by its place."""
    return _COLOURS.get(name.split(" ")[0], _OWN[number % len(_OWN)])


def _group_with(trace: Trace, place: str) -> str:
    return next(
        group
        for group in layer_groups(trace)
        if f"{place}_route_projection" in trace.tree[group].data_vars
    )


def _decades(values: np.ndarray) -> tuple[float, float]:
    """Whole decades around the positive values, three at least."""
    there = values[np.isfinite(values) & (values > 0)]
    if not there.size:
        return 0.1, 1.0
    low, high = np.floor(np.log10(there.min())), np.ceil(np.log10(there.max()))
    return float(10.0 ** min(low, high - 1)), float(10.0**high)


def _above_zero(limits: tuple[float, float]) -> tuple[float, float]:
    if not limits[0] > 0:
        raise ValueError(
            f"The norm's axis is logarithmic: its limits lie above 0, but limits is {limits}."
        )
    return limits


def _limits(shares: np.ndarray) -> tuple[float, float]:
    """Room for the shares, not for the few timesteps at which they are huge."""
    up, down = (np.nansum(np.clip(sign * shares, 0, None), axis=0) for sign in (1, -1))
    top, bottom = (float(np.nanpercentile(side, 98)) if side.size else 0.0 for side in (up, down))
    return -min(max(bottom, 0.05), 3.0) * 1.05, min(max(top, 1.0), 4.0) * 1.05


def _cancelling(kappa: np.ndarray) -> list[str]:
    """How much the routes cancel: a single one, or those that point the same way, do not."""
    shown = f"{np.nanmax(kappa, initial=1.0):.2g}"
    if shown == "1":
        return []
    return [f"The routes' norms add up to as much as κ = {shown} times the gradient's."]


def _against(shares: np.ndarray) -> list[str]:
    return ["Shares below zero work against the whole."] if (shares < -_SEEN).any() else []


def _residual(trace: Trace, place: FlowPlace, group: str | None) -> list[str]:
    if place == "input":
        return []
    residual = largest_route_residual(trace, place=place, group=group)
    return [f"Routes add up to the gradient but for {residual:.0e}."]
