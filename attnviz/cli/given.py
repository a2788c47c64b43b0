"""What a command lets a model read: texts, or sequences of numbers, if they are its own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from attnviz.cli.number_tasks import NUMBER_TASKS, load_numbers

if TYPE_CHECKING:
    from attnviz.cli.reading import Part, Source
    from attnviz.models import SequenceModel
    from attnviz.recording import Numbers, Texts

__all__ = [
    "READABLE",
    "USUAL",
    "check_trained",
    "read_given",
    "read_numbers",
    "read_texts",
    "usual_numbers",
]

# Tasks of numbers. The adding problem is drawn as the model was trained on it.
READABLE = ("adding", *NUMBER_TASKS)
# Sequences that say what is usual.
USUAL = 100


def read_given(model: "SequenceModel", source: "Source") -> "Texts | Numbers":
    """What a command is told to read: texts, or sequences of numbers.

    Arguments:
        model: What shall read it.
        source: As it was typed.

    Raises:
        ValueError: If the model reads no such thing, or was trained on other numbers.
    """
    return read_numbers(model, source) if source.task in READABLE else read_texts(model, source)


def read_texts(model: "SequenceModel", source: "Source") -> "Texts":
    """The texts that a command is told to read.

    Arguments:
        model: What shall read them.
        source: As it was typed.

    Raises:
        ValueError: If the model reads none, or a text has a label that is none of its classes.
    """
    from attnviz.cards import recording_command, typed_task

    if model.embedding is None:
        task = typed_task(model.card)
        in_python = "attnviz.recording.record_numbers, in Python"
        own = f"--task {task}" if task in READABLE else in_python
        raise ValueError(
            f"{model.name} reads numbers and no text. Let it read what it was trained on: {own}"
        )
    if model.kind == "language_model" and model.vocabulary is None:
        raise ValueError(
            f"{model.name} is a language model and has no vocabulary to read texts with. Record it "
            f"on what it was trained on: {recording_command(model.card)}"
        )
    return source.texts(model.classes)


def usual_numbers(
    model: "SequenceModel", source: "Source", reference: list[str] | None
) -> "Numbers":
    """So many sequences that say what is usual: of the training split.

    The adding problem is drawn anew for training: of those that are drawn to be held out, the ones
    that are not read.

    Arguments:
        model: What shall read them.
        source: What it reads itself.
        reference: Texts that were given to say what is usual.

    Raises:
        ValueError: If texts were given to say so.
    """
    split: Part = "train"
    if source.task == "adding":
        split = "validation" if (source.split or source.usual) == "test" else "test"
    if reference:
        named = "training" if split == "train" else split
        raise ValueError(
            f"--reference takes texts, but {source.task} is of numbers: what is usual there are "
            f"{USUAL} sequences of the {named} split. Leave --reference out."
        )
    return read_numbers(model, replace(source, split=split, limit=USUAL))


def read_numbers(model: "SequenceModel", source: "Source") -> "Numbers":
    """So many sequences of a data set, evenly spread, in the splits the model was trained with.

    Arguments:
        model: What shall read them.
        source: Names one of `READABLE`.

    Raises:
        ValueError: If the model was trained on something else.
    """
    from attnviz.recording import Numbers

    name, split = str(source.task), source.split or source.usual
    if name == "adding":
        return _sums(model, split, source.limit)
    fold = model.card.get("data", {}).get("fold") if name == "har" else None
    task = load_numbers(name, source.data, fold=fold)
    check_trained(model, name, task.name)
    held = task.splits[split].spread(source.limit)
    about = {"task": task.name, "split": split}
    return Numbers(held.features(), held.labels, held.ids, about)


def _sums(model: "SequenceModel", split: str, limit: int | None) -> "Numbers":
    """The adding problem, as the model was trained on it."""
    from attnviz.recording import Numbers
    from attnviz.tasks import load_adding
    from attnviz.tasks.base import spread_rows

    data: Mapping[str, int] = model.card.get("data", {})
    if "length" not in data:
        raise ValueError(
            f"{model.name} was not trained on the adding problem. attnviz train rra adding makes a "
            "model that was."
        )
    task = load_adding(data["length"], held_out=data["held_out"])
    if split not in task.splits:
        raise ValueError(
            f"The adding problem is drawn anew for training; it has the splits "
            f"{sorted(task.splits)}, got {split!r}."
        )
    held = task.splits[split]
    rows = spread_rows(len(held.features), limit)
    about = {"task": task.name, "split": split}
    return Numbers(held.features[rows], held.targets[rows], None, about)


def check_trained(model: "SequenceModel", name: str, task: str) -> None:
    """Refuses a model that learnt another task.

    Arguments:
        model: What shall read the task.
        name: Of the task, as it was typed.
        task: Its full name, as a model's card has it.

    Raises:
        ValueError: If it did.
    """
    from attnviz.cards import current_task

    if current_task(str(model.card.get("task"))) != task:
        raise ValueError(
            f"{model.name} was not trained on {name}, but on {model.card.get('task')}. attnviz "
            f"train rra {name} makes a model that was."
        )
