"""A trace as one netCDF-4 file, written a few sequences at a time."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from attnviz.store.chosen import Advance, Chosen
from attnviz.trace import FORMAT, Trace, TraceFormatError

if TYPE_CHECKING:
    import h5netcdf

__all__ = ["read_netcdf", "write_netcdf"]

#: So much of all arrays together is in memory at once, if a single sequence is not more.
BLOCK_BYTES = 2**22
#: Attributes of the file that are not the trace's own.
JSON, EXPORT, COORDINATES = "attnviz_json", "attnviz_export", "coordinates"


def write_netcdf(
    trace: Trace,
    path: Path,
    chosen: Chosen,
    provenance: Mapping[str, object],
    advance: Advance,
) -> None:
    """Writes chosen sequences and signals of a trace as netCDF-4.

    Text, numbers and truth values keep their kind (truth values as bytes that xarray turns back).
    Attributes that netCDF has no form for are JSON; their names are in `attnviz_json`.

    Arguments:
        trace: Any trace.
        path: The file to write.
        chosen: Its sequences, layers and signals.
        provenance: What the attribute `attnviz_export` says.
        advance: Called with sequences written and to be written.
    """
    import h5netcdf

    nodes = {"/": _kept(trace.tree, None)}
    rows, groups, signals = chosen
    for group in groups:
        nodes[group] = _kept(trace.tree.children[group], signals)
    with h5netcdf.File(path, "w") as file:
        for name, node in nodes.items():
            target = file if name == "/" else file.create_group(name)
            _describe(target, node, file, len(rows))
        file.attrs[EXPORT] = json.dumps(dict(provenance))
        for first, block in _blocks(nodes.values(), rows):
            for name, node in nodes.items():
                _fill(file if name == "/" else file[name], node, first, block)
            advance(first + len(block), len(rows))


def read_netcdf(path: Path | str) -> Trace:
    """Reads what `export_trace` wrote as `.nc`, lazily.

    Arguments:
        path: The file.

    Returns:
        The trace, of the sequences and signals that were exported; it is as one in memory.

    Raises:
        FileNotFoundError: If there is no such file.
        TraceFormatError: If it holds no trace, or is damaged.
        ModuleNotFoundError: If h5netcdf is missing (extra `export`).
    """
    import h5netcdf  # noqa: F401  (xarray would only say that it knows no such engine)

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        tree = xr.open_datatree(path, engine="h5netcdf")
        found = tree.attrs.get("format")
        for node in tree.subtree:
            node.attrs = _restored(node.attrs)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise TraceFormatError(
            f"{path} is no readable netCDF-4 file: it is cut short, damaged or of another kind "
            f"({error}). Export the trace again, or copy it again."
        ) from error
    if found != FORMAT:
        raise TraceFormatError(
            f"{path} should hold a trace, {FORMAT!r}, but its format is {found!r}."
        )
    return Trace(tree)


def _kept(node: xr.DataTree, signals: Sequence[str] | None) -> xr.Dataset:
    """What is written of a group: the chosen signals, and labels of their axes only."""
    data = node.to_dataset(inherit=False)
    if signals is None:
        return data
    return data[[name for name in data.data_vars if name in signals]]


def _describe(
    target: "h5netcdf.Group", node: xr.Dataset, file: "h5netcdf.File", count: int
) -> None:
    """Axes, arrays without their values, and attributes of one group."""
    import h5py

    for axis, size in node.sizes.items():
        size = count if axis == "sequence" else size
        if (
            target is file
            or file.dimensions.get(axis) is None
            or len(file.dimensions[axis]) != size
        ):
            target.dimensions[axis] = size
    for name, values in node.variables.items():
        kind = values.dtype.kind
        dtype = h5py.string_dtype() if kind in "OUT" else np.int8 if kind == "b" else values.dtype
        held = target.create_variable(str(name), values.dims, dtype, **_layout(values))
        for key, value in _attributes(values.attrs).items():
            held.attrs[key] = value
        if kind == "b":
            held.attrs["dtype"] = "bool"
        if "sequence" not in values.dims:
            held[...] = _plain(values)
    labels = [str(name) for name in node.coords if name not in node.dims]
    for key, value in _attributes(node.attrs).items():
        target.attrs[key] = value
    if labels:
        target.attrs[COORDINATES] = " ".join(labels)


def _layout(values: xr.Variable) -> dict[str, Any]:
    """Numbers with a timestep are compressed, a sequence a chunk: that is how they are read."""
    if values.dims[:2] != ("sequence", "time") or values.dtype.kind in "OUT":
        return {}
    chunk = (1, *values.shape[1:])
    return {"chunks": chunk, "compression": "gzip", "compression_opts": 4, "shuffle": True}


def _fill(target: "h5netcdf.Group", node: xr.Dataset, first: int, block: Sequence[int]) -> None:
    for name, values in node.variables.items():
        if "sequence" in values.dims:
            part = values.isel(sequence=_run(block))
            target.variables[str(name)][first : first + len(block)] = _plain(part)


def _blocks(
    nodes: Iterable[xr.Dataset], rows: Sequence[int]
) -> Iterator[tuple[int, Sequence[int]]]:
    """The sequences in blocks that fit in memory together, with the place of their first."""
    arrays = [v for node in nodes for v in node.variables.values() if "sequence" in v.dims]
    bytes_each = sum(v.nbytes // max(1, v.sizes["sequence"]) for v in arrays)
    size = max(1, BLOCK_BYTES // max(1, bytes_each))
    for first in range(0, len(rows), size):
        yield first, rows[first : first + size]


def _run(rows: Sequence[int]) -> slice | list[int]:
    """Rows one after the other as a slice: a list costs many times their size to read."""
    first, last = rows[0], rows[-1] + 1
    return slice(first, last) if list(rows) == list(range(first, last)) else list(rows)


def _plain(values: xr.Variable) -> np.ndarray:
    """Values as h5py takes them."""
    found: np.ndarray = values.values
    if found.dtype.kind in "UT":
        return found.astype(object)
    return found.astype(np.int8) if found.dtype.kind == "b" else found


def _attributes(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Attributes in forms that netCDF has."""
    own, coded = {}, []
    for name, value in attributes.items():
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, bool) or not isinstance(value, (str, int, float)) or value == "":
            value = json.dumps(value.tolist() if isinstance(value, np.ndarray) else value)
            coded.append(str(name))
        own[str(name)] = value
    return own | ({JSON: json.dumps(coded)} if coded else {})


def _restored(attributes: Mapping[Any, Any]) -> dict[Any, Any]:
    """The trace's own attributes, as they were."""
    coded = json.loads(attributes.get(JSON, "[]"))
    return {
        name: json.loads(value) if name in coded else value
        for name, value in attributes.items()
        if name not in (JSON, EXPORT)
    }
