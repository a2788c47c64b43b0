"""What the classes of paths say: norms and shares by distance, and how fast a class decays."""

from typing import Literal

import numpy as np
import xarray as xr

from attnviz.analysis.resampling import of_sequences, ratio_of_sums, weigh_shares
from attnviz.analysis.statistic import Statistic

__all__ = [
    "Place",
    "class_cancellation",
    "class_norm",
    "class_share",
    "gradient_norm_by_distance",
    "largest_residual",
    "of_start",
    "path_variable",
    "same_sequences",
]

Place = Literal["hidden", "memory", "input"]
_SYMBOLS = {"hidden": "h", "memory": "c", "input": "x"}


def class_norm(paths: xr.Dataset, *, place: Place = "input") -> Statistic:
    r"""The norm of each class of paths by distance from the loss, as sums over sequences.

    .. math:: \sum_b \|g_{\sigma, b}(d)\| / \sum_b \|g_b(0)\|

    The sums are over the sequences that are long enough for the distance.

    Arguments:
        paths: As `attnviz.gradient_paths` gives them.
        place: Where the gradient arrives: at the hidden state, the memory or the input.

    Returns:
        Axes `(distance, path_class)`, in units of the whole gradient at distance 0, never
        negative. The uncertainty has one axis more, `end`: the ends of a bootstrap interval over
        sequences; none for a single sequence.

    Raises:
        KeyError: If the cell has no such place.
    """
    norms = path_variable(paths, place, "class_norm")
    return of_start(paths, place, norms, "gradient by class of path")


def gradient_norm_by_distance(paths: xr.Dataset, *, place: Place = "input") -> Statistic:
    r"""The norm of the gradient by distance from the loss, as sums over sequences.

    .. math:: \sum_b \|g_b(d)\| / \sum_b \|g_b(0)\|

    Both sums are over the sequences that are long enough for the distance d.

    Arguments:
        paths: As `attnviz.gradient_paths` gives them.
        place: Where the gradient arrives: at the hidden state, the memory or the input.

    Returns:
        Axis `(distance)`, in units of the gradient at distance 0, never negative; uncertainty as
        in `class_norm`.

    Raises:
        KeyError: If the cell has no such place.
    """
    norms = path_variable(paths, place, "gradient_norm")
    return of_start(paths, place, norms, "gradient")


def class_share(paths: xr.Dataset, *, place: Place = "input") -> Statistic:
    r"""The signed share of each class of paths in the gradient, by distance from the loss.

    .. math:: \sum_b \langle g_{\sigma, b}, g_b \rangle / \sum_b \langle g_b, g_b \rangle

    Shares sum to one over the classes. A negative one works against the whole.

    Arguments:
        paths: As `attnviz.gradient_paths` gives them.
        place: Where the gradient arrives: at the hidden state, the memory or the input.

    Returns:
        Axes `(distance, path_class)`, without unit and without bounds; NaN where no gradient
        arrives; uncertainty as in `class_norm`.

    Raises:
        KeyError: If the cell has no such place.
    """
    shares = path_variable(paths, place, "class_share")
    found = weigh_shares(shares.values, path_variable(paths, place, "gradient_norm").values)
    return of_sequences(Statistic(f"share of the gradient at {_SYMBOLS[place]}", shares, ""), found)


def class_cancellation(paths: xr.Dataset, *, place: Place = "input") -> Statistic:
    r"""How much more the classes move than the gradient they add up to, by distance.

    .. math:: \kappa = \sum_b \sum_\sigma \|g_{\sigma, b}\| / \sum_b \|g_b\|

    Where it is far above 1, classes cancel, and shares are differences of large numbers.

    Arguments:
        paths: As `attnviz.gradient_paths` gives them.
        place: Where the gradient arrives: at the hidden state, the memory or the input.

    Returns:
        Axis `(distance)`, at least one; uncertainty as in `class_norm`.

    Raises:
        KeyError: If the cell has no such place.
    """
    classes = path_variable(paths, place, "class_norm").values.sum(axis=-1)
    norms = path_variable(paths, place, "gradient_norm")
    found = ratio_of_sums(classes, norms.values)
    name = f"cancellation κ at {_SYMBOLS[place]}"
    return of_sequences(Statistic(name, norms, "times the gradient", (1.0, np.inf)), found)


def same_sequences(paths: xr.Dataset, *, place: Place = "input") -> xr.Dataset:
    """The longer half of the sequences, up to a distance that all of them reach.

    A curve over all sequences changes its set of sequences along the axis and falls where one with
    a large gradient ends. Here the last distance is the median of the sequences' own, of an even
    number the lower one, and only sequences that reach it count.

    Arguments:
        paths: As `attnviz.gradient_paths` gives them.
        place: Where the gradient arrives.

    Returns:
        The same variables, with fewer sequences and distances where the lengths differ; the
        attribute `sequences_given` says how many there were.

    Raises:
        KeyError: If the cell has no such place.
        ValueError: If there is no distance beyond the sequences' ends.
    """
    there = np.isfinite(path_variable(paths, place, "gradient_norm").values)
    last = np.where(there, np.arange(there.shape[1]), 0).max(axis=1, initial=0)
    shared = int(np.sort(last)[(len(last) - 1) // 2])
    if shared == 0:
        raise ValueError(
            "There is no distance to follow the gradient over: half of the sequences or more have "
            "a single timestep, or no gradient arrives before the last. Leave short ones out."
        )
    kept = np.flatnonzero(last >= shared)
    part = paths.isel(sequence=kept, distance=slice(0, shared + 1))
    return part.assign_attrs({"sequences_given": len(last), **paths.attrs})


def largest_residual(paths: xr.Dataset, *, place: Place = "input") -> float:
    """How far the classes are from adding up to autograd's gradient, at most.

    Arguments:
        paths: As `attnviz.gradient_paths` gives them.
        place: Where the gradient arrives.

    Returns:
        The largest ‖Σ g_σ − g‖/‖g‖ over sequences and distances; NaN if no gradient arrives.
    """
    residuals = path_variable(paths, place, "residual").values
    finite = residuals[np.isfinite(residuals)]
    return float(finite.max()) if finite.size else float("nan")


def path_variable(paths: xr.Dataset, place: str, name: str) -> xr.DataArray:
    """One variable of a place, and a message where there is none."""
    key = f"{place}_{name}"
    if key not in paths:
        cell = paths.attrs.get("cell", "the cell")
        places = [p for p in _SYMBOLS if f"{p}_class_norm" in paths]
        raise KeyError(
            f"These paths of {cell} hold no {key!r}; the places where a gradient arrives are "
            f"{places}. Choose place= among them, and take paths from attnviz.gradient_paths."
        )
    return paths[key]


def of_start(paths: xr.Dataset, place: str, norms: xr.DataArray, name: str) -> Statistic:
    """Norms by distance, in units of the whole gradient at distance 0 of the same sequences.

    Arguments:
        paths: Where the norms are from.
        place: Where the gradient arrives.
        norms: Axes `(sequence, distance)`, and perhaps one more.
        name: Of the statistic.

    Returns:
        Without the axis `sequence`; uncertainty as in `class_norm`.
    """
    start = path_variable(paths, place, "gradient_norm").values[:, :1]
    start = start.reshape(start.shape + (1,) * (norms.ndim - 2))
    found = ratio_of_sums(norms.values, np.broadcast_to(start, norms.shape))
    of = Statistic(
        f"{name} at {_SYMBOLS[place]}", norms, "of the whole at distance 0", (0.0, np.inf)
    )
    return of_sequences(of, found)
