"""A short name for the content of a trace, to write beside what was made from it."""

import hashlib
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from attnviz.store.attributes import stored_attributes
from attnviz.store.files import Files
from attnviz.store.layout import Layout, read_layout
from attnviz.store.reader import StoredArray
from attnviz.store.rows import (
    content_digest,
    fixed_values,
    hash_rows,
    plan_of,
    row_values,
    rows_of,
)
from attnviz.store.schema import ROW_DIGEST, infer_schema
from attnviz.trace import Trace

__all__ = ["stored_fixed_values", "trace_digest"]


def trace_digest(trace: Trace | Path | str) -> str:
    """The SHA-256 of what a trace holds: equal in memory, in a directory and in a zip of it.

    It covers attributes and values but neither blocks nor padding. A store keeps the digest of
    each row, written with the row, so that this takes as long as opening it and reading 64
    characters a sequence, however large its arrays are; that their files were not changed since
    is checked when they are read, not here. A trace in memory is hashed whole.

    A trace that was opened is known by its store: after changing its arrays, make a new
    `Trace(tree)` without a path.

    Arguments:
        trace: A trace, or where one lies.

    Returns:
        64 hexadecimal digits.

    Raises:
        FileNotFoundError: If nothing lies there.
        TraceFormatError: If what lies there is no trace.
        ValueError: If a trace in memory holds what cannot be stored.
    """
    if isinstance(trace, Trace) and trace.path is None:
        return _digest_in_memory(trace)
    path = trace.path if isinstance(trace, Trace) else trace
    files = Files(Path(str(path)))
    layout = read_layout(files)
    digests = next(v for v in layout.schema.variables if v.path == ROW_DIGEST)
    rows = StoredArray(digests, files, layout.block_size).read((slice(None),))
    fixed = stored_fixed_values(files, layout)
    return content_digest(layout.attributes, layout.schema, fixed, rows.tolist())


def stored_fixed_values(files: Files, layout: Layout) -> dict[str, Shaped[np.ndarray, "..."]]:
    """The arrays of a store that have no row a sequence, by path."""
    return {
        variable.path: StoredArray(variable, files, layout.block_size).read(
            tuple(slice(None) for _ in variable.dims)
        )
        for variable in layout.schema.variables
        if not variable.by_sequence
    }


def _digest_in_memory(trace: Trace) -> str:
    plan = plan_of(trace.tree)
    schema = infer_schema(trace.tree, plan)
    digests: list[str] = []
    for block in plan.blocks:
        tree = rows_of(trace.tree, block)
        hashes = [hashlib.sha256() for _ in range(block.start, block.stop)]
        for variable in sorted(schema.variables, key=lambda one: one.path):
            if variable.by_sequence and variable.path != ROW_DIGEST:
                values = row_values(variable, tree, plan, block)
                hash_rows(hashes, variable, values, plan, block)
        digests += [digest.hexdigest() for digest in hashes]
    attributes = stored_attributes(trace.tree.attrs, plan)
    return content_digest(attributes, schema, fixed_values(schema, trace.tree), digests)
