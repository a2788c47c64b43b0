"""What a store holds: the variables of a trace, their axes, types, fills and chunks.

A schema is inferred from the first block that is recorded and holds for all of them.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Shaped

from attnviz.store.attributes import bounded_signals, check_attributes
from attnviz.store.plan import Plan

__all__ = [
    "ROW_DIGEST",
    "Schema",
    "Variable",
    "chunk_rows",
    "infer_schema",
    "plain_values",
]

CHUNK_BYTES = 2**20
NAME = re.compile(r"[A-Za-z_][\w.\-]*", re.ASCII)  # never a way out of the store's folder
CODED = ("_FillValue", "missing_value", "scale_factor", "add_offset", "coordinates", "_Unsigned")
ROW_DIGEST = "row_digest"


@dataclass(frozen=True)
class Variable:
    """One array of a store.

    Arguments:
        group: The group it lies in, `""` for the root.
        name: Its name.
        dims: Its axes; `sequence` first and `time` second where it has them.
        shape: Its size along each axis, for all sequences.
        dtype: Its type in the store, as Zarr names it: `float32`, `int32`, `string`, ...
        attributes: Its own attributes.
        coordinate: Whether it labels an axis instead of holding data.
    """

    group: str
    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str
    attributes: Mapping[str, Any]
    coordinate: bool

    @property
    def path(self) -> str:
        """Where it lies in the store."""
        return f"{self.group}/{self.name}" if self.group else self.name

    @property
    def by_sequence(self) -> bool:
        """Whether it has a row a sequence; otherwise it is written once."""
        return "sequence" in self.dims

    @property
    def by_time(self) -> bool:
        """Whether it has an entry a timestep."""
        return "time" in self.dims

    @property
    def numpy_dtype(self) -> np.dtype[Any]:
        """Its type in memory while it is written: strings as objects."""
        return np.dtype(object if self.dtype == "string" else self.dtype)

    @property
    def read_dtype(self) -> np.dtype[Any]:
        """Its type for a reader: float16 is widened to float32."""
        return np.dtype(np.float32 if self.dtype == "float16" else self.numpy_dtype)

    @property
    def fill(self) -> float | int | str | bool:
        """What stands where nothing was written."""
        if self.dtype == "string":
            return ""
        kind = np.dtype(self.dtype).kind
        return {"f": math.nan, "i": -1, "u": 0, "b": False}[kind]


@dataclass(frozen=True)
class Schema:
    """All groups and variables of a store, in order.

    Arguments:
        groups: Attributes of each group by its path, without the root.
        variables: Every array.
    """

    groups: Mapping[str, Mapping[str, Any]]
    variables: tuple[Variable, ...]


def infer_schema(tree: xr.DataTree, plan: Plan, *, half: bool = False) -> Schema:
    """The schema of a whole recording, from the arrays of some of its rows.

    Arguments:
        tree: Rows in the layout of `Trace.tree`.
        plan: Says how many sequences and timesteps there will be.
        half: Store as float16 what its group's `signals` declare bounded.

    Returns:
        The schema. `id` and `length` are always part of it.

    Raises:
        ValueError: If an array, name or attribute has no place in a trace.
    """
    sizes = {"sequence": len(plan.ids), "time": plan.time}
    groups, variables = {}, list(_own_variables(sizes["sequence"]))
    for path, node in tree.subtree_with_keys:
        group = "" if path == "." else path
        data = node.to_dataset(inherit=False)
        where = f"group {group!r}" if group else "the root"
        for part in filter(None, group.split("/")):
            _check_name(part, where)
        if group:
            groups[group] = check_attributes(data.attrs, where)
        bounded = bounded_signals(data.attrs, where) if half else set()
        # xarray's order of coordinates varies; that of bytes must not.
        for name in [*data.data_vars, *sorted(data.coords, key=str)]:
            array = data.variables[name]
            if not (group == "" and name in ("id", "length", ROW_DIGEST)):
                variable = _variable(group, str(name), array, sizes, str(name) in bounded)
                variables.append(replace(variable, coordinate=name in data.coords))
    return Schema(groups, tuple(variables))


def chunk_rows(variable: Variable, block_size: int) -> int:
    """How many sequences are read at once: 1, 2 or 4 of those with a time axis, else a block."""
    if not variable.by_time:
        return block_size
    item = 8 if variable.dtype == "string" else np.dtype(variable.dtype).itemsize
    row = math.prod(variable.shape[1:]) * item
    return next(
        (rows for rows in (4, 2) if block_size % rows == 0 and rows * row <= CHUNK_BYTES), 1
    )


def plain_values(
    values: Shaped[np.ndarray, "..."], variable: Variable
) -> Shaped[np.ndarray, "..."]:
    """Values in the variable's stored type.

    Raises:
        ValueError: If text cannot be written as UTF-8, or a number is too large for float16.
    """
    if variable.dtype == "string":
        for text in values.ravel():
            _check_text(text, variable)
        return values.astype(object)
    with np.errstate(over="raise"):
        try:
            return np.asarray(values, dtype=variable.numpy_dtype)
        except FloatingPointError as error:
            raise ValueError(
                f"{variable.path} is stored as float16 because its bounds are declared, but holds "
                f"{np.nanmax(np.abs(values)):g}. Correct the declared bounds, or store it with "
                "half=False."
            ) from error


def _own_variables(count: int) -> tuple[Variable, ...]:
    return (
        Variable("", "id", ("sequence",), (count,), "string", {}, False),
        Variable("", ROW_DIGEST, ("sequence",), (count,), "string", {}, False),
        Variable("", "length", ("sequence",), (count,), "int32", {}, False),
    )


def _variable(
    group: str, name: str, array: xr.Variable, sizes: Mapping[str, int], bounded: bool
) -> Variable:
    where = f"{group}/{name}" if group else name
    _check_name(name, f"variable {where!r}")
    if name in ("sequence", "time"):
        raise ValueError(
            f"A trace counts sequences and timesteps from 0 and has no labels on them, but {where} "
            f"labels {name!r}. Drop it; names of sequences go in 'id'."
        )
    dims = tuple(str(dim) for dim in array.dims)
    wanted = tuple(dim for dim in ("sequence", "time") if dim in dims)
    if dims[: len(wanted)] != wanted or wanted == ("time",):
        raise ValueError(
            f"The axes of a trace's arrays begin with sequence, then time, but {where} has {dims}."
        )
    shape = tuple(sizes.get(dim, size) for dim, size in zip(dims, array.shape, strict=True))
    if 0 in shape:
        raise ValueError(f"{where} has nothing in it: its axes {dims} have sizes {shape}.")
    attributes = check_attributes(array.attrs, where)
    if taken := [key for key in attributes if key in CODED]:
        raise ValueError(f"The attributes {taken} of {where} change how readers decode it.")
    return Variable(group, name, dims, shape, _dtype(array, where, bounded), attributes, False)


def _dtype(array: xr.Variable, where: str, bounded: bool) -> str:
    kind, name = array.dtype.kind, str(array.dtype.newbyteorder("=").name)
    is_text = kind == "O" and all(isinstance(text, str) for text in array.values.ravel())
    if kind in "UT" or is_text:
        return "string"
    if kind == "f" and array.dtype.itemsize <= 8:
        wide = "float32" if name == "float16" else name
        return "float16" if bounded else wide
    if kind in "iub":
        return name
    raise ValueError(
        f"A trace holds numbers, truth values and text, but {where} is of type {array.dtype}."
    )


def _check_name(name: str, where: str) -> None:
    if not NAME.fullmatch(name) or name == "zarr.json":
        raise ValueError(
            f"Names in a trace begin with a letter, then letters, digits, '_', '.' and '-', but "
            f"{where} has {name!r}."
        )


def _check_text(text: object, variable: Variable) -> None:
    try:
        str(text).encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"{variable.path} holds text that is not Unicode: {str(text)[:40]!r} ({error}). Read "
            "the data with its right encoding, or with errors='replace'."
        ) from error
