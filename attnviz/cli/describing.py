"""What a trace or a measured result holds, for a script."""

from pathlib import Path

import numpy as np
import xarray as xr

from attnviz.cli.sources import open_source
from attnviz.trace import Trace

__all__ = ["described"]


def described(path: Path) -> dict[str, object]:
    """Sizes, signals, attributes and kinds of plot.

    Arguments:
        path: A trace or a result (`.nc`).

    Returns:
        What can be written as JSON.
    """
    source = open_source(path)
    held = {"path": str(path), "digest": source.provenance["trace_digest"]}
    data = source.data
    root = data.tree.dataset if isinstance(data, Trace) else data
    said = {
        **held,
        "attributes": {str(name): _plain(value) for name, value in root.attrs.items()},
        "kinds": source.drawable,
    }
    if not isinstance(data, Trace):
        return {**said, "signals": _signals(data)}
    length = root["length"].values
    sequences = {"planned": len(length), "recorded": int((length >= 0).sum())}
    layers = {name: _signals(node.dataset) for name, node in data.tree.children.items()}
    return {**said, "sequences": sequences, "length": length.tolist(), "layers": layers}


def _signals(held: xr.Dataset) -> dict[str, object]:
    return {
        str(name): {
            "axes": {str(axis): size for axis, size in values.sizes.items()},
            "type": str(values.dtype),
            "bytes": int(values.nbytes),
        }
        for name, values in held.data_vars.items()
    }


def _plain(value: object) -> object:
    """An attribute in a form that JSON has; what is no number there is a word."""
    found = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    finite = not isinstance(found, float) or np.isfinite(found)
    return found if finite else str(found)
