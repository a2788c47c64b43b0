"""Panels as JavaScript reads them: a header that is JSON, and its numbers as bytes."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from attnviz.explorer.panels import Edited, Lens, Panel, Track

__all__ = ["Numbers", "encode_edited", "encode_lens", "encode_panel", "encode_track"]

Numbers = Callable[[np.ndarray], Any]
"""What stands in the header for an array: its bytes in a widget, a reference on a page."""


def encode_panel(panel: Panel, numbers: Numbers, *, only: int | None = None) -> dict[str, Any]:
    """A panel as a dictionary.

    Arguments:
        panel: The panel.
        numbers: Turns an array of float32 or int32 into what stands for it.
        only: Hand over the mean over heads and this head, others when they are asked for; all of
            them if None.

    Returns:
        The dictionary; JSON but for what `numbers` made.
    """
    switches = panel.switches
    return {
        "key": panel.key, "title": panel.key, "cell": panel.cell, "layer": panel.layer,
        "layers": list(panel.layers), "text": panel.text, "spans": numbers(panel.spans),
        "classes": list(panel.classes), "label": panel.label,
        "prediction": _plain(panel.prediction), "direction": panel.direction,
        "history": panel.history, "initial": panel.initial_state, "notes": list(panel.notes),
        "lenses": [encode_lens(lens, numbers, only) for lens in panel.lenses],
        "tracks": [encode_track(track, numbers) for track in panel.tracks],
        "switches": None if switches is None else {
            "lags": list(switches.lags), "heads": switches.heads, "uniform": True,
        },
        "edited": None if panel.edited is None else {
            **encode_edited(panel.edited, numbers, only),
            "lenses": [encode_lens(lens, numbers, only) for lens in panel.shown],
        },
        "variants": [
            {"edits": dict(variant.edits), "label": variant.edited.label,
             "edited": encode_edited(variant.edited, numbers, only)}
            for variant in panel.variants
        ],
    }  # fmt: skip


def encode_edited(edited: Edited, numbers: Numbers, only: int | None) -> dict[str, Any]:
    """A result under an edit as a dictionary."""
    return {
        "label": edited.label, "prediction": _plain(edited.prediction),
        "unedited": _plain(edited.unedited),
        "before": {
            "lenses": [encode_lens(lens, numbers, only) for lens in edited.before_lenses],
            "tracks": [encode_track(track, numbers) for track in edited.before_tracks],
        },
        "lenses": [encode_lens(lens, numbers, only) for lens in edited.lenses],
        "tracks": [encode_track(track, numbers) for track in edited.tracks],
    }  # fmt: skip


def encode_lens(lens: Lens, numbers: Numbers, only: int | None) -> dict[str, Any]:
    """A lens as a dictionary: the mean over heads first, then each head."""
    single = lens.heads == 1
    names = ["all"] if single else ["mean", *(f"head {n}" for n in range(lens.heads))]
    values: Sequence[Any] = [numbers(lens.head(-1))]
    if not single:
        each = [
            numbers(lens.head(n)) if only is None or n == only else None for n in range(lens.heads)
        ]
        values = [*values, *each]
    return {
        "name": lens.name, "label": lens.label, "says": lens.says, "unit": lens.unit,
        "axis": lens.axis, "sources": list(lens.sources), "heads": names, "signed": lens.signed,
        "values": values, "kinds": list(lens.kinds),
        "at": None if lens.at is None else list(lens.at),
        "extras": [{"label": extra.label, "values": numbers(extra.values)}
                   for extra in lens.extras],
    }  # fmt: skip


def _plain(probabilities: Sequence[float]) -> list[float | None]:
    """JSON has no NaN."""
    return [float(p) if np.isfinite(p) else None for p in probabilities]


def encode_track(track: Track, numbers: Numbers) -> dict[str, Any]:
    """A track as a dictionary."""
    return {
        "name": track.name, "label": track.label, "unit": track.unit, "kind": track.kind,
        "range": None if track.limits is None else list(track.limits),
        "series": [{"label": one.label, "values": numbers(one.values)} for one in track.series],
    }  # fmt: skip
