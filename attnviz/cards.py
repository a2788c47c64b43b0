"""What models say of themselves in their folders, read without torch."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = [
    "CELLS",
    "READ_BY_NAME",
    "Card",
    "current_task",
    "find_cards",
    "find_unfinished",
    "read_card",
    "recording_command",
    "shipped_cards",
    "typed_task",
    "why_no_model",
]

# The names of `attnviz.models.CELLS`, for what knows no torch.
CELLS = ("rra", "larnn", "rau", "lstm", "gru")
SHIPPED = Path(__file__).parent / "pretrained"
FORMAT = "attnviz-model/1"
MODEL, WEIGHTS, RUN = "model.json", "model.safetensors", "recipe.json"
# A header of names and shapes; more than this no model of ours needs.
LONGEST_HEADER = 10_000_000
# Folders within folders that are searched for models.
DEPTH = 3
# The tasks that commands take by name; on those of one's own models are recorded in Python.
READ_BY_NAME = (
    "imdb", "adding", "har", "row-mnist", "pixel-mnist", "permuted-mnist", "row-fashion-mnist",
    "ptb",
)  # fmt: skip
# What tasks were called in models and traces of earlier versions, by what they are called now.
_FORMER = {
    f"{images}-{order}": f"{order}-{images}"
    for images in ("mnist", "fashion-mnist")
    for order in ("row", "pixel", "permuted")
}


@dataclass(frozen=True)
class Card:
    """A trained model, as its folder describes it.

    Arguments:
        name: What the model is called.
        folder: Where it lies; of a run the run's folder.
        shipped: Whether it ships with the package, and is loaded by its name.
        settings: What it was built from.
        card: What it was trained on and how it did, as far as it is known.
        parameters: Numbers in its weights; running statistics are among them.
        size: Bytes of its files.
    """

    name: str
    folder: Path
    shipped: bool
    settings: Mapping[str, Any]
    card: Mapping[str, Any]
    parameters: int
    size: int

    @property
    def cell(self) -> str:
        """The cell, as papers write it."""
        return str(self.settings["cell"]).upper()

    def score(self, split: str) -> tuple[str, float] | None:
        """The measure of a split and its value, accuracy before loss; None where none is known."""
        found = self.card.get(split)
        if not isinstance(found, Mapping):
            return None
        return next(
            ((name, float(found[name])) for name in ("accuracy", "loss") if name in found), None
        )

    def told(self) -> dict[str, Any]:
        """The same for a script: plain values only."""
        settings = self.settings
        return {
            "name": self.name,
            "cell": self.cell,
            "folder": str(self.folder),
            "shipped": self.shipped,
            "task": self.card.get("task"),
            "layers": settings.get("num_layers"),
            "units": settings.get("hidden_size"),
            "vocabulary": settings.get("vocabulary_size"),
            "options": settings.get("options", {}),
            "parameters": self.parameters,
            "bytes": self.size,
            "epoch": self.card.get("chosen_epoch"),
            "validation": self.card.get("validation"),
            "test": self.card.get("test"),
            "command": self.card.get("command"),
        }


def current_task(name: str) -> str:
    """What a task is called now, such as `row-mnist`, by any name it has had."""
    return _FORMER.get(name, name)


def typed_task(card: Mapping[str, Any]) -> str:
    """What commands call the task that a model was trained on."""
    task = current_task(str(card.get("task", "TASK")))
    return "adding" if task.startswith("adding-") else task


def recording_command(
    card: Mapping[str, Any], model: str = "MODEL", *, by: str = "record_numbers"
) -> str:
    """What records a model on what it was trained on: a command, or Python for a task of one's own.

    Arguments:
        card: The model's.
        model: How it is named.
        by: The function of `attnviz.recording` that reads such a task.
    """
    if typed_task(card) in READ_BY_NAME:
        return f"attnviz record {model} --task {typed_task(card)} --limit 100 -o trace.zarr"
    return (
        f"in Python trace = attnviz.recording.{by}(attnviz.load_model({model!r}), ...) on your own "
        "task and attnviz.save_trace(trace, 'trace.zarr')"
    )


def shipped_cards() -> list[Card]:
    """The models that ship with the package, by name."""
    return [read_card(path.parent) for path in sorted(SHIPPED.glob(f"*/{MODEL}"))]


def find_cards(folder: Path) -> list[Card]:
    """The models in a folder: a model, a run, or what lies up to three folders below.

    Arguments:
        folder: Where to look.

    Returns:
        Their cards by folder; links to folders are not followed.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If a model's files are damaged.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder} to look for models in.")
    return [read_card(place) for place in _places(folder, DEPTH) if _holds_model(place)]


def find_unfinished(folder: Path) -> list[Path]:
    """The runs in a folder whose training has kept no model yet, found as `find_cards` does."""
    return [place for place in _places(folder, DEPTH) if not _holds_model(place)]


def why_no_model(folder: Path) -> str:
    """Why a folder holds no model and, of a run that was interrupted, how it goes on.

    Arguments:
        folder: Without `model.json`.

    Returns:
        A sentence or two for a message.
    """
    if not (folder / RUN).is_file():
        return f"{folder} holds no model: it has no {MODEL}."
    command = "what began it, such as attnviz train"
    try:
        said = json.loads((folder / RUN).read_text(encoding="utf-8")).get("command", "")
        if said.startswith(("attnviz ", "python ")):
            command = said
    except (ValueError, AttributeError):
        pass  # it is damaged; training says so
    return (
        f"{folder} is a run without a model: its training has not come to the end of an epoch. "
        f"Go on with {command}"
    )


def read_card(folder: Path) -> Card:
    """What the folder of a run or of a model says.

    Arguments:
        folder: Holds `model.json`, or `model/model.json` as a run does.

    Returns:
        The card.

    Raises:
        FileNotFoundError: If it holds no model.
        ValueError: If the model's files are damaged.
    """
    inside = folder / "model" if (folder / "model" / MODEL).is_file() else folder
    path = inside / MODEL
    if not path.is_file():
        raise FileNotFoundError(why_no_model(folder))
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
        found, name = said["format"], str(said["name"])
        settings, card = dict(said["settings"]), dict(said["card"])
        settings["cell"]
        if "task" in card:
            card["task"] = current_task(str(card["task"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error!r}. Save or fetch the model again.") from error
    if found != FORMAT:
        raise ValueError(f"{path} is in format {found!r}; this version reads {FORMAT!r}.")
    size = sum(file.stat().st_size for file in inside.iterdir() if file.is_file())
    count = _count(inside / WEIGHTS)
    return Card(name, folder, SHIPPED in folder.parents, settings, card, count, size)


def _places(folder: Path, depth: int) -> Iterator[Path]:
    """The folders of models and runs; none of them holds another."""
    if _holds_model(folder) or (folder / RUN).is_file():
        yield folder
        return
    if depth:
        below = (path for path in sorted(folder.iterdir()) if path.is_dir())
        for path in below:
            if not path.is_symlink() and not path.name.startswith("."):
                yield from _places(path, depth - 1)


def _holds_model(folder: Path) -> bool:
    return (folder / MODEL).is_file() or (folder / "model" / MODEL).is_file()


def _count(path: Path) -> int:
    """How many numbers a file of safetensors holds, by its header alone."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= LONGEST_HEADER:
                raise ValueError(f"its header would have {length} bytes")
            header = json.loads(file.read(length))
        shapes = [held["shape"] for name, held in header.items() if name != "__metadata__"]
        return sum(math.prod(int(size) for size in shape) for shape in shapes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged: {error}. Save or fetch the model again.") from error
