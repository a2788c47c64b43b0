"""Ratios of sums over sequences, with intervals from drawing the sequences again."""

import numpy as np
from jaxtyping import Float

__all__ = ["interval_name", "ratio_of_sums"]

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


def interval_name(sequences: int) -> str:
    """What `ratio_of_sums` gives as the uncertainty."""
    plural = "sequence" if sequences == 1 else "sequences"
    return f"95 % bootstrap interval over {sequences} {plural}"


def _divide(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    ratio: np.ndarray = np.divide(p, q, out=np.full(np.shape(p), np.nan), where=q > 0)
    return ratio
