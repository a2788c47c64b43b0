"""How far back models look: influence by lag, and the shares of it, with their intervals."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from attnviz.analysis import Statistic, influence_profile
from attnviz.plots.axes import letter_legend, number_logarithm
from attnviz.plots.captions import FEW, counted
from attnviz.plots.figures import PaperFigure, new_figure
from attnviz.plots.headings import (
    MARGIN,
    Heading,
    axes_at,
    draw_heading,
    footer_height,
    heading_height,
)
from attnviz.plots.lettering import fold
from attnviz.plots.sizes import LABEL_SIZE, enlarged, size_of, widest
from attnviz.plots.styling import cycle_colour, house_style, of_what_is_open

__all__ = ["influence_numbers", "plot_influence"]

_LEFT, _BETWEEN, _HEIGHT, _BELOW, _KEY = 0.38, 0.42, 2.0, 0.36, 0.13  # inches
_TITLE, _HANDLE, _NARROW = 0.2, 0.3, 5.0


@of_what_is_open
def plot_influence(
    influence: xr.Dataset | Mapping[str, xr.Dataset],
    *,
    longest: int | None = None,
    beyond: int = 10,
    logarithmic: bool = True,
    logarithmic_lags: bool = False,
    level: float = 0.95,
    seed: int = 0,
) -> Figure:
    """Draws the influence by lag beside its shares, one curve a model.

    The numbers are those of `attnviz.analysis.influence_profile`. Bands are intervals over
    sequences; the notes below say how far the estimator itself may be off. Linearised influence is
    drawn dashed. Curves are comparable where states have as many units; shares always are.

    Arguments:
        influence: Of `replacement_influence` or `linear_influence`; or several by their names.
        longest: The last lag; the shortest of the datasets' own if not given.
        beyond: The keys give the share of influence from further back than this.
        logarithmic: Draw influence and shares on logarithmic axes.
        logarithmic_lags: Draw the lags on one too, from lag 1 on; lag 0 stands left of it.
        level: Of the intervals.
        seed: For their resampling.

    Returns:
        A figure of page width with two Axes, influence and shares.

    Raises:
        TypeError: If one is no dataset of influence.
        ValueError: If there is none, some are of the state and some of the margin, or no timestep
            reaches back to `longest`.
    """
    named = {"": influence} if isinstance(influence, xr.Dataset) else dict(influence)
    if not named:
        raise ValueError("plot_influence needs at least one dataset of influence, but got none.")
    own = [influence_profile(data, longest=longest, resamples=1) for data in named.values()]
    shortest = min(int(profile["lag"].max()) for profile in own)
    profiles = {
        name or str(data.attrs["model"]): influence_profile(
            data, longest=shortest, beyond=beyond, level=level, seed=seed
        )
        for name, data in named.items()
    }
    of = {str(profile.attrs["of"]) for profile in profiles.values()}
    if len(of) > 1:
        raise ValueError(
            "plot_influence compares like with like, but some of this influence is on the state "
            "and some on the margin. Draw them apart."
        )
    with house_style():
        return _draw(profiles, of.pop(), logarithmic, logarithmic_lags)


def influence_numbers(influence: xr.Dataset, *, longest: int | None = None) -> Statistic:
    """The shares of `plot_influence`, by lag.

    Arguments:
        influence: Of `replacement_influence` or `linear_influence`.
        longest: The last lag; as in `plot_influence` if not given.

    Returns:
        Axis `(lag)`, shares of the influence from all lags; the uncertainty has one axis more,
        `end`: the ends of a 95 % interval over sequences; none for a single sequence.

    Raises:
        TypeError: If this is no dataset of influence.
        ValueError: If no timestep reaches back to `longest`.
    """
    profile = influence_profile(influence, longest=longest)
    spread = profile["share_interval"].rename(bound="end")
    single = profile.attrs["sequences"] < 2
    return Statistic(
        "influence",
        profile["share"],
        "share",
        bounds=(0.0, 1.0),
        symbol="v",
        uncertainty=None if single else spread,
        uncertainty_of="" if single else "95 % bootstrap interval over sequences",
    )


def _draw(
    profiles: Mapping[str, xr.Dataset], of: str, logarithmic: bool, logarithmic_lags: bool
) -> PaperFigure:
    single = next(iter(profiles.values())).attrs
    heading = Heading(
        f"Influence of earlier inputs on the {_target(of)}, by lag",
        _subtitle(profiles),
        notes=_notes(profiles),
        provenance={key: str(single[key]) for key in ("model", "kind", "estimator", "of")}
        if len(profiles) == 1
        else {"models": ", ".join(profiles)},
    )
    width = widest()
    top, foot = heading_height(heading, width), footer_height(heading, width)
    keys = _KEY * sum(len(_folded_key(*item, width)) for item in profiles.items())
    rows = 1 if width >= _NARROW else 2  # panels beside one another, or one below the other
    across = (width - _LEFT - MARGIN) if rows == 2 else (width - _LEFT - _BETWEEN - MARGIN) / 2
    names = _axis_name(profiles, of), "share of the influence from all reachable lags"
    told = [fold(name, across, LABEL_SIZE) for name in names]
    title = _TITLE + 1.3 * LABEL_SIZE / 72 * (max(map(len, told)) - 1)
    down = title + _HEIGHT + _BELOW
    figure = new_figure(width, top + keys + rows * down + foot)
    draw_heading(figure, heading)
    places = [(_LEFT, 0.0), (_LEFT, down) if rows == 2 else (_LEFT + across + _BETWEEN, 0.0)]
    axes = [
        axes_at(figure, left, top + keys + title + below, across, _HEIGHT) for left, below in places
    ]
    lines = [
        [
            _curve(ax, profile, name, cycle_colour(number))
            for number, profile in enumerate(profiles.values())
        ]
        for ax, name in zip(axes, ("influence", "share"), strict=True)
    ]
    for ax in axes:
        _scale(ax, logarithmic, logarithmic_lags)
    _mark_floor(axes[0], profiles)
    for ax, lines_of in zip(axes, told, strict=True):
        # In place of the vertical axis's name, which is too long.
        ax.set_title(
            "\n".join(lines_of), loc="left", fontsize=enlarged(LABEL_SIZE), pad=enlarged(3.0)
        )
    _write_keys(figure, lines[0], profiles, top)
    return figure


def _curve(ax: Axes, profile: xr.Dataset, name: str, colour: str) -> Artist:
    lags, values = profile["lag"].values, profile[name].values
    dashes = "--" if profile.attrs["kind"] == "linear" else "-"
    (line,) = ax.plot(lags, values, dashes, color=colour, linewidth=enlarged(1.0))
    line.set_gid("profile")
    low, high = profile[f"{name}_interval"].values
    if np.isfinite(low).any():
        ax.fill_between(lags, low, high, color=colour, alpha=0.18, linewidth=0)
    return line


def _scale(ax: Axes, logarithmic: bool, logarithmic_lags: bool) -> None:
    seen = np.concatenate([np.asarray(line.get_ydata(), float) for line in ax.lines])
    if logarithmic and (seen > 0).any():
        ax.set_yscale("log", nonpositive="mask")
        # An interval that ends at nothing must not stretch the axis.
        ax.set_ylim(bottom=float(seen[seen > 0].min()) / 2)
        number_logarithm(ax.yaxis)
    else:
        ax.set_ylim(bottom=0)
    ax.set_xlabel("lag (timesteps back; 0 = the timestep's own input)", labelpad=enlarged(2.0))
    if logarithmic_lags:
        ax.set_xscale("symlog", linthresh=1, linscale=0.3)
        ax.set_xlim(left=-0.05)
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
    else:
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.margins(x=0.02)


def _mark_floor(ax: Axes, profiles: Mapping[str, xr.Dataset]) -> None:
    highest = _floor(profiles)
    if highest > ax.get_ylim()[0] and highest > 0:
        width = enlarged(0.6)
        ax.axhline(highest, color="0.5", linewidth=width, linestyle=":", gid="rounding floor")


def _floor(profiles: Mapping[str, xr.Dataset]) -> float:
    floors = [float(profile.attrs.get("rounding_floor", np.nan)) for profile in profiles.values()]
    return float(np.nanmax([0.0, *floors]))


def _write_keys(
    figure: Figure, lines: list[Artist], profiles: Mapping[str, xr.Dataset], top: float
) -> None:
    width, height = size_of(figure)
    labels = ["\n".join(_folded_key(*item, width)) for item in profiles.items()]
    legend = figure.legend(
        lines, labels, loc="upper left", bbox_to_anchor=(MARGIN / width, 1 - top / height),
        borderaxespad=0, borderpad=0, handlelength=2.2, labelspacing=0.35,
    )  # fmt: skip
    letter_legend(legend)


def _folded_key(name: str, profile: xr.Dataset, width: float) -> list[str]:
    return fold(_key(name, profile), width - 2 * MARGIN - _HANDLE, LABEL_SIZE)


def _key(name: str, profile: xr.Dataset) -> str:
    kind = ", linearised" if profile.attrs["kind"] == "linear" else ""
    beyond = f"{_within(profile, 'mass_beyond', '.2f')} beyond lag {profile.attrs['beyond']}"
    parts = [
        f"median lag {_within(profile, 'median_lag', '.0f')}",
        f"mean lag {_within(profile, 'mean_lag', '.1f')}",
        f"half-life {_within(profile, 'half_life', '.2g')}",
        beyond,
    ]
    return f"{name}{kind}: {', '.join(parts)}"


def _within(profile: xr.Dataset, name: str, form: str) -> str:
    value, (low, high) = float(profile[name]), profile[f"{name}_interval"].values
    if np.isnan(value):
        return "not reached"
    if np.isnan(low):
        return f"{value:{form}}"
    return f"{value:{form}} ({low:{form}}–{high:{form}})"


def _subtitle(profiles: Mapping[str, xr.Dataset]) -> str:
    first = next(iter(profiles.values()))
    counts = {(int(p.attrs["sequences"]), int(p.attrs["timesteps"])) for p in profiles.values()}
    told = [
        f"{counted(sequences, 'sequence')}, {counted(timesteps, 'timestep')}"
        for sequences, timesteps in sorted(counts)
    ]
    return f"{' or '.join(told)} with at least {int(first['lag'].max())} timesteps before"


def _notes(profiles: Mapping[str, xr.Dataset]) -> list[str]:
    level = next(iter(profiles.values())).attrs["level"]
    fewest = min(int(profile.attrs["sequences"]) for profile in profiles.values())
    notes = [f"Bands and brackets: {100 * level:g} % intervals over sequences (bootstrap)."]
    if fewest == 1:
        notes = ["A single sequence has no interval over sequences."]
    elif fewest < FEW:
        notes[0] += f" With {fewest} sequences they are too narrow."
    if any(p.attrs["kind"] == "linear" for p in profiles.values()):
        notes.append("Dashed: linearised influence, what the gradient alone would say.")
    if _floor(profiles) > 0:
        notes.append(f"Values near {_floor(profiles):.1g} or below are rounding (dotted).")
    errors = [f"{name} {_error(profile)}" for name, profile in profiles.items()]
    notes.append(f"Standard error of the estimator, median over lags: {'; '.join(errors)}.")
    return notes


def _error(profile: xr.Dataset) -> str:
    attrs = profile.attrs
    if "influence_error" not in profile:
        return "none (exact)"
    draws = counted(int(attrs["draws"]), str(attrs["estimator"]).rstrip("s"))
    ratio = (profile["influence_error"] / profile["influence"]).values
    if not np.isfinite(ratio).any():
        return f"not known ({draws})"
    return f"{100 * float(np.nanmedian(ratio)):.2g} % ({draws})"


def _axis_name(profiles: Mapping[str, xr.Dataset], of: str) -> str:
    symbols = sorted({"E²" if p.attrs["kind"] == "linear" else "V" for p in profiles.values()})
    unit = "logits²" if of == "margin" else "squared standard deviations, summed over units"
    return f"influence {' and '.join(reversed(symbols))} ({unit})"


def _target(of: str) -> str:
    return {"state": "state", "margin": "margin between the classes"}[of]
