"""Learning curves of several runs, and scores against what was searched."""

from collections.abc import Mapping, Sequence
from numbers import Real

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter
from matplotlib.transforms import offset_copy

from attnviz.analysis.learning import learning_curve, score_against, scores_of
from attnviz.analysis.statistic import Statistic
from attnviz.cards import CELLS
from attnviz.plots.axes import (
    axes_to_draw_on,
    draw_band,
    legend_beside,
    number_logarithm,
    write_title,
)
from attnviz.plots.captions import counted
from attnviz.plots.lettering import drawable, text_width
from attnviz.plots.options import by_name
from attnviz.plots.sizes import PAGE, enlarged
from attnviz.plots.styling import cycle_colour, of_what_is_open

__all__ = ["plot_learning_curves", "plot_score_against"]

_WIDTH, _HEIGHT = 0.8 * PAGE, 2.7
_FEW = 10  # points of a curve that are marked
_AXES = {
    "validation": "validation score",
    "loss": "loss on fresh sequences",
    "window": "window (timesteps)",
    "test": "test score",
}
Rows = Sequence[Mapping[str, float | int]]
History = pd.DataFrame | Rows | Sequence[pd.DataFrame | Rows]
Curves = Mapping[str, History]


@of_what_is_open
def plot_learning_curves(
    histories: Curves,
    *,
    score: str | None = None,
    logarithmic: bool = False,
    logarithmic_iterations: bool = False,
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draws a score against iterations: the mean over seeds, their range, and each run faintly.

    The mean ends where the shortest of the runs ends; the faint lines go on. Where nothing but the
    five cells is compared, a cell has the same colour in every figure.

    Arguments:
        histories: By the name to show, a table a run, or one for each seed: with the column `step`
            and the score's, such as `Run.history` or `history.csv` of a run, or what
            `attnviz.studies.open_curves` and `open_checks` give.
        score: Which column; the first of `validation_accuracy`, `validation_perplexity`,
            `validation_loss` and `loss` that all have if not given.
        logarithmic: The score on a logarithmic axis.
        logarithmic_iterations: Iterations on a logarithmic axis.
        limits: Ends of the vertical axis, to compare figures.
        ax: Where to draw; a new figure if not given.

    Returns:
        The Axes, one line labelled a name.

    Raises:
        ValueError: If there is no run, one lacks the column, no score is finite, or a logarithmic
            axis is asked for scores that are not all above 0.
    """
    by_name(histories, "plot_learning_curves", "histories")
    named = {name: _tables(one) for name, one in histories.items()}
    if not any(named.values()):
        raise ValueError("plot_learning_curves needs the history of at least one run, got none.")
    column = score or next(iter(scores_of([run for runs in named.values() for run in runs])), None)
    curves = {name: learning_curve(runs, score=column) for name, runs in named.items()}
    if not any(np.isfinite(curve.values).any() for curve in curves.values()):
        raise ValueError(f"{column} is no finite number at any step: the training diverged.")
    lowest = min(float(curve.values.min()) for curve in curves.values())
    if logarithmic and lowest <= 0:
        raise ValueError(
            f"A logarithmic axis needs scores above 0, but the lowest here is {lowest:.4g}. Draw "
            "them with logarithmic=False."
        )
    with axes_to_draw_on(ax, _WIDTH, _HEIGHT) as drawn:
        for number, (name, curve) in zip(_numbered([*curves]), curves.items(), strict=True):
            _draw_curve(drawn, curve, named[name], number)
        _name_curves(drawn, curves, named)
        for axis, wanted, scale in (
            (drawn.yaxis, logarithmic, drawn.set_yscale),
            (drawn.xaxis, logarithmic_iterations, drawn.set_xscale),
        ):
            if wanted:
                scale("log")
                number_logarithm(axis)
        if limits is not None:
            drawn.set_ylim(*limits)
    return drawn


def _tables(history: History) -> list[pd.DataFrame]:
    """A table a run, of one run or of several."""
    if isinstance(history, pd.DataFrame):
        return [history]
    if history and isinstance(history[0], Mapping):  # the rows of a single run
        return [pd.DataFrame(list(history))]
    return [one if isinstance(one, pd.DataFrame) else pd.DataFrame(list(one)) for one in history]


def _numbered(names: Sequence[str]) -> list[int]:
    """The colours of names: a cell's own where nothing but cells is compared, else by place."""
    cells = [name.lower() for name in names]
    if len({*cells}) == len(cells) and {*cells} <= {*CELLS}:
        return [CELLS.index(cell) for cell in cells]
    return [*range(len(names))]


def _draw_curve(ax: Axes, curve: Statistic, runs: Sequence[pd.DataFrame], number: int) -> None:
    colour, dashes = cycle_colour(number), "-" if number < 7 else "--"
    column = curve.name.replace(" ", "_")
    mark = "o" if curve.values.sizes["step"] <= _FEW else ""
    ax.plot(
        curve.values["step"], curve.values, dashes, color=colour, gid="mean", marker=mark,
        linewidth=enlarged(1.2), markersize=enlarged(3.0),
    )  # fmt: skip
    if curve.uncertainty is None:
        return
    draw_band(ax, curve.values["step"], curve.uncertainty, colour=colour)
    for run in runs:
        ax.plot(run["step"], run[column], dashes, color=colour, alpha=0.35, gid="run",
                linewidth=enlarged(0.5))  # fmt: skip


def _name_curves(
    ax: Axes, curves: Mapping[str, Statistic], named: Mapping[str, list[pd.DataFrame]]
) -> None:
    what = next(iter(curves.values())).name
    counts = [len(runs) for runs in named.values()]
    notes = [counted(counts, "run") + (" each" if len(counts) > 1 else "")]
    notes += ["mean and range"] if max(counts) > 1 else []
    write_title(ax, f"{_AXES.get(what, what).capitalize()} by iterations", " · ".join(notes))
    ax.set_xlabel("iterations")
    ax.set_ylabel(_AXES.get(what, what))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))
    legend_beside(ax, [line for line in ax.lines if line.get_gid() == "mean"], list(curves))


@of_what_is_open
def plot_score_against(
    runs: pd.DataFrame,
    *,
    value: str,
    score: str = "validation",
    by: str = "cell",
    logarithmic: bool = False,
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draws the score at the end of a training against one value that was searched.

    The line is the mean over the runs that had the value, bars reach from the lowest to the
    highest. What else differs between these runs, seeds or other searched values, is in the bars.
    Each value is numbered below the axis, where the numbers do not touch. Colours are as in
    `plot_learning_curves`.

    Arguments:
        runs: One row a run, as `trials` of what `attnviz.studies.open_curves` gives.
        value: Column of what was searched, such as `model.options.window`. What is no number is
            drawn at equal distances.
        score: Column of what came out.
        by: Column of what is compared: one line each.
        logarithmic: Values on a logarithmic axis.
        limits: Ends of the vertical axis, to compare figures.
        ax: Where to draw; a new figure if not given.

    Returns:
        The Axes, one line labelled a cell.

    Raises:
        ValueError: If a column is missing, there is no run with both, or a logarithmic axis is
            asked for values that are not all above 0.
    """
    statistic = score_against(runs, value, score=score, by=by)
    axis = str(statistic.values.dims[1])
    places = statistic.values[axis].values
    numbers = np.issubdtype(places.dtype, np.number)
    if logarithmic and not (numbers and (places > 0).all()):
        raise ValueError(
            f"A logarithmic axis needs numbers above 0, but {value} is {places.tolist()}. Draw "
            "them with logarithmic=False."
        )
    at = places.astype(float) if numbers else np.arange(float(len(places)))
    with axes_to_draw_on(ax, _WIDTH, _HEIGHT) as drawn:
        names = [str(name) for name in statistic.values[by].values]
        for row, number in enumerate(_numbered(names)):
            # Side by side, so that bars at one value can be told apart.
            beside = (row - (len(names) - 1) / 2) * enlarged(2.5)
            _draw_scores(drawn, statistic, row, number, at, beside)
        if logarithmic:
            drawn.set_xscale("log")
        _name_scores(drawn, statistic, at)
        drawn.autoscale_view()
        if numbers and not _apart(drawn, at):
            _number_evenly(drawn)
        if limits is not None:
            drawn.set_ylim(*limits)
    return drawn


def _apart(ax: Axes, at: np.ndarray) -> bool:
    """Whether the numbers below the axis, one at each value, do not touch."""
    labels = ax.get_xticklabels()
    size = float(labels[0].get_fontsize())
    words, families = drawable([label.get_text() for label in labels])
    widths = np.array([text_width(word, size, families) for word in words])
    figure = ax.get_figure(root=True)
    dots = ax.transData.transform(np.column_stack([at, np.zeros(len(at))]))[:, 0]
    gaps = np.diff(dots) / (72.0 if figure is None else figure.get_dpi()) * 72
    return bool((gaps > (widths[1:] + widths[:-1]) / 2 + size / 2).all())


def _number_evenly(ax: Axes) -> None:
    """Numbers that do not touch, in place of one at each value."""
    if ax.get_xscale() == "log":
        ax.set_xscale("log")  # its own numbers, for those at the values
        number_logarithm(ax.xaxis)
    else:
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.xaxis.set_major_formatter(ScalarFormatter())


def _draw_scores(
    ax: Axes, statistic: Statistic, row: int, number: int, at: np.ndarray, beside: float
) -> None:
    mean, ends = statistic.values[row].values, statistic.uncertainty
    there = np.isfinite(mean)
    place = offset_copy(ax.transData, ax.get_figure(root=True), x=beside, units="points")
    low, high = (
        (mean, mean) if ends is None else (ends[row].sel(end=end) for end in ("low", "high"))
    )
    for ys in (low, high):  # what stands beside its place has no say in the limits by itself
        ax.update_datalim(np.column_stack([at[there], np.asarray(ys)[there]]))
    colour = cycle_colour(number)
    ax.vlines(
        at[there], np.asarray(low)[there], np.asarray(high)[there], color=colour, gid="range",
        linewidth=enlarged(0.9), transform=place,
    )  # fmt: skip
    ax.plot(
        at[there], mean[there], "o-" if number < 7 else "o--", color=colour, gid="mean",
        markersize=enlarged(3.0), linewidth=enlarged(1.1), transform=place,
    )  # fmt: skip


def _name_scores(ax: Axes, statistic: Statistic, at: np.ndarray) -> None:
    by, axis = map(str, statistic.values.dims)
    places = statistic.values[axis].values
    counts = statistic.values["runs"].values
    score = statistic.name.removesuffix(f" by {axis.replace('_', ' ')}")
    word = axis.replace("_", " ")
    notes = f"{counted(counts[counts > 0].tolist(), 'run')} each"
    notes += " · mean and range" if counts.max() > 1 else ""
    write_title(ax, f"{_AXES.get(score, score).capitalize()} by {word}", notes)
    ax.set_xlabel(_AXES.get(axis, word))
    ax.set_ylabel(_AXES.get(score, score))
    ax.set_xticks(at, [f"{one:g}" if isinstance(one, Real) else str(one) for one in places])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.margins(x=0.06)
    names = [str(name) for name in statistic.values[by].values]
    legend_beside(ax, [line for line in ax.lines if line.get_gid() == "mean"], names)
