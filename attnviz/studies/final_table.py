"""The table of a study's final runs at one size: a row a cell."""

import statistics
from collections.abc import Mapping, Sequence

from attnviz.studies.answers import final_of
from attnviz.studies.jobs import Job
from attnviz.studies.published import published
from attnviz.studies.records import Record
from attnviz.studies.study import Size, Study
from attnviz.studies.wording import cell_name, score, table, unit

__all__ = ["SCORES", "final_table", "finals_of", "iterations", "spread"]

SCORES = {"accuracy": "accuracy", "loss": "mean squared error", "perplexity": "perplexity"}
NONE = "–"


def final_table(study: Study, found: Mapping[Job, Record], size: Size) -> str:
    """The final runs of every cell at a size.

    Scores are means over the runs that did not diverge.

    Arguments:
        study: Which.
        found: What has been run.
        size: At equal hidden size or equal parameters.

    Returns:
        Markdown.
    """
    known = published(study.name)
    header = ["cell", "units", "parameters", "seeds", f"test {SCORES[study.score]}", "validation"]
    header += ["iterations until solved"] if study.checks else []
    header += ["epoch, times the LSTM's"] if "lstm" in study.cells else []
    header += ["published"] if known else []
    pace = _pace(finals_of(study, found, "lstm", "hidden"))
    rows = []
    for cell in study.cells:
        finals = finals_of(study, found, cell, size)
        whole = [one for one in finals if one.status == "finished"]
        row = [cell_name(study, cell), *_sizes(finals), _seeds(study, finals)]
        row += [spread(study, [one.test for one in whole])]
        row += [spread(study, [one.validation for one in whole])]
        row += [iterations(finals)] if study.checks else []
        row += [_times(_pace(finals), pace)] if "lstm" in study.cells else []
        row += [known.printed.get(cell, NONE)] if known else []
        rows.append(row)
    return table(header, rows)


def finals_of(study: Study, found: Mapping[Job, Record], cell: str, size: Size) -> list[Record]:
    """The final runs of a cell at a size, of the study's seeds."""
    every = [final_of(study, found, cell, size, seed) for seed in study.final.seeds]
    return [one for one in every if one is not None]


def _sizes(finals: Sequence[Record]) -> list[str]:
    if not finals:
        return [NONE, NONE]
    return [f"{finals[0].hidden_size:,}", f"{finals[0].parameters:,}"]


def _seeds(study: Study, finals: Sequence[Record]) -> str:
    asked, diverged = len(study.final.seeds), sum(one.status == "diverged" for one in finals)
    missing = f" of {asked}" if len(finals) < asked else ""
    return f"{len(finals)}{missing}" + (f", {diverged} diverged" if diverged else "")


def spread(study: Study, values: Sequence[float | None]) -> str:
    """Mean and standard deviation of scores; of one score only that."""
    there = [value for value in values if value is not None]
    if not there:
        return NONE
    mean = score(study, statistics.fmean(there))
    if len(there) < 2:
        return f"{mean}{unit(study)}"
    return f"{mean} ± {score(study, statistics.stdev(there))}{unit(study)}"


def iterations(finals: Sequence[Record]) -> str:
    """Until solved: the median and the range; of those that did not get there how far they got.

    A median that is not known is above the mean of the two in the middle.
    """
    reached = [one.reached for one in finals if one.reached is not None]
    if not reached:
        return NONE
    # Whoever has not solved it comes after all who have.
    ordered = sorted(reached, key=lambda one: (not one.solved, one.iterations))
    middle = ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
    above = "" if all(one.solved for one in middle) else ">"
    median = f"{above}{statistics.fmean(one.iterations for one in middle):,.0f}"
    ends = [f"{'' if one.solved else '>'}{one.iterations:,}" for one in (ordered[0], ordered[-1])]
    span = f" ({ends[0]} to {ends[1]})" if ends[0] != ends[1] else ""
    solved = sum(one.solved for one in reached)
    return f"{median}{span}, {solved} of {len(reached)} solved"


def _times(own: float | None, other: float | None) -> str:
    return f"{own / other:.1f} ×" if own and other else NONE


def _pace(finals: Sequence[Record]) -> float | None:
    there = [one.epoch_seconds for one in finals if one.epoch_seconds]
    return statistics.median(there) if there else None
