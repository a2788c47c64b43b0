r"""Questions asked beforehand, answered by an interval over paired seeds.

Seeds are few, so the interval is Student's:

.. math:: \bar d \pm t_{0.975,\,n-1}\, s_d / \sqrt n

with :math:`d_i` the advantage of the first cell over the second with seed i (of a cell over its
published number, which is taken as it is printed). Of iterations it is the logarithm of how many
times faster the first is.

References:
    The Probable Error of a Mean (Student, 1908), https://doi.org/10.2307/2331554
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

from attnviz.studies.jobs import Job
from attnviz.studies.published import score_to_reach
from attnviz.studies.records import Reached, Record
from attnviz.studies.study import Question, Size, Study

__all__ = ["FEWEST", "Answer", "answer", "final_of", "paired_interval", "seeds_needed"]

Verdict = Literal["yes", "no", "not decided", "not run"]
LEVEL = 0.95
FEWEST = 3  # seeds


@dataclass(frozen=True)
class Answer:
    """What came of a question.

    Arguments:
        verdict: `not decided` where the interval holds the margin; `not run` where some of the
            study's seeds have not been run, or it has fewer than three.
        advantage: The mean over seeds, positive if in favour of the first cell; a factor, for
            iterations. None if not run, or not known.
        low: The lower end of the interval; minus infinity where it is not known.
        high: The upper end.
        seeds: That have been run with every cell of the question.
        censored: Runs that did not solve the task in the iterations they had.
    """

    verdict: Verdict
    advantage: float | None
    low: float
    high: float
    seeds: int
    censored: int = 0


def paired_interval(differences: Sequence[float]) -> tuple[float, float, float]:
    """The mean of differences, and both ends of its interval.

    Arguments:
        differences: At least two.

    Returns:
        Mean, low and high.
    """
    values = np.asarray(differences, dtype=np.float64)
    mean, spread = float(values.mean()), float(values.std(ddof=1))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * spread / math.sqrt(len(values))
    return mean, mean - reach, mean + reach


def final_of(
    study: Study, found: Mapping[Job, Record], cell: str, size: Size, seed: int
) -> Record | None:
    """The run that counts for a cell at a size; the reference's is one for both sizes."""
    return found.get(Job(cell, "final", seed, study.sizes.run_at(cell, size)))


def seeds_needed(study: Study) -> int:
    """How many seeds have to be run before a question is answered.

    All of them: who looks after each seed, and stops at an answer, finds one by chance.
    """
    return max(FEWEST, len(study.final.seeds))


def answer(study: Study, question: Question, found: Mapping[Job, Record]) -> Answer:
    """The answer to a question of a study, from what has been run.

    A cell is `at least` as good if the whole interval is above minus the margin, `better` if it
    is above the margin, and `reaches` its published number as `at least`; the answer is no if the
    whole interval is below. It waits for every seed. A run that diverged leaves its seed
    undecided, and with it the question. Iterations of a run that has not solved its task are more
    than it had: what is not known of the interval is infinite. Those of a run that has are known
    to within a check, by which the ends of the interval are moved outwards.

    Arguments:
        study: With its seeds.
        question: One of its questions.
        found: What has been run.

    Returns:
        The answer.
    """
    pairs = [
        [final_of(study, found, cell, question.size, seed) for cell in question.cells]
        for seed in study.final.seeds
    ]
    ran = [[one for one in pair if one is not None] for pair in pairs if None not in pair]
    if len(ran) < seeds_needed(study):
        return Answer("not run", None, -math.inf, math.inf, len(ran))
    if any(one.status == "diverged" for pair in ran for one in pair):
        return Answer("not decided", None, -math.inf, math.inf, len(ran))
    if question.measure == "iterations":
        return _of_iterations(
            question, ran, every=0 if study.checks is None else study.checks.every
        )
    mean, low, high = paired_interval(_advantages(study, question, ran))
    bar = question.margin if question.claim == "better" else -question.margin
    return Answer(_verdict(low, high, bar), mean, low, high, len(ran))


def _advantages(study: Study, question: Question, pairs: Sequence[Sequence[Record]]) -> list[float]:
    sign = 1.0 if study.score == "accuracy" else -1.0
    scores = [[math.nan if one.test is None else one.test for one in pair] for pair in pairs]
    if question.claim == "reaches":
        wanted = score_to_reach(study.name, *question.cells)
        return [sign * (score - wanted) for (score,) in scores]
    return [sign * (first - second) for first, second in scores]


def _of_iterations(question: Question, pairs: Sequence[Sequence[Record]], *, every: int) -> Answer:
    reached = [[one.reached or Reached(0, False) for one in pair] for pair in pairs]
    seen = [[max(one.iterations, 1) for one in pair] for pair in reached]
    # It may have been solved right after the check before; a run that is not, was not then either.
    least = [[max(one.iterations - every * one.solved, 1) for one in pair] for pair in reached]
    mean, _, _ = paired_interval(_factors(seen, seen))
    _, low, _ = paired_interval(_factors(seen, least))
    _, _, high = paired_interval(_factors(least, seen))
    # A run that is not done takes longer than it had: of the first, that is less of an advantage.
    first, second = (sum(not pair[side].solved for pair in reached) for side in (0, 1))
    ends = (0.0 if first else math.exp(low), math.inf if second else math.exp(high))
    advantage = None if first or second else math.exp(mean)
    bar = max(question.margin, 1.0)
    verdict = _verdict(*ends, bar)
    return Answer(verdict, advantage, *ends, len(pairs), first + second)


def _factors(first: Sequence[Sequence[int]], second: Sequence[Sequence[int]]) -> list[float]:
    """How many times more iterations the second cell takes, in logarithms."""
    return [math.log(two[1] / one[0]) for one, two in zip(first, second, strict=True)]


def _verdict(low: float, high: float, bar: float) -> Verdict:
    if low > bar:
        return "yes"
    return "no" if high < bar else "not decided"
