"""What LARNN learns, as its sweep over a whole sequence reads it."""

import math
from typing import Any

import torch
from torch import Tensor

from cells.fast.gates import gate_weights
from cells.fast.norms import norm_weights
from cells.larnn import LARNNCell
from cells.norms import Norm

__all__ = ["context_norm", "larnn_weights"]


def larnn_weights(cell: LARNNCell) -> dict[str, Tensor]:
    """The maps of gates and query, of entries, of what is attended, and the norms."""
    attention, gates = cell.attention, gate_weights(cell.gates)
    zeros = gates["from_input"].new_zeros(())
    of_gates = zeros.expand(4 * cell.hidden_size)
    for bias in (gates.get("bias"), cell.from_attention.bias):
        of_gates = of_gates if bias is None else of_gates + bias
    of_query, of_keys, of_values = (
        zeros.expand(cell.hidden_size) if m.bias is None else m.bias
        for m in (attention.query_from_input, attention.key, attention.value)
    )
    weights: dict[str, Any] = {
        "from_input": torch.cat([gates["from_input"], attention.query_from_input.weight]),
        "bias": torch.cat([of_gates, of_query]),
        "from_hidden": torch.cat([gates["from_hidden"], attention.query_from_hidden.weight]),
        "to_entry": torch.cat((attention.key.weight, attention.value.weight)),
        "entry_bias": torch.cat([of_keys, of_values]),
        "output": attention.output.weight,
        "output_bias": attention.output.bias,
        "from_attention": cell.from_attention.weight,
        **_gain_weights(cell),
        **norm_weights("context", context_norm(cell)),
        **norm_weights("memory", cell.memory_norm),
        **norm_weights("hidden", cell.hidden_norm),
    }
    return {name: weight for name, weight in weights.items() if weight is not None}


def _gain_weights(cell: LARNNCell) -> dict[str, Tensor]:
    """What a query and what is gathered are multiplied by, and the values' shift."""
    ones = cell.attention.output.weight.new_ones(cell.hidden_size)
    scaled = ones / math.sqrt(cell.hidden_size // cell.attention.heads)
    if cell.options.key_value != "own":
        return {"key_gain": scaled}
    found = norm_weights("key", cell.attention.key_norm)
    found["key_gain"] = scaled * found.get("key_gain", ones)
    found.pop("key_shift", None)  # the softmax ignores it
    return found | norm_weights("value", cell.attention.value_norm)


def context_norm(cell: LARNNCell) -> Norm:
    """The norm of what is attended; one that changes nothing where there is none."""
    if cell.options.context == "elu":
        return cell.attention.context_norm
    return Norm(cell.hidden_size, "none")
