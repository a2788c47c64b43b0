"""Which part of a trace an export writes, once it is checked."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["Advance", "Chosen"]

#: Called with sequences written and to be written.
Advance = Callable[[int, int], None]


class Chosen(NamedTuple):
    """Rows and columns of what is written.

    Arguments:
        rows: Numbers of sequences, in order.
        groups: Layers and directions.
        signals: Names of signals; None for all.
    """

    rows: Sequence[int]
    groups: Sequence[str]
    signals: Sequence[str] | None = None
