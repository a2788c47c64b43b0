"""How far back influence reaches, timestep by timestep: shares, mean and median lag, half-life.

The datasets are those of `attnviz.replacement_influence` and `attnviz.linear_influence`.
"""

from collections.abc import Callable
from typing import TypeGuard

import numpy as np
import xarray as xr
from jaxtyping import Float

from attnviz.analysis.statistic import Statistic

__all__ = [
    "half_life",
    "influence_half_life",
    "influence_map",
    "influence_mass_beyond",
    "influence_mean_lag",
    "influence_median_lag",
    "influence_share",
    "median_lag",
    "needs_influence",
]

_NEEDED = {"influence", "timestep", "length"}


def influence_map(influence: xr.Dataset) -> Statistic:
    """The influence as it was measured, by lag.

    Arguments:
        influence: Of `replacement_influence` or `linear_influence`.

    Returns:
        Axes `(sequence, time, lag)`, never negative, in the dataset's unit; the uncertainty is the
        standard error where anything was drawn. NaN at lags before the first timestep.

    Raises:
        TypeError: If this is no dataset of influence.
    """
    needs_influence(influence, "influence_map")
    linear = influence.attrs["kind"] == "linear"
    return Statistic(
        "linearised influence" if linear else "influence",
        influence["influence"],
        str(influence.attrs["unit"]),
        bounds=(0.0, np.inf),
        symbol="E²" if linear else "V",
        uncertainty=influence.get("standard_error"),
        uncertainty_of=_error_of(influence),
    )


def influence_share(influence: xr.Dataset) -> Statistic:
    r"""The share of each lag in the influence on a timestep.

    .. math:: v_t(j) = V_t(j) / \textstyle\sum_{\text{reachable } i} V_t(i)

    Arguments:
        influence: Of `replacement_influence` or `linear_influence`.

    Returns:
        Axes `(sequence, time, lag)`, shares that sum to one; the uncertainty is the standard error
        where anything was drawn. NaN at lags before the first timestep, and throughout where
        nothing has influence.

    Raises:
        TypeError: If this is no dataset of influence.
    """
    needs_influence(influence, "influence_share")
    return Statistic(
        "influence",
        _shares(influence),
        "share",
        bounds=(0.0, 1.0),
        symbol="v",
        uncertainty=influence.get("share_standard_error"),
        uncertainty_of=_error_of(influence),
    )


def influence_mean_lag(influence: xr.Dataset) -> Statistic:
    r"""How far back influence reaches, on average: :math:`\sum_j j\, v_t(j)`.

    Arguments:
        influence: Of `replacement_influence` or `linear_influence`.

    Returns:
        Axes `(sequence, time)`, in timesteps, never negative. NaN where nothing has influence.

    Raises:
        TypeError: If this is no dataset of influence.
    """
    needs_influence(influence, "influence_mean_lag")
    shares = _shares(influence)
    values = (shares * shares["lag"]).sum("lag").where(shares.notnull().any("lag"))
    return Statistic("mean lag of influence", values, "timesteps", bounds=(0.0, np.inf))


def influence_median_lag(influence: xr.Dataset) -> Statistic:
    """The least lag up to which at least half of the influence lies.

    Arguments:
        influence: Of `replacement_influence` or `linear_influence`.

    Returns:
        Axes `(sequence, time)`, in whole timesteps, never negative. NaN where nothing has
        influence.

    Raises:
        TypeError: If this is no dataset of influence.
    """
    needs_influence(influence, "influence_median_lag")
    values = _by_curve(median_lag, _shares(influence))
    return Statistic("median lag of influence", values, "timesteps", bounds=(0.0, np.inf))


def influence_mass_beyond(influence: xr.Dataset, lag: int) -> Statistic:
    r"""The share of the influence from further back than a lag: :math:`\sum_{j > k} v_t(j)`.

    Arguments:
        influence: Of `replacement_influence` or `linear_influence`.
        lag: Counts what lies further back than this many timesteps.

    Returns:
        Axes `(sequence, time)`, a share between 0 and 1; 0 where no such lag is reachable. NaN
        where nothing has influence.

    Raises:
        TypeError: If this is no dataset of influence.
    """
    needs_influence(influence, "influence_mass_beyond")
    shares = _shares(influence)
    beyond = shares.where(shares["lag"] > lag).sum("lag").where(shares.notnull().any("lag"))
    return Statistic(f"influence beyond lag {lag}", beyond, "share", bounds=(0.0, 1.0))


def influence_half_life(influence: xr.Dataset) -> Statistic:
    r"""How many timesteps further back than its peak the influence has first halved.

    With lines through :math:`\ln V_t(j)`, so that :math:`V_t(j) = V r^j` gives
    :math:`\ln 2 / (-\ln r)`. A noisy curve crosses too early: prefer that of a profile.

    Arguments:
        influence: Of `replacement_influence` or `linear_influence`.

    Returns:
        Axes `(sequence, time)`, in timesteps, never negative. NaN where the influence does not
        halve at reachable lags, or there is none.

    Raises:
        TypeError: If this is no dataset of influence.
    """
    needs_influence(influence, "influence_half_life")
    values = _by_curve(half_life, influence["influence"])
    return Statistic("half-life of influence", values, "timesteps", bounds=(0.0, np.inf))


def needs_influence(given: object, who: str) -> None:
    """Refuses what is no dataset of influence.

    Arguments:
        given: What a caller passed.
        who: Who needs it.

    Raises:
        TypeError: If it is something else, or lacks a variable.
    """
    if _is_influence(given):
        return
    held = sorted(map(str, given.data_vars)) if isinstance(given, xr.Dataset) else type(given)
    raise TypeError(
        f"{who} needs a dataset of attnviz.replacement_influence or attnviz.linear_influence, with "
        f"{sorted(_NEEDED)} and the attributes 'kind' and 'unit', but got {held}."
    )


def median_lag(curve: Float[np.ndarray, "*shape lag"]) -> Float[np.ndarray, "*shape"]:
    """The least lag up to which at least half of a curve lies.

    Arguments:
        curve: Never negative; NaN counts as nothing.

    Returns:
        Whole numbers; NaN where the curve is zero.
    """
    known = np.nan_to_num(curve)
    running = known.cumsum(axis=-1)
    total = running[..., -1:]
    # A sum that is half but for rounding is half.
    reached = running >= total * (0.5 - 1e-12)
    return np.where(total[..., 0] > 0, reached.argmax(axis=-1), np.nan)


def half_life(curve: Float[np.ndarray, "*shape lag"]) -> Float[np.ndarray, "*shape"]:
    """How far beyond its peak a curve has first halved, with lines through its logarithm.

    Arguments:
        curve: Never negative; NaN where there is no value.

    Returns:
        In lags; NaN where it does not halve, or is zero.
    """
    known = np.nan_to_num(curve)
    peak = known.argmax(axis=-1)[..., None]
    half = np.take_along_axis(known, peak, axis=-1) / 2
    lags = np.arange(curve.shape[-1])
    below = (known <= half) & (lags > peak) & ~np.isnan(curve)
    halves = below.any(axis=-1, keepdims=True) & (half > 0)
    first = below.argmax(axis=-1)[..., None]  # 0 where there is none
    logs = np.log(np.maximum(known, np.finfo(np.float64).tiny))
    after = np.take_along_axis(logs, first, axis=-1)
    before = np.take_along_axis(logs, np.maximum(first - 1, 0), axis=-1)
    target = np.log(np.where(halves, half, 1.0))
    part = (before - target) / np.where(halves, before - after, 1.0)
    return np.where(halves, first - 1 - peak + part, np.nan)[..., 0]


def _is_influence(given: object) -> TypeGuard[xr.Dataset]:
    return (
        isinstance(given, xr.Dataset)
        and set(map(str, given.data_vars)) >= _NEEDED
        and {"kind", "unit"} <= set(given.attrs)
    )


def _shares(influence: xr.Dataset) -> xr.DataArray:
    values = influence["influence"]
    total = values.sum("lag")
    return values / total.where(total > 0)


def _by_curve(kernel: Callable[[np.ndarray], np.ndarray], values: xr.DataArray) -> xr.DataArray:
    found: xr.DataArray = xr.apply_ufunc(kernel, values, input_core_dims=[["lag"]])
    return found


def _error_of(influence: xr.Dataset) -> str:
    if "standard_error" not in influence:
        return ""
    return f"standard error over {influence.attrs['draws']} {influence.attrs['estimator']}"
