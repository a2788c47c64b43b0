"""One plot a file: a trace in, a figure out. Plots draw statistics and compute nothing.

Names are fetched when first used, so that one figure imports what it needs and no more.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnviz.plots.ablation import plot_ablation, plot_effect_against
    from attnviz.plots.composition import Composition, Panel, compose
    from attnviz.plots.contribution import plot_contribution
    from attnviz.plots.exit_routes import plot_exit_routes
    from attnviz.plots.feature_attention import plot_feature_attention
    from attnviz.plots.gate_attention import plot_gate_attention
    from attnviz.plots.gradient_flow import plot_gradient_flow
    from attnviz.plots.heatmap import plot_heatmap
    from attnviz.plots.influence import plot_influence
    from attnviz.plots.influence_map import influence_map_numbers, plot_influence_map
    from attnviz.plots.kernel_evolution import plot_kernel_evolution
    from attnviz.plots.kinds import (
        EFFECT_KINDS,
        KINDS,
        PlotKind,
        drawable_effects,
        drawable_kinds,
    )
    from attnviz.plots.lag_kernel import plot_lag_kernel
    from attnviz.plots.learning import plot_learning_curves, plot_score_against
    from attnviz.plots.numbers import provenance_of, save_numbers
    from attnviz.plots.options import PlotOptions
    from attnviz.plots.path_classes import plot_path_classes
    from attnviz.plots.provenance import read_provenance
    from attnviz.plots.result_kinds import (
        INFLUENCE_KINDS,
        PATH_KINDS,
        RESULT_KINDS,
        drawable_results,
        kinds_of_result,
    )
    from attnviz.plots.saving import save_figure
    from attnviz.plots.shortcut import plot_shortcut
    from attnviz.plots.sizes import COLUMN, PAGE, figure_width
    from attnviz.plots.specification import FigureSpec, PanelSpec, read_spec
    from attnviz.plots.styling import Lettering, style
    from attnviz.plots.suffixes import FORMATS
    from attnviz.plots.tabular import save_tabular
    from attnviz.plots.text_view import plot_text
    from attnviz.plots.training_kinds import PROBE_KINDS, STUDY_KINDS, TRAINING_KINDS
    from attnviz.plots.vanishing import plot_vanishing

# Where each name lives.
_HOMES = {
    "ablation": ["plot_ablation", "plot_effect_against"],
    "composition": ["Composition", "Panel", "compose"],
    "contribution": ["plot_contribution"],
    "exit_routes": ["plot_exit_routes"],
    "feature_attention": ["plot_feature_attention"],
    "gate_attention": ["plot_gate_attention"],
    "gradient_flow": ["plot_gradient_flow"],
    "heatmap": ["plot_heatmap"],
    "influence": ["plot_influence"],
    "influence_map": ["influence_map_numbers", "plot_influence_map"],
    "kernel_evolution": ["plot_kernel_evolution"],
    "kinds": ["EFFECT_KINDS", "KINDS", "PlotKind", "drawable_effects", "drawable_kinds"],
    "lag_kernel": ["plot_lag_kernel"],
    "learning": ["plot_learning_curves", "plot_score_against"],
    "numbers": ["provenance_of", "save_numbers"],
    "options": ["PlotOptions"],
    "path_classes": ["plot_path_classes"],
    "result_kinds": [
        "INFLUENCE_KINDS",
        "PATH_KINDS",
        "RESULT_KINDS",
        "drawable_results",
        "kinds_of_result",
    ],
    "provenance": ["read_provenance"],
    "saving": ["save_figure"],
    "shortcut": ["plot_shortcut"],
    "sizes": ["COLUMN", "PAGE", "figure_width"],
    "specification": ["FigureSpec", "PanelSpec", "read_spec"],
    "styling": ["Lettering", "style"],
    "suffixes": ["FORMATS"],
    "tabular": ["save_tabular"],
    "text_view": ["plot_text"],
    "training_kinds": ["PROBE_KINDS", "STUDY_KINDS", "TRAINING_KINDS"],
    "vanishing": ["plot_vanishing"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "COLUMN",
    "EFFECT_KINDS",
    "FORMATS",
    "INFLUENCE_KINDS",
    "KINDS",
    "PAGE",
    "PATH_KINDS",
    "PROBE_KINDS",
    "RESULT_KINDS",
    "STUDY_KINDS",
    "TRAINING_KINDS",
    "Composition",
    "FigureSpec",
    "Lettering",
    "Panel",
    "PanelSpec",
    "PlotKind",
    "PlotOptions",
    "compose",
    "drawable_effects",
    "drawable_kinds",
    "drawable_results",
    "figure_width",
    "influence_map_numbers",
    "kinds_of_result",
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
    "plot_kernel_evolution",
    "plot_lag_kernel",
    "plot_learning_curves",
    "plot_path_classes",
    "plot_score_against",
    "plot_shortcut",
    "plot_text",
    "plot_vanishing",
    "provenance_of",
    "read_provenance",
    "read_spec",
    "save_figure",
    "save_numbers",
    "save_tabular",
    "style",
]


def __getattr__(name: str) -> object:
    """Fetches a name from its module when it is first used."""
    if name not in _HOME_OF:
        raise AttributeError(f"attnviz.plots has no {name!r}; it has {', '.join(__all__)}.")
    value = getattr(importlib.import_module(f"attnviz.plots.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, also those not fetched yet."""
    return [*globals(), *__all__]
