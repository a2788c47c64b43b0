"""What is stacked in a row of a wrapped figure: a map, or a line, over the same timesteps."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib import rcParams
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from attnviz.plots.scales import ColourScale
from attnviz.plots.sizes import NOTE_SIZE, enlarged
from attnviz.plots.styling import cycle_colour
from attnviz.trace import SOURCE_INITIAL, SOURCE_MISSING

__all__ = ["LineStrip", "MapStrip", "StackStrip", "Strip", "source_keys"]

_HATCHES = {SOURCE_INITIAL: "xxxxxx", SOURCE_MISSING: "//////"}
_HATCH_COLOUR = "0.45"


@dataclass(frozen=True)
class MapStrip:
    """A heatmap, one row of cells for each row of values, the first at the bottom.

    Arguments:
        values: What to draw.
        scale: The colours.
        rows: A label for each row.
        height: In inches.
        label: What this strip is, such as `head 0`.
        holds: What stands at each cell (`SOURCE_REAL`, ...); cells that hold no real state are
            hatched, and those that hold nothing show no colour.
    """

    values: Float[np.ndarray, "row time"]
    scale: ColourScale
    rows: list[str]
    height: float
    label: str = ""
    holds: UInt8[np.ndarray, "row time"] | None = None

    def draw(self, ax: Axes, first: int, last: int) -> None:
        """Draws the timesteps from `first` up to, not including, `last`."""
        count = last - first
        ax.imshow(
            self.values[:, first:last], cmap=self.scale.colour_map, norm=self.scale.norm,
            aspect="auto", origin="lower", extent=(-0.5, count - 0.5, -0.5, len(self.rows) - 0.5),
        )  # fmt: skip
        if self.holds is not None:
            _hatch(ax, self.holds[:, first:last])
        self._label_rows(ax)

    def _label_rows(self, ax: Axes) -> None:
        # A label needs a little more than its own height; where rows are lower, label every n-th.
        every = max(1, int(np.ceil((NOTE_SIZE + 0.8) * len(self.rows) / (72 * self.height))))
        shown = range(0, len(self.rows), every)
        labels = [self.rows[row] for row in shown]
        ax.set_yticks(list(shown), labels, fontsize=enlarged(NOTE_SIZE), parse_math=False)
        _tick(ax)


@dataclass(frozen=True)
class LineStrip:
    """Lines over the timesteps.

    Arguments:
        values: One line for each row.
        limits: Ends of the vertical axis.
        height: In inches.
        label: What the lines show.
        reference: Height of a dotted line to compare the first one with.
        logarithmic: Whether the vertical axis is.
    """

    values: Float[np.ndarray, "line time"]
    limits: tuple[float, float]
    height: float
    label: str = ""
    reference: float | None = None
    logarithmic: bool = False

    def draw(self, ax: Axes, first: int, last: int) -> None:
        """Draws the timesteps from `first` up to, not including, `last`."""
        marker = "." if last - first == 1 else None  # a line of one point is not to be seen
        for index, line in enumerate(self.values):
            ax.plot(
                np.arange(last - first), line[first:last], color=cycle_colour(index), marker=marker,
                linewidth=enlarged(0.9),
            )  # fmt: skip
        if self.reference is not None:
            ax.axhline(
                self.reference, color=cycle_colour(0), linewidth=enlarged(0.5), linestyle=":"
            )
        if self.logarithmic:
            ax.set_yscale("log")
            ax.minorticks_off()
        low, high = self.limits
        # A hair wider on a logarithmic axis, whose ends rounding may cut off.
        ax.set_ylim(*(low * 0.999, high * 1.001) if self.logarithmic else (low, high))
        ax.set_yticks(list(self.limits), [f"{limit:.3g}" for limit in self.limits])
        _tick(ax)
        # Inside the strip's height, clear of what stands above and below.
        lower, upper = ax.get_yticklabels()
        lower.set_verticalalignment("bottom")
        upper.set_verticalalignment("top")


@dataclass(frozen=True)
class StackStrip:
    """Signed parts of a whole, upwards from zero where positive and downwards where negative.

    Arguments:
        values: One part for each row; NaN leaves a gap.
        colours: One for each part.
        limits: Ends of the vertical axis.
        height: In inches.
        label: What the parts are of.
    """

    values: Float[np.ndarray, "part time"]
    colours: list[str]
    limits: tuple[float, float]
    height: float
    label: str = ""

    def draw(self, ax: Axes, first: int, last: int) -> None:
        """Draws the timesteps from `first` up to, not including, `last`."""
        places = np.arange(last - first)
        for sign in (1.0, -1.0):
            base = np.zeros(last - first)
            for part, colour in zip(self.values[:, first:last], self.colours, strict=True):
                height = sign * np.clip(sign * np.nan_to_num(part), 0.0, None)
                ax.bar(places, height, 1.0, bottom=base, color=colour, linewidth=0)
                base = base + height
        ax.axhline(0.0, color="0.3", linewidth=enlarged(0.4))
        ax.axhline(1.0, color="0.3", linewidth=enlarged(0.4), linestyle=":")
        ax.set_ylim(*self.limits)
        shown = [tick for tick in (0.0, 1.0) if self.limits[0] <= tick <= self.limits[1]]
        ax.set_yticks(shown, [f"{tick:g}" for tick in shown])
        _tick(ax)


#: What can be stacked.
Strip = MapStrip | LineStrip | StackStrip


def source_keys(
    holds: UInt8[np.ndarray, "row time"], *, backwards: bool = False
) -> list[tuple[Artist, str]]:
    """Patches and names for the legend: the marks that occur.

    Arguments:
        holds: What stands at each cell.
        backwards: Whether the layer reads from the end.

    Returns:
        Pairs of a patch and what it means.
    """
    missing = "after the end" if backwards else "before the start"
    names = {SOURCE_INITIAL: "initial state", SOURCE_MISSING: f"missing: {missing}"}
    return [
        (_patch(0.0, 0.0, 1.0, kind), name) for kind, name in names.items() if (holds == kind).any()
    ]


def _tick(ax: Axes) -> None:
    length = enlarged(1.5)
    ax.tick_params(axis="y", length=length, pad=length, labelsize=enlarged(NOTE_SIZE))


def _hatch(ax: Axes, holds: UInt8[np.ndarray, "row time"]) -> None:
    for kind in _HATCHES:
        for row, cells in enumerate(holds == kind):
            edges = np.flatnonzero(np.diff(cells, prepend=False, append=False))
            for start, end in edges.reshape(-1, 2):
                ax.add_patch(_patch(start - 0.5, row - 0.5, float(end - start), kind))


def _patch(left: float, bottom: float, width: float, kind: int) -> Rectangle:
    # A weight on what does not exist is nothing to compare with the others.
    behind = rcParams["axes.facecolor"] if kind == SOURCE_MISSING else "none"
    return Rectangle(
        (left, bottom), width, 1.0, facecolor=behind, edgecolor=_HATCH_COLOUR, linewidth=0,
        hatch=_HATCHES[kind],
    )  # fmt: skip
