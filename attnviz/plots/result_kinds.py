"""The plots of what was measured on a model, by name, as `attnviz.plots.kinds` has those of traces.

Influence and gradients by path stand here; effects of ablations beside the traces.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from attnviz.plots.kinds import EFFECT_KINDS, PlotKind, drawable_effects
from attnviz.plots.options import PlotOptions
from attnviz.store.effects import EFFECTS, INFLUENCE, PATHS

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from attnviz.analysis.statistic import Statistic

__all__ = ["INFLUENCE_KINDS", "PATH_KINDS", "RESULT_KINDS", "drawable_results", "kinds_of_result"]

_LONGEST = 20  # the last lag of a map, where nothing is said


def _influence(influence: "xr.Dataset", o: PlotOptions) -> "Figure":
    return _influences({str(influence.attrs["model"]): influence}, o)


def _influences(several: "Mapping[str, xr.Dataset]", o: PlotOptions) -> "Figure":
    from attnviz.plots.influence import plot_influence

    return plot_influence(several, longest=_longest(o))


def _influence_numbers(influence: "xr.Dataset", o: PlotOptions) -> "Statistic":
    from attnviz.plots.influence import influence_numbers

    return influence_numbers(influence, longest=_longest(o))


def _influence_map(influence: "xr.Dataset", o: PlotOptions) -> "Figure":
    from attnviz.plots.influence_map import plot_influence_map

    return plot_influence_map(
        influence, sequence=o.sequence, longest=_longest(o) or _LONGEST, tokens=o.tokens,
        wrap=o.wrap, limits=o.limits,
    )  # fmt: skip


def _influence_map_numbers(influence: "xr.Dataset", o: PlotOptions) -> "Statistic":
    from attnviz.plots.influence_map import influence_map_numbers

    return influence_map_numbers(
        influence, sequence=o.sequence, longest=_longest(o) or _LONGEST, tokens=o.tokens
    )


def _path_classes(paths: "xr.Dataset", o: PlotOptions) -> "Figure":
    from attnviz.plots.curves import draw_path_classes

    return draw_path_classes(paths, o)


def _path_class_numbers(paths: "xr.Dataset", o: PlotOptions) -> "Statistic":
    """The classes, and before them the whole gradient, as it is drawn behind them."""
    from attnviz.analysis.path_classes import (
        class_norm,
        gradient_norm_by_distance,
        same_sequences,
    )
    from attnviz.plots.curves import arrival

    place = arrival(o)
    paths = same_sequences(paths, place=place)
    norms, whole = class_norm(paths, place=place), gradient_norm_by_distance(paths, place=place)
    ends = None
    if norms.uncertainty is not None and whole.uncertainty is not None:
        ends = _beside(whole.uncertainty, norms.uncertainty)
    return replace(norms, values=_beside(whole.values, norms.values), uncertainty=ends)


def _beside(whole: "xr.DataArray", classes: "xr.DataArray") -> "xr.DataArray":
    import xarray as xr

    parts = [whole.expand_dims(path_class=["all"]), classes]
    return xr.concat(parts, "path_class").transpose(*classes.dims)


def _vanishing(paths: "xr.Dataset", o: PlotOptions) -> "Figure":
    return _vanishing_together({str(paths.attrs["model"]): paths}, o)


def _vanishing_together(several: "Mapping[str, xr.Dataset]", o: PlotOptions) -> "Figure":
    from attnviz.plots.curves import draw_vanishing

    return draw_vanishing(several, o)


def _vanishing_numbers(paths: "xr.Dataset", o: PlotOptions) -> "Statistic":
    from attnviz.analysis.path_classes import gradient_norm_by_distance, same_sequences
    from attnviz.plots.curves import arrival

    return gradient_norm_by_distance(same_sequences(paths, place=arrival(o)), place=arrival(o))


def _longest(o: PlotOptions) -> int | None:
    """The last lag; curves of influence begin at lag 0 wherever `lags` does."""
    return None if o.lags is None else o.lags[1] - 1


INFLUENCE_KINDS: "Mapping[str, PlotKind[xr.Dataset]]" = {
    "influence": PlotKind(
        "How much each earlier input matters, by lag, and its share of all, with intervals.",
        (), _influence, _influence_numbers, ("lags",), _influences,
    ),
    "influence-map": PlotKind(
        "How much each earlier input matters to each timestep, with the tokens below.",
        (), _influence_map, _influence_map_numbers, ("sequence", "tokens", "lags", "limits"),
    ),
}  # fmt: skip

PATH_KINDS: "Mapping[str, PlotKind[xr.Dataset]]" = {
    "path-classes": PlotKind(
        "The gradient by the edges that it passed, by distance from the loss.",
        (), _path_classes, _path_class_numbers, ("score",),
    ),
    "vanishing": PlotKind(
        "The whole gradient by distance from the loss, with its interval.",
        (), _vanishing, _vanishing_numbers, ("score",), _vanishing_together,
    ),
}  # fmt: skip

_BY_FORMAT: "Mapping[str, Mapping[str, PlotKind[xr.Dataset]]]" = {
    EFFECTS: EFFECT_KINDS,
    INFLUENCE: INFLUENCE_KINDS,
    PATHS: PATH_KINDS,
}
#: All of them, effects of ablations included.
RESULT_KINDS: "Mapping[str, PlotKind[xr.Dataset]]" = {
    name: kind for kinds in _BY_FORMAT.values() for name, kind in kinds.items()
}


def kinds_of_result(result: "xr.Dataset") -> "Mapping[str, PlotKind[xr.Dataset]]":
    """The kinds that there are for effects, influence or gradients by path.

    Arguments:
        result: As `attnviz.open_result` gives it.

    Returns:
        Kinds by name.

    Raises:
        ValueError: If it is none of these.
    """
    found = str(result.attrs.get("format"))
    if found not in _BY_FORMAT:
        raise ValueError(f"There are plots of {', '.join(_BY_FORMAT)}, but this is {found!r}.")
    return _BY_FORMAT[found]


def drawable_results(result: "xr.Dataset") -> list[str]:
    """Those of them for which the result holds what they need.

    Arguments:
        result: As `attnviz.open_result` gives it.

    Returns:
        Names of kinds.
    """
    kinds = kinds_of_result(result)
    if kinds is EFFECT_KINDS:
        return drawable_effects(result)
    if kinds is INFLUENCE_KINDS and result.sizes["time"] < 2:
        return ["influence"]
    return list(kinds)
