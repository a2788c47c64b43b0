"""What came out of each run of a study, small enough to keep."""

import json
import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple

from attnviz.studies.jobs import Job
from attnviz.studies.study import Study

__all__ = [
    "Reached",
    "Record",
    "Status",
    "by_validation",
    "choose",
    "record_from_json",
    "record_to_json",
]

Status = Literal["finished", "diverged"]


class Reached(NamedTuple):
    """How many iterations a training took until it solved its task.

    Where it has not, so many were not enough: it is written `>20000`.
    """

    iterations: int
    solved: bool

    def __str__(self) -> str:
        return f"{'' if self.solved else '>'}{self.iterations}"

    @classmethod
    def read(cls, text: str) -> "Reached":
        """What was written.

        Raises:
            ValueError: If it is no such number.
        """
        if re.fullmatch(r">?\d+", text) is None:
            raise ValueError(f"Iterations are written as 1200 or >1200, got {text!r}.")
        return cls(int(text.removeprefix(">")), not text.startswith(">"))


@dataclass(frozen=True)
class Record:
    """What came out of a run.

    Arguments:
        job: Which run.
        values: What was drawn or chosen, by the dotted names of the recipe's fields.
        status: `diverged` if the loss became infinite or NaN.
        hidden_size: Units.
        parameters: Numbers that are trained.
        validation: The score of the chosen epoch; None if no epoch ended.
        validation_loss: Its loss.
        test: The score on the test split; None of a trial, or of a run that diverged.
        epoch: The chosen one, from 1.
        epochs: That were trained.
        seconds: In all.
        epoch_seconds: Of the processor, or with a GPU by the clock; the median over epochs.
        reached: When the task was solved, if that was checked.
    """

    job: Job
    values: Mapping[str, Any]
    status: Status
    hidden_size: int
    parameters: int
    validation: float | None
    validation_loss: float | None
    test: float | None
    epoch: int | None
    epochs: int
    seconds: float
    epoch_seconds: float | None
    reached: Reached | None


def choose(study: Study, cell: str, records: Iterable[Record]) -> Record | None:
    """The trial whose setting is trained with every seed, by validation only.

    With checks the one that solved the task first, then the smallest validation loss; else the
    best validation score, then the smallest loss; then the first. Where a setting is tried on
    several folds, these are means over them. What diverged, on any fold, is never chosen.

    Arguments:
        study: With the score.
        cell: Whose trials.
        records: Of any runs.

    Returns:
        The trial, on the first fold; None if all diverged, some have not been run, or there are
        none to run.
    """
    trials = {
        one.job.number: one for one in records if (one.job.cell, one.job.phase) == (cell, "trial")
    }
    count, runs = study.trials.count, study.trials.runs
    if {*trials} != {*range(runs)}:
        return None
    settings = [[trials[run] for run in range(number, runs, count)] for number in range(count)]
    able = [tried for tried in settings if all(one.status == "finished" for one in tried)]
    best = min(able, key=lambda tried: _order(study, tried), default=None)
    return None if best is None else best[0]


def _order(study: Study, tried: Sequence[Record]) -> tuple[float, float, int]:
    """The smaller the better, of one setting on every fold."""
    orders = [_order_of_one(study, one) for one in tried]
    return (
        statistics.fmean(score for score, _, _ in orders),
        statistics.fmean(loss for _, loss, _ in orders),
        tried[0].job.number,
    )


def _order_of_one(study: Study, record: Record) -> tuple[float, float, int]:
    score, loss, number = by_validation(study, record)
    if record.reached is not None:
        score = float(record.reached.iterations) if record.reached.solved else math.inf
    return score, loss, number


def by_validation(study: Study, record: Record) -> tuple[float, float, int]:
    """To sort runs by, the best first: validation score, then validation loss, then number."""
    sign = -1 if study.score == "accuracy" else 1
    score, loss = _or_worst(record.validation, sign), _or_worst(record.validation_loss, 1)
    return score, loss, record.job.number


def _or_worst(score: float | None, sign: int) -> float:
    """To be minimised; what is not there or NaN comes last."""
    return math.inf if score is None or math.isnan(score) else sign * score


def record_to_json(record: Record) -> str:
    """One record as JSON."""
    reached = None if record.reached is None else str(record.reached)
    return json.dumps({**asdict(record), "reached": reached}, indent=2, sort_keys=True) + "\n"


def record_from_json(text: str) -> Record:
    """Reads what `record_to_json` wrote.

    Raises:
        ValueError: If it is something else.
    """
    try:
        read = json.loads(text)
        reached = None if read["reached"] is None else Reached.read(read["reached"])
        return Record(**{**read, "job": Job(**read["job"]), "reached": reached})
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(f"This is not the result of a study's run: {error}.") from error
