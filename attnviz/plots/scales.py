"""From numbers to colours: one scale for all panels that are compared."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LogNorm, Normalize
from matplotlib.ticker import MaxNLocator

from attnviz.analysis.statistic import Statistic
from attnviz.plots.lettering import subscripts
from attnviz.plots.sizes import look

__all__ = ["ColourScale", "beyond_scale", "colour_scale", "ratio_scale"]

# Blue is more in both, and both can be told apart by the colour-blind.
SEQUENTIAL, DIVERGING = "Blues", "RdBu"
BAD = "0.88"
_CHARACTERS = 18  # that fit below a colour bar, with room between numbers


@dataclass(frozen=True)
class ColourScale:
    """Which colour a value gets, and what the values are.

    Arguments:
        lowest: Value at the lower end.
        highest: Value at the upper end.
        colours: Name of the colour map.
        label: What is shown, with its unit.
    """

    lowest: float
    highest: float
    colours: str
    label: str
    logarithmic: bool = False

    @property
    def norm(self) -> Normalize:
        """Values to the unit interval."""
        kind = LogNorm if self.logarithmic else Normalize
        return kind(self.lowest, self.highest, clip=True)

    @property
    def colour_map(self) -> Colormap:
        """The colours, with grey for values that are not there."""
        return matplotlib.colormaps[look().colours or self.colours].with_extremes(bad=BAD)

    def draw_bar(self, ax: Axes) -> None:
        """Draws the scale itself, as a bar from left to right."""
        steps = np.geomspace if self.logarithmic else np.linspace
        ramp = steps(self.lowest, self.highest, 256)[None, :]
        ax.imshow(
            ramp, cmap=self.colour_map, norm=self.norm, aspect="auto", extent=(0.0, 1.0, 0.0, 1.0)
        )
        values = self._ticks()
        labels = [self._number(value) for value in values]
        ax.set_xticks([float(self.norm(value)) for value in values], labels)
        ax.set_yticks([])
        ax.set_xlim(0, 1)

    def _ticks(self) -> list[float]:
        if self.logarithmic:
            top = int(np.floor(np.log2(self.highest)))
            step = max(1, -(-top // 2))
            powers = sorted({sign * p for sign in (-1, 1) for p in range(0, top + 1, step)})
            return [2.0**power for power in powers]
        slack = 1e-9 * (self.highest - self.lowest)
        for most in (4, 3, 2):
            locator = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10])
            ticks = locator.tick_values(self.lowest, self.highest)
            inside = [v for v in ticks if self.lowest - slack <= v <= self.highest + slack]
            rounded = [0.0 if abs(v) < slack else float(f"{v:.6g}") for v in inside]
            if sum(len(self._number(value)) for value in rounded) <= _CHARACTERS:
                break
        return rounded

    def _number(self, value: float) -> str:
        return _fraction(value) if self.logarithmic else f"{value:g}".replace("-", "−")


def colour_scale(
    statistic: Statistic,
    *,
    limits: tuple[float, float] | None = None,
    also: Iterable[Statistic] = (),
    at_least: float = 0.0,
) -> ColourScale:
    """The scale for a statistic: diverging around 0 where values are of either sign.

    Arguments:
        statistic: What is drawn; its label goes to the colour bar.
        limits: Ends of the scale, to compare with another figure; from the values if not given.
        also: Further statistics drawn on the same scale.
        at_least: Where the scale ends at the lowest, so that small values do not look large.

    Returns:
        The scale.
    """
    low, high = _range([statistic, *also])
    if limits is not None:
        low, high = limits
    if low < 0:
        reach = max(abs(high), abs(low))
        low, high = (-reach, reach) if limits is None else limits
        return ColourScale(low, high, DIVERGING, _label(statistic))
    low, high = (0.0, max(high, at_least)) if limits is None else limits
    return ColourScale(low, high if high > low else low + 1.0, SEQUENTIAL, _label(statistic))


def ratio_scale(statistic: Statistic, *, limits: tuple[float, float] | None = None) -> ColourScale:
    """The scale for multiples of what would be uniform: logarithmic, 1 in the middle.

    Arguments:
        statistic: Values that are never negative.
        limits: Ends of the scale; from the highest value `m` if not given, as `1/m` to `m`.

    Returns:
        The scale.

    Raises:
        ValueError: If the lower limit is not above 0.
    """
    if limits is not None and not limits[0] > 0:
        raise ValueError(
            f"This colour scale is logarithmic: its limits lie above 0, but limits is {limits}."
        )
    high = max(_range([statistic])[1], 2.0)
    low, high = (1 / high, high) if limits is None else limits
    return ColourScale(low, high, DIVERGING, _label(statistic), logarithmic=True)


def beyond_scale(
    statistic: Statistic, scaling: Statistic, scale: ColourScale, *, where: str
) -> list[str]:
    """A note where values lie beyond the colours, which limits or a shared scale may cut off too.

    What both round to the same is not worth a note.

    Arguments:
        statistic: What is drawn.
        scaling: The part of it that the scale was made from.
        scale: The colours.
        where: The timesteps that this part leaves out, in words.

    Returns:
        A note, or none.
    """
    highest, full = (
        float(np.nanmax(np.abs(part.values.values), initial=0.0)) for part in (statistic, scaling)
    )
    darkest, most = f"{scale.highest:.2g}", f"{highest:.2g}"
    if not highest > scale.highest or darkest == most:
        return []
    at = f" at {where}" if full <= scale.highest * (1 + 1e-6) else ""
    return [f"The darkest colour stands for {darkest} and more: up to {most}{at}."]


def _label(statistic: Statistic) -> str:
    return replace(statistic, symbol=subscripts(statistic.symbol)).label


def _fraction(value: float) -> str:
    return f"{value:g}" if value >= 1 else f"1/{1 / value:g}"


def _range(statistics: list[Statistic]) -> tuple[float, float]:
    values = np.concatenate([np.ravel(part.values.values) for part in statistics])
    finite = values[np.isfinite(values)]
    return (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
