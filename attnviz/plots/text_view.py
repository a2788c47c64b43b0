"""A text coloured by a score of its tokens."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from attnviz.analysis import TOKEN_SCORES, Statistic, recorded_scores, token_score
from attnviz.plots.captions import reads_backwards, subtitle, truncation_note
from attnviz.plots.figures import new_figure
from attnviz.plots.headings import (
    MARGIN,
    Heading,
    axes_at,
    draw_heading,
    footer_height,
    heading_height,
)
from attnviz.plots.lettering import drawable, right_to_left, shorten, text_width
from attnviz.plots.numbers import provenance_of
from attnviz.plots.options import PlotOptions, chosen_range
from attnviz.plots.scales import ColourScale, colour_scale
from attnviz.plots.sizes import enlarged, widest
from attnviz.plots.styling import house_style, of_what_is_open
from attnviz.plots.timesteps import at_timesteps
from attnviz.trace import Trace, group_for, tokens

__all__ = ["plot_text", "text_numbers"]

_SIZE, _LINE, _BOX = 7.5, 0.18, 0.15  # points; inches from line to line; height of a box
_PAD, _BLANK = 0.012, 0.03  # inches: at the sides of a box; between words, the pads not counted
_LONGEST_GAP = 24


@dataclass(frozen=True)
class _Piece:
    """A token, or text between tokens (with no place), and whether a blank goes before it."""

    text: str
    place: int | None
    spaced: bool


@of_what_is_open
def plot_text(
    trace: Trace,
    *,
    sequence: int = 0,
    score: str | None = None,
    group: str | None = None,
    head: int | Sequence[int] | None = None,
    tokens: tuple[int, int] | None = None,
    limits: tuple[float, float] | None = None,
) -> Figure:
    """Draws the text, each token on a box in the colour of its score.

    Text between the tokens that the model did not read is written in grey. A token without a
    score (NaN) has a grey box. Text in a script that runs from right to left is set that way.

    Arguments:
        trace: Must hold the signal of the score.
        sequence: Which sequence to draw.
        score: One of `attnviz.analysis.TOKEN_SCORES`; if not given the first the trace holds, of
            those with layers where a group or head is.
        group: The layer and direction; the first that holds the signal if not given.
        head: One head, or several, whose mean is drawn; the mean over all if not given.
        tokens: First timestep and the one after the last; all of them if not given.
        limits: Ends of the colour scale, to compare figures.

    Returns:
        A figure of page width, as high as the text needs.

    Raises:
        KeyError: If the trace does not hold the signal.
        IndexError: If there is no such sequence or head.
        ValueError: If there is no such score, it has no layers or heads but one is asked for, or
            the range does not fit the sequence.
    """
    options = PlotOptions(sequence, group, head, tokens, limits=limits, score=score)
    statistic = text_numbers(trace, options)
    scale = colour_scale(statistic, limits=limits)
    kind = _kind(trace, options)
    group = _group(trace, kind, group)
    meaning = TOKEN_SCORES[kind][1]
    if reads_backwards(trace, group):
        meaning = meaning.replace("later", "earlier")
    heading = Heading(
        f"Text coloured by {meaning}",
        subtitle(trace, sequence, group, tokens=tokens),
        scale,
        notes=truncation_note(trace, sequence),
        provenance=provenance_of(trace),
    )
    pieces, families = _pieces(trace, options)
    root = trace.tree.dataset
    text = str(root["text"].values[sequence]) if "text" in root else ""
    width = widest()
    boxes, lines = _set(pieces, families, width - 2 * MARGIN, leftwards=right_to_left(text))
    top, foot = heading_height(heading, width), footer_height(heading, width) + 0.06
    with house_style():
        figure = new_figure(width, top + lines * _LINE + foot)
        draw_heading(figure, heading)
        ax = axes_at(figure, MARGIN, top, width - 2 * MARGIN, lines * _LINE)
        ax.set_label("text")
        ax.set_axis_off()
        ax.set_xlim(0, width - 2 * MARGIN)
        ax.set_ylim(lines * _LINE, 0)
        _draw(ax, pieces, boxes, statistic, scale, families)
    return figure


def text_numbers(trace: Trace, options: PlotOptions) -> Statistic:
    """The numbers of `plot_text`.

    Arguments:
        trace: Must hold the signal of the score.
        options: What to show.

    Returns:
        Axes `(time)` with the coordinates `timestep` and `token`.

    Raises:
        KeyError: If the trace holds the signal of no score.
        ValueError: If the score is the whole model's, but a layer or head is asked for.
    """
    kind = _kind(trace, options)
    statistic = token_score(
        trace, options.sequence, kind=kind, group=options.group, head=options.head
    )
    if _of_model(trace, kind) and _of_part(options):
        raise ValueError(
            f"The score {kind!r} is of the whole model, and has no layers or heads. Leave them out."
        )
    whole = replace(options, tokens=chosen_range(trace, options))
    single = replace(statistic, values=statistic.values.expand_dims("sequence"))
    return at_timesteps(single, trace, whole)


def _kind(trace: Trace, options: PlotOptions) -> str:
    """The score asked for, else the first recorded one that has the layer or head asked for."""
    recorded = recorded_scores(trace)
    if not recorded:
        needed = sorted({signal for signal, _ in TOKEN_SCORES.values()})
        raise KeyError(f"The text view needs one of {needed}, but the trace holds none of them.")
    layered = [kind for kind in recorded if not _of_model(trace, kind)]
    return options.score or (layered if layered and _of_part(options) else recorded)[0]


def _of_part(options: PlotOptions) -> bool:
    return options.group is not None or options.head is not None


def _group(trace: Trace, kind: str, group: str | None) -> str:
    return "" if _of_model(trace, kind) else group_for(trace, TOKEN_SCORES[kind][0], group)


def _of_model(trace: Trace, kind: str) -> bool:
    return TOKEN_SCORES[kind][0] in trace.tree.data_vars


def _pieces(trace: Trace, options: PlotOptions) -> tuple[list[_Piece], list[str]]:
    first, last = chosen_range(trace, options)
    found = [
        _Piece(word, place, True) for place, word in enumerate(tokens(trace, options.sequence))
    ]
    root = trace.tree.dataset
    if "span" in root:
        text = str(root["text"].values[options.sequence])
        spans = root["span"].isel(sequence=options.sequence).values
    else:
        text, spans = "", np.zeros((len(found), 2), np.int32)
    pieces: list[_Piece] = []
    for place in range(first, last):
        gap = text[spans[place - 1, 1] : spans[place, 0]] if place > first else ""
        between = " ".join(gap.split())
        if between:
            pieces.append(_Piece(shorten(between, _LONGEST_GAP), None, gap[0].isspace()))
        spaced = gap[-1:].isspace() if text else True
        pieces.append(_Piece(found[place].text, place - first, spaced))
    words, families = drawable([piece.text for piece in pieces])
    return [replace(p, text=word) for p, word in zip(pieces, words, strict=True)], families


def _set(
    pieces: list[_Piece], families: list[str], width: float, *, leftwards: bool
) -> tuple[list[tuple[float, float, float]], int]:
    """Left edge, width and line of each piece, in inches, and the number of lines."""
    widths = [text_width(piece.text, _SIZE, families) / 72 + 2 * _PAD for piece in pieces]
    boxes: list[tuple[float, float, float]] = []
    x, line, at = 0.0, 0, 0
    while at < len(pieces):
        end = at + 1
        while end < len(pieces) and not pieces[end].spaced:
            end += 1
        blank = _BLANK if pieces[at].spaced and x > 0 else 0.0
        if x > 0 and x + blank + sum(widths[at:end]) > width:
            x, line, blank = 0.0, line + 1, 0.0
        x += blank
        for index in range(at, end):
            if x > 0 and x + widths[index] > width:
                x, line = 0.0, line + 1
            left = width - x - widths[index] if leftwards else x
            boxes.append((left, widths[index], float(line)))
            x += widths[index]
        at = end
    return boxes, line + 1


def _draw(
    ax: Axes,
    pieces: list[_Piece],
    boxes: list[tuple[float, float, float]],
    statistic: Statistic,
    scale: ColourScale,
    families: list[str],
) -> None:
    scores = statistic.values.values
    corners = []
    for piece, (left, width, line) in zip(pieces, boxes, strict=True):
        top = line * _LINE + (_LINE - _BOX) / 2
        score = None if piece.place is None else float(scores[piece.place])
        if piece.place is not None:
            right, bottom = left + width, top + _BOX
            corners.append([(left, top), (right, top), (right, bottom), (left, bottom)])
        ax.text(
            left + _PAD, top + _BOX / 2 + 0.002, piece.text, fontsize=enlarged(_SIZE),
            family=families, va="center_baseline", ha="left", color=_ink(score, scale),
            parse_math=False,
        )  # fmt: skip
    ax.add_collection(
        PolyCollection(
            corners, array=np.ma.masked_invalid(scores), cmap=scale.colour_map,
            norm=scale.norm, edgecolors="none", zorder=0,
        ),
        autolim=False,
    )  # fmt: skip


def _ink(score: float | None, scale: ColourScale) -> str:
    if score is None:
        return "0.55"
    if not np.isfinite(score):
        return "black"
    red, green, blue, _ = scale.colour_map(scale.norm(score))
    return "white" if 0.299 * red + 0.587 * green + 0.114 * blue < 0.5 else "black"
