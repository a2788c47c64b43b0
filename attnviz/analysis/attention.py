"""Where a cell looks among its past states, and how much of that falls before the start."""

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from attnviz.analysis.selection import declared, inside, lag_holds
from attnviz.analysis.statistic import Statistic
from attnviz.trace import (
    SOURCE_INITIAL,
    SOURCE_MISSING,
    SOURCE_REAL,
    Trace,
    group_for,
    signal,
)

__all__ = [
    "attention_map",
    "entropy",
    "mass_beyond",
    "mass_on_initial",
    "mass_on_missing",
    "mean_lag",
]


def attention_map(trace: Trace, *, group: str | None = None) -> Statistic:
    """The attention as recorded: the weights by lag, after normalising.

    The weight that RRA puts on the initial state or on steps before the first is kept. A row
    sums to one over all lags, also where some of them hold no state.

    Arguments:
        trace: Must hold `attention`.
        group: The layer and direction; the first that holds attention if not given.

    Returns:
        Axes `(sequence, time, head, lag)`, weights; NaN beyond each sequence's length.

    Raises:
        KeyError: If the trace holds no `attention`.
    """
    group = group_for(trace, "attention", group)
    known = declared(trace, group, "attention")
    return Statistic(
        "attention", _widen(signal(trace, "attention", group)), "weight",
        bounds=known.bounds, symbol=known.symbol,
    )  # fmt: skip


def entropy(
    trace: Trace, *, group: str | None = None, normalised: bool = False, magnitude: bool = False
) -> Statistic:
    r"""How spread out the attention is over the reachable lags.

    .. math:: H_t = -\sum_{\ell} p_{t,\ell} \ln p_{t,\ell},
        \qquad p_{t,\ell} = w_{t,\ell} / \textstyle\sum_{\text{reachable } m} w_{t,m}

    A lag that reaches before the first timestep holds no state; its weight is dropped and the
    rest rescaled.

    Arguments:
        trace: Must hold `attention`.
        group: The layer and direction; the first that holds attention if not given.
        normalised: Divide by the logarithm of the number of reachable lags.
        magnitude: Weigh lags by :math:`|w|`, for cells whose weights may be negative.

    Returns:
        Axes `(sequence, time, head)`, in nats, between 0 and :math:`\ln k`; normalised, between 0
        and 1. NaN where no weight falls on a reachable lag (normalised: on fewer than two
        reachable lags), and beyond each sequence's length.

    Raises:
        KeyError: If the trace holds no `attention`.
        ValueError: If weights are negative and `magnitude` is false.
    """
    group = group_for(trace, "attention", group)
    shares, reachable = _shares(trace, group, "entropy", magnitude)
    values = xr.apply_ufunc(_entropy, shares, input_core_dims=[["lag"]])
    symbol, unit, highest = "H", "nats", float(np.log(shares.sizes["lag"]))
    if normalised:
        count = reachable.sum("lag")
        values = values / np.log(count.where(count > 1))
        symbol, unit, highest = "H / ln n", "1 = uniform over the n reachable lags", 1.0
    return Statistic("entropy of attention", values, unit, bounds=(0.0, highest), symbol=symbol)


def mean_lag(trace: Trace, *, group: str | None = None, magnitude: bool = False) -> Statistic:
    r"""How far back the cell looks, on average.

    .. math:: \bar\ell_t = \sum_{\ell} \ell \, p_{t,\ell},
        \qquad p_{t,\ell} = w_{t,\ell} / \textstyle\sum_{\text{reachable } m} w_{t,m}

    A lag is reachable here where it holds the state after a timestep. One that reaches before the
    first holds none, or the initial state, which nothing was read into; its weight is dropped and
    the rest rescaled, so that early timesteps are not biased towards long lags.

    References:
        Attention distance as in Do Vision Transformers See Like Convolutional Neural Networks?
        (Raghu et al., 2021), https://arxiv.org/abs/2108.08810, with steps in place of pixels.

    Arguments:
        trace: Must hold `attention`.
        group: The layer and direction; the first that holds attention if not given.
        magnitude: Weigh lags by :math:`|w|`, for cells whose weights may be negative.

    Returns:
        Axes `(sequence, time, head)`, in timesteps, between the first lag and the last. NaN where
        no weight falls on a reachable lag, and beyond each sequence's length.

    Raises:
        KeyError: If the trace holds no `attention`.
        ValueError: If weights are negative and `magnitude` is false.
    """
    group = group_for(trace, "attention", group)
    shares, _ = _shares(trace, group, "mean_lag", magnitude)
    lags = shares["lag"]
    values = xr.apply_ufunc(_mean_lag, shares, lags, input_core_dims=[["lag"], ["lag"]])
    bounds = float(lags.min()), float(lags.max())
    return Statistic("mean lag", values, "timesteps", bounds=bounds, symbol="ℓ̄")


def mass_beyond(
    trace: Trace, lag: int, *, group: str | None = None, magnitude: bool = False
) -> Statistic:
    r"""The share of the attention that goes further back than a lag.

    .. math:: m_t = \sum_{\ell > \text{lag}} w_{t,\ell} \,/
        \textstyle\sum_{\text{reachable } m} w_{t,m}

    over reachable lags only.

    Arguments:
        trace: Must hold `attention`.
        lag: Counts what lies further back than this many timesteps.
        group: The layer and direction; the first that holds attention if not given.
        magnitude: Weigh lags by :math:`|w|`, for cells whose weights may be negative.

    Returns:
        Axes `(sequence, time, head)`, a share between 0 and 1. NaN where no weight falls on a
        reachable lag, and beyond each sequence's length.

    Raises:
        KeyError: If the trace holds no `attention`.
        ValueError: If weights are negative and `magnitude` is false.
    """
    group = group_for(trace, "attention", group)
    shares, _ = _shares(trace, group, "mass_beyond", magnitude)
    values = shares.where(shares["lag"] > lag, 0.0).where(shares.notnull())
    name = f"attention beyond lag {lag}"
    return Statistic(name, values.sum("lag", skipna=False), "share", bounds=(0.0, 1.0))


def mass_on_initial(trace: Trace, *, group: str | None = None) -> Statistic:
    """The attention that falls on the initial state, the one before the first timestep.

    Arguments:
        trace: Must hold `attention`.
        group: The layer and direction; the first that holds attention if not given.

    Returns:
        Axes `(sequence, time, head)`, the sum of the weights at the lag where the initial state
        stands: between 0 and 1 for weights that are never negative, else of either sign. NaN
        beyond each sequence's length.

    Raises:
        KeyError: If the trace holds no `attention`.
    """
    return _mass(trace, group, SOURCE_INITIAL, "attention on the initial state")


def mass_on_missing(trace: Trace, *, group: str | None = None) -> Statistic:
    """The attention that falls on nothing: on lags that reach before the initial state.

    RRA multiplies a zero vector there and does not rescale the rest, so early timesteps get
    less than the whole kernel. LARNN has no such slots and always gives 0.

    Arguments:
        trace: Must hold `attention`.
        group: The layer and direction; the first that holds attention if not given.

    Returns:
        Axes `(sequence, time, head)`, the sum of the weights at lags that hold no state: between
        0 and 1 for weights that are never negative, else of either sign. NaN beyond each
        sequence's length.

    Raises:
        KeyError: If the trace holds no `attention`.
    """
    return _mass(trace, group, SOURCE_MISSING, "attention on missing history")


def _mass(trace: Trace, group: str | None, kind: int, name: str) -> Statistic:
    group = group_for(trace, "attention", group)
    weights = _widen(signal(trace, "attention", group))
    held = weights.where(lag_holds(trace, group, kind), 0.0).fillna(0.0).sum("lag")
    bounds = declared(trace, group, "attention").bounds
    return Statistic(name, held.where(inside(trace, group)), "weight", bounds=bounds)


def _shares(
    trace: Trace, group: str, who: str, magnitude: bool
) -> tuple[xr.DataArray, xr.DataArray]:
    weights = _widen(signal(trace, "attention", group))
    lowest = float(weights.min())
    if lowest < 0 and not magnitude:
        cell = trace.tree[group].attrs.get("cell", "the cell")
        raise ValueError(
            f"{who} needs weights that are never negative, but the lowest here is {lowest:.4g} "
            f"({cell}). {cell}'s weights only sum to one. Pass magnitude=True to weigh lags by |w|."
        )
    reachable = lag_holds(trace, group, SOURCE_REAL)
    shares = xr.apply_ufunc(
        _share, abs(weights), reachable,
        input_core_dims=[["lag"], ["lag"]], output_core_dims=[["lag"]],
    )  # fmt: skip
    return shares, reachable


def _widen(array: xr.DataArray) -> xr.DataArray:
    return array.astype(np.float64)


def _share(
    weights: Float[np.ndarray, "*#shape lag"], reachable: Bool[np.ndarray, "*#shape lag"]
) -> Float[np.ndarray, "*shape lag"]:
    kept = np.where(reachable, weights, 0.0)
    total = kept.sum(-1, keepdims=True)
    return kept / np.where(total == 0, np.nan, total)


def _entropy(shares: Float[np.ndarray, "*shape lag"]) -> Float[np.ndarray, "*shape"]:
    # 0 ln 0 = 0; subtracting from 0.0 gives 0.0 and not −0.0 for a one-hot row.
    return np.asarray(0.0 - np.sum(shares * np.log(np.where(shares > 0, shares, 1.0)), axis=-1))


def _mean_lag(
    shares: Float[np.ndarray, "*shape lag"], lags: Int[np.ndarray, " lag"]
) -> Float[np.ndarray, "*shape"]:
    return np.asarray(np.sum(shares * lags, axis=-1))
