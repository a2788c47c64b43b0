"""A new store: all rows planned, none recorded."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from jaxtyping import Shaped
from zarr.codecs import ZstdCodec
from zarr.core.array_spec import ArrayConfig

from attnviz.store.plan import Plan, plan_digest
from attnviz.store.schema import Schema, Variable, chunk_rows

__all__ = ["WRITE_ALL", "make_store", "noted"]

Values = Shaped[np.ndarray, "..."]
# Fill is written too, so that a file that was lost can be told from one with nothing in it.
WRITE_ALL = ArrayConfig(order="C", write_empty_chunks=True)


def make_store(
    path: Path,
    attributes: Mapping[str, Any],
    schema: Schema,
    fixed: Mapping[str, Values],
    plan: Plan,
) -> None:
    """Creates a store with all rows planned, none recorded, and the fixed arrays written."""
    root = zarr.create_group(path, zarr_format=3, attributes=_with_labels("", attributes, schema))
    for group, held in schema.groups.items():
        root.create_group(group, attributes=_with_labels(group, held, schema))
    for variable in schema.variables:
        array = _make_array(root, variable, plan.block_size)
        if not variable.by_sequence:
            array[...] = fixed[variable.path]


def _make_array(root: zarr.Group, variable: Variable, block_size: int) -> zarr.Array[Any]:
    if variable.by_sequence:
        chunk = (chunk_rows(variable, block_size), *variable.shape[1:])
        shard = (block_size, *variable.shape[1:]) if variable.by_time else None
    else:
        chunk, shard = variable.shape, None
    return root.create_array(
        variable.path,
        shape=variable.shape,
        dtype=str if variable.dtype == "string" else variable.dtype,
        chunks=chunk,
        shards=shard,
        compressors=ZstdCodec(level=3, checksum=True),
        fill_value=variable.fill,
        attributes=dict(variable.attributes),
        dimension_names=variable.dims,
        config=WRITE_ALL,
    )


def _with_labels(group: str, attributes: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """Adds the names of labels that are no index, where xarray looks for them."""
    labels = [
        variable.name
        for variable in schema.variables
        if variable.group == group and variable.coordinate and variable.dims != (variable.name,)
    ]
    return {**attributes, **({"coordinates": " ".join(labels)} if labels else {})}


def noted(plan: Plan) -> dict[str, Any]:
    """What is stored of a plan: enough to tell whether another is the same, and where not."""
    return {
        "sequences": len(plan.ids),
        "time": plan.time,
        "block_size": plan.block_size,
        "batch_size": plan.batch_size,
        "plan": plan_digest(plan),
    }
