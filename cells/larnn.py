"""The linear attention recurrent network: an LSTM whose gates read its own earlier memories."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from cells.base import (
    At,
    Cell,
    Edit,
    GatedState,
    Readout,
    Route,
    Signal,
    Slot,
    Statistics,
    Via,
    alias,
    same,
)
from cells.gates import ForgetBias, LSTMGates, begin_forgetting, check_sizes, linear
from cells.larnn_attention import WindowAttention
from cells.larnn_options import (
    FIXED,
    PAPER,
    PRESETS,
    RELEASED,
    STABLE,
    LARNNOptions,
    untrainable,
)
from cells.norms import SMALLEST_BATCH, BatchStatistics, Norm
from cells.window import Window, empty_window, push, reachable

__all__ = [
    "FIXED",
    "PAPER",
    "PRESETS",
    "RELEASED",
    "STABLE",
    "LARNNCell",
    "LARNNOptions",
    "LARNNState",
]


class LARNNState(NamedTuple):
    """What LARNN carries from one timestep to the next."""

    hidden: Float[Tensor, "batch unit"]
    memory: Float[Tensor, "batch unit"]
    window: Window  # earlier memories, c_{t-1} first
    steps: Int[Tensor, "batch"]


class LARNNCell(Cell[LARNNState]):
    r"""One step of the linear attention recurrent network.

    .. math::
        q &= \mathrm{ELU}(W_q [x_t; h_{t-1}] + b_q) \\
        K &= N(\mathrm{ELU}(W_K C + b_K)), \qquad V = N(\mathrm{ELU}(W_V C + b_V)),
            \qquad C = c_{t-1}, \ldots, c_{t-k} \\
        \alpha^m &= \mathrm{softmax}(q^m \cdot K^m / \sqrt d) \\
        r &= N(\mathrm{ELU}(W_O [\textstyle\bigoplus_m \sum \alpha^m V^m] + b_O)) \\
        i, f, o, g &= W_x x_t + b_x + W_h h_{t-1} + W_a r + b_a
            \quad\text{with } \sigma, \sigma, \sigma, \tanh \\
        c_t &= N(f \odot c_{t-1} + i \odot g) \\
        h_t &= N(o \odot \mathrm{ELU}(c_t)), \text{ then dropout}

    N is batch norm, layer norm or nothing. The memory that is stored and attended is the
    normalised one, and the hidden state that is fed back is normalised and dropped. The softmax
    runs over the memories there are: the zero memory before the first timestep counts as one,
    until it leaves the window.

    In training, batch norm takes statistics over the rows (and slots) of a step, so one example's
    attention depends on the others'; running statistics move once a sequence. A step with fewer
    than 8 rows still running uses these, and the signal `running_statistics` is 1 there. In
    evaluation, :math:`\gamma f / \sigma > 1` lets the memory grow without bound; the buffer
    `largest_memory` holds the largest magnitude of training for comparison.

    References:
        LARNN: Linear Attention Recurrent Neural Network (Chevalier, 2018),
        https://arxiv.org/abs/1808.05578. `LARNNOptions` says where its text, its released code
        and this implementation's default differ. Where the text prints i ⊙ x ⊙ g, g alone is
        meant: the sizes forbid x. The text's multi-head attention is read as the Transformer's,
        with an output map.

    Arguments:
        input_size: Features of the input.
        hidden_size: Units of the hidden state and of the memory.
        bias: Whether the linear maps have biases.
        window: How many past memories `k` are attended.
        heads: Heads of the attention; they divide `hidden_size`.
        options: The details of the computation.
        forget_bias: Added to the forget gate's bias at the start; a number or `Chrono(longest)`.
        device: Where the parameters live.
        dtype: Their precision.

    Raises:
        ValueError: If a size is less than 1 or `heads` does not divide `hidden_size`.
    """

    routes = {  # noqa: RUF012  (as declared by Cell)
        "gates": Route("hidden"),
        "candidate": Route("hidden"),
        "query": Route("hidden"),
        "hidden": Route("memory"),
        "memory": Route("memory"),
        "attention_key": Route("memory", lagged=True),
        "attention_value": Route("memory", lagged=True),
    }
    largest_memory: Tensor

    def __init__(  # noqa: PLR0913  (mirrors torch.nn)
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        window: int = 10,
        heads: int = 4,
        options: LARNNOptions = FIXED,
        forget_bias: ForgetBias = 1.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        sizes = {"input_size": input_size, "hidden_size": hidden_size}
        check_sizes("LARNNCell", **sizes, window=window, heads=heads)
        if hidden_size % heads:
            raise ValueError(
                f"LARNN splits its {hidden_size} units among heads of equal size, but got "
                f"{heads} heads. Choose heads that divide hidden_size."
            )
        self.input_size, self.hidden_size, self.options = input_size, hidden_size, options
        self.lags = tuple(range(1, window + 1))
        self._make_gates(bias, device=device, dtype=dtype)
        self.attention = WindowAttention(
            input_size,
            hidden_size,
            heads=heads,
            window=window,
            options=options,
            bias=bias,
            device=device,
            dtype=dtype,
        )
        self.memory_norm, self.hidden_norm = (
            Norm(hidden_size, options.norm, gain=options.gain, device=device, dtype=dtype)
            for _ in range(2)
        )
        self.register_buffer("largest_memory", torch.zeros((), device=device, dtype=dtype))
        self._begin(forget_bias)
        self.signals = _signals(options)
        if options.norm == "none":
            self.gated = GatedState("memory", "input_gate", "forget_gate", "candidate")
        batch_statistics = self._norms() if options.norm == "batch" else {}
        self.statistics = ("largest_memory", *batch_statistics)

    def _make_gates(
        self, bias: bool, *, device: torch.device | str | None, dtype: torch.dtype | None
    ) -> None:
        options, units = self.options, self.hidden_size
        # A norm with a β of its own takes the place of the gates' biases.
        offsets = bias and (options.redundant or not options.offsets_vanish)
        self.gates = LSTMGates(
            self.input_size, units, bias=offsets, forget_bias=0.0, device=device, dtype=dtype
        )
        self.from_attention = linear(
            units,
            units if options.attention_into == "candidate" else 4 * units,
            bias=offsets and options.mode == "residual",
            spread=1 / math.sqrt(units),
            device=device,
            dtype=dtype,
        )
        if options.gate_norm != "none":
            normed = 3 * units if options.linear_candidate else 4 * units
            self.gate_norm = Norm(
                normed, options.norm, gain=options.gain, device=device, dtype=dtype
            )
        alone = options.linear_candidate and bias and not offsets
        self.register_parameter(
            "candidate_bias",
            nn.Parameter(torch.zeros(units, device=device, dtype=dtype)) if alone else None,
        )

    @torch.no_grad()
    def _begin(self, forget_bias: ForgetBias) -> None:
        spread, gates = 1 / math.sqrt(self.hidden_size), self.gates.from_input
        if self.options.start == "uniform":
            for parameter in self.parameters():
                parameter.uniform_(-spread, spread)
        elif self.options.norm == "layer" and gates.bias is not None:
            # Where inputs begin as zeros (the margin of a picture), biases of zero would make every
            # memory zero, and the norm of that multiplies gradients by 1/√ε at each timestep.
            gates.bias.uniform_(-spread, spread)
        normed = self.options.gate_norm == "applied" and self.options.norm != "none"
        bias = self.gate_norm.bias if normed else gates.bias
        if bias is not None:
            begin_forgetting(bias, self.hidden_size, forget_bias)

    def _norms(self) -> dict[str, Norm]:
        """The norm that each batch statistic, by its name in the readout, belongs to."""
        uses = self.attention.norms()
        if self.options.gate_norm == "applied":
            uses["gate_statistics"] = self.gate_norm
        uses["memory_statistics"] = self.memory_norm
        uses["hidden_statistics"] = self.hidden_norm
        return uses

    def initial_state(
        self,
        batch: int,
        *,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> LARNNState:
        """Zeros, and no step taken."""
        window = empty_window(len(self.lags), batch, self.hidden_size, device=device, dtype=dtype)
        steps = torch.zeros(batch, dtype=torch.long, device=device)
        return LARNNState(window[0], window[0], window, steps)

    def forward(
        self,
        x: Float[Tensor, "batch feature"],
        state: LARNNState,
        *,
        edit: Edit = same,
        via: Via = alias,
    ) -> tuple[LARNNState, Readout]:
        """One timestep."""
        noisy, collected = self._fitting, self._collected(len(x))
        keys = [via(Slot("attention_key", j), state.window[j - 1]) for j in self.lags]
        values = [via(Slot("attention_value", j), state.window[j - 1]) for j in self.lags]
        attended, readout = self.attention(
            x,
            via(Slot("query"), state.hidden),
            torch.stack(keys),
            torch.stack(values),
            at=At(reachable(state.steps, self.lags, initial=True), self.lags),
            edit=edit,
            noisy=noisy,
            collected=collected,
        )
        i, f, o, g = self._gate(
            x,
            via(Slot("gates"), state.hidden),
            via(Slot("candidate"), state.hidden),
            attended,
            collected,
        )
        memory = f * via(Slot("memory"), state.memory) + i * g
        memory = self.memory_norm(memory, collected, "memory_statistics")
        hidden = o * F.elu(via(Slot("hidden"), memory))
        hidden = self.hidden_norm(hidden, collected, "hidden_statistics")
        if noisy and self.options.hidden_dropout:
            hidden = F.dropout(hidden, self.options.hidden_dropout)

        readout |= {
            "hidden": hidden,
            "memory": memory,
            "input_gate": i,
            "forget_gate": f,
            "output_gate": o,
            "candidate": g,
            **self._statistics(memory, collected),
        }
        return LARNNState(hidden, memory, push(state.window, memory), state.steps + 1), readout

    @property
    def _fitting(self) -> bool:
        """Whether dropout and batch statistics are in use."""
        return self.training or not self.options.eval_honoured

    def _collected(self, running: int) -> BatchStatistics | None:
        enough = self.options.norm == "batch" and running >= SMALLEST_BATCH
        return {} if self._fitting and enough else None

    def _gate(
        self,
        x: Float[Tensor, "batch feature"],
        for_gates: Float[Tensor, "batch unit"],
        for_candidate: Float[Tensor, "batch unit"],
        attended: Float[Tensor, "batch unit"],
        collected: BatchStatistics | None,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The input, forget and output gate and the candidate."""
        options, gates = self.options, 3 * self.hidden_size
        from_hidden = [
            self.gates.gates_from_hidden(for_gates),
            self.gates.candidate_from_hidden(for_candidate),
        ]
        from_attention = self.from_attention(attended)
        if options.attention_into == "candidate":
            from_hidden[1] = from_hidden[1] + from_attention
            z = self.gates.from_input(x) + torch.cat(from_hidden, dim=-1)
        else:
            z = self.gates.from_input(x) + torch.cat(from_hidden, dim=-1) + from_attention
        z_gates, z_candidate = z[:, :gates], z[:, gates:]
        if options.gate_norm == "applied" and options.linear_candidate:
            z_gates = self.gate_norm(z_gates, collected, "gate_statistics")
        elif options.gate_norm == "applied":
            z = self.gate_norm(z, collected, "gate_statistics")
            z_gates, z_candidate = z[:, :gates], z[:, gates:]
        i, f, o = z_gates.sigmoid().chunk(3, dim=-1)
        if not options.linear_candidate:
            return i, f, o, z_candidate.tanh()
        return (
            i,
            f,
            o,
            z_candidate if self.candidate_bias is None else (z_candidate + self.candidate_bias),
        )

    @torch.no_grad()
    def _statistics(self, memory: Tensor, collected: BatchStatistics | None) -> Readout:
        """What training needs of this step, and whether batch norm used the running statistics."""
        statistics = dict(collected or {})
        if self.training:
            statistics["largest_memory"] = torch.linalg.vector_norm(memory, torch.inf)
        if self.options.norm == "batch":
            running = 1.0 if collected is None else 0.0
            statistics["running_statistics"] = memory.new_full((len(memory),), running)
        return statistics

    def untrainable(self) -> frozenset[str]:
        """Parameters whose every effect the softmax, a later norm or nobody's reading removes.

        Steps that use running statistics can give those before a norm on the gates a gradient.
        """
        names = untrainable(self.options, window=len(self.lags))
        return names & {name for name, _ in self.named_parameters()}

    def looks(self, batch: int) -> str | None:
        """Batch statistics of keys and values are of the slots that hold something."""
        looking = self._collected(batch) is not None and self.options.key_value != "linear"
        return "batch statistics ask which slots hold a memory" if looking else None

    def before_sequence(self, batch: int) -> None:
        """Refuses batches too small for batch statistics.

        Raises:
            ValueError: If batch norm would have fewer than 8 sequences to learn from.
        """
        if self._fitting and self.options.norm == "batch" and batch < SMALLEST_BATCH:
            raise ValueError(
                f"LARNN with batch norm needs at least {SMALLEST_BATCH} sequences in a training "
                f"batch, got {batch}: their mean and variance are what it normalises with. Give "
                "larger batches, call eval() if nothing is to be learned, or choose options=STABLE "
                "(layer norm)."
            )

    @torch.no_grad()
    def after_sequence(self, statistics: Statistics) -> None:
        """Moves the running statistics, and keeps the largest memory seen."""
        for largest in statistics["largest_memory"]:
            torch.maximum(self.largest_memory, largest, out=self.largest_memory)
        uses = self._norms() if self.options.norm == "batch" else {}
        for norm in dict.fromkeys(uses.values()):
            norm.absorb(
                [step for name, of in uses.items() if of is norm for step in statistics[name]]
            )


def _signals(options: LARNNOptions) -> dict[str, Signal]:
    signals = {
        "attention": Signal(("head", "lag"), "α", (0.0, 1.0), normalised_over="lag", default=True),
        "attention_used": Signal(("head", "lag"), "α after edits and dropout"),
        "contribution": Signal(("head", "lag"), "‖α W_O V‖", default=True),
        "context": Signal(("unit",), "Σ α V"),
        "hidden": Signal(("unit",), "h_t"),
        "memory": Signal(("unit",), "c_t"),
        "input_gate": Signal(("unit",), "i_t", bounds=(0.0, 1.0)),
        "forget_gate": Signal(("unit",), "f_t", bounds=(0.0, 1.0)),
        "output_gate": Signal(("unit",), "o_t", bounds=(0.0, 1.0)),
        "candidate": Signal(
            ("unit",), "g_t", bounds=None if options.linear_candidate else (-1.0, 1.0)
        ),
    }
    if options.norm == "batch":
        signals["running_statistics"] = Signal((), "running", bounds=(0.0, 1.0), default=True)
    return signals
