"""Writing probes step by step, so that a training can be cut off at any moment."""

import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
import zarr
from jaxtyping import Shaped
from zarr.codecs import ZstdCodec

from attnviz.store.attributes import check_attributes
from attnviz.store.creation import WRITE_ALL
from attnviz.store.probes import PROBES, STEP, probe_rows, root_attributes, row_file
from attnviz.store.schema import NAME
from attnviz.trace import TraceFormatError

__all__ = ["ProbeWriter"]

Values = Shaped[np.ndarray, "..."]
_MADE_BY = "versions"  # may be others when a training goes on


class ProbeWriter:
    """Writes probes, one step after the other, and continues a store that was interrupted.

    Nothing is created before the first step, whose arrays say what the store holds. There is a row
    for step 0, for every n-th step, and for the last. A training may end earlier than planned: a
    step between two of these is written to the row of the later one, which takes its place. A row
    counts when its `step` is written, which happens last.

    Arguments:
        path: The directory to write.
        attributes: What is said of the probes as a whole; `format` and `layout` are added.
        every: Steps between two probes.
        total: Steps of the whole training.

    Raises:
        FileExistsError: If something else lies at `path`. Nothing is ever overwritten.
        ValueError: If what lies there are probes of another training, or kept otherwise.
    """

    def __init__(
        self, path: Path | str, attributes: Mapping[Any, Any], *, every: int, total: int
    ) -> None:
        if every < 1 or total < 0:
            raise ValueError(f"Probes are taken every 1 or more steps, got {every} of {total}.")
        self.path, self.every, self.rows = Path(path), every, -(-total // every) + 1
        self._attributes = check_attributes({**attributes, "format": PROBES}, "the probes")
        self._arrays: dict[str, zarr.Array[Any]] = {}
        if self.path.exists() or self.path.is_symlink():
            self._continue()

    def steps(self) -> list[int]:
        """The steps that are whole."""
        return list(probe_rows(self.path, self.rows).values()) if self.path.is_dir() else []

    def forget_after(self, step: int) -> None:
        """Takes back every later step: a training that goes on from here makes it again."""
        if self.path.is_dir():
            for row, there in probe_rows(self.path, self.rows).items():
                if there > step:
                    self._take_back(row)

    def write(self, step: int, tree: xr.DataTree) -> None:
        """Writes one step and commits it.

        Arguments:
            step: Iterations that the weights have been trained for.
            tree: What has the axis `step`, of size one, is written to its row; the rest is the
                same for all steps, and is written with the first.

        Raises:
            ValueError: If the step lies outside, or the arrays differ in kind from the first's.
        """
        row = -(-step // self.every)
        if step < 0 or row >= self.rows:
            raise ValueError(f"Step {step} lies outside the {self.rows} rows of {self.path}.")
        if not self.path.exists():
            self._create(tree)
        written = {key: values for key, values in _variables(tree) if values.dims[:1] == (STEP,)}
        held = {key for key, dims in self._held() if dims[:1] == (STEP,)} - {STEP}
        if {*written} != held:
            raise ValueError(
                f"All steps of {self.path} hold the same arrays as the first, {sorted(held)}, but "
                f"step {step} has {sorted(written)}."
            )
        self._take_back(row)
        for key, values in written.items():
            self._put(key, row, values.values)
        self._put(STEP, row, np.array([step], dtype=np.int64))  # the commit

    def _take_back(self, row: int) -> None:
        (self.path / row_file(STEP, row, 1)).unlink(missing_ok=True)

    def _put(self, key: str, row: int, values: Values) -> None:
        if key not in self._arrays:
            array = zarr.open_array(self.path, path=key, mode="r+", zarr_format=3)
            self._arrays[key] = array.with_config(WRITE_ALL)
        array = self._arrays[key]
        if (1, *array.shape[1:]) != values.shape or array.dtype != values.dtype:
            raise ValueError(
                f"{key} of {self.path} is {array.dtype} of sizes {array.shape[1:]} at every step, "
                f"but here it is {values.dtype} of {values.shape[1:]}."
            )
        array[row : row + 1] = values

    def _held(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        variables = root_attributes(self.path)["layout"]["variables"]
        for group, names in variables.items():
            for name in names:
                key = f"{group}/{name}" if group else name
                array = zarr.open_array(self.path, path=key, mode="r", zarr_format=3)
                yield key, tuple(str(dim) for dim in array.metadata.dimension_names or ())  # type: ignore[union-attr]

    def _create(self, tree: xr.DataTree) -> None:
        """Makes the store beside its place and moves it there at once."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}.partial")
        try:
            self._make(beside, tree)
            beside.rename(self.path)
        finally:
            shutil.rmtree(beside, ignore_errors=True)

    def _make(self, place: Path, tree: xr.DataTree) -> None:
        names: dict[str, list[str]] = {"": [STEP]}
        for key, _ in _variables(tree):
            group, _, name = key.rpartition("/")
            names.setdefault(group, []).append(name)
        layout = {"every": self.every, "rows": self.rows, "variables": names}
        root = zarr.create_group(
            place, zarr_format=3,
            attributes={**self._attributes, **_labels(tree), "layout": layout},
        )  # fmt: skip
        for group in filter(None, names):
            said = check_attributes(tree.children[group].attrs, group)
            root.create_group(group, attributes={**said, **_labels(tree.children[group])})
        _array(root, STEP, (self.rows,), np.dtype(np.int64), (STEP,), fill=-1)
        for key, values in _variables(tree):
            dims = tuple(map(str, values.dims))
            rows = (self.rows,) if dims[:1] == (STEP,) else ()
            shape = (*rows, *values.shape[len(rows) :])
            array = _array(root, key, shape, values.dtype, dims)
            if not rows:
                array[...] = values.values

    def _continue(self) -> None:
        """Takes up what lies at the path, if it is of this training."""
        try:
            found = root_attributes(self.path)
        except (TraceFormatError, ValueError) as error:
            raise FileExistsError(
                f"{self.path} exists already and holds no probes to go on with, so nothing was "
                f"written. Move it away. ({error})"
            ) from error
        layout = found.pop("layout")
        old = {**found, "every": layout["every"], "rows": layout["rows"]}
        new = {**self._attributes, "every": self.every, "rows": self.rows}
        names = [name for name in new if name != _MADE_BY and new[name] != old.get(name)]
        if names:
            told = "; ".join(f"{n} is {new[n]!s:.80} but was {old.get(n)!s:.80}" for n in names)
            raise ValueError(
                f"{self.path} holds other probes: {told}. Delete it or move it away; only the same "
                "probes are gone on with."
            )
        for leftover in self.path.rglob("*.partial"):  # of a writer that was killed
            leftover.unlink(missing_ok=True)


def _variables(tree: xr.DataTree) -> Iterator[tuple[str, xr.Variable]]:
    """Every array of a tree but the steps, by its path."""
    for path, node in tree.subtree_with_keys:
        group = "" if path == "." else path
        for name, values in node.to_dataset(inherit=False).variables.items():
            if name == STEP:
                continue
            if not NAME.fullmatch(str(name)):
                raise ValueError(f"{name!r} is no name for an array of a store.")
            yield f"{group}/{name}" if group else str(name), values


def _labels(tree: xr.DataTree) -> dict[str, str]:
    """The names of labels that are no index, where xarray looks for them."""
    dataset = tree.to_dataset(inherit=False)
    names = [str(n) for n, label in dataset.coords.items() if n != STEP and label.dims != (n,)]
    return {"coordinates": " ".join(names)} if names else {}


def _array(
    root: zarr.Group,
    key: str,
    shape: tuple[int, ...],
    dtype: "np.dtype[Any]",
    dims: tuple[str, ...],
    *,
    fill: int | None = None,
) -> zarr.Array[Any]:
    by_step = dims[:1] == (STEP,)
    text = dtype.kind in "OUT"
    missing = np.nan if dtype.kind == "f" else "" if text else 0
    return root.create_array(
        key, shape=shape, dtype=str if text else dtype,
        chunks=(1, *shape[1:]) if by_step else shape,
        compressors=ZstdCodec(level=3, checksum=True), fill_value=missing if fill is None else fill,
        dimension_names=dims, config=WRITE_ALL,
    )  # fmt: skip
