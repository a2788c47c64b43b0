"""The details in which LARNN's paper, its released code, and repairs of it differ."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin

from cells.norms import NormKind

__all__ = ["FIXED", "PAPER", "PRESETS", "RELEASED", "STABLE", "LARNNOptions", "untrainable"]


@dataclass(frozen=True, kw_only=True)
class LARNNOptions:
    """How a LARNN cell computes; the defaults are the preset `"fixed"`.

    Arguments:
        norm: What N is in the cell's equations. Batch norm couples the examples of a batch in
            training; layer norm and none do not.
        gain: Every norm's γ at the start; β starts at zero.
        start: `"orthogonal"` draws input weights uniformly and recurrent ones orthogonal, with
            biases zero; `"uniform"` draws every parameter from ±1/√H, γ and β included.
        query: `"elu"` or `"linear"`.
        key_value: ELU and norm on keys and values: each its `"own"` norm, one that they
            `"share"`, which learns nothing, or `"linear"` keys and values.
        context: What follows the heads' output map: `"elu"`, with a norm after it, or `"linear"`.
        mode: How the attended enters the gates: `"residual"` adds a map of it to that of input
            and hidden state; `"layer"` maps all three at once, with one bias.
        attention_into: `"all"` gates, or the `"candidate"` only.
        layer_candidate: In layer mode, `"tanh"`, or a `"linear"` candidate without norm.
        gate_norm: A norm on the gates before their sigmoid or tanh: `"none"`, `"applied"`, or
            `"discarded"`: it has parameters and nothing reads it.
        redundant: Whether parameters exist that can never receive gradient.
        positions: Whether a code of its lag is concatenated to every slot.
        first_position: The position of lag 1, 0 or 1.
        attention_dropout: Dropout on the weights.
        slot_dropout: Dropout on slots with their positions; without positions there is none.
        hidden_dropout: Dropout on the hidden state, as emitted and as fed back.
        eval_honoured: Whether evaluation mode ends dropout and the use of batch statistics.

    Raises:
        ValueError: If an option is not one of those above.
    """

    norm: NormKind = "batch"
    gain: float = 0.1
    start: Literal["orthogonal", "uniform"] = "orthogonal"
    query: Literal["elu", "linear"] = "elu"
    key_value: Literal["own", "share", "linear"] = "own"
    context: Literal["elu", "linear"] = "elu"
    mode: Literal["residual", "layer"] = "residual"
    attention_into: Literal["all", "candidate"] = "all"
    layer_candidate: Literal["tanh", "linear"] = "tanh"
    gate_norm: Literal["none", "applied", "discarded"] = "none"
    redundant: bool = False
    positions: bool = False
    first_position: Literal[0, 1] = 1
    attention_dropout: float = 0.1
    slot_dropout: float = 0.1
    hidden_dropout: float = 0.0
    eval_honoured: bool = True

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if get_origin(field.type) is Literal and value not in get_args(field.type):
                raise ValueError(f"{field.name} is one of {get_args(field.type)}, got {value!r}.")
            if field.name.endswith("dropout") and not 0 <= value < 1:
                raise ValueError(f"{field.name} is a probability below 1, got {value}.")

    @classmethod
    def preset(cls, name: str) -> "LARNNOptions":
        """The options of a name in `PRESETS`.

        Raises:
            ValueError: If there is no such preset.
        """
        if name not in PRESETS:
            raise ValueError(f"There is no LARNN preset {name!r}; there are {sorted(PRESETS)}.")
        return PRESETS[name]

    @property
    def linear_candidate(self) -> bool:
        """Whether the candidate passes neither norm nor tanh."""
        return self.mode == "layer" and self.layer_candidate == "linear"

    @property
    def offsets_vanish(self) -> bool:
        """Whether batch norm takes every constant out of what the gates and candidate read."""
        return self.norm == "batch" and self.gate_norm == "applied"


# What the presets share is above: mode residual, no positions.
_TABLE: tuple[tuple[Any, ...], ...] = (
    # option            fixed         paper        released     stable
    ("norm",            "batch",      "batch",     "batch",     "layer"),
    ("gain",            0.1,          0.1,         1.0,         0.1),
    ("start",           "orthogonal", "orthogonal", "uniform",  "orthogonal"),
    ("query",           "elu",        "linear",    "elu",       "elu"),
    ("key_value",       "own",        "own",       "share",     "own"),
    ("context",         "elu",        "linear",    "elu",       "elu"),
    ("attention_into",  "all",        "candidate", "all",       "all"),
    ("layer_candidate", "tanh",       "linear",    "tanh",      "tanh"),
    ("gate_norm",       "none",       "applied",   "discarded", "none"),
    ("redundant",       False,        False,       True,        False),
    ("first_position",  1,            0,           1,           1),
    ("attention_dropout", 0.1,        0.1,         0.1,         0.1),
    ("slot_dropout",    0.1,          0.0,         0.1,         0.1),
    ("hidden_dropout",  0.0,          0.0,         0.0,         0.0),
    ("eval_honoured",   True,         True,        True,        True),
)  # fmt: skip

PRESETS: Mapping[str, LARNNOptions] = {
    name: LARNNOptions(**{row[0]: row[column] for row in _TABLE})
    for column, name in enumerate(("fixed", "paper", "released", "stable"), start=1)
}

FIXED, PAPER = PRESETS["fixed"], PRESETS["paper"]
RELEASED, STABLE = PRESETS["released"], PRESETS["stable"]


def untrainable(options: LARNNOptions, *, window: int) -> frozenset[str]:
    """Names of parameters that receive no gradient, among them some that the cell may not have.

    The softmax ignores what is the same for all slots, batch norm what is the same for all rows,
    and a single slot has a weight of one whatever its score.

    Arguments:
        options: Those of the cell.
        window: How many slots it attends.
    """
    names = {"attention.key_norm.bias"}
    if options.key_value == "linear":
        names |= {"attention.key.bias"}
    if options.gate_norm == "discarded":
        names |= {"gate_norm.weight", "gate_norm.bias"}
    if window == 1:
        for part in ("key", "key_norm", "query_from_input", "query_from_hidden"):
            names |= {f"attention.{part}.weight", f"attention.{part}.bias"}
    if options.offsets_vanish and not options.linear_candidate:
        names |= {"gates.from_input.bias", "from_attention.bias", "attention.context_norm.bias"}
        if options.context == "linear":
            names |= {"attention.output.bias"}
            # Weights that sum to one pass an offset of the values on; dropped ones do not.
            if options.attention_dropout == 0:
                last = "value" if options.key_value == "linear" else "value_norm"
                names |= {f"attention.{last}.bias"}
    return frozenset(names)
