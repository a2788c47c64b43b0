"""LARNN's attention: one query a step, over the memories that stand in a window."""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from cells.base import At, Edit, Readout
from cells.gates import linear
from cells.larnn_options import LARNNOptions
from cells.norms import BatchStatistics, Norm

__all__ = ["WindowAttention", "position_code"]


class WindowAttention(nn.Module):
    r"""Multi-head attention of one query over a window of memories.

    .. math::
        q &= \mathrm{ELU}(W_q [x_t; h_{t-1}] + b_q), \qquad
        K = N(\mathrm{ELU}(W_K C + b_K)), \qquad V = N(\mathrm{ELU}(W_V C + b_V)) \\
        \alpha^m &= \mathrm{softmax}(q^m \cdot K^m / \sqrt d) \\
        r &= N(\mathrm{ELU}(W_O [\textstyle\bigoplus_m \sum \alpha^m V^m] + b_O))

    The softmax runs over the slots that hold a memory, counted for each row. The parts for input
    and hidden state of :math:`W_q` are kept apart, so that each use of a state is a product of its
    own.

    Arguments:
        input_size: Features of the input.
        hidden_size: Units of the memories and of what is returned.
        heads: Heads; they divide `hidden_size`.
        window: Memories that are attended.
        options: Which of the functions above are there.
        bias: Whether the maps have biases.
        device: Where the parameters live.
        dtype: Their precision.
    """

    positions: Tensor | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        *,
        heads: int,
        window: int,
        options: LARNNOptions,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.hidden_size, self.heads, self.options = hidden_size, heads, options
        units, spread = hidden_size, 1 / math.sqrt(hidden_size)
        code = position_code(window, options.first_position) if options.positions else None
        self.register_buffer(
            "positions", None if code is None else code.to(device, dtype), persistent=False
        )
        slot = units if code is None else units + code.shape[1]
        linear_keys = options.key_value == "linear"
        key_bias = bias and (options.redundant or not linear_keys)
        output_bias = bias and (
            options.redundant or options.context == "elu" or not options.offsets_vanish
        )

        def affine(features: int, biased: bool) -> nn.Linear:
            return linear(features, units, bias=biased, spread=spread, device=device, dtype=dtype)

        def norm(gain: float | None, shift: bool) -> Norm:
            return Norm(units, options.norm, gain=gain, shift=shift, device=device, dtype=dtype)

        self.query_from_input = affine(input_size, bias)
        self.query_from_hidden = affine(units, False)
        self.key = affine(slot, key_bias)
        self.value = affine(slot, bias)
        self.output = affine(units, output_bias)
        if options.key_value == "own":
            self.key_norm = norm(options.gain, options.redundant)
            self.value_norm = norm(options.gain, True)
        elif options.key_value == "share":
            self.key_value_norm = norm(None, False)
        if options.context == "elu":
            self.context_norm = norm(options.gain, options.redundant or not options.offsets_vanish)

    def norms(self) -> dict[str, Norm]:
        """The norm that each use of one, by its name in the readout, belongs to."""
        uses = {}
        if self.options.key_value != "linear":
            shared = self.options.key_value == "share"
            uses["key_statistics"] = self.key_value_norm if shared else self.key_norm
            uses["value_statistics"] = self.key_value_norm if shared else self.value_norm
        if self.options.context == "elu":
            uses["context_statistics"] = self.context_norm
        return uses

    def forward(
        self,
        x: Float[Tensor, "batch feature"],
        hidden: Float[Tensor, "batch unit"],
        for_keys: Float[Tensor, "lag batch unit"],
        for_values: Float[Tensor, "lag batch unit"],
        *,
        at: At,
        edit: Edit,
        noisy: bool,
        collected: BatchStatistics | None,
    ) -> tuple[Float[Tensor, "batch unit"], Readout]:
        """Attends once.

        Arguments:
            x: The input.
            hidden: The hidden state, for the query.
            for_keys: The memories, nearest first.
            for_values: The same memories, for their other use.
            at: Which of them are there.
            edit: Changes what is read.
            noisy: Whether dropout acts.
            collected: Where batch norm leaves its statistics; None to use the running ones.

        Returns:
            What the gates read, and what there is to see.
        """
        options = self.options
        query = self.query_from_input(x) + self.query_from_hidden(hidden)
        query = F.elu(query) if options.query == "elu" else query
        keys, values = self._keys_values(for_keys, for_values, at.reachable, noisy, collected)

        query = query / math.sqrt(self.hidden_size // self.heads)
        scores = self._by_head(keys * query).sum(dim=-1)
        attention = scores.masked_fill(~at.reachable[:, None], -torch.inf).softmax(dim=-1)
        weights, values = edit(attention, self._by_head(values), at)
        if noisy and options.attention_dropout:
            weights = F.dropout(weights, options.attention_dropout)
        # Products and sums: matrices as small as a head's are slower through matmul.
        context = (weights[..., None] * values).sum(dim=2).flatten(1)

        attended = self.output(context)
        if options.context == "elu":
            attended = self.context_norm(F.elu(attended), collected, "context_statistics")
        return attended, {
            "attention": attention,
            "attention_used": weights,
            "contribution": self._contribution(weights, values),
            "context": context,
        }

    def _keys_values(
        self,
        for_keys: Float[Tensor, "lag batch unit"],
        for_values: Float[Tensor, "lag batch unit"],
        reachable: Bool[Tensor, "batch lag"],
        noisy: bool,
        collected: BatchStatistics | None,
    ) -> tuple[Float[Tensor, "lag batch unit"], Float[Tensor, "lag batch unit"]]:
        """Keys and values of every slot."""
        if self.positions is not None:
            for_keys, for_values = self._locate(for_keys, for_values, self.positions, noisy)
        keys, values = self.key(for_keys), self.value(for_values)
        if self.options.key_value != "linear":
            # Statistics are of the slots that hold something; nothing else depends on which do.
            chosen = None
            if collected is not None and not bool(reachable.all()):
                chosen = reachable.T
            uses = self.norms()
            keys, values = (
                _normalise(uses[name], F.elu(raw), chosen, collected, name)
                for name, raw in (("key_statistics", keys), ("value_statistics", values))
            )
        return keys, values

    def _locate(
        self,
        for_keys: Float[Tensor, "lag batch unit"],
        for_values: Float[Tensor, "lag batch unit"],
        positions: Float[Tensor, "lag code"],
        noisy: bool,
    ) -> tuple[Tensor, Tensor]:
        """The slots with the code of their lag behind their units."""
        code = positions[:, None].expand(-1, for_keys.shape[1], -1)
        for_keys, for_values = (torch.cat([c, code], dim=-1) for c in (for_keys, for_values))
        if noisy and self.options.slot_dropout:
            # One slot, used twice, is dropped once.
            kept = F.dropout(torch.ones_like(for_keys), self.options.slot_dropout)
            return for_keys * kept, for_values * kept
        return for_keys, for_values

    def _by_head(
        self, slots: Float[Tensor, "lag batch unit"]
    ) -> Float[Tensor, "batch head lag part"]:
        lags, batch, _ = slots.shape
        return slots.view(lags, batch, self.heads, -1).permute(1, 2, 0, 3)

    @torch.no_grad()
    def _contribution(
        self,
        weights: Float[Tensor, "batch head lag"],
        values: Float[Tensor, "batch head lag part"],
    ) -> Float[Tensor, "batch head lag"]:
        """The norm of what each slot adds to the output map, ‖α W_O V‖, by each head's Gram matrix.

        It costs a product of the size of a head where the map itself would cost one of its units.
        """
        maps = self.output.weight.view(self.hidden_size, self.heads, -1).permute(1, 2, 0)
        slots = values.permute(1, 2, 0, 3).flatten(1, 2)
        squares = (slots @ (maps @ maps.transpose(1, 2)) * slots).sum(dim=-1)
        norms = squares.clamp_min(0).sqrt().view(self.heads, -1, len(values))
        return weights.abs() * norms.permute(2, 0, 1)


def position_code(window: int, first: int) -> Float[Tensor, "lag code"]:
    r"""Cosines and sines of a slot's position, with wavelengths of powers of two.

    .. math::
        \cos(2\pi p / 2^i),\; i = 1 \ldots b, \qquad \sin(2\pi p / 2^i),\; i = 2 \ldots b + 1,
        \qquad b = \lceil \log_2 4k \rceil

    Arguments:
        window: Slots, k.
        first: The position p of the nearest; the others count up from it.

    Returns:
        One row a slot, in float64.
    """
    octaves = (4 * window - 1).bit_length()
    position = torch.arange(first, first + window, dtype=torch.float64)[:, None]
    exponents = torch.arange(1, octaves + 2, dtype=torch.float64)
    angle = 2 * math.pi * position / 2**exponents
    return torch.cat([angle[:, :-1].cos(), angle[:, 1:].sin()], dim=1)


def _normalise(
    norm: Norm,
    slots: Float[Tensor, "lag batch unit"],
    chosen: Bool[Tensor, "lag batch"] | None,
    collected: BatchStatistics | None,
    name: str,
) -> Float[Tensor, "lag batch unit"]:
    """Normalises slots, or only those chosen, with zeros in the others."""
    if chosen is None:
        every: Tensor = norm(slots.flatten(0, 1), collected, name)
        return every.view_as(slots)
    normalised = norm(slots[chosen], collected, name)
    return torch.zeros_like(slots).index_put((chosen,), normalised)
