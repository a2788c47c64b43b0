"""What gated cells share: the parameters of their gates and how these begin."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = [
    "Chrono",
    "ForgetBias",
    "LSTMGates",
    "begin_forgetting",
    "check_sizes",
    "linear",
    "recurrent_linear",
]


class Chrono(NamedTuple):
    r"""Forget biases for dependencies of up to `longest` timesteps.

    .. math:: b_f \sim \log U(1, T_{\max} - 1), \qquad b_i = -b_f

    References:
        Can recurrent neural networks warp time? (Tallec and Ollivier, 2018),
        https://arxiv.org/abs/1804.11188
    """

    longest: int


ForgetBias = float | Chrono


def check_sizes(name: str, **sizes: int) -> None:
    """Raises ValueError if a size is not positive."""
    for size, value in sizes.items():
        if value < 1:
            raise ValueError(f"{name} needs {size} of at least 1, got {value}.")


def linear(
    in_features: int,
    out_features: int,
    *,
    bias: bool,
    spread: float,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Linear:
    """An affine map with weights uniform in ±`spread` and biases zero."""
    layer = nn.Linear(in_features, out_features, bias=bias, device=device, dtype=dtype)
    nn.init.uniform_(layer.weight, -spread, spread)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def recurrent_linear(
    hidden_size: int,
    blocks: int,
    *,
    bias: bool = False,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
) -> nn.Linear:
    """A map of the hidden state to `blocks` gates; each gate's block begins orthogonal."""
    layer = nn.Linear(hidden_size, blocks * hidden_size, bias=bias, device=device, dtype=dtype)
    with torch.no_grad():
        for block in layer.weight.chunk(blocks):
            nn.init.orthogonal_(block)
        if bias:
            layer.bias.zero_()
    return layer


@torch.no_grad()
def begin_forgetting(
    bias: Float[Tensor, "gates"], hidden_size: int, forget_bias: ForgetBias
) -> None:
    """Adds the forget gate's bias at the start to biases ordered input gate, forget gate, others.

    Raises:
        ValueError: If a dependency of less than 3 timesteps is the longest.
    """
    input_gate, forget_gate = bias[:hidden_size], bias[hidden_size : 2 * hidden_size]
    if isinstance(forget_bias, Chrono):
        if forget_bias.longest < 3:
            raise ValueError(
                f"Chrono needs a longest dependency of at least 3, got {forget_bias.longest}."
            )
        drawn = torch.empty_like(forget_gate).uniform_(1, forget_bias.longest - 1).log_()
        forget_gate.add_(drawn)
        input_gate.sub_(drawn)
    else:
        forget_gate.add_(forget_bias)


class LSTMGates(nn.Module):
    r"""The gates and the candidate of an LSTM.

    .. math::
        i, f, o &= \sigma(W x_t + U h_{t-1} + b) \\
        g &= \tanh(W_g x_t + U_g h_{t-1} + b_g)

    Input weights begin uniform in :math:`\pm 1/\sqrt{H}`, recurrent ones orthogonal, biases zero
    but for the forget gate's.

    Arguments:
        input_size: Features of the input.
        hidden_size: Units of the hidden state.
        bias: Whether the gates have biases.
        forget_bias: The forget gate's bias at the start.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        bias: bool = True,
        forget_bias: ForgetBias = 1.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        spread = 1 / math.sqrt(hidden_size)
        self.from_input = linear(
            input_size, 4 * hidden_size, bias=bias, spread=spread, device=device, dtype=dtype
        )
        self.gates_from_hidden = recurrent_linear(hidden_size, 3, device=device, dtype=dtype)
        self.candidate_from_hidden = recurrent_linear(hidden_size, 1, device=device, dtype=dtype)
        if bias:
            begin_forgetting(self.from_input.bias, hidden_size, forget_bias)

    def forward(
        self,
        x: Float[Tensor, "batch feature"],
        for_gates: Float[Tensor, "batch unit"],
        for_candidate: Float[Tensor, "batch unit"],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The input, forget and output gate and the candidate, each `(batch, unit)`.

        `for_gates` and `for_candidate` are the same hidden state, once for each use.
        """
        from_input = self.from_input(x)
        units = for_candidate.shape[-1]
        gates = from_input[:, : 3 * units] + self.gates_from_hidden(for_gates)
        candidate = from_input[:, 3 * units :] + self.candidate_from_hidden(for_candidate)
        i, f, o = gates.sigmoid().chunk(3, dim=-1)
        return i, f, o, candidate.tanh()
