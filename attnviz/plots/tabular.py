"""The numbers behind a figure as a LaTeX tabular."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from attnviz.analysis.statistic import Statistic
from attnviz.files import replacing
from attnviz.plots.provenance import comments

__all__ = ["save_tabular"]

_MOST_ROWS, _MOST_COLUMNS = 200, 40
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%",
    "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "−": "$-$", "±": r"$\pm$", "κ": r"$\kappa$", "α": r"$\alpha$", "ŵ": r"$\hat{w}$",
    "‖": r"$\|$", "∂": r"$\partial$", "Δ": r"$\Delta$", "Σ": r"$\Sigma$", "ρ": r"$\rho$",
    "σ": r"$\sigma$", "ℓ": r"$\ell$", "ℓ\u0304": r"$\bar{\ell}$",
    "⊙": r"$\odot$", "²": "$^2$", "·": r"$\cdot$", "≤": r"$\leq$",
}  # fmt: skip


def save_tabular(
    statistic: Statistic, path: Path | str, *, provenance: Mapping[str, str], digits: int = 3
) -> Path:
    """Writes a statistic as a LaTeX tabular: the last axis gives the columns, the others the rows.

    A spread is written as ±, an interval in brackets; a missing number is a dash. A lag that
    reaches before the start has a dash, too, or in parentheses the weight that it is given all the
    same. It needs no package. The provenance stands above in
    comments, with the statistic's name and unit.

    Arguments:
        statistic: What to write.
        path: Where to write, ending in `.tex`.
        provenance: What the numbers come from.
        digits: Significant digits of the largest number; all have as many decimals.

    Returns:
        The path.

    Raises:
        ValueError: If the path does not end in `.tex`, or the table would not fit on a page.
    """
    path = Path(path)
    if path.suffix.lower() != ".tex":
        raise ValueError(f"A tabular is written as .tex, but {path.name} ends in {path.suffix!r}.")
    values = statistic.values
    *down, across = (str(axis) for axis in values.dims) if values.ndim > 1 else (values.dims[0], "")
    rows = int(np.prod([values.sizes[axis] for axis in down]))
    columns = values.sizes[across] if across else 1
    if rows > _MOST_ROWS or columns > _MOST_COLUMNS:
        raise ValueError(
            f"A tabular of the {statistic.name} would have {rows} rows and {columns} columns; up "
            f"to {_MOST_ROWS} and {_MOST_COLUMNS} fit. Choose fewer timesteps with --tokens or "
            "fewer lags with --lags, or write the numbers as CSV with --data."
        )
    said = {**provenance, "statistic": statistic.name, "unit": statistic.unit}
    if statistic.uncertainty is not None:
        said["uncertainty"] = statistic.uncertainty_of
    weighed = np.isfinite(values) & (values != 0)
    if "holds" in values.coords and bool(((values["holds"] == "missing") & weighed).any()):
        said["in parentheses"] = "the weight of a lag that reaches before the start"
    path.parent.mkdir(parents=True, exist_ok=True)
    table = _table(statistic, [str(axis) for axis in down], across, digits)
    with replacing(path) as beside:
        beside.write_text(comments(said, "%") + table, encoding="utf-8")
    return path


def _table(statistic: Statistic, down: list[str], across: str, digits: int) -> str:
    values = statistic.values
    heads = [_escaped(name) for axis in down for name in _names(values, axis)]
    columns = [_escaped(str(n)) for n in values[across].values] if across else [_said(statistic)]
    titles = [*heads, *columns]
    finite = np.abs(values.values[np.isfinite(values.values)])
    largest = float(finite.max()) if finite.size and finite.max() > 0 else 1.0
    decimals = int(np.clip(digits - 1 - np.floor(np.log10(largest)), 0, 9))
    form = "l" * len(heads) + "r" * len(columns)
    above = f"{_escaped(across)}: {_said(statistic)}" if across else ""
    lines = [rf"\begin{{tabular}}{{{form}}}", r"\hline"]
    if above:
        lines.append(rf"\multicolumn{{{len(titles)}}}{{r}}{{{above}}} \\")
    lines += [" & ".join(titles) + r" \\", r"\hline"]
    for place in np.ndindex(*(values.sizes[axis] for axis in down)):
        at = dict(zip(down, place, strict=True))
        row = values.isel(at)
        spread = None if statistic.uncertainty is None else statistic.uncertainty.isel(at)
        labels = [_label(values, axis, name, at, digits) for axis in down for name in
                  _names(values, axis)]  # fmt: skip
        cells = [
            _cell(row.isel({across: n} if across else {}), spread, across, n, decimals)
            for n in range(len(columns))
        ]
        lines.append(" & ".join([*labels, *cells]) + r" \\")
    return "\n".join([*lines, r"\hline", r"\end{tabular}", ""])


def _said(statistic: Statistic) -> str:
    """Name, symbol and unit; what stands below the line in the symbol is mathematics."""
    symbol = _escaped(statistic.symbol)
    below = re.sub(r"(\w)\\_(\w)(?!\w)", r"$\1_\2$", symbol)
    return _escaped(statistic.label).replace(symbol, below)


def _names(values: xr.DataArray, axis: str) -> list[str]:
    """What is said of each place of an axis: of time its number and token, and curves over it."""
    own = [str(name) for name in ("timestep", "token") if name in values.coords]
    curves = [str(name) for name, held in values.coords.items() if _is_curve(held, axis)]
    return [*(own if axis == "time" and own else [axis]), *curves]


def _is_curve(held: xr.DataArray, axis: str) -> bool:
    return held.dims == (axis,) and held.name != axis and np.issubdtype(held.dtype, np.floating)


def _label(values: xr.DataArray, axis: str, name: str, at: Mapping[str, int], digits: int) -> str:
    if name not in values.coords:
        return str(at[axis])
    value = values[name].values[at[axis]]
    if not _is_curve(values[name], axis):
        return _escaped(str(value))
    return f"{value:.{digits}g}" if np.isfinite(value) else "--"


def _cell(
    value: xr.DataArray, spread: xr.DataArray | None, across: str, n: int, decimals: int
) -> str:
    number = float(value)
    missing = "holds" in value.coords and str(value["holds"].values) == "missing"
    if not np.isfinite(number) or (missing and number == 0):
        return "--"
    said = _number(number, decimals)
    if missing:
        return f"({said})"
    if spread is None:
        return said
    part = spread.isel({across: n}) if across else spread
    if "end" in part.dims:
        low, high = (float(part.sel(end=end)) for end in ("low", "high"))
        return f"{said} [{_number(low, decimals)}, {_number(high, decimals)}]"
    return f"{said} $\\pm$ {_number(float(part), decimals)}" if np.isfinite(part) else said


def _number(value: float, decimals: int) -> str:
    said = f"{value:.{decimals}f}"
    return f"${said}$" if said.startswith("-") else said


def _escaped(text: str) -> str:
    return "".join(_SPECIAL.get(sign, sign) for sign in re.findall(".\u0304?", text, re.DOTALL))
