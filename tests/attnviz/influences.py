"""Small datasets of influence, built by hand: no model and no torch."""

import numpy as np
import xarray as xr

ATTRIBUTES = {
    "format": "attnviz-influence/1", "model": "toy", "model_mode": "eval", "of": "state",
    "kind": "replacement", "draws": 8, "seed": 0,
    "unit": "squared standard deviations, summed over units", "units": 4,
    "estimator": "replacements", "rounding_floor": 1e-12,
    "reference_sequences": 5, "reference_timesteps": 60,
}  # fmt: skip


def influence(curves, lengths, *, at="all", error=None, words=False, **attributes):
    """Each sequence has its own curve by lag, the same at every timestep.

    Arguments:
        curves: A function of the lag for each sequence.
        lengths: Timesteps of each.
        at: `all` or `last`.
        error: The standard error, as a share of the value.
        words: Whether there are tokens.
        attributes: In place of the usual ones.
    """
    chosen = [range(length) if at == "all" else [length - 1] for length in lengths]
    sizes = len(lengths), max(map(len, chosen)), max(lengths)
    values, timestep = np.full(sizes, np.nan), np.full(sizes[:2], -1)
    for row, (curve, steps) in enumerate(zip(curves, chosen, strict=True)):
        timestep[row, : len(steps)] = steps
        for place, step in enumerate(steps):
            values[row, place, : step + 1] = curve(np.arange(step + 1))
    axes = ("sequence", "time", "lag")
    found = xr.Dataset(
        {
            "influence": (axes, values),
            "timestep": (axes[:2], timestep),
            "length": (axes[:1], np.array(lengths)),
        },
        coords={"lag": np.arange(sizes[2])},
        attrs=ATTRIBUTES | attributes,
    )
    if error is not None:
        found["standard_error"] = error * found["influence"]
        found["share_standard_error"] = error * found["influence"] / 10
    if words:
        tokens = np.full((len(lengths), sizes[2]), "", dtype=object)
        for row, length in enumerate(lengths):
            tokens[row, :length] = [f"w{row}{step}" for step in range(length)]
        found["token"] = (("sequence", "source"), tokens)
    return found


def decaying(rate, height=1.0):
    return lambda lag: height * rate**lag
