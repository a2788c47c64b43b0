"""The exact attention that a gated recurrence pays to its own past, its gates held fixed."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["GateAttention", "gate_attention"]


class GateAttention(NamedTuple):
    """Means over units, but for the residual, which is the largest over units."""

    weights: Float[Tensor, "time batch age"]
    beyond: Float[Tensor, "time batch"]
    initial: Float[Tensor, "time batch"]
    residual: Float[Tensor, "time batch"]


@torch.no_grad()
def gate_attention(
    write: Float[Tensor, "time batch unit"],
    keep: Float[Tensor, "time batch unit"],
    candidate: Float[Tensor, "time batch unit"],
    state: Float[Tensor, "time batch unit"],
    initial: Float[Tensor, "batch unit"],
    *,
    ages: int = 10,
) -> GateAttention:
    r"""How much of the state was written how long ago.

    .. math::
        s_t &= \sum_a w_t(a) \odot g_{t-a} + \Big(\prod_{r \le t} k_r\Big) \odot s_{-1} \\
        w_t(a) &= \Big(\prod_{r = t-a+1}^{t} k_r\Big) \odot \mathrm{write}_{t-a}

    For a GRU or RAU the weights are never negative and, with the initial state's part, sum to
    one; for an LSTM or RRA they are not normalised.

    Arguments:
        write: The gate on the candidate.
        keep: The gate on the previous state.
        candidate: What is written.
        state: What the cell computed, for the residual.
        initial: The state before the first timestep.
        ages: Ages 0 to `ages` − 1 are told apart; the rest is `beyond`.

    Returns:
        Weights by age, their sum beyond, the initial state's, and how far the sum misses the
        state. NaN where the arguments are.
    """
    weights, value = [], torch.zeros_like(state)
    survived = torch.ones_like(keep)
    for age in range(ages):
        if age:
            survived = survived * _earlier(keep, age - 1)
        weight = survived * _earlier(write, age)
        weights.append(weight.mean(dim=-1))
        value = value + weight * _earlier(candidate, age)
    survived = survived * _earlier(keep, ages - 1)
    arriving = survived * _earlier(write, ages)
    arriving_value = arriving * _earlier(candidate, ages)

    mass, carried = torch.zeros_like(initial), torch.zeros_like(initial)
    untouched = torch.ones_like(initial)
    beyond, left, whole = [], [], []
    for time, kept in enumerate(keep):
        mass = kept * mass + arriving[time]
        carried = kept * carried + arriving_value[time]
        untouched = kept * untouched
        beyond.append(mass.mean(dim=-1))
        left.append(untouched.mean(dim=-1))
        whole.append(value[time] + carried + untouched * initial)
    residual = (torch.stack(whole) - state).abs().amax(dim=-1)
    return GateAttention(torch.stack(weights, -1), torch.stack(beyond), torch.stack(left), residual)


def _earlier(values: Float[Tensor, "time batch unit"], steps: int) -> Tensor:
    """The same series, so many timesteps later; zero before its start."""
    if steps == 0:
        return values
    shifted = torch.zeros_like(values)
    shifted[steps:] = values[:-steps]
    return shifted
