"""What to show of a trace, and what a plot needs from it."""

from dataclasses import dataclass

from attnviz.trace import Trace, group_for, layer_groups, sequence_length

__all__ = ["PlotOptions", "chosen_range", "need"]

_ALTERNATIVES = {
    "attention": "plot_heatmap (--kind heatmap)",
    "contribution": "plot_contribution (--kind contribution)",
    "gate_attention": "plot_gate_attention (--kind gate-attention)",
    "feature_attention": "plot_feature_attention (--kind feature-attention)",
}


@dataclass(frozen=True)
class PlotOptions:
    """Which part of a trace to show. A plot ignores what does not apply to it.

    Arguments:
        sequence: Index of the sequence.
        group: The layer and direction; the first that holds the signal if not given.
        head: One head; all of them if not given.
        tokens: First timestep and the one after the last; all of them if not given.
        wrap: Timesteps in a row at most.
        limits: Ends of the colour scale, to compare figures; from the values if not given.
        score: What colours the text, one of `attnviz.analysis.TOKEN_SCORES`; the first that the
            trace holds if not given.
    """

    sequence: int = 0
    group: str | None = None
    head: int | None = None
    tokens: tuple[int, int] | None = None
    wrap: int = 60
    limits: tuple[float, float] | None = None
    score: str | None = None

    def __post_init__(self) -> None:
        """Refuses what nothing can be drawn with."""
        if self.wrap < 1:
            raise ValueError(f"A row holds at least 1 timestep, but wrap is {self.wrap}.")
        if self.limits is not None and not self.limits[0] < self.limits[1]:
            low, high = self.limits
            raise ValueError(
                f"The colour scale goes from its lower end up to its upper end, but limits is "
                f"({low}, {high}). Give the smaller number first."
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
