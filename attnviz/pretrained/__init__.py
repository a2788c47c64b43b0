"""Small trained models that ship with the package."""

from pathlib import Path

from attnviz.cards import find_cards, shipped_cards, why_no_model
from attnviz.models import SequenceModel, load_folder
from attnviz.suggesting import meant

__all__ = ["load_model", "shipped_models"]

SHIPPED = Path(__file__).parent
# Where `attnviz train` puts its runs, and how many of them a message names.
RUNS, SHOWN = Path("runs"), 10


def shipped_models(task: str | None = None) -> list[str]:
    """Names of the models that ship with the package, for `load_model`.

    Arguments:
        task: Only of models that were trained on this task, such as `imdb`; of all if not given.

    Returns:
        The names, sorted.

    Raises:
        ValueError: If no model of that task ships.
    """
    if task is None:
        return sorted(path.parent.name for path in SHIPPED.glob("*/model.json"))
    tasks = {card.name: str(card.card["task"]) for card in shipped_cards()}
    if task not in tasks.values():
        known = sorted({*tasks.values()})
        raise ValueError(
            f"No model of the task {task!r}{meant(task, known)} ships; there are models of "
            f"{', '.join(known)}."
        )
    return [name for name, own in tasks.items() if own == task]


def load_model(name: str | Path) -> SequenceModel:
    """A trained model by its name or folder.

    Arguments:
        name: A shipped model such as `rra-imdb`; or the folder of a run or of a saved model.

    Returns:
        The model, in eval mode, on the CPU.

    Raises:
        FileNotFoundError: If there is no model of that name and no such folder.
        ValueError: If the model's files are damaged.
    """
    if isinstance(name, str) and name in shipped_models():
        return load_folder(SHIPPED / name)
    folder = Path(name)
    if (folder / "model" / "model.json").is_file():  # a run keeps its chosen model inside
        return load_folder(folder / "model")
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no model {str(name)!r}{meant(str(name), shipped_models())}: it is neither "
            f"a folder nor one of the models that ship, {shipped_models()}{_own()}."
        )
    if not (folder / "model.json").is_file():
        raise FileNotFoundError(why_no_model(folder))
    return load_folder(folder)


def _own() -> str:
    """The runs that lie here, for a message."""
    found = [str(card.folder) for card in find_cards(RUNS)] if RUNS.is_dir() else []
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return f", nor one of your runs, {found[:SHOWN]}{more}" if found else ""
