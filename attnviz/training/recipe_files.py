"""Recipes by name, from files: one a task, a table a cell and name.

A file has `[defaults]` and for every name a table, `[tuned]`, with what its cells share and a table
for each of them, `[tuned.rra]`; the later ones win. Keys are the fields of `Recipe`, and below
`model` those of `ModelSettings`. TOML has no word for None: it is written "none".
"""

import tomllib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from attnviz.models import CELLS, ModelSettings
from attnviz.training.recipe import Recipe

__all__ = ["adding_recipe", "default_recipe", "read_recipe", "recipe_for", "recipe_names"]

DEFAULTS = "defaults"
PREFERRED = ("tuned", "start")  # what is taken where no name is given: the first that there is

_Table = dict[str, Any]


def recipe_for(cell: str, task: str, name: str | None = None) -> Recipe:
    """A recipe that ships.

    Arguments:
        cell: One of the five cells.
        task: As `attnviz train` takes it, such as `row-mnist`.
        name: Of the recipe: `tuned` is ours, `start` ours before tuning, `paper` the published
            one. If not given, `tuned` where there is one, else `start`.

    Returns:
        The recipe; change it with `dataclasses.replace`.

    Raises:
        ValueError: If there is no such cell, task or recipe.
    """
    file, there = _file(task), recipe_names(cell, task)
    chosen = name or next((one for one in PREFERRED if one in there), None)
    if chosen not in there:
        raise ValueError(
            f"There is no recipe {chosen!r} for {cell} on {task}; there are "
            f"{', '.join(there) or 'none'}. A file of your own is given by its path, FILE.toml."
        )
    named = file[chosen]
    shared = {key: value for key, value in named.items() if key not in CELLS}
    layers = [file.get(DEFAULTS, {}), shared, named[cell]]
    return _built(cell, layers, f"the recipe {chosen} for {cell} on {task}")


def recipe_names(cell: str, task: str) -> list[str]:
    """The names of the recipes that there are for a cell on a task.

    Raises:
        ValueError: If there is no such cell or task.
    """
    if cell not in CELLS:
        raise ValueError(f"There is no cell {cell!r}; there are {', '.join(CELLS)}.")
    return [name for name, table in _file(task).items() if name != DEFAULTS and cell in table]


def read_recipe(path: Path | str, cell: str, task: str) -> Recipe:
    """A recipe from a file of one's own, on top of the defaults of a task.

    Arguments:
        path: TOML with the fields of `Recipe` at the top and those of its model in `[model]`; or
            with those of several cells, in tables `[tuned.CELL]`, as `attnviz study recipes` writes
            them.
        cell: One of the five cells.
        task: As `attnviz train` takes it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is no TOML, or holds what is no field or of another type.
    """
    if cell not in CELLS:
        raise ValueError(f"There is no cell {cell!r}; there are {', '.join(CELLS)}.")
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no recipe at {path}.")
    try:
        own = tomllib.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no TOML: {error}.") from error
    if PREFERRED[0] in own:
        own = _of_cell(own, cell, path)
    return _built(cell, [_file(task).get(DEFAULTS, {}), own], str(path))


def _of_cell(several: _Table, cell: str, path: Path) -> _Table:
    """One cell's table of a file that has a recipe for several and nothing else."""
    name = PREFERRED[0]
    named = several[name]
    if set(several) != {name} or not isinstance(named, dict) or not set(named) <= {*CELLS}:
        raise ValueError(
            f"{path} has [{name}], so it may hold nothing but a table [{name}.CELL] for each of "
            f"{', '.join(CELLS)}; its keys are {', '.join(several)}"
            + (f", in {name} {', '.join(named)}." if isinstance(named, dict) else ".")
        )
    if not isinstance(named.get(cell), dict):
        raise ValueError(f"{path} has no recipe for {cell}; it has {', '.join(named)}.")
    own: _Table = named[cell]
    return own


def default_recipe(cell: str, *, hidden_size: int = 64) -> Recipe:
    """A recipe for telling apart two classes of texts of a few hundred words.

    Arguments:
        cell: One of the five cells.
        hidden_size: Units of the state.

    Returns:
        The recipe; change it with `dataclasses.replace`.

    Raises:
        ValueError: If there is no such cell.
    """
    return _sized(recipe_for(cell, "imdb", "tuned"), hidden_size)


def adding_recipe(cell: str, *, hidden_size: int = 64) -> Recipe:
    """A recipe for the adding problem, before tuning: the same rate for every cell.

    Arguments:
        cell: One of the five cells.
        hidden_size: Units of the state.

    Returns:
        The recipe; change it with `dataclasses.replace`.

    Raises:
        ValueError: If there is no such cell.
    """
    return _sized(recipe_for(cell, "adding", "start"), hidden_size)


def _sized(recipe: Recipe, hidden_size: int) -> Recipe:
    return replace(recipe, model=replace(recipe.model, hidden_size=hidden_size))


def _file(task: str) -> _Table:
    folder = resources.files("attnviz.training").joinpath("recipes")
    there = sorted(Path(one.name).stem for one in folder.iterdir() if one.name.endswith(".toml"))
    if task not in there:
        raise ValueError(f"There are no recipes for {task!r}; there are for {', '.join(there)}.")
    return tomllib.loads(folder.joinpath(f"{task}.toml").read_text("utf-8"))


def _built(cell: str, layers: list[_Table], where: str) -> Recipe:
    """A recipe of tables on top of each other."""
    table: _Table = {}
    for layer in layers:
        table = _merged(table, layer)
    given = _fields(Recipe, table, where, without=())
    if missing := [f"model.{name}" for name in _missing(given.get("model", {}))]:
        raise ValueError(f"{where} does not say {', '.join(missing)}.")
    model = ModelSettings(cell, **given.pop("model"))
    try:
        return Recipe(model, **given)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _missing(model: Mapping[str, Any]) -> list[str]:
    return [name for name in ("hidden_size", "outputs") if name not in model]


def _merged(below: _Table, above: _Table) -> _Table:
    """Two tables; a schedule is taken whole, since its parts exclude each other."""
    merged = dict(below)
    for key, value in above.items():
        inner = isinstance(value, dict) and isinstance(merged.get(key), dict) and key != "schedule"
        merged[key] = _merged(merged[key], value) if inner else value
    return merged


def _fields(of: Any, table: _Table, where: str, *, without: tuple[str, ...]) -> _Table:  # noqa: ANN401  (a class)
    """The fields of a dataclass from a table, each of its type."""
    hints = get_type_hints(of)
    known = [field.name for field in fields(of) if field.name not in without]
    read: _Table = {}
    for key, value in table.items():
        if key not in known:
            raise ValueError(f"{where} has the key {key!r}; there are {', '.join(known)}.")
        read[key] = _value(key, value, hints[key], where)
    return read


def _value(key: str, value: object, hint: Any, where: str) -> Any:  # noqa: ANN401  (any field)
    """A value as its field takes it."""
    if is_dataclass(hint) and isinstance(value, dict):
        if hint is ModelSettings:
            return _fields(hint, value, f"{where}, in {key},", without=("cell",))
        try:
            return hint(**_fields(hint, value, f"{where}, in {key},", without=()))  # type: ignore[operator]  # the class
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from error
    choices = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for choice in choices:
        if choice is type(None) and value == "none":
            return None
        if get_origin(choice) is Literal and value in get_args(choice):
            return value
        if choice is float and isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        if _is_gathered(value, choice):
            return tuple(value) if isinstance(value, list) else value  # TOML's list is a tuple
        if isinstance(choice, type) and type(value) is choice:
            return value
    raise ValueError(f"{where} needs {key} to be {_spelled(choices)}, got {value!r}.")


def _is_gathered(value: object, choice: Any) -> bool:  # noqa: ANN401  (an annotation)
    """Whether it is a list of names, or a cell's own options: recipe and cell check what is in."""
    if get_origin(choice) is tuple:
        return isinstance(value, list)
    return get_origin(choice) is not None and isinstance(value, dict)


def _spelled(choices: tuple[Any, ...]) -> str:
    words = {int: "a whole number", float: "a number", str: "a word", bool: "true or false"}
    told = []
    for choice in choices:
        if get_origin(choice) is Literal:
            told += [f'"{one}"' for one in get_args(choice)]
        elif get_origin(choice) is tuple:
            told.append("a list of words")
        else:
            told.append('"none"' if choice is type(None) else words.get(choice, "a table"))
    return " or ".join(told)
