"""What can be selected in the explorer: the selection, and what it may be changed to."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from attnviz.explorer.edits import Edits
from attnviz.explorer.panels import Panel
from attnviz.explorer.selection import Filter, Row
from attnviz.explorer.shelf import Shelf

__all__ = ["Choices", "Selection", "row_of"]


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


@dataclass(frozen=True)
class Choices:
    """What there is to select.

    Arguments:
        shelf: Where sequences come from.
        rows: The texts.
        panels: What is shown.
    """

    shelf: Shelf
    rows: Sequence[Row]
    panels: Sequence[Panel]

    def checked(self, name: str, value: object) -> Any:  # noqa: ANN401
        """A value as `Selection` holds it.

        Raises:
            ValueError: If there is nothing such to select.
        """
        check = getattr(self, f"_check_{name}", None)
        return value if check is None else check(value)

    def _check_sequence(self, value: int) -> int:
        if value >= 0:
            return row_of(self.rows, value).sequence
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


def row_of(rows: Sequence[Row], sequence: int) -> Row:
    """The text of a number.

    Raises:
        ValueError: If there is none.
    """
    found = next((row for row in rows if row.sequence == sequence), None)
    if found is None:
        raise ValueError(
            f"There are {len(rows)} texts, numbered {rows[0].sequence} to {rows[-1].sequence}, "
            f"but {sequence} was asked for."
        )
    return found


def _one_of(name: str, value: str, known: Sequence[str]) -> str:
    if value not in known:
        raise ValueError(f"{name} is one of {list(known)}, but got {value!r}.")
    return value
