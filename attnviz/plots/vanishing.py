"""How the gradient vanishes, or does not, on its way back: models side by side."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from attnviz.analysis import Statistic
from attnviz.analysis.path_classes import (
    Place,
    gradient_norm_by_distance,
    largest_residual,
    same_sequences,
)
from attnviz.plots.axes import (
    axes_to_draw_on,
    draw_band,
    legend_beside,
    number_logarithm,
    write_title,
)
from attnviz.plots.captions import counted_of, interval_note
from attnviz.plots.options import by_name
from attnviz.plots.path_classes import PLACES
from attnviz.plots.sizes import PAGE
from attnviz.plots.styling import cycle_colour, of_what_is_open

__all__ = ["plot_vanishing"]


@of_what_is_open
def plot_vanishing(
    paths: Mapping[str, xr.Dataset],
    *,
    place: Place = "input",
    ax: Axes | None = None,
) -> Axes:
    """Draws the norm of the gradient by distance from the loss, one line a model.

    Every line begins at one. All distances are of the same sequences, the longer half if they
    differ. At the input cells can be compared: every path leaves by it exactly
    once. At the hidden state they cannot.

    Arguments:
        paths: As `attnviz.gradient_paths` gives them, by the name to show. Without classes they
            are quicker to take: `PathOptions(labels={})`.
        place: Where the gradient arrives: at the input, the hidden state or the memory.
        ax: Where to draw; a new figure if not given.

    Returns:
        The Axes, each line with the bootstrap interval over sequences as its band.

    Raises:
        KeyError: If one of the cells has no such place.
        ValueError: If there is nothing to draw.
    """
    by_name(paths, "plot_vanishing", "paths")
    if not paths:
        raise ValueError("plot_vanishing needs the paths of at least one model, got none.")
    paths = {name: same_sequences(one, place=place) for name, one in paths.items()}
    curves = {name: gradient_norm_by_distance(one, place=place) for name, one in paths.items()}
    with axes_to_draw_on(ax, 0.8 * PAGE, 2.9) as drawn:
        _draw(drawn, paths, curves, place)
    return drawn


def _draw(
    ax: Axes, paths: Mapping[str, xr.Dataset], curves: Mapping[str, Statistic], place: Place
) -> None:
    for number, curve in enumerate(curves.values()):
        distance = curve.values["distance"]
        ax.plot(
            distance, curve.values, "-" if number < 7 else "--", color=cycle_colour(number),
            gid="vanishing",
        )  # fmt: skip
        if curve.uncertainty is not None:
            draw_band(ax, distance, curve.uncertainty, colour=cycle_colour(number))
    ax.set_yscale("log")
    number_logarithm(ax.yaxis)
    ax.set_xlim(0, max(2, *(one.sizes["distance"] for one in paths.values())) - 1)
    residual = np.nanmax([largest_residual(one, place=place) for one in paths.values()])
    counts = [one.sizes["sequence"] for one in paths.values()]
    given = [int(one.attrs["sequences_given"]) for one in paths.values()]
    _name_axes(ax, list(paths), place, counts, given, float(residual))


def _name_axes(
    ax: Axes, names: list[str], place: Place, counts: list[int], given: list[int], residual: float
) -> None:
    notes = [f"{counted_of(counts, given, 'sequence')} a model"]
    notes += interval_note("bands", counts)
    notes.append(f"residual ≤ {residual:.0e}")
    write_title(ax, f"Gradient at the {PLACES[place]} by distance", " · ".join(notes))
    ax.set_xlabel("distance from the loss (timesteps)")
    ax.set_ylabel("‖gradient‖ (of that at distance 0)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    legend_beside(ax, [line for line in ax.lines if line.get_gid() == "vanishing"], names)
