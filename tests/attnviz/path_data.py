"""Small data sets of path classes, built by hand: no model, no torch."""

import numpy as np
import xarray as xr


def paths(norms, *, names=("direct", "gates"), shares=None, whole=None, lengths=None, **attributes):
    """Of norms `(sequence, distance, path_class)`, the same at every place."""
    norms = np.asarray(norms, float)
    whole = norms.sum(axis=-1) if whole is None else np.asarray(whole, float)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = norms / whole[..., None] if shares is None else np.asarray(shares, float)
        kappa = norms.sum(axis=-1) / whole
    by_class, by_distance = ("sequence", "distance", "path_class"), ("sequence", "distance")
    variables = {}
    for place in ("hidden", "memory", "input"):
        variables |= {
            f"{place}_class_norm": (by_class, norms),
            f"{place}_class_share": (by_class, shares),
            f"{place}_gradient_norm": (by_distance, whole),
            f"{place}_cancellation": (by_distance, kappa),
            f"{place}_residual": (by_distance, np.full(whole.shape, 3e-16)),
        }
    full = np.full(len(norms), norms.shape[1])
    variables["length"] = ("sequence", full if lengths is None else lengths)
    coordinates = {"path_class": list(names), "distance": np.arange(norms.shape[1])}
    about = {
        "format": "attnviz-paths/1",
        "model": "small",
        "cell": "LSTM",
        "group": "l0",
        "direction": 1,
        **attributes,
    }
    return xr.Dataset(variables, coordinates, about)


def rra(kernel, lags, slopes, starts, length):
    """RRA's gradient by shortcuts alone, from its recursion, with slopes that do not change."""
    slopes, starts = np.asarray(slopes, float), np.asarray(starts, float)
    signal = np.zeros((length, *slopes.shape))
    signal[0] = starts
    for distance in range(1, length):
        for weight, lag in zip(kernel, lags, strict=True):
            if lag <= distance:
                signal[distance] += weight * slopes * signal[distance - lag]
    norms = np.linalg.norm(signal, axis=-1).T
    classes = np.stack([np.where(np.arange(length) == 0, norms, 0), norms], axis=-1)
    classes[:, 0, 1] = 0
    made = paths(classes, names=("direct", "shortcut"), cell="RRA", model="rra-small")
    steady = np.repeat(slopes[:, None], length, axis=1)
    return made.assign(
        shortcut_slope=(("sequence", "distance", "unit"), steady),
        injected=(("sequence", "unit"), starts),
        lag_kernel=("lag", np.asarray(kernel, float)),
    ).assign_coords(lag=list(lags))
