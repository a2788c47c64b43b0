"""What a study says in words: its cells, its scores, how it was run, what was answered."""

import math
from collections.abc import Iterable, Sequence

from attnviz.studies.answers import Answer, seeds_needed
from attnviz.studies.published import published
from attnviz.studies.study import Question, Study

__all__ = ["NAMES", "answered", "cell_name", "effort", "plural", "score", "table", "unit"]

NAMES = {"rra": "RRA", "larnn": "LARNN", "rau": "RAU", "lstm": "LSTM", "gru": "GRU"}


def cell_name(study: Study, cell: str) -> str:
    """As the literature writes it; of a variant its own name after that."""
    kind = study.kind(cell)
    own = f", {cell.removeprefix(f'{kind}-')}" if cell in study.variants else ""
    return NAMES[kind] + own


def score(study: Study, value: float, more: int = 0) -> str:
    """A score's digits, some more if asked for; of an accuracy its percentage."""
    if study.score == "accuracy":
        return f"{100 * value:.{2 + more}f}"
    return f"{value:.{(2 if study.score == 'perplexity' else 5) + more}f}"


def unit(study: Study) -> str:
    """What stands after a score."""
    return " %" if study.score == "accuracy" else ""


def plural(count: int, what: str) -> str:
    """So many of something."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def effort(study: Study) -> str:
    """How the settings were come by, and what a mean is over."""
    if not study.trials.count:
        return (
            "Nothing was searched: each setting is trained with each seed, and scored on the test "
            "split at the epoch that did best on validation. Mean ± standard deviation over "
            f"seeds.{_own(study)}{_watched(study)}"
        )
    best = (
        "the one that solved it soonest (where none did, of the least validation loss)"
        if study.checks
        else "the best on validation"
    )
    sizes = " Settings are searched at equal hidden size." if len(study.sizes.equal) > 1 else ""
    return (
        f"{plural(study.trials.count, 'trial')} for every cell ({_searched(study)})"
        f"{_folds(study)}; the setting of {best} is trained with each seed, and each of these is "
        "scored on the test split once. Mean ± standard deviation over seeds."
        f"{_lengths(study)}{_own(study)}{sizes}"
    )


def answered(study: Study, question: Question, answer: Answer) -> str:
    """A question, its answer, and what the answer rests on."""
    asked = f"**{question.text}**"
    if answer.verdict == "not run":
        if not answer.seeds:
            return f"{asked} Not run."
        seeds = f"{answer.seeds} of the {seeds_needed(study)} seeds"
        return f"{asked} Only {seeds} that an answer needs have been run."
    verdict = answer.verdict.capitalize() + _margin(study, question)
    if answer.advantage is None and not answer.censored:
        return f"{asked} {verdict}: a run diverged."
    paired = "paired seeds" if len(question.cells) > 1 else "seeds"
    interval = f"95 % interval {_ends(study, question, answer)} over {answer.seeds} {paired}"
    return f"{asked} {verdict}: {_mean(study, question, answer)}, {interval}. " + (
        _sign(study, question)
    )


def _searched(study: Study) -> str:
    """What trials draw, and of what only some cells have, which; with what seeds, if several."""
    of: dict[tuple[str, ...], list[str]] = {study.cells: []}
    for name in study.searched:
        cells = tuple(cell for cell in study.cells if name in study.space(cell))
        of.setdefault(cells, []).append(name.rpartition(".")[2].replace("_", " "))
    told = [", ".join(of.pop(study.cells))]
    told += [
        f"{', '.join(names)} of {', '.join(cell_name(study, cell) for cell in cells)}"
        for cells, names in of.items()
    ]
    seeds = f"{len(study.trials.seeds)} seeds" if study.trials.seeds else ""
    return "; ".join(filter(None, [*told, seeds])) or "nothing searched"


def _folds(study: Study) -> str:
    """Says so, where a trial is several trainings."""
    count = len(study.trials.folds)
    return f", each the mean over {plural(count, 'fold')} for validation" if count else ""


def _own(study: Study) -> str:
    """Says so, where cells are not trained equally long, or not on equal batches."""
    told = [
        f"{name.replace('_', ' ')} {value} for {cell_name(study, cell)}"
        for cell in study.cells
        for name, value in study.own.get(cell, {}).items()
        if name in ("batch_size", "epochs", "limit", "patience")
    ]
    return f" Not alike: {', '.join(told)}." if told else ""


def _lengths(study: Study) -> str:
    """Says so, where trials are shorter than what they decide."""
    trial, final = (
        {**study.base, **phase.recipe}.get("epochs") for phase in (study.trials, study.final)
    )
    if trial is None or final is None or trial == final:
        return ""
    return f" A trial is of {plural(trial, 'epoch')}, a final run of {final:,}."


def _watched(study: Study) -> str:
    """Says so, where the histories tell the test score of every epoch."""
    said = [study.base, study.final.recipe, *(study.own.get(cell, {}) for cell in study.cells)]
    if not any(one.get("test_every_epoch") for one in said):
        return ""
    return (
        " Besides, every epoch was scored on the test split, to show what choosing the epoch by it "
        "does; nothing here is chosen so."
    )


def _margin(study: Study, question: Question) -> str:
    if question.measure == "iterations":
        return f" (margin a factor of {question.margin:g})" if question.margin > 1 else ""
    scale = 100 if study.score == "accuracy" else 1
    # Not worse by more than it, or better by more than it.
    word = "margin" if question.claim == "better" else "within"
    return f" ({word} {scale * question.margin:g}{_points(study)})"


def _mean(study: Study, question: Question, answer: Answer) -> str:
    if question.measure != "iterations":
        return f"{_signed(study, answer.advantage or 0.0)}{_points(study)}"
    if answer.advantage is None:
        return f"{answer.censored} of {2 * answer.seeds} runs did not solve it"
    return f"{answer.advantage:.2f} times as fast"


def _ends(study: Study, question: Question, answer: Answer) -> str:
    if question.measure == "iterations":
        high = "no limit" if math.isinf(answer.high) else f"{answer.high:.2f}"
        return f"{answer.low:.2f} to {high}"
    # An end that is not the margin does not look as if it were.
    margin = {_signed(study, sign * question.margin) for sign in (-1, 1)}
    more = int(any(_signed(study, end) in margin for end in (answer.low, answer.high)))
    return f"{_signed(study, answer.low, more)} to {_signed(study, answer.high, more)}"


def _sign(study: Study, question: Question) -> str:
    """Whom the numbers favour, and at which size."""
    size = f"at equal {'hidden size' if question.size == 'hidden' else 'parameters'}"
    above = "Above 1" if question.measure == "iterations" else "Positive"
    if question.claim == "reaches" and (known := published(study.name)) is not None:
        printed = known.printed[question.cells[0]]
        return f"{above} is better than the published {printed}, taken as if it were exact; {size}."
    return f"{above} is in favour of {cell_name(study, question.cells[0])}, {size}."


def _signed(study: Study, value: float, more: int = 0) -> str:
    return ("+" if value >= 0 else "−") + score(study, abs(value), more)


def _points(study: Study) -> str:
    return " points" if study.score == "accuracy" else ""
