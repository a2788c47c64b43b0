"""What each past state adds to the context: the weight times what it weighs."""

import numpy as np
import xarray as xr
from jaxtyping import Float

from attnviz.analysis.selection import declared
from attnviz.analysis.statistic import Statistic
from attnviz.trace import Trace, group_for, signal

__all__ = ["contribution_norm", "contribution_share"]


def contribution_norm(trace: Trace, *, group: str | None = None) -> Statistic:
    r"""The size of what each lag contributes, as recorded.

    .. math:: \lVert \hat w_j \, h_{t-j} \rVert \text{ (RRA)}, \qquad
        \lVert \alpha_j W_O V_j \rVert \text{ (LARNN)}

    A large weight on a small state contributes little: RRA's weights are the same at every
    timestep, its contributions are not.

    Arguments:
        trace: Must hold `contribution`.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(sequence, time, head, lag)`, Euclidean norms over units, never negative; 0 where
        the lag holds a zero vector, NaN beyond each sequence's length.

    Raises:
        KeyError: If the trace holds no `contribution`.
    """
    group = group_for(trace, "contribution", group)
    symbol = declared(trace, group, "contribution").symbol or "‖weight · value‖"
    values = signal(trace, "contribution", group).astype(np.float64)
    return Statistic("contribution", values, "norm", bounds=(0.0, float("inf")), symbol=symbol)


def contribution_share(trace: Trace, *, group: str | None = None) -> Statistic:
    r"""How the contributions of a head divide over its lags.

    .. math:: s_{t,j} = \lVert w_j v_{t-j} \rVert / \textstyle\sum_m \lVert w_m v_{t-m} \rVert

    Shares of norms, not of the context: contributions may point against one another.

    Arguments:
        trace: Must hold `contribution`.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(sequence, time, head, lag)`, shares that sum to one over the lags. NaN where
        nothing contributes (the first timestep), and beyond each sequence's length.

    Raises:
        KeyError: If the trace holds no `contribution`.
    """
    norms = contribution_norm(trace, group=group).values
    values = xr.apply_ufunc(
        _share_of_norms, norms, input_core_dims=[["lag"]], output_core_dims=[["lag"]]
    )
    return Statistic("share of the contributions", values, "share", bounds=(0.0, 1.0))


def _share_of_norms(norms: Float[np.ndarray, "*shape lag"]) -> Float[np.ndarray, "*shape lag"]:
    total = norms.sum(-1, keepdims=True)
    return norms / np.where(total == 0, np.nan, total)
