"""The explorer's view as a figure: the same panels, selection and numbers, for paper."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from attnviz.analysis import Statistic
from attnviz.explorer.panels import Lens, Panel, Series, Track
from attnviz.explorer.selection import Link, readers, source_of, sources
from attnviz.plots.headings import Heading
from attnviz.plots.scales import ColourScale, colour_scale, ratio_scale
from attnviz.plots.strips import LineStrip, MapStrip, Strip, source_keys
from attnviz.plots.styling import style
from attnviz.plots.wrapped import TimeAxis, draw_wrapped

__all__ = ["explorer_figure"]

_BAND, _LINE, _ROW = 0.1, 0.24, 0.05
_WRAP = 60
_FEATURES = 5  # rows for the features of each kind
_LARGEST_MAP = 40  # rows of a heatmap; more sources are left to the bands
_HARDLY = 1.05  # times the highest of whole windows


def explorer_figure(
    panels: Sequence[Panel],
    *,
    lens: str,
    head: int = -1,
    timestep: int = -1,
    window: tuple[int, int] = (0, 0),
    provenance: dict[str, str] | None = None,
) -> Figure:
    """Draws what the explorer shows: for each cell what the selected word read, and by whom.

    Arguments:
        panels: Of one text, one a cell.
        lens: What is looked through; a cell that has no such lens is drawn with its first.
        head: One head; −1 for the mean over heads.
        timestep: The selected word, by the first panel; −1 for none.
        window: First timestep and the one after the last; (0, 0) for all.
        provenance: What the figure is drawn from.

    Returns:
        A figure of page width at most. Each cell has a band of what the selected word read, one of
        the words that read it, the map of all words, and the running prediction, edited and not.

    Raises:
        ValueError: If the range holds no timestep, panels do not read the same words, or there is
            nothing to draw.
    """
    first = panels[0]
    start, stop = (0, first.length) if window == (0, 0) else window
    stop = min(stop, first.length)
    if start >= stop:
        raise ValueError(f"{first.key} has {first.length} timesteps; none lies in {window}.")
    for panel in panels[1:]:
        if panel.tokens() != first.tokens():
            raise ValueError(
                f"{first.key} and {panel.key} read other parts of the text, so that they share no "
                "axis. Draw each by an explorer of its own."
            )
    found = [_Drawn(panel, panel.lens(lens), head, timestep) for panel in panels]
    scales = _scales(found)
    strips: list[Strip] = []
    for one in found:
        strips += one.strips(scales[one.lens.name], name=one.panel.key if len(panels) > 1 else "")
    if not strips:
        raise ValueError(
            f"{first.key} through {found[0].lens.label} has too many sources, or too few rows, for "
            "a map. Select a word, or look through something else."
        )
    numbers = list(range(start, stop))
    heading = Heading(
        _title(first, timestep, found), _subtitle(panels, found), scales[found[0].lens.name],
        _keys(found), _notes(found, scales, timestep), provenance=provenance or {},
    )  # fmt: skip
    with style("paper"):
        cut = [_cut(strip, start, stop) for strip in strips]
        tokens = first.tokens()[start:stop]
        return draw_wrapped(cut, time=TimeAxis(numbers, tokens, _WRAP), heading=heading)


class _Drawn:
    """One panel as it is drawn."""

    def __init__(self, panel: Panel, lens: Lens, head: int, timestep: int) -> None:
        self.panel, self.timestep = panel, timestep
        self.lens, self.head = lens, head if head < lens.heads else -1

    def strips(self, scale: ColourScale, *, name: str) -> list[Strip]:
        strips: list[Strip] = []
        if self.timestep >= 0 and self.lens.axis != "feature":
            for what, find in (("read", sources), ("read by", readers)):
                links = find(self.panel, self.lens, head=self.head, timestep=self.timestep)
                band = self._band(links, self._measured(what))
                strips.append(MapStrip(band, scale, [what], _BAND))
        if self.lens.axis == "feature":
            strips += self._features(scale)
        elif self.lens.at is None and len(self.lens.sources) <= _LARGEST_MAP:
            values = np.ascontiguousarray(self.lens.head(self.head).T)
            rows = [str(source) for source in self.lens.sources]
            label, holds = name or self.lens.axis, self.holds()
            strips.append(MapStrip(values, scale, rows, _ROW * len(rows), label=label, holds=holds))
        if self.scores:
            lines = np.stack([series.values for series in self.scores])
            strips.append(LineStrip(lines, (0.0, 1.0), _LINE))
        return strips

    def _features(self, scale: ColourScale) -> list[Strip]:
        """Of each kind the features with the highest means, and the mean of the others."""
        values, kinds = self.lens.head(self.head), np.array(self.lens.kinds)
        strips: list[Strip] = []
        for kind in dict.fromkeys(self.lens.kinds):
            numbers = np.flatnonzero(kinds == kind)
            ranked = numbers[np.argsort(-np.nanmean(values[:, numbers], axis=0), kind="stable")]
            top, others = ranked[:_FEATURES], ranked[_FEATURES:]
            rows = [self.lens.feature(int(n)).split()[-1] for n in top]
            drawn = [values[:, n] for n in top]
            if len(others):
                rows, drawn = [*rows, "others"], [*drawn, values[:, others].mean(axis=1)]
            height = 2 * _ROW * len(rows)
            strips.append(MapStrip(np.stack(drawn[::-1]), scale, rows[::-1], height, label=kind))
        return strips

    @property
    def scores(self) -> list[Series]:
        """The running prediction: unedited first, then edited."""
        edited = self.panel.edited
        arms: Sequence[Sequence[Track]] = [self.panel.tracks]
        if edited is not None:
            arms = [edited.before_tracks or self.panel.tracks, edited.tracks]
        return [
            series
            for tracks in arms
            for track in tracks
            if track.name == "score"
            for series in track.series
        ]

    def holds(self) -> np.ndarray | None:
        """What stands at each source and timestep."""
        if self.lens.axis != "lag":
            return None
        kinds = [
            [source_of(self.panel, t, lag)[1] for t in range(self.panel.length)]
            for lag in self.lens.sources
        ]
        return np.array(kinds, dtype=np.uint8)

    def _measured(self, what: str) -> np.ndarray:
        """At which words a band says something: of influence, only single words are measured."""
        every = np.arange(self.panel.length)
        if self.lens.at is None:
            return every >= 0
        return np.isin(every if what == "read by" else self.timestep, self.lens.at) & (every >= 0)

    def _band(self, links: Sequence[Link], measured: np.ndarray) -> np.ndarray:
        band = np.where(measured, 0.0, np.nan)[None]
        for link in links:
            if link.timestep >= 0:
                band[0, link.timestep] = link.value
        band[0, self.timestep] = np.nan  # grey: the word itself
        return band


def _scales(found: Sequence[_Drawn]) -> dict[str, ColourScale]:
    """One scale for each lens, over all cells that are drawn with it.

    Timesteps with a whole window behind them set it; where the others reach hardly higher, all do.
    """
    scales = {}
    for name in {one.lens.name for one in found}:
        drawn = [one for one in found if one.lens.name == name]
        full = np.concatenate([_full_windows(one).ravel() for one in drawn])
        every = np.concatenate([one.lens.head(one.head).ravel() for one in drawn])
        hardly = _reach(every) <= _HARDLY * _reach(full)
        lens, counts = drawn[0].lens, xr.DataArray(every if hardly else full, dims="value")
        both = Statistic(lens.label, counts, lens.unit)
        features = any(one.lens.axis == "feature" for one in drawn)
        scales[name] = ratio_scale(both) if features else colour_scale(both)
    return scales


def _reach(values: np.ndarray) -> float:
    return float(np.nanmax(np.abs(values), initial=0.0))


def _full_windows(one: _Drawn) -> np.ndarray:
    """The values of timesteps with a whole window behind them."""
    lens, values = one.lens, one.lens.head(one.head)
    if lens.at is None and lens.axis != "feature" and lens.sources:
        longest = max(lens.sources)
        if len(values) > longest + 1:
            return values[longest:] if one.panel.direction > 0 else values[:-longest]
    return values


def _cut(strip: Strip, start: int, stop: int) -> Strip:
    values = strip.values[:, start:stop]
    if isinstance(strip, MapStrip) and strip.holds is not None:
        return replace(strip, values=values, holds=strip.holds[:, start:stop])
    return replace(strip, values=values)


def _title(panel: Panel, timestep: int, found: Sequence[_Drawn]) -> str:
    names = list(dict.fromkeys(one.panel.cell for one in found))
    cells = " and ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names)
    if timestep < 0 or all(one.lens.axis == "feature" for one in found):
        return f"What {cells} read at each word"
    return (
        f"What {cells} read at “{panel.tokens()[timestep]}” (timestep {timestep}), and who read it"
    )


def _subtitle(panels: Sequence[Panel], found: Sequence[_Drawn]) -> str:
    parts = []
    for one in found:
        panel = one.panel
        which = "" if one.lens.heads == 1 else f", head {one.head}" if one.head >= 0 else ", mean"
        edited = "" if panel.edited is None else f", {panel.edited.label}"
        parts.append(f"{panel.key}: {one.lens.label}{which}{edited}{_said(panel)}")
    label = panels[0].label
    true = f" · true: {panels[0].classes[label]}" if 0 <= label < len(panels[0].classes) else ""
    return " · ".join(parts) + true


def _said(panel: Panel) -> str:
    """What is predicted; under an edit the class that was predicted before it, before and after."""
    before = panel.prediction
    if panel.edited is not None:
        before = panel.edited.unedited or before
    if not len(before):
        return ""
    best = int(np.argmax(before))
    after = "" if panel.edited is None else f" → {panel.edited.prediction[best]:.2f}"
    return f", predicted: {panel.classes[best]} ({before[best]:.2f}{after})"


def _keys(found: Sequence[_Drawn]) -> list[tuple[Artist, str]]:
    holds = [one.holds() for one in found if one.lens.at is None]
    kinds = [held.ravel() for held in holds if held is not None]
    keys = source_keys(np.concatenate(kinds)[None]) if kinds else []
    if any(one.scores for one in found):
        keys.append((Line2D([0, 1], [0.5, 0.5], color="C0", linewidth=0.9), "running prediction"))
    if any(one.panel.edited is not None for one in found):
        keys.append((Line2D([0, 1], [0.5, 0.5], color="C1", linewidth=0.9), "edited"))
    return keys


def _capital(words: str) -> str:
    """The first letter alone: the rest may be symbols."""
    return words[:1].upper() + words[1:]


def _notes(found: Sequence[_Drawn], scales: dict[str, ColourScale], timestep: int) -> list[str]:
    notes = [f"{_capital(one.lens.label)}: {one.lens.says}" for one in found]
    others = [name for name in scales if name != found[0].lens.name]
    if others:
        notes.append(
            "Cells with another lens have colours of their own, on the range of its values."
        )
    if timestep >= 0:
        some = any(one.lens.at is not None for one in found)
        more = ", and what was not measured" if some else ""
        notes.append(f"Grey in the bands: the selected word itself{more}.")
    notes += [note for one in found for note in one.panel.notes]
    return list(dict.fromkeys(notes))
