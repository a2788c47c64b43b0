"""A trace as one tidy table, parquet or CSV, written a few sequences at a time."""

import csv
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from attnviz.outcomes import outcome, tells_classes
from attnviz.store.chosen import Advance, Chosen
from attnviz.trace import Trace, source_kind, tokens

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["write_table"]

#: Rows of the table that are in memory at once, if a single sequence has not more.
BLOCK_ROWS = 2**17
#: What stands at a lag, by the number that `source_kind` gives it.
HOLDS = np.array(["real", "initial", "missing"], object)
Columns = dict[str, np.ndarray]


def write_table(
    trace: Trace,
    path: Path,
    chosen: Chosen,
    provenance: Mapping[str, object],
    advance: Advance,
) -> None:
    """Writes chosen sequences and signals of a trace as a tidy table.

    Arguments:
        trace: Any trace.
        path: The file to write, `.parquet` or `.csv`.
        chosen: Its sequences, layers and signals.
        provenance: What the file says of where it comes from, besides the trace's attributes.
        advance: Called with sequences written and to be written.

    Raises:
        ValueError: If the signals do not have the same axes.
    """
    rows, parts = chosen.rows, _parts(trace, chosen)
    said = {str(key): value for key, value in trace.tree.attrs.items()} | dict(provenance)
    writer = _Parquet(path, said) if path.suffix.lower() == ".parquet" else _Csv(path, said)
    with closing(writer):
        waiting: list[Columns] = []
        for done, row in enumerate(rows, start=1):
            waiting += [_columns(trace, layer, part, row) for layer, part in parts.items()]
            if done == len(rows) or sum(len(one["sequence"]) for one in waiting) >= BLOCK_ROWS:
                writer.write(_joined(waiting))
                waiting = []
            advance(done, len(rows))


def _parts(trace: Trace, chosen: Chosen) -> dict[str, xr.Dataset]:
    """The signals of each layer that go into the table, all of the same axes."""
    _, groups, signals = chosen
    nodes = {group: trace.tree.children[group].to_dataset(inherit=False) for group in groups}
    if signals is not None:
        nodes = {"": trace.tree.to_dataset(inherit=False), **nodes}
        nodes = {layer: node[[n for n in signals if n in node]] for layer, node in nodes.items()}
    nodes = {
        layer: node[[n for n in node.data_vars if "sequence" in node[n].dims]]
        for layer, node in nodes.items()
    }
    nodes = {layer: node for layer, node in nodes.items() if node.data_vars}
    if signals is not None:
        found = {str(name) for node in nodes.values() for name in node.data_vars}
        if alone := [name for name in signals if name not in found]:
            raise ValueError(f"A table has a row a sequence, but {', '.join(alone)} has none.")
    by_axes = _by_axes(nodes)
    if len(by_axes) != 1:
        raise ValueError(_several(by_axes))
    return nodes


def _by_axes(nodes: Mapping[str, xr.Dataset]) -> dict[tuple[str, ...], list[str]]:
    """Names of signals by the axes they have besides sequence."""
    found: dict[tuple[str, ...], list[str]] = {}
    for node in nodes.values():
        for name, values in node.data_vars.items():
            names = found.setdefault(tuple(str(axis) for axis in values.dims[1:]), [])
            names += [str(name)] if str(name) not in names else []
    return found


def _several(by_axes: Mapping[tuple[str, ...], list[str]]) -> str:
    if not by_axes:
        return "There is nothing to put in a table: the trace holds no signals."
    sets = "".join(
        f"\n  --signals {','.join(names)}  ({', '.join(axes) or 'one a sequence'})"
        for axes, names in by_axes.items()
    )
    return (
        "A table has one row for each place on its axes, but these signals have different ones. "
        f"Choose from one line, or export to .nc, which holds all:{sets}"
    )


def _columns(trace: Trace, layer: str, part: xr.Dataset, row: int) -> Columns:
    """The rows of the table that belong to one sequence of one layer."""
    root = trace.tree.dataset
    length = int(root["length"].values[row])
    one = part.isel(sequence=row)
    if "time" in one.dims:
        one = one.isel(time=slice(0, length))
    first = next(iter(one.data_vars.values()))
    count, axes = first.size, [str(axis) for axis in first.dims]
    columns: Columns = {"sequence": np.full(count, row, np.int64)}
    if "id" in root:
        columns["id"] = np.full(count, str(root["id"].values[row]), object)
    columns |= {
        name: np.full(count, said, object if isinstance(said, str) else None)
        for name, said in _said_of(trace, row).items()
        if name not in one.data_vars
    }
    if layer:
        columns["layer"] = np.full(count, layer, object)
    places = {axis: np.indices(first.shape)[n].ravel() for n, axis in enumerate(axes)}
    for axis in axes:
        columns |= _labels(one, axis, places[axis])
        if axis == "time" and "span" in root:
            columns["token"] = np.array(tokens(trace, row), object)[places[axis]]
    if layer and {"time", "lag"} <= set(axes):
        kinds = source_kind(trace, layer, row).values
        columns["holds"] = HOLDS[kinds[places["time"], places["lag"]]]
    for name, values in one.data_vars.items():
        columns[str(name)] = _plain(values.values.reshape(count))
    return columns


def _said_of(trace: Trace, row: int) -> dict[str, str | np.generic]:
    """What was right of a sequence and what the model said; empty where one is not known."""
    root, found = trace.tree.dataset, outcome(trace, row)
    said: dict[str, str | np.generic] = {}
    if "label" in root:
        number = root["label"].dtype.kind == "f"  # to be predicted, and no class
        said["label"] = root["label"].values[row] if number else found.true or ""
    if "prediction" in root and tells_classes(trace):
        said["predicted"] = found.predicted or ""
    return said


def _labels(one: xr.Dataset, axis: str, places: np.ndarray) -> Columns:
    """The label of an axis, or the place on it, and further labels along it."""
    named = {axis: places}
    for name, labels in one.coords.items():
        if labels.dims == (axis,):
            named[str(name)] = _plain(labels.values)[places]
    return named


def _plain(values: np.ndarray) -> np.ndarray:
    return values.astype(object) if values.dtype.kind in "UT" else values


def _joined(blocks: Sequence[Columns]) -> Columns:
    """Rows of several sequences below one another; a column that one of them lacks is NaN there."""
    if len(names := {tuple(block) for block in blocks}) == 1:
        return {name: np.concatenate([block[name] for block in blocks]) for name in names.pop()}
    every = dict.fromkeys(name for block in blocks for name in block)
    return {
        name: np.concatenate(
            [
                block.get(name, np.full(len(block["sequence"]), np.float32("nan")))
                for block in blocks
            ]
        )
        for name in every
    }


class _Writer(ABC):
    """A file that grows block by block."""

    def __init__(self, path: Path, said: Mapping[str, object]) -> None:
        self.path, self.said = path, said

    @abstractmethod
    def write(self, columns: Columns) -> None:
        """Adds a block."""

    @abstractmethod
    def close(self) -> None:
        """Ends the file."""


class _Csv(_Writer):
    """Lines; where they come from stands above them."""

    file: IO[str] | None = None

    def write(self, columns: Columns) -> None:
        """Adds a block; the first brings the head."""
        begins = self.file is None
        if self.file is None:
            self.file = self.path.open("w", encoding="utf-8", newline="")
            for key in sorted(self.said):
                value = self.said[key]
                text = value if isinstance(value, str) else json.dumps(value)
                self.file.write(f"# {key}: {' '.join(text.split())}\n")
        pd.DataFrame(columns).to_csv(
            self.file, index=False, header=begins, lineterminator="\n", quoting=csv.QUOTE_MINIMAL
        )

    def close(self) -> None:
        """Ends the file."""
        if self.file is not None:
            self.file.close()


class _Parquet(_Writer):
    """Groups of rows, compressed; where they come from is in the schema's metadata."""

    def __init__(self, path: Path, said: Mapping[str, object]) -> None:
        super().__init__(path, said)
        import pyarrow
        import pyarrow.parquet

        self.arrow, self.parquet = pyarrow, pyarrow.parquet
        self.schema: pa.Schema | None = None

    def write(self, columns: Columns) -> None:
        """Adds a block; the first says of what type each column is."""
        table = self.arrow.table({name: self.arrow.array(held) for name, held in columns.items()})
        if self.schema is None:
            told = {"attnviz": json.dumps(dict(self.said))}
            self.schema = table.schema.with_metadata(told)
            self.writer = self.parquet.ParquetWriter(self.path, self.schema)
        self.writer.write_table(table.cast(self.schema))

    def close(self) -> None:
        """Ends the file."""
        if self.schema is not None:
            self.writer.close()
