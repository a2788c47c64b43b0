"""Titles and notes, from what a trace knows about itself."""

import json
from collections.abc import Iterable

from attnviz.outcomes import outcome
from attnviz.plots.lettering import shorten
from attnviz.trace import Trace, sequence_length

#: With fewer sequences bootstrap intervals are too narrow.
FEW = 10

__all__ = [
    "cell_name",
    "counted",
    "counted_of",
    "interval_note",
    "reads_backwards",
    "signed",
    "subtitle",
    "truncation_note",
]


def cell_name(trace: Trace, group: str) -> str:
    """The cell's name, as in `RRA`, of a layer group."""
    return str(trace.tree[group].attrs.get("cell") or trace.tree.attrs.get("cell", "the cell"))


def reads_backwards(trace: Trace, group: str) -> bool:
    """Whether a layer reads from the end: its lags then reach ahead.

    Arguments:
        trace: Any trace.
        group: The layer and direction; empty for what belongs to no layer.
    """
    return bool(group) and trace.tree[group].attrs["direction"] < 0


def subtitle(trace: Trace, sequence: int, group: str, *, tokens: tuple[int, int] | None) -> str:
    """Model, layer, sequence, range, and what was predicted.

    Arguments:
        trace: Any trace.
        sequence: Index of the sequence.
        group: The layer and direction; empty for what belongs to no layer.
        tokens: The range shown, if not all.

    Returns:
        One line, parts separated by dots.
    """
    root = trace.tree.dataset
    name = str(root["id"].values[sequence]) if "id" in root else ""
    length = sequence_length(trace, sequence)
    steps = counted(length, "timestep")
    shown = steps if tokens is None else f"timesteps {tokens[0]}–{tokens[1] - 1}"
    parts = [
        str(trace.tree.attrs.get("model", "")),
        f"layer {group}" if group else "",
        f"sequence {sequence}"
        + (f" ({shorten(name, 48)})" if name not in ("", str(sequence)) else ""),
        shown if tokens is None else f"{shown} of {length}",
    ]
    said = outcome(trace, sequence)
    if said.true is not None:
        parts.append(f"true: {said.true}")
    if said.predicted is not None:
        parts.append(f"predicted: {said.predicted} ({said.probability:.2f})")
    return " · ".join(part for part in parts if part)


def counted(counts: int | Iterable[int], word: str) -> str:
    """How many there are, in words: `1 sequence`, `3 sequences`; of several models `3–8 sequences`.

    Arguments:
        counts: One number, or one for each model.
        word: What is counted, in the singular.

    Returns:
        The smallest and the largest number, if they differ, and the word.
    """
    each = [counts] if isinstance(counts, int) else sorted(counts)
    several = "–".join(dict.fromkeys([str(each[0]), str(each[-1])]))
    return f"{several} {word}{'' if each[-1] == 1 else 's'}"


def counted_of(kept: Iterable[int], given: Iterable[int], word: str) -> str:
    """How many of how many there are, in words: `3 of 5 sequences`; `5 sequences` if it is all.

    Arguments:
        kept: How many are shown, of each model.
        given: How many there were, of each.
        word: What is counted, in the singular.

    Returns:
        As `counted`, with the number shown before it where some are not.
    """
    shown, all_of_them = sorted(kept), sorted(given)
    if shown == all_of_them:
        return counted(all_of_them, word)
    several = "–".join(dict.fromkeys([str(shown[0]), str(shown[-1])]))
    return f"the longest {several} of {counted(all_of_them, word)}"


def interval_note(what: str, sequences: Iterable[int]) -> list[str]:
    """What intervals are, and that they are too narrow where they come from few sequences.

    Arguments:
        what: How they are drawn: `bands` or `intervals`.
        sequences: How many there are, of each model; a single one has no interval.

    Returns:
        A note, or none where there is no interval.
    """
    several = [count for count in sequences if count > 1]
    if not several:
        return []
    few = f", too narrow with {min(several)} sequences" if min(several) < FEW else ""
    return [f"95 % bootstrap {what}{few}"]


def signed(value: float, decimals: int) -> str:
    """A number with its sign; one that so many decimals would make zero, as `-1.3e-05`.

    Arguments:
        value: Such as an effect.
        decimals: After the point.
    """
    short = f"{value + 0.0:+.{decimals}f}"  # no -0
    return short if float(short) or not value else f"{value:+.1e}"


def truncation_note(trace: Trace, sequence: int) -> list[str]:
    """A note where the recording kept only a part of the text.

    Arguments:
        trace: Any trace.
        sequence: Index of the sequence.

    Returns:
        A note, or none.
    """
    known = json.loads(trace.tree.attrs.get("truncation", "{}"))
    length = sequence_length(trace, sequence)
    if known.get("side") not in ("start", "end") or length < int(known.get("length") or length + 1):
        return []
    part = "first" if known["side"] == "start" else "last"
    return [f"The recording kept at most the {part} {length} tokens of a text."]
