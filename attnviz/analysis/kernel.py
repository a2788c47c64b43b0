"""The attention by lag of a whole trace: one curve for a cell."""

from collections.abc import Callable

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float

from attnviz.analysis.attention import attention_map
from attnviz.analysis.gates import gate_attention
from attnviz.analysis.selection import declared, inside, lag_holds, sequence_blocks, step
from attnviz.analysis.statistic import Statistic
from attnviz.trace import SOURCE_REAL, Trace, group_for, signal

__all__ = ["age_kernel", "lag_kernel"]


def lag_kernel(trace: Trace, *, group: str | None = None) -> Statistic:
    r"""The attention by lag: RRA's static kernel, else the mean over timesteps and sequences.

    The mean is taken over the timesteps at which every lag is reachable, so that it sums to what
    one row sums to and the start of a sequence does not count short lags double. The unit is the
    sequence: the mean of each, then over sequences. A sequence too short for the window has no
    such timestep and is left out.

    Arguments:
        trace: Must hold `lag_kernel` or `attention`.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(head, lag)`, weights. For a mean, the uncertainty is the standard deviation over
        sequences (NaN for a single one); a static kernel has none.

    Raises:
        KeyError: If the trace holds no `attention`.
        ValueError: If no sequence is long enough for the window.
    """
    group = group_for(trace, "attention", group)
    if "lag_kernel" in trace.tree[group].data_vars:
        known = declared(trace, group, "lag_kernel")
        symbol = known.symbol or declared(trace, group, "attention").symbol or "ŵ"
        kernel = signal(trace, "lag_kernel", group).astype(np.float64)
        return Statistic("lag kernel", kernel, "weight", bounds=known.bounds, symbol=symbol)

    def every_lag(block: Trace) -> xr.DataArray:
        return lag_holds(block, group, SOURCE_REAL).all("lag")

    return _mean(trace, lambda block: attention_map(block, group=group), every_lag)


def age_kernel(trace: Trace, *, group: str | None = None) -> Statistic:
    """The gate attention by age: the mean over timesteps and sequences.

    Taken over the timesteps at which every recorded age lies within the sequence. The unit is the
    sequence, as in `lag_kernel`.

    Arguments:
        trace: Must hold `gate_attention`.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axes `(age)`, weights. The uncertainty is the standard deviation over sequences (NaN for a
        single one).

    Raises:
        KeyError: If the trace holds no `gate_attention`.
        ValueError: If no sequence is as long as the recorded ages reach.
    """
    group = group_for(trace, "gate_attention", group)

    def every_age(block: Trace) -> xr.DataArray:
        reached = step(block, group) >= block.tree[group]["age"].max()
        return reached & inside(block, group)

    return _mean(trace, lambda block: gate_attention(block, group=group), every_age)


def _mean(
    trace: Trace,
    of: Callable[[Trace], Statistic],
    counted: Callable[[Trace], xr.DataArray],
) -> Statistic:
    rows, long_enough = [], []
    for block in sequence_blocks(trace):
        part, mask = of(block), counted(block)
        axes = [str(axis) for axis in part.values.dims]
        long_enough.append(mask.any("time"))
        rows.append(
            xr.apply_ufunc(
                _mean_over_time, part.values, mask,
                input_core_dims=[axes, ["sequence", "time"]],
                output_core_dims=[[axis for axis in axes if axis != "time"]],
            )
        )  # fmt: skip
    by_sequence = xr.concat(rows, dim="sequence")
    usable = by_sequence.isel(sequence=xr.concat(long_enough, dim="sequence").values)
    count = usable.sizes["sequence"]
    axis = str(by_sequence.dims[-1])
    if count == 0:
        raise ValueError(
            f"The mean by {axis} needs timesteps with every {axis} reachable (up to {axis} "
            f"{int(by_sequence[axis].max())}), but none of the {by_sequence.sizes['sequence']} "
            f"sequences is that long. Record longer sequences or a smaller window."
        )
    plural = "sequence" if count == 1 else "sequences"
    mean = usable.mean("sequence", skipna=False)
    return Statistic(
        f"mean {part.name}", mean, part.unit, part.bounds, symbol=part.symbol,
        uncertainty=usable.std("sequence", ddof=1, skipna=False) if count > 1 else mean * np.nan,
        uncertainty_of=f"standard deviation over {count} {plural}",
    )  # fmt: skip


def _mean_over_time(
    values: Float[np.ndarray, "sequence time *rest"], counted: Bool[np.ndarray, "sequence time"]
) -> Float[np.ndarray, "sequence *rest"]:
    mask = counted.reshape(counted.shape + (1,) * (values.ndim - 2))
    count = mask.sum(1)
    total = np.where(mask, values, 0.0).sum(1)
    return np.asarray(total / np.where(count == 0, np.nan, count))
