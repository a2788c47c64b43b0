"""The plots of runs, probes and studies by name, as `attnviz.plots.kinds` has others."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from attnviz.cards import CELLS
from attnviz.plots.kinds import PlotKind
from attnviz.plots.options import PlotOptions

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from attnviz.analysis.learning import RunCurve, StudyCurves
    from attnviz.analysis.statistic import Statistic

__all__ = [
    "PROBE_KINDS", "RUN_KINDS", "STUDY_KINDS", "TRAINING_KINDS", "common_score",
    "drawable_curves", "searched_value",
]  # fmt: skip


def _kernel_evolution(
    probes: "xr.DataTree | Mapping[str, xr.DataTree]", o: PlotOptions
) -> "Figure":
    from attnviz.plots.kernel_evolution import plot_kernel_evolution

    return plot_kernel_evolution(probes, group=o.group, head=o.head, lags=o.lags, limits=o.limits)


def _kernel_numbers(probes: "xr.DataTree", o: PlotOptions) -> "Statistic":
    from attnviz.plots.kernel_evolution import kernel_evolution_numbers

    return kernel_evolution_numbers(probes, o)


def _learning_curves(source: "RunCurve | StudyCurves", o: PlotOptions) -> "Figure":
    return _draw_curves(_curves_of(source), o, _said(source))


def _learning_together(sources: "Mapping[str, RunCurve | StudyCurves]", o: PlotOptions) -> "Figure":
    """Runs by the names given, the cells of studies each behind its study's."""
    curves = {
        f"{name}: {cell}" if len(found) > 1 else name: runs
        for name, source in sources.items()
        for found in [_curves_of(source)]
        for cell, runs in found.items()
    }
    return _draw_curves(curves, o, {})


def common_score(sources: "Sequence[RunCurve | StudyCurves]") -> str:
    """The score that is drawn of several trainings where none is asked for.

    Arguments:
        sources: Runs and studies.

    Returns:
        The first that all histories have.

    Raises:
        ValueError: If they have none in common.
    """
    from attnviz.analysis.learning import scores_of

    tables = [run for source in sources for runs in _curves_of(source).values() for run in runs]
    if not (shared := scores_of(tables)):
        raise ValueError("These trainings have no score in common: name one (--score NAME).")
    return shared[0]


def _draw_curves(
    curves: "Mapping[str, Sequence[pd.DataFrame]]", o: PlotOptions, said: Mapping[str, str]
) -> "Figure":
    from attnviz.plots.curves import on_own_figure
    from attnviz.plots.learning import plot_learning_curves

    def draw(ax: "Axes") -> None:
        plot_learning_curves(curves, score=o.score, limits=o.limits, ax=ax)

    return on_own_figure(draw, said)


def _learning_numbers(source: "RunCurve | StudyCurves", o: PlotOptions) -> "Statistic":
    from attnviz.analysis.learning import learning_curves

    return learning_curves(_curves_of(source), score=o.score)


def _curves_of(source: "RunCurve | StudyCurves") -> "Mapping[str, Sequence[pd.DataFrame]]":
    from attnviz.analysis.learning import RunCurve

    if not source.histories:
        raise ValueError(
            f"The run {source.name} has no learning curve yet: none of its epochs is over."
            if isinstance(source, RunCurve)
            else f"{source.name} has no final run that is finished, so no learning curves yet: "
            f"{len(source.trials)} runs of trials are. attnviz study run goes on with it."
        )
    return {
        name.upper() if name in CELLS else name: runs for name, runs in source.histories.items()
    }


def _score_against(study: "StudyCurves", o: PlotOptions) -> "Figure":
    from attnviz.plots.curves import on_own_figure
    from attnviz.plots.learning import plot_score_against

    value = searched_value(study, o)
    wide = _beyond_a_decade(study.trials[value])

    def draw(ax: "Axes") -> None:
        plot_score_against(study.trials, value=value, logarithmic=wide, limits=o.limits, ax=ax)

    return on_own_figure(draw, _said(study))


def _beyond_a_decade(values: "pd.Series") -> bool:
    """Whether values are numbers above 0 of more than a decade: a linear axis crowds them."""
    if values.dtype.kind not in "iuf":
        return False
    there = values.dropna()
    return bool(len(there) and there.min() > 0 and there.max() > 10 * there.min())


def _score_numbers(study: "StudyCurves", o: PlotOptions) -> "Statistic":
    from attnviz.analysis.learning import score_against

    return score_against(study.trials, searched_value(study, o))


def searched_value(study: "StudyCurves", options: PlotOptions) -> str:
    """What scores are drawn against: what is typed as `score`, else what was searched.

    Arguments:
        study: With what was searched.
        options: With, as `score`, a dotted name or its last part.

    Returns:
        The dotted name.

    Raises:
        ValueError: If there is no such name, or nothing is said and several were searched.
    """
    asked = options.score
    found = [name for name in study.searched if asked in (None, name, name.rpartition(".")[2])]
    if len(found) == 1:
        return found[0]
    said = "nothing is said" if asked is None else f"score is {asked!r}"
    raise ValueError(
        f"{study.name} searched {', '.join(study.searched) or 'nothing'}, of which one is drawn "
        f"against, but {said}. Name it: --score NAME."
    )


def _said(source: "RunCurve | StudyCurves") -> dict[str, str]:
    from attnviz.analysis.learning import RunCurve

    if isinstance(source, RunCurve):
        return {"run": source.name, "model": source.cell}
    return {"study": source.name, "score": source.score}


PROBE_KINDS: "Mapping[str, PlotKind[xr.DataTree]]" = {
    "kernel-evolution": PlotKind(
        "The weight of each lag against the iterations of a training.",
        (), _kernel_evolution, _kernel_numbers, ("group", "head", "lags", "limits"),
        _kernel_evolution,
    ),
}  # fmt: skip

_CURVES: "PlotKind[RunCurve | StudyCurves]" = PlotKind(
    "A score against iterations, the mean over seeds with their range, for each cell.",
    (), _learning_curves, _learning_numbers, ("score", "limits"), _learning_together,
)  # fmt: skip

RUN_KINDS: "Mapping[str, PlotKind[RunCurve]]" = {
    "learning-curves": replace(_CURVES, shows="A score of a run against iterations."),
}

STUDY_KINDS: "Mapping[str, PlotKind[StudyCurves]]" = {
    "learning-curves": _CURVES,
    "score-against": PlotKind(
        "The score of each trial against one value that was searched, for each cell.",
        (), _score_against, _score_numbers, ("score", "limits"),
    ),
}  # fmt: skip

#: All of them.
TRAINING_KINDS = {**PROBE_KINDS, **STUDY_KINDS}


def drawable_curves(source: "RunCurve | StudyCurves") -> list[str]:
    """The kinds for which a run or the results of a study hold what they need.

    Arguments:
        source: As `attnviz.studies.open_run_curve` or `open_curves` gives it.

    Returns:
        Names of `RUN_KINDS` or `STUDY_KINDS`.
    """
    from attnviz.analysis.learning import RunCurve, scores_of

    if isinstance(source, RunCurve):
        return [*RUN_KINDS] if len(source.history) and scores_of([source.history]) else []
    return _drawable_of_study(source)


def _drawable_of_study(study: "StudyCurves") -> list[str]:
    scored = bool(len(study.trials)) and bool(study.trials["validation"].notna().any())
    able = {
        "learning-curves": bool(study.histories),
        "score-against": scored and bool(study.searched),
    }
    return [name for name in STUDY_KINDS if able[name]]
