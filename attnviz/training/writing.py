"""What a run writes beside its weights: recipe and card."""

import importlib.metadata
import json
import platform
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from attnviz.files import replacing
from attnviz.training.history import Row
from attnviz.training.kinds import Task
from attnviz.training.recipe import Recipe, recipe_from_json

__all__ = ["card_of", "claim", "described_run", "read_described"]


def described_run(folder: Path, recipe: Recipe, task: Task) -> str:
    """What a run says of itself; refuses a folder that holds another one."""
    path = folder / "recipe.json"
    said = {"recipe": asdict(recipe), "data": dict(task.provenance)}
    described: dict[str, Any] = json.loads(json.dumps(said))  # as it is read: tuples are lists
    if path.exists():
        # What an earlier version did not ask is as it was.
        there, found = read_described(path)
        found.pop("command", None)  # of no weight
        found = json.loads(json.dumps({**found, "recipe": asdict(there)}))
        if found != described:
            raise ValueError(
                f"{folder} holds a run with another recipe or other data: "
                f"{_first_difference(found, described)}. Give this run another folder (--run "
                f"FOLDER), or delete {folder} if it is not needed any more."
            )
    described["command"] = _command()
    return json.dumps(described, indent=2, sort_keys=True) + "\n"


def read_described(path: Path) -> tuple[Recipe, dict[str, Any]]:
    """The recipe of a run, and all that is written with it.

    Raises:
        ValueError: If the file is damaged.
    """
    try:
        said = json.loads(path.read_text("utf-8"))
        return recipe_from_json(json.dumps(said["recipe"])), dict(said)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} does not hold the recipe of a run: {error!r}. If it is damaged, delete it and "
            "train as before: it is written anew, and the run goes on from its checkpoint."
        ) from error


def claim(folder: Path, described: str) -> None:
    """Writes the recipe of a new run."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "recipe.json"
    if not path.exists():
        with replacing(path) as beside:
            beside.write_text(described, encoding="utf-8")


def card_of(recipe: Recipe, task: Task, row: Row) -> dict[str, Any]:
    """What a model says about where it comes from."""
    packages = ("attnviz", "torch", "pytorch-lightning", "numpy")
    return {
        "task": task.name,
        "data": dict(task.provenance),
        "recipe": asdict(recipe),
        "settings": dict(recipe.model.options),
        "chosen_epoch": row["epoch"],
        "validation": {
            name: row[f"validation_{name}"]
            for name in ("accuracy", "perplexity", "loss")
            if f"validation_{name}" in row
        },
        "command": _command(),
        "versions": {
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in packages},
        },
    }


def _command() -> str:
    """What was typed, or which script ran; nothing where that cannot be told, as in a notebook."""
    program = Path(sys.argv[0])
    if program.stem == "attnviz" or program.parts[-2:] == ("cli", "__main__.py"):
        return shlex.join(["attnviz", *sys.argv[1:]])
    if program.suffix != ".py" or program.name == "ipykernel_launcher.py":
        return ""
    return shlex.join(["python", program.name, *sys.argv[1:]])


def _first_difference(found: Any, asked: Any, name: str = "") -> str:  # noqa: ANN401  (JSON)
    if isinstance(found, dict) and isinstance(asked, dict):
        for key in sorted({*found, *asked}):
            if found.get(key) != asked.get(key):
                inner = f"{name}.{key}" if name else str(key)
                return _first_difference(found.get(key), asked.get(key), inner)
    return f"{name} is {found!r} there and {asked!r} here"
