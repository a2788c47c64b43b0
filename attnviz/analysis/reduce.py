"""Smaller forms of a statistic: one head, the mean over heads, bins of timesteps."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from jaxtyping import Float

from attnviz.analysis.statistic import Statistic

__all__ = ["bin_means", "choose_head", "head_mean"]


def choose_head(statistic: Statistic, head: int | Sequence[int]) -> Statistic:
    """One head of a statistic, or some; the axis `head` stays, with as many.

    Arguments:
        statistic: Any statistic with an axis `head`.
        head: Number of the head, or several in the order wanted.

    Returns:
        The statistic of those heads.

    Raises:
        IndexError: If there is no such head.
    """
    count = statistic.values.sizes["head"]
    chosen = [head] if isinstance(head, int) else list(head)
    missing = next((one for one in chosen if not 0 <= one < count), None)
    if missing is not None or not chosen:
        has = "1 head, number 0" if count == 1 else f"{count} heads, numbered 0 to {count - 1}"
        raise IndexError(f"The {statistic.name} has {has}; there is no head {missing}.")
    spread = statistic.uncertainty
    return replace(
        statistic,
        values=statistic.values.isel(head=chosen),
        uncertainty=None if spread is None else spread.isel(head=chosen),
    )


def head_mean(statistic: Statistic) -> Statistic:
    """The mean over heads; the axis `head` stays, with size 1.

    Arguments:
        statistic: Any statistic with an axis `head`.

    Returns:
        The mean, without uncertainty.
    """
    values = statistic.values
    mean = values.mean("head", skipna=False).expand_dims("head", axis=values.dims.index("head"))
    name = f"{statistic.name}, mean over {values.sizes['head']} heads"
    return replace(statistic, name=name, values=mean, uncertainty=None, uncertainty_of="")


def bin_means(statistic: Statistic, size: int) -> Statistic:
    """Means over bins of consecutive timesteps, for an overview of long sequences.

    Arguments:
        statistic: Any statistic with an axis `time`.
        size: Timesteps in a bin; the last bin may hold fewer.

    Returns:
        The means, without uncertainty, with the first timestep of each bin as the coordinate
        `first_timestep`; NaN timesteps are left out, and a bin of nothing else is NaN.

    Raises:
        ValueError: If `size` is less than 1, or there is no axis `time`.
    """
    if "time" not in statistic.values.dims:
        raise ValueError(
            f"bin_means takes a statistic over timesteps, but {statistic.name} has the axes "
            f"{', '.join(map(str, statistic.values.dims)) or 'none'}."
        )
    if size < 1:
        raise ValueError(f"bin_means needs bins of at least 1 timestep, but size is {size}.")
    dims = statistic.values.dims
    values = xr.apply_ufunc(
        lambda array: _bin_means(array, size), statistic.values,
        input_core_dims=[["time"]], output_core_dims=[["time"]], exclude_dims={"time"},
    )  # fmt: skip
    starts = np.arange(0, statistic.values.sizes["time"], size)
    values = values.transpose(*dims).assign_coords(first_timestep=("time", starts))
    return replace(statistic, values=values, uncertainty=None, uncertainty_of="")


def _bin_means(
    values: Float[np.ndarray, "*shape time"], size: int
) -> Float[np.ndarray, "*shape b"]:
    starts = np.arange(0, values.shape[-1], size)
    known = ~np.isnan(values)
    count = np.add.reduceat(known.astype(values.dtype), starts, axis=-1)
    total = np.add.reduceat(np.where(known, values, 0.0), starts, axis=-1)
    return total / np.where(count == 0, np.nan, count)
