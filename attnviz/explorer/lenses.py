"""The lenses of a trace: for every cell, what says how much a timestep took from each source."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from attnviz.analysis import (
    Statistic,
    attention_map,
    contribution_norm,
    feature_attention,
    gate_attention,
    gate_attention_beyond,
    gate_attention_initial,
)
from attnviz.explorer.panels import Extra, Lens
from attnviz.trace import Trace

__all__ = ["influence_lens", "lenses"]

_SAYS = {
    "attention": "How the cell weighs the past states it reads: not what comes of them.",
    "attention_used": "The weights as they were used, after the edit.",
    "contribution": "The size of what each past state adds: the norm of weight times value.",
    "gate_attention": "How much of the state was written how many steps ago, gates held fixed: "
    "exact, but of the memory's own decay, not of weights that the cell chooses.",
    "feature_attention": "How the cell weighs the features of its input and state: not past steps.",
    "influence": "How far the state at the word moves when an earlier word is another: "
    "the same measure for every cell.",
}


def lenses(trace: Trace, group: str, *, used: bool = False) -> list[Lens]:
    """All lenses that a trace of one sequence can give.

    Arguments:
        trace: Of one sequence, cut to its length.
        group: The layer and direction.
        used: Show the attention as it was used, after edits, where the trace tells it apart.

    Returns:
        Attention, contribution, gate attention and feature attention, those there are.
    """
    held = trace.tree[group].data_vars
    found = []
    if "attention" in held:
        found.append(_attention(trace, group, used=used))
    makers: dict[str, Callable[[Trace, str], Lens]] = {
        "contribution": _contribution,
        "gate_attention": _gate_attention,
        "feature_attention": _feature_attention,
    }
    return found + [make(trace, group) for name, make in makers.items() if name in held]


def influence_lens(influence: xr.Dataset | None) -> Lens:
    """The lens of replacement influence at the timesteps that were measured.

    Arguments:
        influence: Of one sequence, as `attnviz.replacement_influence` gives it; None for a lens
            in which nothing has been measured yet.

    Returns:
        A lens whose rows belong to single timesteps.
    """
    timesteps, lags, rows = np.zeros(0, dtype=int), np.zeros(0, dtype=int), np.zeros((0, 0))
    if influence is not None:
        timesteps, lags = influence["timestep"].values[0], influence["lag"].values
        rows = influence["influence"].values[0][timesteps >= 0]
    return Lens(
        "influence", "replacement influence", _SAYS["influence"], "½ squared standard deviations",
        "lag", [int(lag) for lag in lags], _floats(rows)[None],
        at=[int(timestep) for timestep in timesteps if timestep >= 0],
    )  # fmt: skip


def _attention(trace: Trace, group: str, *, used: bool) -> Lens:
    statistic = attention_map(trace, group=group)
    values, says = statistic.values, _SAYS["attention"]
    if used and "attention_used" in trace.tree[group].data_vars:
        values, says = trace.tree[group].dataset["attention_used"], _SAYS["attention_used"]
    return Lens(
        "attention", f"attention {statistic.symbol}".strip(), says, statistic.unit, "lag",
        _numbers(statistic, "lag"), _by_head(values),
    )  # fmt: skip


def _contribution(trace: Trace, group: str) -> Lens:
    statistic = contribution_norm(trace, group=group)
    return Lens(
        "contribution", "contribution", _SAYS["contribution"], statistic.unit, "lag",
        _numbers(statistic, "lag"), _by_head(statistic.values),
    )  # fmt: skip


def _gate_attention(trace: Trace, group: str) -> Lens:
    statistic = gate_attention(trace, group=group)
    ages = _numbers(statistic, "age")
    held = trace.tree[group].data_vars
    rest = {  # a trace that was not recorded here need not tell it
        f"written more than {ages[-1]} steps ago": ("beyond", gate_attention_beyond),
        "left of the initial state": ("initial", gate_attention_initial),
    }
    return Lens(
        "gate_attention", "gate attention", _SAYS["gate_attention"], statistic.unit, "age", ages,
        _floats(statistic.values.values),
        extras=[
            Extra(what, _floats(values(trace, group=group).values.values[0]))
            for what, (name, values) in rest.items()
            if f"gate_attention_{name}" in held
        ],
    )  # fmt: skip


def _feature_attention(trace: Trace, group: str) -> Lens:
    statistic = feature_attention(trace, group=group)
    kinds = [str(kind) for kind in statistic.values["feature_kind"].values]
    return Lens(
        "feature_attention", f"feature attention {statistic.symbol}".strip(),
        _SAYS["feature_attention"], statistic.unit, "feature", list(range(len(kinds))),
        _floats(statistic.values.values), kinds=kinds,
    )  # fmt: skip


def _numbers(statistic: Statistic, axis: str) -> list[int]:
    return [int(number) for number in statistic.values[axis].values]


def _by_head(values: xr.DataArray) -> np.ndarray:
    return _floats(values.isel(sequence=0).transpose("head", "time", "lag").values)


def _floats(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float32)
