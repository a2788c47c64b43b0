"""One plot a file: a trace in, a figure out. Plots draw statistics and compute nothing."""

from attnviz.plots.ablation import plot_ablation, plot_effect_against
from attnviz.plots.contribution import plot_contribution
from attnviz.plots.exit_routes import plot_exit_routes
from attnviz.plots.feature_attention import plot_feature_attention
from attnviz.plots.gate_attention import plot_gate_attention
from attnviz.plots.gradient_flow import plot_gradient_flow
from attnviz.plots.heatmap import plot_heatmap
from attnviz.plots.influence import plot_influence
from attnviz.plots.influence_map import influence_map_numbers, plot_influence_map
from attnviz.plots.kinds import KINDS, PlotKind, drawable_kinds
from attnviz.plots.lag_kernel import plot_lag_kernel
from attnviz.plots.numbers import provenance_of, save_numbers
from attnviz.plots.options import PlotOptions
from attnviz.plots.path_classes import plot_path_classes
from attnviz.plots.saving import read_provenance, save_figure
from attnviz.plots.shortcut import plot_shortcut
from attnviz.plots.sizes import COLUMN, PAGE, figure_width
from attnviz.plots.styling import style
from attnviz.plots.text_view import plot_text
from attnviz.plots.vanishing import plot_vanishing

__all__ = [
    "COLUMN",
    "KINDS",
    "PAGE",
    "PlotKind",
    "PlotOptions",
    "drawable_kinds",
    "figure_width",
    "influence_map_numbers",
    "plot_ablation",
    "plot_contribution",
    "plot_effect_against",
    "plot_exit_routes",
    "plot_feature_attention",
    "plot_gate_attention",
    "plot_gradient_flow",
    "plot_heatmap",
    "plot_influence",
    "plot_influence_map",
    "plot_lag_kernel",
    "plot_path_classes",
    "plot_shortcut",
    "plot_text",
    "plot_vanishing",
    "provenance_of",
    "read_provenance",
    "save_figure",
    "save_numbers",
    "style",
]
