"""Ratios of sums over sequences, with intervals from drawing the sequences again."""

from dataclasses import replace

import numpy as np
import xarray as xr
from jaxtyping import Float

from attnviz.analysis.statistic import Statistic

__all__ = ["Found", "interval_name", "interval_of", "of_sequences", "ratio_of_sums", "weigh_shares"]

#: Of `ratio_of_sums`: the ratio, and the ends of its interval if there is one.
Found = tuple[np.ndarray, np.ndarray | None]
_DRAWS, _LEVEL = 1000, 0.95


def ratio_of_sums(
    numerator: Float[np.ndarray, "sequence *rest"],
    denominator: Float[np.ndarray, "sequence *rest"],
) -> tuple[Float[np.ndarray, "*rest"], Float[np.ndarray, "*rest end"] | None]:
    r"""A ratio of sums over sequences, and its bootstrap interval.

    .. math:: R = \sum_b p_b / \sum_b q_b

    Never a mean of ratios, which the smallest denominators would decide. The sequence is what is
    drawn again; the draws are the same at every call. A sequence in which either part is NaN is
    left out of both sums there.

    References:
        Bootstrap Methods: Another Look at the Jackknife (Efron, 1979),
        https://doi.org/10.1214/aos/1176344552

    Arguments:
        numerator: p, of every sequence.
        denominator: q, never negative.

    Returns:
        The ratio, NaN where no sequence counts or the denominator is zero; and the 2.5 % and
        97.5 % points of 1000 draws, None for a single sequence.
    """
    shape, count = numerator.shape[1:], len(numerator)
    p, q = numerator.reshape(count, -1), denominator.reshape(count, -1)
    there = np.isfinite(p) & np.isfinite(q)
    p, q = np.where(there, p, 0.0), np.where(there, q, 0.0)
    ratio = _divide(p.sum(axis=0), q.sum(axis=0)).reshape(shape)
    if count < 2:
        return ratio, None
    times = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=_DRAWS)
    drawn = _divide(times @ p, times @ q)
    # A draw can miss every sequence that counts at a place; it says nothing there.
    known = (there.sum(axis=0) > 1) & ~np.isnan(drawn).all(axis=0)
    ends = np.full((2, p.shape[1]), np.nan)
    tail = 100 * (1 - _LEVEL) / 2
    ends[:, known] = np.nanpercentile(drawn[:, known], [tail, 100 - tail], axis=0)
    return ratio, ends.T.reshape(*shape, 2)


def weigh_shares(
    shares: Float[np.ndarray, "sequence distance part"],
    norms: Float[np.ndarray, "sequence distance"],
) -> Found:
    r"""The shares of parts in a vector over sequences, as a ratio of sums.

    .. math:: \sum_b s_{r,b} \|g_b\|^2 / \sum_b \|g_b\|^2

    With shares :math:`s_{r,b} = \langle g_{r,b}, g_b \rangle / \|g_b\|^2` that is the sum of all
    products over the sum of all squares. Only ratios at one distance count: norms are taken in
    units of the largest there, because squares of small gradients underflow.

    Arguments:
        shares: Of each part in the vector g; NaN where there is none.
        norms: Of g, never negative; NaN where there is none.

    Returns:
        As `ratio_of_sums`, with the axes `(distance, part)`.
    """
    largest = np.fmax.reduce(norms, axis=0)
    weights = np.divide(norms, largest, out=np.full_like(norms, np.nan), where=largest > 0) ** 2
    products = shares * weights[..., None]
    return ratio_of_sums(products, np.broadcast_to(weights[..., None], products.shape))


def of_sequences(statistic: Statistic, found: Found) -> Statistic:
    """A statistic over sequences from one of each: with a ratio of sums and its interval as values.

    Arguments:
        statistic: What it is called, its unit and bounds; its values have the axis `sequence`.
        found: Of `ratio_of_sums`, over the sequences of these values.

    Returns:
        The statistic with the axes of its values but `sequence`; the uncertainty has one axis
        more, `end`, and there is none for a single sequence.
    """
    ratio, ends = found
    count = statistic.values.sizes["sequence"]
    values = statistic.values.isel(sequence=0, drop=True).copy(data=ratio)
    return replace(
        statistic, values=values, uncertainty=interval_of(values, ends),
        uncertainty_of="" if ends is None else interval_name(count),
    )  # fmt: skip


def interval_of(values: xr.DataArray, ends: np.ndarray | None) -> xr.DataArray | None:
    """The ends of an interval with the axes of the values and one more, `end` (`low`, `high`).

    Arguments:
        values: What the interval is of.
        ends: Both ends, along a last axis; none if there is no interval.

    Returns:
        The labelled ends, or none.
    """
    if ends is None:
        return None
    return values.expand_dims(end=["low", "high"], axis=-1).copy(data=ends)


def interval_name(sequences: int) -> str:
    """What `ratio_of_sums` gives as the uncertainty."""
    plural = "sequence" if sequences == 1 else "sequences"
    return f"95 % bootstrap interval over {sequences} {plural}"


def _divide(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    ratio: np.ndarray = np.divide(p, q, out=np.full(np.shape(p), np.nan), where=q > 0)
    return ratio
