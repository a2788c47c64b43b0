"""All studies in one table for each size: a row a study, a column a cell."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attnviz.studies.answers import answer
from attnviz.studies.final_table import SCORES, finals_of, iterations, spread
from attnviz.studies.jobs import Job, list_jobs
from attnviz.studies.published import published
from attnviz.studies.records import Record
from attnviz.studies.results import open_studies
from attnviz.studies.study import Size, Study
from attnviz.studies.wording import NAMES, answered, plural, table

__all__ = ["summary_of"]

_Found = Mapping[Job, Record]
_TITLES: dict[Size, str] = {
    "hidden": "At equal hidden size",
    "parameters": "At as many parameters as the LSTM has, as nearly as the size allows",
}


def summary_of(folder: Path) -> str:
    """What the studies in a folder found on the test split, and what was asked beforehand.

    Studies of variants, which compare settings of one cell, have only their own tables; so do
    those that say `summary = false`.

    Arguments:
        folder: Holds study files, and for each that was begun a folder of results called alike.

    Returns:
        Markdown.

    Raises:
        FileNotFoundError: If there is no study in it.
        ValueError: If a file is damaged.
    """
    every = [(study, {one.job: one for one in records}) for study, records in open_studies(folder)]
    compared = [(one, found) for one, found in every if one.summary and not one.variants]
    parts = []
    for size, title in _TITLES.items():
        rows = [row for study, found in compared for row in _rows(study, found, size)]
        if rows:
            parts.append(f"{title}:\n\n{table(['study', *NAMES.values()], rows).rstrip()}")
    if parts:
        parts.append(
            "Mean ± standard deviation over the seeds; where seeds are missing, it says over how "
            "many, and two cells may have others. In brackets: what papers print, with "
            "settings and a choice of the epoch of their own. What was not asked beforehand is "
            "exploratory."
        )
    parts += [_answers(every), _unfinished(every)]
    return "\n\n".join(filter(None, parts)) + "\n"


def _answers(every: Sequence[tuple[Study, _Found]]) -> str:
    """What was asked beforehand: the answers, then what has none yet."""
    told, waiting = [], []
    for study, found in every:
        for question in study.questions:
            given = answer(study, question, found)
            if given.verdict == "not run":
                waiting.append(question.text)
            else:
                told.append(f"- {answered(study, question, given)}")
    if waiting:
        told.append(f"- Asked beforehand and not answered yet: {' '.join(waiting)}")
    return "\n".join(told)


def _rows(study: Study, found: _Found, size: Size) -> Iterator[list[str]]:
    """A study's lines in the table of a size: what was scored, and if there is a bar, how soon."""
    if size not in study.sizes.equal:
        return
    finals = {cell: finals_of(study, found, cell, size) for cell in NAMES if cell in study.cells}
    if not any(finals.values()):
        return
    if study.checks:
        told = [iterations(finals.get(cell, [])) for cell in NAMES]
        yield [f"{study.name}, iterations until solved", *told]
    scored = [_scored(study, cell, finals.get(cell, [])) for cell in NAMES]
    yield [f"{study.name}, test {SCORES[study.score]}", *scored]


def _scored(study: Study, cell: str, finals: Sequence[Record]) -> str:
    """A cell's test score, over how many seeds if not all, who diverged, and the published one."""
    whole = [one.test for one in finals if one.status == "finished"]
    told = spread(study, whole)
    if whole and len(whole) < len(study.final.seeds):
        told += f", {plural(len(whole), 'seed')}"
    if diverged := len(finals) - len(whole):
        told += f", {diverged} diverged"
    known = published(study.name)
    return told if known is None or cell not in known.printed else f"{told} ({known.printed[cell]})"


def _unfinished(every: Sequence[tuple[Study, _Found]]) -> str:
    """Which studies are not done, and how far they are."""
    told = []
    for study, found in every:
        jobs = list_jobs(study)
        done = sum(job in found for job in jobs)
        if done < len(jobs):
            told.append(f"{study.name} ({done} of {plural(len(jobs), 'run')})")
    return f"Not finished: {', '.join(told)}." if told else ""
