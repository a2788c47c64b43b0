"""The figures of a report: every kind that the trace can draw."""

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attnviz.analysis import measure_label, measures_of, outcome
from attnviz.plots import KINDS, PlotOptions, drawable_kinds, plot_ablation
from attnviz.plots.kinds import shown_of
from attnviz.reporting.contents import Block, Paragraph, Picture, Section
from attnviz.reporting.recorded import ablation_table
from attnviz.trace import Trace, sequence_length

__all__ = ["ablation_section", "chosen_sequences", "figure_sections"]

# Of a longer sequence the end is drawn: that is what the prediction comes from.
MOST_TOKENS = 180


def chosen_sequences(trace: Trace) -> list[int]:
    """What to show if nothing is asked for: the surest right prediction and the surest wrong one.

    Arguments:
        trace: With at least one recorded sequence.

    Returns:
        Their numbers; the first sequence where the trace does not know what is right.
    """
    rows = np.flatnonzero(trace.tree.dataset["length"].values > 0)
    found: dict[bool, tuple[float, int]] = {}
    for row in rows:
        said = outcome(trace, int(row))
        if said.true is None or said.probability is None:
            continue
        right = said.true == said.predicted
        if said.probability > found.get(right, (0.0, -1))[0]:
            found[right] = (said.probability, int(row))
    return [row for _, row in (found[right] for right in (True, False) if right in found)] or [
        int(row) for row in rows[:1]
    ]


def figure_sections(trace: Trace, sequences: Sequence[int]) -> list[Section]:
    """A section of figures for each sequence, and one for what is of all of them."""
    kinds = drawable_kinds(trace)
    every: list[Block] = []
    for kind in (kind for kind in kinds if not _of_one(kind)):
        try:
            figure = KINDS[kind].draw(trace, PlotOptions())
        except (KeyError, ValueError) as error:  # such as sequences that are all too short for it
            every.append(Paragraph(f"Not drawn, {kind}: {error.args[0]}"))
        else:
            every.append(Picture(kind, figure, shown_of(trace, kind)))
    sections = [Section("All sequences", every)]
    for sequence in sequences:
        single = [kind for kind in kinds if _of_one(kind)]
        sections.append(_of_sequence(trace, sequence, single))
    return sections


def ablation_section(effects: xr.Dataset) -> Section:
    """What changed when attention could not read something."""
    about = effects.attrs
    said = (
        f"Taken away at layer {about.get('group')}: each {about.get('level')} by the method "
        f"{about.get('method')}, of {about.get('model')}."
    )
    figure = _whole(plot_ablation(effects))
    on, _ = measure_label(effects, measures_of(effects)[0])
    picture = Picture("ablation", figure, f"The effect of each ablation on the {on}.")
    return Section("What attention does", [Paragraph(said), picture, ablation_table(effects)])


def _of_one(kind: str) -> bool:
    """Whether a kind shows one sequence, and not all of them together."""
    return "sequence" in KINDS[kind].takes


def _of_sequence(trace: Trace, sequence: int, kinds: Sequence[str]) -> Section:
    length = sequence_length(trace, sequence)
    tokens = (length - MOST_TOKENS, length) if length > MOST_TOKENS else None
    said = outcome(trace, sequence)
    title = f"Sequence {sequence}"
    if said.predicted is not None:
        title += f": predicted {said.predicted} ({said.probability:.0%})"
        title += f", labelled {said.true}" if said.true is not None else ""
    blocks: list[Block] = []
    if tokens is not None:
        blocks.append(Paragraph(f"The last {MOST_TOKENS} of its {length:,} timesteps are drawn."))
    undrawn = []
    for kind in kinds:
        options = PlotOptions(sequence=sequence, tokens=tokens)
        try:
            figure = KINDS[kind].draw(trace, options)
        except KeyError as error:  # it holds the signal, but not what this kind shows of it
            undrawn.append(f"Not drawn, {kind}: {error.args[0]}")
            continue
        blocks.append(Picture(f"{kind}-{sequence}", figure, shown_of(trace, kind)))
    return Section(title, [*blocks, *map(Paragraph, undrawn)])


def _whole(axes: Axes) -> Figure:
    figure = axes.get_figure(root=True)
    if figure is None:
        raise ValueError("These Axes belong to no figure.")
    return figure
