"""The recurrent attention unit: a GRU with a second candidate that attends over features."""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from cells.base import At, Cell, Edit, GatedState, Readout, Route, Signal, Slot, Via, alias, same
from cells.gates import check_sizes, linear, recurrent_linear

__all__ = ["RAUCell", "RAUState"]

Reading = Literal["input", "hidden", "hidden_outside"]


class RAUState(NamedTuple):
    """What a RAU carries from one timestep to the next."""

    hidden: Float[Tensor, "batch unit"]


class RAUCell(Cell[RAUState]):
    r"""One step of a recurrent attention unit.

    .. math::
        z, r &= \sigma(W x_t + U h_{t-1} + b), \qquad
            \tilde h_t = \tanh(W_h x_t + b_h + U_h (r \odot h_{t-1})) \\
        U_t &= \mathrm{softmax}(W_a [x_t, h_{t-1}] + b_a) \\
        \hat h_t &= \tanh(W_{\hat h} (U_t \odot [x_t, h_{t-1}]) + b_{\hat h}) \\
        h_t &= (1 - z) \odot h_{t-1} + z \odot (\tilde h_t + \hat h_t) / 2

    It attends over the features of its input and of the state one step back, not over past
    steps. With more than a hundred features every weight begins near 1/n, so that the attended
    candidate begins near zero and the cell leaks; `rescale` undoes that.

    References:
        Recurrent Attention Unit (Zhong, Yue and Ling, 2018), https://arxiv.org/abs/1810.12754,
        equations 1-8. The paper leaves the shape of its attention open and no code of its authors
        is public: `"input"` is the reading above; `"hidden"` attends over units,
        tanh(U ⊙ (W[x,h]+b)); `"hidden_outside"` likewise, U ⊙ tanh(W[x,h]+b).

    Arguments:
        input_size: Features of the input.
        hidden_size: Units of the hidden state.
        bias: Whether gates, attention and candidates have biases.
        reading: What the attention weighs.
        rescale: Multiply the attention by the number of features it is spread over.
        device: Where the parameters live.
        dtype: Their precision.

    Raises:
        ValueError: If a size is less than 1 or `reading` is none of the three.
    """

    routes: Mapping[str, Route] = {
        "carry": Route("hidden"),
        "update_gate": Route("hidden"),
        "reset_gate": Route("hidden"),
        "candidate": Route("hidden"),
        "attention_score": Route("hidden"),
        "attention_value": Route("hidden"),
    }
    gated = GatedState("hidden", write="update_gate", keep=None, candidate="candidate")

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        reading: Reading = "input",
        rescale: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_sizes("RAUCell", input_size=input_size, hidden_size=hidden_size)
        if reading not in ("input", "hidden", "hidden_outside"):
            raise ValueError(f"reading is 'input', 'hidden' or 'hidden_outside', got {reading!r}.")
        self.input_size, self.hidden_size = input_size, hidden_size
        self.reading, self.rescale = reading, rescale
        spread = 1 / math.sqrt(hidden_size)
        both = input_size + hidden_size
        self.features = both if reading == "input" else hidden_size
        self.from_input = linear(
            input_size, 3 * hidden_size, bias=bias, spread=spread, device=device, dtype=dtype
        )
        self.update_from_hidden = recurrent_linear(hidden_size, 1, device=device, dtype=dtype)
        self.reset_from_hidden = recurrent_linear(hidden_size, 1, device=device, dtype=dtype)
        self.candidate_from_hidden = recurrent_linear(hidden_size, 1, device=device, dtype=dtype)
        self.score = linear(
            both, self.features, bias=bias, spread=spread, device=device, dtype=dtype
        )
        self.attended = linear(
            both, hidden_size, bias=bias, spread=spread, device=device, dtype=dtype
        )
        # Outside the tanh, a rescaled candidate has no bounds, and the hidden state with it.
        bounds = None if rescale and reading == "hidden_outside" else (-1.0, 1.0)
        self.signals = {
            "feature_attention": Signal(
                ("feature",), "U_t", bounds=(0.0, 1.0), normalised_over="feature", default=True
            ),
            "hidden": Signal(("unit",), "h_t", bounds),
            "update_gate": Signal(("unit",), "z_t", bounds=(0.0, 1.0)),
            "reset_gate": Signal(("unit",), "r_t", bounds=(0.0, 1.0)),
            "candidate": Signal(("unit",), "(h̃_t+ĥ_t)/2", bounds),
            "plain_candidate": Signal(("unit",), "h̃_t", bounds=(-1.0, 1.0)),
            "attended_candidate": Signal(("unit",), "ĥ_t", bounds),
        }

    def initial_state(
        self,
        batch: int,
        *,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> RAUState:
        """Zeros."""
        return RAUState(torch.zeros(batch, self.hidden_size, device=device, dtype=dtype))

    def forward(
        self,
        x: Float[Tensor, "batch feature"],
        state: RAUState,
        *,
        edit: Edit = same,
        via: Via = alias,
    ) -> tuple[RAUState, Readout]:
        """One timestep."""
        for_update, for_reset, for_candidate = self.from_input(x).chunk(3, dim=-1)
        z = (for_update + self.update_from_hidden(via(Slot("update_gate"), state.hidden))).sigmoid()
        r = (for_reset + self.reset_from_hidden(via(Slot("reset_gate"), state.hidden))).sigmoid()
        reset = r * via(Slot("candidate"), state.hidden)
        plain = (for_candidate + self.candidate_from_hidden(reset)).tanh()

        scored = torch.cat([x, via(Slot("attention_score"), state.hidden)], dim=-1)
        valued = torch.cat([x, via(Slot("attention_value"), state.hidden)], dim=-1)
        attention = self.score(scored).softmax(dim=-1)
        attended = self.attend(attention, valued, edit)

        candidate = (plain + attended) / 2
        hidden = (1 - z) * via(Slot("carry"), state.hidden) + z * candidate

        readout = {
            "feature_attention": attention,
            "hidden": hidden,
            "update_gate": z,
            "reset_gate": r,
            "candidate": candidate,
            "plain_candidate": plain,
            "attended_candidate": attended,
        }
        return RAUState(hidden), readout

    def attend(
        self,
        attention: Float[Tensor, "batch feature"],
        both: Float[Tensor, "batch both"],
        edit: Edit,
    ) -> Float[Tensor, "batch unit"]:
        """The candidate made from attended features, in the reading chosen."""
        if self.reading == "input":
            values = both
        elif self.reading == "hidden":
            values = self.attended(both)
        else:
            values = self.attended(both).tanh()
        at = At(torch.ones_like(attention, dtype=torch.bool), ())
        weights, kept = edit(attention[:, None], values[:, None, :, None], at)
        weighed = (weights * kept[..., 0]).squeeze(1)
        if self.rescale:
            weighed = weighed * self.features
        if self.reading == "hidden_outside":
            return weighed
        inside: Tensor = self.attended(weighed) if self.reading == "input" else weighed
        return inside.tanh()

    def coordinates(self) -> dict[str, tuple[str | int, ...]]:
        """Whether a feature of the attention is one of the input or of the hidden state."""
        of_input = self.input_size if self.reading == "input" else 0
        return {"feature_kind": ("input",) * of_input + ("hidden",) * self.hidden_size}
