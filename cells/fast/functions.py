"""The functions of the cells and their slopes, each in few passes over memory."""

from collections.abc import Sequence
from itertools import groupby

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

__all__ = [
    "by_step",
    "draw_mask",
    "elu",
    "elu_slope",
    "running_rows",
    "sigmoid_slope",
    "softmax_slope",
    "tanh",
    "tanh_slope",
]

# Numbers from which on the faster function makes up for two more calls.
MANY = 2048
_MINUS_ONE = torch.tensor(-1.0)  # as a tensor: a number would be made into one at every call


def tanh(x: Tensor, *, out: Tensor) -> Tensor:
    r""":math:`\tanh x = 2 \sigma(2 x) - 1`, in that way where it is the quicker one.

    In float32 on a CPU torch's sigmoid takes a sixth of the time of its tanh for each number. What
    is lost is the relative precision of values near zero, which the sums in front of them do not
    have either.
    """
    if x.numel() >= MANY and x.dtype is torch.float32 and x.device.type == "cpu":
        torch.add(x, x, out=out).sigmoid_()
        return torch.add(_MINUS_ONE, out, alpha=2, out=out)
    return torch.tanh(x, out=out)


def sigmoid_slope(times: Tensor, sigmoid: Tensor, *, out: Tensor) -> Tensor:
    r""":math:`a\, \sigma (1 - \sigma)`, the slope where a sigmoid gave σ, times something."""
    found: Tensor = torch.ops.aten.sigmoid_backward.grad_input(times, sigmoid, grad_input=out)
    return found


def tanh_slope(times: Tensor, tanh: Tensor, *, out: Tensor) -> Tensor:
    r""":math:`a\, (1 - \tanh^2)`, the slope where a tanh gave that, times something."""
    found: Tensor = torch.ops.aten.tanh_backward.grad_input(times, tanh, grad_input=out)
    return found


def softmax_slope(gradient: Tensor, softmax: Tensor, *, axis: int) -> Tensor:
    r""":math:`\alpha\, (g - \sum \alpha g)`, the gradient of what went into a softmax."""
    return torch._softmax_backward_data(gradient, softmax, axis, softmax.dtype)


def elu(x: Tensor, *, out: Tensor) -> Tensor:
    r""":math:`x` above zero, :math:`e^x - 1` below."""
    # As functional.elu, which takes no out.
    found: Tensor = torch._C._nn.elu(x, out=out)  # type: ignore[call-arg]
    return found


def by_step(like: Tensor, numbers: Sequence[int]) -> Tensor:
    """A number for each timestep, of which many in a row are the same.

    Filled in on the device: a graph cannot capture what comes from the host.
    """
    filled, start = like.new_empty(len(numbers)), 0
    for number, same in groupby(numbers):
        end = start + len(list(same))
        filled[start:end] = number
        start = end
    return filled


def running_rows(buffer: Float[Tensor, "time batch *part"], running: Sequence[int]) -> list[Tensor]:
    """The rows of each timestep of a buffer that still run."""
    batch = buffer.shape[1]
    return [
        rows if n == batch else rows[:n] for rows, n in zip(buffer.unbind(), running, strict=True)
    ]


def draw_mask(room: Tensor, dropping: float) -> None:
    """Draws what dropout multiplies by, the same numbers that `functional.dropout` draws."""
    if room.device.type == "cpu" and dropping < 1:
        room.bernoulli_(1 - dropping).div_(1 - dropping)  # in its own room: half the calls
    else:
        room.copy_(F.dropout(torch.ones_like(room), dropping))


def elu_slope(times: Tensor, elu: Tensor, *, out: Tensor) -> Tensor:
    """The slope where an ELU gave that, times something."""
    found: Tensor = torch.ops.aten.elu_backward.grad_input(
        times, 1.0, 1.0, 1.0, True, elu, grad_input=out
    )
    return found
