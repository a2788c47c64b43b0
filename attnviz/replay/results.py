"""Effects of ablations, labelled."""

from typing import Any

import numpy as np
import xarray as xr

from attnviz.edits import WHOLE, Method
from attnviz.models import SequenceModel
from attnviz.recording import Numbers, Running, Texts
from attnviz.recording.assembly import provenance
from attnviz.recording.signals import recurrent_layers
from attnviz.replay.plan import AXES, AblationLevel
from attnviz.replay.runs import MEASURES
from attnviz.store.effects import EFFECTS

__all__ = ["labelled_effects"]


def labelled_effects(
    model: SequenceModel,
    texts: Texts | Numbers | Running,
    found: list[dict[str, np.ndarray]],
    *,
    level: AblationLevel,
    method: Method,
    group: str,
) -> xr.Dataset:
    """What `attnviz.ablate` returns.

    Arguments:
        model: What was ablated.
        texts: What it read.
        found: The effects, unedited measures and signals of each sequence.
        level: What one edit took away.
        method: What happened to it.
        group: The layer and direction that was edited.

    Returns:
        The dataset; sequences are padded with NaN to the longest.
    """
    own = AXES[level][:1] if method in WHOLE else AXES[level]
    axes = {f"{name}_effect": own for name in MEASURES}
    axes |= {"attention": ("time", "lag"), "contribution": ("time", "lag")}
    if "target" in found[0] and found[0]["target"].ndim:
        axes["target"] = ("output",)
    variables: dict[str, Any] = {}
    for name in found[0]:
        stacked = _stacked([one[name] for one in found])
        variables[name] = (("sequence", *axes.get(name, ())), stacked)
    cell = model.layer.groups[group]
    coordinates: dict[str, Any] = {"id": ("sequence", _ids(texts, len(found)))}
    if cell.lags:
        coordinates["lag"] = list(cell.lags)
    if level == "pair":
        coordinates["other_lag"] = list(cell.lags)
    dataset = xr.Dataset(variables, coordinates)
    said = provenance(model, recurrent_layers(model))
    wanted = ("model", "cell", "options", "weights_digest", "versions")
    dataset.attrs = {
        "format": EFFECTS, **{name: said[name] for name in wanted if name in said}, "level": level,
        "method": method, "group": group, "path": "step", "model_mode": "eval",
        "target": _target(texts), "loss": model.loss_name,
    }  # fmt: skip
    return dataset


def _target(given: Texts | Numbers | Running) -> str:
    if isinstance(given, Running):
        return "next token"
    if given.labels is not None:
        return "label, else predicted class"
    return "predicted class" if isinstance(given, Texts) else "the right numbers"


def _ids(texts: Texts | Numbers | Running, count: int) -> list[str]:
    return list(texts.ids) if texts.ids is not None else [str(n) for n in range(count)]


def _stacked(parts: list[np.ndarray]) -> np.ndarray:
    """Arrays of different lengths along their first axis, padded with NaN."""
    longest = max((part.shape[0] for part in parts if part.ndim), default=0)
    padded = [
        np.concatenate([part, np.full((longest - len(part), *part.shape[1:]), np.nan, part.dtype)])
        if part.ndim and len(part) < longest
        else part
        for part in parts
    ]
    return np.stack(padded)
