"""What is selected in the explorer and what follows from it, without a widget."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from attnviz.explorer.background import Background, Job
from attnviz.explorer.choices import Choices, Selection, row_of
from attnviz.explorer.panels import Lens, Panel, Track
from attnviz.explorer.selection import (
    Link,
    Row,
    matching,
    readers,
    same_word,
    sources,
    turning_point,
)
from attnviz.explorer.shelf import Shelf, with_lens, with_tracks

__all__ = ["Selection", "Session"]

INFLUENCE = "influence"
# What decides which text is read, and so what else can be selected.
_DECIDE = ("sequence", "sentence")


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
        self.selection = replace(
            self.selection, lens=held[0] if held else "", timestep=turning_point(self.panels[0])
        )
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
        """Selects something else, as `change_all` does."""
        self.change_all({name: value})

    def change_all(self, changes: Mapping[str, object]) -> None:
        """Selects something else, and lets follow what follows.

        Another text begins with all of its words in the window; one of the shelf with the word at
        which its prediction turns, a sentence that is typed with the word that was selected, as
        far as it has so many.

        Arguments:
            changes: New values by the fields of `Selection`, as traits of these names have them.

        Raises:
            ValueError: If there is nothing such to select; then nothing is.
        """
        before = self.selection
        first = {n: self.checked(n, v) for n, v in changes.items() if n in _DECIDE}
        after: Selection = replace(before, **first)
        if "sequence" in first and after.sequence >= 0:
            after = replace(after, sentence=self.row(after.sequence).text)
        elif "sentence" in first:
            after = replace(after, sequence=self._row_with(after.sentence))
        turns = "sequence" in first and "timestep" not in changes
        text = (after.sequence, after.sentence) != (before.sequence, before.sentence)
        if after.sentence != before.sentence:
            after = replace(after, window=(0, 0))
        others = {n: v for n, v in changes.items() if n not in _DECIDE}
        if text and isinstance(others.get("timestep"), int):
            after = replace(after, timestep=max(-1, others.pop("timestep")))  # type: ignore[call-overload]
        after = replace(after, **{n: self.checked(n, v) for n, v in others.items()})
        if after == before:
            return
        self.selection = after
        # Two texts may be the same word for word and still have other labels.
        if text or after.layer != before.layer:
            self._show()
            if turns and self._error is None:
                turn = turning_point(self.panels[0])
                self.selection = replace(self.selection, timestep=turn)
        elif after.edits != before.edits:
            self._edit()
        self._follow()

    def checked(self, name: str, value: object) -> Any:  # noqa: ANN401
        """A value as `Selection` holds it.

        Raises:
            ValueError: If there is nothing such to select.
        """
        return Choices(self.shelf, self.rows, self.panels).checked(name, value)

    def row(self, sequence: int) -> Row:
        """The text of a number.

        Raises:
            ValueError: If there is none.
        """
        return row_of(self.rows, sequence)

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
        return panel.lens(self.selection.lens)

    def on_page(self, sequences: Sequence[int] | None) -> tuple[dict[int, list[Panel]], list[Row]]:
        """All that a page needs to show texts without a model.

        Arguments:
            sequences: Which texts; those the filter leaves, at most twenty, if not given.

        Returns:
            The panels of each text, with gradients and ablations made beforehand, and the texts;
            a sentence of one's own that is shown comes first.
        """
        chosen = self.matching()[:20] if sequences is None else [self.row(n) for n in sequences]
        if self.selection.sequence < 0 and self._error is None:
            own = Row(-1, "own sentence", self.selection.sentence, length=self.panels[0].length)
            chosen = [own, *chosen]
        layer = self.selection.layer
        found = {row.sequence: self.shelf.complete(row, layer) for row in chosen}
        shown = self.selection.sequence
        if shown in found and self._error is None:  # what was measured goes along
            found[shown] = [
                with_lens(panel, lens)
                if (lens := _influence_of(now)) is not None and lens.at else panel
                for panel, now in zip(found[shown], self.panels, strict=True)
            ]  # fmt: skip
        return found, chosen

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
            if not self.panels:
                raise
            nothing = not chosen.sentence.strip()
            self._error = "Type a word: what is shown is the last text." if nothing else str(error)
        last = self.panels[0].length - 1
        self.selection = replace(chosen, timestep=min(chosen.timestep, last))

    def _edit(self) -> None:
        """Reads the sentence under other edits; what is known of it without them stays."""
        chosen = self.selection
        found = self.shelf.edited(chosen.sentence, chosen.layer, chosen.edits)
        self.panels = [replace(panel, edited=found[panel.key]) for panel in self.panels]

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

        key = ("gradients", chosen.sentence, label, chosen.layer)
        return Job(
            "gradients", lambda: self.shelf.flow(chosen.sentence, label, chosen.layer), deliver, key
        )

    def _influence(self) -> Job | None:
        chosen = self.selection
        if self._nothing_read or chosen.lens != INFLUENCE or chosen.timestep < 0:
            return None
        words = {p.key: same_word(self.panels[0], chosen.timestep, p) for p in self.panels}
        missing = {
            panel.key: words[panel.key]
            for panel in self.panels
            if words[panel.key] >= 0 and words[panel.key] not in _measured(panel)
        }
        if not missing:
            return None

        def deliver(found: Mapping[str, Lens]) -> None:
            self.panels = [
                with_lens(panel, found[panel.key]) if panel.key in found else panel
                for panel in self.panels
            ]

        key = (INFLUENCE, chosen.sentence, tuple(sorted(missing.items())))
        return Job(INFLUENCE, lambda: self.shelf.influence(chosen.sentence, missing), deliver, key)

    def _outcomes(self) -> Job | None:
        if self._texts_read:
            return None

        def deliver(found: list[Row]) -> None:
            self.rows, self._texts_read = found, True

        return Job("predictions", self.shelf.outcomes, deliver, "predictions")


def _has_flow(panel: Panel) -> bool:
    return any(track.name == "gradient" for track in panel.tracks)


def _influence_of(panel: Panel) -> Lens | None:
    return next((lens for lens in panel.lenses if lens.name == INFLUENCE), None)


def _measured(panel: Panel) -> Sequence[int]:
    lens = _influence_of(panel)
    return () if lens is None else lens.at or ()
