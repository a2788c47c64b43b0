"""From the arrays of some rows to what is stored of them: typed, padded with fill, hashed."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Shaped

from attnviz.store.plan import Block, Plan, make_plan
from attnviz.store.schema import ROW_DIGEST, Schema, Variable, plain_values
from attnviz.trace import sequences_of

__all__ = ["check_block", "content_digest", "hash_rows", "plan_of", "row_values", "rows_of"]

Values = Shaped[np.ndarray, "..."]


def plan_of(tree: xr.DataTree, *, block_size: int = 64) -> Plan:
    """The plan under which a finished trace could have been recorded.

    Raises:
        ValueError: If the tree says no `id` and `length`, or some of its rows do not exist.
    """
    if missing := [name for name in ("id", "length") if name not in tree.data_vars]:
        raise ValueError(f"A trace needs 'id' and 'length' of each sequence, but lacks {missing}.")
    lengths = tree.dataset["length"].values
    if (absent := np.flatnonzero(lengths < 0)).size:
        raise ValueError(
            f"{absent.size} of {lengths.size} sequences were not recorded, the first of them "
            f"sequence {absent[0]}. Resume the recording, or choose those that exist: "
            "Trace(trace.tree.isel(sequence=trace.tree['length'].values > 0))."
        )
    ids = [str(name) for name in tree.dataset["id"].values]
    return make_plan(ids, [int(length) for length in lengths], block_size=block_size)


def rows_of(tree: xr.DataTree, block: Block) -> xr.DataTree:
    """The rows of a block out of a whole trace."""
    return sequences_of(tree, slice(block.start, block.stop))


def row_values(variable: Variable, tree: xr.DataTree, plan: Plan, block: Block) -> Values:
    """What the store holds of a variable in the rows of a block.

    Entries beyond a sequence's length are replaced by fill, whatever the tree has there.

    Arguments:
        variable: One with an axis `sequence`.
        tree: The rows of the block.
        plan: The plan.
        block: The block.

    Returns:
        Axes as the variable has them, time as long as the plan's longest sequence.
    """
    lengths = plan.lengths[block.start : block.stop]
    if variable.path == "id":
        return np.array(plan.ids[block.start : block.stop], dtype=object)
    if variable.path == "length":
        return np.array(lengths, dtype=np.int32)
    values = plain_values(_find(tree, variable).values, variable)
    if not variable.by_time:
        return values
    padded = np.full((len(lengths), *variable.shape[1:]), variable.fill, variable.numpy_dtype)
    for row, length in enumerate(lengths):
        padded[row, :length] = values[row, :length]
    return padded


def fixed_values(schema: Schema, tree: xr.DataTree) -> dict[str, Values]:
    """The arrays that have no row a sequence, by path."""
    return {
        variable.path: plain_values(_find(tree, variable).values, variable)
        for variable in schema.variables
        if not variable.by_sequence
    }


def check_block(tree: xr.DataTree, plan: Plan, block: Block) -> None:
    """Checks that a tree holds the rows of a block.

    Raises:
        ValueError: If the block is none of the plan's, or the rows are not its rows.
    """
    if block.index >= len(plan.blocks) or plan.blocks[block.index] != block:
        raise ValueError(
            f"Block {block.index} (rows {block.start} to {block.stop - 1}) is none of the plan's "
            f"{len(plan.blocks)} blocks. Take blocks from pending()."
        )
    lengths = plan.lengths[block.start : block.stop]
    what = f"Block {block.index} (rows {block.start} to {block.stop - 1})"
    for path, node in tree.subtree_with_keys:
        where = "the root" if path == "." else path
        count, steps = node.sizes.get("sequence"), node.sizes.get("time")
        if count is not None and count != len(lengths):
            raise ValueError(f"{what} has {len(lengths)} sequences, but {where} holds {count}.")
        if steps is not None and not max(lengths) <= steps <= plan.time:
            raise ValueError(
                f"{what} needs at least {max(lengths)} timesteps, its longest sequence, and at "
                f"most {plan.time}, the plan's longest, but {where} has {steps}."
            )
    given = {"id": plan.ids[block.start : block.stop], "length": lengths}
    for name, expected in given.items():
        if name in tree.data_vars and (found := tree.dataset[name].values.tolist()) != list(
            expected
        ):
            row = next(
                i for i, pair in enumerate(zip(found, expected, strict=True)) if len({*pair}) > 1
            )
            raise ValueError(
                f"{what} should have {name} {expected[row]!r} at row {block.start + row} by the "
                f"plan, but holds {found[row]!r}."
            )


def hash_rows(
    hashes: Sequence["hashlib._Hash"], variable: Variable, values: Values, plan: Plan, block: Block
) -> None:
    """Adds a variable's rows to one hash a row, as a reader would see them and without padding."""
    lengths = plan.lengths[block.start : block.stop]
    head = json.dumps(_described(variable)).encode()
    for row, (digest, length) in enumerate(zip(hashes, lengths, strict=True)):
        digest.update(head)
        part = values[row, :length] if variable.by_time else values[row : row + 1]
        digest.update(_bytes(part, variable))


def content_digest(
    attributes: Mapping[str, Any],
    schema: Schema,
    fixed: Mapping[str, Values],
    row_digests: Iterable[str],
) -> str:
    """The SHA-256 of a trace's attributes, layout, fixed arrays and rows.

    Sizes of blocks and padding do not enter, nor does the order of groups and variables.
    """
    digest = hashlib.sha256(json.dumps([attributes, schema.groups], sort_keys=True).encode())
    for variable in sorted(schema.variables, key=lambda one: one.path):
        if variable.path == ROW_DIGEST:
            continue
        said = [_described(variable), variable.attributes, variable.coordinate]
        digest.update(json.dumps(said, sort_keys=True).encode())
        if variable.path in fixed:
            digest.update(_bytes(fixed[variable.path], variable))
    for row in row_digests:
        digest.update(row.encode() + b"\n")
    return digest.hexdigest()


def same_values(first: Values, second: Values, variable: Variable) -> bool:
    """Whether a reader would see the same values, NaN being the same as NaN."""
    return _bytes(first, variable) == _bytes(second, variable)


def _find(tree: xr.DataTree, variable: Variable) -> xr.Variable:
    for path, node in tree.subtree_with_keys:
        if path == (variable.group or "."):
            return node.to_dataset(inherit=False).variables[variable.name]
    raise KeyError(variable.path)


def _described(variable: Variable) -> list[object]:
    """Name, axes, type for a reader, and sizes of the axes other than sequence and time."""
    kind = "string" if variable.dtype == "string" else variable.read_dtype.name
    pairs = zip(variable.dims, variable.shape, strict=True)
    sizes = [size for dim, size in pairs if dim not in ("sequence", "time")]
    return [variable.path, variable.dims, kind, sizes]


def _bytes(values: Values, variable: Variable) -> bytes:
    if variable.dtype == "string":
        texts = [str(text).encode() for text in values.ravel()]
        return b"".join(len(text).to_bytes(8, "little") + text for text in texts)
    return values.astype(variable.read_dtype.newbyteorder("<"), copy=False).tobytes()
