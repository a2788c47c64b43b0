"""A cell that the package does not know: a leaky state that glances at its last two states."""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from cells import At, Cell, Route, Signal, Slot, alias, same


class GlanceState(NamedTuple):
    hidden: Tensor
    window: tuple[Tensor, ...]  # h_{t-1}, h_{t-2}
    steps: Tensor


class GlanceCell(Cell[GlanceState]):
    r"""Attends over its last two states by their dot product with the input's projection.

    .. math::
        q = W_q x_t, \quad \alpha = \mathrm{softmax}_j(q \cdot h_{t-j}), \quad
        h_t = \tanh(W x_t + U h_{t-1} + \textstyle\sum_j \alpha_j h_{t-j})
    """

    lags = (1, 2)
    signals: Mapping[str, Signal] = {
        "attention": Signal(("head", "lag"), "α", (0.0, 1.0), "lag", default=True),
        "contribution": Signal(("head", "lag"), "‖α h‖", default=True),
        "hidden": Signal(("unit",), "h_t", (-1.0, 1.0)),
    }
    routes: Mapping[str, Route] = {
        "carry": Route("hidden"),
        "key": Route("hidden", lagged=True),
        "value": Route("hidden", lagged=True),
    }

    def __init__(self, input_size, hidden_size):
        super().__init__()
        self.input_size, self.hidden_size = input_size, hidden_size
        self.query = nn.Linear(input_size, hidden_size)
        self.from_input = nn.Linear(input_size, hidden_size)
        self.from_hidden = nn.Linear(hidden_size, hidden_size, bias=False)

    def initial_state(self, batch, *, device=None, dtype=None):
        zeros = torch.zeros(batch, self.hidden_size, device=device, dtype=dtype)
        return GlanceState(
            zeros, (zeros, zeros), torch.zeros(batch, dtype=torch.long, device=device)
        )

    def forward(self, x, state, *, edit=same, via=alias):
        # Counted on the device: a graph cannot capture what comes from the host.
        lags = torch.arange(1, len(self.lags) + 1, device=x.device)
        at = At(state.steps[:, None] + 1 >= lags, self.lags)  # the initial state counts
        keys = [via(Slot("key", lag), state.window[lag - 1]) for lag in self.lags]
        past = [via(Slot("value", lag), state.window[lag - 1]) for lag in self.lags]
        scores = torch.einsum("bu,blu->bl", self.query(x), torch.stack(keys, dim=1))
        attention = scores.masked_fill(~at.reachable, -torch.inf).softmax(dim=-1)[:, None]
        weights, values = edit(attention, torch.stack(past, dim=1)[:, None], at)
        context = torch.einsum("bhl,bhlu->bu", weights, values)

        recurrent = self.from_hidden(via(Slot("carry"), state.hidden))
        hidden = (self.from_input(x) + recurrent + context).tanh()

        contribution = weights * torch.linalg.vector_norm(values, dim=-1)
        readout = {"attention": attention, "contribution": contribution, "hidden": hidden}
        return GlanceState(hidden, (hidden, state.window[0]), state.steps + 1), readout
