"""The GRU as an open recurrence."""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from cells.base import Cell, Edit, GatedState, Readout, Route, Signal, Slot, Via, alias, same
from cells.gates import check_sizes, linear, recurrent_linear

__all__ = ["GRUCell", "GRUState"]


class GRUState(NamedTuple):
    """What a GRU carries from one timestep to the next."""

    hidden: Float[Tensor, "batch unit"]


class GRUCell(Cell[GRUState]):
    r"""One step of a GRU.

    .. math::
        z, r &= \sigma(W x_t + U h_{t-1} + b) \\
        \tilde h_t &= \tanh(W_h x_t + b_h + r \odot (U_h h_{t-1} + b'_h))
            \quad\text{or}\quad \tanh(W_h x_t + b_h + U_h (r \odot h_{t-1})) \\
        h_t &= (1 - z) \odot h_{t-1} + z \odot \tilde h_t

    The update gate z is the weight of the candidate; `torch.nn.GRU` stores one minus it.

    References:
        Learning Phrase Representations using RNN Encoder-Decoder (Cho et al., 2014),
        https://arxiv.org/abs/1406.1078. It resets before the recurrent product; cuDNN and
        `torch.nn.GRU` reset after it, which is the default here.

    Arguments:
        input_size: Features of the input.
        hidden_size: Units of the hidden state.
        bias: Whether the gates have biases.
        reset: Whether the reset gate acts `"after"` or `"before"` the recurrent product.
        device: Where the parameters live.
        dtype: Their precision.

    Raises:
        ValueError: If a size is less than 1 or `reset` is neither.
    """

    signals: Mapping[str, Signal] = {
        "hidden": Signal(("unit",), "h_t", bounds=(-1.0, 1.0)),
        "update_gate": Signal(("unit",), "z_t", bounds=(0.0, 1.0)),
        "reset_gate": Signal(("unit",), "r_t", bounds=(0.0, 1.0)),
        "candidate": Signal(("unit",), "h̃_t", bounds=(-1.0, 1.0)),
    }
    routes: Mapping[str, Route] = {
        "carry": Route("hidden"),
        "update_gate": Route("hidden"),
        "reset_gate": Route("hidden"),
        "candidate": Route("hidden"),
    }
    gated = GatedState("hidden", write="update_gate", keep=None, candidate="candidate")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        reset: Literal["after", "before"] = "after",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_sizes("GRUCell", input_size=input_size, hidden_size=hidden_size)
        if reset not in ("after", "before"):
            raise ValueError(f"reset is 'after' or 'before', got {reset!r}.")
        self.input_size, self.hidden_size, self.reset = input_size, hidden_size, reset
        spread = 1 / math.sqrt(hidden_size)
        self.from_input = linear(
            input_size, 3 * hidden_size, bias=bias, spread=spread, device=device, dtype=dtype
        )
        self.update_from_hidden = recurrent_linear(hidden_size, 1, device=device, dtype=dtype)
        self.reset_from_hidden = recurrent_linear(hidden_size, 1, device=device, dtype=dtype)
        self.candidate_from_hidden = recurrent_linear(
            hidden_size, 1, bias=bias and reset == "after", device=device, dtype=dtype
        )

    def initial_state(
        self,
        batch: int,
        *,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> GRUState:
        """Zeros."""
        return GRUState(torch.zeros(batch, self.hidden_size, device=device, dtype=dtype))

    def forward(
        self,
        x: Float[Tensor, "batch feature"],
        state: GRUState,
        *,
        edit: Edit = same,
        via: Via = alias,
    ) -> tuple[GRUState, Readout]:
        """One timestep."""
        for_update, for_reset, for_candidate = self.from_input(x).chunk(3, dim=-1)
        z = (for_update + self.update_from_hidden(via(Slot("update_gate"), state.hidden))).sigmoid()
        r = (for_reset + self.reset_from_hidden(via(Slot("reset_gate"), state.hidden))).sigmoid()
        past = via(Slot("candidate"), state.hidden)
        if self.reset == "after":
            candidate = (for_candidate + r * self.candidate_from_hidden(past)).tanh()
        else:
            candidate = (for_candidate + self.candidate_from_hidden(r * past)).tanh()
        hidden = (1 - z) * via(Slot("carry"), state.hidden) + z * candidate

        readout = {"hidden": hidden, "update_gate": z, "reset_gate": r, "candidate": candidate}
        return GRUState(hidden), readout
