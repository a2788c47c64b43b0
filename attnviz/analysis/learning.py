"""Learning curves over seeds, and scores against what was searched."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from attnviz.analysis.statistic import Statistic

__all__ = [
    "RunCurve", "StudyCurves", "learning_curve", "learning_curves", "score_against", "scores_of",
]  # fmt: skip

_ENDS = ["low", "high"]
#: Columns of a history that a curve can be drawn of, the most telling first.
_SCORES = ("validation_accuracy", "validation_perplexity", "validation_loss", "loss")


@dataclass(frozen=True, eq=False)
class RunCurve:
    """What a run tells of its training, as `attnviz.studies.open_run_curve` reads it.

    Arguments:
        name: Its folder's.
        cell: What was trained, by the name to show.
        history: A row an epoch that is over: the column `step` and scores.
        recipe: How it is trained.
        data: On what.
        command: What began it, as typed.
    """

    name: str
    cell: str
    history: pd.DataFrame
    recipe: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""

    @property
    def histories(self) -> Mapping[str, Sequence[pd.DataFrame]]:
        """As a study has them: its cell's only one, or nothing where no epoch is over yet."""
        return {self.cell: [self.history]} if len(self.history) else {}


@dataclass(frozen=True, eq=False)
class StudyCurves:
    """What a study tells of its trainings, as `attnviz.studies.open_curves` reads it.

    Arguments:
        name: Of the study.
        about: A sentence on it.
        score: What its cells are compared by.
        histories: Of each cell, one table a seed: a row an epoch.
        trials: One row a trial, or a trial and fold of the task: `cell`, `fold` if there is more
            than the task's own, what was searched by its dotted name, and what came out, of which
            `validation` is the score.
        searched: The dotted names.
    """

    name: str
    about: str
    score: str
    histories: Mapping[str, Sequence[pd.DataFrame]]
    trials: pd.DataFrame
    searched: tuple[str, ...]


def scores_of(histories: Sequence[pd.DataFrame]) -> list[str]:
    """What curves can be drawn of: the columns that all histories have, the most telling first.

    Arguments:
        histories: Of any runs.

    Returns:
        Names of columns.
    """
    if not histories:
        return []
    shared = [name for name in _SCORES if all(name in history for history in histories)]
    others = [str(name) for name in histories[0].columns if str(name).startswith("train_")]
    return shared + [name for name in others if all(name in one for one in histories)]


def learning_curve(histories: Sequence[pd.DataFrame], *, score: str | None = None) -> Statistic:
    """A score by iterations: the mean over runs that differ in their seed, with their range.

    Only steps that every run has been scored at count: a mean over those that happen to go on
    would change where one of them ends.

    Arguments:
        histories: One a run, with the column `step` and the score's, such as a run's
            `history.csv`, or a study's `checks`.
        score: Which column; the first of `scores_of` if not given.

    Returns:
        Axis `(step)`. The uncertainty has one axis more, `end`: the lowest and the highest of the
        runs; none for a single run.

    Raises:
        ValueError: If there is no run, one lacks the column, or no step is theirs in common.
    """
    if not histories:
        raise ValueError("A learning curve needs the history of at least one run, got none.")
    name = score or next(iter(scores_of(histories)), "a score")
    for number, history in enumerate(histories):
        if missing := {"step", name} - {*map(str, history.columns)}:
            raise ValueError(
                f"A learning curve needs the columns step and {name}, but history {number} lacks "
                f"{', '.join(sorted(missing))}; it has {', '.join(map(str, history.columns))}."
            )
    runs = [history.set_index("step")[name].astype(float) for history in histories]
    table = pd.concat(runs, axis=1, join="inner").sort_index()
    if table.empty:
        raise ValueError(f"These {len(runs)} runs have no step in common that {name} was taken at.")
    plural = "run" if len(runs) == 1 else f"{len(runs)} runs"
    values = table.to_numpy()
    steps = {"step": table.index.to_numpy()}
    ends = np.stack([values.min(axis=1), values.max(axis=1)], axis=1)
    return Statistic(
        name.replace("_", " "),
        xr.DataArray(values.mean(axis=1), steps, "step"), "",
        uncertainty=xr.DataArray(ends, {**steps, "end": _ENDS}, ("step", "end"))
        if len(runs) > 1 else None,
        uncertainty_of=f"range over {plural}" if len(runs) > 1 else "",
    )  # fmt: skip


def learning_curves(
    histories: Mapping[str, Sequence[pd.DataFrame]], *, score: str | None = None
) -> Statistic:
    """The learning curves of several cells in one table, NaN where one has no such step.

    Arguments:
        histories: By name, a table a run.
        score: Which column; the first of `scores_of` that all have if not given.

    Returns:
        Axes `(cell, step)`. The uncertainty has one axis more, `end`; where a cell has a single
        run, both ends are that run.

    Raises:
        ValueError: As `learning_curve`.
    """
    name = score or next(iter(scores_of([run for runs in histories.values() for run in runs])), "")
    parts = [learning_curve(runs, score=name or None) for runs in histories.values()]
    ends = [
        part.values.expand_dims(end=_ENDS) if part.uncertainty is None else part.uncertainty
        for part in parts
    ]
    cells = pd.Index(list(histories), name="cell")
    joined = xr.concat([part.values for part in parts], cells, join="outer")
    spread = xr.concat([end.transpose("step", "end") for end in ends], cells, join="outer")
    return Statistic(
        parts[0].name, joined, "", uncertainty=spread.transpose("cell", "step", "end"),
        uncertainty_of="range over runs",
    )  # fmt: skip


def score_against(
    table: pd.DataFrame, value: str, *, score: str = "validation", by: str = "cell"
) -> Statistic:
    """A score by one value that was searched: the mean over the runs that had it, and their range.

    Whatever else differs between these runs, seeds or other searched values, is in the range.

    Arguments:
        table: One row a run.
        value: Column of what was searched; numbers, or anything else as its JSON.
        score: Column of what came out; runs without it, such as those that diverged, are left out.
        by: Column of what is compared.

    Returns:
        Axes `(by, value)`, named after their columns (of a dotted name the last part), NaN where
        there is no run. The uncertainty has one axis more, `end`: the lowest and the highest; the
        coordinate `runs` counts them.

    Raises:
        ValueError: If a column is missing, or there is no run with both.
    """
    if missing := [name for name in (value, score, by) if name not in table]:
        raise ValueError(
            f"score_against needs the column {missing[0]!r}, but the table has "
            f"{', '.join(map(repr, table.columns))}."
        )
    there = table.dropna(subset=[value, score])
    if there.empty:
        raise ValueError(f"No run has both {value} and {score}: there is nothing to compare.")
    numbers = all(isinstance(one, Real) for one in there[value])
    key = there[value] if numbers else there[value].map(lambda one: json.dumps(one, sort_keys=True))
    grouped = there[score].astype(float).groupby([there[by], key], sort=True)
    names = list(dict.fromkeys(there[by]))
    parts = {
        kind: getattr(grouped, kind)().unstack().reindex(names)
        for kind in ("mean", "min", "max", "count")
    }
    axis = value.rpartition(".")[2]
    coordinates = {by: names, axis: list(parts["mean"].columns)}
    counts = parts["count"].fillna(0).to_numpy().astype(int)
    ends = np.stack([parts["min"].to_numpy(), parts["max"].to_numpy()], axis=-1)
    return Statistic(
        f"{score} by {axis}".replace("_", " "),
        xr.DataArray(
            parts["mean"].to_numpy(), {**coordinates, "runs": ((by, axis), counts)}, (by, axis)
        ), "",
        uncertainty=xr.DataArray(ends, {**coordinates, "end": _ENDS}, (by, axis, "end")),
        uncertainty_of="range over runs",
    )  # fmt: skip
