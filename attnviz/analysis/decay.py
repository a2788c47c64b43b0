"""How fast a class of paths decays: measured, and what theory says of RRA's shortcut."""

from dataclasses import replace

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from attnviz.analysis.path_classes import Place, of_start, path_variable
from attnviz.analysis.resampling import interval_name, interval_of, ratio_of_sums
from attnviz.analysis.statistic import Statistic

__all__ = [
    "decay_rate",
    "measured_decay_rate",
    "predicted_decay_rate",
    "predicted_shortcut_norm",
    "predicted_shortcut_rate",
]

Range = tuple[int, int]
_SHORTCUT = "shortcut"
# Of the whole gradient at distance 0: below this a float64 class is near its smallest numbers.
_FAINTEST = 1e-280


def decay_rate(
    kernel: Float[np.ndarray, "lag"], lags: Int[np.ndarray, "lag"], slope: float
) -> float:
    r"""By which factor a signal that only passes a lag kernel changes in a timestep, in the end.

    .. math:: \textstyle\sum_j \hat w_j D \rho^{-\mathrm{lag}(j)} = 1

    The root of the largest magnitude; its magnitude, where a kernel of both signs makes the
    decaying signal oscillate. It acts like a constant forget gate of this value.

    Arguments:
        kernel: The weights ŵ.
        lags: How many timesteps back each stands.
        slope: D, by which each pass is multiplied besides.

    Returns:
        ρ, never negative.
    """
    polynomial = np.zeros(int(np.max(lags)) + 1)
    polynomial[0] = 1.0
    np.subtract.at(polynomial, lags, slope * kernel)
    roots = np.roots(polynomial)
    return float(np.abs(roots).max()) if roots.size else 0.0


def predicted_decay_rate(paths: xr.Dataset) -> Statistic:
    r"""The decay rate of RRA's paths by shortcuts alone, if all its units and timesteps were alike.

    The root of :math:`\sum_j \hat w_j D \rho^{-\mathrm{lag}(j)} = 1` with D the mean of
    o ⊙ (1 − tanh²(c + a)) over units, timesteps and sequences. Units with a higher D decay more
    slowly and outlast the others: where D varies, the rate lies above this one, and
    `predicted_shortcut_rate` is the better prediction.

    Arguments:
        paths: Of RRA.

    Returns:
        A number without axes, a factor a timestep, with the bootstrap interval over sequences.

    Raises:
        KeyError: If the cell has no shortcut.
    """
    _need_shortcut(paths)
    slopes = paths["shortcut_slope"].mean("unit").values
    there = np.isfinite(slopes)
    sums = np.where(there, slopes, 0.0).sum(axis=1), there.sum(axis=1).astype(float)
    slope, ends = ratio_of_sums(*sums)
    kernel, lags = paths["lag_kernel"].values, paths["lag"].values

    name = "predicted decay rate, mean slope"
    interval = None if ends is None else np.array([decay_rate(kernel, lags, d) for d in ends])
    return _scalar(name, decay_rate(kernel, lags, float(slope)), interval, paths)


def predicted_shortcut_norm(paths: xr.Dataset) -> Statistic:
    r"""The norm of RRA's gradient by shortcuts alone, if the slope of each unit did not change.

    .. math:: \lambda_u(d) = \bar D_u \sum_j \hat w_j \lambda_u(d - \mathrm{lag}(j)),
        \qquad \lambda_u(0) = \partial L / \partial h_{\tau, u}

    with the mean slope of each unit over its sequence's timesteps.

    Arguments:
        paths: Of RRA.

    Returns:
        Axis `(distance)`, to be laid over the class `shortcut` of `class_norm` at the hidden
        state; uncertainty as there.

    Raises:
        KeyError: If the cell has no shortcut.
    """
    like = path_variable(paths, "hidden", "gradient_norm").copy(data=_predicted(paths))
    return of_start(paths, "hidden", like, "predicted gradient by shortcuts")


def predicted_shortcut_rate(paths: xr.Dataset, *, distances: Range | None = None) -> Statistic:
    """The decay rate of `predicted_shortcut_norm`, by the same fit as a measured one.

    Arguments:
        paths: Of RRA.
        distances: As of `measured_decay_rate`.

    Returns:
        As `measured_decay_rate`.

    Raises:
        KeyError: If the cell has no shortcut.
        ValueError: As `measured_decay_rate`.
    """
    norms = _predicted(paths)
    first, last = _range(paths, norms, distances)
    return _fitted("predicted decay rate, a slope for each unit", norms, (first, last), paths)


def measured_decay_rate(
    paths: xr.Dataset,
    *,
    path_class: str = _SHORTCUT,
    place: Place = "hidden",
    distances: Range | None = None,
) -> Statistic:
    r"""By which factor a class of paths changes in a timestep, by a fit on the logarithm.

    .. math:: \log \rho = \frac{\sum_b \sum_d (d - \bar d)\, \log \|g_{\sigma,b}(d)\|}
        {\sum_b \sum_d (d - \bar d)^2}

    One slope for all sequences, each with a height of its own. Over few distances it says little,
    and over many it is the slope of a curve that need not be straight: the range comes with it.

    Arguments:
        paths: As `attnviz.gradient_paths` gives them.
        path_class: One of their classes.
        place: Where the gradient arrives.
        distances: First distance and the one after the last. If not given, from twice the longest
            lag (1 for cells without lags) to the shortest sequence's length, or to where the
            class becomes too faint for double precision.

    Returns:
        A number without axes, a factor a timestep, never negative, with the bootstrap interval
        over sequences; the coordinates `first_distance` and `last_distance` say over which
        distances.

    Raises:
        KeyError: If there is no such class or place.
        ValueError: If the range holds fewer than two distances at which the class is there.
    """
    norms = path_variable(paths, place, "class_norm")
    if path_class not in norms["path_class"].values:
        raise KeyError(
            f"There is no class of paths {path_class!r}; there are "
            f"{[str(name) for name in norms['path_class'].values]}."
        )
    chosen = norms.sel(path_class=path_class).values
    found = _range(paths, chosen, distances)
    return _fitted(f"measured decay rate of {path_class}", chosen, found, paths)


def _predicted(paths: xr.Dataset) -> Float[np.ndarray, "sequence distance"]:
    """The norms of `predicted_shortcut_norm`, by sequence."""
    _need_shortcut(paths)
    slopes = paths["shortcut_slope"].mean("distance").values
    weights = list(zip(paths["lag"].values, paths["lag_kernel"].values, strict=True))
    signal = [paths["injected"].values]
    for distance in range(1, paths.sizes["distance"]):
        sent = [w * signal[distance - lag] for lag, w in weights if lag <= distance]
        signal.append(slopes * sum(sent, start=np.zeros_like(slopes)))
    norms: np.ndarray = np.linalg.norm(np.stack(signal, axis=1), axis=-1)
    norms[:, 0] = 0.0  # nothing has passed a shortcut yet
    norms[~np.isfinite(paths["hidden_gradient_norm"].values)] = np.nan
    return norms


def _range(
    paths: xr.Dataset, norms: Float[np.ndarray, "sequence distance"], given: Range | None
) -> Range:
    """The distances of a fit, at all of which every sequence has the class."""
    start = paths["hidden_gradient_norm"].values[:, :1]
    there = np.asarray((norms > _FAINTEST * start).all(axis=0))
    first = 2 * int(paths["lag"].max()) if "lag" in paths.coords else 1
    if given is None:
        gone = np.flatnonzero(~there[first:])
        given = first, first + int(gone[0]) if gone.size else norms.shape[1]
    first, last = given
    if not 0 <= first < last - 1 or last > norms.shape[1] or not there[first:last].all():
        usable = np.flatnonzero(there)
        held = f"from {usable.min()} to {usable.max()}" if usable.size else "nowhere"
        raise ValueError(
            f"A decay rate needs at least two distances at which every sequence has the class, "
            f"but got {first}:{last} where it is there {held}. Choose distances=(first, last), or "
            "longer sequences."
        )
    return first, last


def _fitted(
    name: str, norms: Float[np.ndarray, "sequence distance"], distances: Range, paths: xr.Dataset
) -> Statistic:
    first, last = distances
    off = np.arange(first, last) - (first + last - 1) / 2
    along = (np.log(norms[:, first:last]) * off).sum(axis=1)
    slope, ends = ratio_of_sums(along, np.full(len(norms), (off**2).sum()))
    rate = _scalar(name, float(np.exp(slope)), None if ends is None else np.exp(ends), paths)
    fitted = {"first_distance": first, "last_distance": last - 1}
    return replace(rate, values=rate.values.assign_coords(fitted))


def _scalar(name: str, value: float, ends: np.ndarray | None, paths: xr.Dataset) -> Statistic:
    values = xr.DataArray(value)
    return Statistic(
        name, values, "factor a timestep", bounds=(0.0, np.inf), symbol="ρ",
        uncertainty=interval_of(values, ends),
        uncertainty_of="" if ends is None else interval_name(paths.sizes["sequence"]),
    )  # fmt: skip


def _need_shortcut(paths: xr.Dataset) -> None:
    if "shortcut_slope" not in paths or "lag_kernel" not in paths:
        raise KeyError(
            f"The decay of a shortcut is predicted from RRA's kernel and slopes, but these are "
            f"paths of {paths.attrs.get('cell', 'another cell')}, which has no shortcut. Use "
            "measured_decay_rate with one of its classes."
        )
