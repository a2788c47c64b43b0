"""States of recurrent layers that are carried from one piece of a sequence to the next."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from torch import Tensor

import cells

__all__ = ["State", "detached", "rebuilt", "repeated", "tensors_of", "without_windows"]

State = tuple[Any, ...]  # one named tuple a group


def detached(state: State) -> State:
    """The same state, through which no gradient goes back."""
    return tuple(_mapped(one, Tensor.detach) for one in state)


def repeated(state: State, rows: int) -> State:
    """The state of a single sequence, for so many copies of it."""
    return tuple(_mapped(one, lambda held: held.repeat_interleave(rows, dim=0)) for one in state)


def tensors_of(state: State) -> list[Tensor]:
    """The tensors of a state, one after the other; what stands in two places comes twice."""
    return [tensor for one in state for tensor in _leaves(one)]


def rebuilt(layer: cells.Recurrent, tensors: Sequence[Tensor]) -> State:
    """The state that `tensors_of` took apart, for the layer that it came from."""
    left = iter(tensors)
    begun = [cell.initial_state(len(tensors[0])) for cell in layer.groups.values()]
    return tuple(_mapped(one, lambda _: next(left)) for one in begun)


def without_windows(layer: cells.Recurrent, state: State) -> State:
    """A state whose windows of earlier states are empty, as if the text began here.

    What a cell carries besides, its hidden state and its memory, stays.
    """
    emptied = []
    for cell, one in zip(layer.groups.values(), state, strict=True):
        like = one.hidden
        begun = cell.initial_state(len(like), device=like.device, dtype=like.dtype)
        fields = {f: getattr(one, f) for f in ("hidden", "memory") if f in one._fields}
        emptied.append(begun._replace(**fields))
    return tuple(emptied)


def _mapped(value: Any, change: Callable[[Tensor], Tensor]) -> Any:  # noqa: ANN401  (nested tuples)
    if isinstance(value, Tensor):
        return change(value)
    parts = [_mapped(part, change) for part in value]
    return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)


def _leaves(value: Any) -> Iterator[Tensor]:  # noqa: ANN401  (nested tuples)
    if isinstance(value, Tensor):
        yield value
    else:
        for part in value:
            yield from _leaves(part)
