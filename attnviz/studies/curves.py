"""How trainings went: the history of a run, those of a study, and what each trial tried."""

import json
from pathlib import Path

import pandas as pd

from attnviz.analysis import RunCurve, StudyCurves
from attnviz.cards import RUN
from attnviz.studies.histories import curve_of
from attnviz.studies.records import Record
from attnviz.studies.results import open_results
from attnviz.studies.study import Size, Study

__all__ = ["open_checks", "open_curves", "open_run_curve"]


def open_run_curve(folder: Path | str) -> RunCurve:
    """The learning curve of a run, as far as it has come.

    Arguments:
        folder: The run's, as `attnviz train` or `attnviz.training.train` writes it.

    Returns:
        A table for `attnviz.plot_learning_curves`, without a row where no epoch is over yet.

    Raises:
        FileNotFoundError: If the folder holds no run.
        ValueError: If a file is damaged.
    """
    folder = Path(folder)
    path, history = folder / RUN, folder / "history.csv"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no run: it has no {RUN}.")
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        recipe, data = dict(said["recipe"]), dict(said["data"])
        cell, command = str(recipe["model"]["cell"]), str(said.get("command", ""))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} does not hold the recipe of a run: {error!r}.") from error
    table = _table(history) if history.is_file() else pd.DataFrame({"step": []}, dtype=int)
    place = folder.absolute()
    name = place.parent.name if place.name == "run" else place.name  # as in a study
    return RunCurve(name, cell.upper(), table, recipe, data, command)


def open_curves(folder: Path | str, *, size: Size = "hidden") -> StudyCurves:
    """The learning curves of a study's final runs, and the table of its trials.

    A cell without a final run that has a history is left out of `histories`. Where equal parameters
    come to the same hidden size, the histories at both sizes are the same.

    Arguments:
        folder: The study's results, such as `notebooks/results/har`.
        size: At equal hidden size or equal parameters.

    Returns:
        Tables for `attnviz.plot_learning_curves` and `attnviz.plot_score_against`.

    Raises:
        FileNotFoundError: If the folder holds no results.
        ValueError: If a file is damaged.
    """
    folder = Path(folder)
    study, records = open_results(folder)
    return StudyCurves(
        study.name, study.about, study.score,
        _read(folder / "histories", study, records, size),
        _trials(study, records), study.searched,
    )  # fmt: skip


def open_checks(folder: Path | str, *, size: Size = "hidden") -> dict[str, list[pd.DataFrame]]:
    """The checks on fresh sequences of a study's final runs: `step` and `loss`.

    Arguments:
        folder: The study's results.
        size: At equal hidden size or equal parameters.

    Returns:
        Of each cell that has some, a table a seed.

    Raises:
        FileNotFoundError: If the folder holds no results.
        ValueError: If a file is damaged.
    """
    folder = Path(folder)
    study, records = open_results(folder)
    return _read(folder / "checks", study, records, size)


def _read(
    folder: Path, study: Study, records: list[Record], size: Size
) -> dict[str, list[pd.DataFrame]]:
    found: dict[str, list[pd.DataFrame]] = {}
    for cell in study.cells:
        wanted = (cell, "final", study.sizes.run_at(cell, size))
        runs = [one for one in records if (one.job.cell, one.job.phase, one.job.size) == wanted]
        runs.sort(key=lambda one: one.job.number)
        paths = [curve_of(folder, one, records) for one in runs]
        if tables := [_table(path) for path in paths if path is not None]:
            found[cell] = tables
    return found


def _table(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
        if words := [str(name) for name in table.select_dtypes(exclude="number")]:
            raise ValueError(f"not all is a number in the column {words[0]}")
        return table.assign(step=table["step"].astype(int))
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path} is no table of a training: {error}.") from error


def _trials(study: Study, records: list[Record]) -> pd.DataFrame:
    """A row a trial, the cells in the order of the study: figures give colours in that order."""
    searched, cells = study.searched, study.cells
    folds = ["fold"] * bool(study.trials.folds)
    trials = [one for one in records if one.job.phase == "trial" and one.job.cell in cells]
    trials.sort(key=lambda one: (cells.index(one.job.cell), one.job.number))
    rows = [
        {
            "cell": one.job.cell, "trial": one.job.number,
            **dict.fromkeys(folds, study.trials.fold(one.job.number)),
            **{name: one.values.get(name) for name in searched},
            "status": one.status, "validation": one.validation,
            "validation_loss": one.validation_loss, "epochs": one.epochs,
        }
        for one in trials
    ]  # fmt: skip
    measured = ["status", "validation", "validation_loss", "epochs"]
    return pd.DataFrame(rows, columns=["cell", "trial", *folds, *searched, *measured])
