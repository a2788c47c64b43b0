"""The contributions of past states to one sequence: time×lag, tokens on the time axis."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from attnviz.plots.lag_map import draw_lag_map
from attnviz.plots.options import PlotOptions
from attnviz.plots.styling import of_what_is_open
from attnviz.trace import Trace

__all__ = ["plot_contribution"]


@of_what_is_open
def plot_contribution(
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
    """Draws how much each lag contributes at each timestep: the norm of weight times value.

    Laid out like `plot_heatmap`. A zero vector contributes nothing whatever its weight.

    Arguments:
        trace: Must hold `contribution`.
        sequence: Which sequence to draw.
        group: The layer and direction; the first that holds contributions if not given.
        head: One head, or several; all of them if not given.
        tokens: First timestep and the one after the last; all of them if not given.
        wrap: Timesteps in a row at most.
        limits: Ends of the colour scale, to compare figures.
        lags: First lag and the one after the last; all of them if not given.

    Returns:
        A figure of page width at most, with one Axes for each head in each row.

    Raises:
        KeyError: If the trace holds no `contribution`.
        IndexError: If there is no such sequence or head.
        ValueError: If the range does not fit the sequence.
    """
    options = PlotOptions(sequence, group, head, tokens, wrap, limits, lags=lags)
    title = "Contribution of past states to {cell}, by timestep and lag"
    return draw_lag_map(trace, "contribution", options, title=title, notes=[])
