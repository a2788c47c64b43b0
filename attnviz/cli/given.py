"""What a command lets a model read: texts, a running text, or sequences of numbers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from attnviz.cli.number_tasks import NUMBER_TASKS, load_numbers

if TYPE_CHECKING:
    from attnviz.cli.reading import Part, Source
    from attnviz.models import SequenceModel
    from attnviz.recording import Numbers, Running, Texts

__all__ = [
    "NUMBERS",
    "READABLE",
    "USUAL",
    "read_given",
    "read_texts",
    "read_usual",
]

# Tasks of numbers. The adding problem is drawn as the model was trained on it.
NUMBERS = ("adding", *NUMBER_TASKS)
# Of ptb a sequence is a piece of the running text.
READABLE = (*NUMBERS, "ptb")
# Sequences that say what is usual.
USUAL = 100


def read_given(model: "SequenceModel", source: "Source") -> "Texts | Numbers | Running":
    """What a command is told to read: texts, sequences of numbers, or a running text.

    Arguments:
        model: What shall read it.
        source: As it was typed.

    Raises:
        ValueError: If the model reads no such thing, or was trained on something else.
    """
    if source.task == "ptb":
        return _running(model, source)
    return _numbers(model, source) if source.task in NUMBERS else read_texts(model, source)


def _running(model: "SequenceModel", source: "Source") -> "Running":
    """The beginning of the Penn Treebank, as many pieces as sequences are asked for."""
    from attnviz.recording import Running
    from attnviz.tasks import load_ptb

    task = load_ptb(source.data)
    _check_trained(model, "ptb", task.name)
    split = source.split or source.usual
    about = {"task": task.name, "split": split}
    whole = Running(task.splits[split].ids, task.words, about=about)
    if source.limit is None:
        return whole
    return replace(whole, tokens=whole.tokens[: source.limit * whole.length])


def read_texts(model: "SequenceModel", source: "Source") -> "Texts":
    """The texts that a command is told to read.

    Arguments:
        model: What shall read them.
        source: As it was typed.

    Raises:
        ValueError: If the model reads none, or a text has a label that is none of its classes.
    """
    from attnviz.cards import typed_task

    if model.embedding is None:
        task = typed_task(model.card)
        in_python = "attnviz.recording.record_numbers, in Python"
        own = f"--task {task}" if task in READABLE else in_python
        raise ValueError(
            f"{model.name} reads numbers and no text. Let it read what it was trained on: {own}"
        )
    if model.kind == "language_model" and model.vocabulary is None:
        task = typed_task(model.card)
        own = f"--task {task}" if task in READABLE else "attnviz.recording.Running, in Python"
        raise ValueError(
            f"{model.name} is a language model and has no vocabulary to read texts with. Let it "
            f"read what it was trained on: {own}"
        )
    return source.texts(model.classes)


def read_usual(
    model: "SequenceModel", source: "Source", reference: list[str] | None
) -> "Numbers | Running":
    """So much of a task that is not of texts as says what is usual: of the training split.

    The adding problem is drawn anew for training: of those that are drawn to be held out, the ones
    that are not read.

    Arguments:
        model: What shall read it.
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
            f"--reference takes texts, but {source.task} is read otherwise: what is usual there "
            f"are {USUAL} sequences of the {named} split. Leave --reference out."
        )
    usual = replace(source, split=split, limit=USUAL)
    return _running(model, usual) if source.task == "ptb" else _numbers(model, usual)


def _numbers(model: "SequenceModel", source: "Source") -> "Numbers":
    """So many sequences of a data set, evenly spread, in the splits the model was trained with."""
    from attnviz.recording import Numbers

    name, split = str(source.task), source.split or source.usual
    if name == "adding":
        return _sums(model, split, source.limit)
    fold = model.card.get("data", {}).get("fold") if name == "har" else None
    task = load_numbers(name, source.data, fold=fold)
    _check_trained(model, name, task.name)
    held = task.splits[split].spread(source.limit)
    about = {"task": task.name, "split": split}
    return Numbers(held.features(), held.labels, held.ids, about, held.lengths)


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


def _check_trained(model: "SequenceModel", name: str, task: str) -> None:
    """Refuses a model that learnt another task than that of a name and full name."""
    from attnviz.cards import current_task

    if current_task(str(model.card.get("task"))) != task:
        raise ValueError(
            f"{model.name} was not trained on {name}, but on {model.card.get('task')}. attnviz "
            f"train rra {name} makes a model that was."
        )
