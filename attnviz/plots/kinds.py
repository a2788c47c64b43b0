"""The plots by name, all called alike: what `attnviz plot --kind` chooses from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from matplotlib.figure import Figure

from attnviz.analysis import Statistic
from attnviz.plots.contribution import plot_contribution
from attnviz.plots.feature_attention import feature_attention_numbers, plot_feature_attention
from attnviz.plots.figures import new_figure
from attnviz.plots.gate_attention import gate_attention_numbers, plot_gate_attention
from attnviz.plots.gradient_flow import gradient_flow_numbers, plot_gradient_flow
from attnviz.plots.heatmap import plot_heatmap
from attnviz.plots.lag_kernel import lag_kernel_numbers, plot_lag_kernel
from attnviz.plots.lag_map import lag_numbers
from attnviz.plots.options import PlotOptions
from attnviz.plots.shortcut import plot_shortcut, shortcut_numbers
from attnviz.plots.sizes import COLUMN, chosen_width
from attnviz.plots.styling import house_style
from attnviz.plots.text_view import plot_text, text_numbers
from attnviz.trace import Trace, layer_groups

__all__ = ["KINDS", "PlotKind", "drawable_kinds"]


@dataclass(frozen=True)
class PlotKind:
    """A plot that can be chosen by name.

    Arguments:
        shows: What it shows, in a sentence.
        needs: The signals it can be drawn from; one of them is enough.
        draw: Draws it.
        numbers: What it draws, as a statistic.
    """

    shows: str
    needs: tuple[str, ...]
    draw: Callable[[Trace, PlotOptions], Figure]
    numbers: Callable[[Trace, PlotOptions], Statistic]


def _heatmap(trace: Trace, o: PlotOptions) -> Figure:
    return plot_heatmap(
        trace, sequence=o.sequence, group=o.group, head=o.head, tokens=o.tokens, wrap=o.wrap,
        limits=o.limits,
    )  # fmt: skip


def _contribution(trace: Trace, o: PlotOptions) -> Figure:
    return plot_contribution(
        trace, sequence=o.sequence, group=o.group, head=o.head, tokens=o.tokens, wrap=o.wrap,
        limits=o.limits,
    )  # fmt: skip


def _gate_attention(trace: Trace, o: PlotOptions) -> Figure:
    return plot_gate_attention(
        trace, sequence=o.sequence, group=o.group, tokens=o.tokens, wrap=o.wrap, limits=o.limits
    )


def _feature_attention(trace: Trace, o: PlotOptions) -> Figure:
    return plot_feature_attention(
        trace, sequence=o.sequence, group=o.group, tokens=o.tokens, wrap=o.wrap, limits=o.limits
    )


def _text(trace: Trace, o: PlotOptions) -> Figure:
    return plot_text(
        trace, sequence=o.sequence, score=o.score, group=o.group, head=o.head, tokens=o.tokens,
        limits=o.limits,
    )  # fmt: skip


def _lag_kernel(trace: Trace, o: PlotOptions) -> Figure:
    with house_style():
        figure = new_figure(chosen_width(COLUMN), 2.3)
        ax = figure.add_axes((0.15, 0.17, 0.82, 0.71))
        plot_lag_kernel(trace, group=o.group, head=o.head, ax=ax)
    return figure


def _gradient_flow(trace: Trace, o: PlotOptions) -> Figure:
    return plot_gradient_flow(
        trace, sequence=o.sequence, group=o.group, tokens=o.tokens, wrap=o.wrap
    )


def _shortcut(trace: Trace, o: PlotOptions) -> Figure:
    return plot_shortcut(
        trace, sequence=o.sequence, group=o.group, tokens=o.tokens, wrap=o.wrap, limits=o.limits
    )


KINDS: Mapping[str, PlotKind] = {
    "heatmap": PlotKind(
        "The attention of each timestep to each lag, with the tokens below.",
        ("attention",), _heatmap, lambda trace, o: lag_numbers(trace, "attention", o),
    ),
    "contribution": PlotKind(
        "The norm of weight times value for each timestep and lag, with the tokens below.",
        ("contribution",), _contribution, lambda trace, o: lag_numbers(trace, "contribution", o),
    ),
    "gate-attention": PlotKind(
        "How much of each earlier candidate the gates keep, by age, with the tokens below.",
        ("gate_attention",), _gate_attention, gate_attention_numbers,
    ),
    "feature-attention": PlotKind(
        "Which features get more than an equal share of the attention, with the tokens below.",
        ("feature_attention",), _feature_attention, feature_attention_numbers,
    ),
    "text": PlotKind(
        "The text, each token in the colour of its score.",
        (
            "contribution", "attention", "gate_attention", "score", "hidden_gradient_norm",
            "memory_gradient_norm",
        ),
        _text, text_numbers,
    ),
    "lag-kernel": PlotKind(
        "The attention by lag (or the gate attention by age): static, or a mean with its spread.",
        ("attention", "gate_attention"), _lag_kernel, lag_kernel_numbers,
    ),
    "gradient-flow": PlotKind(
        "The gradient at each timestep, and the shares of the routes by which it came back.",
        ("input_route_projection", "hidden_route_projection"),
        _gradient_flow, gradient_flow_numbers,
    ),
    "shortcut": PlotKind(
        "What came back to each timestep by each lag of RRA's shortcut or LARNN's attention.",
        ("hidden_route_projection", "memory_route_projection"), _shortcut, shortcut_numbers,
    ),
}  # fmt: skip


def drawable_kinds(trace: Trace) -> list[str]:
    """The kinds that a trace holds the signals for, the most telling first.

    Arguments:
        trace: Any trace.

    Returns:
        Names of `KINDS`, in its order.
    """
    nodes = [trace.tree, *(trace.tree[group] for group in layer_groups(trace))]
    held = {str(name) for node in nodes for name in node.data_vars}
    return [name for name, kind in KINDS.items() if held & set(kind.needs)]
