"""What commands read: texts that are given, a data set, or a table of one's own."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from attnviz.cli.console import busy

if TYPE_CHECKING:
    from attnviz.recording import Texts
    from attnviz.tasks import TextTask

__all__ = [
    "Columns",
    "DataPlace",
    "GivenTexts",
    "LabelColumn",
    "Source",
    "Split",
    "TextColumn",
    "load_texts",
]

GivenTexts = Annotated[
    list[str] | None,
    typer.Option("--text", help="Read this text; may be given several times."),
]
TextColumn = Annotated[str | None, typer.Option(help="The file's column of texts.")]
LabelColumn = Annotated[str | None, typer.Option(help="The file's column of labels.")]
Split = Annotated[
    Literal["train", "validation", "test"], typer.Option(help="Which part of the data set.")
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
        task: Or a data set.
        split: Which part of it.
        limit: So many sequences at most.
        columns: Of a table of one's own.
        data: Where the data set lies.
        others: Tasks that the command reads besides those of texts.

    Raises:
        ValueError: If there are neither texts nor a task, or both.
    """

    text: list[str] | None
    task: str | None
    split: str
    limit: int | None
    columns: Columns
    data: Path | None
    others: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuses to choose between texts and a data set."""
        if (self.task is None) == (self.text is None):
            raise ValueError(
                "Say what to read: either --task imdb with --split, or one or more --text '...'."
            )

    def texts(self) -> "Texts":
        """The texts, with what is known about them."""
        from attnviz.recording import Texts

        if self.task is None:
            return Texts((self.text or [])[: self.limit], about={"task": "own text"})
        task = load_texts(self.task, self.columns, self.data, others=self.others)
        return _spread(task, self.split, self.limit)


def load_texts(
    task: str, columns: Columns, data: Path | None, *, others: tuple[str, ...] = ()
) -> "TextTask":
    """A data set of texts by its name, or a table of one's own.

    Arguments:
        task: What is typed in a command.
        columns: Of the table.
        data: Where the data set lies.
        others: Tasks that the command knows besides, for the message.

    Raises:
        ValueError: If there is no such task, or the table's columns are not named.
    """
    from attnviz.tasks import load_imdb, load_table

    if task == "imdb":
        with busy("Reading IMDB"):
            return load_imdb(data)
    if not Path(task).suffix:
        names = ", ".join(("imdb", *others))
        raise ValueError(f"There is no task {task!r} to read: name {names}, or a CSV or TSV file.")
    if columns.text is None or columns.label is None:
        text, label = columns.options
        raise ValueError(
            f"Say which columns of {task} hold the texts and the labels: {text} COLUMN {label} "
            "COLUMN."
        )
    return load_table(task, text=columns.text, label=columns.label)


def _spread(task: "TextTask", split: str, limit: int | None) -> "Texts":
    """So many texts of a split, evenly spread."""
    from attnviz.recording import Texts

    chosen = task.splits[split].spread(limit)
    about = {"task": task.name, "split": split}
    return Texts(chosen.texts, [int(label) for label in chosen.labels], chosen.ids, about)
