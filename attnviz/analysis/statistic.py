"""What an analysis returns: labelled values with what is needed to read and draw them."""

from dataclasses import dataclass

import xarray as xr

__all__ = ["Statistic"]


@dataclass(frozen=True)
class Statistic:
    """Labelled values, with their name, unit and range.

    Arguments:
        name: What it is, in words, such as `mean lag`.
        values: The numbers, with named axes.
        unit: What one unit of the values is, such as `timesteps`.
        bounds: The range the values cannot leave, or none if they are not bounded.
        symbol: The sign it has in the equations, such as `ŵ`.
        uncertainty: Same axes as the values; an interval has one more, `end` (`low`, `high`).
        uncertainty_of: What the uncertainty is, such as `standard deviation over 12 sequences`.
    """

    name: str
    values: xr.DataArray
    unit: str
    bounds: tuple[float, float] | None = None
    symbol: str = ""
    uncertainty: xr.DataArray | None = None
    uncertainty_of: str = ""

    @property
    def label(self) -> str:
        """Name, symbol and unit, for an axis or a colour bar."""
        name = f"{self.name} {self.symbol}".strip()
        return f"{name} ({self.unit})" if self.unit else name
