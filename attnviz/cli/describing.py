"""What a trace, probes, a study or a measured result holds, for a script."""

from pathlib import Path

import numpy as np
import xarray as xr

from attnviz.analysis import RunCurve, StudyCurves
from attnviz.cli.sources import open_source
from attnviz.trace import Trace

__all__ = ["described"]


def described(path: Path) -> dict[str, object]:
    """Sizes, signals, attributes and kinds of plot.

    Arguments:
        path: A trace, a result (`.nc`), a run, probes or a folder of a study's results.

    Returns:
        What can be written as JSON.
    """
    source = open_source(path)
    digests = (source.provenance.get(f"{kind}_digest") for kind in ("trace", "study", "run"))
    held = {"path": str(path), "digest": next(filter(None, digests), None)}  # probes have none
    data, kinds = source.data, {"kinds": source.drawable}
    if isinstance(data, StudyCurves):
        return {**held, **kinds}
    if isinstance(data, RunCurve):
        rows = [
            {str(name): _plain(value) for name, value in row.items()}
            for row in data.history.to_dict("records")
        ]
        recipe = {"recipe": dict(data.recipe), "data": dict(data.data), "command": data.command}
        return {**held, **recipe, "history": rows, **kinds}
    tree = data.tree if isinstance(data, Trace) else data
    root = tree.to_dataset(inherit=False) if isinstance(tree, xr.DataTree) else tree
    attributes = {str(name): _plain(value) for name, value in root.attrs.items()}
    said = {**held, "attributes": attributes, **kinds}
    if isinstance(tree, xr.Dataset):
        return {**said, "signals": _signals(tree)}
    said["layers"] = {name: _signals(node.dataset) for name, node in tree.children.items()}
    if not isinstance(data, Trace):
        return {**said, "steps": root["step"].values.tolist()}
    length = root["length"].values
    sequences = {"planned": len(length), "recorded": int((length >= 0).sum())}
    return {**said, "sequences": sequences, "length": length.tolist()}


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
