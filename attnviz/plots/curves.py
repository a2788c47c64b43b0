"""Plots on Axes as figures of their own, drawn from the options that all kinds share."""

from collections.abc import Callable, Mapping
from typing import cast

import xarray as xr
from matplotlib.axes import Axes

from attnviz.analysis.ablation import ablation_effect, effect_against, pair_interaction
from attnviz.analysis.path_classes import Place
from attnviz.analysis.statistic import Statistic
from attnviz.plots.ablation import Against, plot_ablation, plot_effect_against
from attnviz.plots.axes import legend_beside
from attnviz.plots.figures import PaperFigure, new_figure
from attnviz.plots.lag_kernel import plot_lag_kernel
from attnviz.plots.numbers import provenance_of
from attnviz.plots.options import PlotOptions
from attnviz.plots.path_classes import PLACES, plot_path_classes
from attnviz.plots.sizes import COLUMN, PAGE, chosen_width
from attnviz.plots.styling import house_style
from attnviz.plots.vanishing import plot_vanishing
from attnviz.trace import Trace

__all__ = [
    "ablation_numbers",
    "arrival",
    "draw_ablation",
    "draw_effect_against",
    "draw_lag_kernels",
    "draw_path_classes",
    "draw_vanishing",
    "effect_against_numbers",
    "on_own_figure",
]

_KERNEL_HEIGHT, _EFFECT_HEIGHT, _PATH_HEIGHT = 2.3, 2.7, 2.9
_MOST_INSIDE = 2  # entries of a legend within the Axes
_MADE_BY = ("model", "cell", "weights_digest", "level", "method", "group")


def draw_lag_kernels(traces: Mapping[str, Trace], options: PlotOptions) -> PaperFigure:
    """Draws the attention by lag of one trace, or of several in one Axes.

    Arguments:
        traces: By the name to show.
        options: With group, heads, lags and limits.

    Returns:
        A figure with one Axes.
    """
    with house_style():
        figure = _figure(COLUMN, _KERNEL_HEIGHT)
        ax = figure.subplots()
        for name, trace in traces.items():
            plot_lag_kernel(
                trace, group=options.group, head=options.head, lags=options.lags,
                limits=options.limits, name=name, ax=ax,
            )  # fmt: skip
        if len(ax.get_legend_handles_labels()[1]) > _MOST_INSIDE:
            legend_beside(ax)  # inside it would cover the lines
        figure.limits = ax.get_ylim()
        if len(traces) == 1:
            figure.provenance = provenance_of(next(iter(traces.values())))
    return figure


def draw_ablation(effects: xr.Dataset, options: PlotOptions) -> PaperFigure:
    """Draws `plot_ablation` as a figure.

    Arguments:
        effects: As `attnviz.ablate` gives them.
        options: With the measure and the limits.

    Returns:
        A figure with one Axes, and one for the colours of a map.
    """
    with house_style():
        figure = _figure(0.7 * PAGE, _EFFECT_HEIGHT)
        ax = plot_ablation(effects, measure=options.measure, ax=figure.subplots())
        image = ax.images[0] if ax.images else None
        if options.limits is not None and image is None:
            ax.set_ylim(*options.limits)
        elif options.limits is not None and image is not None:
            image.set_clim(*options.limits)
        figure.limits = ax.get_ylim() if image is None else image.get_clim()
        figure.provenance = _provenance(effects)
    return figure


def ablation_numbers(effects: xr.Dataset, options: PlotOptions) -> Statistic:
    """The numbers of `plot_ablation`: the mean effects; of pairs what they do beyond their sum."""
    if "other_lag" in effects.dims:
        return pair_interaction(effects, measure=options.measure)
    return ablation_effect(effects, measure=options.measure)


def draw_effect_against(effects: xr.Dataset, options: PlotOptions) -> PaperFigure:
    """Draws `plot_effect_against` as a figure.

    Arguments:
        effects: Of single timesteps and lags.
        options: With the measure, and as `score` the attention or the contribution.

    Returns:
        A figure with one Axes.
    """
    with house_style():
        figure = _figure(0.7 * PAGE, _EFFECT_HEIGHT)
        plot_effect_against(
            effects, against=_against(options), measure=options.measure, ax=figure.subplots()
        )
        figure.provenance = _provenance(effects)
    return figure


def effect_against_numbers(effects: xr.Dataset, options: PlotOptions) -> Statistic:
    """The rank correlations of `plot_effect_against`, one a sequence, with their interval."""
    return effect_against(effects, against=_against(options), measure=options.measure)


def draw_path_classes(paths: xr.Dataset, options: PlotOptions) -> PaperFigure:
    """Draws `plot_path_classes` as a figure.

    Arguments:
        paths: As `attnviz.gradient_paths` gives them.
        options: With, as `score`, where the gradient arrives.

    Returns:
        A figure with one Axes.
    """
    with house_style():
        figure = _figure(0.8 * PAGE, _PATH_HEIGHT)
        plot_path_classes(paths, place=arrival(options), ax=figure.subplots())
        figure.provenance = _provenance(paths)
    return figure


def draw_vanishing(paths: Mapping[str, xr.Dataset], options: PlotOptions) -> PaperFigure:
    """Draws `plot_vanishing` as a figure, of one model or of several.

    Arguments:
        paths: By the name to show.
        options: With, as `score`, where the gradient arrives.

    Returns:
        A figure with one Axes.
    """
    with house_style():
        figure = _figure(0.8 * PAGE, _PATH_HEIGHT)
        plot_vanishing(paths, place=arrival(options), ax=figure.subplots())
        if len(paths) == 1:
            figure.provenance = _provenance(next(iter(paths.values())))
    return figure


def on_own_figure(draw: Callable[[Axes], None], provenance: Mapping[str, str]) -> PaperFigure:
    """Draws anything on the Axes of a new figure, of the height of a learning curve.

    Arguments:
        draw: Draws on the Axes.
        provenance: What it is drawn from.

    Returns:
        A figure with one Axes.
    """
    with house_style():
        figure = _figure(0.8 * PAGE, _EFFECT_HEIGHT)
        ax = figure.subplots()
        draw(ax)
        figure.limits, figure.provenance = ax.get_ylim(), provenance
    return figure


def arrival(options: PlotOptions) -> Place:
    """Where gradients arrive that are drawn: what is typed as `score`, else the input.

    Arguments:
        options: What is asked for.

    Returns:
        The place.

    Raises:
        ValueError: If there is no such place.
    """
    place = options.score or "input"
    if place not in PLACES:
        raise ValueError(
            f"Gradients arrive at {' or '.join(map(repr, PLACES))}, but score is {place!r}."
        )
    return cast(Place, place)


def _against(options: PlotOptions) -> Against:
    against = options.score or "contribution"
    if against not in ("attention", "contribution"):
        raise ValueError(
            f"Effects are drawn against 'contribution' or 'attention', but score is {against!r}."
        )
    return cast(Against, against)


def _figure(width: float, height: float) -> PaperFigure:
    figure = new_figure(chosen_width(width), height)
    figure.set_layout_engine("constrained")
    return figure


def _provenance(effects: xr.Dataset) -> dict[str, str]:
    return {name: str(effects.attrs[name]) for name in _MADE_BY if name in effects.attrs}
