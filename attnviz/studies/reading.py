"""Study files: TOML, read with every key and type checked."""

import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from attnviz.cards import CELLS
from attnviz.studies.entries import Entries, EntryError
from attnviz.studies.study import (
    Checks,
    Claim,
    Final,
    Question,
    Score,
    Size,
    Sizes,
    Space,
    Study,
    Trials,
)

__all__ = ["MOST_QUESTIONS", "parse_study", "read_study"]

MOST_QUESTIONS = 6
TRIAL_SEED = 100  # where none is given; seeds of final runs are small by habit
T = TypeVar("T")


def read_study(path: Path, *, name: str | None = None) -> Study:
    """A study from its file.

    Arguments:
        path: Ends in `.toml`.
        name: Of the study; that of the file if not given.

    Returns:
        The study. Whether recipes have the fields it names is seen when it runs.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no TOML, or a key is unknown, missing or of the wrong type.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no study at {path}.")
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error}. Save it as UTF-8.") from error
    return parse_study(text, name=path.stem if name is None else name, where=str(path))


def parse_study(text: str, *, name: str, where: str) -> Study:
    """A study from the text of its file.

    Arguments:
        text: TOML.
        name: Of the study.
        where: The text came from, for messages.

    Returns:
        The study.

    Raises:
        ValueError: As `read_study`.
    """
    try:
        return _study(Entries(tomllib.loads(text), ""), name, text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{where} is not TOML: {error}.") from error
    except EntryError as error:
        raise ValueError(f"{where}: {error}") from error


def _study(table: Entries, name: str, text: str) -> Study:
    """The whole file."""
    variants = _variants(table.table("variants"))
    names = (*CELLS, *variants)
    cells = table.several("cells", names)
    if not cells:
        raise EntryError("cells is empty: a study is of at least one cell.")
    base, own = _by_cell(table, "recipe", _fields, names)
    search, own_search = _by_cell(table, "search", _spaces, names)
    task = table.table("task")
    task_name = task.take("name", str)
    questions = table.take("question", list, [])
    study = Study(
        name=name, about=table.take("about", str, " ").strip(),
        task=(task_name, task.entries), score=table.one_of("score", get_args(Score)),
        cells=cells, variants=variants, base=base, own=own,
        search=search, own_search=own_search,
        trials=_trials(table.table("trials")), final=_final(table.table("final")),
        sizes=_sizes(table.table("sizes"), cells),
        checks=_checks(table.table("checks")) if "checks" in table.entries else None,
        questions=tuple(_question(one, cells) for one in questions),
        summary=table.take("summary", bool, True), text=text,
    )  # fmt: skip
    table.done()
    _check(study)
    return study


def _variants(table: Entries) -> dict[str, str]:
    """[variants]: for each name its cell."""
    named = {name: table.one_of(name, CELLS) for name in list(table.entries)}
    for name in named:
        if name in CELLS or re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) is None:
            raise EntryError(
                f"{table.of(name)}: a variant is called by small letters and digits, joined by "
                "hyphens, and not as a cell is."
            )
    return named


def _trials(table: Entries) -> Trials:
    """[trials]."""
    # Where nothing is searched there is nothing to try; _check sees to it.
    count, seeds = table.take("count", int), _numbers(table, "seeds", [])
    if seeds and count % len(seeds):
        raise EntryError(
            f"{table.of('count')} is {count}, which {len(seeds)} seeds cannot share evenly."
        )
    if (folds := _numbers(table, "folds", [])) and not count:
        raise EntryError(f"{table.of('folds')} is {[*folds]}, but no trials are asked for.")
    recipe = _fields(table.table("recipe"))
    if (seed := table.take("seed", int, TRIAL_SEED)) < 0:
        raise EntryError(f"{table.of('seed')} has to be a whole number from 0, got {seed}.")
    trials = Trials(count, seed, recipe, seeds, folds)
    table.done()
    return trials


def _final(table: Entries) -> Final:
    """[final]."""
    if not (seeds := _numbers(table, "seeds")):
        raise EntryError(f"{table.of('seeds')} has to be whole numbers, one at least, got [].")
    final = Final(seeds, _fields(table.table("recipe")))
    table.done()
    return final


def _numbers(table: Entries, key: str, default: list[Any] | None = None) -> tuple[int, ...]:
    numbers = table.take(key, list, default)
    if any(type(number) is not int or number < 0 for number in numbers):
        raise EntryError(f"{table.of(key)} has to be whole numbers from 0, got {numbers}.")
    return table.different(key, numbers)


def _sizes(table: Entries, cells: Sequence[str]) -> Sizes:
    """[sizes]."""
    equal = table.several("equal", get_args(Size), ["hidden"])
    sizes = Sizes(equal, table.one_of("reference", CELLS, "lstm"))
    if not equal:
        raise EntryError(f"{table.of('equal')} is empty.")
    if "parameters" in equal and sizes.reference not in cells:
        raise EntryError(
            f"{table.of('reference')} is {sizes.reference}, but the cells are "
            f"{', '.join(cells)}: equal parameters needs the cell to compare with."
        )
    table.done()
    return sizes


def _checks(table: Entries) -> Checks:
    """[checks]."""
    checks = Checks(
        table.count("every", 100), table.count("sequences", 1000), table.count("consecutive", 3),
        table.several("stop", ("trials", "final"), ["trials"]),
    )  # fmt: skip
    table.done()
    return checks


def _by_cell(
    table: Entries, key: str, read: Callable[[Entries], dict[str, T]], names: Sequence[str]
) -> tuple[dict[str, T], dict[str, dict[str, T]]]:
    """A table's own entries, and those of the tables in it that are called after cells."""
    shared = table.table(key)
    own = {cell: read(shared.table(cell)) for cell in names if cell in shared.entries}
    return read(shared), own


def _fields(table: Entries) -> dict[str, Any]:
    """Fields of a recipe by their dotted names, however deep they were written."""
    flat: dict[str, Any] = {}
    for key, value in table.entries.items():
        if key in ("model", "model.options") and isinstance(value, dict):
            inner = _fields(Entries({f"{key}.{name}": one for name, one in value.items()}, ""))
            flat.update(inner)
        else:
            flat[key] = value
    return flat


def _spaces(table: Entries) -> dict[str, Space]:
    return {name: _space(name, value) for name, value in _fields(table).items()}


def _space(name: str, value: object) -> Space:
    match value:
        case {"choice": [_, *_] as several, **rest} if not rest:
            return Space(choice=tuple(several))
        case {"log_uniform": [int() | float() as low, int() | float() as high], **rest} if not rest:
            if not 0 < low < high:
                raise EntryError(f"search: {name} needs 0 < low < high, got {low} and {high}.")
            return Space(log_uniform=(float(low), float(high)))
    raise EntryError(
        f"search: {name} needs {{choice = [...]}} or {{log_uniform = [low, high]}}, got {value!r}."
    )


def _question(entries: object, cells: Sequence[str]) -> Question:
    if not isinstance(entries, dict):
        raise EntryError(f"a question is written as [[question]], got {entries!r}.")
    table = Entries(entries, "question")
    question = Question(
        text=table.take("text", str),
        claim=table.one_of("claim", get_args(Claim)),
        cells=table.several("cells", cells),
        measure=table.one_of("measure", ("test", "iterations"), "test"),
        margin=table.take("margin", float, 0.0),
        size=table.one_of("size", get_args(Size), "hidden"),
    )
    wanted = 1 if question.claim == "reaches" else 2
    if len(question.cells) != wanted:
        raise EntryError(
            f"question.cells: a question whether something {question.claim!r} is of {wanted}, got "
            f"{list(question.cells)}."
        )
    if question.measure == "iterations" and question.claim != "better":
        raise EntryError("question.claim: of iterations it can be asked which cell is 'better'.")
    lowest = 1.0 if question.measure == "iterations" and "margin" in entries else 0.0
    if question.margin < lowest:
        raise EntryError(f"question.margin has to be at least {lowest}, got {question.margin}.")
    table.done()
    return question


def _check(study: Study) -> None:
    """Refuses what no single entry shows."""
    _check_questions(study)
    _check_trials(study)
    for cell in study.cells:
        _check_search(study, cell)


def _check_questions(study: Study) -> None:
    if len(study.questions) > MOST_QUESTIONS:
        raise EntryError(
            f"{len(study.questions)} questions are asked; at most {MOST_QUESTIONS}, or some will "
            "be answered by chance."
        )
    for question in study.questions:
        if question.size not in study.sizes.equal:
            raise EntryError(f"question.size is {question.size}, which [sizes] does not have.")
        if question.measure == "iterations" and study.checks is None:
            raise EntryError("question.measure is iterations, but there are no [checks].")


def _check_trials(study: Study) -> None:
    searched = any(study.space(cell) for cell in study.cells)
    if study.trials.count < (1 if searched else 0):
        least = "1" if searched else "0, where nothing is searched"
        raise EntryError(f"trials.count has to be at least {least}, got {study.trials.count}.")
    used = {study.trials.training_seed(trial) for trial in range(study.trials.count)}
    if shared := sorted(used & {*study.final.seeds}):
        raise EntryError(
            f"final.seeds: trials are trained with {shared} too, and the trial that was chosen "
            "would be among the final runs. Give one or the other other seeds."
        )


def _check_search(study: Study, cell: str) -> None:
    space, own = study.space(cell), study.own_search.get(cell, {})
    fixed = {*study.base, *study.own.get(cell, {}), *study.trials.recipe, *study.final.recipe}
    if twice := sorted({"seed", "model.cell", "model.hidden_size"} & {*space}):
        raise EntryError(f"search: {', '.join(twice)} cannot be searched.")
    if twice := sorted({*study.search} & {*own}):
        raise EntryError(
            f"search: {', '.join(twice)} is searched for every cell, and once more for {cell}: "
            "the same range for all is equal effort."
        )
    if twice := sorted(fixed & {*space}):
        raise EntryError(f"{', '.join(twice)} of {cell} is both set and searched.")
