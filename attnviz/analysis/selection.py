"""Parts of a trace, and what the trace declares about its signals."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from attnviz.trace import (
    SOURCE_INITIAL,
    SOURCE_MISSING,
    SOURCE_REAL,
    Trace,
    layer_groups,
    sequence_count,
    sequence_length,
    sequences_of,
)

__all__ = [
    "Declared",
    "declared",
    "inside",
    "lag_holds",
    "lagged_routes",
    "one_sequence",
    "reaching",
    "sequence_blocks",
    "step",
]


@dataclass(frozen=True)
class Declared:
    """What a trace says about one of its signals.

    Arguments:
        symbol: The sign it has in the cell's equations.
        bounds: The range it cannot leave, or none.
    """

    symbol: str = ""
    bounds: tuple[float, float] | None = None


def declared(trace: Trace, group: str, name: str) -> Declared:
    """Reads a signal's symbol and bounds from the attribute `signals` of its group.

    Arguments:
        trace: Any trace.
        group: The layer and direction.
        name: The signal.

    Returns:
        The declaration; empty where the trace has none.
    """
    entry = json.loads(trace.tree[group].attrs.get("signals", "{}")).get(name, {})
    bounds = entry.get("bounds")
    return Declared(
        symbol=str(entry.get("symbol") or ""),
        bounds=None if bounds is None or None in bounds else (float(bounds[0]), float(bounds[1])),
    )


def one_sequence(trace: Trace, sequence: int) -> Trace:
    """The trace of a single sequence, cut to its length.

    The axis `sequence` stays, with size 1, so that every analysis works on the result. Nothing is
    read from disk before it is used.

    Arguments:
        trace: Any trace.
        sequence: Index of the sequence.

    Returns:
        A trace with one sequence and no timestep beyond its length.

    Raises:
        IndexError: If the trace has no such sequence, or its row was never written.
    """
    length = sequence_length(trace, sequence)
    part = sequences_of(trace.tree, [sequence], time=slice(0, length))
    return Trace(part, path=trace.path)


def reaching(trace: Trace, longest: int | None = None) -> tuple[Trace, int]:
    """The sequences that reach a distance from the end which at least half of them reach.

    A curve over all sequences changes its set of sequences along the distance and jumps where one
    with a large gradient ends. Here the last distance is the median of the sequences' own, of an
    even number the lower one.

    Arguments:
        trace: Any trace.
        longest: A smaller last distance, which more of them reach.

    Returns:
        The trace of these sequences, and the last distance.
    """
    lengths = trace.tree.dataset["length"].values
    there = np.sort(lengths[lengths > 0])  # others were never written
    last = int(there[(len(there) - 1) // 2]) - 1 if len(there) else 0
    last = last if longest is None else min(last, longest)
    kept = np.flatnonzero(lengths > last)
    if len(kept) == len(lengths):
        return trace, last
    return Trace(sequences_of(trace.tree, kept), path=trace.path), last


def sequence_blocks(trace: Trace, size: int = 256) -> Iterator[Trace]:
    """The trace in blocks of sequences, so that a large one need not fit in memory.

    Arguments:
        trace: Any trace.
        size: Sequences in a block.

    Yields:
        Traces of at most `size` sequences, in order.
    """
    for start in range(0, sequence_count(trace), size):
        yield Trace(sequences_of(trace.tree, slice(start, start + size)), path=trace.path)


def inside(trace: Trace, group: str) -> xr.DataArray:
    """Which timesteps a sequence has.

    Arguments:
        trace: Any trace.
        group: The layer and direction.

    Returns:
        Axes `(sequence, time)`, false beyond the length and for rows that were never written.
    """
    time = xr.DataArray(np.arange(trace.tree[group].sizes["time"]), dims="time")
    return (time < trace.tree["length"]).transpose("sequence", "time")


def step(trace: Trace, group: str) -> xr.DataArray:
    """How many timesteps the layer had taken before each timestep, in its own direction.

    Arguments:
        trace: Any trace.
        group: The layer and direction.

    Returns:
        Axes `(sequence, time)`; carried history is not counted.
    """
    time = xr.DataArray(np.arange(trace.tree[group].sizes["time"]), dims="time")
    lengths = trace.tree["length"].astype(np.int64)
    forward = trace.tree[group].attrs["direction"] > 0
    taken = time + 0 * lengths if forward else lengths - 1 - time
    return taken.transpose("sequence", "time")


def lag_holds(trace: Trace, group: str, kind: int) -> xr.DataArray:
    """Where a lag holds a real state, the initial state, or nothing; for all sequences at once.

    Says the same as `attnviz.trace.source_kind`, which does it for one sequence.

    Arguments:
        trace: Any trace with a `lag` coordinate in the group.
        group: The layer and direction.
        kind: `SOURCE_REAL` (such a lag is *reachable*), `SOURCE_INITIAL` or `SOURCE_MISSING`.

    Returns:
        Axes `(sequence, time, lag)`, false beyond a sequence's length.
    """
    history = trace.tree["history"] if "history" in trace.tree else 0
    source = step(trace, group) + history - trace.tree[group]["lag"]
    initial = (source == -1) & bool(trace.tree[group].attrs.get("initial_state", True))
    holds: xr.DataArray = {
        SOURCE_REAL: source >= 0,
        SOURCE_INITIAL: initial,
        SOURCE_MISSING: (source < 0) & ~initial,
    }[kind]
    return (holds & inside(trace, group)).transpose("sequence", "time", "lag")


def lagged_routes(trace: Trace, group: str | None = None) -> list[str]:
    """The routes of a trace, or of one layer and direction, that have lags; values before keys."""
    found: dict[str, None] = {}
    for name in layer_groups(trace) if group is None else [group]:
        data = trace.tree[name].dataset
        for axis in ("hidden_route", "memory_route"):
            if f"{axis}_lag" in data.coords:
                kinds, lags = data[f"{axis}_kind"].values, data[f"{axis}_lag"].values
                found |= dict.fromkeys(str(k) for k, lag in zip(kinds, lags, strict=True) if lag)
    return sorted(found, key=lambda route: route == "attention_key")
