"""The attention by lag of a whole trace: RRA's static kernel, or a mean with its spread."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from attnviz.analysis import Statistic, age_kernel, choose_head, head_mean, lag_kernel
from attnviz.plots.axes import axes_to_draw_on, letter_legend, number_logarithm
from attnviz.plots.captions import cell_name, reads_backwards
from attnviz.plots.lettering import own_words, subscripts
from attnviz.plots.options import PlotOptions, chosen_lags, need
from attnviz.plots.sizes import COLUMN, enlarged, look
from attnviz.plots.styling import cycle_colour, of_what_is_open
from attnviz.trace import Trace, layer_groups

__all__ = ["lag_kernel_numbers", "plot_lag_kernel"]

_MOST_HEADS = 6
_MEANT = {"kernel": "attention", "gate kernel": "gate attention"}  # by what a line is grouped as
_AGE = "age (timesteps since written, 0 = now)"


@of_what_is_open
def plot_lag_kernel(
    trace: Trace,
    *,
    group: str | None = None,
    head: int | Sequence[int] | None = None,
    logarithmic: bool = False,
    lags: tuple[int, int] | None = None,
    limits: tuple[float, float] | None = None,
    name: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draws the attention by lag: one line for each head.

    RRA's kernel is static and drawn as it is. For
    other cells it is the mean over timesteps at which every lag is reachable, and then over
    sequences; the band is one standard deviation over sequences. Cells without attention of their
    own are drawn by the age of their gate attention. Call it again with the same `ax` to compare
    traces.

    Arguments:
        trace: Must hold `attention` or `gate_attention`.
        group: The layer and direction; the first that holds it if not given.
        head: One head, or several; all of them if not given (more than six as their mean).
        logarithmic: Draw the weights on a logarithmic axis.
        lags: First lag (or age) and the one after the last; all of them if not given.
        limits: Ends of the vertical axis, to compare figures.
        name: Of the line; the model's if not given.
        ax: Where to draw; a new figure if not given.

    Returns:
        The Axes, each line labelled with the model and its head.

    Raises:
        KeyError: If the trace holds neither signal.
        ValueError: If `logarithmic` is asked for weights that are not all positive, or no
            sequence is long enough for a mean.
    """
    name = str(trace.tree.attrs.get("model", "model")) if name is None else name
    options = PlotOptions(group=group, head=head, lags=lags, limits=limits)
    statistic = lag_kernel_numbers(trace, options)
    lowest = float(statistic.values.min())
    if logarithmic and lowest <= 0:
        raise ValueError(
            f"A logarithmic axis needs weights above 0, but the lowest here is {lowest:.4g}. "
            "Draw them with logarithmic=False."
        )
    with axes_to_draw_on(ax, COLUMN, 2.3) as drawn:
        _draw_all(drawn, trace, statistic, options, name)
        if logarithmic:
            drawn.set_yscale("log")
            _tick_logarithm(drawn)
        else:
            drawn.axhline(0, color="0.6", linewidth=enlarged(0.5), zorder=0)
        if limits is not None:
            drawn.set_ylim(*limits)
    return drawn


def _draw_all(
    ax: Axes, trace: Trace, statistic: Statistic, options: PlotOptions, name: str
) -> None:
    group = _source(trace, options.group)[1]
    heads = trace.tree[group].sizes.get("head", 1)
    used = len(_curves(ax))
    named = name if len(layer_groups(trace)) == 1 else f"{name}, {group}"
    for index in range(statistic.values.sizes["head"]):
        label = _label(named, statistic, index, heads=heads)
        _draw(ax, statistic, index, cycle_colour(used + index), label)
    _tell_apart(ax)
    _name_axes(ax, statistic, trace, group, first=used == 0)


def _curves(ax: Axes) -> list[Line2D]:
    return [line for line in ax.lines if line.get_gid() in _MEANT]


def _tell_apart(ax: Axes) -> None:
    """Says in the labels which curve is of gate attention, where not all are or none is."""
    curves = _curves(ax)
    if len({curve.get_gid() for curve in curves}) == 1:
        return
    for curve in curves:
        label, meant = str(curve.get_label()), f": {_MEANT[str(curve.get_gid())]}"
        curve.set_label(label.removesuffix(meant) + meant)


def _tick_logarithm(ax: Axes) -> None:
    low, high = ax.get_ylim()
    if high / low < 1.5:  # all but the same: shown as that, and not as differences in last digits
        ax.set_ylim(low / 1.2, high * 1.2)
    number_logarithm(ax.yaxis)


def lag_kernel_numbers(trace: Trace, options: PlotOptions) -> Statistic:
    """The numbers of `plot_lag_kernel`.

    Arguments:
        trace: Must hold `attention` or `gate_attention`.
        options: With the group and the head.

    Returns:
        Axes `(head, lag)` or `(head, age)`, with the spread over sequences as the uncertainty.
    """
    signal, group = _source(trace, options.group)
    if signal == "gate_attention":
        by_age = age_kernel(trace, group=group)
        spread = by_age.uncertainty
        by_age = replace(
            by_age, values=by_age.values.expand_dims("head"),
            uncertainty=None if spread is None else spread.expand_dims("head"),
        )  # fmt: skip
        return chosen_lags(by_age, options, "age")
    by_lag = lag_kernel(trace, group=group)
    heads = {"head": np.arange(by_lag.values.sizes["head"])}
    spread = by_lag.uncertainty
    by_lag = replace(
        by_lag, values=by_lag.values.assign_coords(heads),
        uncertainty=None if spread is None else spread.assign_coords(heads),
    )  # fmt: skip
    by_lag = chosen_lags(by_lag, options)
    if options.head is not None:
        return choose_head(by_lag, options.head)
    return head_mean(by_lag) if by_lag.values.sizes["head"] > _MOST_HEADS else by_lag


def _source(trace: Trace, group: str | None) -> tuple[str, str]:
    groups = [group] if group in layer_groups(trace) else layer_groups(trace)
    lagged = any("attention" in trace.tree[name].data_vars for name in groups)
    gated = any("gate_attention" in trace.tree[name].data_vars for name in groups)
    name = "gate_attention" if gated and not lagged else "attention"
    return name, need(trace, name, group)


def _draw(ax: Axes, statistic: Statistic, index: int, colour: str, label: str) -> None:
    weights = statistic.values.isel(head=index)
    lags = weights[weights.dims[0]].values
    (line,) = ax.plot(
        lags, weights.values, "o-", color=colour, markersize=enlarged(3.0), linewidth=enlarged(1.0)
    )
    line.set_gid("gate kernel" if weights.dims[0] == "age" else "kernel")
    line.set_label(label)
    if statistic.uncertainty is None:
        ax.vlines(lags, 0, weights.values, color=colour, linewidth=enlarged(1.6), alpha=0.35)
        return
    spread = statistic.uncertainty.isel(head=index).values
    if np.isfinite(spread).any():
        low, high = weights.values - spread, weights.values + spread
        ax.fill_between(lags, low, high, color=colour, alpha=0.18, linewidth=0)


def _label(name: str, statistic: Statistic, index: int, *, heads: int) -> str:
    label = name
    if "mean over" in statistic.name:
        label += f", {statistic.name.split(', ')[-1]}"
    elif heads > 1:
        label += f", head {statistic.values['head'].values[index]}"
    return label if statistic.uncertainty is None else f"{label} (n = {_count(statistic)})"


def _count(statistic: Statistic) -> str:
    return statistic.uncertainty_of.split(" over ")[-1].split(" ")[0]


def _name_axes(ax: Axes, statistic: Statistic, trace: Trace, group: str, *, first: bool) -> None:
    way = "ahead" if reads_backwards(trace, group) else "back"
    across = _AGE if "age" in statistic.values.dims else f"lag (timesteps {way})"
    ax.set_xlabel(across if first else _of_both(ax.get_xlabel(), across))
    kind = "weight" if statistic.uncertainty is None else "weight, mean ± sd"
    label = f"attention {subscripts(statistic.symbol)} ({kind})"
    ax.set_ylabel(label if first or ax.get_ylabel() == label else "weight (means: ± sd)")
    what = "Gate attention" if "gate" in statistic.name else "Attention"
    title = f"{what} of {cell_name(trace, group)}"
    before = ax.get_title(loc="left").rpartition(" by ")[0]
    same = first or look().title is not None or title == before
    title = f"{title} by {statistic.values.dims[-1]}" if same else "Attention by lag"
    own = look().title
    title, maths = (title, False) if own is None else own_words(own)
    ax.set_title(title, loc="left", parse_math=maths)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    letter_legend(ax.legend())


def _of_both(before: str, now: str) -> str:
    """The name of an axis of lags and ages, whichever way their layers read."""
    if before == now:
        return now
    what = "lag or age" if "age" in before + now else "lag"
    ways = [way for way in ("back", "ahead") if way in before + now]
    return f"{what} (timesteps {' or '.join(ways)})"
