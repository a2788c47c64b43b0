"""Plots on Axes as figures of their own, drawn from the options that all kinds share."""

from collections.abc import Mapping
from typing import cast

import xarray as xr

from attnviz.analysis.ablation import ablation_effect, effect_against, pair_interaction
from attnviz.analysis.statistic import Statistic
from attnviz.plots.ablation import Against, plot_ablation, plot_effect_against
from attnviz.plots.axes import legend_beside
from attnviz.plots.figures import PaperFigure, new_figure
from attnviz.plots.lag_kernel import plot_lag_kernel
from attnviz.plots.numbers import provenance_of
from attnviz.plots.options import PlotOptions
from attnviz.plots.sizes import COLUMN, PAGE, chosen_width
from attnviz.plots.styling import house_style
from attnviz.trace import Trace

__all__ = [
    "ablation_numbers",
    "draw_ablation",
    "draw_effect_against",
    "draw_lag_kernels",
    "effect_against_numbers",
]

_KERNEL_HEIGHT, _EFFECT_HEIGHT = 2.3, 2.7
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
