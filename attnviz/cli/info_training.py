"""What `attnviz info` says of a run, of probes and of a study's results."""

import itertools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from attnviz.analysis import RunCurve, StudyCurves, scores_of
from attnviz.cards import MODEL, read_card
from attnviz.cli.console import labelled, out

if TYPE_CHECKING:
    from attnviz.cli.sources import Opened

__all__ = ["about_training"]

_OF_RECIPES = ("seed", "learning_rate", "batch_size")
_LONG_DATA = ("terms", "sha256", "md5")
LONG = ("recipe", "versions", "kept")  # JSON of many entries: for --json


def about_training(source: "Opened") -> None:
    """Prints what was kept of a training, or of the runs of a study, and what can be drawn of it.

    Arguments:
        source: A run, probes, or a folder of a study's results.
    """
    from rich.table import Table

    data = source.data
    if not isinstance(data, RunCurve | StudyCurves | xr.DataTree):
        raise TypeError(f"Expected a run, probes or a study, got {type(data).__name__}.")
    rows: Iterator[tuple[str, str]]
    if isinstance(data, RunCurve):
        rows = itertools.chain(_of_run(data), _tested(source.path))
    else:
        rows = _of_study(data) if isinstance(data, StudyCurves) else _of_probes(data)
    kinds = ", ".join(source.drawable) or "none yet"
    out().print(labelled([*rows, ("kinds", kinds)]))
    if not isinstance(data, xr.DataTree):
        return
    kept = Table("layer", "kept at every step", "axes", box=None, pad_edge=False)
    for layer, node in data.children.items():
        for signal, values in node.dataset.data_vars.items():
            axes = ", ".join(f"{axis} {size}" for axis, size in values.sizes.items())
            kept.add_row(layer, str(signal), axes)
    out().print()
    out().print(kept)


def _of_probes(probes: xr.DataTree) -> Iterator[tuple[str, str]]:
    for name, value in probes.attrs.items():
        if name not in LONG:
            yield str(name), str(value)
    steps = probes.dataset["step"].values
    span = f", {steps[0]:,} to {steps[-1]:,} iterations" if len(steps) else ""
    yield "steps", f"{len(steps)}{span}"


def _of_run(run: RunCurve) -> Iterator[tuple[str, str]]:
    yield "run", run.name
    yield "cell", run.cell
    yield from _of_model(run.recipe.get("model", {}))
    yield from ((name, str(run.recipe[name])) for name in _OF_RECIPES if name in run.recipe)
    for name, value in run.data.items():
        if name not in _LONG_DATA and not str(value).startswith(("md5 ", "sha256 ")):
            yield name.replace("_", " "), str(value)
    if run.command:
        yield "command", run.command
    history = run.history
    yield "epochs", f"{len(history)} of {run.recipe.get('epochs', 'unknown')} are over"
    if len(history) and (names := scores_of([history])):
        name = names[0]
        scores = history[name].to_numpy()
        finite = scores[np.isfinite(scores)]
        best = (max if name.endswith("accuracy") else min)(finite, default=np.nan)
        step = int(history["step"].to_numpy()[-1])
        yield name.replace("_", " "), f"{scores[-1]:.4g} after step {step:,}, best {best:.4g}"


def _of_model(settings: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if settings.get("hidden_size") is not None:
        yield "layers × units", f"{settings.get('num_layers', 1)} × {settings['hidden_size']}"
    if options := settings.get("options"):
        told = ((n, v if isinstance(v, str) else json.dumps(v)) for n, v in options.items())
        yield "options", ", ".join(f"{name} {value}" for name, value in told)


def _tested(folder: Path) -> Iterator[tuple[str, str]]:
    """The test score, where the model that was chosen has one."""
    if not any((folder / name).is_file() for name in (MODEL, f"model/{MODEL}")):
        return
    scored = read_card(folder).score("test")
    if scored is not None:
        yield f"test {scored[0]}", f"{scored[1]:.4g}"


def _of_study(study: StudyCurves) -> Iterator[tuple[str, str]]:
    yield "study", study.name
    yield "about", study.about
    yield "score", study.score
    trials = study.trials
    for cell in dict.fromkeys([*study.histories, *trials.get("cell", [])]):
        tried = int((trials["cell"] == cell).sum()) if len(trials) else 0
        kept = len(study.histories.get(cell, ()))
        what = "trial runs" if "fold" in trials else "trials"  # some for each trial
        yield str(cell), f"{tried} {what}, histories of {kept} final runs"
