"""The attention of one sequence: time×lag, tokens on the time axis."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from attnviz.plots.lag_map import draw_lag_map
from attnviz.plots.options import PlotOptions, need
from attnviz.plots.styling import of_what_is_open
from attnviz.trace import Trace

__all__ = ["plot_heatmap"]


@of_what_is_open
def plot_heatmap(
    trace: Trace,
    *,
    sequence: int = 0,
    group: str | None = None,
    head: int | Sequence[int] | None = None,
    tokens: tuple[int, int] | None = None,
    wrap: int = 60,
    limits: tuple[float, float] | None = None,
    lags: tuple[int, int] | None = None,
) -> Figure:
    """Draws how much each timestep attends to each lag, with the tokens below.

    Heads are drawn one below the other on one colour scale (more than six as their mean). Lags
    that hold the initial state keep their weight's colour and are hatched; those that hold nothing
    are hatched without colour. Sequences of more than 600 timesteps are drawn as an overview unless
    a range is chosen.

    Arguments:
        trace: Must hold `attention`.
        sequence: Which sequence to draw.
        group: The layer and direction; the first that holds attention if not given.
        head: One head, or several; all of them if not given.
        tokens: First timestep and the one after the last; all of them if not given.
        wrap: Timesteps in a row at most.
        limits: Ends of the colour scale, to compare figures.
        lags: First lag and the one after the last; all of them if not given.

    Returns:
        A figure of page width at most, with one Axes for each head in each row.

    Raises:
        KeyError: If the trace holds no `attention`.
        IndexError: If there is no such sequence or head.
        ValueError: If the range does not fit the sequence.
    """
    options = PlotOptions(sequence, group, head, tokens, wrap, limits, lags=lags)
    static = "lag_kernel" in trace.tree[need(trace, "attention", group)].data_vars
    note = "These weights are the same at every timestep; the contributions are not."
    title = "Attention of {cell} to its past states, by timestep and lag"
    return draw_lag_map(trace, "attention", options, title=title, notes=[note] if static else [])
