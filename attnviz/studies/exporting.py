"""The models of a study that stand for their cells, each as a folder of its own."""

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from attnviz.models.folder import halved
from attnviz.studies.choices import chosen_seed, size_of
from attnviz.studies.final_table import finals_of
from attnviz.studies.records import Record
from attnviz.studies.results import open_results
from attnviz.studies.study import Study
from attnviz.training import Run, export_model, open_run

__all__ = ["export_models"]


@dataclass(frozen=True)
class _Winner:
    """The run that stands for a cell, and all that it was chosen among."""

    record: Record
    among: Sequence[Record]
    run: Run


def export_models(
    results: Path,
    runs: Path,
    folder: Path,
    *,
    cells: Sequence[str] = (),
    limits: Sequence[str] = (),
    licence: str | None = None,
) -> list[Path]:
    """Writes a model for each cell of a study: the seed that did best on validation.

    Weights are float16. The card says what the run's card does, and besides: `study` (its name,
    the run, how it was chosen, what every seed scored), `limits`, and `licence` if it is given.
    Nothing is written unless every cell has its model.

    Arguments:
        results: The study's folder of results.
        runs: In it a folder called after the study holds the runs.
        folder: In it each model gets a folder `CELL-STUDY`.
        cells: Only these; all if none is given.
        limits: What the model was not tried on, in sentences, besides what is known of any.
        licence: Of the weights; the terms of the data are on the card anyway.

    Returns:
        The folders.

    Raises:
        FileNotFoundError: If there are no such results, or a run is not there.
        ValueError: As `chosen_seed`; or if a run is another one than the results tell of, or a
            weight is too large for float16.
    """
    study, records = open_results(results)
    chosen = {
        cell: _winner(study, cell, records, runs / study.name) for cell in cells or study.cells
    }
    for winner in chosen.values():
        halved(winner.run.model())  # one that cannot be stored so is known before any is written
    written = []
    for cell, winner in chosen.items():
        name = f"{cell}-{study.name}"
        says = _says(study, cell, winner, limits)
        export_model(
            winner.run, folder / name, name=name,
            says=says if licence is None else {**says, "licence": licence},
        )  # fmt: skip
        written.append(folder / name)
    return written


def _winner(study: Study, cell: str, records: Iterable[Record], runs: Path) -> _Winner:
    """The run of the best seed, as its folder holds it."""
    held = list(records)
    record, found = chosen_seed(study, cell, held), {one.job: one for one in held}
    among = finals_of(study, found, cell, size_of(study))
    place = runs / record.job.name / "run"
    if not (place / "model" / "model.json").is_file():
        raise FileNotFoundError(
            f"The results of {study.name} choose {record.job.name}, but there is no model of it at "
            f"{place}. Say with --runs where the runs lie; one that was deleted has to be trained "
            "again."
        )
    run = open_run(place)
    scored = run.model().card.get("test", {}).get(study.score)
    if (scored, run.recipe.seed) != (record.test, record.job.number):
        raise ValueError(
            f"{place} is another run than the results of {study.name} tell of: its test "
            f"{study.score} is {scored} with seed {run.recipe.seed}, that of {record.job.name} is "
            f"{record.test}."
        )
    return _Winner(record, among, run)


def _says(study: Study, cell: str, winner: _Winner, limits: Sequence[str]) -> dict[str, Any]:
    """What the card says besides what the run's says."""
    size = "hidden size" if size_of(study) == "hidden" else "parameters"
    said = winner.run.model().card
    return {
        "command": _command(study, cell, str(said.get("command", ""))),
        "study": {
            "name": study.name,
            "run": winner.record.job.name,
            "chosen_by": f"the best validation {study.score} of {_seeds(winner)} at equal {size}, "
            "then the smallest validation loss; the test score decides nothing",
            "seeds": {
                str(one.job.number): {"validation": one.validation, "test": one.test}
                for one in winner.among
            },
        },
        "limits": [*_limits(str(said["task"]), winner), *limits],
    }


def _limits(task: str, winner: _Winner) -> list[str]:
    """What is known of any model of a study."""
    told = [f"Trained, chosen and scored on {task} alone; tried on no other data."]
    if len(winner.among) > 1:
        told.append(
            f"The best of {_seeds(winner)} on validation, so that its validation score is a little "
            "too good."
        )
    return [*told, "Scored before its weights were rounded to float16."]


def _seeds(winner: _Winner) -> str:
    return f"{len(winner.among)} seed{'s' * (len(winner.among) != 1)}"


def _command(study: Study, cell: str, typed: str) -> str:
    """What trains the cell's runs, wherever they shall lie; absolute paths are of no use to others.

    A study that a script ran is named by its file.
    """
    words = shlex.split(typed)
    files = [word for word in words if Path(word).name == f"{study.name}.toml"]
    file = Path(files[0]) if files else Path(f"{study.name}.toml")
    where = file.name if file.is_absolute() else file.as_posix()
    return shlex.join(["attnviz", "study", "run", where, "--cell", cell])
