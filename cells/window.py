"""A window over past states: a tuple of tensors, the previous timestep first."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Window", "empty_window", "push", "reachable"]

Window = tuple[Float[Tensor, "batch unit"], ...]


def empty_window(
    size: int,
    batch: int,
    units: int,
    *,
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
) -> Window:
    """A window that holds nothing yet: zeros throughout."""
    zeros = torch.zeros(batch, units, device=device, dtype=dtype)
    return (zeros,) * size


def push(window: Window, newest: Float[Tensor, "batch unit"]) -> Window:
    """The window one timestep later."""
    return (newest, *window[:-1])


def reachable(
    steps: Int[Tensor, "batch"], lags: tuple[int, ...], *, initial: bool
) -> Bool[Tensor, "batch lag"]:
    """Which lags hold a state, after so many timesteps.

    Arguments:
        steps: Timesteps that each row has taken.
        lags: Timesteps back, each one more than the one before.
        initial: Whether the initial state counts as one more.

    Returns:
        True where a state stands.
    """
    # Made where it is used: a copy from the host would stand in a CUDA graph's way.
    offsets = torch.arange(lags[0], lags[-1] + 1, device=steps.device) - int(initial)
    return steps[:, None] >= offsets
