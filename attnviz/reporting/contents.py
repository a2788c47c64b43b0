"""What a report is made of, before it is HTML or Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from matplotlib.figure import Figure

__all__ = ["Block", "Code", "Facts", "Paragraph", "Picture", "Report", "Section", "Table", "Warn"]


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of text."""

    text: str


@dataclass(frozen=True)
class Warn:
    """Something a reader must know before trusting a number."""

    text: str


@dataclass(frozen=True)
class Code:
    """Text to be copied as it is."""

    text: str


@dataclass(frozen=True)
class Facts:
    """Names with what they stand for."""

    rows: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Table:
    """A table; columns of numbers are set to the right.

    Arguments:
        head: Names of the columns.
        rows: As many cells each.
        caption: What the numbers are.
        words: So many columns from the left hold words.
    """

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""
    words: int = 1


@dataclass(frozen=True)
class Picture:
    """A figure.

    Arguments:
        name: Of its file, without a suffix.
        figure: What is drawn.
        caption: What it shows, in a sentence; also read out in its place.
    """

    name: str
    figure: Figure
    caption: str


Block = Paragraph | Warn | Code | Facts | Table | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Report:
    """A page.

    Arguments:
        title: At its top.
        subtitle: Below it.
        sections: In order; one without blocks is left out.
        provenance: What its figures say of where they come from.
    """

    title: str
    subtitle: str
    sections: Sequence[Section]
    provenance: dict[str, str] = field(default_factory=dict)
