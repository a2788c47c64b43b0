"""What figures are drawn from: traces and effects of ablations, and sequences by any name."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.plots.kinds import EFFECT_KINDS, KINDS, PlotKind, drawable_effects, drawable_kinds
from attnviz.trace import Trace, sequence_count, sequence_length

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Opened", "find_sequence", "open_source"]

_FEW = 5
_OF_EFFECTS = ("model", "cell", "weights_digest", "level", "method", "group")


@dataclass(frozen=True)
class Opened:
    """A trace or effects, with the kinds of plot there are for them.

    Arguments:
        path: Where it lies.
        data: What it holds.
        kinds: Every kind for such data, by name.
        drawable: Those for which it holds what they need.
        provenance: What figures say of it.
    """

    path: Path
    data: "Trace | xr.Dataset"
    kinds: Mapping[str, PlotKind[Any]]
    drawable: list[str]
    provenance: Mapping[str, str]

    @property
    def model(self) -> str:
        """The model's name, or the file's where it is not known."""
        return str(self.provenance.get("model", self.path.stem))

    def kind(self, name: str) -> PlotKind[Any]:
        """A kind of plot.

        Raises:
            ValueError: If there is none of that name for such data.
        """
        if name in self.kinds:
            return self.kinds[name]
        others = {**KINDS, **EFFECT_KINDS}
        if name in others:
            of = "a trace (attnviz record)" if name in KINDS else "effects (attnviz ablate -o)"
            raise ValueError(
                f"The kind {name!r} is drawn from {of}, which {self.path} is not. It can be drawn "
                f"as {', '.join(self.drawable) or 'nothing'}."
            )
        raise ValueError(f"There is no kind {name!r}; there are {', '.join(others)}.")

    def sequence(self, what: str) -> int:
        """A sequence by number, id or words; of effects there is nothing to choose."""
        return find_sequence(self.data, what) if isinstance(self.data, Trace) else 0


def open_source(path: Path) -> Opened:
    """Opens a trace, or effects where the file ends in `.nc`.

    Arguments:
        path: Where it lies.

    Returns:
        What is needed to draw it.
    """
    if path.suffix.lower() == ".nc":
        return _opened_effects(path)
    from attnviz.plots.numbers import provenance_of
    from attnviz.store.reader import open_trace

    trace = open_trace(path)
    return Opened(path, trace, KINDS, drawable_kinds(trace), provenance_of(trace))


def _opened_effects(path: Path) -> Opened:
    from attnviz.plots.numbers import versions
    from attnviz.store.effects import open_effects

    effects = open_effects(path)
    said = {name: str(effects.attrs[name]) for name in _OF_EFFECTS if name in effects.attrs}
    said |= {"trace": path.name, "trace_digest": file_digest(path), **versions()}
    return Opened(path, effects, EFFECT_KINDS, drawable_effects(effects), said)


def file_digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def find_sequence(trace: Trace, what: str) -> int:
    """A sequence by its number, its id, or words that its text alone has.

    Arguments:
        trace: Any trace.
        what: Digits are a number; else an id; else words, in capitals or not.

    Returns:
        The number.

    Raises:
        IndexError: If there is no such sequence.
        ValueError: If several have these words.
    """
    if what.removeprefix("-").isdecimal():
        sequence_length(trace, int(what))  # says what there is, if there is none
        return int(what) % sequence_count(trace)
    root = trace.tree.dataset
    ids = [str(name) for name in root["id"].values] if "id" in root else []
    if what in ids:
        return ids.index(what)
    texts = [str(text) for text in root["text"].values] if "text" in root else []
    words = _plain(what)
    found = [number for number, text in enumerate(texts) if words in _plain(text)]
    if len(found) == 1:
        return found[0]
    if not found:
        raise IndexError(
            f"No sequence has the number or id {what!r}, nor these words in its text. attnviz info "
            f"{trace.path or 'TRACE'} lists them; there are {sequence_count(trace)}."
        )
    several = ", ".join(map(str, found[:_FEW])) + (" ..." if len(found) > _FEW else "")
    raise ValueError(
        f"{len(found)} sequences have the words {what!r}: {several}. Add words, or choose one by "
        "its number."
    )


def _plain(text: str) -> str:
    """Words with one blank between, without capitals."""
    return " ".join(text.split()).casefold()
