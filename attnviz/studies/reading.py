"""Study files: TOML, read with every key and type checked."""

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from attnviz.studies.study import (
    CELLS,
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
_KINDS = {int: "a whole number", float: "a number", str: "a text", list: "a list", dict: "a table"}
T = TypeVar("T")


def read_study(path: Path) -> Study:
    """A study from its file.

    Arguments:
        path: Ends in `.toml`; its name is that of the study.

    Returns:
        The study. Whether recipes have the fields it names is seen when it runs.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no TOML, or a key is unknown, missing or of the wrong type.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no study at {path}.")
    return parse_study(path.read_text("utf-8"), name=path.stem, where=str(path))


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
        return _Table(tomllib.loads(text), "").study(name, text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{where} is not TOML: {error}.") from error
    except _StudyError as error:
        raise ValueError(f"{where}: {error}") from error


class _StudyError(ValueError):
    """What is wrong with a study, before it is known where it came from."""


class _Table:
    """One table of the file; every key has to be taken.

    Arguments:
        entries: What it holds.
        name: Of the table, for messages.
    """

    def __init__(self, entries: Mapping[str, Any], name: str) -> None:
        self.entries, self.name = dict(entries), name

    def take(self, key: str, kind: type[T], default: T | None = None) -> T:
        """One value, gone from the table."""
        if key not in self.entries:
            if default is None:
                raise _StudyError(f"{self._of(key)} is missing; it is {_KINDS[kind]}.")
            return default
        value = self.entries.pop(key)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise _StudyError(f"{self._of(key)} has to be {_KINDS[kind]}, got {value!r}.")
        return value

    def count(self, key: str, default: int | None = None) -> int:
        """A whole number above 0."""
        if (number := self.take(key, int, default)) < 1:
            raise _StudyError(f"{self._of(key)} has to be at least 1, got {number}.")
        return number

    def table(self, key: str) -> "_Table":
        """A table in it; an empty one where there is none."""
        return _Table(self.take(key, dict, {}), self._of(key))

    def one_of(self, key: str, known: Sequence[str], default: str | None = None) -> Any:  # noqa: ANN401
        """One of several words."""
        return self._known(key, self.take(key, str, default), known)

    def several(self, key: str, known: Sequence[str], default: list[Any] | None = None) -> Any:  # noqa: ANN401
        """Some of several words, none twice."""
        return self._different(key, [
            self._known(key, one, known) for one in self.take(key, list, default)
        ])  # fmt: skip

    def done(self) -> None:
        """Refuses what nobody took."""
        if self.entries:
            where = f"in [{self.name}]" if self.name else "at the top"
            raise _StudyError(f"{', '.join(sorted(self.entries))} {where} means nothing here.")

    def study(self, name: str, text: str) -> Study:
        """The whole file."""
        variants = self.table("variants").variants()
        names = (*CELLS, *variants)
        cells = self.several("cells", names)
        if not cells:
            raise _StudyError("cells is empty: a study is of at least one cell.")
        base, own = self._by_cell("recipe", _fields, names)
        search, own_search = self._by_cell("search", _spaces, names)
        task = self.table("task")
        task_name = task.take("name", str)
        questions = self.take("question", list, [])
        study = Study(
            name=name, about=self.take("about", str, " ").strip(),
            task=(task_name, task.entries), score=self.one_of("score", get_args(Score)),
            cells=cells, variants=variants, base=base, own=own,
            search=search, own_search=own_search,
            trials=self.table("trials").trials(), final=self.table("final").final(),
            sizes=self.table("sizes").sizes(cells),
            checks=self.table("checks").checks() if "checks" in self.entries else None,
            questions=tuple(_question(one, cells) for one in questions), text=text,
        )  # fmt: skip
        self.done()
        _check(study)
        return study

    def variants(self) -> dict[str, str]:
        """[variants]: for each name its cell."""
        named = {name: self.one_of(name, CELLS) for name in list(self.entries)}
        for name in named:
            if name in CELLS or re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) is None:
                raise _StudyError(
                    f"{self._of(name)}: a variant is called by small letters and digits, joined by "
                    "hyphens, and not as a cell is."
                )
        return named

    def trials(self) -> Trials:
        """[trials]."""
        # Where nothing is searched there is nothing to try; _check sees to it.
        count, seeds = self.take("count", int), self._seeds([])
        if seeds and count % len(seeds):
            raise _StudyError(
                f"{self._of('count')} is {count}, which {len(seeds)} seeds cannot share evenly."
            )
        trials = Trials(count, self.take("seed", int, 0), _fields(self.table("recipe")), seeds)
        self.done()
        return trials

    def final(self) -> Final:
        """[final]."""
        if not (seeds := self._seeds()):
            raise _StudyError(f"{self._of('seeds')} has to be whole numbers, one at least, got [].")
        final = Final(seeds, _fields(self.table("recipe")))
        self.done()
        return final

    def _seeds(self, default: list[Any] | None = None) -> tuple[int, ...]:
        seeds = self.take("seeds", list, default)
        if any(type(seed) is not int or seed < 0 for seed in seeds):
            raise _StudyError(f"{self._of('seeds')} has to be whole numbers from 0, got {seeds}.")
        return self._different("seeds", seeds)

    def sizes(self, cells: Sequence[str]) -> Sizes:
        """[sizes]."""
        equal = self.several("equal", get_args(Size), ["hidden"])
        sizes = Sizes(equal, self.one_of("reference", CELLS, "lstm"))
        if not equal:
            raise _StudyError(f"{self._of('equal')} is empty.")
        if "parameters" in equal and sizes.reference not in cells:
            raise _StudyError(
                f"{self._of('reference')} is {sizes.reference}, but the cells are "
                f"{', '.join(cells)}: equal parameters needs the cell to compare with."
            )
        self.done()
        return sizes

    def checks(self) -> Checks:
        """[checks]."""
        checks = Checks(
            self.count("every", 100), self.count("sequences", 1000), self.count("consecutive", 3),
            self.several("stop", ("trials", "final"), ["trials"]),
        )  # fmt: skip
        self.done()
        return checks

    def _by_cell(
        self, key: str, read: "Callable[[_Table], dict[str, T]]", names: Sequence[str]
    ) -> tuple[dict[str, T], dict[str, dict[str, T]]]:
        """A table's own entries, and those of the tables in it that are called after cells."""
        shared = self.table(key)
        own = {cell: read(shared.table(cell)) for cell in names if cell in shared.entries}
        return read(shared), own

    def _known(self, key: str, word: object, known: Sequence[str]) -> str:
        if not isinstance(word, str) or word not in known:
            raise _StudyError(f"{self._of(key)} can be {', '.join(known)}, got {word!r}.")
        return word

    def _different(self, key: str, values: list[T]) -> tuple[T, ...]:
        if len(set(values)) < len(values):
            raise _StudyError(f"{self._of(key)} holds something twice: {values}.")
        return tuple(values)

    def _of(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key


def _fields(table: _Table) -> dict[str, Any]:
    """Fields of a recipe by their dotted names, however deep they were written."""
    flat: dict[str, Any] = {}
    for key, value in table.entries.items():
        if key in ("model", "model.options") and isinstance(value, dict):
            inner = _fields(_Table({f"{key}.{name}": one for name, one in value.items()}, ""))
            flat.update(inner)
        else:
            flat[key] = value
    return flat


def _spaces(table: _Table) -> dict[str, Space]:
    return {name: _space(name, value) for name, value in _fields(table).items()}


def _space(name: str, value: object) -> Space:
    match value:
        case {"choice": [_, *_] as several, **rest} if not rest:
            return Space(choice=tuple(several))
        case {"log_uniform": [int() | float() as low, int() | float() as high], **rest} if not rest:
            if not 0 < low < high:
                raise _StudyError(f"search: {name} needs 0 < low < high, got {low} and {high}.")
            return Space(log_uniform=(float(low), float(high)))
    raise _StudyError(
        f"search: {name} needs {{choice = [...]}} or {{log_uniform = [low, high]}}, got {value!r}."
    )


def _question(entries: object, cells: Sequence[str]) -> Question:
    if not isinstance(entries, dict):
        raise _StudyError(f"a question is written as [[question]], got {entries!r}.")
    table = _Table(entries, "question")
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
        raise _StudyError(
            f"question.cells: a question whether something {question.claim!r} is of {wanted}, got "
            f"{list(question.cells)}."
        )
    if question.measure == "iterations" and question.claim != "better":
        raise _StudyError("question.claim: of iterations it can be asked which cell is 'better'.")
    lowest = 1.0 if question.measure == "iterations" and "margin" in entries else 0.0
    if question.margin < lowest:
        raise _StudyError(f"question.margin has to be at least {lowest}, got {question.margin}.")
    table.done()
    return question


def _check(study: Study) -> None:
    """Refuses what no single entry shows."""
    if len(study.questions) > MOST_QUESTIONS:
        raise _StudyError(
            f"{len(study.questions)} questions are asked; at most {MOST_QUESTIONS}, or some will "
            "be answered by chance."
        )
    for question in study.questions:
        if question.size not in study.sizes.equal:
            raise _StudyError(f"question.size is {question.size}, which [sizes] does not have.")
        if question.measure == "iterations" and study.checks is None:
            raise _StudyError("question.measure is iterations, but there are no [checks].")
    searched = any(study.space(cell) for cell in study.cells)
    if study.trials.count < (1 if searched else 0):
        least = "1" if searched else "0, where nothing is searched"
        raise _StudyError(f"trials.count has to be at least {least}, got {study.trials.count}.")
    for cell in study.cells:
        fixed = {*study.base, *study.own.get(cell, {}), *study.trials.recipe, *study.final.recipe}
        if twice := sorted({"seed", "model.cell", "model.hidden_size"} & {*study.space(cell)}):
            raise _StudyError(f"search: {', '.join(twice)} cannot be searched.")
        if twice := sorted(fixed & {*study.space(cell)}):
            raise _StudyError(f"{', '.join(twice)} of {cell} is both set and searched.")
