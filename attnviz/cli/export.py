"""`attnviz export`: a trace for other programs."""

from pathlib import Path
from typing import Annotated

import typer

from attnviz.cli.console import checked_output, err, hush, progress
from attnviz.cli.scripting import Quiet

Trace = Annotated[Path, typer.Argument(help="A trace (directory or .zip).")]
Output = Annotated[
    Path,
    typer.Option("--output", "-o", help="The file; the suffix says nc (netCDF), parquet or csv."),
]
Signals = Annotated[
    str | None,
    typer.Option(help="Signals with commas between; all if not given. A table needs equal axes."),
]
Sequences = Annotated[
    str | None, typer.Option(help="Numbers or ranges, such as 0,3,10:20; all if not given.")
]
Layer = Annotated[str | None, typer.Option(help="Layer and direction, such as l0.")]


def export(
    trace: Trace,
    output: Output,
    signals: Signals = None,
    sequences: Sequences = None,
    layer: Layer = None,
    quiet: Quiet = False,
) -> None:
    """Writes a trace as netCDF, parquet or CSV. Needs no PyTorch, but the extra export.

    netCDF holds everything; parquet and CSV are a table with a row for each sequence, timestep,
    head and lag, and a column for each signal; the column holds says where a lag reaches before
    the start (missing).

    Example: attnviz export trace.zarr -o trace.nc

    Example: attnviz export trace.zarr --signals attention,contribution --sequences 0:100 -o t.csv
    """
    from attnviz.store import Part, export_trace, open_trace

    hush(quiet)
    checked_output(output)
    opened = open_trace(trace)
    part = Part(
        None if signals is None else [name.strip() for name in signals.split(",")],
        None if sequences is None else _numbers(sequences, opened.tree.sizes["sequence"]),
        layer,
    )
    with progress(f"exporting {trace.name}") as advance:
        export_trace(opened, output, part=part, progress=advance)
    err().print(f"{output} ({output.stat().st_size / 1e6:.1f} MB). {_reading(output)}")


def _reading(path: Path) -> str:
    """How another program reads it."""
    kind = path.suffix.lower()
    if kind == ".nc":
        return f'Read it with xarray.open_datatree("{path}", engine="h5netcdf").'
    if kind == ".parquet":
        return f'Read it with pandas.read_parquet("{path}").'
    with path.open(encoding="utf-8") as file:
        above = next(n for n, line in enumerate(file) if not line.startswith("#"))
    options = f'skiprows={above}, keep_default_na=False, na_values=""'
    return f'Read it with pandas.read_csv("{path}", {options}).'


def _numbers(typed: str, count: int) -> list[int]:
    """Numbers of sequences as they were typed; a range is cut at the last sequence."""
    chosen: list[int] = []
    for part in typed.split(","):
        first, colon, last = part.strip().partition(":")
        if not first.isdigit() or (colon and not last.isdigit()):
            raise ValueError(
                f"--sequences takes numbers and ranges with commas between, such as 0,3,10:20, got "
                f"{typed!r}."
            )
        chosen += range(int(first), min(int(last), count)) if colon else [int(first)]
    return chosen
