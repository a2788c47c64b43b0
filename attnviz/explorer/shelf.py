"""Where the explorer's sequences come from: traces that are there, or models that read."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from attnviz.explorer.background import Work
from attnviz.explorer.edits import Edits
from attnviz.explorer.panels import Edited, Lens, Panel, Switches, Track
from attnviz.explorer.reading import panel_of
from attnviz.explorer.selection import Row
from attnviz.outcomes import tells_classes
from attnviz.trace import Trace, layer_groups, sequence_count, tokens

__all__ = ["Shelf", "TraceShelf", "lightened", "with_lens", "with_tracks"]

_MOST_NUMBERS = 200_000  # of a lens in a notebook: a megabyte as text


class Shelf(ABC):
    """Sequences to choose from, and one panel for each cell.

    Attributes:
        keys: Names of the panels.
        rows: The sequences.
        layers: Names of layers and directions that all cells have.
        live: Whether sentences can be read that are not in `rows`.
    """

    keys: Sequence[str]
    rows: Sequence[Row]
    layers: Sequence[str]
    live: bool = False

    @abstractmethod
    def panels(self, sequence: int, layer: str) -> list[Panel]:
        """What every cell shows of a sequence."""

    def sentence(self, text: str, label: int, layer: str, edits: Edits) -> list[Panel]:
        """What every cell shows of any text, under edits; of models only."""
        raise _nothing_reads()

    def edited(self, text: str, layer: str, edits: Edits) -> dict[str, Edited | None]:
        """The text under edits in every panel; of models only."""
        raise _nothing_reads()

    def flow(self, text: str, label: int, layer: str) -> Work[dict[str, list[Track]]]:
        """The gradients of a sentence in every panel; of models only."""
        raise _nothing_reads()

    def influence(self, text: str, timesteps: Mapping[str, int]) -> Work[dict[str, Lens]]:
        """The influence on one word in every panel; of models only."""
        raise _nothing_reads()

    def outcomes(self) -> Work[list[Row]]:
        """The rows with what is predicted of them; of models only."""
        raise _nothing_reads()

    def complete(self, row: Row, layer: str) -> list[Panel]:
        """A text with all that a page can show of it without a model."""
        return self.panels(row.sequence, layer)

    @property
    def provenance(self) -> dict[str, str]:
        """What identifies the models or traces that are shown, for a figure."""
        return {}

    @property
    def switches(self) -> list[Switches | None]:
        """What of each cell can be switched off, in any layer."""
        return []


@dataclass(frozen=True, eq=False)
class TraceShelf(Shelf):
    """Traces of the same sequences, one a cell.

    Arguments:
        traces: By the names that their panels get.

    Raises:
        ValueError: If there is no trace or sequence, or they are not of the same texts.
    """

    traces: Mapping[str, Trace]
    keys: Sequence[str] = field(init=False)
    rows: Sequence[Row] = field(init=False)
    layers: Sequence[str] = field(init=False)

    def __post_init__(self) -> None:
        """Reads what can be chosen."""
        if not self.traces:
            raise ValueError("The explorer needs a trace or a model, got none.")
        rows = [_rows(trace) for trace in self.traces.values()]
        names = list(self.traces)
        for name, other in zip(names[1:], rows[1:], strict=True):
            _same(names[0], rows[0], name, other)
        if not rows[0]:
            raise ValueError(f"The trace {names[0]!r} holds no sequence to show.")
        layers = [layer_groups(trace) for trace in self.traces.values()]
        object.__setattr__(self, "keys", names)
        object.__setattr__(self, "rows", rows[0])
        shared = [layer for layer in layers[0] if all(layer in others for others in layers)]
        if not shared:
            raise ValueError(
                "Cells are compared layer by layer, but the traces share none: "
                f"{dict(zip(names, layers, strict=True))}."
            )
        object.__setattr__(self, "layers", shared)

    def panels(self, sequence: int, layer: str) -> list[Panel]:
        """What every trace shows of a sequence."""
        return [
            panel_of(trace, sequence, key=key, layer=layer) for key, trace in self.traces.items()
        ]

    @property
    def provenance(self) -> dict[str, str]:
        """The digest of each trace's weights."""
        told = {key: trace.tree.attrs.get("weights_digest") for key, trace in self.traces.items()}
        return {f"weights of {key}": str(digest) for key, digest in told.items() if digest}


def _nothing_reads() -> TypeError:
    return TypeError(
        "These are traces, which hold what was recorded and read nothing new. To read other "
        "sentences or to switch attention off, give the models: Explorer(load_model(...))."
    )


def with_tracks(panel: Panel, found: Sequence[Track]) -> Panel:
    """A panel with more tracks, in place of those of the same names."""
    names = {track.name for track in found}
    return replace(panel, tracks=[t for t in panel.tracks if t.name not in names] + list(found))


def lightened(panel: Panel) -> Panel:
    """A panel whose largest lenses hold the mean over heads alone, to stand in a notebook."""

    def light(lens: Lens) -> Lens:
        if lens.heads == 1 or lens.values.size <= _MOST_NUMBERS:
            return lens
        mean = lens.head(-1)[None]
        return replace(lens, label=f"{lens.label}, mean over {lens.heads} heads", values=mean)

    return replace(panel, lenses=[light(lens) for lens in panel.lenses])


def with_lens(panel: Panel, found: Lens) -> Panel:
    """A panel with one more lens, in place of that of the same name; rows of both are kept."""
    others = [lens for lens in panel.lenses if lens.name != found.name]
    before = next((lens for lens in panel.lenses if lens.name == found.name), None)
    if before is not None and before.at is not None and found.at is not None:
        found = _joined(before, found)
    return replace(panel, lenses=[*others, found])


def _joined(before: Lens, found: Lens) -> Lens:
    """Rows of two lenses that know single timesteps."""
    rows = dict(zip(before.at or (), before.values[0], strict=True))
    rows |= dict(zip(found.at or (), found.values[0], strict=True))
    width = max(len(before.sources), len(found.sources))
    values = np.full((1, len(rows), width), np.nan, dtype=np.float32)
    for number, timestep in enumerate(sorted(rows)):
        values[0, number, : len(rows[timestep])] = rows[timestep]
    longest = max((before.sources, found.sources), key=len)
    return replace(found, values=values, at=sorted(rows), sources=longest)


def _rows(trace: Trace) -> list[Row]:
    root = trace.tree.dataset
    count = sequence_count(trace)
    lengths = root["length"].values
    ids = root["id"].values if "id" in root else np.arange(count)
    labels = np.full(count, -1)
    if "label" in root and np.issubdtype(root["label"].dtype, np.integer):
        labels = root["label"].values
    predicted = np.full(count, -1)
    if "prediction" in root and tells_classes(trace):
        predicted = root["prediction"].values.argmax(axis=-1)
    texts = root["text"].values if "text" in root else None
    return [
        Row(n, str(ids[n]), " ".join(tokens(trace, n)) if texts is None else str(texts[n]),
            int(labels[n]), int(predicted[n]), int(lengths[n]))
        for n in range(count)
        if lengths[n] >= 0
    ]  # fmt: skip


def _same(first: str, rows: Sequence[Row], name: str, others: Sequence[Row]) -> None:
    # Where a recording stopped early, other sequences may be missing from each.
    one, other = ([(row.sequence, row.text) for row in some] for some in (rows, others))
    if one != other:
        pairs = zip(one, other, strict=False)
        n = next((min(a[0], b[0]) for a, b in pairs if a != b), None)
        where = "one has more sequences" if n is None else f"sequence {n} differs"
        raise ValueError(
            f"Cells are compared on the same texts, but the traces {first!r} and {name!r} are not "
            f"of the same: {where}. Record both models on the same texts in the same order."
        )
