"""Which way the gradient travels in several cells, by distance: where they can be compared."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from attnviz.analysis.flow import (
    FlowPlace,
    route_cancellation,
    route_norm_by_distance,
    route_share_by_distance,
)
from attnviz.analysis.selection import reaching
from attnviz.plots.axes import (
    columns_for,
    draw_band,
    legend_beside,
    letter_legend,
    number_logarithm,
    write_title,
)
from attnviz.plots.captions import counted_of, interval_note
from attnviz.plots.figures import new_figure, settle
from attnviz.plots.gradient_flow import route_colour
from attnviz.plots.options import by_name
from attnviz.plots.sizes import PAGE, chosen_width, enlarged
from attnviz.plots.styling import cycle_colour, house_style, of_what_is_open
from attnviz.trace import Trace, sequence_count

__all__ = ["plot_exit_routes"]

_DISTANCE = "distance from the end (timesteps)"
_ACROSS, _NARROW, _LEAST = 3, 5.0, 0.01


@of_what_is_open
def plot_exit_routes(
    traces: Mapping[str, Trace],
    *,
    place: FlowPlace = "input",
    longest: int | None = None,
) -> Figure:
    """Draws the norm of the gradient and the shares of its routes, by distance from the end.

    At the input every path leaves exactly once, by the route over which it came into the state
    that this input wrote: there cells can be compared. Sums are over the same sequences at every
    distance, the longer half if they differ; bands are bootstrap intervals over sequences.

    Arguments:
        traces: Recorded with `gradients="exits"`, by the name to show.
        place: Where the gradient arrives. At the states, cells cannot be compared.
        longest: The largest distance shown, and which sequences reach it; that which at least half
            of the sequences reach if not given, or if it is less.

    Returns:
        A figure: the norms of all models above, below a panel of shares for each.

    Raises:
        KeyError: If a trace does not hold the routes.
        ValueError: If there is no trace.
    """
    by_name(traces, "plot_exit_routes", "traces")
    if not traces:
        raise ValueError("plot_exit_routes needs at least one trace, got none.")
    reached = {name: reaching(trace, longest) for name, trace in traces.items()}
    with house_style():
        width = chosen_width(PAGE)
        columns = min(len(traces), _ACROSS if width >= _NARROW else 1)
        rows = -(-len(traces) // columns)
        high = 2.1 if columns > 1 or width >= _NARROW else 2.9  # its legend stands below it
        figure = new_figure(width, high + 1.75 * rows)
        figure.set_layout_engine("constrained")
        grid = figure.add_gridspec(1 + rows, columns, height_ratios=[high] + [1.75] * rows)
        given = [int((t.tree.dataset["length"].values > 0).sum()) for t in traces.values()]
        above = figure.add_subplot(grid[0, :])
        _draw_norms(above, reached, place, given)
        panels: list[Axes] = []
        for number, (name, (trace, last)) in enumerate(reached.items()):
            first = panels[0] if panels else None
            spot = grid[1 + number // columns, number % columns]
            ax = figure.add_subplot(spot, sharex=first, sharey=first)
            _draw_shares(ax, name, trace, place, last)
            lowest = number >= len(traces) - columns
            ax.tick_params(labelbottom=lowest, labelleft=number % columns == 0)
            ax.set_xlabel(_DISTANCE if lowest else "")
            panels.append(ax)
        panels[0].set_xlim(above.get_xlim())
        panels[0].set_ylabel("share of the gradient")
        _legend(figure, panels)
        settle(figure)
    return figure


def _draw_norms(
    ax: Axes, reached: Mapping[str, tuple[Trace, int]], place: FlowPlace, given: Sequence[int]
) -> None:
    for number, (trace, last) in enumerate(reached.values()):
        statistic = route_norm_by_distance(trace, place=place)
        curve = statistic.values.sel(route="all")[: last + 1]
        ax.plot(curve["distance"], curve.where(curve > 0), color=cycle_colour(number), gid="norm")
        if statistic.uncertainty is not None:
            band = statistic.uncertainty.sel(route="all")[: last + 1]
            draw_band(ax, curve["distance"], band, colour=cycle_colour(number))
    ax.set_yscale("log")
    number_logarithm(ax.yaxis)
    ax.set_xlim(0, max(1, *(last for _, last in reached.values())))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(_DISTANCE)
    ax.set_ylabel("‖gradient‖ (of that at 0)")
    counts = [sequence_count(trace) for trace, _ in reached.values()]
    shown = counted_of(counts, given, "sequence")
    notes = [f"{shown} a model", *interval_note("bands", counts)]
    write_title(ax, f"Gradient at the {place}, and the routes by which it left", " · ".join(notes))
    legend_beside(ax, [line for line in ax.lines if line.get_gid() == "norm"], list(reached))


def _draw_shares(ax: Axes, name: str, trace: Trace, place: FlowPlace, last: int) -> None:
    statistic = route_share_by_distance(trace, place=place)
    values = statistic.values[: last + 1]
    for number, route in enumerate(str(r) for r in values["route"].values):
        part = values.isel(route=number)
        if not np.nanmax(np.abs(part.values), initial=0.0) > _LEAST:
            continue
        colour = route_colour(route, number)
        ax.plot(part["distance"], part, color=colour, label=route, linewidth=enlarged(1.1))
        if statistic.uncertainty is not None:
            band = statistic.uncertainty.isel(route=number)[: last + 1]
            draw_band(ax, part["distance"], band, colour=colour)
    ax.axhline(0.0, color="0.3", linewidth=enlarged(0.4))
    ax.set_ylim(-0.45, 1.15)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    kappa = route_cancellation(trace, place=place).values.values
    write_title(ax, name, f"median κ = {np.nanmedian(kappa):.2f}", panel=True)


def _legend(figure: Figure, panels: Sequence[Axes]) -> None:
    handles = {
        line.get_label(): line
        for ax in panels
        for line in ax.lines
        if not str(line.get_label()).startswith("_")
    }
    names = [str(name).replace("_", " ") for name in handles]
    legend = figure.legend(
        handles.values(), names, loc="outside lower center", frameon=False,
        ncols=columns_for(names, figure.get_figwidth()),
    )  # fmt: skip
    letter_legend(legend)
