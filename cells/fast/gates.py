"""What LSTM and RRA have in common: four gates from one product, and their slopes."""

import torch
from jaxtyping import Float
from torch import Tensor

from cells.gates import LSTMGates

__all__ = ["gate_slopes", "gate_weights"]


def gate_weights(gates: LSTMGates) -> dict[str, Tensor]:
    """The maps of all gates from the input, with the bias, and from the hidden state."""
    recurrent = (gates.gates_from_hidden.weight, gates.candidate_from_hidden.weight)
    weights = {"from_input": gates.from_input.weight, "from_hidden": torch.cat(recurrent)}
    if gates.from_input.bias is not None:
        weights["bias"] = gates.from_input.bias
    return weights


def gate_slopes(
    gates: Float[Tensor, "time batch four_units"], out: Float[Tensor, "time batch four_units"]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    r"""The derivatives of gates and candidate by what enters their sigmoid or tanh.

    .. math:: i(1-i),\; f(1-f),\; o(1-o),\; 1-g^2

    Arguments:
        gates: i, f, o, g side by side.
        out: Where the slopes are written.

    Returns:
        The four, as views of `out`.
    """
    torch.mul(gates, gates, out=out)
    torch.sub(gates, out, out=out)
    i, f, o, g = out.chunk(4, dim=-1)
    candidate = gates[..., -g.shape[-1] :]
    torch.mul(candidate, candidate, out=g).neg_().add_(1)
    return i, f, o, g
