"""The LSTM as an open recurrence."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from cells.base import Cell, Edit, GatedState, Readout, Route, Signal, Slot, Via, alias, same
from cells.gates import ForgetBias, LSTMGates, check_sizes

__all__ = ["LSTMCell", "LSTMState"]


class LSTMState(NamedTuple):
    """What an LSTM carries from one timestep to the next."""

    hidden: Float[Tensor, "batch unit"]
    memory: Float[Tensor, "batch unit"]


class LSTMCell(Cell[LSTMState]):
    r"""One step of an LSTM.

    .. math::
        i, f, o &= \sigma(W x_t + U h_{t-1} + b), \qquad g = \tanh(W_g x_t + U_g h_{t-1} + b_g) \\
        c_t &= f \odot c_{t-1} + i \odot g \\
        h_t &= o \odot \tanh(c_t)

    The same function as `torch.nn.LSTM`, with one bias in place of its two.

    References:
        Long Short-Term Memory (Hochreiter and Schmidhuber, 1997),
        https://doi.org/10.1162/neco.1997.9.8.1735; forget gate: Learning to Forget (Gers et al.,
        2000), https://doi.org/10.1162/089976600300015015

    Arguments:
        input_size: Features of the input.
        hidden_size: Units of the hidden state.
        bias: Whether the gates have biases.
        forget_bias: The forget gate's bias at the start; a number or `Chrono(longest)`.
        device: Where the parameters live.
        dtype: Their precision.

    Raises:
        ValueError: If a size is less than 1.
    """

    signals: Mapping[str, Signal] = {
        "hidden": Signal(("unit",), "h_t", bounds=(-1.0, 1.0)),
        "memory": Signal(("unit",), "c_t"),
        "input_gate": Signal(("unit",), "i_t", bounds=(0.0, 1.0)),
        "forget_gate": Signal(("unit",), "f_t", bounds=(0.0, 1.0)),
        "output_gate": Signal(("unit",), "o_t", bounds=(0.0, 1.0)),
        "candidate": Signal(("unit",), "g_t", bounds=(-1.0, 1.0)),
    }
    routes: Mapping[str, Route] = {
        "gates": Route("hidden"),
        "candidate": Route("hidden"),
        "hidden": Route("memory"),
        "memory": Route("memory"),
    }
    gated = GatedState("memory", write="input_gate", keep="forget_gate", candidate="candidate")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        forget_bias: ForgetBias = 1.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_sizes("LSTMCell", input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.gates = LSTMGates(
            input_size,
            hidden_size,
            bias=bias,
            forget_bias=forget_bias,
            device=device,
            dtype=dtype,
        )

    def initial_state(
        self,
        batch: int,
        *,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> LSTMState:
        """Zeros."""
        zeros = torch.zeros(batch, self.hidden_size, device=device, dtype=dtype)
        return LSTMState(zeros, zeros)

    def forward(
        self,
        x: Float[Tensor, "batch feature"],
        state: LSTMState,
        *,
        edit: Edit = same,
        via: Via = alias,
    ) -> tuple[LSTMState, Readout]:
        """One timestep."""
        i, f, o, g = self.gates(
            x, via(Slot("gates"), state.hidden), via(Slot("candidate"), state.hidden)
        )
        memory = f * via(Slot("memory"), state.memory) + i * g
        hidden = o * via(Slot("hidden"), memory).tanh()

        readout = {
            "hidden": hidden,
            "memory": memory,
            "input_gate": i,
            "forget_gate": f,
            "output_gate": o,
            "candidate": g,
        }
        return LSTMState(hidden, memory), readout
