"""The numbers behind a figure as a table."""

import csv
import functools
import json
import platform
from collections.abc import Hashable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import xarray as xr

from attnviz.analysis.statistic import Statistic
from attnviz.files import replacing
from attnviz.plots.provenance import comments
from attnviz.store import trace_digest
from attnviz.trace import Trace

__all__ = ["options_of", "provenance_of", "save_numbers", "versions"]

_FROM_TRACE = ("model", "cell", "task", "split", "seed", "mode", "weights_digest", "format")


def save_numbers(
    statistic: Statistic | xr.DataArray, path: Path | str, *, provenance: Mapping[str, str]
) -> Path:
    """Writes a statistic as CSV: a row for each value, a column for each axis.

    The provenance stands above the table in lines that start with `#`, and so do the statistic's
    name and unit. A missing number is an empty field. Read it with
    `pandas.read_csv(path, comment="#")`, or, where tokens hold a `#`, by skipping those lines. The
    file is written beside its place and renamed; its folder is made if it is not there.

    Arguments:
        statistic: What to write.
        path: Where to write, ending in `.csv`.
        provenance: What the numbers come from.

    Returns:
        The path.

    Raises:
        ValueError: If the path does not end in `.csv`.
    """
    path = Path(path)
    if path.suffix.lower() != ".csv":
        raise ValueError(f"save_numbers writes .csv, but {path.name} ends in {path.suffix!r}.")
    said = dict(provenance)
    values, spread = (
        (statistic.values, statistic.uncertainty)
        if isinstance(statistic, Statistic)
        else (statistic, None)
    )
    if isinstance(statistic, Statistic):
        said |= {"statistic": statistic.name, "unit": statistic.unit}
        said |= {"uncertainty": statistic.uncertainty_of} if spread is not None else {}
    columns = xr.Dataset({"value": values, **_columns(spread)})
    table = columns.to_dataframe(dim_order=list(values.dims)).reset_index()
    if "timestep" in table:
        table = table.drop(columns="time")
    first = [name for name in ("sequence", "timestep", "time", "token") if name in table]
    last = [name for name in ("value", "uncertainty", "low", "high") if name in table]
    table = table[first + [name for name in table if name not in first + last] + last]
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside, beside.open("w", encoding="utf-8", newline="") as file:
        file.write(comments(said, "#"))
        table.to_csv(file, index=False, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)
    return path


def _columns(spread: xr.DataArray | None) -> dict[str, xr.DataArray]:
    """The columns of an uncertainty: one, or one for each end of an interval."""
    if spread is None:
        return {}
    if "end" not in spread.dims:
        return {"uncertainty": spread}
    return {end: spread.sel(end=end, drop=True) for end in ("low", "high")}


def provenance_of(trace: Trace) -> dict[str, str]:
    """What a figure of a trace should say about where it comes from.

    Arguments:
        trace: Any trace.

    Returns:
        Model, cell, task and weights as far as the trace knows them; of a stored trace its name
        and digest; and the versions of what draws it.
    """
    attrs = trace.tree.attrs
    said = {name: str(attrs[name]) for name in _FROM_TRACE if name in attrs} | options_of(attrs)
    if trace.path is not None:
        said |= {"trace": trace.path.name, "trace_digest": trace_digest(trace)}
    return said | versions()


def options_of(attrs: Mapping[Hashable, Any]) -> dict[str, str]:
    """The options of a cell by its name, as provenance, where a trace or a result says them."""
    try:
        options = json.loads(attrs["options"])
    except (KeyError, TypeError, ValueError):
        return {}
    return {"options": json.dumps({str(attrs.get("cell", "")): options})}


@functools.cache
def _versions() -> tuple[tuple[str, str], ...]:
    return tuple((name, version(name)) for name in ("attnviz", "matplotlib", "numpy", "xarray"))


def versions() -> dict[str, str]:
    """The versions of what draws, as provenance."""
    said = [f"{name} {number}" for name, number in _versions()]
    return {"versions": ", ".join([*said, f"Python {platform.python_version()}"])}
