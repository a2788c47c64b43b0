"""The feature attention of one sequence: which features, and input or hidden."""

from dataclasses import replace

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from attnviz.analysis import Statistic, feature_mass, feature_summary, one_sequence
from attnviz.plots.captions import cell_name, subtitle, truncation_note
from attnviz.plots.headings import Heading
from attnviz.plots.numbers import provenance_of
from attnviz.plots.options import PlotOptions, need
from attnviz.plots.scales import ColourScale, ratio_scale
from attnviz.plots.sizes import enlarged
from attnviz.plots.strips import LineStrip, MapStrip, Strip
from attnviz.plots.styling import cycle_colour, in_house_style
from attnviz.plots.timesteps import at_timesteps, overview_note, time_axis
from attnviz.plots.wrapped import draw_wrapped
from attnviz.trace import Trace

__all__ = ["feature_attention_numbers", "plot_feature_attention"]

_ROW_HEIGHT, _LINE_HEIGHT = 0.096, 0.26


@in_house_style
def plot_feature_attention(
    trace: Trace,
    *,
    sequence: int = 0,
    group: str | None = None,
    top: int = 5,
    tokens: tuple[int, int] | None = None,
    wrap: int = 60,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Draws which features get more and which less than an equal share, with the tokens below.

    For each kind of feature the most attended ones have a row each and the others share one, as
    their mean; above them a line shows how much goes to the input features in all.

    Arguments:
        trace: Must hold `feature_attention`.
        sequence: Which sequence to draw.
        group: The layer and direction; the first that holds it if not given.
        top: How many features of each kind have a row of their own.
        tokens: First timestep and the one after the last; all of them if not given.
        wrap: Timesteps in a row at most.
        limits: Ends of the colour scale, to compare figures.

    Returns:
        A figure of page width at most; in each row of tokens one Axes for the share of the input,
        one for each kind of feature.

    Raises:
        KeyError: If the trace holds no `feature_attention`.
        IndexError: If there is no such sequence.
        ValueError: If the range does not fit the sequence.
    """
    options = PlotOptions(sequence, group, None, tokens, wrap, limits)
    group = need(trace, "feature_attention", group)
    statistic = feature_attention_numbers(trace, options, top=top)
    mass = at_timesteps(feature_mass(one_sequence(trace, sequence), group=group), trace, options)
    scale = ratio_scale(statistic, limits=limits)
    strips = [*_mass_strips(mass), *_kind_strips(statistic, scale)]
    solid = Line2D([0, 1], [0.5, 0.5], color=cycle_colour(0), linewidth=enlarged(0.9))
    keys = [(solid, "share of the input features")]
    dotted = Line2D(
        [0, 1], [0.5, 0.5], color=cycle_colour(0), linewidth=enlarged(0.5), linestyle=":"
    )
    heading = Heading(
        f"Feature attention of {cell_name(trace, group)}, in multiples of an equal share",
        subtitle(trace, sequence, group, tokens=tokens),
        scale,
        [*keys, (dotted, "if all were equal")] if mass.values.sizes["kind"] > 1 else [],
        [
            f"Of each kind the {top} features with the highest mean over the sequence, by number; "
            "the others as their mean.",
            *overview_note(trace, options),
            *truncation_note(trace, sequence),
        ],
        provenance=provenance_of(trace),
    )
    time = time_axis(statistic, trace, options)
    return draw_wrapped(strips, time=time, heading=heading)


def feature_attention_numbers(trace: Trace, options: PlotOptions, *, top: int = 5) -> Statistic:
    """The numbers of `plot_feature_attention`.

    Arguments:
        trace: Must hold `feature_attention`.
        options: What to show.
        top: How many features of each kind have a row of their own.

    Returns:
        Axes `(time, feature)` with the coordinates `timestep`, `token`, `feature` and
        `feature_kind`; where there are several kinds, also the curve above, `share` of the first.
    """
    group = need(trace, "feature_attention", options.group)
    part = one_sequence(trace, options.sequence)
    found = at_timesteps(feature_summary(part, top=top, group=group), trace, options)
    mass = at_timesteps(feature_mass(part, group=group), trace, options).values
    if mass.sizes["kind"] < 2:
        return found
    curve = ("time", mass.isel(kind=0).values)
    return replace(found, values=found.values.assign_coords(share=curve))


def _mass_strips(mass: Statistic) -> list[Strip]:
    if mass.values.sizes["kind"] < 2:
        return []
    share = mass.values.isel(kind=0)
    line = np.asarray(share.values)[None, :]
    return [
        LineStrip(line, (0.0, 1.0), _LINE_HEIGHT, label="share", reference=float(share["uniform"]))
    ]


def _kind_strips(statistic: Statistic, scale: ColourScale) -> list[Strip]:
    strips: list[Strip] = []
    of = statistic.values["feature_kind"].values
    for kind in dict.fromkeys(of.tolist()):
        # The first row of a strip is its lowest: the most attended feature goes to the top.
        part = statistic.values.isel(feature=np.flatnonzero(of == kind)[::-1])
        rows = [str(name) for name in part["feature"].values]
        values = np.ascontiguousarray(part.values.T)
        strips.append(MapStrip(values, scale, rows, _ROW_HEIGHT * len(rows), label=str(kind)))
    return strips
