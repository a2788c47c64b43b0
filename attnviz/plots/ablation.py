"""The effect of ablations: by lag, for pairs of lags, and against what was read."""

from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from attnviz.analysis import Statistic
from attnviz.analysis.ablation import Measure, ablation_effect, effect_against, pair_interaction
from attnviz.plots.styling import GREY, NOTE_SIZE, PAGE

__all__ = ["plot_ablation", "plot_effect_against"]

_METHODS = {
    "zero": "weight 0", "remove": "score −∞", "mean": "mean value", "resample": "another value",
    "uniform": "equal weights", "permute": "shuffled weights", "frozen": "mean weights",
}  # fmt: skip


def plot_ablation(
    effects: xr.Dataset, *, measure: Measure = "margin", ax: Axes | None = None
) -> Axes:
    """Draws what changes when attention cannot read a lag.

    Single lags are points with their bootstrap interval over sequences, one colour a head; pairs
    a map of what they do beyond their single effects; single timesteps a map of the mean effect;
    RAU's features a line.

    Arguments:
        effects: As `attnviz.ablate` gives them.
        measure: The logit margin of the class, its probability, or the loss.
        ax: Where to draw; a new figure if not given.

    Returns:
        The Axes.

    Raises:
        KeyError: If the dataset holds no such effects.
    """
    ax = _new_axes() if ax is None else ax
    level = str(effects.attrs.get("level"))
    if level == "pair":
        statistic = pair_interaction(effects, measure=measure)
        _draw_map(ax, statistic, "other lag", "lag", "Pairs of lags beyond their single effects")
    elif level == "step" and "lag" in effects[f"{measure}_effect"].dims:
        statistic = ablation_effect(effects, measure=measure)
        _draw_map(ax, statistic, "timestep", "lag", "One lag taken away at one timestep")
    else:
        statistic = ablation_effect(effects, measure=measure)
        _draw_points(ax, statistic, _title(effects, statistic))
    _note(ax, effects, statistic)
    return ax


def plot_effect_against(
    effects: xr.Dataset,
    *,
    against: Literal["attention", "contribution"] = "contribution",
    measure: Measure = "margin",
    ax: Axes | None = None,
) -> Axes:
    """Draws the size of each effect against what was read, one point a timestep and lag.

    Arguments:
        effects: Of `attnviz.ablate(..., level="step")`.
        against: The weight, or the norm of weight times value.
        measure: Whose effect.
        ax: Where to draw; a new figure if not given.

    Returns:
        The Axes, both logarithmic, with the mean rank correlation within sequences and its
        interval.

    Raises:
        KeyError: If the effects are not by timestep and lag.
        ValueError: If the weights are the same at every timestep, or nothing varies.
    """
    rho = effect_against(effects, against=against, measure=measure)
    if not np.isfinite(rho.values).any():
        raise ValueError(
            "In none of these sequences do effects and weights vary over three timesteps and lags, "
            "so there is no correlation to draw. Give longer texts."
        )
    ax = _new_axes() if ax is None else ax
    size = np.abs(effects[against].values).ravel()
    effect = np.abs(effects[f"{measure}_effect"].values).ravel()
    there = np.isfinite(size) & np.isfinite(effect) & (size > 0) & (effect > 0)
    ax.plot(
        size[there], effect[there], ".", color="C0", markersize=2.5, alpha=0.35,
        markeredgewidth=0, gid="effects", rasterized=int(there.sum()) > 5000,
    )  # fmt: skip
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(f"{against} (mean over heads)")
    ax.set_ylabel(f"|effect on the {measure}|")
    ax.set_title("Does what is read more matter more?", loc="left", pad=14)
    mean = float(np.nanmean(rho.values.values))
    said = f"mean rank correlation within a sequence ρ = {mean:.2f}"
    if rho.uncertainty is not None:
        low, high = rho.uncertainty.values[0]
        said += f" [{low:.2f}, {high:.2f}], {rho.values.sizes['sequence']} sequences"
    _below_title(ax, f"{effects.attrs.get('model')} · {said}")
    return ax


def _title(effects: xr.Dataset, statistic: Statistic) -> str:
    """What was done, by the method and the axes that are left."""
    method, axes = str(effects.attrs.get("method")), statistic.values.dims
    if method in ("uniform", "permute", "frozen"):
        when = "at one timestep" if "time" in axes else "at all timesteps"
        return f"All weights of a head changed {when}"
    what = "One feature" if "feature" in axes else "One lag"
    return f"{what} taken away at all timesteps"


def _draw_points(ax: Axes, statistic: Statistic, title: str) -> None:
    values = statistic.values
    axis = next(a for a in ("lag", "feature", "time", "head") if a in values.dims)
    place = values[axis].values if axis in values.coords else np.arange(values.sizes[axis])
    heads = values.sizes.get("head", 1) if axis != "head" else 1
    for head in range(heads):
        part = values.isel(head=head) if heads > 1 else values
        offset = (head - (heads - 1) / 2) * 0.6 / heads if heads > 1 else 0.0
        interval = None
        if statistic.uncertainty is not None:
            ends = statistic.uncertainty
            ends = ends.isel(head=head) if heads > 1 else ends
            interval = np.abs(ends.values.T - part.values)
        ax.errorbar(
            place + offset, part.values, yerr=interval, fmt="o", markersize=3, color=f"C{head % 7}",
            elinewidth=0.9, label=f"head {head}" if heads > 1 else None,
        )  # fmt: skip
    ax.axhline(0.0, color="0.3", linewidth=0.5)
    names = {"lag": "lag (timesteps back)", "time": "timestep"}
    ax.set_xlabel(names.get(axis, axis))
    ax.set_ylabel(statistic.label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_title(title, loc="left", pad=14)
    if heads > 1:
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0.0)


def _draw_map(ax: Axes, statistic: Statistic, across: str, up: str, title: str) -> None:
    values = statistic.values.values
    values = values.T if across == "timestep" else values
    reach = float(np.nanmax(np.abs(values))) or 1.0
    lags = statistic.values["lag"].values
    image = ax.imshow(
        values, cmap="RdBu", vmin=-reach, vmax=reach, origin="lower", aspect="auto",
        interpolation="nearest",
    )  # fmt: skip
    ax.set_yticks(range(len(lags)), [str(lag) for lag in lags])
    if across != "timestep":
        ax.set_xticks(range(len(lags)), [str(lag) for lag in lags])
    ax.set_xlabel(f"{across} (timesteps back)" if across == "other lag" else across)
    ax.set_ylabel(f"{up} (timesteps back)")
    ax.figure.colorbar(image, ax=ax, label=statistic.label, fraction=0.046, pad=0.02)
    ax.set_title(title, loc="left", pad=14)


def _note(ax: Axes, effects: xr.Dataset, statistic: Statistic) -> None:
    attrs, count = effects.attrs, effects.sizes["sequence"]
    parts = [
        str(attrs.get("model")),
        f"layer {attrs.get('group')}",
        _METHODS.get(str(attrs.get("method")), str(attrs.get("method"))),
        f"{count} sequence{'' if count == 1 else 's'}",
    ]
    if (
        statistic.uncertainty is not None
        and statistic.values.ndim < 3
        and "end" in str(statistic.uncertainty.dims)
    ):
        parts += ["95 % bootstrap intervals"] if "o" in _markers(ax) else []
    _below_title(ax, " · ".join(parts))


def _markers(ax: Axes) -> set[str]:
    return {str(line.get_marker()) for line in ax.lines}


def _below_title(ax: Axes, text: str) -> None:
    ax.text(
        0, 1.02, text, transform=ax.transAxes, size=NOTE_SIZE, color=GREY, va="bottom",
        parse_math=False,
    )  # fmt: skip


def _new_axes() -> Axes:
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(0.7 * PAGE, 2.7), layout="constrained")
    return ax
