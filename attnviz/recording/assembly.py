"""Putting recorded batches together into a trace: plain arrays in, labelled arrays out."""

import hashlib
import importlib.metadata
import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor, nn

import cells
from attnviz.models import SequenceModel
from attnviz.recording.gradients import described_gradients, route_coordinates
from attnviz.trace import FORMAT, Trace

__all__ = [
    "GATE_ATTENTION",
    "Arrays",
    "Batch",
    "assemble",
    "check_described",
    "provenance",
    "report_not_finite",
    "sequence_first",
    "to_numpy",
    "weights_digest",
]

_HALVES = re.compile("[\ud800-\udfff]")

GATE_ATTENTION = "gate_attention"
Arrays = dict[str, np.ndarray]


@dataclass
class Batch:
    """What one forward call leaves: arrays with the sequence first.

    `closed` once it has become part of a trace, so that nothing more can be added.
    """

    described: dict[str, Any]
    mode: str = "eval"
    closed: bool = False
    root: Arrays = field(default_factory=dict)
    groups: dict[str, Arrays] = field(default_factory=dict)


def check_described(batch: Batch) -> None:
    """Refuses what does not fit the sequences that a call read.

    Raises:
        ValueError: If there is not one of each for every sequence, or a span for every timestep.
    """
    lengths = batch.root.get("length", np.zeros(0, np.int32))
    for name, given in batch.described.items() if len(lengths) else ():
        if len(given) != len(lengths):
            raise ValueError(
                f"The recording was told {name} of {len(given)} sequences, but the call read "
                f"{len(lengths)}. describe(...) takes one for each."
            )
    for row, spans in enumerate(batch.described.get("span", ()) if len(lengths) else ()):
        if len(spans) != lengths[row]:
            raise ValueError(
                f"The recording was told {len(spans)} tokens of sequence {row}, but the call read "
                f"{lengths[row]} timesteps of it. describe(...) takes a token, or a span, for each."
            )


def assemble(
    batches: list[Batch], model: nn.Module, layers: Mapping[str, cells.Recurrent], digest: str
) -> Trace:
    """One trace of several batches, in the order in which they were read.

    Arguments:
        batches: What the forward calls left.
        model: What was recorded.
        layers: Its recurrent layers, by the prefix of their groups.
        digest: Of the weights that the recording began with.

    Returns:
        The trace, in memory.
    """
    longest = max(int(batch.root["length"].max()) for batch in batches)
    tree = xr.DataTree(dataset=_root_dataset(batches, longest, model))
    modes = {batch.mode for batch in batches}
    tree.attrs = {
        **provenance(model, layers, digest),
        "mode": modes.pop() if len(modes) == 1 else "mixed",
    }
    for group in dict.fromkeys(group for batch in batches for group in batch.groups):
        prefix, _, name = group.rpartition(".")
        layer = layers[f"{prefix}." if prefix else ""]
        tree[group] = xr.DataTree(_group_dataset(batches, group, longest, layer.groups[name]))
    return Trace(tree)


def weights_digest(model: nn.Module) -> str:
    """A SHA-256 over names, shapes and values of all parameters and buffers."""
    digest = hashlib.sha256()
    for name, values in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(values.shape)}{values.dtype}".encode())
        digest.update(to_numpy(values).tobytes())
    return digest.hexdigest()


def _root_dataset(batches: list[Batch], longest: int, model: nn.Module) -> xr.Dataset:
    sizes = [len(batch.root["length"]) for batch in batches]
    variables: dict[str, Any] = {"id": ("sequence", _ids(batches))}
    for name in ("length", "history"):
        variables[name] = ("sequence", np.concatenate([batch.root[name] for batch in batches]))
    if any("label" in batch.described for batch in batches):
        labels = [b.described.get("label", [-1] * n) for b, n in zip(batches, sizes, strict=True)]
        joined = np.concatenate([np.asarray(label) for label in labels])
        whole = np.issubdtype(joined.dtype, np.integer)
        variables["label"] = ("sequence", joined.astype(np.int32 if whole else np.float32))
    if all("text" in batch.described for batch in batches):
        # Half a surrogate pair is no character: neither pandas nor a file could hold it.
        texts = [_HALVES.sub("\ufffd", t) for batch in batches for t in batch.described["text"]]
        variables["text"] = ("sequence", np.array(texts, dtype=object))
    if all("span" in batch.described for batch in batches):
        spans = [span for batch in batches for span in batch.described["span"]]
        variables["span"] = (("sequence", "time", "edge"), _padded_spans(spans, longest))
    if all("prediction" in batch.root for batch in batches):
        predictions = np.concatenate([batch.root["prediction"] for batch in batches])
        variables["prediction"] = (("sequence", "class"), predictions)
    for name, per_step in (("score", ("class",)), ("loss", ())):
        if all(name in batch.root for batch in batches):
            # The last token has no next one to be scored on.
            short = int(name == "loss")
            parts = [_masked(b.root[name], b.root["length"] - short, longest) for b in batches]
            variables[name] = (("sequence", "time", *per_step), np.concatenate(parts))
    dataset = xr.Dataset(variables)
    if "class" in dataset.dims and isinstance(model, SequenceModel):
        dataset = dataset.assign_coords({"class": list(model.classes)})
    return dataset


def _ids(batches: list[Batch]) -> np.ndarray:
    names: list[str] = []
    for batch in batches:
        count = len(batch.root["length"])
        default = [str(len(names) + row) for row in range(count)]
        names += batch.described.get("id", default)
    return np.array(names, dtype=object)


def _group_dataset(
    batches: list[Batch], group: str, longest: int, cell: cells.Cell[Any]
) -> xr.Dataset:
    names = dict.fromkeys(name for batch in batches for name in batch.groups[group])
    signals, variables = _described_signals(cell), {}
    for name in names:
        axes = signals[name]["axes"]
        if name in cell.constants():
            variables[name] = (axes, batches[-1].groups[group][name])
            continue
        shape = next(b.groups[group][name].shape for b in batches if name in b.groups[group])
        parts = [
            _padded(batch.groups[group].get(name), shape, len(batch.root["length"]), longest)
            for batch in batches
        ]
        variables[name] = (("sequence", "time", *axes), np.concatenate(parts))
    dataset = xr.Dataset(variables)
    for axis, labels in cell.coordinates().items():
        along = "feature" if axis == "feature_kind" else axis
        if along in dataset.dims:
            dataset = dataset.assign_coords({axis: (along, np.array(labels))})
    for name, (axis, routes) in route_coordinates(cell).items():
        if axis in dataset.dims:
            dataset = dataset.assign_coords({name: (axis, routes)})
    if "age" in dataset.dims:
        dataset = dataset.assign_coords(age=np.arange(dataset.sizes["age"]))
    dataset.attrs = {
        "direction": -1 if group.endswith("_reverse") else 1,
        "cell": type(cell).__name__.removesuffix("Cell"),
        "signals": json.dumps({n: s for n, s in signals.items() if n in names}, ensure_ascii=False),
    }
    return dataset


def _described_signals(cell: cells.Cell[Any]) -> dict[str, dict[str, Any]]:
    """What the trace says of each signal: the cell's own declarations, and what is derived."""
    described = {
        name: {
            "axes": list(signal.axes),
            "symbol": signal.symbol,
            "bounds": signal.bounds,
            "normalised_over": signal.normalised_over,
        }
        for name, signal in cell.signals.items()
    }

    def derived(
        axes: list[str], symbol: str, bounds: tuple[float, float] | None = None
    ) -> dict[str, Any]:
        return {"axes": axes, "symbol": symbol, "bounds": bounds, "normalised_over": None}

    normalised = (0.0, 1.0) if cell.gated is not None and cell.gated.keep is None else None
    described |= {name: derived(["head", "lag"], "ŵ") for name in cell.constants()}
    described |= {
        GATE_ATTENTION: derived(["age"], "w(t, a)", normalised),
        f"{GATE_ATTENTION}_beyond": derived([], "Σ w(t, a)", normalised),
        f"{GATE_ATTENTION}_initial": derived([], "Π k_r", (0.0, 1.0)),
        f"{GATE_ATTENTION}_residual": derived([], "residual"),
        **described_gradients(),
    }
    return described


def provenance(
    model: nn.Module, layers: Mapping[str, cells.Recurrent], digest: str | None = None
) -> dict[str, str]:
    """Where a trace comes from; the digest of the weights is taken if not given."""
    first = next(iter(next(iter(layers.values())).groups.values()))
    settings = model.card.get("settings") if isinstance(model, SequenceModel) else None
    return {
        "format": FORMAT,
        "model": model.name if isinstance(model, SequenceModel) else type(model).__name__,
        "cell": type(first).__name__.removesuffix("Cell"),
        "mode": "train" if model.training else "eval",
        "loss_reduction": "sum",
        "weights_digest": weights_digest(model) if digest is None else digest,
        "versions": _versions(),
        **({"options": json.dumps(settings)} if settings is not None else {}),
    }


@cache
def _versions() -> str:
    # Looked up on disk, which takes longer than reading a short sentence.
    packages = ("attnviz", "torch", "numpy", "xarray")
    return json.dumps({name: importlib.metadata.version(name) for name in packages})


def report_not_finite(batch: Batch) -> None:
    """Warns where NaN or infinity begins: once for a layer, with all its signals that hold any."""
    lengths = batch.root["length"]
    for group, arrays in batch.groups.items():
        found: dict[str, tuple[int, int]] = {}
        for name, values in arrays.items():
            if values.ndim < 2 or len(values) != len(lengths):
                continue  # a constant
            if name.endswith(("_cancellation", "_residual", "_projection")):
                continue  # ratios: NaN where no gradient arrives, whose norm is looked at
            valid = np.arange(values.shape[1]) < lengths[:, None]
            if name.endswith("_gradient_norm") and np.isnan(values[valid]).all():
                continue  # of states that depend on nothing that is learned
            broken = ~np.isfinite(values.reshape(*valid.shape, -1)).all(axis=-1) & valid
            if broken.any():
                found[name] = min((int(t), int(s)) for s, t in zip(*broken.nonzero(), strict=True))
        if found:
            # What comes back is broken from the first timestep on, wherever it began.
            back = [name for name in found if "_gradient_" in name or "_route_" in name]
            first = min(found, key=lambda name: (name in back, *found[name]))
            (time, row), others = found[first], [name for name in found if name != first]
            more = f" (nor {', '.join(others)})" if others else ""
            warnings.warn(
                f"{first} of {group} is not finite from timestep {time} of sequence {row} of "
                f"its batch on{more}. The model's weights or input hold NaN, or it overflows.",
                RuntimeWarning,
                stacklevel=2,
            )


def to_numpy(values: Tensor) -> np.ndarray:
    """The same values, off graph and device; of bfloat16, which NumPy lacks, as float32."""
    values = values.detach().cpu()
    return (values.float() if values.dtype == torch.bfloat16 else values).numpy()


def sequence_first(values: Tensor) -> np.ndarray:
    """Values `(time, sequence, ...)` as an array `(sequence, time, ...)`."""
    return np.ascontiguousarray(to_numpy(values.transpose(0, 1)))


def _padded(
    values: np.ndarray | None, shape: tuple[int, ...], count: int, longest: int
) -> np.ndarray:
    """Values `(sequence, time, ...)` with NaN up to the longest; all NaN where there are none."""
    if values is None:
        return np.full((count, longest, *shape[2:]), np.nan, dtype=np.float32)
    missing = longest - values.shape[1]
    if missing <= 0:
        return values[:, :longest]
    fill = np.full((count, missing, *values.shape[2:]), np.nan, dtype=values.dtype)
    return np.concatenate([values, fill], axis=1)


def _masked(values: np.ndarray, lengths: np.ndarray, longest: int) -> np.ndarray:
    whole = _padded(values, values.shape, len(values), longest).copy()
    whole[np.arange(longest) >= lengths[:, None]] = np.nan
    return whole


def _padded_spans(spans: Sequence[np.ndarray], longest: int) -> np.ndarray:
    padded = np.full((len(spans), longest, 2), -1, dtype=np.int32)
    for row, span in enumerate(spans):
        padded[row, : len(span)] = span
    return padded
