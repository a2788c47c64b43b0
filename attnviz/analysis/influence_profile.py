"""How far back influence reaches over a data set, with intervals over its sequences."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import xarray as xr
from jaxtyping import Float

from attnviz.analysis.influence import half_life, median_lag, needs_influence
from attnviz.analysis.statistic import Statistic

__all__ = ["influence_profile", "saturation_ratio"]


class _Curves(NamedTuple):
    """Means over the counted timesteps of each sequence."""

    values: Float[np.ndarray, "sequence lag"]
    variance: Float[np.ndarray, "sequence lag"]  # of the estimator
    timesteps: int


def influence_profile(
    influence: xr.Dataset,
    *,
    longest: int | None = None,
    beyond: int = 10,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> xr.Dataset:
    r"""The influence by lag of a data set, with what sums it up.

    The curve is the mean over timesteps of each sequence, then over sequences. Only timesteps
    that reach back to lag `longest` are counted, so that every lag of the curve is a mean over the
    same timesteps. Shares, mean and median lag and the mass beyond are ratios of such means over
    all lags these timesteps reach. Intervals are percentiles over resampled sequences (bootstrap);
    with fewer than about ten sequences they are too narrow.

    References:
        Bootstrap Methods: Another Look at the Jackknife (Efron, 1979),
        https://doi.org/10.1214/aos/1176344552.

    Arguments:
        influence: Of `replacement_influence` or `linear_influence`.
        longest: The last lag of the curve. If not given, the median over sequences of the last
            timestep looked back from; half of that where sequences were looked back from at
            several timesteps.
        beyond: `mass_beyond` is what comes from further back than this.
        level: Of the intervals.
        resamples: How many times the sequences are drawn anew.
        seed: For that.

    Returns:
        `influence(lag)` in the unit of the dataset, with `influence_error(lag)`, the estimator's
        own standard error where anything was drawn; `share(lag)`, shares of the influence from all
        lags; `mean_lag`, `median_lag` and `half_life` in timesteps; `mass_beyond`, a share. Each
        but the error with an interval, such as `share_interval(bound, lag)`: NaN with a single
        sequence. `half_life` is NaN where the curve does not halve.

    Raises:
        TypeError: If this is no dataset of influence.
        ValueError: If no timestep reaches back to `longest`, or the level is no share.
    """
    needs_influence(influence, "influence_profile")
    if not 0 < level < 1 or resamples < 1:
        raise ValueError(
            f"influence_profile needs a level between 0 and 1 and at least 1 resample, but level "
            f"is {level} and resamples is {resamples}."
        )
    last = _longest(influence) if longest is None else longest
    curves = _curves(influence, last)
    count = len(curves.values)
    drawn = _resampled(curves.values, resamples, seed)
    found = _summary(curves.values.mean(axis=0)[None], last, beyond)
    spread = _summary(drawn, last, beyond)
    tails = (1 - level) / 2, (1 + level) / 2
    profile: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for name, values in found.items():
        axes = ("lag",) if values.ndim == 2 else ()
        profile[name] = (axes, values[0])
        profile[f"{name}_interval"] = (("bound", *axes), _between(spread[name], tails, count))
    if "standard_error" in influence:
        error = np.sqrt(curves.variance.sum(axis=0)) / count
        profile["influence_error"] = (("lag",), error[: last + 1])
    labels = {"lag": influence["lag"].values[: last + 1], "bound": ["low", "high"]}
    own = {"level": level, "beyond": beyond, "sequences": count, "timesteps": curves.timesteps}
    return xr.Dataset(profile, coords=labels, attrs={**influence.attrs, **own})


def saturation_ratio(
    replacement: xr.Dataset,
    linear: xr.Dataset,
    *,
    longest: int | None = None,
    resamples: int = 2000,
    seed: int = 0,
) -> Statistic:
    r"""What replacement sees for what the gradient sees, by lag.

    .. math:: \overline{V(j)} \,/\, \overline{E(j)^2}

    a ratio of averages over timesteps and sequences. For a model that is linear it is 1, on
    average over inputs like those of the reference. Far above 1, gates are saturated: the input
    matters, but not to a gradient. Below 1, small changes matter more than large ones.

    Arguments:
        replacement: Of `replacement_influence`.
        linear: Of `linear_influence`, at the same timesteps of the same sequences.
        longest: The last lag, as for `influence_profile`.
        resamples: How many times the sequences are drawn anew for the uncertainty.
        seed: For that.

    Returns:
        Axis `(lag,)`, a ratio, never negative; the uncertainty is the standard error over
        sequences (bootstrap; NaN with a single one). NaN where the gradient sees nothing.

    Raises:
        TypeError: If one is no dataset of influence.
        ValueError: If they do not belong together, or no timestep reaches back to `longest`.
    """
    for dataset, kind in ((replacement, "replacement"), (linear, "linear")):
        needs_influence(dataset, "saturation_ratio")
        if dataset.attrs["kind"] != kind:
            raise ValueError(
                f"saturation_ratio takes replacement and then linear influence, but got "
                f"{dataset.attrs['kind']!r} in place of {kind!r}."
            )
    for name in ("timestep", "length"):
        if not replacement[name].equals(linear[name]):
            raise ValueError(
                f"saturation_ratio compares the same timesteps of the same sequences, but the two "
                f"differ in {name}. Measure both with the same inputs and at."
            )
    if replacement.attrs["of"] != linear.attrs["of"]:
        raise ValueError(
            f"saturation_ratio compares like with like, but one is of the "
            f"{replacement.attrs['of']} and the other of the {linear.attrs['of']}."
        )
    last = _longest(linear) if longest is None else longest
    seen, told = (_curves(d, last).values[:, : last + 1] for d in (replacement, linear))
    both = _resampled(np.concatenate([seen, told], axis=1), resamples, seed)
    ratios = _ratio(both[:, : last + 1], both[:, last + 1 :])
    error = np.full(last + 1, np.nan) if len(seen) == 1 else ratios.std(axis=0, ddof=1)
    labels = {"lag": linear["lag"].values[: last + 1]}
    return Statistic(
        "saturation ratio",
        xr.DataArray(_ratio(seen.mean(axis=0), told.mean(axis=0)), labels, ["lag"]),
        "1 = as the gradient says",
        bounds=(0.0, np.inf),
        symbol="V/E²",
        uncertainty=xr.DataArray(error, labels, ["lag"]),
        uncertainty_of=f"standard error over {len(seen)} sequences",
    )


def _longest(influence: xr.Dataset) -> int:
    last = int(np.median(influence["timestep"].max("time").values))
    several = bool(((influence["timestep"] >= 0).sum("time") > 1).any())
    return last // 2 if several else last


def _curves(influence: xr.Dataset, longest: int) -> _Curves:
    counted = (influence["timestep"] >= longest).values
    usable = counted.any(axis=1)
    if not usable.any() or longest < 0:
        furthest = int(influence["timestep"].max())
        raise ValueError(
            f"A profile up to lag {longest} needs timesteps that reach back so far, but the "
            f"furthest reaches back to lag {furthest}. Choose longest between 0 and {furthest}."
        )
    weight = counted[usable] / counted[usable].sum(axis=1, keepdims=True)
    values = np.nan_to_num(influence["influence"].values[usable])
    variance = np.full(values.shape, np.nan)
    if "standard_error" in influence:
        # Timesteps are independent: at one lag each has its own replaced input, or its own probes.
        unreachable = np.isnan(influence["influence"].values[usable])
        variance = influence["standard_error"].values[usable] ** 2
        variance[unreachable] = 0.0
    return _Curves(
        np.einsum("st,stl->sl", weight, values),
        np.einsum("st,stl->sl", weight**2, variance),
        int(counted.sum()),
    )


def _summary(
    curves: Float[np.ndarray, "sample lag"], longest: int, beyond: int
) -> Mapping[str, np.ndarray]:
    total = curves.sum(axis=1, keepdims=True)
    share = _ratio(curves, total)
    lags = np.arange(curves.shape[1])
    return {
        "influence": curves[:, : longest + 1],
        "share": share[:, : longest + 1],
        "mean_lag": share @ lags,
        "median_lag": median_lag(curves),
        "half_life": half_life(curves[:, : longest + 1]),
        "mass_beyond": share[:, lags > beyond].sum(axis=1),
    }


def _resampled(
    values: Float[np.ndarray, "sequence lag"], resamples: int, seed: int
) -> Float[np.ndarray, "sample lag"]:
    """Means over sequences drawn with replacement."""
    count = len(values)
    picks = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), resamples)
    return np.asarray(picks @ values / count)


def _between(values: np.ndarray, tails: tuple[float, float], count: int) -> np.ndarray:
    if count == 1:
        return np.full((2, *values.shape[1:]), np.nan)
    return np.asarray(np.quantile(values, tails, axis=0))


def _ratio(
    above: Float[np.ndarray, "*#shape"], below: Float[np.ndarray, "*#shape"]
) -> Float[np.ndarray, "*shape"]:
    return above / np.where(below > 0, below, np.nan)
