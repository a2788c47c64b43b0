"""Times of several functions that take turns, so that whatever disturbs one disturbs all."""

import gc
import statistics
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

__all__ = ["Spread", "alternate", "ratios"]


class Spread(NamedTuple):
    """The middle of several rounds, and how far they lie apart."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """Median, smallest and largest."""
        return cls(statistics.median(values), min(values), max(values))


def alternate(
    functions: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    wait: Callable[[], None] = lambda: None,
) -> dict[str, list[float]]:
    """Seconds of every function in every round.

    Arguments:
        functions: What is timed; one after the other, round by round, after one round for warmth.
        rounds: How often each is timed.
        wait: Called before a clock is read, for devices that work on by themselves.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    gc.collect()
    for turn in range(rounds + 1):
        for name, function in functions.items():
            wait()
            began = time.perf_counter()
            function()
            wait()
            if turn:
                times[name].append(time.perf_counter() - began)
    return times


def ratios(times: Mapping[str, list[float]], name: str, *, to: str) -> Spread:
    """What one function takes of another's time, round by round."""
    return Spread.of([mine / its for mine, its in zip(times[name], times[to], strict=True)])
