"""Working through a study: any number of processes, each stopped at any moment."""

import dataclasses
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from attnviz.files import replacing
from attnviz.studies.checking import check_study
from attnviz.studies.claims import claim, holder
from attnviz.studies.drawing import draw_trials
from attnviz.studies.jobs import Job, list_jobs
from attnviz.studies.loading import AnyTask
from attnviz.studies.recipes import count_parameters, recipe_of
from attnviz.studies.records import Reached, Record, Status, choose, record_to_json
from attnviz.studies.results import RESULT, gather, keep_digest, update_results
from attnviz.studies.study import Score, Study
from attnviz.tasks import GeneratedTask
from attnviz.training import Recipe, Run, open_run, score_test, train
from attnviz.training.checks import SolvedChecks, read_checks, solved_at
from attnviz.training.optimising import trained

__all__ = ["Progress", "Watch", "run_study"]

PAUSE = 1.0  # seconds between two looks at what others are doing


@dataclass(frozen=True)
class Watch:
    """Who is told how a study gets on.

    Arguments:
        say: Told in sentences.
        report: Told each epoch's row of a run's history.
        progress: Told the steps of a run that are done, and all of them.
    """

    say: Callable[[str], None] = lambda message: None
    report: Callable[[dict[str, float | int]], None] | None = None
    progress: Callable[[int, int], None] | None = None


@dataclass(frozen=True)
class Progress:
    """How far a study is.

    Arguments:
        finished: Runs that are, also those that diverged.
        open: Runs that nobody is at.
        held: Who is at which of the others.
    """

    finished: tuple[Job, ...]
    open: tuple[Job, ...]
    held: Mapping[Job, str]


def run_study(
    study: Study,
    task: AnyTask,
    runs: Path,
    results: Path,
    *,
    folds: Sequence[AnyTask] = (),
    cells: Sequence[str] = (),
    budget: float = math.inf,
    watch: Watch | None = None,
) -> Progress:
    """Works through the runs of a study that nobody else has done or is at.

    Trials come first, one of every cell, then the next; then the chosen settings with each seed.
    Each run has a folder of its own and goes on exactly where it was stopped. Several processes
    may work on one study. Results are written after each run.

    Arguments:
        study: Which.
        task: The one it is on.
        runs: In it a folder called after the study holds the runs.
        results: In it a folder called after the study holds what came out.
        folds: The task with each of the folds that its trials are validated on, in their order, as
            `load_study_folds` gives them.
        cells: Only these; all if none is given.
        budget: No run is begun after so many seconds.
        watch: Told how it gets on.

    Returns:
        How far the study is, as far as it was asked for.

    Raises:
        ValueError: If the study and the task, its folds, a recipe, or results that are there do
            not fit.
        KeyboardInterrupt: If it is asked to stop; the run at hand has written a checkpoint.
    """
    check_study(study, task)
    if len(folds) != (asked := len(study.trials.folds)):
        raise ValueError(f"{study.name} tries settings on {asked} folds; got {len(folds)}.")
    if unknown := sorted({*cells} - {*study.cells}):
        raise ValueError(f"{study.name} is of {study.cells}, not of {', '.join(unknown)}.")
    until = time.monotonic() + budget
    tasks = {None: task, **dict[int | None, AnyTask](zip(study.trials.folds, folds, strict=True))}
    worker = _Worker(study, tasks, runs / study.name, results / study.name, watch or Watch())
    worker.update()  # first: it refuses results of another study
    if study.task[0] == "table" and (digest := task.provenance.get("md5")) is not None:
        keep_digest(str(digest), results / study.name)
    jobs = [job for job in list_jobs(study) if not cells or job.cell in cells]
    said = False
    while time.monotonic() < until:
        if worker.do_one(jobs):
            said = False
            continue
        if not (others := worker.waited_for(jobs)):
            break
        if not said:
            worker.watch.say(f"{study.name}: waiting for {'; '.join(others)}.")
            said = True
        time.sleep(PAUSE)
    return worker.progress(jobs)


class _Worker:
    """One process at work on a study."""

    def __init__(
        self,
        study: Study,
        tasks: Mapping[int | None, AnyTask],  # by the fold for validation; None is the task's own
        runs: Path,
        results: Path,
        watch: Watch,
    ) -> None:
        self.study, self.tasks, self.task, self.watch = study, tasks, tasks[None], watch
        self.runs, self.results = runs, results
        self._twins: dict[Job, Job | None] = {}

    def update(self) -> None:
        """Brings the results up to date."""
        update_results(self.study, self.runs, self.results)

    def do_one(self, jobs: Sequence[Job]) -> bool:
        """Does the first run that can be done; false if there is none."""
        found = gather(self.runs, self.results)
        for job in jobs:
            if job in found or (values := self._values(job, found)) is None:
                continue
            if (held := claim(self.runs / job.name / "claims")) is None:
                continue
            try:
                # Another may have finished it just before the claim was free.
                found = gather(self.runs, self.results)
                if job not in found:
                    twin = self._same_run(job, values)
                    record = self._do(job, values) if twin is None else found[twin]
                    record = dataclasses.replace(record, job=job)
                    with replacing(self.runs / job.name / RESULT) as beside:
                        beside.write_text(record_to_json(record), encoding="utf-8")
                    self.update()
            finally:
                held.release()
            return True
        return False

    def waited_for(self, jobs: Sequence[Job]) -> list[str]:
        """Who is at runs that others cannot begin without."""
        found = gather(self.runs, self.results)
        waiting = {
            job.cell for job in jobs if job not in found and self._values(job, found) is None
        }
        needed = [job for job in list_jobs(self.study) if job.cell in waiting and job not in found]
        holders = {job: holder(self.runs / job.name / "claims") for job in needed}
        return [f"{job.name}, held by {who}" for job, who in holders.items() if who is not None]

    def progress(self, jobs: Sequence[Job]) -> Progress:
        """How far it is."""
        found = gather(self.runs, self.results)
        holders = {job: holder(self.runs / job.name / "claims") for job in jobs if job not in found}
        return Progress(
            finished=tuple(job for job in jobs if job in found),
            open=tuple(job for job, who in holders.items() if who is None),
            held={job: who for job, who in holders.items() if who is not None},
        )

    def _values(self, job: Job, found: Mapping[Job, Record]) -> dict[str, Any] | None:
        """What a run sets; none while others that it needs have not been run."""
        if job.phase == "trial":
            return draw_trials(self.study, job.cell)[self.study.trials.setting(job.number)]
        values: dict[str, Any] = {}
        if self.study.trials.count:
            chosen = choose(self.study, job.cell, found.values())
            if chosen is None:
                return None
            values = dict(chosen.values)
        twin = self._same_run(job, values)
        return values if twin is None or twin in found else None

    def _same_run(self, job: Job, values: dict[str, Any]) -> Job | None:
        """The run at equal hidden size, where equal parameters come to the same size."""
        twin = dataclasses.replace(job, size="hidden")
        if twin == job or "hidden" not in self.study.sizes.equal:
            return None
        if job not in self._twins:  # to find the size, models are built
            mine, other = (recipe_of(self.study, one, values, self.task) for one in (job, twin))
            self._twins[job] = twin if mine == other else None
        return self._twins[job]

    def _do(self, job: Job, values: dict[str, Any]) -> Record:
        """Trains, scores and says what came out."""
        recipe = recipe_of(self.study, job, values, self.task)
        folder = self.runs / job.name / "run"
        self.watch.say(f"{self.study.name}: {job.name} with {_told(values)}.")
        test: float | None = None
        fold = self.study.trials.fold(job.number) if job.phase == "trial" else None
        task: Any = self.tasks[fold]  # training refuses kinds of task that it does not know
        status: Status = "finished"
        try:
            run = train(
                recipe, task, folder,
                progress=self.watch.progress, report=self.watch.report, say=self.watch.say,
                callbacks=self._checks(job, recipe, folder),
            )  # fmt: skip
            if job.phase == "final":
                test = _finite(_score_of(self.study.score, score_test(run, task), ""))
        except FloatingPointError as error:
            self.watch.say(f"{job.name} has diverged: {error}")
            run, status = open_run(folder), "diverged"
        return dataclasses.replace(self._record(job, values, run), test=test, status=status)

    def _checks(self, job: Job, recipe: Recipe, folder: Path) -> list[SolvedChecks]:
        checks = self.study.checks
        if checks is None or not isinstance(self.task, GeneratedTask):
            return []
        phase = "trials" if job.phase == "trial" else "final"
        return [
            SolvedChecks(
                self.task, folder / "checks.csv", seed=recipe.seed, every=checks.every,
                sequences=checks.sequences, consecutive=checks.consecutive,
                stop=phase in checks.stop,
            )
        ]  # fmt: skip

    def _record(self, job: Job, values: dict[str, Any], run: Run) -> Record:
        best = run.best if run.has_model else {}
        # Runs that share the processor slow each other down, by the clock alone.
        clock = "seconds" if torch.cuda.is_available() else "processor_seconds"
        paces = [float(row[clock]) for row in run.history]
        weights = trained(run.model(), run.recipe).values() if run.has_model else ()
        return Record(
            job=job, values=values, status="finished", hidden_size=run.recipe.model.hidden_size,
            parameters=sum(one.numel() for one in weights) or count_parameters(run.recipe.model),
            validation=_score_of(self.study.score, best, "validation_"),
            validation_loss=best.get("validation_loss"), test=None,
            epoch=int(best["epoch"]) if best else None,
            epochs=len(run.history),
            seconds=math.fsum(float(row["seconds"]) for row in run.history),
            epoch_seconds=statistics.median(paces) if paces else None,
            reached=self._reached(run),
        )  # fmt: skip

    def _reached(self, run: Run) -> Reached | None:
        checks = self.study.checks
        if checks is None or not isinstance(self.task, GeneratedTask):
            return None
        made = read_checks(run.folder / "checks.csv")
        solved = solved_at(made, self.task.solved, consecutive=checks.consecutive)
        if solved is not None:
            return Reached(solved, True)
        return Reached(int(run.history[-1]["step"]) if run.history else 0, False)


def _score_of(score: Score, row: Mapping[str, float | int], prefix: str) -> float | None:
    """A score among those of an epoch or a split; a perplexity also from the loss."""
    if (found := row.get(prefix + score)) is not None:
        return float(found)
    loss = row.get(prefix + "loss")
    return math.exp(loss) if score == "perplexity" and loss is not None else None


def _finite(score: float | None) -> float | None:
    """A test score that is a number.

    Raises:
        FloatingPointError: If it is NaN or infinite.
    """
    if score is not None and not math.isfinite(score):
        raise FloatingPointError(f"Its test score is {score}.")
    return score


def _told(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "nothing searched"
