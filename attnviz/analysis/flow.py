"""Which way the gradient came back: norms and shares of the routes, and of their exits."""

from typing import Literal

import numpy as np
import xarray as xr
from jaxtyping import Float

from attnviz.analysis.resampling import of_sequences, ratio_of_sums, weigh_shares
from attnviz.analysis.selection import inside, lagged_routes, step
from attnviz.analysis.statistic import Statistic
from attnviz.trace import Trace, group_for, layer_groups

__all__ = [
    "FlowPlace",
    "gradient_norm",
    "largest_route_residual",
    "route_cancellation",
    "route_norm_by_distance",
    "route_share",
    "route_share_by_distance",
    "shortcut_share",
]

FlowPlace = Literal["hidden", "memory", "input"]
_NAMES = {"hidden": "hidden state", "memory": "memory", "input": "input"}
_PARTS = {"hidden": "routes", "memory": "routes", "input": "exits"}


def gradient_norm(
    trace: Trace, *, place: FlowPlace = "hidden", group: str | None = None
) -> Statistic:
    r"""The norm of the loss's gradient at every timestep, :math:`\|\partial L/\partial h_t\|`.

    Arguments:
        trace: Recorded with gradients; for `place="input"` with `gradients="exits"`.
        place: Where the gradient arrives: at the hidden state, the memory or the input.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(sequence, time)`, in units of the loss, never negative; NaN beyond the length.

    Raises:
        KeyError: If the trace does not hold it.
    """
    values = _variable(trace, place, "gradient_norm", group)
    name = f"norm of the gradient at the {_NAMES[place]}"
    return Statistic(name, values, "per unit of loss", (0.0, np.inf))


def route_share(trace: Trace, *, place: FlowPlace = "input", group: str | None = None) -> Statistic:
    r"""The signed share of each route in the gradient, at every timestep.

    .. math:: \langle g_r, g \rangle / \langle g, g \rangle

    Shares sum to one over the routes; a negative one works against the whole. At the states a
    route is the gradient that came back over this edge, and shares of different cells are not
    comparable; at the input every path leaves exactly once, and they are.

    Arguments:
        trace: Recorded with `gradients="routes"`, for the input with `"exits"`.
        place: Where the gradient arrives: at the hidden state, the memory or the input.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(sequence, time, route)`, without unit and without bounds; NaN where no gradient
        arrives and beyond the length.

    Raises:
        KeyError: If the trace does not hold them.
    """
    projections = _variable(trace, place, "route_projection", group)
    norms = _variable(trace, place, "gradient_norm", group)
    shares = _as_routes(projections / norms.where(norms > 0), place)
    return Statistic(f"share of the gradient at the {_NAMES[place]}", shares, "")


def route_cancellation(
    trace: Trace, *, place: FlowPlace = "input", group: str | None = None
) -> Statistic:
    r"""How much more the routes carry than the gradient that they add up to.

    .. math:: \kappa = \sum_r \|g_r\| / \|g\|

    Where it is far above 1, routes cancel, and shares are differences of large numbers.

    Arguments:
        trace: Recorded with `gradients="routes"`, for the input with `"exits"`.
        place: Where the gradient arrives.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(sequence, time)`, at least one; NaN where no gradient arrives.

    Raises:
        KeyError: If the trace does not hold it.
    """
    values = _variable(trace, place, "cancellation", group)
    return Statistic("cancellation", values, "times the gradient", (1.0, np.inf), "κ")


def route_norm_by_distance(
    trace: Trace, *, place: FlowPlace = "input", group: str | None = None
) -> Statistic:
    r"""The norm of the gradient and of its routes by distance from the sequence's end.

    .. math:: \sum_b \|g_{r,b}\| / \sum_b \|g_b(0)\|

    With a loss at the last timestep that is the distance from the loss. A layer that reads
    backwards ends at the first timestep. Sums are over the sequences that are long enough.

    Arguments:
        trace: Recorded with `gradients="routes"`, for the input with `"exits"`.
        place: Where the gradient arrives.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(distance, route)` with `all` as the first route, in units of the whole at distance
        0; with a bootstrap interval over sequences, if there are several.

    Raises:
        KeyError: If the trace does not hold them.
    """
    routes = _as_routes(_variable(trace, place, "route_norm", group), place)
    whole = _variable(trace, place, "gradient_norm", group).expand_dims(route=["all"], axis=-1)
    names = ["all", *(str(name) for name in routes["route"].values)]
    both = np.concatenate([whole.values, routes.values], axis=-1)
    norms = _by_distance(trace, group_for(trace, f"{place}_route_norm", group), both)
    found = ratio_of_sums(norms, np.broadcast_to(norms[:, :1, :1], norms.shape))
    of = Statistic(
        f"gradient at the {_NAMES[place]} by route", _labelled(norms, names),
        "of the whole at distance 0", (0.0, np.inf),
    )  # fmt: skip
    return of_sequences(of, found)


def route_share_by_distance(
    trace: Trace, *, place: FlowPlace = "input", group: str | None = None
) -> Statistic:
    r"""The signed share of each route by distance from the end, as a ratio of sums.

    .. math:: \sum_b \langle g_{r,b}, g_b \rangle / \sum_b \langle g_b, g_b \rangle

    Never a mean of ratios, which the smallest gradients would decide.

    Arguments:
        trace: Recorded with `gradients="routes"`, for the input with `"exits"`.
        place: Where the gradient arrives.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(distance, route)`, summing to one over the routes; NaN where no gradient arrives;
        with a bootstrap interval over sequences, if there are several.

    Raises:
        KeyError: If the trace does not hold them.
    """
    where = group_for(trace, f"{place}_route_projection", group)
    shares = route_share(trace, place=place, group=group).values
    norms = _by_distance(trace, where, gradient_norm(trace, place=place, group=group).values.values)
    parts = _by_distance(trace, where, shares.values)
    names = [str(name) for name in shares["route"].values]
    of = Statistic(f"share of the gradient at the {_NAMES[place]}", _labelled(parts, names), "")
    return of_sequences(of, weigh_shares(parts, norms))


def shortcut_share(trace: Trace, *, route: str = "shortcut", group: str | None = None) -> Statistic:
    r"""What came back to each state by each lag of a route, of its whole gradient.

    .. math:: \langle g_{r,j}, g \rangle / \langle g, g \rangle

    Arguments:
        trace: Recorded with `gradients="routes"`.
        route: One that has lags: RRA's `shortcut`, LARNN's `attention_key` or `attention_value`.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(sequence, time, lag)`: `time` is that of the state that receives the gradient, so
        that it came from timestep `time + lag`. NaN where no gradient arrives.

    Raises:
        KeyError: If the trace holds no routes, none of that name with lags, or no such group.
    """
    for place in ("hidden", "memory"):
        found = _lags_of(trace, place, route, group)
        if found is not None:
            name = f"share of the gradient at the {_NAMES[place]} by {route.replace('_', ' ')}"
            return Statistic(name, found, "")
    route_share(trace, place="hidden", group=group)  # raises where no routes were recorded
    held = lagged_routes(trace, group)
    raise KeyError(
        f"The trace of {trace.tree.attrs.get('cell', 'the cell')} holds no route {route!r} with "
        f"lags{'' if group is None else f' in {group}'}, "
        + (f"but {held}." if held else "nor another: none of the cell's routes has lags.")
    )


def largest_route_residual(
    trace: Trace, *, place: FlowPlace = "hidden", group: str | None = None
) -> float:
    """How far the routes are from adding up to the gradient, at most.

    Arguments:
        trace: Recorded with `gradients="routes"`.
        place: At the hidden state or the memory; at the input the whole is the sum.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        The largest ‖Σ g_r − g‖/‖g‖ over sequences and timesteps; NaN if no gradient arrives.
    """
    values = _variable(trace, place, "route_residual", group).values
    finite = values[np.isfinite(values)]
    return float(finite.max()) if finite.size else float("nan")


def _lags_of(trace: Trace, place: str, route: str, group: str | None) -> xr.DataArray | None:
    try:
        shares = route_share(trace, place=place, group=group).values  # type: ignore[arg-type]
    except KeyError:
        return None
    chosen = np.flatnonzero((shares["kind"].values == route) & (shares["lag"].values > 0))
    if not len(chosen):
        return None
    part = shares.isel(route=chosen)
    lags = part["lag"].values
    return part.drop_vars(["route", "kind", "lag"]).rename(route="lag").assign_coords(lag=lags)


def _variable(trace: Trace, place: str, name: str, group: str | None) -> xr.DataArray:
    key = f"{place}_{name}"
    try:
        where = group_for(trace, key, group)
    except KeyError as error:
        if group is not None and group not in layer_groups(trace):
            raise
        wanted = "norms" if name == "gradient_norm" and place != "input" else _PARTS[place]
        raise KeyError(
            f"The trace does not hold {key!r}{'' if group is None else f' in {group}'}. Record "
            f"with gradients={wanted!r} (attnviz record --gradients {wanted}), in eval mode; "
            "a memory has only a cell that declares one."
        ) from error
    found: xr.DataArray = trace.tree[where].dataset[key].load()
    return found


def _as_routes(values: xr.DataArray, place: str) -> xr.DataArray:
    """The route axis by the name `route`, whatever the place."""
    axis = f"{place}_route"
    names = {axis: "route", f"{axis}_kind": "kind", f"{axis}_lag": "lag"}
    held = {old: new for old, new in names.items() if old in values.coords or old in values.dims}
    return values.rename(held)


def _by_distance(trace: Trace, group: str, values: np.ndarray) -> np.ndarray:
    """`(sequence, time, ...)` by the distance from the timestep a direction reads last."""
    taken, there = step(trace, group).values, inside(trace, group).values
    lengths = trace.tree.dataset["length"].values
    turned = np.full_like(values, np.nan)
    row, time = np.nonzero(there)
    turned[row, lengths[row] - 1 - taken[row, time]] = values[row, time]
    return turned[:, : int(lengths.max())]


def _labelled(
    values: Float[np.ndarray, "sequence distance route"], routes: list[str]
) -> xr.DataArray:
    distances, names = np.arange(values.shape[1]), np.array(routes, dtype=object)
    dims = ("sequence", "distance", "route")
    return xr.DataArray(values, {"distance": distances, "route": names}, dims)
