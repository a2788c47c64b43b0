"""What was measured on a model, on disk: one netCDF file."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from attnviz.files import replacing
from attnviz.trace import TraceFormatError

__all__ = [
    "EFFECTS",
    "INFLUENCE",
    "PATHS",
    "open_effects",
    "open_result",
    "save_effects",
    "save_result",
]

EFFECTS, INFLUENCE, PATHS = "attnviz-effects/1", "attnviz-influence/1", "attnviz-paths/1"
_MADE_BY: Mapping[str, tuple[str, str]] = {
    EFFECTS: ("attnviz.ablate", "attnviz ablate"),
    INFLUENCE: ("attnviz.replacement_influence and linear_influence", "attnviz influence"),
    PATHS: ("attnviz.gradient_paths and text_gradient_paths", "attnviz path-classes"),
}


def save_result(result: xr.Dataset, path: Path | str) -> Path:
    """Writes effects, influence or gradients by path as netCDF, beside its place and renamed.

    Whole numbers are stored in 32 bits.

    Arguments:
        result: What `attnviz.ablate`, `replacement_influence`, `linear_influence`,
            `gradient_paths` or `text_gradient_paths` gave.
        path: Where to write, ending in `.nc`; its folder is made if it is not there.

    Returns:
        The path.

    Raises:
        ValueError: If the path does not end in `.nc`, or the dataset is none of these.
    """
    path = Path(path)
    if path.suffix.lower() != ".nc":
        raise ValueError(f"Results are written as .nc (netCDF), but {path.name} does not end so.")
    if result.attrs.get("format") not in _MADE_BY:
        raise ValueError(
            "save_result writes what "
            f"{', '.join(function for function, _ in _MADE_BY.values())} give; this dataset is not "
            "that."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = result.copy()
    for name, values in result.variables.items():
        kept = _classic(values)
        stored = (
            stored.assign_coords({name: kept})
            if name in result.coords
            else stored.assign({name: kept})
        )
    with replacing(path) as beside:
        stored.to_netcdf(beside, engine="scipy")
    return path


def _classic(values: xr.Variable) -> xr.Variable:
    """Classic netCDF knows neither 64-bit integers nor objects."""
    kept = xr.Variable(values.dims, values.values, values.attrs)
    if values.dtype == np.int64:
        return kept.astype(np.int32)
    return kept.astype(str) if values.dtype == object else kept


def open_result(path: Path | str) -> xr.Dataset:
    """Reads what `save_result` wrote.

    Arguments:
        path: The file.

    Returns:
        The dataset, in memory; its attribute `format` says what it is.

    Raises:
        FileNotFoundError: If there is no such file.
        TraceFormatError: If it holds no such result, or is damaged.
    """
    return _read(Path(path), tuple(_MADE_BY))


def save_effects(effects: xr.Dataset, path: Path | str) -> Path:
    """Writes what `attnviz.ablate` gave, as `save_result` does.

    Arguments:
        effects: The dataset.
        path: Where to write, ending in `.nc`.

    Returns:
        The path.

    Raises:
        ValueError: If the path does not end in `.nc`, or the dataset holds no effects.
    """
    if effects.attrs.get("format") != EFFECTS:
        raise ValueError("save_effects writes what attnviz.ablate gives; this dataset is not that.")
    return save_result(effects, path)


def open_effects(path: Path | str) -> xr.Dataset:
    """Reads effects of ablations.

    Arguments:
        path: The file.

    Returns:
        The dataset, in memory.

    Raises:
        FileNotFoundError: If there is no such file.
        TraceFormatError: If it holds no effects, or is damaged.
    """
    return _read(Path(path), (EFFECTS,))


def _read(path: Path, formats: tuple[str, ...]) -> xr.Dataset:
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with xr.open_dataset(path, engine="scipy") as found:
            result = found.load()
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise TraceFormatError(
            f"{path} is no readable netCDF file: it is cut short, damaged or of another kind "
            f"({error}). Measure again, or copy it again."
        ) from error
    held = result.attrs.get("format")
    if held not in formats:
        wanted = " or ".join(map(repr, formats))
        by = ", ".join(_MADE_BY[one][1] for one in formats)
        raise TraceFormatError(
            f"{path} should be of the format {wanted}, but is {held!r}. {by} writes such files."
        )
    return result
