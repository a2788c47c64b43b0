"""The kinds of task that can be trained on, and the data that reads each."""

from typing import Any

from attnviz.tasks import GeneratedTask, LabelledTask, LanguageTask, TextTask
from attnviz.training.batching import ResumableData
from attnviz.training.data import TextData
from attnviz.training.generated import GeneratedData
from attnviz.training.labelled import LabelledData
from attnviz.training.language import LanguageData

__all__ = ["Task", "data_for"]

Task = TextTask | GeneratedTask | LabelledTask | LanguageTask

_DATA: dict[type, type[ResumableData[Any]]] = {
    TextTask: TextData,
    GeneratedTask: GeneratedData,
    LabelledTask: LabelledData,
    LanguageTask: LanguageData,
}


def data_for(task: Task) -> type[ResumableData[Any]]:
    """What reads a task of this kind, checks models for it and scores them on it.

    Raises:
        TypeError: If there is no training on such a task.
    """
    for kind, data in _DATA.items():
        if isinstance(task, kind):
            return data
    known = ", ".join(kind.__name__ for kind in _DATA)
    raise TypeError(f"Training needs a task of one of the kinds {known}, got {task!r:.80}.")
