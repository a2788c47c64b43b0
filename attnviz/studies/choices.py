"""What a study chose: the recipe to train with, and the run that stands for a cell."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any

from attnviz.studies.answers import final_of
from attnviz.studies.records import Record, by_validation, choose
from attnviz.studies.study import Size, Study

__all__ = ["chosen_fields", "chosen_seed", "recipes_to_toml", "size_of"]

#: What a study trains where it says nothing, as `Recipe` has it; that one needs torch. Of the other
#: fields that tasks have defaults of, the task decides, or nothing is trained without them.
_UNSAID = {
    "batch_size": 64, "bptt": 35, "clip": 1.0, "epochs": 4, "keep": "end", "learning_rate": 2e-3,
    "minimum_count": 2, "model.num_layers": 1,
}  # fmt: skip


def chosen_fields(study: Study, cell: str, records: Iterable[Record]) -> dict[str, Any]:
    """The fields of the recipe that a study trains a cell with for every seed, but for the seed.

    They are those at equal hidden size.

    Arguments:
        study: Which.
        cell: One of its cells.
        records: What has been run of it.

    Returns:
        Values by the fields' dotted names, such as `model.options.window`.

    Raises:
        ValueError: If there is no such cell, its trials have not all been run, or all diverged.
    """
    _check_cell(study, cell)
    fields = study.fields(cell, study.final)
    if not study.trials.count:
        return fields
    chosen = choose(study, cell, records)
    if chosen is None:
        raise ValueError(
            f"{study.name} has not chosen a setting for {cell}: of its {study.trials.count} trials "
            "some have not been run, or all diverged."
        )
    return {**fields, **chosen.values}


def chosen_seed(study: Study, cell: str, records: Iterable[Record]) -> Record:
    """The final run of a cell that stands for it, by validation only.

    It is one at equal hidden size, if the study has that size: of the best validation score, then
    the smallest validation loss, then the smallest seed. What diverged is never chosen.

    Arguments:
        study: Which.
        cell: One of its cells.
        records: What has been run of it.

    Returns:
        The run.

    Raises:
        ValueError: If there is no such cell, some of its seeds have not been run, or all diverged.
    """
    _check_cell(study, cell)
    found = {one.job: one for one in records}
    finals = {
        seed: final_of(study, found, cell, size_of(study), seed) for seed in study.final.seeds
    }
    if missing := [str(seed) for seed, one in finals.items() if one is None]:
        raise ValueError(
            f"{study.name} has not run every seed of {cell}: {', '.join(missing)} of "
            f"{len(finals)} missing. Who chooses among some of them chooses by chance."
        )
    able = [one for one in finals.values() if one is not None and one.status == "finished"]
    if not able:
        raise ValueError(f"{study.name} has no model of {cell}: every final run diverged.")
    return min(able, key=lambda one: by_validation(study, one))


def size_of(study: Study) -> Size:
    """At which size the runs are that stand for their cells."""
    return "hidden" if "hidden" in study.sizes.equal else study.sizes.equal[0]


def recipes_to_toml(study: Study, cells: Iterable[str], records: Iterable[Record]) -> str:
    """What was chosen for several cells, as tables `[tuned.CELL]` of a file of recipes.

    Read on top of the defaults of the study's task, they are what was trained: what the study left
    to `Recipe` is written too, where these defaults have something else.

    Arguments:
        study: Which.
        cells: Some of its cells.
        records: What has been run of it.

    Returns:
        TOML.

    Raises:
        ValueError: As `chosen_fields`.
    """
    held, unsaid, tables = list(records), _unsaid(study.task[0]), []
    for cell in cells:
        fields = sorted({**unsaid, **chosen_fields(study, cell, held)}.items())
        tables.append(
            "".join(
                [f"[tuned.{cell}]\n", *(f"{name} = {_toml(value)}\n" for name, value in fields)]
            )
        )
    return "\n".join(tables)


def _check_cell(study: Study, cell: str) -> None:
    if cell not in study.cells:
        raise ValueError(f"{study.name} has no cell {cell!r}; it has {', '.join(study.cells)}.")


def _unsaid(task: str) -> dict[str, Any]:
    """What has to be said to train as a study does that says nothing."""
    known = "imdb" if task == "table" else task  # as `attnviz train` has it
    file = resources.files("attnviz").joinpath("training", "recipes", f"{known}.toml")
    if not file.is_file():
        return {}
    defaults = tomllib.loads(file.read_text("utf-8")).get("defaults", {})
    model = {f"model.{name}": value for name, value in defaults.get("model", {}).items()}
    there = {**defaults, **model}
    return {name: value for name, value in _UNSAID.items() if there.get(name, value) != value}


def _toml(value: object) -> str:
    """A value as TOML; but for its tables it is written as JSON is."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name} = {_toml(held)}' for name, held in value.items())}}}"
    return json.dumps(value)
