"""Tasks by the names that studies give them."""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

from attnviz.studies.entries import NONE, fits, kinds_of
from attnviz.studies.study import Score, Study
from attnviz.tasks import (
    GeneratedTask,
    LabelledTask,
    LanguageTask,
    TextTask,
    load_adding,
    load_fashion_mnist,
    load_har,
    load_imdb,
    load_mnist,
    load_ptb,
    load_table,
)

__all__ = ["TASKS", "AnyTask", "load_study_folds", "load_study_task"]

AnyTask = TextTask | LabelledTask | LanguageTask | GeneratedTask

#: Those that lie somewhere take `data`.
TASKS: Mapping[str, Callable[..., AnyTask]] = {
    "adding": load_adding,
    "har": load_har,
    "imdb": load_imdb,
    "permuted-mnist": partial(load_mnist, order="permuted"),
    "pixel-mnist": partial(load_mnist, order="pixel"),
    "ptb": load_ptb,
    "row-fashion-mnist": partial(load_fashion_mnist, order="row"),
    "row-mnist": partial(load_mnist, order="row"),
    "table": load_table,
}

_SCORES: Mapping[type, Score] = {
    GeneratedTask: "loss",
    TextTask: "accuracy",
    LabelledTask: "accuracy",
    LanguageTask: "perplexity",
}


def load_study_task(study: Study, data: Path | None = None) -> AnyTask:
    """The task that a study is on, as its final runs see it.

    Arguments:
        study: Names it, with its options.
        data: Where the data set lies; where it is usually found, if not given.

    Returns:
        The task.

    Raises:
        ValueError: If there is no such task or option, an option is missing or of another type,
            there is nothing to validate or test on, or the study scores it otherwise, or asks when
            it is solved though it has no bar.
    """
    return _load(study, data)


def load_study_folds(study: Study, data: Path | None = None) -> list[AnyTask]:
    """The task of a study's trials, once for each of the folds that they are validated on.

    Arguments:
        study: Names the task and the folds.
        data: As of `load_study_task`.

    Returns:
        Tasks in the order of the folds; none if trials are validated as final runs are.

    Raises:
        ValueError: As `load_study_task`; or if the task has no folds, or not that one.
    """
    return [_load(study, data, fold) for fold in study.trials.folds]


def _load(study: Study, data: Path | None, fold: int | None = None) -> AnyTask:
    name, options = study.task
    if name not in TASKS:
        raise ValueError(f"{study.name}: there is no task {name!r}; there are {', '.join(TASKS)}.")
    load = TASKS[name]
    if fold is not None and "fold" not in _options(load):
        raise ValueError(f"{study.name}: the task {name} has no folds to try settings on.")
    _check_options(study, load)
    given: dict[str, Any] = {
        option: None if value == NONE else value for option, value in options.items()
    }
    if fold is not None:
        given["fold"] = fold
    if "data" in inspect.signature(load).parameters:
        given["data"] = data
    task = load(**given)
    _check_task(study, task)
    return task


def _options(load: Callable[..., AnyTask]) -> dict[str, inspect.Parameter]:
    fixed = set(load.keywords) if isinstance(load, partial) else set()
    taken = inspect.signature(load).parameters
    return {name: one for name, one in taken.items() if name not in {"data", *fixed}}


def _check_options(study: Study, load: Callable[..., AnyTask]) -> None:
    """Refuses options that the task does not have or take, and those it needs and does not get."""
    (name, given), known = study.task, _options(load)
    if unknown := sorted({*given} - {*known}):
        raise ValueError(
            f"{study.name}: the task {name} has no {', '.join(unknown)}; its options are "
            f"{', '.join(known) or 'none'}."
        )
    hints = get_type_hints(load.func if isinstance(load, partial) else load)
    needed = [option for option, one in known.items() if one.default is one.empty]
    if missing := [f"{one} ({kinds_of(hints[one])})" for one in needed if one not in given]:
        raise ValueError(
            f"{study.name}: the task {name} needs {', '.join(missing)}, but [task] has "
            f"{', '.join(given) or 'only its name'}."
        )
    for option, value in given.items():
        if not fits(value, hints[option]):
            raise ValueError(
                f"{study.name}: the option {option} of the task {name} has to be "
                f"{kinds_of(hints[option])}, got {value!r}."
            )


def _check_task(study: Study, task: AnyTask) -> None:
    """Refuses a task that the study cannot be run on to its end."""
    name, _ = study.task
    if study.score != (score := _SCORES[type(task)]):
        raise ValueError(f"{study.name}: {name} is scored by {score}, not by {study.score}.")
    if study.checks is not None and not isinstance(task, GeneratedTask):
        raise ValueError(f"{study.name}: [checks] need a generated task, which {name} is not.")
    # A generated task has no split to train on, and others refuse to leave nothing for it.
    if empty := [split for split in ("validation", "test") if not len(task.splits[split])]:
        raise ValueError(
            f"{study.name}: the task {name} has nothing for {' and '.join(empty)}, but epochs are "
            "chosen on validation and final runs scored on test. Give both a share by the options "
            f"of [task], which are {', '.join(_options(TASKS[name]))}."
        )
