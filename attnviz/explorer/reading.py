"""A panel out of a trace."""

import json

import numpy as np

from attnviz.analysis import one_sequence
from attnviz.explorer.lenses import lenses
from attnviz.explorer.panels import Panel, Switches
from attnviz.explorer.tracks import probabilities, tracks
from attnviz.outcomes import tells_classes
from attnviz.text import tokenize
from attnviz.trace import Trace, layer_groups, sequence_length, tokens

__all__ = ["panel_of"]


def panel_of(trace: Trace, sequence: int, *, key: str, layer: str | None = None) -> Panel:
    """Everything a trace can show of one sequence.

    Arguments:
        trace: Any trace.
        sequence: Index of the sequence.
        key: What the panel is called.
        layer: The layer and direction; the first if not given.

    Returns:
        The panel, its numbers read from the trace.

    Raises:
        IndexError: If the trace has no such sequence.
        KeyError: If it has no such layer.
    """
    groups = layer_groups(trace)
    if layer is not None and layer not in groups:
        raise KeyError(f"{key} has no layer {layer!r}; it has {groups}.")
    group = groups[0] if layer is None else layer
    one = one_sequence(trace, sequence)
    root, attributes = one.tree.dataset, one.tree[group].attrs
    text, spans = _text(trace, sequence)
    return Panel(
        key=key,
        cell=str(attributes.get("cell") or trace.tree.attrs.get("cell", "")),
        layer=group,
        layers=groups,
        text=text,
        spans=spans,
        lenses=lenses(one, group),
        tracks=tracks(one, group),
        classes=[str(name) for name in root["class"].values] if "class" in root.coords else [],
        label=_label(one),
        prediction=_prediction(one),
        direction=int(attributes["direction"]),
        history=int(root["history"].values[0]) if "history" in root else 0,
        initial_state=bool(attributes.get("initial_state", True)),
        notes=_notes(trace, text, spans),
        switches=_switches(one, group),
    )


def _text(trace: Trace, sequence: int) -> tuple[str, np.ndarray]:
    root = trace.tree.dataset
    length = sequence_length(trace, sequence)
    if "span" in root and "text" in root:
        spans = root["span"].isel(sequence=sequence).values[:length]
        return str(root["text"].values[sequence]), np.ascontiguousarray(spans, dtype=np.int32)
    words = tokens(trace, sequence)
    ends = np.cumsum([len(word) + 1 for word in words], dtype=np.int32) - 1
    starts = ends - np.array([len(word) for word in words], dtype=np.int32)
    return " ".join(words), np.stack([starts, ends], axis=-1).astype(np.int32)


def _label(one: Trace) -> int:
    root = one.tree.dataset
    if "label" not in root or not np.issubdtype(root["label"].dtype, np.integer):
        return -1
    return int(root["label"].values[0])


def _prediction(one: Trace) -> list[float]:
    root = one.tree.dataset
    if "prediction" not in root or not tells_classes(one):
        return []
    return [float(p) for p in probabilities(root["prediction"].values[0].astype(np.float64))]


def _notes(trace: Trace, text: str, spans: np.ndarray) -> list[str]:
    known = json.loads(trace.tree.attrs.get("truncation", "{}"))
    limit = known.get("length")
    whole = limit is None or len(spans) < int(limit) or len(tokenize(text)) <= len(spans)
    if known.get("side") not in ("start", "end") or whole:
        return []
    part = "first" if known["side"] == "start" else "last"
    return [f"The model reads at most the {part} {limit} tokens; what it did not read is grey."]


def _switches(one: Trace, group: str) -> Switches | None:
    held = one.tree[group].dataset
    if "attention" in held:
        return Switches([int(lag) for lag in held["lag"].values], int(held.sizes["head"]))
    if "feature_attention" in held:
        return Switches([], 1)
    return None
