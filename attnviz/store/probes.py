"""Probes: what a model looked at while it was trained, one row a step, in a store of their own."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from jaxtyping import Shaped

from attnviz.store.files import Files
from attnviz.store.layout import CODECS, DTYPES
from attnviz.store.schema import NAME
from attnviz.trace import TraceFormatError

__all__ = [
    "PROBES",
    "STEP",
    "is_probes",
    "open_probes",
    "probe_rows",
    "root_attributes",
    "row_file",
]

PROBES = "attnviz-probes/1"
ROOT = "zarr.json"  # says what a group or array is
STEP = "step"  # the leading axis, and the array that says which rows are whole


def is_probes(path: Path | str) -> bool:
    """Whether a folder or a zip says that it holds probes, of any version."""
    try:
        node = json.loads(Files(Path(path)).read([ROOT])[ROOT])
        return str(node["attributes"]["format"]).startswith("attnviz-probes/")
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def open_probes(path: Path | str) -> xr.DataTree:
    """Reads the probes of a training, finished or not; needs no torch.

    A step is there when it is whole: what a training was killed at is not. Everything that was
    kept is read into memory, and damaged or missing chunks raise instead of passing for NaN.

    Arguments:
        path: The store, a directory, or a zip of one that `attnviz.store.pack_trace` made.

    Returns:
        At the root `prediction (step, sequence, class)` and `loss (step, sequence)`, with the
        `id`, `length` and `label` (of numbers `target`) of each sequence; in a group for each layer
        and direction what was kept of it, such as `lag_kernel (step, head, lag)`. The coordinate
        `step` counts the iterations that the weights had been trained for. Language models have
        no `prediction` and no `label`.

    Raises:
        FileNotFoundError: If nothing lies there.
        TraceFormatError: If it holds no probes, those of another version, or is damaged.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"There are no probes at {path}. Check the path.")
    attributes, files = root_attributes(path), Files(path)
    try:
        return _read(files, attributes)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file can raise anything
        raise TraceFormatError(
            f"{path} holds damaged probes: {error} Copy them again, or train again."
        ) from error


def probe_rows(path: Path, rows: int) -> dict[int, int]:
    """The rows that are whole, and the step of each.

    Arguments:
        path: The store.
        rows: That there are in all.

    Returns:
        Steps by row.
    """
    return _rows(Files(path), rows)


def _rows(files: Files, rows: int) -> dict[int, int]:
    steps = np.asarray(zarr.open_array(files.store, path=STEP, mode="r", zarr_format=3)[...])
    if steps.shape != (rows,):
        raise ValueError(f"There are {rows} rows, but the steps have the sizes {steps.shape}.")
    return {row: int(step) for row, step in enumerate(steps) if step >= 0}


def row_file(variable: str, row: int, axes: int) -> str:
    """The file of a variable's row, its path within the store."""
    return "/".join([variable, "c", str(row), *["0"] * (axes - 1)])


def _read(files: Files, attributes: dict[str, Any]) -> xr.DataTree:
    layout = attributes.pop("layout")
    rows = int(layout["rows"])
    _node(files, STEP, "array")
    there = _rows(files, rows)
    if sorted(there.values()) != list(there.values()):
        raise ValueError(f"its steps are not in order: {list(there.values())}.")
    nodes: dict[str, xr.Dataset] = {}
    for group, names in layout["variables"].items():
        said = attributes if not group else _node(files, group, "group").get("attributes", {})
        arrays = {str(name): _array(files, group, str(name), there, rows) for name in names}
        labels = set(str(said.get("coordinates", "")).split())
        labels |= {name for name, array in arrays.items() if array.dims == (name,)}
        nodes[group or "/"] = xr.Dataset(
            {name: array for name, array in arrays.items() if name not in labels},
            {STEP: list(there.values()), **{name: arrays[name] for name in labels}},
            {name: value for name, value in said.items() if name != "coordinates"},
        )
    return xr.DataTree.from_dict(nodes)


def _array(files: Files, group: str, name: str, there: Mapping[int, int], rows: int) -> xr.Variable:
    """One array, of the rows that are whole."""
    key = f"{group}/{name}" if group else name
    node = _node(files, key, "array")
    axes, shape = tuple(node.get("dimension_names") or ()), tuple(node["shape"])
    chunk = tuple(node["chunk_grid"]["configuration"]["chunk_shape"])
    if node["data_type"] not in DTYPES:
        raise ValueError(f"{key} is of type {str(node['data_type'])[:40]!r}.")
    if unknown := [codec["name"] for codec in node["codecs"] if codec["name"] not in CODECS]:
        raise ValueError(f"{key} is encoded by {str(unknown[0])[:40]!r}.")
    by_step = axes[:1] == (STEP,)
    wanted = (1, *shape[1:]) if by_step else shape
    if len(axes) != len(shape) or chunk != wanted or (by_step and shape[0] != rows):
        raise ValueError(f"{key} has axes {axes} of sizes {shape} in chunks of {chunk}.")
    for row in there if by_step else [0]:
        if not files.has(file := row_file(key, row, len(shape))):
            raise ValueError(f"{file} is missing.")
    array = zarr.open_array(files.store, path=key, mode="r", zarr_format=3)
    values = _whole(array, there) if by_step else np.asarray(array[...])
    return xr.Variable(axes, values.astype(object) if values.dtype.kind in "TU" else values)


def _whole(array: zarr.Array[Any], there: Mapping[int, int]) -> Shaped[np.ndarray, "..."]:
    """The rows that are whole, one after the other: there may be few of many."""
    read: Iterator[Any] = (np.asarray(array[row : row + 1]) for row in there)
    empty = np.empty((0, *array.shape[1:]), array.dtype)
    return np.concatenate([empty, *read])


def root_attributes(path: Path) -> dict[str, Any]:
    """The root's attributes, once it is clear that these are probes of this version."""
    where = f"{path} holds no probes that this version can read: expected the format {PROBES!r}"
    try:
        attributes = dict(_node(Files(path), "", "group").get("attributes", {}))
    except (OSError, TypeError, ValueError) as error:
        raise TraceFormatError(f"{where}, but {error}") from error
    if attributes.get("format") != PROBES or not isinstance(attributes.get("layout"), dict):
        raise TraceFormatError(
            f"{where}, found {str(attributes.get('format'))[:40]!r}. Probes are written by "
            "attnviz train --probe."
        )
    return attributes


def _node(files: Files, key: str, kind: str) -> dict[str, Any]:
    """One zarr.json, as far as it must be what it should."""
    if not all(NAME.fullmatch(part) for part in key.split("/") if key):
        raise ValueError(f"{key!r} is no name for a group or variable.")
    file = f"{key}/{ROOT}" if key else ROOT
    if not files.has(file):
        raise ValueError(f"{file} is missing.")
    described = files.read([file])[file]
    try:
        node = json.loads(described)
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{file} is no JSON ({error}).") from error
    if not isinstance(node, dict) or (node.get("zarr_format"), node.get("node_type")) != (3, kind):
        raise ValueError(f"{file} does not describe a Zarr v3 {kind}.")
    if node.get("storage_transformers"):
        raise ValueError(f"{file} asks for a storage transformer.")
    return node
