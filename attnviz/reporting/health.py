"""How far the numbers can be trusted: residuals, and what is amiss."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from attnviz.reporting.contents import Block, Paragraph, Section, Table, Warn
from attnviz.trace import Trace, layer_groups

__all__ = ["health_section"]

# Sums in float32 over some hundred terms stay below this.
TOLERANCE = 1e-3
FEW = 10

Arrays = Mapping[str, np.ndarray]


def health_section(trace: Trace, of: str) -> Section:
    """Residuals of what should add up, and warnings."""
    root = trace.tree.dataset
    lengths = root["length"].values
    within = np.arange(root.sizes.get("time", int(lengths.max()))) < lengths[:, None]
    rows, warnings = [], [*_of_trace(trace)]
    for group in layer_groups(trace):
        node = trace.tree.children[group]
        declared = json.loads(str(node.attrs.get("signals", "{}")))
        for name, array in node.data_vars.items():
            if array.dims[:2] != ("sequence", "time") or array.dtype.kind != "f":
                continue
            values = array.values
            warnings += _of_signal(f"{group}/{name}", values, within)
            if (found := _residual(str(name), values, within, declared.get(str(name)))) is not None:
                what, size = found
                rows.append([group, str(name), what, f"{size:.1e}"])
                if size > TOLERANCE:
                    warnings.append(
                        f"{group}/{name}: {what} is {size:.1e}, more than rounding explains. What "
                        "is drawn from it does not add up."
                    )
    blocks: list[Block] = [Warn(text) for text in warnings]
    if not warnings:
        blocks.append(Paragraph("Nothing is amiss: no NaN or infinity within a sequence, all rows "
                                "recorded, and what should add up does."))  # fmt: skip
    if rows:
        caption = f"The largest over timesteps and sequences of {of}."
        blocks.append(Table(["layer", "signal", "residual", "largest"], rows, caption, words=3))
    return Section("Residuals and warnings", blocks)


def _of_trace(trace: Trace) -> Iterator[str]:
    attributes, lengths = trace.tree.attrs, trace.tree.dataset["length"].values
    if (absent := int((lengths < 0).sum())) > 0:
        yield f"{absent:,} of {len(lengths):,} sequences were planned but not recorded."
    mode = attributes.get("mode")
    if mode is not None and mode != "eval":
        yield (
            f"It was recorded in mode {mode}: dropout and batch statistics are in the numbers, and "
            "a sequence's gradients depend on its batch mates."
        )
    if "weights_digest" not in attributes:
        yield "The trace does not say which weights it comes from."
    if 0 < int((lengths > 0).sum()) < FEW:
        yield (
            f"It holds {int((lengths > 0).sum())} sequences: means over them say little of others."
        )


def _of_signal(name: str, values: np.ndarray, within: np.ndarray) -> Iterator[str]:
    """Where NaN or infinity begins, if it is not said to stand for something."""
    if "route" in name or "cancellation" in name or "residual" in name:
        return  # a share of no gradient is NaN by definition
    broken = ~np.isfinite(values).reshape(*within.shape, -1).all(axis=-1) & within
    if broken.any():
        row = int(np.flatnonzero(broken.any(axis=1))[0])
        step = int(np.flatnonzero(broken[row])[0])
        yield (
            f"{name} is NaN or infinite in {int(broken.any(axis=1).sum())} sequences, first at "
            f"timestep {step} of sequence {row}."
        )


def _residual(
    name: str, values: np.ndarray, within: np.ndarray, declared: Mapping[str, Any] | None
) -> tuple[str, float] | None:
    """How far what should add up does not, at most."""
    if name.endswith("_residual"):
        held = values[within]
        held = held[np.isfinite(held)]
        return (
            ("distance of the parts' sum from the whole", float(held.max())) if held.size else None
        )
    over = (declared or {}).get("normalised_over")
    axes = (declared or {}).get("axes", [])
    if over is None or (axes and over not in axes):
        return None
    axis = 2 + axes.index(over) if axes else values.ndim - 1
    sums = values.astype(np.float64).sum(axis=axis)[within]
    sums = sums[np.isfinite(sums)]
    return (
        ("distance of the weights' sum from one", float(np.abs(sums - 1).max()))
        if sums.size
        else None
    )
