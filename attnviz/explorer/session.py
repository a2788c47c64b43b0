"""What is selected in the explorer and what follows from it, without a widget."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from attnviz.explorer.background import Background, Job
from attnviz.explorer.edits import Edits
from attnviz.explorer.panels import Lens, Panel, Track
from attnviz.explorer.selection import Filter, Link, Row, matching, readers, same_word, sources
from attnviz.explorer.shelf import Shelf, with_lens, with_tracks

__all__ = ["Selection", "Session"]

INFLUENCE = "influence"


@dataclass(frozen=True)
class Selection:
    """What is selected; the explorer's traits have the same names.

    Arguments:
        sequence: Which text; −1 for a sentence of one's own.
        sentence: The text.
        timestep: The word, by the first panel; −1 for none.
        cell: The panel in focus.
        layer: The layer and direction.
        lens: What is looked at.
        head: One head; −1 for the mean over heads.
        edits: What is switched off.
        filters: Which texts are offered.
        window: First timestep on the axis and the one after the last; (0, 0) for all.
    """

    sequence: int = 0
    sentence: str = ""
    timestep: int = 0
    cell: str = ""
    layer: str = ""
    lens: str = ""
    head: int = -1
    edits: Edits = field(default_factory=Edits)
    filters: Filter = field(default_factory=Filter)
    window: tuple[int, int] = (0, 0)

    def told(self) -> dict[str, Any]:
        """The selection as plain values, by name."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return plain | {
            "edits": self.edits.told() if self.edits else {},
            "filters": asdict(self.filters) if self.filters != Filter() else {},
        }


class Session:
    """Turns changes of the selection into panels.

    Arguments:
        shelf: Where sequences come from.
        changed: Called when something that was computed in the background is there.

    Attributes:
        selection: What is selected now.
        panels: What is shown of it, one panel a cell.
        rows: The texts that can be chosen, with what is known of them.
        error: Why the sentence could not be read, if it could not.
    """

    def __init__(self, shelf: Shelf, changed: Callable[[], None]) -> None:
        self.shelf, self.rows = shelf, list(shelf.rows)
        self.background = Background(changed)
        self.panels: list[Panel] = []
        self._error: str | None = None
        self._texts_read = not shelf.live
        first = self.rows[0]
        self.selection = Selection(
            first.sequence, first.text, cell=shelf.keys[0], layer=shelf.layers[0]
        )
        self._show()
        held = [lens.name for panel in self.panels for lens in panel.lenses]
        self.selection = replace(self.selection, lens=held[0] if held else "")
        self._follow()

    @property
    def error(self) -> str | None:
        """What went wrong last, in words."""
        return self._error or self.background.error

    @property
    def panel(self) -> Panel:
        """The panel in focus."""
        return next(panel for panel in self.panels if panel.key == self.selection.cell)

    def change(self, name: str, value: object) -> None:
        """Selects something else, and lets follow what follows.

        Arguments:
            name: A field of `Selection`.
            value: Its new value, as the trait of that name has it.

        Raises:
            ValueError: If there is nothing such to select.
        """
        before, value = self.selection, self.checked(name, value)
        if value == getattr(before, name):
            return
        after: Selection = replace(before, **{name: value})  # type: ignore[arg-type]
        if name == "sequence" and after.sequence >= 0:
            after = replace(after, sentence=self.row(after.sequence).text)
        if name == "sentence":
            after = replace(after, sequence=self._row_with(after.sentence))
        if after.sentence != before.sentence:
            after = replace(after, window=(0, 0))
        self.selection = after
        # Two texts may be the same word for word and still have other labels.
        read = ("sequence", "sentence", "layer", "edits")
        if any(getattr(after, n) != getattr(before, n) for n in read):
            self._show()
        self._follow()

    def checked(self, name: str, value: object) -> Any:  # noqa: ANN401
        """A value as `Selection` holds it.

        Raises:
            ValueError: If there is nothing such to select.
        """
        check = getattr(self, f"_check_{name}", None)
        return value if check is None else check(value)

    def row(self, sequence: int) -> Row:
        """The text of a number.

        Raises:
            ValueError: If there is none.
        """
        found = next((row for row in self.rows if row.sequence == sequence), None)
        if found is None:
            raise ValueError(
                f"There are {len(self.rows)} texts, numbered {self.rows[0].sequence} to "
                f"{self.rows[-1].sequence}, but {sequence} was asked for."
            )
        return found

    def matching(self) -> list[Row]:
        """The texts that the filter leaves."""
        return matching(self.rows, self.selection.filters)

    def sources(self) -> list[Link]:
        """What the selected word read, in the panel in focus, the largest first."""
        return self._links(sources)

    def readers(self) -> list[Link]:
        """Which later words read the selected word, in the panel in focus, the largest first."""
        return self._links(readers)

    def lens_of(self, panel: Panel) -> Lens:
        """The lens that is looked through, edited if an edit is chosen."""
        lens = panel.lens(self.selection.lens)
        edited = () if panel.edited is None else panel.edited.lenses
        return next((one for one in edited if one.name == lens.name), lens)

    def on_page(self, sequences: Sequence[int] | None) -> tuple[dict[int, list[Panel]], list[Row]]:
        """All that a page needs to show texts without a model.

        Arguments:
            sequences: Which texts; those the filter leaves, at most twenty, if not given.

        Returns:
            The panels of each text, with gradients and ablations made beforehand, and the texts;
            a sentence of one's own that is shown comes first.
        """
        chosen = self.matching()[:20] if sequences is None else [self.row(n) for n in sequences]
        if self.selection.sequence < 0 and self.panels:
            own = Row(-1, "own sentence", self.selection.sentence, length=self.panels[0].length)
            chosen = [own, *chosen]
        layer = self.selection.layer
        return {row.sequence: self.shelf.complete(row, layer) for row in chosen}, chosen

    def _links(self, find: Callable[..., list[Link]]) -> list[Link]:
        panel, chosen = self.panel, self.selection
        timestep = same_word(self.panels[0], chosen.timestep, panel)
        if timestep < 0 or not panel.lenses:
            return []
        lens = self.lens_of(panel)
        head = chosen.head if chosen.head < lens.heads else -1
        return find(panel, lens, head=head, timestep=timestep)

    def _row_with(self, sentence: str) -> int:
        """The number of the text that a sentence is; −1 for a sentence of one's own."""
        return next((row.sequence for row in self.rows if row.text == sentence), -1)

    def _show(self) -> None:
        """Reads the sentence; one that cannot be read leaves what is shown, with a word why."""
        chosen, self._error = self.selection, None
        label = self.row(chosen.sequence).label if chosen.sequence >= 0 else -1
        try:
            if self.shelf.live:
                edits = chosen.edits
                self.panels = self.shelf.sentence(chosen.sentence, label, chosen.layer, edits)
            else:
                self.panels = self.shelf.panels(chosen.sequence, chosen.layer)
        except ValueError as error:
            nothing = not chosen.sentence.strip()
            self._error = "Type a word: what is shown is the last text." if nothing else str(error)
            return
        last = self.panels[0].length - 1
        self.selection = replace(chosen, timestep=min(chosen.timestep, last))

    def _follow(self) -> None:
        """Asks for what is not there yet: gradients, influence, what is said of the texts."""
        wanted = [job for job in (self._flow(), self._influence(), self._outcomes()) if job]
        if wanted or self.background.busy:
            self.background.restart(wanted)

    @property
    def _nothing_read(self) -> bool:
        """Whether there is nothing to compute more of: no model, or no sentence it could read."""
        return not self.shelf.live or self._error is not None

    def _flow(self) -> Job | None:
        if self._nothing_read or all(_has_flow(panel) for panel in self.panels):
            return None
        chosen = self.selection
        label = self.row(chosen.sequence).label if chosen.sequence >= 0 else -1

        def deliver(found: Mapping[str, list[Track]]) -> None:
            self.panels = [with_tracks(panel, found[panel.key]) for panel in self.panels]

        return Job("gradients", lambda: self.shelf.flow(chosen.sentence, label, chosen.layer),
                   deliver)  # fmt: skip

    def _influence(self) -> Job | None:
        chosen = self.selection
        if self._nothing_read or chosen.lens != INFLUENCE or chosen.timestep < 0:
            return None
        words = {p.key: same_word(self.panels[0], chosen.timestep, p) for p in self.panels}
        missing = {
            panel.key: words[panel.key]
            for panel in self.panels
            if words[panel.key] >= 0 and words[panel.key] not in (panel.lens(INFLUENCE).at or ())
        }
        if not missing:
            return None

        def deliver(found: Mapping[str, Lens]) -> None:
            self.panels = [
                with_lens(panel, found[panel.key]) if panel.key in found else panel
                for panel in self.panels
            ]

        return Job(INFLUENCE, lambda: self.shelf.influence(chosen.sentence, missing), deliver)

    def _outcomes(self) -> Job | None:
        if self._texts_read:
            return None

        def deliver(found: list[Row]) -> None:
            self.rows, self._texts_read = found, True

        return Job("predictions", self.shelf.outcomes, deliver)

    def _check_sequence(self, value: int) -> int:
        if value >= 0:
            return self.row(value).sequence
        if not self.shelf.live:
            raise ValueError("These are traces: there is no sentence of one's own (sequence −1).")
        return -1

    def _check_sentence(self, value: str) -> str:
        if not self.shelf.live and value not in {row.text for row in self.rows}:
            raise ValueError(
                "A trace holds what was recorded and reads no other sentence. Give models to type "
                "sentences: Explorer(attnviz.load_model(...))."
            )
        return value

    def _check_timestep(self, value: int) -> int:
        length = self.panels[0].length
        if not -1 <= value < length:
            raise ValueError(f"timestep is one of 0 to {length - 1}, −1 for none; got {value}.")
        return value

    def _check_cell(self, value: str) -> str:
        return _one_of("cell", value, self.shelf.keys)

    def _check_layer(self, value: str) -> str:
        return _one_of("layer", value, self.shelf.layers)

    def _check_lens(self, value: str) -> str:
        held = {lens.name: None for panel in self.panels for lens in panel.lenses}
        return _one_of("lens", value, list(held)) if value or held else ""

    def _check_head(self, value: int) -> int:
        most = max((lens.heads for p in self.panels for lens in p.lenses), default=1)
        if not -1 <= value < most:
            raise ValueError(f"head is one of 0 to {most - 1}, −1 for their mean; got {value}.")
        return value

    def _check_edits(self, value: Mapping[str, object]) -> Edits:
        edits = Edits.of(value)
        if edits and not self.shelf.live:
            raise ValueError("A trace cannot be edited; give models to switch attention off.")
        return edits.check(self.shelf.switches) if edits else Edits()

    def _check_filters(self, value: Mapping[str, object]) -> Filter:
        return Filter.of(value)

    def _check_window(self, value: Sequence[int]) -> tuple[int, int]:
        start, stop = (int(number) for number in value)
        if (start, stop) != (0, 0) and not 0 <= start < stop:
            raise ValueError(f"window is (first, one after the last), got {(start, stop)}.")
        return start, stop


def _has_flow(panel: Panel) -> bool:
    return any(track.name == "gradient" for track in panel.tracks)


def _one_of(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(f"{name} is one of {list(known)}, but got {value!r}.")
    return value
