"""What to show of a trace, and what a plot needs from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import xarray as xr

from attnviz.analysis.statistic import Statistic
from attnviz.trace import Trace, group_for, layer_groups, sequence_length

__all__ = [
    "FEWEST_LAGS",
    "Measure",
    "PlotOptions",
    "by_name",
    "chosen_lags",
    "chosen_range",
    "need",
]

Measure = Literal["margin", "probability", "loss"]

_ALTERNATIVES = {
    "attention": "plot_heatmap (--kind heatmap)",
    "contribution": "plot_contribution (--kind contribution)",
    "gate_attention": "plot_gate_attention (--kind gate-attention)",
    "feature_attention": "plot_feature_attention (--kind feature-attention)",
}

#: Lags that a map shows though no timestep of the sequence may reach them.
FEWEST_LAGS = 10


@dataclass(frozen=True)
class PlotOptions:
    """Which part of a trace to show. A plot ignores what does not apply to it.

    Arguments:
        sequence: Index of the sequence.
        group: The layer and direction; the first that holds the signal if not given.
        head: One head, or several; all of them if not given.
        tokens: First timestep and the one after the last; all of them if not given.
        wrap: Timesteps in a row at most.
        limits: Ends of the colour scale, of curves those of the vertical axis, to compare figures;
            from the values if not given.
        score: What colours the text, one of `attnviz.analysis.TOKEN_SCORES`; the first that the
            trace holds if not given.
        lags: First lag (or age) and the one after the last; all of them if not given.
        measure: Of effects, which: on the margin, the probability or the loss; the first of these
            that there is if None.
    """

    sequence: int = 0
    group: str | None = None
    head: int | Sequence[int] | None = None
    tokens: tuple[int, int] | None = None
    wrap: int = 60
    limits: tuple[float, float] | None = None
    score: str | None = None
    lags: tuple[int, int] | None = None
    measure: Measure | None = None

    def __post_init__(self) -> None:
        """Refuses what nothing can be drawn with."""
        for name in ("tokens", "limits", "lags"):
            ends = getattr(self, name)
            if ends is not None and not _is_pair(ends):
                raise TypeError(f"{name} takes two numbers, such as (0, 40), got {ends!r}.")
        if self.wrap < 1:
            raise ValueError(f"A row holds at least 1 timestep, but wrap is {self.wrap}.")
        if self.limits is not None and not self.limits[0] < self.limits[1]:
            low, high = self.limits
            raise ValueError(
                f"The colour scale goes from its lower end up to its upper end, but limits is "
                f"({low}, {high}). Give the smaller number first."
            )
        if self.lags is not None and not 0 <= self.lags[0] < self.lags[1]:
            first, last = self.lags
            raise ValueError(
                f"Lags go from a first one, 0 at least, up to a larger one, but lags is "
                f"({first}, {last})."
            )


def by_name(given: object, plot: str, what: str) -> None:
    """Refuses to draw what should come by the name to show.

    Arguments:
        given: What a plot got.
        plot: Its name.
        what: What it draws several of.

    Raises:
        TypeError: If it is no mapping of names, as where a single one was given.
    """
    if not isinstance(given, Mapping) or isinstance(given, xr.Dataset | xr.DataTree):
        raise TypeError(
            f"{plot} draws {what} by the name to show, such as {{'rra': ...}}, but got "
            f"{type(given).__name__}."
        )


def _is_pair(ends: Any) -> bool:  # noqa: ANN401  (whatever somebody gives)
    if isinstance(ends, str):
        return False
    try:
        low, high = ends
        float(low), float(high)
    except (TypeError, ValueError):
        return False
    return True


def chosen_lags(statistic: Statistic, options: PlotOptions, axis: str = "lag") -> Statistic:
    """A statistic cut down to the lags that are shown.

    Arguments:
        statistic: With the axis.
        options: With the range of lags, if any.
        axis: `lag` or `age`.

    Returns:
        The statistic; the same where all lags are shown.

    Raises:
        ValueError: If there is none of these lags.
    """
    if options.lags is None:
        return statistic
    first, last = options.lags
    there = statistic.values[axis].values
    kept = np.flatnonzero((there >= first) & (there < last))
    if not kept.size:
        raise ValueError(
            f"The range {first}:{last} holds no {axis} of the {statistic.name}, which has "
            f"{axis}s {there.min()} to {there.max()}. The last number is not included."
        )
    spread = statistic.uncertainty
    return replace(
        statistic,
        values=statistic.values.isel({axis: kept}),
        uncertainty=None if spread is None else spread.isel({axis: kept}),
    )


def chosen_range(trace: Trace, options: PlotOptions) -> tuple[int, int]:
    """The timesteps to show, checked against the sequence.

    Arguments:
        trace: Any trace.
        options: With the sequence and the range.

    Returns:
        The first timestep and the one after the last.

    Raises:
        ValueError: If the sequence does not have these timesteps, or has none at all.
    """
    length = sequence_length(trace, options.sequence)
    if length == 0:
        raise ValueError(f"Sequence {options.sequence} has no timesteps: there is nothing to show.")
    first, last = options.tokens or (0, length)
    if not 0 <= first < last <= length:
        raise ValueError(
            f"The range {first}:{last} does not fit sequence {options.sequence}, which has "
            f"{length} timesteps. Choose a first and a last (exclusive) within 0:{length}."
        )
    return first, last


def need(trace: Trace, name: str, group: str | None) -> str:
    """The group that holds the signal a plot needs.

    Arguments:
        trace: Any trace.
        name: The signal.
        group: The layer and direction asked for, if any.

    Returns:
        The group's name.

    Raises:
        KeyError: If the trace does not hold it there; says which plots it can serve instead.
    """
    groups = [group] if group is not None else layer_groups(trace)
    if not set(groups) <= set(layer_groups(trace)):
        return group_for(trace, name, group)
    held = {str(variable) for where in groups for variable in trace.tree[where].data_vars}
    if name in held:
        return group_for(trace, name, group)
    cell = trace.tree.attrs.get("cell", "the cell")
    others = [f"its {other} with {how}" for other, how in _ALTERNATIVES.items() if other in held]
    why = " It attends over features, not past states." if "feature_attention" in held else ""
    advice = f"draw {' or '.join(others)}" if others else f"it holds only {sorted(held)}"
    raise KeyError(
        f"This plot needs {name!r}, but the trace of {cell} does not hold it"
        f"{'' if group is None else f' in {group}'}.{why} Record it with keep=[{name!r}], if the "
        f"cell has it; else {advice}."
    )
