"""When a task is solved: checks on fresh sequences every so many iterations of a training."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from pytorch_lightning import LightningModule, Trainer

from attnviz.files import replacing
from attnviz.models import SequenceModel
from attnviz.modes import evaluated
from attnviz.tasks import GeneratedTask
from attnviz.training.generated import number_loader
from attnviz.training.resume import ExactResume
from attnviz.training.scoring import sequence_scores
from attnviz.training.watching import Watcher

__all__ = ["Check", "SolvedChecks", "read_checks", "solved_at"]

CHECKS = 3  # the first entry of the seeds of what is checked on; trainings and splits have others


class Check(NamedTuple):
    """The loss on fresh sequences after so many iterations."""

    step: int
    loss: float


def solved_at(checks: Sequence[Check], bar: float, *, consecutive: int) -> int | None:
    """The iteration of the last of the first so many consecutive checks below a bar.

    Arguments:
        checks: In their order.
        bar: Below it a check has passed.
        consecutive: How many have to pass in a row.

    Returns:
        The iteration; None if that never happened.
    """
    row = 0
    for check in checks:
        row = row + 1 if check.loss < bar else 0
        if row == consecutive:
            return check.step
    return None


def read_checks(path: Path) -> list[Check]:
    """The checks of a run so far; none where there is no file.

    Raises:
        ValueError: If the file is damaged.
    """
    if not path.is_file():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            return [Check(int(row["step"]), float(row["loss"])) for row in csv.DictReader(file)]
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise ValueError(f"{path} is no table of checks: {error!r}.") from error


class SolvedChecks(Watcher):
    """Checks whether a generated task is solved; nothing of the training is touched.

    The sequences of a check are a function of seed and step, and are those of no training step
    and no split. Checks are written to a file at once; after a resume those beyond the checkpoint
    are made again, and come out the same.

    Arguments:
        task: Draws the sequences; with the bar.
        path: Of the file of checks.
        seed: Of the training.
        every: Iterations between two checks.
        sequences: Fresh ones a check.
        consecutive: Checks in a row that must be below the bar.
        stop: Whether the training ends with the epoch in which the task was solved.
    """

    def __init__(
        self,
        task: GeneratedTask,
        path: Path,
        *,
        seed: int,
        every: int = 100,
        sequences: int = 1000,
        consecutive: int = 3,
        stop: bool = False,
    ) -> None:
        self.task, self.path, self.seed = task, path, seed
        self.every, self.sequences, self.consecutive = every, sequences, consecutive
        self.stop = stop
        self.checks: list[Check] = []

    @property
    def solved(self) -> int | None:
        """When the task was solved."""
        return solved_at(self.checks, self.task.solved, consecutive=self.consecutive)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Takes up the checks that were made before the checkpoint."""
        resume = self.resumed(trainer)
        self.checks = [check for check in read_checks(self.path) if check.step <= resume.step]
        if resume.batch == 0:  # in the middle of an epoch, the epoch is finished first
            self._end_if_solved(trainer)

    def after_step(self, model: SequenceModel, step: int, resume: ExactResume) -> None:
        """Checks, if it is time."""
        if step % self.every:
            return
        self.checks.append(Check(step, self._loss(model, step)))
        with replacing(self.path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows([Check._fields, *self.checks])

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Ends the training, if that is wanted."""
        self._end_if_solved(trainer)

    def _end_if_solved(self, trainer: Trainer) -> None:
        if self.stop and self.solved is not None:
            trainer.should_stop = True

    @torch.no_grad()
    def _loss(self, model: SequenceModel, step: int) -> float:
        fresh = self.task.draw(self.sequences, np.random.default_rng([CHECKS, self.seed, step]))
        with evaluated(model):
            return sequence_scores(model, number_loader(fresh))["loss"]
