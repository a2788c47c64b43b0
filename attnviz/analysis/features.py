"""Which features a cell attends to, for cells that attend over features and not over lags."""

import numpy as np
import pandas as pd
import xarray as xr

from attnviz.analysis.selection import declared, inside
from attnviz.analysis.statistic import Statistic
from attnviz.trace import Trace, group_for, signal

__all__ = ["feature_attention", "feature_mass", "feature_summary", "top_features"]

_UNIT = "1 = uniform"


def feature_attention(trace: Trace, *, group: str | None = None) -> Statistic:
    r"""The feature attention in multiples of what each feature would get if all got the same.

    .. math:: n U_t, \qquad \textstyle\sum_i U_{t,i} = 1 \text{ over } n \text{ features}

    With a hundred features every weight is near 0.01; times `n` they can be read.

    Arguments:
        trace: Must hold `feature_attention`.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(sequence, time, feature)`, between 0 and `n`, 1 where uniform; NaN beyond each
        sequence's length.

    Raises:
        KeyError: If the trace holds no `feature_attention`.
    """
    group = group_for(trace, "feature_attention", group)
    weights = _weights(trace, group)
    count = weights.sizes["feature"]
    symbol = declared(trace, group, "feature_attention").symbol or "U"
    return Statistic(
        "feature attention",
        weights * count,
        _UNIT,
        bounds=(0.0, float(count)),
        symbol=f"n·{symbol}",
    )


def feature_mass(trace: Trace, *, group: str | None = None) -> Statistic:
    """How much of the feature attention goes to the input and how much to the hidden features.

    Arguments:
        trace: Must hold `feature_attention` with its coordinate `feature_kind`.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(sequence, time, kind)`, shares between 0 and 1 that sum to one; the coordinate
        `uniform(kind)` is what each kind would get if all features got the same. NaN beyond each
        sequence's length.

    Raises:
        KeyError: If the trace holds no `feature_attention`.
    """
    weights = _weights(trace, group_for(trace, "feature_attention", group))
    of = weights["feature_kind"].values
    kinds = list(dict.fromkeys(of.tolist()))
    parts = [weights.isel(feature=of == kind).sum("feature", skipna=False) for kind in kinds]
    values = xr.concat(parts, dim="kind").transpose("sequence", "time", "kind")
    uniform = [float(np.mean(of == kind)) for kind in kinds]
    values = values.assign_coords(kind=kinds, uniform=("kind", uniform))
    return Statistic("feature attention by kind", values, "share", bounds=(0.0, 1.0))


def top_features(trace: Trace, *, count: int = 10, group: str | None = None) -> Statistic:
    """The features that get the most attention.

    The unit is the sequence: the mean over the timesteps of each, then over sequences.

    Arguments:
        trace: Must hold `feature_attention`.
        count: How many features.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(feature)`, the highest first, 1 where uniform, with the coordinates `feature` (its
        number) and `feature_kind`; the uncertainty is the standard deviation over sequences (NaN
        for a single one).

    Raises:
        KeyError: If the trace holds no `feature_attention`.
    """
    relative = feature_attention(trace, group=group)
    read = inside(trace, group_for(trace, "feature_attention", group))
    counted = read.sum("time")
    total = _numbered(relative.values).where(read, 0.0).sum("time", skipna=False)
    by_sequence = (total / counted.where(counted > 0)).isel(sequence=counted.values > 0)
    mean = by_sequence.mean("sequence", skipna=False)
    order = np.argsort(-mean.values, kind="stable")[:count]
    sequences = by_sequence.sizes["sequence"]
    plural = "sequence" if sequences == 1 else "sequences"
    spread = by_sequence.std("sequence", ddof=1) if sequences > 1 else mean * np.nan
    return Statistic(
        f"{relative.name}, mean over time", mean.isel(feature=order), _UNIT, relative.bounds,
        symbol=relative.symbol, uncertainty=spread.isel(feature=order),
        uncertainty_of=f"standard deviation over {sequences} {plural}",
    )  # fmt: skip


def feature_summary(trace: Trace, *, top: int = 5, group: str | None = None) -> Statistic:
    """The most attended features of each kind one by one, and the rest of the kind as a mean.

    Arguments:
        trace: Must hold `feature_attention`.
        top: How many features of each kind to keep; those with the highest mean.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(sequence, time, feature)`, 1 where uniform, with the coordinates `feature` (words:
        the feature's number among those of its kind, as units have it, or `other 95`) and
        `feature_kind`; NaN beyond each sequence's length.

    Raises:
        KeyError: If the trace holds no `feature_attention`.
    """
    relative = feature_attention(trace, group=group)
    unnamed, values = "feature" not in relative.values.coords, _numbered(relative.values)
    of, mean = values["feature_kind"].values, values.mean(("sequence", "time")).values
    parts = []
    for kind in dict.fromkeys(of.tolist()):
        members = np.flatnonzero(of == kind)
        order = members[np.argsort(-mean[members], kind="stable")]
        kept = values.isel(feature=order[:top])
        own = np.searchsorted(members, order[:top]) if unnamed else kept["feature"].values
        parts.append(kept.assign_coords(feature=[str(name) for name in own]))
        if len(order) > top:
            rest = values.isel(feature=order[top:]).mean("feature", skipna=False)
            rest = rest.expand_dims(feature=[f"other {len(order) - top}"], axis=-1)
            parts.append(rest.assign_coords(feature_kind=("feature", [kind])))
    return Statistic(
        relative.name, xr.concat(parts, dim="feature"), relative.unit, relative.bounds,
        symbol=relative.symbol,
    )  # fmt: skip


def _weights(trace: Trace, group: str) -> xr.DataArray:
    weights = signal(trace, "feature_attention", group).astype(np.float64)
    if "feature_kind" in weights.coords:
        return weights
    kinds = pd.Index(["input"] * weights.sizes["feature"])
    return weights.assign_coords(feature_kind=("feature", kinds))


def _numbered(values: xr.DataArray) -> xr.DataArray:
    if "feature" in values.coords:
        return values
    return values.assign_coords(feature=np.arange(values.sizes["feature"]))
