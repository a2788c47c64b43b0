"""Results of studies as Markdown: tables, answers, and what was not run."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from attnviz.files import replacing
from attnviz.studies.answers import FEWEST, Answer, answer, final_of
from attnviz.studies.jobs import Job, list_jobs
from attnviz.studies.published import published
from attnviz.studies.reading import read_study
from attnviz.studies.records import Record
from attnviz.studies.results import STUDY, open_results
from attnviz.studies.study import Question, Size, Study

__all__ = ["BEGIN", "END", "put_between", "study_section", "tables_of"]

BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"
NAMES = {"rra": "RRA", "larnn": "LARNN", "rau": "RAU", "lstm": "LSTM", "gru": "GRU"}
SCORES = {"accuracy": "accuracy", "loss": "mean squared error", "perplexity": "perplexity"}
NONE = "–"


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
    names = {path.stem for path in folder.glob("*.toml")}
    names |= {path.parent.name for path in folder.glob(f"*/{STUDY}")}
    if not names:
        raise FileNotFoundError(f"{folder} holds neither a study nor results of one.")
    sections, nothing = [], []
    for name in sorted(names, key=_natural):
        if (folder / name / STUDY).is_file():
            study, records = open_results(folder / name)
        else:
            study, records = read_study(folder / f"{name}.toml"), []
        if records:
            sections.append(study_section(study, records))
        else:
            nothing.append(name)
    if nothing:
        sections.append(f"Not run: {', '.join(nothing)}.\n")
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
    parts = [f"### {study.name}\n"]
    if study.about:
        parts.append(f"{study.about}\n")
    parts.append(_effort(study))
    sizes = [
        size for size in study.sizes.equal
        if any(_finals(study, found, cell, size) for cell in study.cells)
    ]  # fmt: skip
    for size in sizes:
        reference = _name(study, study.sizes.reference)
        title = "Equal hidden size" if size == "hidden" else (
            f"As many parameters as {reference}, as nearly as the size allows"
        )  # fmt: skip
        parts += [f"{title}:\n", _table(study, found, size)]
    if sizes and (known := published(study.name)) is not None:
        parts.append(f"Published: {known.source}. {_test_not_seen(study)}\n")
    parts += [
        _told(study, question, answer(study, question, found)) for question in study.questions
    ]
    parts.append(_exploratory(study))
    if missing := _not_run(study, found):
        parts.append(f"Not run: {missing}.\n")
    return "\n".join(parts)


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


def _natural(name: str) -> tuple[str, int]:
    """adding-100 before adding-1000."""
    stem, _, number = name.rpartition("-")
    return (stem, int(number)) if number.isdigit() else (name, -1)


def _name(study: Study, cell: str) -> str:
    """As the literature writes it; of a variant its own name after that."""
    kind = study.kind(cell)
    own = f", {cell.removeprefix(f'{kind}-')}" if cell in study.variants else ""
    return NAMES[kind] + own


def _effort(study: Study) -> str:
    if not study.trials.count:
        return (
            "Nothing was searched: each setting is trained with each seed, and scored on the test "
            "split at the epoch that did best on validation. Mean ± standard deviation over "
            f"seeds.{_watched(study)}\n"
        )
    names = (name.rpartition(".")[2].replace("_", " ") for name in study.searched)
    searched = ", ".join(names) or "nothing searched"
    best = "the one that solved it soonest" if study.checks else "the best on validation"
    sizes = " Settings are searched at equal hidden size." if len(study.sizes.equal) > 1 else ""
    trials = _plural(study.trials.count, "trial")
    return (
        f"{trials} for every cell ({searched}); the setting of {best} is trained with each seed, "
        "and each of these is scored on the test split once. Mean ± standard deviation over seeds."
        f"{sizes}\n"
    )


def _watched(study: Study) -> str:
    """Says so, where the histories tell the test score of every epoch."""
    said = [study.base, study.final.recipe, *(study.own.get(cell, {}) for cell in study.cells)]
    if not any(one.get("test_every_epoch") for one in said):
        return ""
    return (
        " Besides, every epoch was scored on the test split, to show what choosing the epoch by it "
        "does; nothing here is chosen so."
    )


def _test_not_seen(study: Study) -> str:
    return "Its settings and its choice of the epoch are its own, not those of this study."


def _exploratory(study: Study) -> str:
    if study.questions:
        return "All other comparisons are exploratory.\n"
    return "Nothing was asked beforehand: all comparisons are exploratory.\n"


def _table(study: Study, found: Mapping[Job, Record], size: Size) -> str:
    known = published(study.name)
    header = ["cell", "units", "parameters", "seeds", f"test {SCORES[study.score]}", "validation"]
    header += ["iterations until solved"] if study.checks else []
    header += ["epoch, times the LSTM's"]
    header += ["published"] if known else []
    pace = _pace(study, found, "lstm", "hidden")
    rows = []
    for cell in study.cells:
        finals = _finals(study, found, cell, size)
        row = [_name(study, cell), *_sizes(finals), _seeds(study, finals)]
        row += [_spread(study, [one.test for one in finals])]
        row += [_spread(study, [one.validation for one in finals])]
        row += [_iterations(finals)] if study.checks else []
        own = _pace(study, found, cell, size)
        row += [f"{own / pace:.2f} ×" if own and pace else NONE]
        row += [known.printed.get(cell, NONE)] if known else []
        rows.append(row)
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def _finals(study: Study, found: Mapping[Job, Record], cell: str, size: Size) -> list[Record]:
    every = [final_of(study, found, cell, size, seed) for seed in study.final.seeds]
    return [one for one in every if one is not None]


def _sizes(finals: Sequence[Record]) -> list[str]:
    if not finals:
        return [NONE, NONE]
    return [f"{finals[0].hidden_size:,}", f"{finals[0].parameters:,}"]


def _seeds(study: Study, finals: Sequence[Record]) -> str:
    diverged = sum(one.status == "diverged" for one in finals)
    return f"{len(finals)}" + (f", {diverged} diverged" if diverged else "")


def _spread(study: Study, values: Sequence[float | None]) -> str:
    there = [value for value in values if value is not None]
    if not there:
        return NONE
    mean = _score(study, statistics.fmean(there))
    if len(there) < 2:
        return f"{mean}{_unit(study)}"
    return f"{mean} ± {_score(study, statistics.stdev(there))}{_unit(study)}"


def _score(study: Study, value: float) -> str:
    if study.score == "accuracy":
        return f"{100 * value:.2f}"
    return f"{value:.2f}" if study.score == "perplexity" else f"{value:.5f}"


def _unit(study: Study) -> str:
    return " %" if study.score == "accuracy" else ""


def _iterations(finals: Sequence[Record]) -> str:
    """The median, with the range; of those that did not get there only how far they got."""
    reached = [one.reached for one in finals if one.reached is not None]
    if not reached:
        return NONE
    # Whoever has not solved it comes after all who have.
    ordered = sorted(reached, key=lambda one: (not one.solved, one.iterations))
    middle = ordered[(len(ordered) - 1) // 2 : len(ordered) // 2 + 1]
    if all(one.solved for one in middle):
        median = f"{statistics.fmean(one.iterations for one in middle):,.0f}"
    else:
        median = f">{min(one.iterations for one in middle if not one.solved):,}"
    ends = [f"{'' if one.solved else '>'}{one.iterations:,}" for one in (ordered[0], ordered[-1])]
    spread = f" ({ends[0]} to {ends[1]})" if ends[0] != ends[1] else ""
    solved = sum(one.solved for one in reached)
    return f"{median}{spread}, {solved} of {len(reached)} solved"


def _pace(study: Study, found: Mapping[Job, Record], cell: str, size: Size) -> float | None:
    seconds = [one.epoch_seconds for one in _finals(study, found, cell, size)]
    there = [second for second in seconds if second]
    return statistics.median(there) if there else None


def _told(study: Study, question: Question, answer: Answer) -> str:
    if answer.verdict == "not run":
        needed = f"Only {answer.seeds} of the {FEWEST} seeds that an answer needs have been"
        return f"**{question.text}** {needed if answer.seeds else 'Not'} run.\n"
    margin = _margin(study, question)
    if answer.advantage is None and not answer.censored:
        return f"**{question.text}** Not decided (margin {margin}): a run diverged.\n"
    interval = f"95 % interval {_ends(study, question, answer)} over {answer.seeds} paired seeds"
    if question.measure == "iterations":
        unknown = f"{answer.censored} of {2 * answer.seeds} runs did not solve it"
        mean = unknown if answer.advantage is None else f"{answer.advantage:.2f} times as fast"
    else:
        mean = f"{_signed(study, answer.advantage or 0.0)}{_points(study)}"
    verdict = f"{answer.verdict.capitalize()} (margin {margin})"
    return f"**{question.text}** {verdict}: {mean}, {interval}.\n"


def _margin(study: Study, question: Question) -> str:
    if question.measure == "iterations":
        return f"a factor of {max(question.margin, 1.0):g}"
    scale = 100 if study.score == "accuracy" else 1
    return f"{scale * question.margin:g}{_points(study)}"


def _ends(study: Study, question: Question, answer: Answer) -> str:
    if question.measure == "iterations":
        high = "no limit" if math.isinf(answer.high) else f"{answer.high:.2f}"
        return f"{answer.low:.2f} to {high}"
    return f"{_signed(study, answer.low)} to {_signed(study, answer.high)}"


def _signed(study: Study, value: float) -> str:
    return ("+" if value >= 0 else "−") + _score(study, abs(value))


def _points(study: Study) -> str:
    return " points" if study.score == "accuracy" else ""


def _not_run(study: Study, found: Mapping[Job, Record]) -> str:
    """How many trials and seeds of each cell are missing."""
    missing = [job for job in list_jobs(study) if job not in found]
    told = []
    for cell in study.cells:
        trials = sum(job.cell == cell and job.phase == "trial" for job in missing)
        finals = sum(job.cell == cell and job.phase == "final" for job in missing)
        parts = [_plural(trials, "trial")] * bool(trials)
        parts += [_plural(finals, "final run")] * bool(finals)
        if parts:
            told.append(f"{_name(study, cell)} ({', '.join(parts)})")
    return ", ".join(told)


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"
