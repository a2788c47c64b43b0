"""Whether what a cell reads out has the axes that it declares."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

import cells

__all__ = ["check_axes", "check_gated", "wrong_axes"]

TAKEN = ("sequence", "time")  # every signal of a trace has these in front of its own


def check_gated(cell: cells.Cell[Any]) -> None:
    """Refuses a gated state that is made of what the cell does not declare.

    Raises:
        ValueError: If `gated` names no signal of the cell.
    """
    gated = cell.gated
    if gated is None:
        return
    named = {gated.state, gated.write, gated.candidate, gated.keep or gated.write}
    if unknown := sorted(named - set(cell.signals)):
        raise ValueError(
            f"{type(cell).__name__} names {unknown} in `gated`, but its `signals` declares "
            f"{sorted(cell.signals)}. Correct the names, or declare them and read them out."
        )


def check_axes(cell: cells.Cell[Any], readouts: Mapping[str, Tensor]) -> None:
    """Refuses signals whose shapes are not those that their axes say.

    Arguments:
        cell: What read them out.
        readouts: By name, `(time, batch, ...)`.

    Raises:
        ValueError: If one has other axes than it declares.
    """
    if (said := wrong_axes(cell, readouts)) is not None:
        raise ValueError(f"{said} Return it with these axes, in this order, or correct `signals`.")


def wrong_axes(cell: cells.Cell[Any], readouts: Mapping[str, Tensor]) -> str | None:
    """The first signal whose shape is not what its axes say, in words; None if all are right.

    It may have more or fewer axes, one of another size than its labels or another signal have, or
    one that every trace has already.

    Arguments:
        cell: What read them out.
        readouts: By name, `(time, batch, ...)`.
    """
    sizes = {axis: (len(of), "coordinates()") for axis, of in cell.coordinates().items()}
    for name, signal in cell.signals.items():
        if name not in readouts:
            continue
        axes, shape = signal.axes, tuple(readouts[name].shape[1:])
        declared = (
            f"{type(cell).__name__} declares the signal {name} with axes "
            f"({', '.join(('batch', *axes))})"
        )
        if taken := set(axes).intersection(TAKEN):
            return f"{declared}, but a trace has an axis {taken.pop()} of its own."
        if len(shape) != 1 + len(axes):
            return f"{declared}, but reads out shape {shape}."
        for axis, size in zip(axes, shape[1:], strict=True):
            known, origin = sizes.setdefault(axis, (size, name))
            if size != known:
                return (
                    f"{declared}, but reads out shape {shape}, where {axis} has {known} entries in "
                    f"{origin}."
                )
    return None
