"""What is selected, and what follows from it: sources, readers, the rows that a filter leaves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType

import numpy as np

from attnviz.explorer.panels import Lens, Panel
from attnviz.trace import SOURCE_INITIAL, SOURCE_MISSING, SOURCE_REAL

__all__ = [
    "Filter",
    "Link",
    "Row",
    "matching",
    "readers",
    "said_aloud",
    "same_word",
    "source_of",
    "sources",
    "turning_point",
]


@dataclass(frozen=True)
class Link:
    """One thing that a timestep read, or one timestep that read it.

    Arguments:
        timestep: The other timestep; −1 where it is no timestep of the sequence.
        distance: The lag or age; of a feature its number.
        value: How much, in the lens's unit.
        label: The token, or what stands there instead.
    """

    timestep: int
    distance: int
    value: float
    label: str


@dataclass(frozen=True)
class Row:
    """One sequence that can be chosen.

    Arguments:
        sequence: Its number.
        id: Its name.
        text: The text.
        label: The right class; −1 where it is not known.
        prediction: The predicted class; −1 where it is not known.
        length: How many tokens it has; −1 where it has not been read.
    """

    sequence: int
    id: str
    text: str
    label: int = -1
    prediction: int = -1
    length: int = -1


@dataclass(frozen=True)
class Filter:
    """Which sequences to offer.

    Arguments:
        label: Only of this right class.
        right: Only those predicted rightly (true) or wrongly (false).
        shortest: At least so many tokens.
        longest: At most so many.
        contains: Only texts that contain this, whatever the case.
    """

    label: int | None = None
    right: bool | None = None
    shortest: int | None = None
    longest: int | None = None
    contains: str = ""

    @staticmethod
    def of(given: Mapping[str, object]) -> "Filter":
        """The filter that a dictionary describes.

        Raises:
            ValueError: If it says something that no filter knows.
        """
        known = set(Filter.__dataclass_fields__)
        unknown = sorted(set(given) - known)
        if unknown:
            raise ValueError(f"A filter knows {sorted(known)}, but got {unknown}.")
        for name, value in given.items():
            if type(value) not in _FITTING[name]:
                told = " or ".join(_TOLD[kind] for kind in _FITTING[name])
                raise ValueError(f"The filter {name!r} is {told}, but got {value!r}.")
        return Filter(**given)  # type: ignore[arg-type]


_FITTING: dict[str, tuple[type, ...]] = {
    "label": (int, NoneType), "right": (bool, NoneType), "shortest": (int, NoneType),
    "longest": (int, NoneType), "contains": (str,),
}  # fmt: skip
_TOLD = {int: "a whole number", bool: "true or false", str: "a text", NoneType: "none"}


def matching(rows: Iterable[Row], chosen: Filter) -> list[Row]:
    """The rows that a filter leaves, in their order.

    What is not known fits no filter that asks for it.
    """
    wanted = chosen.contains.casefold()
    return [row for row in rows if _fits(row, chosen) and wanted in row.text.casefold()]


def _fits(row: Row, chosen: Filter) -> bool:
    if chosen.label is not None and row.label != chosen.label:
        return False
    if chosen.right is not None:
        known = row.label >= 0 and row.prediction >= 0
        if not known or (row.label == row.prediction) != chosen.right:
            return False
    if chosen.shortest is not None and not row.length >= chosen.shortest:
        return False
    return chosen.longest is None or 0 <= row.length <= chosen.longest


def source_of(panel: Panel, timestep: int, distance: int) -> tuple[int, int]:
    """Which timestep stands at a distance, and what kind of state that is.

    Arguments:
        panel: The panel.
        timestep: The reading timestep.
        distance: The lag or age.

    Returns:
        The timestep (−1 if it is none of the sequence's) and one of `SOURCE_REAL`,
        `SOURCE_INITIAL` and `SOURCE_MISSING` (as `attnviz.trace.source_kind`).
    """
    step = timestep if panel.direction > 0 else panel.length - 1 - timestep
    place = step - distance + panel.history
    if place >= panel.history:
        return timestep - panel.direction * distance, SOURCE_REAL
    if place >= 0:
        return -1, SOURCE_REAL
    return -1, SOURCE_INITIAL if place == -1 and panel.initial_state else SOURCE_MISSING


def same_word(panel: Panel, timestep: int, other: Panel) -> int:
    """The timestep at which another panel reads the same word.

    Arguments:
        panel: The panel that the timestep belongs to.
        timestep: A timestep; −1 for none.
        other: A panel of the same text, which may be cut in another place.

    Returns:
        The timestep; −1 where the other does not read that word.
    """
    if timestep < 0 or other is panel:
        return timestep
    start = panel.spans[timestep, 0]
    within = np.flatnonzero((other.spans[:, 0] <= start) & (start < other.spans[:, 1]))
    return int(within[0]) if len(within) else -1


def turning_point(panel: Panel) -> int:
    """The word at which the running prediction changes most: a good place to begin.

    The first words are left out: there it has little to go by, and little to look back on.

    Arguments:
        panel: The panel.

    Returns:
        The timestep; the middle one where there is no running prediction.
    """
    score = next((track for track in panel.tracks if track.name == "score"), None)
    if score is None or panel.length < 2:
        return panel.length // 2
    steps = np.abs(np.diff(np.stack([one.values for one in score.series]), axis=-1)).max(axis=0)
    few = min(20, panel.length // 4)
    there = np.arange(1, panel.length) if panel.direction > 0 else np.arange(panel.length - 1)
    later = there >= few if panel.direction > 0 else there < panel.length - few
    return int(there[np.where(later, np.nan_to_num(steps), -1.0).argmax()])


def sources(panel: Panel, lens: Lens, *, head: int, timestep: int) -> list[Link]:
    """What a timestep read, the largest first.

    Arguments:
        panel: The panel.
        lens: One of its lenses.
        head: One head; −1 for their mean.
        timestep: The reading timestep.

    Returns:
        Links; none where the lens has no row for the timestep. Zeros where no state stands are
        left out.

    Raises:
        IndexError: If there is no such timestep or head.
    """
    row = _row(panel, lens, timestep)
    if row is None:
        return []
    values = lens.head(head)[row]
    links = []
    tokens = panel.tokens()
    for distance, value in zip(lens.sources, values, strict=False):
        if np.isnan(value):
            continue
        if lens.axis == "feature":
            links.append(Link(-1, distance, float(value), lens.feature(distance)))
            continue
        other, kind = source_of(panel, timestep, distance)
        if kind == SOURCE_REAL or value != 0:
            links.append(Link(other, distance, float(value), _name(tokens, other, kind)))
    links += [Link(-1, -1, float(extra.values[timestep]), extra.label) for extra in lens.extras]
    return sorted(links, key=lambda link: -abs(link.value))


def readers(panel: Panel, lens: Lens, *, head: int, timestep: int) -> list[Link]:
    """Which later timesteps read a timestep, the largest first.

    Arguments:
        panel: The panel.
        lens: One of its lenses.
        head: One head; −1 for their mean.
        timestep: The timestep that is read.

    Returns:
        Links; none for a lens over features.

    Raises:
        IndexError: If there is no such timestep or head.
    """
    _row(panel, lens, timestep)
    if lens.axis == "feature":
        return []
    values, tokens, links = lens.head(head), panel.tokens(), []
    for number, distance in enumerate(lens.sources):
        other = timestep + panel.direction * distance
        if distance == 0 or not 0 <= other < panel.length:
            continue
        row = _row(panel, lens, other)
        if row is not None and number < values.shape[1] and not np.isnan(values[row, number]):
            links.append(Link(other, distance, float(values[row, number]), tokens[other]))
    return sorted(links, key=lambda link: -abs(link.value))


def said_aloud(panel: Panel, lens: Lens, *, head: int, timestep: int, count: int = 3) -> str:
    """The selected word and its strongest sources, in a sentence.

    Arguments:
        panel: The panel.
        lens: One of its lenses.
        head: One head; −1 for their mean.
        timestep: The selected timestep.
        count: How many sources to name.

    Returns:
        The sentence.
    """
    word = panel.tokens()[timestep]
    links = sources(panel, lens, head=head, timestep=timestep)[:count]
    told = "; ".join(f"{link.label}{_where(link, lens)}, {link.value:.4g}" for link in links)
    start = f"{panel.key}, word {timestep + 1} of {panel.length}: {word}. {lens.label}"
    return f"{start}: {told}." if told else f"{start}: nothing to read."


def _where(link: Link, lens: Lens) -> str:
    return "" if lens.axis == "feature" or link.distance < 0 else f" at {lens.axis} {link.distance}"


def _name(tokens: Sequence[str], other: int, kind: int) -> str:
    if kind == SOURCE_INITIAL:
        return "initial state"
    if kind == SOURCE_MISSING:
        return "before the first word"
    return tokens[other] if other >= 0 else "carried in"


def _row(panel: Panel, lens: Lens, timestep: int) -> int | None:
    if not 0 <= timestep < panel.length:
        raise IndexError(
            f"{panel.key} has {panel.length} timesteps, numbered from 0, but {timestep} was "
            "selected."
        )
    if lens.at is None:
        return timestep
    return list(lens.at).index(timestep) if timestep in lens.at else None
