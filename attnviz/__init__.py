"""See what recurrent cells that attend over their own past look at, and whether it matters.

Importing the package is quick and needs no torch; names are fetched when first used. Recording
and models need the `torch` extra; opening, analysing and plotting a saved trace does not.
"""

import importlib
import importlib.util
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnviz.checkup import doctor
    from attnviz.citing import bibtex
    from attnviz.explorer.widget import Explorer
    from attnviz.foreign import from_arrays, from_square
    from attnviz.foreign_signals import with_signals
    from attnviz.influence import Sequences, linear_influence, replacement_influence
    from attnviz.models import ModelSettings, SequenceModel, build_model
    from attnviz.opening import open_model
    from attnviz.path_classes import PathOptions, gradient_paths, text_gradient_paths
    from attnviz.plots import (
        plot_ablation,
        plot_contribution,
        plot_effect_against,
        plot_exit_routes,
        plot_feature_attention,
        plot_gate_attention,
        plot_gradient_flow,
        plot_heatmap,
        plot_influence,
        plot_influence_map,
        plot_kernel_evolution,
        plot_lag_kernel,
        plot_learning_curves,
        plot_path_classes,
        plot_score_against,
        plot_shortcut,
        plot_text,
        plot_vanishing,
        save_figure,
        style,
    )
    from attnviz.pretrained import load_model, shipped_models
    from attnviz.recording import Recording, Texts, available_signals, record, record_texts
    from attnviz.replay import ablate
    from attnviz.reporting import Sources, write_report
    from attnviz.store import (
        Part,
        export_trace,
        open_effects,
        open_probes,
        open_result,
        open_trace,
        pack_trace,
        save_effects,
        save_result,
        save_trace,
        trace_digest,
    )
    from attnviz.trace import Trace, TraceFormatError, layer_groups, signal, tokens

# Where each public name lives.
_HOMES = {
    "attnviz.checkup": ["doctor"],
    "attnviz.citing": ["bibtex"],
    "attnviz.explorer.widget": ["Explorer"],
    "attnviz.foreign": ["from_arrays", "from_square"],
    "attnviz.foreign_signals": ["with_signals"],
    "attnviz.influence": ["Sequences", "linear_influence", "replacement_influence"],
    "attnviz.models": ["ModelSettings", "SequenceModel", "build_model"],
    "attnviz.path_classes": ["PathOptions", "gradient_paths", "text_gradient_paths"],
    "attnviz.opening": ["open_model"],
    "attnviz.plots": [
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
        "save_figure",
        "style",
    ],
    "attnviz.pretrained": ["load_model", "shipped_models"],
    "attnviz.recording": ["Recording", "Texts", "available_signals", "record", "record_texts"],
    "attnviz.replay": ["ablate"],
    "attnviz.reporting": ["Sources", "write_report"],
    "attnviz.store": [
        "Part",
        "export_trace",
        "open_effects",
        "open_probes",
        "open_result",
        "open_trace",
        "pack_trace",
        "save_effects",
        "save_result",
        "save_trace",
        "trace_digest",
    ],
    "attnviz.trace": ["Trace", "TraceFormatError", "layer_groups", "signal", "tokens"],
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}
# Packages whose further names are documented as attnviz.ROOM.NAME.
_ROOMS = (
    "analysis", "models", "path_classes", "plots", "recording", "store", "studies", "tasks",
    "training",
)  # fmt: skip
# The extra that brings a package which may not be there.
_EXTRAS = {"torch": "torch", "safetensors": "torch", "anywidget": "notebook"}

__version__ = version("attnviz")

__all__ = [
    "Explorer",
    "ModelSettings",
    "Part",
    "PathOptions",
    "Recording",
    "SequenceModel",
    "Sequences",
    "Sources",
    "Texts",
    "Trace",
    "TraceFormatError",
    "ablate",
    "available_signals",
    "bibtex",
    "build_model",
    "doctor",
    "export_trace",
    "from_arrays",
    "from_square",
    "gradient_paths",
    "layer_groups",
    "linear_influence",
    "load_model",
    "open_effects",
    "open_model",
    "open_probes",
    "open_result",
    "open_trace",
    "pack_trace",
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
    "record",
    "record_texts",
    "replacement_influence",
    "save_effects",
    "save_figure",
    "save_result",
    "save_trace",
    "shipped_models",
    "signal",
    "style",
    "text_gradient_paths",
    "tokens",
    "trace_digest",
    "with_signals",
    "write_report",
]


def __getattr__(name: str) -> object:
    """Fetches a public name from its home when it is first used."""
    if name not in _HOME_OF and name not in _ROOMS:
        raise AttributeError(f"attnviz has no {name!r}; it has {', '.join(__all__)}.")
    try:
        if name in _ROOMS:
            return importlib.import_module(f"attnviz.{name}")
        value = getattr(importlib.import_module(_HOME_OF[name]), name)
    except ModuleNotFoundError as error:
        if error.name in _EXTRAS:
            raise ModuleNotFoundError(
                f"attnviz.{name} needs {error.name}, which is not installed: "
                f"pip install 'attnviz[{_EXTRAS[error.name]}]'.",
                name=error.name,
            ) from error
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, also those not fetched yet."""
    return [*globals(), *__all__, *_ROOMS]


def _warn_of_other_cells() -> None:
    """Says that the `cells` which models are made of is hidden by another, or not there."""
    ours = Path(__file__).parents[1] / "cells"
    try:
        found = importlib.util.find_spec("cells")
    except ValueError:  # a module that was made by hand
        return
    places = [] if found is None else [*(found.submodule_search_locations or []), found.origin]
    if any(place is not None and Path(place).resolve() == ours.resolve() for place in places):
        return
    where = next((str(place) for place in reversed(places) if place is not None), "none")
    warnings.warn(
        f"attnviz needs the package `cells` that is installed with it, {ours}, but Python finds "
        f"{where}: no model can be read, trained or recorded. "
        + ("Install attnviz again." if found is None else "Rename what hides it."),
        stacklevel=3,
    )


_warn_of_other_cells()
