"""Recurrent residual attention: an LSTM whose output also reads its own earlier outputs."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cells.base import At, Cell, Edit, GatedState, Readout, Route, Signal, Slot, Via, alias, same
from cells.gates import ForgetBias, LSTMGates, check_sizes
from cells.window import Window, empty_window, push, reachable

__all__ = ["CancellingWeightsError", "RRACell", "RRAState"]

# Below this share of the weights' magnitudes, their sum amplifies rounding a thousandfold.
SMALLEST_SUM = 1e-3


class CancellingWeightsError(ValueError, FloatingPointError):
    """Weights that sum to nearly nothing: no setting for a layer, and in training a divergence."""


class RRAState(NamedTuple):
    """What RRA carries from one timestep to the next."""

    hidden: Float[Tensor, "batch unit"]
    memory: Float[Tensor, "batch unit"]
    window: Window  # earlier hidden states, h_{t-1} first
    steps: Int[Tensor, "batch"]


class RRACell(Cell[RRAState]):
    r"""One step of recurrent residual attention.

    .. math::
        i, f, o &= \sigma(W x_t + U h_{t-1} + b), \qquad g = \tanh(W_g x_t + U_g h_{t-1} + b_g) \\
        c_t &= f \odot c_{t-1} + i \odot g \\
        a_t &= \sum_{j=1}^{k} \hat w_j \, h_{t-\mathrm{lag}(j)},
            \qquad \hat w_j = w_j / \textstyle\sum_m w_m,
            \quad \mathrm{lag}(j) = \text{first\_lag} + j - 1 \\
        h_t &= o \odot \tanh(c_t + a_t)

    The weights are learned but do not depend on the input, and nothing keeps them positive: they
    sum to one, yet they are no probability distribution. Attention enters neither the memory nor
    the gates.

    References:
        RRA: Recurrent Residual Attention for Sequence Learning (Wang, 2017),
        https://arxiv.org/abs/1709.03714. The text starts the window at lag 2 (the default); the
        released code at lag 1. Steps before the first are zero vectors, as in the released code.

    Arguments:
        input_size: Features of the input.
        hidden_size: Units of the hidden state.
        bias: Whether the gates have biases.
        window: How many past hidden states `k` are attended.
        first_lag: The nearest of them, 1 or 2.
        normalization: `"sum"` as published, or `"softmax"`, which is always stable.
        missing: What happens to weight on steps before the first: `"zero"` multiplies it with
            zeros, `"renormalise"` rescales the others to sum to one.
        forget_bias: The forget gate's bias at the start; a number or `Chrono(longest)`.
        device: Where the parameters live.
        dtype: Their precision.

    Raises:
        ValueError: If a size or an option is not one of those above.
    """

    routes: Mapping[str, Route] = {
        "gates": Route("hidden"),
        "candidate": Route("hidden"),
        "shortcut": Route("hidden", lagged=True),
        "hidden": Route("memory"),
        "memory": Route("memory"),
    }
    gated = GatedState("memory", write="input_gate", keep="forget_gate", candidate="candidate")

    def __init__(  # noqa: PLR0913  (mirrors torch.nn)
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        window: int = 10,
        first_lag: Literal[1, 2] = 2,
        normalization: Literal["sum", "softmax"] = "sum",
        missing: Literal["zero", "renormalise"] = "zero",
        forget_bias: ForgetBias = 1.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        check_sizes("RRACell", input_size=input_size, hidden_size=hidden_size, window=window)
        _check_options(first_lag, normalization, missing)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.lags = tuple(range(first_lag, first_lag + window))
        self.normalization, self.missing = normalization, missing
        self.gates = LSTMGates(
            input_size,
            hidden_size,
            bias=bias,
            forget_bias=forget_bias,
            device=device,
            dtype=dtype,
        )
        self.lag_scores = nn.Parameter(torch.rand(window, device=device, dtype=dtype))
        bounds = (0.0, 1.0) if normalization == "softmax" else None
        self.signals = {
            "attention": Signal(("head", "lag"), "ŵ", bounds, normalised_over="lag", default=True),
            "attention_used": Signal(("head", "lag"), "ŵ after edits"),
            "contribution": Signal(("head", "lag"), "‖ŵ h‖", default=True),
            "context": Signal(("unit",), "a_t"),
            "hidden": Signal(("unit",), "h_t", bounds=(-1.0, 1.0)),
            "memory": Signal(("unit",), "c_t"),
            "input_gate": Signal(("unit",), "i_t", bounds=(0.0, 1.0)),
            "forget_gate": Signal(("unit",), "f_t", bounds=(0.0, 1.0)),
            "output_gate": Signal(("unit",), "o_t", bounds=(0.0, 1.0)),
            "candidate": Signal(("unit",), "g_t", bounds=(-1.0, 1.0)),
        }

    def initial_state(
        self,
        batch: int,
        *,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> RRAState:
        """Zeros, and no step taken."""
        window = empty_window(self.lags[-1], batch, self.hidden_size, device=device, dtype=dtype)
        steps = torch.zeros(batch, dtype=torch.long, device=device)
        return RRAState(window[0], window[0], window, steps)

    def lag_kernel(self) -> Float[Tensor, "lag"]:
        """The weights after normalising, nearest lag first."""
        if self.normalization == "softmax":
            return self.lag_scores.softmax(dim=0)
        return self.lag_scores / self.lag_scores.sum()

    def weights(self, present: Tensor) -> Float[Tensor, "batch 1 lag"]:
        """The weights of every row, rescaled over the steps that exist if so chosen."""
        kernel = self.lag_kernel().expand(len(present), -1)
        if self.missing == "renormalise":
            kept = kernel * present
            total = kept.sum(dim=-1, keepdim=True)
            # A row that reaches nothing, or whose weights cancel, reads nothing.
            usable = total.abs() > SMALLEST_SUM * kept.abs().sum(dim=-1, keepdim=True)
            kernel = torch.where(usable, kept / torch.where(usable, total, 1), 0)
        return kernel[:, None]

    def forward(
        self,
        x: Float[Tensor, "batch feature"],
        state: RRAState,
        *,
        edit: Edit = same,
        via: Via = alias,
    ) -> tuple[RRAState, Readout]:
        """One timestep."""
        i, f, o, g = self.gates(
            x, via(Slot("gates"), state.hidden), via(Slot("candidate"), state.hidden)
        )
        memory = f * via(Slot("memory"), state.memory) + i * g

        at = At(reachable(state.steps, self.lags, initial=False), self.lags)
        attention = self.weights(at.reachable)
        past = [via(Slot("shortcut", lag), state.window[lag - 1]) for lag in self.lags]
        weights, values = edit(attention, torch.stack(past, dim=1)[:, None], at)
        context = (weights[:, :, None] @ values).flatten(1)  # one head

        hidden = o * (via(Slot("hidden"), memory) + context).tanh()

        readout = {
            "attention": attention,
            "attention_used": weights,
            "contribution": _contribution(weights, values),
            "context": context,
            "hidden": hidden,
            "memory": memory,
            "input_gate": i,
            "forget_gate": f,
            "output_gate": o,
            "candidate": g,
        }
        return RRAState(hidden, memory, push(state.window, hidden), state.steps + 1), readout

    def constants(self) -> dict[str, Tensor]:
        """The kernel that all timesteps share."""
        return {"lag_kernel": self.lag_kernel().detach()[None]}

    def untrainable(self) -> frozenset[str]:
        """With one lag, normalising leaves nothing to learn."""
        return frozenset({"lag_scores"}) if len(self.lags) == 1 else frozenset()

    def before_sequence(self, batch: int) -> None:
        """Refuses weights whose sum is too near zero to divide by.

        Raises:
            CancellingWeightsError: If the weights nearly cancel.
        """
        total = float(self.lag_scores.detach().sum())
        magnitude = float(self.lag_scores.detach().abs().sum())
        if self.normalization == "sum" and not abs(total) > SMALLEST_SUM * magnitude:
            raise CancellingWeightsError(
                f"RRA divides its attention weights by their sum, but they sum to {total:.3g} "
                f"while their magnitudes sum to {magnitude:.3g}: they cancel, are all zero, or are "
                "not finite. Lower the learning rate, or choose normalization='softmax'."
            )


@torch.no_grad()
def _contribution(
    weights: Float[Tensor, "batch head lag"], values: Float[Tensor, "batch head lag unit"]
) -> Float[Tensor, "batch head lag"]:
    norms: Tensor = torch.linalg.vector_norm(values, dim=-1)
    return weights.abs() * norms


def _check_options(first_lag: int, normalization: str, missing: str) -> None:
    if first_lag not in (1, 2):
        raise ValueError(f"RRA's window starts at lag 1 or 2, got first_lag={first_lag}.")
    if normalization not in ("sum", "softmax"):
        raise ValueError(f"normalization is 'sum' or 'softmax', got {normalization!r}.")
    if missing not in ("zero", "renormalise"):
        raise ValueError(f"missing is 'zero' or 'renormalise', got {missing!r}.")
