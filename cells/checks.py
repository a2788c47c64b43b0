"""Whether what a layer is given fits it, and whether a cell's step returns what a layer reads."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from cells.base import Cell

__all__ = ["check_began", "check_cell", "check_input", "check_state", "check_step"]


def check_input(name: str, x: Tensor, cell: Cell[Any], *, features: int, batch_first: bool) -> None:
    """Refuses an input that a layer does not read.

    Arguments:
        name: Of the layer.
        x: The input.
        cell: The first that reads it.
        features: How many it has.
        batch_first: Whether the batch is the first axis.

    Raises:
        TypeError: If it is no tensor, or of another precision than the parameters.
        ValueError: If it has other axes than the layer reads, or is empty.
    """
    axes = "(batch, time, feature)" if batch_first else "(time, batch, feature)"
    if not isinstance(x, Tensor):
        raise TypeError(
            f"{name} reads a tensor {axes} or a PackedSequence, got a {type(x).__module__}."
            f"{type(x).__name__}. Make it one with torch.as_tensor."
        )
    if x.dim() != 3 or x.shape[-1] != features:
        raise ValueError(
            f"{name} reads input of shape {axes} with {features} features, got shape "
            f"{tuple(x.shape)}."
        )
    if 0 in x.shape:
        raise ValueError(
            f"{name} needs at least one timestep and one sequence, got input of shape "
            f"{tuple(x.shape)} for {axes}."
        )
    own = next(cell.parameters(), x).dtype
    if x.dtype != own and not _read_together(x, cell):
        raise TypeError(
            f"{name} has parameters of {own}, got input of {x.dtype}. Give it x.to({own}), or "
            "move the layer to the precision of the input."
        )


def _read_together(x: Tensor, cell: Cell[Any]) -> bool:
    """Whether a cell can read numbers of another precision than its first parameter."""
    kinds = {parameter.dtype for parameter in cell.parameters()}
    if x.dtype in kinds:
        return True
    # Autocast brings numbers of all precisions together but float64, which it leaves as it is.
    mixed = torch.is_autocast_enabled(x.device.type) and x.is_floating_point()
    return mixed and torch.float64 not in kinds | {x.dtype}


def check_state(
    state: tuple[Any, ...], groups: Mapping[str, Cell[Any]], *, batch: int, refused: bool
) -> None:
    """Raises if a state is not one that the layer could have returned for such a batch.

    Arguments:
        state: One named tuple a group.
        groups: The cells.
        batch: Sequences.
        refused: Whether the layer reads from both ends and was not told to take a state.

    Raises:
        TypeError: If it is the state of another cell.
        ValueError: If there are too many or too few, or their shapes do not fit.
    """
    if refused:
        raise ValueError(
            "A bidirectional layer reads a sequence from both ends and cannot go on from a "
            "state. Give it whole sequences; or set allow_reverse_state, if this is a state for "
            "each direction to begin with."
        )
    if len(state) != len(groups):
        raise ValueError(
            f"The state needs one named tuple for each of the groups {list(groups)}, got "
            f"{len(state)}."
        )
    for (group, cell), given in zip(groups.items(), state, strict=True):
        _check_group(group, cell, given, batch)


def check_cell(cell: object) -> None:
    """Raises TypeError if what shall be a layer's cell is none, or lacks its declarations."""
    if not isinstance(cell, Cell):
        raise TypeError(
            f"make_cell must return a cells.Cell, got {type(cell).__name__}. Derive your cell from "
            "cells.Cell and declare its signals and routes."
        )
    declared = ("hidden_size", "signals", "routes")
    if missing := [name for name in declared if not hasattr(cell, name)]:
        raise TypeError(
            f"{type(cell).__name__} has no {' and no '.join(missing)}, which a cell declares. Set "
            "it on the class, or in its __init__."
        )


def check_began(cell: Cell[Any], state: Any) -> None:  # noqa: ANN401  (whatever a cell returns)
    """Raises TypeError if what `initial_state` returned is no state."""
    if "hidden" not in getattr(state, "_fields", ()):
        raise TypeError(
            f"{type(cell).__name__}.initial_state must return a named tuple with a field hidden, "
            f"got a {type(state).__name__}. Derive the state from typing.NamedTuple."
        )


def check_step(
    cell: Cell[Any],
    state: Any,  # noqa: ANN401  (the cell's own named tuple)
    returned: Any,  # noqa: ANN401  (whatever a cell returns)
    wanted: Iterable[str],
) -> None:
    """Raises if a step does not return what its cell declares; asked once in a sequence.

    Arguments:
        cell: The step.
        state: What it was given.
        returned: What it returned.
        wanted: Names of the readout entries to collect.

    Raises:
        TypeError: If that is not a new state and a readout, or an entry is no tensor.
        ValueError: If the readout lacks an entry, or one has not a row for each sequence.
    """
    name, kind = type(cell).__name__, type(state).__name__
    pair = returned if type(returned) is tuple and len(returned) == 2 else None
    if pair is None or type(pair[0]) is not type(state) or not isinstance(pair[1], Mapping):
        came = type(returned).__name__
        if type(returned) is tuple:
            came = f"({', '.join(type(part).__name__ for part in returned)})"
        raise TypeError(
            f"A step of {name} must return its new state and the readout, ({kind}, dict), got "
            f"{came}."
        )
    readout = pair[1]
    for signal in wanted:
        declared = f"{name} declares the signal {signal} with axes {_axes(cell, signal)}"
        mend = "Return it in the readout with these axes, or correct `signals`."
        if signal not in readout:
            raise ValueError(f"{declared}, but its readout holds {sorted(readout)}. {mend}")
        if not isinstance(readout[signal], Tensor):
            came = type(readout[signal]).__name__
            raise TypeError(f"{declared}, but reads out a {came} and no tensor. {mend}")
        shape = tuple(readout[signal].shape)
        if shape[:1] != tuple(state.hidden.shape[:1]):
            raise ValueError(
                f"{declared}, but of {len(state.hidden)} sequences reads out shape {shape}. {mend}"
            )


def _axes(cell: Cell[Any], signal: str) -> str:
    return f"({', '.join(('batch', *cell.signals[signal].axes))})"


def _check_group(
    group: str,
    cell: Cell[Any],
    given: Any,  # noqa: ANN401  (anything a caller may pass)
    batch: int,
) -> None:
    needed = cell.initial_state(batch)
    if type(given) is not type(needed):
        raise TypeError(
            f"The state of {group} is a {type(given).__name__}, {type(cell).__name__} needs a "
            f"{type(needed).__name__}."
        )
    if len(given.hidden) != batch:
        raise ValueError(
            f"The state of {group} is for {len(given.hidden)} sequences, the input has {batch}."
        )
    for field, has, needs in zip(needed._fields, given, needed, strict=True):
        if _shapes(has) != _shapes(needs):
            raise ValueError(
                f"The state of {group} has a {field} of shape {_shapes(has)}, but this "
                f"{type(cell).__name__} needs {_shapes(needs)}. Take the state from a layer with "
                "the same sizes and options."
            )


def _shapes(part: Any) -> tuple[Any, ...]:  # noqa: ANN401  (a tensor, or a tuple of them)
    if isinstance(part, Tensor):
        return tuple(part.shape)
    return tuple(_shapes(inner) for inner in part)
