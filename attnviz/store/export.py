"""A trace for other programs: netCDF with all of it, parquet or CSV with a table of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from attnviz.files import replacing
from attnviz.store.chosen import Advance, Chosen
from attnviz.store.digest import trace_digest
from attnviz.store.netcdf import write_netcdf
from attnviz.store.tables import write_table
from attnviz.trace import Trace, layer_groups, sequence_count, sequence_length

__all__ = ["EXPORTED", "Part", "export_trace"]

EXPORTED = (".nc", ".parquet", ".csv")


@dataclass(frozen=True)
class Part:
    """Which part of a trace is exported.

    Arguments:
        signals: Names of signals; all of them if not given.
        sequences: Numbers of sequences, in the order wanted; all that are recorded if not given.
        group: The layer and direction; all of them if not given.
    """

    signals: Sequence[str] | None = None
    sequences: Sequence[int] | None = None
    group: str | None = None


def export_trace(
    trace: Trace,
    path: Path | str,
    *,
    part: Part = Part(),
    progress: Advance | None = None,
) -> Path:
    """Writes a trace for programs that know nothing of attnviz.

    `.nc` is one netCDF-4 file with a group a layer, as the trace has them; xarray opens it with
    `open_datatree`, `attnviz.store.read_netcdf` gives the trace back. `.parquet` and `.csv` are a
    tidy table: a row for each sequence, layer, timestep and what further axes the signals have
    (head, lag, age, ...), a column for each signal; timesteps beyond a sequence's end have no row.
    `label` is the right class of a sequence by name, or the number to be predicted; `predicted`
    the class with the highest score.
    With lags, a column `holds` says what stands there: a `real` state, the `initial` one, or none
    (`missing`), whose weight is kept as recorded: RRA gives it one, LARNN 0.
    float16 is widened to float32, of which a CSV holds every digit; what is missing is NaN, in a
    CSV an empty field. Sequences are read and written a few at a time, whatever the trace's size.

    Where it comes from is in the netCDF file's attributes, under the parquet schema's key
    `attnviz`, and above the CSV's table in lines that begin with `#`. The file is written beside
    its place and renamed.

    Arguments:
        trace: Any trace.
        path: Where to write; the suffix says the format.
        part: Which signals, sequences and layer.
        progress: Called with sequences written and to be written.

    Returns:
        The path.

    Raises:
        ValueError: If the suffix is none of these, nothing is left to export, or the signals have
            different axes, which have no place in one table.
        KeyError: If there is no such signal or layer.
        IndexError: If there is no such sequence, or it is not recorded.
        ModuleNotFoundError: If the package for the format is missing (extra `export`).
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in EXPORTED:
        raise ValueError(
            f"A trace is exported as {', '.join(EXPORTED)}, but {path.name} ends in {kind!r}. Name "
            "the file with one of these suffixes."
        )
    chosen = Chosen(_rows(trace, part.sequences), _groups(trace, part), part.signals)
    said = _provenance(trace, part)
    path.parent.mkdir(parents=True, exist_ok=True)
    advance = progress or (lambda done, total: None)
    with replacing(path) as beside:
        write = write_netcdf if kind == ".nc" else write_table
        write(trace, beside, chosen, said, advance)
    return path


def _rows(trace: Trace, sequences: Sequence[int] | None) -> list[int]:
    """The sequences to write, each of them recorded."""
    count = sequence_count(trace)
    if sequences is None:
        lengths = trace.tree.dataset["length"].values
        rows = [row for row in range(count) if lengths[row] >= 0]
    else:
        for sequence in sequences:
            sequence_length(trace, sequence)
        rows = [int(sequence) % count for sequence in sequences]
    if not rows:
        raise ValueError("There is no sequence to export: none is recorded, or none was chosen.")
    if len(set(rows)) < len(rows):
        raise ValueError(f"Each sequence is exported once, but {list(sequences or ())} repeats.")
    return rows


def _groups(trace: Trace, part: Part) -> list[str]:
    """The layers to write; every signal that was asked for is in one of them or in the root."""
    groups = layer_groups(trace)
    if part.group is not None:
        if part.group not in groups:
            raise KeyError(f"The trace has no layer {part.group!r}; it has {groups}.")
        groups = [part.group]
    held = {group: [str(name) for name in trace.tree[group].data_vars] for group in groups}
    known = {name for names in held.values() for name in names}
    known |= {str(name) for name in trace.tree.data_vars}
    if part.signals is not None:
        if not part.signals:
            raise ValueError("There is no signal to export: none was chosen.")
        if unknown := [name for name in part.signals if name not in known]:
            raise KeyError(f"The trace holds no {', '.join(unknown)}; it holds {held}.")
    return groups


def _provenance(trace: Trace, part: Part) -> dict[str, object]:
    """Where the file comes from, besides what the trace says of itself."""
    said: dict[str, object] = {"exported_from": trace.path.name if trace.path else "memory"}
    if trace.path is not None:
        said["trace_digest"] = trace_digest(trace)
    if part.signals is not None:
        said["signals"] = list(part.signals)
    if part.sequences is not None:
        said["sequences"] = [int(sequence) for sequence in part.sequences]
    if part.group is not None:
        said["group"] = part.group
    return said
