"""The effect of ablations: by lag, for pairs of lags, and against what was read."""

from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from attnviz.analysis import Statistic
from attnviz.analysis.ablation import (
    Measure,
    ablation_effect,
    effect_against,
    measure_label,
    measures_of,
    pair_interaction,
)
from attnviz.plots.axes import (
    axes_to_draw_on,
    legend_beside,
    number_logarithm,
    number_small,
    write_title,
)
from attnviz.plots.captions import counted, interval_note
from attnviz.plots.sizes import PAGE, enlarged, look
from attnviz.plots.styling import cycle_colour, of_what_is_open

__all__ = ["Against", "plot_ablation", "plot_effect_against"]

Against = Literal["attention", "contribution"]

_WIDTH, _HEIGHT = 0.7 * PAGE, 2.7
_MANY = 2000  # points that are to be told apart in a cloud
_METHODS = {
    "zero": "weight 0", "remove": "score −∞", "mean": "mean value", "resample": "another value",
    "uniform": "equal weights", "permute": "shuffled weights", "frozen": "mean weights",
}  # fmt: skip


@of_what_is_open
def plot_ablation(
    effects: xr.Dataset, *, measure: Measure | None = None, ax: Axes | None = None
) -> Axes:
    """Draws what changes when attention cannot read a lag.

    Single lags are points with their bootstrap interval over sequences, one colour a head; pairs
    a map of what they do beyond their single effects; single timesteps a map of the mean effect;
    RAU's features a line.

    Arguments:
        effects: As `attnviz.ablate` gives them.
        measure: The logit margin of the class, its probability, or the loss; the first of these
            that there is if not given.
        ax: Where to draw; a new figure if not given.

    Returns:
        The Axes.

    Raises:
        KeyError: If the dataset holds no such effects.
    """
    statistic = ablation_effect(effects, measure=measure)
    axes = {str(axis) for axis in statistic.values.dims}
    if "other_lag" in axes:
        statistic = pair_interaction(effects, measure=measure)
    map_of = {"other_lag": "other lag", "time": "timestep"}
    across = next((map_of[axis] for axis in map_of if {axis, "lag"} <= axes), None)
    note = _note(effects, points=across is None)
    ahead = str(effects.attrs.get("group")).endswith("_reverse")
    lag = f"lag (timesteps {'ahead' if ahead else 'back'})"
    with axes_to_draw_on(ax, _WIDTH, _HEIGHT) as drawn:
        write_title(drawn, _title(axes), note)  # before a colour bar takes its room
        if across is None:
            _draw_points(drawn, statistic, lag)
        else:
            _draw_map(drawn, statistic, across, lag)
    return drawn


@of_what_is_open
def plot_effect_against(
    effects: xr.Dataset,
    *,
    against: Against = "contribution",
    measure: Measure | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draws the size of each effect against what was read, one point a timestep and lag.

    Arguments:
        effects: Of `attnviz.ablate(..., level="step")`.
        against: The weight, or the norm of weight times value.
        measure: Whose effect; the first of margin, probability and loss that there is if not given.
        ax: Where to draw; a new figure if not given.

    Returns:
        The Axes, both logarithmic, with the mean rank correlation within sequences and its
        interval.

    Raises:
        KeyError: If the effects are not by timestep and lag.
        ValueError: If the weights are the same at every timestep, or nothing varies.
    """
    measure = measure or measures_of(effects)[0]
    rho = effect_against(effects, against=against, measure=measure)
    if not np.isfinite(rho.values).any():
        raise ValueError(
            "In none of these sequences do effects and weights vary over three timesteps and lags, "
            "so there is no correlation to draw. Give longer texts."
        )
    size = np.abs(effects[against].values).ravel()
    effect = np.abs(effects[f"{measure}_effect"].values).ravel()
    there = np.isfinite(size) & np.isfinite(effect) & (size > 0) & (effect > 0)
    mean = float(np.nanmean(rho.values.values))
    said = [f"mean rank correlation within a sequence ρ = {mean:.2f}"]
    if rho.uncertainty is not None:
        low, high = rho.uncertainty.values[0]
        sequences = rho.values.sizes["sequence"]
        said[0] += f" [{low:.2f}, {high:.2f}], {counted(sequences, 'sequence')}"
        said += interval_note("interval", [sequences])
    with axes_to_draw_on(ax, _WIDTH, _HEIGHT) as drawn:
        count = max(1, int(there.sum()))
        fewer = max(1.0, _MANY / count)  # the fewer, the larger and darker
        drawn.plot(
            size[there], effect[there], ".", color=cycle_colour(0), markeredgewidth=0,
            gid="effects", markersize=enlarged(min(5.5, 2.5 * fewer**0.5)),
            alpha=min(0.6, 0.35 * fewer**0.25), rasterized=count > 5000,
        )  # fmt: skip
        drawn.set_xscale("log")
        drawn.set_yscale("log")
        number_logarithm(drawn.xaxis)
        number_logarithm(drawn.yaxis)
        of = "weight" if against == "attention" else "norm"
        drawn.set_xlabel(f"{against} ({of}, mean over heads)")
        name, unit = measure_label(effects, measure)
        drawn.set_ylabel(f"|effect on the {name}|{f' ({unit})' if unit else ''}")
        note = " · ".join([str(effects.attrs.get("model")), *said])
        write_title(drawn, "Does what is read more matter more?", note)
    return drawn


def _title(axes: set[str]) -> str:
    """What one edit did: an axis that is there was gone through one by one."""
    if "other_lag" in axes:
        return "Pairs of lags beyond their single effects"
    when = "at one timestep" if "time" in axes else "at all timesteps"
    of = " of a head" if "head" in axes else ""
    one = next((name for name in ("lag", "feature") if name in axes), None)
    return f"All weights{of} changed {when}" if one is None else f"One {one}{of} taken away {when}"


def _draw_points(ax: Axes, statistic: Statistic, lag: str) -> None:
    values = statistic.values
    axis = next(a for a in ("lag", "feature", "time", "head") if a in values.dims)
    place = values[axis].values if axis in values.coords else np.arange(values.sizes[axis])
    by_head = "head" in values.dims and axis != "head"
    heads = values.sizes["head"] if by_head else 1
    for head in range(heads):
        part = values.isel(head=head) if by_head else values
        offset = (head - (heads - 1) / 2) * 0.6 / heads if heads > 1 else 0.0
        interval = None
        if statistic.uncertainty is not None:
            ends = statistic.uncertainty
            ends = ends.isel(head=head) if by_head else ends
            interval = np.abs(ends.values.T - part.values)
        ax.errorbar(
            place + offset, part.values, yerr=interval, fmt="o", markersize=enlarged(3.0),
            color=cycle_colour(head), elinewidth=enlarged(0.9),
            label=f"head {head}" if heads > 1 else None,
        )  # fmt: skip
    ax.axhline(0.0, color="0.3", linewidth=enlarged(0.5))
    names = {"lag": lag, "time": "timestep"}
    ax.set_xlabel(names.get(axis, axis))
    ax.set_ylabel(statistic.label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    number_small(ax.yaxis)
    if heads > 1:
        legend_beside(ax)


def _draw_map(ax: Axes, statistic: Statistic, across: str, lag: str) -> None:
    values = statistic.values.values
    values = values.T if across == "timestep" else values
    reach = float(np.nanmax(np.abs(values))) or 1.0
    lags = statistic.values["lag"].values
    image = ax.imshow(
        values, cmap=look().colours or "RdBu", vmin=-reach, vmax=reach, origin="lower",
        aspect="auto", interpolation="nearest",
    )  # fmt: skip
    ax.set_yticks(range(len(lags)), [str(lag) for lag in lags])
    if across == "timestep":
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        ax.set_xticks(range(len(lags)), [str(lag) for lag in lags])
    ax.set_xlabel(f"other {lag}" if across == "other lag" else across)
    ax.set_ylabel(lag)
    bar = ax.figure.colorbar(image, ax=ax, label=statistic.label, fraction=0.046, pad=0.02)
    number_small(bar.ax.yaxis)


def _note(effects: xr.Dataset, *, points: bool) -> str:
    attrs, method = effects.attrs, str(effects.attrs.get("method"))
    parts = [
        str(attrs.get("model")),
        f"layer {attrs.get('group')}",
        _METHODS.get(method, method),
        counted(effects.sizes["sequence"], "sequence"),
    ]
    parts += interval_note("intervals", [effects.sizes["sequence"]]) if points else []
    return " · ".join(parts)
