"""How the attention by lag comes about: each lag's weight against the iterations of a training."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from attnviz.analysis.evolution import kernel_evolution, kernel_norm_evolution
from attnviz.analysis.reduce import choose_head, head_mean
from attnviz.analysis.statistic import Statistic
from attnviz.plots.axes import number_logarithm, write_title
from attnviz.plots.figures import PaperFigure, new_figure, settle
from attnviz.plots.options import PlotOptions, chosen_lags
from attnviz.plots.sizes import COLUMN, PAGE, chosen_width, enlarged, look
from attnviz.plots.styling import house_style, of_what_is_open

__all__ = ["kernel_evolution_numbers", "plot_kernel_evolution"]

_ACROSS, _NARROW, _HIGH, _NORM = 3, 5.0, 2.2, 0.9
_SAID = ("model", "cell", "task", "seed", "recipe", "format")


@of_what_is_open
def plot_kernel_evolution(
    probes: xr.DataTree | Mapping[str, xr.DataTree],
    *,
    group: str | None = None,
    head: int | Sequence[int] | None = None,
    lags: tuple[int, int] | None = None,
    limits: tuple[float, float] | None = None,
    share: bool = True,
    logarithmic: bool = False,
) -> Figure:
    """Draws the weight of each lag against iterations, a panel a training.

    RRA's normalised kernel has the norm of its lag scores, ‖w‖, in a small panel below: normalising
    hides it. For other cells the weights are means over the probed sequences; the band is one
    standard deviation over them. Cells without attention of their own are drawn by the age of their
    gate attention. The dotted line is an equal share for every lag, where all are drawn.

    Arguments:
        probes: As `attnviz.open_probes` gives them, by the name to show where there are several.
        group: The layer and direction; the first that holds a kernel if not given.
        head: One head, or several; the mean over them is drawn, over all if not given.
        lags: First lag (or age) and the one after the last; all of them if not given.
        limits: Ends of the vertical axis of the weights, in all panels.
        share: Whether all panels have one scale for the weights.
        logarithmic: Iterations on a logarithmic axis, which begins at the first probe after 0.

    Returns:
        A figure: a panel of weights for each training, and below those of RRA their norms.

    Raises:
        KeyError: If the probes hold no kernel.
        ValueError: If there are no probes, or some are by lag and some by age.
    """
    named = {"": probes} if isinstance(probes, xr.DataTree) else dict(probes)
    if not named:
        raise ValueError("plot_kernel_evolution needs the probes of at least one training.")
    options = PlotOptions(group=group, head=head, lags=lags, limits=limits)
    kernels = {name: kernel_evolution_numbers(one, options) for name, one in named.items()}
    if len(axes := {str(one.values.dims[-1]) for one in kernels.values()}) > 1:
        raise ValueError(
            f"plot_kernel_evolution compares like with like, but some of these kernels are by "
            f"{' and some by '.join(sorted(axes))}. Draw them apart."
        )
    norms = {name: _norm(one, group) for name, one in named.items()}
    with house_style():
        axis = axes.pop()
        whole = axis == "lag" and lags is None  # of ages there is no last
        equal = {n: 1 / one.values.sizes[axis] if whole else None for n, one in kernels.items()}
        away = "ahead" if (group or "").endswith("_reverse") else "back"
        figure, upper = _draw(named, kernels, norms, axis, equal, away, logarithmic=logarithmic)
        _scale(upper, limits, share=share)
        settle(figure)
    figure.limits = upper[0].get_ylim()
    if len(named) == 1:
        one = next(iter(named.values()))
        figure.provenance = {key: str(one.attrs[key]) for key in _SAID if key in one.attrs}
    return figure


def kernel_evolution_numbers(probes: xr.DataTree, options: PlotOptions) -> Statistic:
    """The numbers of `plot_kernel_evolution`.

    Arguments:
        probes: As `attnviz.open_probes` gives them.
        options: With group, heads and lags.

    Returns:
        Axes `(step, head, lag)`, of one head or of their mean, or `(step, age)`.
    """
    kernel = kernel_evolution(probes, group=options.group)
    axis = str(kernel.values.dims[-1])
    if axis == "lag":
        if options.head is not None:
            kernel = choose_head(kernel, options.head)
        kernel = head_mean(kernel) if kernel.values.sizes["head"] > 1 else kernel
    return chosen_lags(kernel, options, axis)


def _norm(probes: xr.DataTree, group: str | None) -> Statistic | None:
    try:
        return kernel_norm_evolution(probes, group=group)
    except KeyError:
        return None


def _draw(
    named: Mapping[str, xr.DataTree],
    kernels: Mapping[str, Statistic],
    norms: Mapping[str, Statistic | None],
    axis: str,
    equal: Mapping[str, float | None],
    away: str,
    *,
    logarithmic: bool,
) -> tuple[PaperFigure, list[Axes]]:
    count = len(named)
    width = chosen_width(PAGE if count > 1 else COLUMN * 1.25)
    across = min(count, _ACROSS if width >= _NARROW else 1)
    rows = -(-count // across)
    low = _NORM if any(norms.values()) else 0.0
    figure = new_figure(width, 0.35 + rows * (_HIGH + low))
    figure.set_layout_engine("constrained")
    heights = [_HIGH, low] * rows if low else [_HIGH] * rows
    panels = figure.subplots(
        len(heights), across, squeeze=False, sharex="col" if count > 1 else True,
        height_ratios=heights,
    )  # fmt: skip
    step = 2 if low else 1
    every = sorted({int(lag) for one in kernels.values() for lag in one.values[axis].values})
    colours, norm = _lag_colours(every)
    upper = [panels[step * (n // across), n % across] for n in range(count)]
    for ax, (name, kernel) in zip(upper, kernels.items(), strict=True):
        own = [colours(norm(lag)) for lag in kernel.values[axis].values]
        _draw_weights(ax, kernel, own, equal[name])
        _title(ax, name, named[name], kernel, single=count == 1)
    for n, one in enumerate(norms.values()) if low else ():
        ax = panels[step * (n // across) + 1, n % across]
        _draw_norm(ax, one, first=n % across == 0)
    _finish(panels, upper, count, across, step, logarithmic)
    meaning = f"lag (timesteps {away})" if axis == "lag" else "age (timesteps since written)"
    bar = figure.colorbar(
        ScalarMappable(norm, colours), ax=list(panels.ravel()), label=meaning, aspect=40,
        pad=0.02, ticks=_some(every),
    )  # fmt: skip
    bar.ax.tick_params(which="both", length=0)
    bar.outline.set_visible(False)
    figure.align_ylabels()
    return figure, upper


def _draw_weights(
    ax: Axes, kernel: Statistic, colours: list[tuple[float, ...]], equal: float | None
) -> None:
    values = kernel.values.squeeze("head") if "head" in kernel.values.dims else kernel.values
    spread = kernel.uncertainty
    if spread is not None and "head" in spread.dims:
        spread = spread.squeeze("head")
    steps = values["step"].values
    if equal is not None:
        width = enlarged(0.6)
        ax.axhline(equal, color="0.5", linewidth=width, linestyle=":", gid="equal", zorder=0)
    for n, colour in enumerate(colours):
        line = values.values[:, n]
        ax.plot(steps, line, color=colour, linewidth=enlarged(1.0), gid="weight",
                marker="o" if len(steps) == 1 else "")  # fmt: skip
        if spread is not None and np.isfinite(spread.values[:, n]).any():
            band = spread.values[:, n]
            ax.fill_between(steps, line - band, line + band, color=colour, alpha=0.1, linewidth=0)
    ax.margins(x=0.01)


def _title(ax: Axes, name: str, probes: xr.DataTree, kernel: Statistic, *, single: bool) -> None:
    cell, model = str(probes.attrs.get("cell", "")), str(probes.attrs.get("model", ""))
    width = kernel.values.sizes[str(kernel.values.dims[-1])]
    notes = [] if single or name == model else [model]
    notes.append(f"{width} {kernel.values.dims[-1]}s")
    if kernel.uncertainty is not None:
        notes.append("mean ± sd")
    if "mean over" in kernel.name:
        notes.append(kernel.name.split(", ")[-1])
    what = "Gate attention" if "age" in kernel.values.dims else "Attention"
    title = f"{what} of {cell} while {model} was trained" if single else name or model
    write_title(ax, title, " · ".join(notes), panel=not single)


def _draw_norm(ax: Axes, norm: Statistic | None, *, first: bool) -> None:
    if norm is None:
        ax.set_axis_off()
        return
    steps = norm.values["step"].values
    ax.plot(steps, norm.values.values, color="0.25", linewidth=enlarged(1.0), gid="norm",
            marker="o" if len(steps) == 1 else "")  # fmt: skip
    ax.yaxis.set_major_locator(MaxNLocator(3))
    ax.margins(x=0.01)
    if first:
        ax.set_ylabel("‖w‖")


def _scale(upper: list[Axes], limits: tuple[float, float] | None, *, share: bool) -> None:
    ends = [ax.get_ylim() for ax in upper]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    for ax in upper if share or limits else ():
        ax.set_ylim(*(limits or (low, high)))


def _finish(
    panels: np.ndarray, upper: list[Axes], count: int, across: int, step: int, logarithmic: bool
) -> None:
    """Names of axes, and panels without a training taken away."""
    for n, ax in enumerate(upper):
        below = panels[step * (n // across) + step - 1, n % across]
        below = below if below.axison else ax
        if n % across == 0:
            ax.set_ylabel("weight")
        below.set_xlabel("iterations")
        below.tick_params(labelbottom=True)
        if logarithmic:
            ax.set_xscale("log", nonpositive="mask")
            steps = np.concatenate(
                [line.get_xdata() for line in ax.lines if line.get_gid() == "weight"]
            )
            if (after := steps[steps >= 1]).size:
                ax.set_xlim(left=float(after.min()))
            number_logarithm(below.xaxis)
        else:
            below.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    for n in range(count, panels.size // step):
        for row in range(step):
            panels[step * (n // across) + row, n % across].set_axis_off()


def _some(lags: list[int]) -> list[int]:
    """Lags that are numbered: few enough to be told apart."""
    return lags[:: -(-len(lags) // 12)]


def _lag_colours(lags: list[int]) -> tuple[Colormap, BoundaryNorm]:
    """A colour a lag, dark for the nearest, and which lag has which."""
    edges = np.arange(lags[0], lags[-1] + 2) - 0.5
    ramp = colormaps[look().colours or "viridis"](np.linspace(0.0, 0.92, len(edges) - 1))
    return ListedColormap(ramp), BoundaryNorm(edges, len(edges) - 1)
