"""The tracks of a trace: numbers along the timesteps, for the axis below the words."""

import numpy as np

from attnviz.analysis.flow import FlowPlace, gradient_norm, route_share
from attnviz.analysis.token_scores import surprisal
from attnviz.explorer.panels import Series, Track
from attnviz.outcomes import predicts_words, tells_classes
from attnviz.trace import Trace

__all__ = ["probabilities", "tracks"]

_GATES = ("input_gate", "forget_gate", "output_gate", "update_gate", "reset_gate")
_PLACES: tuple[FlowPlace, ...] = ("hidden", "memory", "input")


def tracks(trace: Trace, group: str) -> list[Track]:
    """All tracks that a trace of one sequence can give.

    Arguments:
        trace: Of one sequence, cut to its length.
        group: The layer and direction.

    Returns:
        The running prediction, or of a language model the surprisal; the gates, the gradient's norm
        and the shares of its routes, those there are.
    """
    return [
        track
        for track in (_score(trace), _surprisal(trace), _gates(trace, group), _norms(trace, group),
                      _routes(trace, group))
        if track is not None
    ]  # fmt: skip


def probabilities(logits: np.ndarray) -> np.ndarray:
    """The softmax over the last axis."""
    odds = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: np.ndarray = odds / odds.sum(axis=-1, keepdims=True)
    return shares


def _score(trace: Trace) -> Track | None:
    """What the model would say if the sequence ended at each timestep."""
    root = trace.tree.dataset
    if "score" not in root or not tells_classes(trace):
        return None
    names = [str(name) for name in root["class"].values]
    shares = probabilities(root["score"].values[0].astype(np.float64))
    # Of two classes one line says all.
    shown = [1] if len(names) == 2 else range(len(names))
    series = [Series(names[number], _floats(shares[:, number])) for number in shown]
    unit = f"probability of {names[1]}" if len(names) == 2 else "probability"
    return Track("score", "running prediction", unit, "lines", series, (0.0, 1.0))


def _surprisal(trace: Trace) -> Track | None:
    """How little a language model expected each word."""
    if not predicts_words(trace):
        return None
    series = Series("of the word, given those before", _floats(surprisal(trace, 0).values.values))
    return Track("surprisal", "surprisal", "nats", "lines", [series])


def _gates(trace: Trace, group: str) -> Track | None:
    held = trace.tree[group].dataset
    series = [
        Series(name.replace("_", " "), _floats(held[name].isel(sequence=0).mean("unit").values))
        for name in _GATES
        if name in held
    ]
    if not series:
        return None
    return Track("gates", "gates", "mean over units", "lines", series, (0.0, 1.0))


def _norms(trace: Trace, group: str) -> Track | None:
    held = trace.tree[group].data_vars
    series = []
    for place in _PLACES:
        if f"{place}_gradient_norm" in held:
            values = gradient_norm(trace, place=place, group=group).values.values[0]
            series.append(Series(f"at the {place}", _floats(values)))
    if not series:
        return None
    return Track("gradient", "gradient norm", _unit(trace), "log", series)


def _unit(trace: Trace) -> str:
    """Of what the gradient is: of the loss where one is known, else of what backward began from."""
    known = "loss" in trace.tree.attrs
    return f"per unit of loss{_target(trace)}" if known else "of what backward was called on"


def _target(trace: Trace) -> str:
    """The class whose loss the gradient is of: cells side by side may follow other classes."""
    root = trace.tree.dataset
    if "prediction" not in root or not tells_classes(trace):
        return ""
    target = int(root["label"].values[0]) if "label" in root else -1
    if target < 0:
        target = int(root["prediction"].values[0].argmax())
    return f" of “{root['class'].values[target]}”"


def _routes(trace: Trace, group: str) -> Track | None:
    """Shares of the routes, lags of one route added up: where paths leave if that is recorded."""
    held = trace.tree[group].data_vars
    places: tuple[FlowPlace, ...] = ("input", "hidden", "memory")
    place = next((p for p in places if f"{p}_route_projection" in held), None)
    if place is None:
        return None
    shares = route_share(trace, place=place, group=group).values
    kinds = shares["kind" if "kind" in shares.coords else "route"].values.astype(str)
    series = []
    for kind in dict.fromkeys(kinds):
        values = shares.values[0][:, kinds == kind].sum(axis=-1)
        if np.nanmax(np.abs(values), initial=0.0) > 0:  # routes that carried nothing are left out
            series.append(Series(str(kind).replace("_", " "), _floats(values)))
    label = f"share of the gradient at the {place} by route"
    return Track("routes", label, "share", "stack", series) if series else None


def _floats(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values, dtype=np.float32)
