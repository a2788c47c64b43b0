"""What the files of a store say before any data is read: its attributes, schema and plan.

Nothing here trusts a file. Only the data types and codecs that the writer uses are let through,
so that a store from elsewhere can neither run code nor reach outside its own folder.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from attnviz.cards import MODEL, RUN
from attnviz.store.files import Files
from attnviz.store.schema import NAME, ROW_DIGEST, Schema, Variable
from attnviz.trace import FORMAT, TraceFormatError

__all__ = ["Layout", "read_layout", "shard_key"]

DTYPES = {"float16", "float32", "float64", "bool", "string"} | {
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}
CODECS = {"bytes", "crc32c", "sharding_indexed", "vlen-utf8", "zstd"}
OTHER_FOLDERS = {  # by a file in it, what else attnviz writes, and what reads that
    RUN: "a run of training: attnviz info and attnviz plot read it, attnviz record makes a trace",
    MODEL: "a model: attnviz record makes a trace",
    "study.toml": "the results of a study: attnviz info and attnviz plot read them",
}


@dataclass(frozen=True)
class Layout:
    """A store without its data.

    Arguments:
        attributes: The root's attributes.
        schema: Groups and variables in order.
        plan: What the writer noted of the plan: its digest and sizes.
        half: Whether bounded signals were stored as float16.
    """

    attributes: Mapping[str, Any]
    schema: Schema
    plan: Mapping[str, Any]
    half: bool

    @property
    def block_size(self) -> int:
        """Rows a block."""
        size = self.plan.get("block_size")
        if not isinstance(size, int) or size < 1:
            raise TraceFormatError(f"The plan's block_size should be at least 1, but is {size!r}.")
        return size


def shard_key(variable: Variable, block: int = 0) -> str:
    """The file that holds a variable's rows of a block."""
    first = [block if dim == "sequence" else 0 for dim in variable.dims]
    return "/".join([variable.path, "c", *map(str, first)])


def read_layout(files: Files) -> Layout:
    """Reads and checks all metadata of a store.

    Arguments:
        files: The store.

    Returns:
        Its layout.

    Raises:
        TraceFormatError: If it is no trace, one of a newer version, or damaged.
    """
    attributes = _root_attributes(files)
    try:
        return _read_layout(files, attributes)
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise TraceFormatError(
            f"{files.path} is a damaged trace: {_message(error)} Copy it again from where it was "
            "recorded, or record again."
        ) from error


def _read_layout(files: Files, attributes: dict[str, Any]) -> Layout:
    own = _mapping(attributes.pop("layout"), "the layout")
    listed = _mapping(own["variables"], "the list of variables")
    names = {str(group): list(map(str, held)) for group, held in listed.items()}
    paths = [f"{g}/{name}" if g else name for g, held in names.items() for name in held]
    for part in {part for path in [*filter(None, names), *paths] for part in path.split("/")}:
        if not NAME.fullmatch(part):
            raise ValueError(f"{part!r} is no name for a group or variable.")
    if missing := {"id", "length", ROW_DIGEST} - set(paths):
        raise ValueError(f"{sorted(missing)} of each sequence is missing.")
    nodes = files.read([f"{path}/zarr.json" for path in [*filter(None, names), *paths]])
    groups, coordinates = {}, {"": _coordinates(attributes)}
    for group in filter(None, names):
        node = _node(nodes, group, "group")
        groups[group] = dict(_mapping(node.get("attributes", {}), f"attributes of {group}"))
        coordinates[group] = _coordinates(groups[group])
    plan = _mapping(own["plan"], "the plan")
    layout = Layout(attributes, Schema(groups, ()), plan, own["half"] is True)
    variables = tuple(
        _variable(nodes, group, name, coordinates[group], layout)
        for group, held in names.items()
        for name in held
    )
    return Layout(attributes, Schema(groups, variables), plan, layout.half)


def _variable(
    nodes: Mapping[str, bytes], group: str, name: str, coordinates: set[str], layout: Layout
) -> Variable:
    path = f"{group}/{name}" if group else name
    node = _node(nodes, path, "array")
    dims, shape = tuple(node.get("dimension_names") or ()), tuple(node["shape"])
    if len(dims) != len(shape) or not all(isinstance(size, int) and size > 0 for size in shape):
        raise ValueError(f"{path} has axes {dims} of sizes {shape}.")
    dtype = node["data_type"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"{path} is of type {str(dtype)[:40]!r}, which no trace holds.")
    _check_codecs(node["codecs"], path)
    attributes = dict(_mapping(node.get("attributes", {}), f"attributes of {path}"))
    labels = name in coordinates or dims == (name,)
    variable = Variable(group, name, dims, shape, dtype, attributes, labels)
    _check_sizes(variable, tuple(node["chunk_grid"]["configuration"]["chunk_shape"]), layout)
    return variable


def _check_sizes(variable: Variable, grid: tuple[int, ...], layout: Layout) -> None:
    """A store's files can only be told to be missing if blocks lie where the plan puts them."""
    sizes = {"sequence": layout.plan["sequences"], "time": layout.plan["time"]}
    axes = tuple(zip(variable.dims, variable.shape, strict=True))
    wanted = tuple(sizes.get(dim, size) for dim, size in axes)
    chunk = tuple(layout.block_size if dim == "sequence" else size for dim, size in axes)
    if variable.shape != wanted or grid != chunk:
        raise ValueError(
            f"{variable.path} of sizes {variable.shape} in chunks of {grid} does not fit the plan."
        )


def _root_attributes(files: Files) -> dict[str, Any]:
    """The root's attributes, once it is clear that this is a trace of this version."""
    where = f"{files.path} is not a trace that this version can read: expected a "
    where += f"{'directory' if files.sizes is None else 'zip'} with format {FORMAT!r}"
    try:
        found = files.read(["zarr.json"])
    except (OSError, TraceFormatError) as error:
        raise TraceFormatError(f"{where}, but {error}") from error
    if not found:
        raise TraceFormatError(f"{where}, but {_what_is_there(files)}.")
    try:
        attributes = dict(_node(found, "", "group").get("attributes", {}))
    except (TypeError, ValueError) as error:
        raise TraceFormatError(f"{where}, but its zarr.json is damaged ({error}).") from error
    written = attributes.get("format")
    (family, _, number), (ours, _, known) = str(written).partition("/"), FORMAT.partition("/")
    if family == ours and re.fullmatch("[0-9]{1,6}", number) and int(number) > int(known):
        raise TraceFormatError(
            f"{where}, found {str(written)[:40]!r}. A newer attnviz wrote it: upgrade attnviz."
        )
    if written != FORMAT or "layout" not in attributes:
        raise TraceFormatError(
            f"{where}, found {str(written)[:40]!r}"
            f"{'' if written != FORMAT else ' that attnviz did not write'}. Traces are written by "
            "recording or by save_trace."
        )
    return attributes


def _what_is_there(files: Files) -> str:
    """Says what a store without metadata holds instead."""
    if files.sizes is None:
        held = sorted(entry.name for entry in files.path.iterdir())
    else:
        held = sorted({name.split("/")[0] for name in files.sizes})
    if not held:
        return "it is empty"
    for name, meaning in OTHER_FOLDERS.items():
        if name in held:
            return f"it is {meaning}"
    nested = "; if the trace lies in a folder inside, point there or pack it with pack_trace"
    return f"it has no zarr.json; it holds {held[:4]}{'...' if len(held) > 4 else ''}{nested}"


def _node(nodes: Mapping[str, bytes], path: str, kind: str) -> dict[str, Any]:
    """One zarr.json, as far as it must be what it should."""
    key = f"{path}/zarr.json" if path else "zarr.json"
    if key not in nodes:
        raise ValueError(f"{key} is missing.")
    try:
        node = json.loads(nodes[key])
    except (RecursionError, ValueError) as error:
        raise ValueError(f"{key} is not JSON ({error}).") from error
    if not isinstance(node, dict) or (node.get("zarr_format"), node.get("node_type")) != (3, kind):
        raise ValueError(f"{key} does not describe a Zarr v3 {kind}.")
    if node.get("storage_transformers"):
        raise ValueError(f"{key} asks for a storage transformer.")
    return dict(node)


def _check_codecs(codecs: Iterable[Mapping[str, Any]], path: str) -> None:
    for codec in codecs:
        if codec["name"] not in CODECS:
            raise ValueError(f"{path} is encoded by {str(codec['name'])[:40]!r}, no trace's codec.")
        inner = codec.get("configuration", {})
        _check_codecs([*inner.get("codecs", []), *inner.get("index_codecs", [])], path)


def _coordinates(attributes: dict[str, Any]) -> set[str]:
    """Takes the names of labels that are no index out of a group's attributes."""
    return set(str(attributes.pop("coordinates", "")).split())


def _mapping(value: object, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{what} should be a mapping, but is {str(value)[:40]!r}.")
    return value


def _message(error: Exception) -> str:
    return f"{error} is missing." if isinstance(error, KeyError) else str(error)
