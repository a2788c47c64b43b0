"""Results of studies as Markdown: tables, answers, and what was not run."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from attnviz.files import replacing
from attnviz.studies.answers import answer
from attnviz.studies.final_table import final_table, finals_of
from attnviz.studies.jobs import Job, list_jobs
from attnviz.studies.published import published
from attnviz.studies.records import Record, choose
from attnviz.studies.results import open_studies
from attnviz.studies.study import Study
from attnviz.studies.wording import answered, cell_name, effort, plural

__all__ = ["BEGIN", "END", "put_between", "study_section", "tables_of"]

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"


def tables_of(folder: Path) -> str:
    """Everything that studies in a folder found, and what was not run.

    Arguments:
        folder: Holds study files, and for each that was begun a folder of results called alike.

    Returns:
        Markdown.

    Raises:
        FileNotFoundError: If there is no study in it.
        ValueError: If a file is damaged.
    """
    every = open_studies(folder)
    nothing = [study.name for study, records in every if not records]
    sections = [study_section(study, records) for study, records in every if records]
    asked = sum(len(study.questions) for study, _ in every)
    if nothing:
        sections.append(f"Not run: {', '.join(nothing)}.\n")
    if asked > 1 and len(nothing) < len(every):
        sections.append(
            f"{asked} questions were asked beforehand in all. Each interval holds for its own "
            "question; none is widened for their number.\n"
        )
    return "\n".join(sections)


def study_section(study: Study, records: Iterable[Record]) -> str:
    """One study: a table for each size, its questions, and what was not run.

    Arguments:
        study: Which.
        records: What has been run.

    Returns:
        Markdown.
    """
    found = {record.job: record for record in records}
    parts = [f"### {study.name}", study.about, effort(study), _unfinished(study, found)]
    sizes = [
        size for size in study.sizes.equal
        if any(finals_of(study, found, cell, size) for cell in study.cells)
    ]  # fmt: skip
    for size in sizes:
        reference = cell_name(study, study.sizes.reference)
        title = "Equal hidden size" if size == "hidden" else (
            f"As many parameters as {reference}, as nearly as the size allows"
        )  # fmt: skip
        parts += [f"{title}:", final_table(study, found, size).rstrip()]
    if sizes:
        parts.append(_on_the_tables(study, found))
    parts += [
        answered(study, question, answer(study, question, found)) for question in study.questions
    ]
    parts += [_exploratory(study), _not_run(study, found), _left_out(study, found)]
    return "\n\n".join(filter(None, parts)) + "\n"


def put_between(path: Path, text: str) -> None:
    """Replaces what stands between the two markers of a file.

    Arguments:
        path: A Markdown file with both markers, each once.
        text: What shall stand there.

    Raises:
        ValueError: If there is not just one pair of markers.
    """
    whole = path.read_text("utf-8")
    if (whole.count(BEGIN), whole.count(END)) != (1, 1) or whole.index(BEGIN) > whole.index(END):
        raise ValueError(f"{path} needs {BEGIN} and after it {END}, each once.")
    before, _, rest = whole.partition(BEGIN)
    after = rest.partition(END)[2]
    with replacing(path) as beside:
        beside.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


def _unfinished(study: Study, found: Mapping[Job, Record]) -> str:
    """Says first that not all is there, for means of different seeds do not compare cells."""
    jobs = list_jobs(study)
    done = [job for job in jobs if job in found]
    if len(done) == len(jobs):
        return ""
    told = f"**Not finished**: {len(done)} of {plural(len(jobs), 'run')} are done."
    if all(job.phase == "trial" for job in done):
        return told
    return (
        f"{told} Each mean below is over the seeds that have been run, which need not be the same "
        "for two cells; a question is answered when its cells have been run with every seed."
    )


def _on_the_tables(study: Study, found: Mapping[Job, Record]) -> str:
    """What has to be known to read them."""
    told = []
    if (known := published(study.name)) is not None:
        told.append(
            f"Published: {known.source}. Its settings and its choice of the epoch are its own, not "
            "those of this study."
        )
    if any(one.job.phase == "final" and one.status == "diverged" for one in found.values()):
        told.append("No mean counts the runs that diverged, which is in favour of their cells.")
    return " ".join(told)


def _exploratory(study: Study) -> str:
    if not study.questions:
        return "Nothing was asked beforehand: all comparisons are exploratory."
    return (
        "Intervals are over the seeds of training, of one setting for each cell and on one test "
        "split. All other comparisons are exploratory."
    )


def _not_run(study: Study, found: Mapping[Job, Record]) -> str:
    """How many trials and seeds of each cell are missing."""
    missing = [job for job in list_jobs(study) if job not in found]
    told = []
    for cell in study.cells:
        trials = sum(job.cell == cell and job.phase == "trial" for job in missing)
        finals = sum(job.cell == cell and job.phase == "final" for job in missing)
        parts = [plural(trials, "trial run" if study.trials.folds else "trial")] * bool(trials)
        parts += [plural(finals, "final run")] * bool(finals)
        if finals and study.trials.count and not trials:
            chosen = choose(study, cell, found.values())
            parts += ["which cannot be: every trial diverged"] * (chosen is None)
        if parts:
            told.append(f"{cell_name(study, cell)} ({', '.join(parts)})")
    return f"Not run: {', '.join(told)}." if told else ""


def _left_out(study: Study, found: Mapping[Job, Record]) -> str:
    """Final runs that the study does not name any more: seeds are not to be picked in silence."""
    jobs = {*list_jobs(study)}
    others = sorted(job.name for job in found if job.phase == "final" and job not in jobs)
    return f"Run, but not among what the study names: {', '.join(others)}." if others else ""
