"""The exact attention that a gated recurrence pays to its past through its gates."""

from dataclasses import replace

import numpy as np
import xarray as xr

from attnviz.analysis.selection import declared
from attnviz.analysis.statistic import Statistic
from attnviz.trace import Trace, group_for, signal

__all__ = [
    "gate_attention",
    "gate_attention_beyond",
    "gate_attention_initial",
    "gate_attention_parts",
    "gate_attention_residual",
]

_NEVER_NEGATIVE = (0.0, float("inf"))


def gate_attention(trace: Trace, *, group: str | None = None) -> Statistic:
    r"""The weight of the candidate written `age` timesteps ago, gates held fixed.

    .. math:: h_t &= \textstyle\sum_a w_t(a) \odot \tilde h_{t-a}
            + \prod_{r \le t} (1 - z_r) \odot h_\text{init},
            \quad w_t(a) = z_{t-a} \textstyle\prod_{r > t-a} (1 - z_r) \text{ (GRU, RAU)} \\
        c_t &= \textstyle\sum_a (\prod_{r > t-a} f_r) \odot i_{t-a} \odot g_{t-a}
            + \prod_{r \le t} f_r \odot c_\text{init} \text{ (LSTM, RRA)}

    The mean over units. Age 0 is the candidate written now. For GRU and RAU the ages, what lies
    beyond the last and the initial state's part sum to one; for LSTM and RRA they need not.

    Arguments:
        trace: Must hold `gate_attention`.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(sequence, time, age)`, weights, never negative; NaN beyond each sequence's length.

    Raises:
        KeyError: If the trace holds no `gate_attention`.
    """
    group = group_for(trace, "gate_attention", group)
    known = declared(trace, group, "gate_attention")
    return Statistic(
        "gate attention", signal(trace, "gate_attention", group).astype(np.float64),
        "weight, mean over units", bounds=known.bounds or _NEVER_NEGATIVE,
        symbol=known.symbol or "w(a)",
    )  # fmt: skip


def gate_attention_beyond(trace: Trace, *, group: str | None = None) -> Statistic:
    """The gate attention on candidates older than the recorded ages.

    Arguments:
        trace: Must hold `gate_attention_beyond`.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(sequence, time)`, weights, never negative; NaN beyond each sequence's length.

    Raises:
        KeyError: If the trace holds no `gate_attention_beyond`.
    """
    return _rest(trace, group, "gate_attention_beyond", "gate attention beyond the last age")


def gate_attention_initial(trace: Trace, *, group: str | None = None) -> Statistic:
    """The gate attention on the initial state.

    Arguments:
        trace: Must hold `gate_attention_initial`.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(sequence, time)`, weights, never negative; NaN beyond each sequence's length.

    Raises:
        KeyError: If the trace holds no `gate_attention_initial`.
    """
    return _rest(trace, group, "gate_attention_initial", "gate attention on the initial state")


def gate_attention_residual(trace: Trace, *, group: str | None = None) -> Statistic:
    """How far the parts are from adding up to the state: the largest residual of a sequence.

    Arguments:
        trace: Must hold `gate_attention_residual`.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(sequence)`, in units of the state, never negative; NaN for rows never written.

    Raises:
        KeyError: If the trace holds no `gate_attention_residual`.
    """
    residual = signal(trace, "gate_attention_residual", group).astype(np.float64)
    return Statistic(
        "largest completeness residual", abs(residual).max("time"), "units of the state",
        bounds=_NEVER_NEGATIVE,
    )  # fmt: skip


def gate_attention_parts(trace: Trace, *, group: str | None = None) -> Statistic:
    """The gate attention of every age, beyond the last and on the initial state, side by side.

    Arguments:
        trace: Must hold `gate_attention`; what it holds of `_beyond` and `_initial` is added.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(sequence, time, part)`, weights, with the coordinate `part`: the ages as words,
        `beyond` and `initial`; NaN beyond each sequence's length.

    Raises:
        KeyError: If the trace holds no `gate_attention`.
    """
    group = group_for(trace, "gate_attention", group)
    by_age = gate_attention(trace, group=group)
    ages = by_age.values.rename(age="part")
    parts = [ages.assign_coords(part=[str(age) for age in ages["part"].values])]
    for name in ("beyond", "initial"):
        if f"gate_attention_{name}" in trace.tree[group].data_vars:
            rest = _rest(trace, group, f"gate_attention_{name}", name).values
            parts.append(rest.expand_dims(part=[name], axis=-1))
    return replace(by_age, values=xr.concat(parts, dim="part"))


def _rest(trace: Trace, group: str | None, name: str, title: str) -> Statistic:
    values = signal(trace, name, group).astype(np.float64)
    return Statistic(title, values, "weight, mean over units", bounds=_NEVER_NEGATIVE)
