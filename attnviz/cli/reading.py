"""What commands read: texts that are given, a data set, or a table of one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from attnviz.cli.console import busy
from attnviz.suggesting import meant

if TYPE_CHECKING:
    from attnviz.recording import Texts
    from attnviz.tasks import TextSplit, TextTask

__all__ = [
    "Asked",
    "Columns",
    "DataPlace",
    "LabelColumn",
    "Part",
    "Source",
    "TextColumn",
    "load_texts",
    "told",
]

# What is read of a file of one's own, unless a split is named.
ALL = "all rows"
# Of a data set, where nothing else is asked for, by what reads every text often.
FEW = 20

GivenTexts = Annotated[
    list[str] | None,
    typer.Option("--text", help="Read this text; may be given several times."),
]
Task = Annotated[
    str | None, typer.Option(help="Read this data set: imdb, or a CSV, TSV or .txt file.")
]
TextColumn = Annotated[str | None, typer.Option(help="The file's column of texts.")]
LabelColumn = Annotated[str | None, typer.Option(help="The file's column of labels.")]
Part = Literal["train", "validation", "test"]
Split = Annotated[
    Part | None,
    typer.Option(
        help="Which part of the data set: test if not given, for measurements validation. A file "
        "of your own is read whole unless you choose."
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(help="Read only so many sequences; 20 of a data set if not given.", min=1),
]
DataPlace = Annotated[Path | None, typer.Option("--data", help="Where the data set lies.")]


class Columns(NamedTuple):
    """The columns of a table of one's own, and the options of a command that name them."""

    text: str | None
    label: str | None
    options: tuple[str, str] = ("--text-column", "--label-column")


@dataclass(frozen=True)
class Source:
    """What a command is told to read.

    Arguments:
        text: Texts of one's own.
        task: Or a data set, or a file of one's own.
        split: Which part of it; if None, of a file all rows and of a data set the usual part.
        limit: So many sequences at most.
        columns: Of a table of one's own.
        data: Where the data set lies.
        others: Tasks that the command reads besides those of texts.
        usual: The part of a data set that is read where none is named.

    Raises:
        ValueError: If there are neither texts nor a task, or both, or there is no such task.
    """

    text: list[str] | None
    task: str | None
    split: Part | None
    limit: int | None
    columns: Columns
    data: Path | None
    others: tuple[str, ...] = ()
    usual: Part = "test"

    def __post_init__(self) -> None:
        """Refuses to choose between texts and a data set, and data sets that there are not."""
        if (self.task is None) == (self.text is None):
            raise ValueError(
                "Say what to read: either --task (imdb, har, ...) with --split, or, for models of "
                "texts, one or more --text '...'."
            )
        if self.task is not None:
            _check_named(self.task, self.others)

    def texts(self, classes: Sequence[str]) -> "Texts":
        """The texts, with what is known about them.

        Arguments:
            classes: Of the model that shall read them, by which labels are numbered.

        Raises:
            ValueError: If a label is none of them.
        """
        from attnviz.recording import Texts

        if self.task is None:
            return Texts((self.text or [])[: self.limit], about={"task": "own text"})
        if not self._splits:
            rows = _all_rows(self.task, self.columns, classes).spread(self.limit)
            labels = None if self.columns.label is None else [int(label) for label in rows.labels]
            about = {"task": Path(self.task).name.split(".")[0], "split": ALL}
            return Texts(rows.texts, labels, rows.ids, about)
        held, part = self._held, self.split or self.usual
        chosen = held.splits[part].spread(self.limit)
        places = _places(held, classes)
        about = {"task": held.name, "split": part}
        return Texts(chosen.texts, [places[label] for label in chosen.labels], chosen.ids, about)

    def training(self, limit: int) -> list[str]:
        """So many texts that say what is usual: of the training split, or of all rows."""
        if self._splits:
            return list(self._held.splits["train"].spread(limit).texts)
        unlabelled = self.columns._replace(label=None)
        return list(_all_rows(str(self.task), unlabelled).spread(limit).texts)

    @property
    def labelled(self) -> bool:
        """Whether labels are read, too: always of a data set, of a table where they are named."""
        return self.task is not None and (self._splits or self.columns.label is not None)

    @property
    def _splits(self) -> bool:
        """Whether splits are read: always of a data set, of a file where one is named."""
        return self.split is not None or not _is_file(str(self.task))

    @cached_property
    def _held(self) -> "TextTask":
        """The task, read once."""
        return load_texts(str(self.task), self.columns, self.data, others=self.others)


@dataclass(frozen=True)
class Asked:
    """What a command is told to read, as typed."""

    text: GivenTexts = None
    task: Task = None
    text_column: TextColumn = None
    label_column: LabelColumn = None
    split: Split = None
    limit: Limit = None
    data: DataPlace = None

    def source(
        self, usual: Part = "test", *, few: int | None = FEW, others: tuple[str, ...] = ()
    ) -> Source:
        """The same, checked.

        Arguments:
            usual: The part of a data set that is read where none is named.
            few: So many sequences of it at most, where nothing is said; None for all.
            others: Tasks that the command reads besides those of texts.
        """
        most = few if self.limit is None and self.text is None else self.limit
        columns = Columns(self.text_column, self.label_column)
        return Source(self.text, self.task, self.split, most, columns, self.data, others, usual)


def told(about: Mapping[Any, Any]) -> str:
    """Which part of what is read, for a sentence: ` of imdb (test split)`; of own texts nothing."""
    task, split = about.get("task"), about.get("split")
    if task is None or split is None:
        return ""
    return f" of {task} ({split if split == ALL else f'{split} split'})"


def load_texts(
    task: str, columns: Columns, data: Path | None, *, others: tuple[str, ...] = ()
) -> "TextTask":
    """A data set of texts by its name, or a table of one's own, in splits.

    Arguments:
        task: What is typed in a command.
        columns: Of the table.
        data: Where the data set lies.
        others: Tasks that the command knows besides, for the message.

    Raises:
        ValueError: If there is no such task, or the table's columns are not named.
    """
    from attnviz.tasks import load_imdb, load_table

    _check_named(task, others)
    if task == "imdb":
        with busy("Reading IMDB"):
            return load_imdb(data)
    if Path(task).suffix.lower() == ".txt":
        raise ValueError(
            f"{task} has texts without labels, and splits are drawn so that every class has its "
            "share of each. A table with a column of labels has them."
        )
    text = _named(task, columns.text, columns.options[0], "texts")
    label = _named(task, columns.label, columns.options[1], "labels")
    return load_table(task, text=text, label=label)


def _check_named(task: str, others: tuple[str, ...]) -> None:
    """Refuses what is neither the name of a data set nor a file.

    Raises:
        ValueError: If it is neither.
    """
    known = ("imdb", *others)
    if task not in known and not _is_file(task):
        raise ValueError(
            f"There is no task {task!r}{meant(task, known)} to read: name {', '.join(known)}, or a "
            "CSV or TSV file."
        )


def _places(task: "TextTask", classes: Sequence[str]) -> list[int]:
    """Where among a model's classes each of the task's stands.

    Raises:
        ValueError: If one is not among them.
    """
    if not set(task.classes) <= set(classes):
        raise ValueError(
            f"{task.name} has texts of the classes {', '.join(task.classes)}, but the model tells "
            f"apart {', '.join(classes)}: which is which is not known. In a table, write labels as "
            "the model's classes are called, or read all its rows without labels."
        )
    return [classes.index(name) for name in task.classes]


def _all_rows(task: str, columns: Columns, classes: Sequence[str] | None = None) -> "TextSplit":
    """All texts of a file of one's own."""
    from attnviz.tasks import read_texts

    text = columns.text
    if Path(task).suffix.lower() != ".txt":
        text = _named(task, text, columns.options[0], "texts")
    return read_texts(task, text=text, label=columns.label, classes=classes)


def _named(path: str, column: str | None, option: str, what: str) -> str:
    """A column that is named; else says how, and which there are."""
    if column is not None:
        return column
    from attnviz.tasks import column_names

    names = ", ".join(map(repr, column_names(path)))
    raise ValueError(
        f"Say which column of {path} holds the {what}: {option} COLUMN. It has {names}."
    )


def _is_file(task: str) -> bool:
    """Whether a file is meant, and no data set by its name."""
    return bool(Path(task).suffix)
