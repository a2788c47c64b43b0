"""Are the openings of a cell, `via` and `edit`, where they say that they are?"""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

import cells
from attnviz.checkup.calls import apart
from attnviz.checkup.stepping import alone, begun, enough, named_tensors, started, steps_of
from attnviz.opening.checking import TOLERANCES
from cells.walk import map_state

__all__ = ["beside", "dropped_edits", "misnamed_sources", "misplaced_slots"]


def beside(cell: cells.Cell[Any]) -> tuple[str, str] | None:
    """A new state that depends on another when every use through `via` is cut, and on which."""
    with alone():
        state = map_state(_leaf, started(cell))
        with torch.enable_grad():
            new, _ = cell.forward(steps_of(cell)[0], state, via=_cut)
        earlier = {n: t for n, t in named_tensors(state).items() if t.requires_grad}
        for name in ("hidden", "memory"):
            if (value := getattr(new, name, None)) is None:
                continue
            if used := _depends(value, list(earlier.values())):
                return name, _in_words(list(earlier)[used[0]])
        memory = getattr(new, "memory", None)
        # A memory is used in its own step too, and that is a slot as any other.
        if memory is not None and memory is not new.hidden and _depends(new.hidden, [memory]):
            return "hidden", "the new memory"
    return None


def _in_words(name: str) -> str:
    """A part of a state, with its lag where it stands in a window."""
    field, _, index = name.rstrip("]").partition("[")
    return f"state.{name} (lag {int(index) + 1})" if index.isdigit() else f"state.{field}"


def _leaf(value: Tensor) -> Tensor:
    return value.detach().clone().requires_grad_() if value.is_floating_point() else value


def _cut(slot: cells.Slot, value: Tensor) -> Tensor:
    # Not a leaf's alias any more, and what is made of new values inside the step is cut as well.
    return value.detach()


def _depends(value: Tensor, on: Sequence[Tensor]) -> list[int]:
    """On which of some tensors a value depends, by their gradients."""
    asking = [place for place, one in enumerate(on) if one.requires_grad]
    if not value.requires_grad or not asking:
        return []
    found = torch.autograd.grad(
        value.sum(), [on[place] for place in asking], allow_unused=True, retain_graph=True
    )
    return [
        place
        for place, gradient in zip(asking, found, strict=True)
        if gradient is not None and bool(gradient.any())
    ]


def misplaced_slots(cell: cells.Cell[Any]) -> dict[cells.Slot, str]:
    """Slots that are given another tensor than the state they name, and what they are given."""
    uses: list[tuple[cells.Slot, Tensor]] = []

    def via(slot: cells.Slot, value: Tensor) -> Tensor:
        uses.append((slot, value))
        return cells.alias(slot, value)

    with alone(), torch.no_grad():
        states = [begun(cell)]
        for x in steps_of(cell, enough(cell) + 1):
            uses.clear()
            after, _ = cell.forward(x, states[-1], via=via)
            states.append(after)
    found = {}
    for slot, value in uses:
        if slot.route not in cell.routes:
            continue
        name = cell.routes[slot.route].state
        past = [getattr(state, name, None) for state in reversed(states)]  # by lag
        expected = (0, 1) if slot.lag is None else (slot.lag,)
        holding = [lag for lag, one in enumerate(past) if _same(one, value)]
        if not set(expected) & set(holding):
            found[slot] = (
                f"the {name} state of lag {holding[0]}" if holding else "no state as it is"
            )
    return found


def _same(one: Tensor | None, other: Tensor) -> bool:
    if one is None:
        return False
    return apart({"": one}, {"": other})[0] <= TOLERANCES.get(other.dtype, 1e-4)


def dropped_edits(cell: cells.Cell[Any]) -> list[str]:
    """What an edit returns that reaches no new state: `weights`, `values` or both.

    Told by the graph, and by setting it to zero, which must change something where neither
    weights nor values are zero.
    """
    with alone():
        state, x = map_state(torch.Tensor.detach, started(cell)), steps_of(cell)[0]
        leaves: list[tuple[Tensor, Tensor]] = []

        def edit(weights: Tensor, values: Tensor, at: cells.At) -> tuple[Tensor, Tensor]:
            leaves.append((_leaf(weights), _leaf(values)))
            return leaves[-1]

        with torch.enable_grad():
            new, _ = cell.forward(x, state, edit=edit)
        found = []
        for place, name in enumerate(("weights", "values")):
            unused = [not _reach(new, pair[place]) for pair in leaves]
            if any(unused) and all(bool(one.any()) for pair in leaves for one in pair):
                zeroed = _zeroed(cell, x, state, place)
                if all(torch.equal(a, b) for a, b in zip(_floats(new), zeroed, strict=True)):
                    found.append(name)
    return found


def _floats(state: Any) -> list[Tensor]:  # noqa: ANN401  (the cell's own named tuple)
    return [tensor for tensor in named_tensors(state).values() if tensor.is_floating_point()]


def _reach(state: Any, leaf: Tensor) -> bool:  # noqa: ANN401
    """Whether a tensor is in the graph of a state, whatever its gradient."""
    ends = [tensor.sum() for tensor in _floats(state) if tensor.requires_grad]
    if not ends:
        return False
    [found] = torch.autograd.grad(ends, leaf, allow_unused=True, retain_graph=True)
    return found is not None


def _zeroed(cell: cells.Cell[Any], x: Tensor, state: Any, place: int) -> list[Tensor]:  # noqa: ANN401
    def edit(weights: Tensor, values: Tensor, at: cells.At) -> tuple[Tensor, Tensor]:
        return (weights * 0, values) if place == 0 else (weights, values * 0)

    with torch.no_grad():
        new, _ = cell.forward(x, state, edit=edit)
    return _floats(new)


def misnamed_sources(cell: cells.Cell[Any]) -> Iterator[tuple[int, list[int]]]:
    """Lags whose entry in what is edited holds other states: the lag, and those it is made of."""
    lagged: list[tuple[int, Tensor]] = []
    edited: list[tuple[Tensor, cells.At]] = []

    def via(slot: cells.Slot, value: Tensor) -> Tensor:
        if slot.lag is None:
            return value.detach()
        lagged.append((slot.lag, _leaf(value)))
        return lagged[-1][1]

    def edit(weights: Tensor, values: Tensor, at: cells.At) -> tuple[Tensor, Tensor]:
        edited.append((values, at))
        return weights, values

    with alone():
        state = map_state(torch.Tensor.detach, started(cell))
        with torch.enable_grad():
            cell.forward(steps_of(cell)[0], state, edit=edit, via=via)
    for values, at in edited:
        for source, lag in enumerate(at.lags[: values.shape[2]]):
            used = _depends(values[:, :, source], [leaf for _, leaf in lagged])
            of = sorted({lagged[place][0] for place in used})
            if of and lag not in of:
                yield lag, of
