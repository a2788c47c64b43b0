"""The influence on each timestep of one sequence: time×lag, with the tokens."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from attnviz.analysis import Statistic, bin_means, influence_map, influence_share
from attnviz.plots.headings import Heading
from attnviz.plots.options import FEWEST_LAGS
from attnviz.plots.scales import beyond_scale, colour_scale
from attnviz.plots.strips import MapStrip, source_keys
from attnviz.plots.styling import in_house_style
from attnviz.plots.timesteps import OVERVIEW
from attnviz.plots.wrapped import TimeAxis, draw_wrapped
from attnviz.trace import SOURCE_MISSING, SOURCE_REAL

__all__ = ["influence_map_numbers", "plot_influence_map"]

_WITHOUT_WORDS = 200
_SHORT = "timesteps that do not reach all lags shown"
_LOWEST, _HIGHEST, _ROOM = 0.025, 0.096, 1.2  # inches of a lag's row, and of all of them


@in_house_style
def plot_influence_map(
    influence: xr.Dataset,
    *,
    sequence: int = 0,
    longest: int = 20,
    shares: bool = True,
    tokens: tuple[int, int] | None = None,
    wrap: int = 60,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Draws how much each earlier input matters to each timestep, with the tokens below.

    Lags that reach before the start are hatched. Colours are scaled to timesteps that reach all
    lags shown. Sequences of more than 600 timesteps are drawn as means over bins unless a range is
    chosen.

    Arguments:
        influence: Of `replacement_influence` or `linear_influence`, at several timesteps.
        sequence: Which sequence to draw.
        longest: The last lag shown. After the tenth, those that no timestep reaches are not.
        shares: Draw shares of the influence from all lags, those not shown included; else the
            influence itself.
        tokens: First timestep and the one after the last; all of them if not given.
        wrap: Timesteps in a row at most.
        limits: Ends of the colour scale, to compare figures.

    Returns:
        A figure of page width at most, with one Axes in each row of tokens.

    Raises:
        TypeError: If this is no dataset of influence.
        IndexError: If there is no such sequence.
        ValueError: If fewer than two timesteps were looked back from, or the range does not fit.
    """
    statistic = influence_map_numbers(
        influence, sequence=sequence, longest=longest, shares=shares, tokens=tokens
    )
    values = statistic.values
    far = values["lag"].values[:, None] > values["timestep"].values
    holds = np.where(far, SOURCE_MISSING, SOURCE_REAL).astype(np.uint8)
    full = np.flatnonzero(~far.any(axis=0))
    scaling = statistic if full.size == 0 else replace(statistic, values=values.isel(time=full))
    scale = colour_scale(scaling, limits=limits)
    words = [str(word) for word in values["token"].values] if "token" in values.coords else None
    numbers = [int(number) for number in values["timestep"].values]
    time = TimeAxis(numbers, words, wrap if words is not None else max(wrap, _WITHOUT_WORDS))
    lags = [str(lag) for lag in values["lag"].values]
    row = float(np.clip(_ROOM / len(lags), _LOWEST, _HIGHEST))
    strip = MapStrip(
        np.ascontiguousarray(values.values.T), scale, lags, row * len(lags), holds=holds
    )
    of = "state" if influence.attrs["of"] == "state" else "margin between the classes"
    linear = "Linearised influence" if influence.attrs["kind"] == "linear" else "Influence"
    heading = Heading(
        f"{linear} of earlier inputs on the {of}, by timestep and lag",
        f"{influence.attrs['model']} · sequence {sequence} · timesteps {numbers[0]}–{numbers[-1]}",
        scale,
        source_keys(holds),
        [
            *beyond_scale(statistic, scaling, scale, where=_SHORT),
            *_left_out(influence, lags, longest),
            *_notes(influence, statistic, sequence, longest),
        ],
        provenance={key: str(influence.attrs[key]) for key in ("model", "kind", "estimator", "of")},
    )
    return draw_wrapped([strip], time=time, heading=heading, row_label="lag (timesteps back)")


def influence_map_numbers(
    influence: xr.Dataset,
    *,
    sequence: int = 0,
    longest: int = 20,
    shares: bool = True,
    tokens: tuple[int, int] | None = None,
) -> Statistic:
    """The numbers of `plot_influence_map`.

    Arguments:
        influence: Of `replacement_influence` or `linear_influence`, at several timesteps.
        sequence: Which sequence.
        longest: The last lag.
        shares: Shares, or the influence itself.
        tokens: First timestep and the one after the last; all of them if not given.

    Returns:
        Axes `(time, lag)` with the coordinates `timestep` and, of texts that are not binned,
        `token`.

    Raises:
        IndexError: If there is no such sequence.
        ValueError: If fewer than two timesteps were looked back from, or the range does not fit.
    """
    statistic = influence_share(influence) if shares else influence_map(influence)
    count = influence.sizes["sequence"]
    if not 0 <= sequence < count:
        raise IndexError(
            f"This influence is of {count} sequences, numbered 0 to {count - 1}; there is no "
            f"sequence {sequence}."
        )
    numbers = influence["timestep"].values[sequence]
    first, last = tokens or (0, int(influence["length"].values[sequence]))
    chosen = np.flatnonzero((numbers >= first) & (numbers < last))
    if len(chosen) < 2:
        raise ValueError(
            f"A map needs at least two timesteps, but {len(chosen)} of sequence {sequence} were "
            f"looked back from in {first}:{last}. Measure with at='all', choose a wider range, or "
            "draw a single timestep with plot_influence."
        )
    values = statistic.values.isel(sequence=sequence, time=chosen)
    furthest = max(FEWEST_LAGS, int(numbers[chosen].max()))  # further back nothing stands
    values = values.sel(lag=values["lag"] <= min(longest, furthest))
    if tokens is None and len(chosen) > OVERVIEW:
        size = int(np.ceil(len(chosen) / OVERVIEW))
        binned = bin_means(replace(statistic, values=values), size).values
        starts = numbers[chosen][binned["first_timestep"].values]
        values = binned.drop_vars("first_timestep").assign_coords(timestep=("time", starts))
        return replace(statistic, values=values, uncertainty=None)
    values = values.assign_coords(timestep=("time", numbers[chosen]))
    if "token" in influence:
        words = influence["token"].values[sequence, numbers[chosen]]
        values = values.assign_coords(token=("time", words))
    error = statistic.uncertainty
    if error is not None:
        error = error.isel(sequence=sequence, time=chosen).sel(lag=values["lag"])
    return replace(statistic, values=values, uncertainty=error)


def _left_out(influence: xr.Dataset, shown: Sequence[str], longest: int) -> list[str]:
    if int(shown[-1]) >= min(longest, int(influence["lag"].values.max())):
        return []
    return [f"Nothing stands further back than lag {shown[-1]}."]


def _notes(influence: xr.Dataset, statistic: Statistic, sequence: int, longest: int) -> list[str]:
    notes = []
    furthest = int(influence["timestep"].values[sequence].max())
    if furthest > longest and statistic.unit == "share":
        notes.append(
            f"Shares are of the influence from all lags, up to {furthest}; those shown need not "
            "sum to one."
        )
    if statistic.uncertainty is None:
        exact = influence.attrs["estimator"] == "exact"
        return [*notes, "Exact: nothing was drawn."] if exact else notes
    errors = statistic.uncertainty.values
    if not np.isfinite(errors).any():
        return [*notes, "Of a single draw: the estimator's error is not known."]
    return [
        *notes,
        f"{statistic.uncertainty_of.capitalize()}: median {np.nanmedian(errors):.2g}, at most "
        f"{np.nanmax(errors):.2g}.",
    ]
