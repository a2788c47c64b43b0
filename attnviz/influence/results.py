"""From samples of an influence to labelled arrays with standard errors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from attnviz.influence.sequences import Features

__all__ = ["Estimate", "assemble", "estimate", "exact"]


@dataclass(frozen=True)
class Estimate:
    """The influence on some timesteps of a sequence, by lag; NaN at lags before its start.

    Arguments:
        influence: The mean.
        standard_error: Of the mean, over what was drawn.
        share_standard_error: Of the shares over reachable lags.
    """

    influence: Float[np.ndarray, "time lag"]
    standard_error: Float[np.ndarray, "time lag"] | None = None
    share_standard_error: Float[np.ndarray, "time lag"] | None = None


def estimate(samples: Float[np.ndarray, "source draw time"], timesteps: Sequence[int]) -> Estimate:
    r"""Means and standard errors of independent draws.

    .. math::
        \mathrm{SE}[\bar z_s] &= s(z_s) / \sqrt m \\
        \mathrm{SE}[\hat p_s] &= s(z_s - \hat p_s z_\cdot) / (\sqrt m\, \bar z_\cdot),
            \qquad \hat p_s = \bar z_s / \bar z_\cdot,

    with :math:`z_\cdot` the sum over reachable sources of one draw (linearised ratio).

    Arguments:
        samples: One value for each source, draw and chosen timestep.
        timesteps: The number of each chosen timestep.

    Returns:
        The estimate; errors are NaN with a single draw.
    """
    draws, lags = samples.shape[1], max(timesteps) + 1
    mean, error, share_error = (np.full((len(timesteps), lags), np.nan) for _ in range(3))
    for place, timestep in enumerate(timesteps):
        z = samples[timestep::-1, :, place]  # nearest source first: by lag
        mean[place, : timestep + 1] = z.mean(axis=1)
        total = z.sum(axis=0)
        if draws > 1:
            error[place, : timestep + 1] = z.std(axis=1, ddof=1) / np.sqrt(draws)
        if draws > 1 and total.mean() > 0:
            share = z.mean(axis=1, keepdims=True) / total.mean()
            spread = (z - share * total).std(axis=1, ddof=1)
            share_error[place, : timestep + 1] = spread / np.sqrt(draws) / total.mean()
    return Estimate(mean, error, share_error)


def exact(values: Float[np.ndarray, "source time"], timesteps: Sequence[int]) -> Estimate:
    """Values that nothing was drawn for.

    Arguments:
        values: One for each source and chosen timestep.
        timesteps: The number of each chosen timestep.

    Returns:
        The estimate, without errors.
    """
    return Estimate(estimate(values[:, None], timesteps).influence)


def assemble(
    estimates: Sequence[Estimate],
    timesteps: Sequence[Sequence[int]],
    inputs: Features,
    attributes: Mapping[str, str | int | float],
) -> xr.Dataset:
    """One labelled object of all sequences.

    Arguments:
        estimates: One a sequence.
        timesteps: The chosen timesteps of each.
        inputs: The sequences.
        attributes: How the numbers were made.

    Returns:
        See `replacement_influence`.
    """
    lengths = [len(row) for row in inputs.rows]
    sizes = len(estimates), max(map(len, timesteps)), max(map(max, timesteps)) + 1
    variables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for name in ("influence", "standard_error", "share_standard_error"):
        parts = [getattr(part, name) for part in estimates]
        if parts[0] is None:
            continue
        joined = np.full(sizes, np.nan)
        for row, part in enumerate(parts):
            joined[row, : part.shape[0], : part.shape[1]] = part
        variables[name] = (("sequence", "time", "lag"), joined)
    numbers = np.full(sizes[:2], -1)
    for row, chosen in enumerate(timesteps):
        numbers[row, : len(chosen)] = chosen
    variables["timestep"] = (("sequence", "time"), numbers)
    variables["length"] = (("sequence",), np.array(lengths))
    if inputs.words is not None:
        tokens = np.full((len(lengths), max(lengths)), "", dtype=object)
        for row, words in enumerate(inputs.words):
            tokens[row, : len(words)] = words
        variables["token"] = (("sequence", "source"), tokens)
    return xr.Dataset(variables, coords={"lag": np.arange(sizes[2])}, attrs=dict(attributes))
