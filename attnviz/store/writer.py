"""Writing a trace block by block, so that it can be cut off at any moment."""

import gc
import hashlib
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from jaxtyping import Shaped

from attnviz.store.attributes import stored_attributes
from attnviz.store.creation import WRITE_ALL, make_store, noted
from attnviz.store.digest import stored_fixed_values
from attnviz.store.files import Files
from attnviz.store.layout import Layout, read_layout
from attnviz.store.plan import Block, Plan
from attnviz.store.rows import (
    check_block,
    fixed_values,
    hash_rows,
    row_values,
    same_values,
)
from attnviz.store.schema import ROW_DIGEST, Schema, infer_schema
from attnviz.trace import TraceFormatError

__all__ = ["TraceWriter"]

Values = Shaped[np.ndarray, "..."]
# A DataTree refers to itself: the arrays of blocks that are written wait for the collector, which
# counts objects, not bytes.
COLLECT_BYTES = 2**26


class TraceWriter:
    """Writes a trace, block by block in any order, and continues one that was interrupted.

    Nothing is created before the first block is written, for its arrays say what the store will
    hold. The store appears at once and whole, with all rows planned and none recorded. A block
    counts as recorded when its `length` is written, which happens last. Several processes may
    write different blocks of one plan at the same time.

    Arguments:
        path: The directory to write. `pack_trace` makes a zip of it when it is finished.
        plan: All rows of the recording.
        attributes: What is said of the trace as a whole; `format` is added, and `truncation` as
            JSON where the plan has one.
        half: Store as float16 the signals whose group declares their bounds; others keep their
            type. float16 has 11 binary digits: an error of at most 0.05 %.
        resume: Continue what lies at `path` if plan and attributes agree.

    Raises:
        FileExistsError: If something lies at `path` that is not to be, or cannot be, continued.
            Nothing is ever deleted or overwritten.
        ValueError: If what lies there was recorded with another plan or other attributes.
    """

    def __init__(
        self,
        path: Path | str,
        plan: Plan,
        attributes: Mapping[Any, Any],
        *,
        half: bool = False,
        resume: bool = True,
    ) -> None:
        self.path, self.plan, self.half = Path(path), plan, half
        self._attributes = stored_attributes(attributes, plan)
        self._schema: Schema | None = None
        self._fixed: dict[str, Values] = {}
        self._arrays: dict[str, zarr.Array[Any]] = {}
        self._stale: dict[str, list[Path]] = {}
        self._written_bytes = 0
        if self.path.suffix == ".zip":
            raise ValueError(
                f"A zip cannot be recorded into block by block: {self.path}. Write a directory "
                "and pack it with pack_trace when it is finished."
            )
        if self.path.exists() or self.path.is_symlink():
            if not resume:
                raise FileExistsError(
                    f"{self.path} exists already. Pass resume=True to continue it, or choose "
                    "another path."
                )
            self._continue()

    def pending(self) -> list[Block]:
        """The blocks that are not recorded yet, in order."""
        return [block for block in self.plan.blocks if not self._is_written(block)]

    def write(self, block: Block, tree: xr.DataTree) -> None:
        """Writes the rows of one block and commits them.

        Arguments:
            block: One of `pending()`.
            tree: Its rows in the layout of `Trace.tree`. `id` and `length` may be left out, for the
                plan knows them. `time` may be as short as the block's longest sequence; what
                stands beyond a sequence's length is not stored. The root's attributes are not
                read: those of the writer hold.

        Raises:
            ValueError: If the block is not the plan's or recorded already, if the rows are not
                its rows, or if their arrays differ in kind from those of the first block.
        """
        check_block(tree, self.plan, block)
        if self._is_written(block):
            raise ValueError(f"Block {block.index} of {self.path} is recorded already.")
        schema = infer_schema(tree, self.plan, half=self.half)
        fixed = fixed_values(schema, tree)
        if self._schema is None:
            self._create(schema, fixed)
        self._check_same(schema, fixed)
        hashes = [hashlib.sha256() for _ in range(block.start, block.stop)]
        for variable in sorted(schema.variables, key=lambda one: one.path):
            if not variable.by_sequence or variable.path == ROW_DIGEST:
                continue
            values = row_values(variable, tree, self.plan, block)
            hash_rows(hashes, variable, values, self.plan, block)
            self._written_bytes += values.nbytes
            if variable.path != "length":
                self._put(variable.path, block, values)
        digests = np.array([digest.hexdigest() for digest in hashes], dtype=object)
        self._put(ROW_DIGEST, block, digests)
        lengths = np.array(self.plan.lengths[block.start : block.stop], dtype=np.int32)
        self._put("length", block, lengths)  # the commit
        if self._written_bytes > COLLECT_BYTES:
            gc.collect()
            self._written_bytes = 0

    def _is_written(self, block: Block) -> bool:
        return (self.path / f"length/c/{block.index}").is_file()

    def _put(self, path: str, block: Block, values: Values) -> None:
        """Writes one shard whole, after removing what a killed writer left of it."""
        key = "/".join([path, "c", str(block.index), *["0"] * (values.ndim - 1)])
        for leftover in [*self._stale.pop(key, []), self.path / key]:
            leftover.unlink(missing_ok=True)
        if path not in self._arrays:
            array = zarr.open_array(self.path, path=path, mode="r+", zarr_format=3)
            self._arrays[path] = array.with_config(WRITE_ALL)
        self._arrays[path][block.start : block.stop] = values

    def _create(self, schema: Schema, fixed: Mapping[str, Values]) -> None:
        """Makes the store beside its place and moves it there at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}.partial")
        try:
            make_store(beside, self._root_attributes(schema), schema, fixed, self.plan)
            beside.rename(self.path)
            self._schema, self._fixed = schema, dict(fixed)
        except OSError:
            if not self.path.is_dir():
                raise
            self._continue()  # another process was faster
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _root_attributes(self, schema: Schema) -> dict[str, Any]:
        names: dict[str, list[str]] = {group: [] for group in ("", *schema.groups)}
        for variable in schema.variables:
            names[variable.group].append(variable.name)
        layout = {"plan": noted(self.plan), "half": self.half, "variables": names}
        return {**self._attributes, "layout": layout}

    def _continue(self) -> None:
        """Takes up what lies at the path, if it is this recording."""
        try:
            layout = read_layout(files := Files(self.path))
        except (TraceFormatError, FileNotFoundError) as error:
            raise FileExistsError(
                f"{self.path} exists already and cannot be continued, so nothing was written. "
                f"Move it away or choose another path. ({error})"
            ) from error
        self._check_plan(layout)
        self._schema, self._fixed = layout.schema, stored_fixed_values(files, layout)
        for leftover in self.path.rglob("*.partial"):
            key = leftover.relative_to(self.path).as_posix().rsplit(".", 2)[0]
            self._stale.setdefault(key, []).append(leftover)

    def _check_plan(self, layout: Layout) -> None:
        asked, found = noted(self.plan), dict(layout.plan)
        new = {**asked, "half": self.half, **self._attributes}
        old = {**found, "half": layout.half, **layout.attributes}
        # Digests say nothing to a reader, and where texts differ so does all else.
        differences = [said for name, said in _OTHER.items() if new.get(name) != old.get(name)]
        same_plan = new.pop("plan") == old.pop("plan", None)
        differences = differences or _differences(new, old)
        if not (differences or same_plan):
            differences = ["with other names or lengths of its sequences"]
        if differences:
            raise ValueError(
                f"{self.path} exists as another recording: {'; '.join(differences)}. Choose "
                "another path (-o), or delete it; only the same recording is gone on with."
            )

    def _check_same(self, schema: Schema, fixed: Mapping[str, Values]) -> None:
        if self._schema is None:
            return
        differences = _differences(_described(schema), _described(self._schema))
        differences += [
            f"{variable.path} has other values"
            for variable in self._schema.variables
            if variable.path in fixed
            and not same_values(fixed[variable.path], self._fixed[variable.path], variable)
        ]
        if differences:
            raise ValueError(
                f"All blocks of {self.path} hold the same arrays as the first, but in this one: "
                f"{'; '.join(differences)}."
            )


def _described(schema: Schema) -> dict[str, Any]:
    groups = {f"attributes of {group}": dict(held) for group, held in schema.groups.items()}
    return {
        **groups,
        **{
            v.path: (v.dims, v.shape, v.dtype, v.attributes, v.coordinate) for v in schema.variables
        },
    }


_OTHER = {
    "texts_digest": "with other texts or labels",
    "weights_digest": "of a model with other weights",
}


def _differences(asked: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Where two mappings differ, in words."""

    def short(mapping: Mapping[str, Any], name: str) -> str:
        return str(mapping[name])[:80] if name in mapping else "nothing"

    return [
        f"{name} is {short(asked, name)} but was {short(found, name)}"
        for name in dict.fromkeys([*asked, *found])
        if name not in asked or name not in found or asked[name] != found[name]
    ]
