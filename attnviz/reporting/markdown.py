"""A report as Markdown, with its figures in a folder beside it."""

import re
from collections.abc import Sequence
from pathlib import Path

from attnviz.plots import save_figure
from attnviz.reporting.contents import (
    Block,
    Code,
    Facts,
    Paragraph,
    Picture,
    Report,
    Table,
    Warn,
)

__all__ = ["markdown_page"]

_SPECIAL = re.compile(r"([\\`*_\[\]<>|~&$])")
# What makes a list or a heading of a line that begins so.
_BEGINNING = re.compile(r"^(\d*)([#+\-=.)])")


def markdown_page(report: Report, folder: Path, name: str) -> str:
    """The report as Markdown.

    Arguments:
        report: What it says.
        folder: Where its figures are written, as PNG.
        name: What the page calls that folder.

    Returns:
        The page. What comes from data is escaped: nothing in it is taken for Markdown or HTML.
    """
    parts = [f"# {_plain(report.title)}", _plain(report.subtitle)]
    for section in report.sections:
        if section.blocks:
            parts.append(f"## {_plain(section.title)}")
            parts += [_block(block, report, folder, name) for block in section.blocks]
    return "\n\n".join(part for part in parts if part) + "\n"


def _block(block: Block, report: Report, folder: Path, name: str) -> str:
    match block:
        case Paragraph(text):
            return _plain(text)
        case Warn(text):
            return f"> **Beware.** {_plain(text)}"
        case Code(text):
            fence = "`" * (3 + max((len(run) for run in re.findall(r"`+", text)), default=0))
            return f"{fence}\n{text.rstrip()}\n{fence}"
        case Facts(rows):
            return _rows(["", ""], rows, 2)
        case Table(head, rows, caption, words):
            return _rows(head, rows, words) + (f"\n\n{_plain(caption)}" if caption else "")
        case Picture(stem, figure, caption):
            save_figure(figure, folder / f"{stem}.png", provenance=report.provenance)
            return f"![{_plain(caption)}]({name}/{stem}.png)\n\n{_plain(caption)}"


def _rows(head: Sequence[str], rows: Sequence[Sequence[str]], words: int) -> str:
    names = [_plain(cell) for cell in head]
    rule = ["---" if n < words else "---:" for n in range(len(names))]
    body = [[_plain(cell) for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in [names, rule, *body])


def _plain(text: str) -> str:
    """Text on one line that means nothing to Markdown."""
    line = _SPECIAL.sub(r"\\\1", " ".join(text.split()))
    return _BEGINNING.sub(r"\1\\\2", line)
