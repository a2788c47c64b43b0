"""What was recorded, and what it comes to, as sections of a report."""

from collections.abc import Callable

import numpy as np
import xarray as xr

from attnviz.analysis import Statistic, entropy, mass_on_missing, mean_lag, outcome
from attnviz.analysis.ablation import ablation_effect
from attnviz.analysis.flow import FlowPlace, route_share_by_distance
from attnviz.outcomes import tells_classes
from attnviz.plots.captions import interval_note, signed
from attnviz.reporting.contents import Block, Facts, Paragraph, Section, Table
from attnviz.trace import Trace, layer_groups, sequence_count, sequences_of

__all__ = [
    "ablation_table",
    "attention_section",
    "flow_section",
    "recorded_only",
    "trace_section",
]

SHOWN, LONGEST_TEXT = 12, 160
DISTANCES = (0, 1, 2, 5, 10, 20, 50, 100, 200)
PLACES: tuple[FlowPlace, ...] = ("input", "hidden", "memory")
MOST_EDITS = 20


def trace_section(trace: Trace, digest: str) -> Section:
    """Where the trace comes from, which sequences it holds, and what was said of them."""
    root, attributes = trace.tree.dataset, trace.tree.attrs
    lengths = root["length"].values
    recorded = np.flatnonzero(lengths >= 0)
    steps = lengths[recorded]
    low, high = int(steps.min()), int(steps.max())
    rows = [
        ("trace", trace.path.name if trace.path else "in memory"),
        ("digest", digest),
        ("sequences", f"{len(recorded):,}"),
        ("timesteps", f"{low}{f' to {high}' * (low < high)}, {steps.sum():,} in all"),
        *((str(name), str(attributes[name])) for name in _SAID if name in attributes),
    ]
    if "unknown_tokens" in attributes:
        count, of = int(attributes["unknown_tokens"]), int(attributes["tokens"])
        rows.append(("unknown tokens", f"{count:,} of {of:,} ({count / of:.1%}), read as <unk>"))
    blocks: list[Block] = [Facts(rows)]
    if right := _right(trace, recorded):
        blocks.append(Paragraph(right))
    blocks.append(_sequences(trace, recorded))
    return Section("What was read", blocks)


def attention_section(trace: Trace, of: str) -> Section:
    """The attention of each layer in numbers."""
    rows = []
    for group in layer_groups(trace):
        if "attention" in trace.tree.children[group].data_vars:
            for measure in (_mean_lag, _entropy, _missing):
                name, statistic = measure(trace, group)
                rows += _by_head(group, name, statistic)
    if not rows:
        return Section("Attention", [])
    caption = f"Means over timesteps, then over sequences, ± their standard deviation, of {of}."
    table = Table(["layer", "head", "", "mean", "sd"], rows, caption, words=3)
    return Section("Attention", [table])


def flow_section(trace: Trace, of: str) -> Section:
    """Which way the gradient came back: the share of each route, by distance from the end."""
    blocks: list[Block] = []
    for group in layer_groups(trace):
        held = trace.tree.children[group].data_vars
        for place in PLACES:
            if f"{place}_route_projection" in held:
                blocks.append(_shares(trace, place, group, of))
    return Section("Which way the gradient came back", blocks)


def ablation_table(effects: xr.Dataset) -> Table:
    """The mean effects, the strongest first where there are many."""
    effect = ablation_effect(effects)
    axes = [str(axis) for axis in effect.values.dims]
    flat = effect.values.stack(edit=axes)
    order = np.argsort(-np.abs(flat.fillna(0).values), kind="stable")
    chosen = order[:MOST_EDITS] if len(order) > MOST_EDITS else np.arange(len(order))
    rows = []
    for place in chosen:
        at = flat["edit"].values[place]
        where = dict(zip(axes, at if isinstance(at, tuple) else (at,), strict=True))
        row = [*map(str, where.values()), signed(float(flat.values[place]), 4)]
        if effect.uncertainty is not None:
            low, high = effect.uncertainty.sel(where).values
            row.append(f"{signed(low, 4)} to {signed(high, 4)}")
        rows.append(row)
    sequences = effects.sizes["sequence"]
    caption = f"Edited minus unedited, mean over {sequences} sequences."
    if len(order) > MOST_EDITS:
        caption += f" The {MOST_EDITS} strongest of {len(order)}."
    interval = ["95 % interval"] if effect.uncertainty is not None else []
    caption += "".join(f" {note}." for note in interval_note("intervals", [sequences]))
    return Table([*axes, effect.name, *interval], rows, caption, words=0)


_SAID = ("task", "split", "mode", "truncation", "weights_digest", "versions")


def _right(trace: Trace, recorded: np.ndarray) -> str:
    """How many were told rightly, where the trace knows what is right."""
    root = trace.tree.dataset
    if not {"label", "prediction"} <= set(root.data_vars) or not tells_classes(trace):
        return ""
    labels = root["label"].values[recorded]
    if labels.dtype.kind not in "iu" or not (labels >= 0).any():
        return ""
    told = root["prediction"].values[recorded].argmax(axis=-1)
    known = labels >= 0
    right = int((told == labels)[known].sum())
    return f"{right:,} of {known.sum():,} predictions are right ({right / known.sum():.1%})."


def _sequences(trace: Trace, recorded: np.ndarray) -> Table:
    root, rows = trace.tree.dataset, []
    for row in recorded[:SHOWN]:
        found = outcome(trace, int(row))
        text = " ".join(str(root["text"].values[row]).split()) if "text" in root else ""
        name = str(root["id"].values[row]) if "id" in root else ""
        cut = text[:LONGEST_TEXT] + ("…" if len(text) > LONGEST_TEXT else "")
        rows.append(
            [
                str(row),
                name,
                str(root["length"].values[row]),
                found.true or "–",
                found.said or "–",
                cut,
            ]
        )
    count = len(recorded)
    caption = f"The first {SHOWN} of {count:,}." if count > SHOWN else ""
    return Table(["sequence", "id", "length", "label", "predicted", "text"], rows, caption, words=6)


Measured = tuple[str, Statistic]


def _mean_lag(trace: Trace, group: str) -> Measured:
    return "mean lag (timesteps)", _of_weights(
        lambda magnitude: mean_lag(trace, group=group, magnitude=magnitude)
    )


def _entropy(trace: Trace, group: str) -> Measured:
    return "entropy (of the largest possible)", _of_weights(
        lambda magnitude: entropy(trace, group=group, normalised=True, magnitude=magnitude)
    )


def _missing(trace: Trace, group: str) -> Measured:
    return "weight on what lies before the start", mass_on_missing(trace, group=group)


def _of_weights(measure: Callable[[bool], Statistic]) -> Statistic:
    """Of the weights; where they may be negative, of their magnitudes."""
    try:
        return measure(False)
    except ValueError:
        return measure(True)


def _by_head(group: str, name: str, statistic: Statistic) -> list[list[str]]:
    means = statistic.values.mean("time")
    rows = []
    for head in range(means.sizes["head"]):
        values = means.isel(head=head).values
        values = values[np.isfinite(values)]
        if len(values):
            spread = f"{values.std(ddof=1):.3g}" if len(values) > 1 else "–"
            rows.append([group, str(head), name, f"{values.mean():.3g}", spread])
    return rows


def _shares(trace: Trace, place: FlowPlace, group: str, of: str) -> Table:
    """Lags of a route are added up: the table says which route, the figures which lag."""
    shares = route_share_by_distance(trace, place=place, group=group).values
    labels = trace.tree.children[group].coords
    kinds = [str(kind) for kind in labels.get(f"{place}_route_kind", shares["route"]).values]
    names = list(dict.fromkeys(kinds))
    last, lengths = shares.sizes["distance"] - 1, trace.tree.dataset["length"].values
    rows = []
    for distance in [one for one in DISTANCES if one <= last]:
        at = shares.sel(distance=distance).values
        if not np.isfinite(at).any():
            continue
        by_kind = [sum(at[n] for n, kind in enumerate(kinds) if kind == name) for name in names]
        reach = f"{int((lengths > distance).sum()):,}"
        rows.append([str(distance), reach, *(f"{round(s, 3) + 0.0:+.3f}" for s in by_kind)])
    where = {"input": "input", "hidden": "hidden state", "memory": "memory"}[place]
    caption = (
        f"Layer {group}, at the {where}: the signed share of each route by distance from the end, a"
        f" ratio of sums over those of {of} that reach it; a row adds up to one."
    )
    columns = ["distance", "sequences", *(name.replace("_", " ") for name in names)]
    return Table(columns, rows, caption, words=0)


def recorded_only(trace: Trace, most: int) -> tuple[Trace, str]:
    """The first so many sequences that are recorded, and how to call them."""
    rows = np.flatnonzero(trace.tree.dataset["length"].values >= 0)
    chosen = rows[:most]
    of = f"{len(rows):,} sequence{'' if len(rows) == 1 else 's'}"
    if len(rows) > most:
        of = f"the first {most:,} of {of}"
    if len(chosen) == sequence_count(trace):
        return trace, of
    return Trace(sequences_of(trace.tree, chosen)), of
