"""The gradient by class of path and by distance from the loss."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from attnviz.analysis import Statistic
from attnviz.analysis.decay import (
    measured_decay_rate,
    predicted_decay_rate,
    predicted_shortcut_norm,
    predicted_shortcut_rate,
)
from attnviz.analysis.path_classes import (
    Place,
    class_cancellation,
    class_norm,
    gradient_norm_by_distance,
    largest_residual,
    same_sequences,
)
from attnviz.plots.axes import axes_to_draw_on, legend_beside, number_logarithm, write_title
from attnviz.plots.captions import counted_of, interval_note
from attnviz.plots.sizes import PAGE, enlarged
from attnviz.plots.styling import cycle_colour, of_what_is_open

__all__ = ["PLACES", "plot_path_classes"]

PLACES = {"hidden": "hidden state h", "memory": "memory c", "input": "input x"}
_STYLES = ("-", "--", ":", "-.")
_MOST = 8  # lines of classes; of more the last is the sum of the smallest


@of_what_is_open
def plot_path_classes(
    paths: xr.Dataset,
    *,
    place: Place = "input",
    floor: float = 1e-6,
    rates: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Draws the gradient of each class of paths by distance from the loss, on a logarithmic axis.

    All distances are of the same sequences, the longer half if they differ. The whole gradient is
    a grey line, each class a line of its own with the bootstrap interval over sequences as its
    band. At the hidden state, what theory predicts stands beside RRA's shortcut, over the
    distances of the fit. Classes that never rise above the floor are left out; the note names
    them. Of more than eight, those with the largest shares of all norms have lines of their own,
    and the norms of the others are added up.

    Arguments:
        paths: As `attnviz.gradient_paths` gives them.
        place: Where the gradient arrives: at the hidden state, the memory or the input.
        floor: The lowest norm shown, in units of the gradient at distance 0.
        rates: Draw and name the shortcut's predicted and measured decay, where there is one.
        ax: Where to draw; a new figure if not given.

    Returns:
        The Axes, with κ and the largest residual in the title's second line.

    Raises:
        KeyError: If the cell has no such place.
        ValueError: If the floor is not between 0 and 1.
    """
    if not 0 < floor < 1:
        raise ValueError(
            f"The floor lies between 0 and 1, as a share of the gradient, not {floor}."
        )
    paths = same_sequences(paths, place=place)
    norms = class_norm(paths, place=place)
    with axes_to_draw_on(ax, 0.8 * PAGE, 2.9) as drawn:
        _draw_classes(drawn, paths, norms, place, floor)
        if rates and place == "hidden" and _can_fit(paths):
            _draw_rates(drawn, paths)
        legend_beside(drawn)
    return drawn


def _draw_classes(
    ax: Axes, paths: xr.Dataset, norms: Statistic, place: Place, floor: float
) -> None:
    """The whole gradient, each class that rises above the floor, and what the axes are."""
    whole = gradient_norm_by_distance(paths, place=place).values
    ax.plot(
        whole["distance"], whole, color="0.6", label="all", gid="whole", linewidth=enlarged(2.2)
    )
    names = [str(name) for name in norms.values["path_class"].values]
    top = norms.values.isel(distance=slice(1, None)).max("distance")
    shown = [n for n, name in enumerate(names) if float(top[n]) > floor]
    own = _largest(norms, shown)
    for number, n in enumerate(own):
        # The class without labels is seldom drawn; the first colours go to the others.
        _draw(ax, norms, n, names[n], floor, n - 1 if own == shown else number)
    if own != shown:
        rest = norms.values.isel(path_class=[n for n in shown if n not in own]).sum("path_class")
        ax.plot(
            rest["distance"], rest.where(rest > 0), "--", color="0.35", label="others", gid="others"
        )
    notes = [] if own == shown else [f"others: {len(shown) - len(own)} classes, their norms added"]
    if left_out := [name for n, name in enumerate(names) if n not in shown]:
        notes.append(f"below {floor:.0e}, not drawn: {', '.join(left_out)}")
    _name_axes(ax, paths, place, notes)
    highest = float(np.nanmax([whole.max(), norms.values.max()]))
    ax.set_ylim(floor, 3 * highest)
    number_logarithm(ax.yaxis)
    ax.set_xlim(0, max(1, paths.sizes["distance"] - 1))


def _largest(norms: Statistic, shown: list[int]) -> list[int]:
    """The classes with lines of their own: by their shares of all norms, each distance alike."""
    if len(shown) <= _MOST:
        return shown
    shares = (norms.values / norms.values.sum("path_class")).sum("distance")
    return sorted(sorted(shown, key=lambda n: -float(shares[n]))[: _MOST - 1])


def _can_fit(paths: xr.Dataset) -> bool:
    """Whether there is a shortcut, over enough distances for a fit of its decay."""
    if "shortcut_slope" not in paths:
        return False
    try:
        measured_decay_rate(paths)
    except ValueError:
        return False
    return True


def _draw(ax: Axes, norms: Statistic, n: int, name: str, floor: float, number: int) -> None:
    values = norms.values.isel(path_class=n)
    there = values.where(values > 0)
    style, colour = _STYLES[number // 7 % len(_STYLES)], cycle_colour(number)
    (line,) = ax.plot(values["distance"], there, style, color=colour, label=name, gid="class")
    if norms.uncertainty is not None:
        low, high = (
            norms.uncertainty.isel(path_class=n).sel(end=e).values for e in ("low", "high")
        )
        low = np.maximum(low, floor * 1e-3)
        ax.fill_between(
            values["distance"], low, high, where=high > floor * 1e-3, color=line.get_color(),
            alpha=0.18, linewidth=0,
        )  # fmt: skip


def _draw_rates(ax: Axes, paths: xr.Dataset) -> None:
    """The measured decay in words, and beside its curve what theory predicts."""
    measured = measured_decay_rate(paths)
    ax.plot([], [], " ", gid="rate", label=f"shortcut, fitted\n{_rate(measured)}")
    first, last = (int(measured.values[f"{end}_distance"]) for end in ("first", "last"))
    by_unit, by_mean = predicted_shortcut_norm(paths).values, predicted_decay_rate(paths)
    fitted = by_unit.sel(distance=slice(first, last))
    ax.plot(
        fitted["distance"], fitted, "--", color="black", linewidth=enlarged(0.9), gid="rate",
        label=f"theory, unit by unit\n{_rate(predicted_shortcut_rate(paths))}",
    )  # fmt: skip
    ends = np.array([first, last])
    line = float(fitted[0]) * float(by_mean.values) ** (ends - first)
    ax.plot(
        ends, line, ":", color="black", linewidth=enlarged(0.9), gid="rate",
        label=f"theory, mean slope\n{_rate(by_mean)}",
    )  # fmt: skip


def _rate(statistic: Statistic) -> str:
    rate = f"ρ = {float(statistic.values):.3f}"
    if statistic.uncertainty is None:
        return rate
    low, high = statistic.uncertainty.values
    return f"{rate} [{low:.3f}, {high:.3f}]"


def _name_axes(ax: Axes, paths: xr.Dataset, place: Place, more: Sequence[str]) -> None:
    cell, model = str(paths.attrs["cell"]), str(paths.attrs["model"])
    sequences = paths.sizes["sequence"]
    shown = counted_of([sequences], [paths.attrs["sequences_given"]], "sequence")
    kappa = float(class_cancellation(paths, place=place).values.max())
    notes = [
        f"{model}, {paths.attrs['group']}, {shown}",
        *interval_note("bands", [sequences]),
        f"κ ≤ {kappa:.3g}",
        f"residual ≤ {largest_residual(paths, place=place):.0e}",
        *more,
    ]
    write_title(
        ax, f"Gradient of {cell} by class of path, at the {PLACES[place]}", " · ".join(notes)
    )
    ax.set_yscale("log")
    ax.set_xlabel("distance from the loss (timesteps)")
    ax.set_ylabel("‖gradient‖ (of the whole at distance 0)")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
