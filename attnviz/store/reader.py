"""Opening a trace: metadata at once, data when it is looked at."""

import math
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from jaxtyping import Shaped
from xarray.backends import BackendArray
from xarray.core import indexing

from attnviz.store.files import Files
from attnviz.store.layout import read_layout, shard_key
from attnviz.store.schema import ROW_DIGEST, Variable
from attnviz.trace import FORMAT, Trace, TraceFormatError

__all__ = ["StoredArray", "open_trace"]

KEPT_BYTES = 2**26  # larger arrays are read from disk each time their values are used


def open_trace(path: Path | str) -> Trace:
    """Opens a trace without reading its data: a directory, or a zip that `pack_trace` made.

    What is read is checked: missing or damaged chunks raise instead of passing for NaN. A trace
    whose recording was interrupted opens too; the rows that do not exist have length −1. float16
    is widened to float32.

    Arguments:
        path: Where the trace lies. A zip is read in place and never unpacked.

    Returns:
        The trace, whose arrays are read from disk when their values are used.

    Raises:
        FileNotFoundError: If nothing lies there.
        TraceFormatError: If it is no trace, one of another version, or damaged. A damaged chunk is
            found when it is read.
    """
    files = Files(Path(path))
    layout = read_layout(files)
    groups = {"": layout.attributes, **layout.schema.groups}
    try:
        nodes = {
            group or "/": xr.Dataset(
                *_arrays(group, layout.schema.variables, files, layout.block_size),
                attrs=dict(attributes),
            )
            for group, attributes in groups.items()
        }
        tree = xr.DataTree.from_dict(nodes)
    except ValueError as error:
        if isinstance(error, TraceFormatError):
            raise
        raise TraceFormatError(
            f"{path} is a damaged trace: its arrays do not fit together ({error})."
        ) from error
    tree.attrs["format"] = FORMAT
    return Trace(tree, files.path)


def _arrays(
    group: str, variables: tuple[Variable, ...], files: Files, block_size: int
) -> tuple[dict[str, xr.Variable], dict[str, xr.Variable]]:
    """A group's data and its labels; labels that index an axis are read at once."""
    data: dict[str, xr.Variable] = {}
    labels: dict[str, xr.Variable] = {}
    for variable in variables:
        if variable.group != group or variable.name == ROW_DIGEST:
            continue
        stored = StoredArray(variable, files, block_size)
        is_index = variable.dims == (variable.name,)
        values = stored.read((slice(None),)) if is_index else _lazy(stored)
        place = labels if is_index or variable.coordinate else data
        place[variable.name] = xr.Variable(variable.dims, values, dict(variable.attributes))
    return data, labels


def _lazy(stored: "StoredArray") -> indexing.ExplicitlyIndexedNDArrayMixin:
    """An array that is read when its values are used, and then kept unless it is large."""
    lazy = indexing.LazilyIndexedArray(stored)
    if math.prod(stored.shape) * stored.dtype.itemsize > KEPT_BYTES:
        return lazy
    return indexing.MemoryCachedArray(indexing.CopyOnWriteArray(lazy))  # type: ignore


class StoredArray(BackendArray):
    """An array on disk that says clearly when it cannot be read.

    Arguments:
        variable: Which array.
        files: The store it lies in.
        block_size: Rows a block.
    """

    def __init__(self, variable: Variable, files: Files, block_size: int) -> None:
        self.variable, self.files, self.block_size = variable, files, block_size
        self.shape, self.dtype = variable.shape, variable.read_dtype

    @cached_property
    def opened(self) -> zarr.Array[Any]:
        """The same array for Zarr."""
        return zarr.open_array(self.files.store, path=self.variable.path, mode="r", zarr_format=3)

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Shaped[np.ndarray, "..."]:
        """Reads a part, along each axis a number, a slice or a list."""
        values: Shaped[np.ndarray, "..."] = indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self.read
        )
        return values

    def read(self, key: tuple[int | slice | np.ndarray, ...]) -> Shaped[np.ndarray, "..."]:
        """Reads a part.

        Raises:
            TraceFormatError: If a chunk is missing or damaged.
        """
        self._check_present(key)
        try:
            values = np.asarray(self.opened.oindex[key] if key else self.opened[()])
        except MemoryError:
            raise
        except Exception as error:  # each codec fails in its own way on damaged bytes
            raise TraceFormatError(
                f"{self.variable.path} of {self.files.path} is damaged and cannot be read "
                f"({type(error).__name__}: {error}). Copy the trace again from where it was "
                "recorded, or record again."
            ) from error
        return values.astype(self.dtype, copy=False)

    def _check_present(self, key: tuple[int | slice | np.ndarray, ...]) -> None:
        """Zarr gives fill values for a file that is lost; a committed block must have its file."""
        variable = self.variable
        if not variable.by_sequence:
            blocks, committed = [0], {0}
        else:
            rows = np.unique(np.arange(self.shape[0])[key[0]] // self.block_size)
            blocks = rows.tolist()
            committed = {block for block in blocks if self.files.has(f"length/c/{block}")}
        for block in blocks:
            if block in committed and not self.files.has(shard_key(variable, block)):
                raise TraceFormatError(
                    f"{self.files.path} is a damaged trace: {shard_key(variable, block)} is "
                    "missing or empty, though its rows were recorded. Copy it again from where it "
                    "was recorded, or record again."
                )
