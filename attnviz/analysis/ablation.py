"""What ablations say: mean effects with intervals, effects against weights, pairs of lags."""

import warnings
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import Float

from attnviz.analysis.resampling import interval_name, interval_of, of_sequences, ratio_of_sums
from attnviz.analysis.statistic import Statistic
from attnviz.trace import SQUARED_ERROR

__all__ = [
    "Measure",
    "ablation_effect",
    "effect_against",
    "measure_label",
    "measures_of",
    "pair_interaction",
]

Measure = Literal["margin", "probability", "loss"]
#: What effects are on, with their units, the most telling first.
_UNITS: dict[Measure, str] = {"margin": "logits", "probability": "", "loss": "nats"}


def measures_of(effects: xr.Dataset) -> list[Measure]:
    """What effects there are on, the most telling first; of predicted numbers the loss alone.

    Arguments:
        effects: As `attnviz.ablate` gives them.

    Raises:
        KeyError: If the dataset holds no effects.
    """
    found = [measure for measure in _UNITS if f"{measure}_effect" in effects]
    if not found:
        raise KeyError(
            f"The dataset holds no effects; it holds {sorted(map(str, effects.data_vars))}. Take "
            "effects from attnviz.ablate."
        )
    return found


def measure_label(effects: xr.Dataset, measure: Measure) -> tuple[str, str]:
    """What effects are on, in words, and their unit.

    Arguments:
        effects: As `attnviz.ablate` gives them.
        measure: One of `measures_of`.

    Returns:
        Such as `("margin", "logits")`; the unit is empty where there is none.
    """
    if measure == "loss" and effects.attrs.get("loss") == SQUARED_ERROR:
        return SQUARED_ERROR, ""
    return measure, _UNITS[measure]


def ablation_effect(effects: xr.Dataset, *, measure: Measure | None = None) -> Statistic:
    r"""The mean effect of each edit over sequences: edited minus unedited.

    .. math:: \frac{1}{B} \sum_b \left( y_b^{\mathrm{edited}} - y_b \right)

    Arguments:
        effects: As `attnviz.ablate` gives them.
        measure: The logit margin of the class, its probability, or the loss; the first of these
            that there is if not given.

    Returns:
        The axes of the effects but `sequence`; at a lag the mean over the sequences that are long
        enough to read it, NaN where none is. A negative margin: the edit speaks against the class.
        The uncertainty has one axis more, `end`: a bootstrap interval over sequences, the unit of
        all statistics here; none for a single sequence. A sequence without any finite effect
        is left out, with a warning.

    Raises:
        KeyError: If the dataset holds no such effects.
    """
    measure = measure or measures_of(effects)[0]
    effects = _finite(effects, _effects(effects, measure))
    values = _of_lags_read(effects, _effects(effects, measure))
    found = ratio_of_sums(values.values, np.ones_like(values.values))
    name, unit = measure_label(effects, measure)
    return of_sequences(Statistic(f"effect on the {name}", values, unit), found)


def _finite(effects: xr.Dataset, values: xr.DataArray) -> xr.Dataset:
    """Without sequences that have no effect at all, as where a model answers NaN."""
    there = np.isfinite(values.transpose("sequence", ...).values)
    kept = there.reshape(len(there), -1).any(axis=1)
    if kept.all() or not kept.any():
        return effects
    lost = np.flatnonzero(~kept)
    warnings.warn(
        f"{len(lost)} of {len(kept)} sequences have no finite effect and are left out: "
        f"{', '.join(map(str, lost[:5]))}{', ...' if len(lost) > 5 else ''}. Does the model answer "
        "NaN there?",
        stacklevel=3,
    )
    return effects.isel(sequence=np.flatnonzero(kept))


def _of_lags_read(effects: xr.Dataset, values: xr.DataArray) -> xr.DataArray:
    """NaN in sequences where nothing was there to be taken away, which is not no effect."""
    if "lag" not in values.dims or "contribution" not in effects:
        return values
    read, changed = effects["contribution"] > 0, values.fillna(0) != 0
    there = [
        one.any([dim for dim in one.dims if dim not in ("sequence", "lag")])
        for one in (read, changed)
    ]
    return values.where(there[0] | there[1])


def pair_interaction(effects: xr.Dataset, *, measure: Measure | None = None) -> Statistic:
    r"""What a pair of lags does beyond its two single effects.

    .. math:: \Delta_{ij} - \Delta_i - \Delta_j

    Where single effects are zero and the pair's is not, each of the two lags stands in for the
    other: single ablation alone would read as "no effect".

    Arguments:
        effects: Of `attnviz.ablate(..., level="pair")`.
        measure: The logit margin of the class, its probability, or the loss; the first of these
            that there is if not given.

    Returns:
        Axes `(lag, other_lag)`, NaN on the diagonal; uncertainty as in `ablation_effect`.

    Raises:
        KeyError: If the dataset holds no pairs.
    """
    measure = measure or measures_of(effects)[0]
    values = _effects(effects, measure)
    if "other_lag" not in values.dims:
        raise KeyError(
            f"pair_interaction needs the effects of pairs, but these are of the level "
            f"{effects.attrs.get('level')!r}. Call attnviz.ablate(..., level='pair')."
        )
    pairs = values.values
    single = np.diagonal(pairs, axis1=1, axis2=2)
    beyond = pairs - single[:, :, None] - single[:, None, :]
    beyond[:, np.arange(beyond.shape[1]), np.arange(beyond.shape[1])] = np.nan
    found = ratio_of_sums(beyond, np.ones_like(beyond))
    name, unit = measure_label(effects, measure)
    return of_sequences(Statistic(f"interaction in the {name}", values, unit), found)


def effect_against(
    effects: xr.Dataset,
    *,
    against: Literal["attention", "contribution"] = "contribution",
    measure: Measure | None = None,
) -> Statistic:
    r"""Whether what is read more matters more: rank correlation within each sequence.

    .. math:: \rho_b = \mathrm{Spearman}_{t,j}\left(w_{b,t,j},\; |\Delta_{b,t,j}|\right)

    Over all timesteps and lags of a sequence at which a lag was read. Timesteps are not
    independent: only sequences count, and their mean has a bootstrap interval.

    References:
        The Proof and Measurement of Association between Two Things (Spearman, 1904),
        https://doi.org/10.2307/1412159

    Arguments:
        effects: Of `attnviz.ablate(..., level="step")`.
        against: The weight, or the norm of weight times value.
        measure: Whose effect; the first of margin, probability and loss that there is if not given.

    Returns:
        Axis `(sequence)`, from −1 to 1, NaN where nothing varies; the uncertainty, axes
        `(sequence, end)`, repeats the interval of their mean.

    Raises:
        KeyError: If the effects are not by timestep and lag.
        ValueError: If the weights are the same at every timestep, as RRA's are: between constants
            there is no correlation.
    """
    measure = measure or measures_of(effects)[0]
    values = _effects(effects, measure)
    if not {"time", "lag"} <= set(values.dims):
        raise KeyError(
            f"effect_against needs the effect of every timestep and lag, but these are of the "
            f"level {effects.attrs.get('level')!r}. Call attnviz.ablate(..., level='step')."
        )
    weights = effects[against]
    if against == "attention" and _constant(weights.values):
        raise ValueError(
            f"effect_against compares effects with weights within a sequence, but the attention of "
            f"{effects.attrs.get('cell')} is the same at every timestep. Use "
            "against='contribution'."
        )
    rho = np.array(
        [_rank_correlation(w, e) for w, e in zip(weights.values, values.values, strict=True)]
    )
    frame = xr.DataArray(rho, dims="sequence", coords={"id": values["id"]})
    _, ends = ratio_of_sums(rho[:, None], np.ones((len(rho), 1)))
    both = None if ends is None else np.broadcast_to(ends[0], (len(rho), 2))
    of = "" if ends is None else f"{interval_name(len(rho))} of the mean"
    on, _ = measure_label(effects, measure)
    name = f"rank correlation of |effect on the {on}| with {against}"
    return Statistic(
        name, frame, "", (-1.0, 1.0), "ρ", interval_of(frame, both), of,
    )  # fmt: skip


def _effects(effects: xr.Dataset, measure: str) -> xr.DataArray:
    there = measures_of(effects)
    if measure not in there:
        raise KeyError(
            f"The dataset holds no '{measure}_effect'; it holds effects on: {', '.join(there)}. "
            "Choose one of these."
        )
    return effects[f"{measure}_effect"]


def _constant(weights: Float[np.ndarray, "sequence time lag"]) -> bool:
    low, high = np.nanmin(weights, axis=(0, 1)), np.nanmax(weights, axis=(0, 1))
    return bool(np.allclose(low, high, rtol=1e-6, atol=0))


def _rank_correlation(weights: np.ndarray, effects: np.ndarray) -> float:
    size, effect = np.abs(weights).ravel(), np.abs(effects).ravel()
    there = np.isfinite(size) & np.isfinite(effect) & (size > 0)
    if there.sum() < 3:
        return np.nan
    # Not scipy.stats, whose import takes as long as drawing a figure.
    ranks = np.stack([pd.Series(part[there]).rank() for part in (size, effect)])
    if (np.ptp(ranks, axis=1) == 0).any():
        return np.nan
    return float(np.corrcoef(ranks)[0, 1])
