"""What a study chose, as a recipe to train with."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from attnviz.studies.records import Record, choose
from attnviz.studies.study import Study

__all__ = ["chosen_fields", "recipes_to_toml"]


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
    if cell not in study.cells:
        raise ValueError(f"{study.name} has no cell {cell!r}; it has {', '.join(study.cells)}.")
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


def recipes_to_toml(study: Study, cells: Iterable[str], records: Iterable[Record]) -> str:
    """What was chosen for several cells, as tables `[tuned.CELL]` of a file of recipes.

    Arguments:
        study: Which.
        cells: Some of its cells.
        records: What has been run of it.

    Returns:
        TOML.

    Raises:
        ValueError: As `chosen_fields`.
    """
    held, tables = list(records), []
    for cell in cells:
        fields = sorted(chosen_fields(study, cell, held).items())
        tables.append(
            "".join(
                [f"[tuned.{cell}]\n", *(f"{name} = {_toml(value)}\n" for name, value in fields)]
            )
        )
    return "\n".join(tables)


def _toml(value: object) -> str:
    """A value as TOML; but for its tables it is written as JSON is."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{name} = {_toml(held)}' for name, held in value.items())}}}"
    return json.dumps(value)
