"""Effects of ablations on disk: one netCDF file."""

from pathlib import Path

import numpy as np
import xarray as xr

from attnviz.files import replacing
from attnviz.trace import TraceFormatError

__all__ = ["EFFECTS", "open_effects", "save_effects"]

EFFECTS = "attnviz-effects/1"


def save_effects(effects: xr.Dataset, path: Path | str) -> Path:
    """Writes what `attnviz.ablate` gave as a netCDF file, beside its place and renamed.

    Whole numbers are stored in 32 bits.

    Arguments:
        effects: The dataset.
        path: Where to write, ending in `.nc`.

    Returns:
        The path.

    Raises:
        ValueError: If the path does not end in `.nc`, or the dataset holds no effects.
    """
    path = Path(path)
    if path.suffix.lower() != ".nc":
        raise ValueError(f"Effects are written as .nc (netCDF), but {path.name} does not end so.")
    if effects.attrs.get("format") != EFFECTS:
        raise ValueError("save_effects writes what attnviz.ablate gives; this dataset is not that.")
    path.parent.mkdir(parents=True, exist_ok=True)
    # Classic netCDF knows no 64-bit integers.
    narrow = {
        name: values.astype(np.int32)
        for name, values in effects.variables.items()
        if values.dtype == np.int64
    }
    plain = effects.assign({n: v for n, v in narrow.items() if n in effects.data_vars})
    plain = plain.assign_coords({n: v for n, v in narrow.items() if n in effects.coords})
    plain = plain.assign_coords(id=("sequence", effects["id"].values.astype(str)))
    with replacing(path) as beside:
        plain.to_netcdf(beside, engine="scipy")
    return path


def open_effects(path: Path | str) -> xr.Dataset:
    """Reads what `save_effects` wrote.

    Arguments:
        path: The file.

    Returns:
        The dataset, in memory.

    Raises:
        FileNotFoundError: If there is no such file.
        TraceFormatError: If it holds no effects, or is damaged.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        with xr.open_dataset(path, engine="scipy") as found:
            effects = found.load()
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise TraceFormatError(
            f"{path} is no readable netCDF file: {error}. Ablate again, or copy it again."
        ) from error
    if effects.attrs.get("format") != EFFECTS:
        raise TraceFormatError(
            f"{path} should be of the format {EFFECTS!r}, but is "
            f"{effects.attrs.get('format')!r}. attnviz ablate writes such files."
        )
    return effects
