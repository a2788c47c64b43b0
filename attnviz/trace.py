"""The trace: what a model looked at while it read, as labelled arrays with their provenance.

A trace is data, not behaviour. Its layout (`attnviz-trace/1`) is described in the package's
README; everything here and in `attnviz.store`, `attnviz.analysis` and `attnviz.plots` works
without torch.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

__all__ = [
    "FORMAT",
    "SOURCE_INITIAL",
    "SOURCE_MISSING",
    "SOURCE_REAL",
    "SQUARED_ERROR",
    "Trace",
    "TraceFormatError",
    "check_trace",
    "group_for",
    "layer_groups",
    "sequence_count",
    "sequence_length",
    "sequences_of",
    "signal",
    "source_kind",
    "tokens",
]

FORMAT = "attnviz-trace/1"

SOURCE_REAL, SOURCE_INITIAL, SOURCE_MISSING = 0, 1, 2

# The attribute `loss` of what was recorded or measured on a model that predicts numbers.
SQUARED_ERROR = "squared error"


class TraceFormatError(ValueError):
    """A file or array is not a trace that this version can read."""


@dataclass(frozen=True)
class Trace:
    """Labelled arrays of one recording, with their provenance in the attributes.

    Arguments:
        tree: The root holds what belongs to a sequence (`id`, `length`, `text`, `span`, ...);
            one child per layer and direction (`l0`, `l0_reverse`, `l1`, ...) holds its signals.
        path: The store it was opened from, if any.
    """

    tree: xr.DataTree
    path: Path | None = None

    def __repr__(self) -> str:
        """Says what is inside, in a line per group."""
        count = sequence_count(self)
        sequences = "1 sequence" if count == 1 else f"{count} sequences"
        lines = [f"Trace of {sequences}, {self.tree.attrs.get('model', '?')}"]
        for name in layer_groups(self):
            held = ", ".join(str(variable) for variable in self.tree[name].data_vars)
            lines.append(f"  {name}: {held}")
        return "\n".join(lines)


def sequence_count(trace: Trace) -> int:
    """How many sequences the trace has rows for.

    Raises:
        TypeError: If it is no trace, such as the path of one.
    """
    check_trace(trace)
    return int(trace.tree.sizes.get("sequence", 0))


def sequence_length(trace: Trace, sequence: int) -> int:
    """How many timesteps of a sequence are recorded.

    Arguments:
        trace: Any trace.
        sequence: Index of the sequence.

    Returns:
        The number of timesteps.

    Raises:
        IndexError: If the trace has no such sequence, or its row was never written.
        TypeError: If the sequence is no whole number.
    """
    count = sequence_count(trace)
    if isinstance(sequence, bool) or not isinstance(sequence, (int, np.integer)):
        raise TypeError(
            f"A sequence is chosen by its number, 0 to {count - 1}, not by {sequence!r}."
            f"{_number_of(trace, sequence)}"
        )
    if not -count <= sequence < count:
        plural = "sequence" if count == 1 else "sequences"
        raise IndexError(
            f"The trace holds {count} {plural}, numbered 0 to {count - 1}, and has no "
            f"sequence {sequence}."
        )
    length = int(trace.tree.dataset["length"].values[sequence])
    if length < 0:
        raise IndexError(
            f"Sequence {sequence} was planned but not recorded: the recording stopped before "
            "it. Record again with the same plan to resume."
        )
    return length


def check_trace(trace: object) -> None:
    """Refuses what is no trace, such as the path of one.

    Raises:
        TypeError: If it is none.
    """
    if not isinstance(trace, Trace):
        raise TypeError(
            f"This takes a Trace, got {type(trace).__name__}. attnviz.open_trace(path) opens a "
            "stored one, attnviz.record and attnviz.record_texts make one of a model."
        )


def _number_of(trace: Trace, id: object) -> str:
    root = trace.tree.dataset
    ids = list(root["id"].values) if "id" in root else []
    return f" Sequence {ids.index(id)} has that id." if id in ids else ""


def layer_groups(trace: Trace) -> list[str]:
    """The names of the groups that belong to a layer and direction, in order.

    Raises:
        TypeError: If it is no trace, such as the path of one.
    """
    check_trace(trace)
    return [str(name) for name, node in trace.tree.children.items() if "direction" in node.attrs]


def sequences_of(
    tree: xr.DataTree, sequence: slice | np.ndarray | list[int], *, time: slice | None = None
) -> xr.DataTree:
    """Some sequences of a trace's tree, and some of their timesteps.

    Unlike `DataTree.isel` it takes groups that hold neither, such as those without a signal.

    Arguments:
        tree: Of a trace.
        sequence: Which sequences.
        time: Which timesteps; all of them if not given.

    Returns:
        A tree with the same groups and attributes; nothing is read from disk before it is used.
    """
    chosen = {"sequence": sequence} | ({} if time is None else {"time": time})
    return xr.DataTree.from_dict(
        {
            path: node.to_dataset(inherit=False).isel(chosen, missing_dims="ignore")
            for path, node in tree.subtree_with_keys
        }
    )


def group_for(trace: Trace, name: str, group: str | None = None) -> str:
    """The group that holds a signal: the one asked for, else the first that has it.

    Arguments:
        trace: Any trace.
        name: The signal, such as `attention`.
        group: The layer and direction, such as `l0`.

    Returns:
        The group's name.

    Raises:
        KeyError: If no group, or not the one asked for, holds the signal.
    """
    groups = layer_groups(trace)
    if group is not None and group not in groups:
        raise KeyError(f"The trace has no layer {group!r}; it has {groups}.")
    for candidate in [group] if group is not None else groups:
        if name in trace.tree.children[candidate].data_vars:
            return candidate
    held = {g: sorted(str(v) for v in trace.tree.children[g].data_vars) for g in groups}
    raise KeyError(
        f"The trace holds no {name!r} in {group or 'any layer'}; it holds {held}. "
        f"Signals are chosen when recording: keep=[{name!r}, ...]."
    )


def signal(trace: Trace, name: str, group: str | None = None) -> xr.DataArray:
    """One recorded signal as a labelled array.

    Arguments:
        trace: Any trace.
        name: The signal, such as `attention`.
        group: The layer and direction; the first that holds the signal if not given.

    Returns:
        Axes `(sequence, time, ...)`; NaN beyond each sequence's length.
    """
    found = group_for(trace, name, group)
    array = trace.tree.children[found].data_vars[name]
    array.name = name
    return array


def tokens(trace: Trace, sequence: int) -> list[str]:
    """The tokens of a sequence, as slices of its own text.

    Arguments:
        trace: Any trace.
        sequence: Index of the sequence.

    Returns:
        One string a timestep; the timesteps' numbers where the trace holds no text.
    """
    length = sequence_length(trace, sequence)
    if "span" not in trace.tree.data_vars:
        return [str(time) for time in range(length)]
    text = str(trace.tree.dataset["text"].values[sequence])
    spans = trace.tree.dataset["span"].isel(sequence=sequence).values[:length]
    return [text[start:end] for start, end in spans]


def source_kind(trace: Trace, group: str, sequence: int) -> xr.DataArray:
    """What stands at each lag: a real state, the initial state, or nothing.

    With source = t − lag counted from the direction's own first step and shifted by the history
    carried in: a real state where source ≥ 0, the initial state at source = −1, missing before. A
    group whose attribute `initial_state` is false, such as a Transformer's, has none.

    Arguments:
        trace: Any trace with a `lag` coordinate in the group.
        group: The layer and direction.
        sequence: Index of the sequence.

    Returns:
        Axes `(time, lag)`, one of `SOURCE_REAL`, `SOURCE_INITIAL`, `SOURCE_MISSING`.
    """
    node, root = trace.tree.children[group], trace.tree.dataset
    length = sequence_length(trace, sequence)
    carried = int(root["history"].values[sequence]) if "history" in root else 0
    step = np.arange(length) if node.attrs["direction"] > 0 else np.arange(length)[::-1]
    source = step[:, None] - node.coords["lag"].values[None, :] + carried
    initial = (source == -1) & bool(node.attrs.get("initial_state", True))
    kind = np.where(source >= 0, SOURCE_REAL, np.where(initial, SOURCE_INITIAL, SOURCE_MISSING))
    return xr.DataArray(
        kind.astype(np.uint8), dims=("time", "lag"), coords={"lag": node.coords["lag"].values}
    )
