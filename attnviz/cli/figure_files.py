"""Writing figures: in several formats, with their numbers, all of them or none."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from attnviz.cli.console import err
from attnviz.cli.figure_options import Appearance, Outputs

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.text import Text

    from attnviz.analysis.statistic import Statistic

__all__ = ["Drawn", "Written", "lower", "writing"]

_PAGE_HEIGHT = 247  # millimetres that a page has for its text


@dataclass(frozen=True)
class Drawn:
    """A figure that is to be written.

    Arguments:
        stem: Name of its files.
        shows: What it shows, in a sentence.
        draw: Draws it.
        numbers: What it shows as statistics, by what is added to the stem.
        provenance: What its files say.
        lower: What makes it lower where it is higher than a page, in a sentence, if anything does.
    """

    stem: str
    shows: str
    draw: "Callable[[], Figure]"
    numbers: "Mapping[str, Callable[[], Statistic]]"
    provenance: Mapping[str, str]
    lower: str = ""


@dataclass
class Written:
    """The files that a command wrote.

    Arguments:
        folder: Where they are.
        staged: Where they are written before they are moved there.
        outputs: What is to be written.
        files: What each is: its path and what it holds.
        thumbnails: Of each figure, as PNG.
        high: Those that are higher than a page, by what makes them lower.
    """

    folder: Path
    staged: Path
    outputs: Outputs
    files: list[dict[str, str]] = field(default_factory=list)
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    high: dict[str, list[str]] = field(default_factory=dict)

    def write(self, drawn: Drawn, look: Appearance, *, usual: str = "pdf") -> None:
        """Draws and writes one figure in every format, and its numbers."""
        from attnviz.plots.saving import save_figure

        figure = drawn.draw()
        relabel(figure, look.labels or ())
        self._measure(figure, drawn)
        for suffix in self.outputs.suffixes(usual):
            path = self.staged / f"{drawn.stem}{suffix}"
            save_figure(figure, path, provenance=drawn.provenance, dpi=look.dpi)
            self._note(path, drawn, drawn.shows)
            if suffix == ".pgf":
                self._note_images(drawn)
        for added, numbers in drawn.numbers.items():
            if self.outputs.data or self.outputs.latex:
                self._write_numbers(drawn, added, numbers())

    def _measure(self, figure: "Figure", drawn: Drawn) -> None:
        from attnviz.plots.sizes import size_of

        height = 25.4 * size_of(figure)[1]
        if height > _PAGE_HEIGHT and drawn.lower:
            self.high.setdefault(drawn.lower, []).append(f"{drawn.stem} ({height:.0f} mm)")

    def _note_images(self, drawn: Drawn) -> None:
        elsewhere = (
            r" A text in another folder reads both with \usepackage{import} and "
            rf"\import{{{self.folder.as_posix()}/}}{{{drawn.stem}.pgf}}."
        )
        for number, image in enumerate(sorted(self.staged.glob(f"{drawn.stem}-img*.png"))):
            what = "An image that the PGF needs beside it."
            self._note(image, drawn, what + ("" if number else elsewhere))

    def thumbnail(self, drawn: Drawn, dpi: float = 110.0) -> None:
        """Keeps a small picture of a figure, for an index page."""
        from attnviz.plots.saving import save_figure

        path = self.staged / f"{drawn.stem}.thumbnail.png"
        save_figure(drawn.draw(), path, provenance={}, dpi=dpi)
        self.thumbnails[drawn.stem] = path.read_bytes()
        path.unlink()

    def _write_numbers(self, drawn: Drawn, added: str, numbers: "Statistic") -> None:
        from attnviz.plots.numbers import save_numbers
        from attnviz.plots.tabular import save_tabular

        stem = f"{drawn.stem}-{added}" if added else drawn.stem
        said = {**drawn.provenance, **({"panel": added} if added else {})}
        self._refuse_others(stem)
        if self.outputs.data:
            path = save_numbers(numbers, self.staged / f"{stem}.csv", provenance=said)
            self._note(path, drawn, "Its numbers.")
        if self.outputs.latex:
            path = save_tabular(numbers, self.staged / f"{stem}.tex", provenance=said)
            self._note(path, drawn, "Its numbers as a tabular.")

    def _refuse_others(self, stem: str) -> None:
        """Refuses to write numbers, whose path nobody typed, over what is no such file."""
        from attnviz.plots.provenance import holds_numbers

        wanted = {".csv": self.outputs.data, ".tex": self.outputs.latex}
        for path in (self.folder / f"{stem}{suffix}" for suffix, asked in wanted.items() if asked):
            if path.exists() and not holds_numbers(path):
                raise FileExistsError(
                    f"The numbers would be written to {path}, which holds something else. Give the "
                    "figure another name (-o), or move that file."
                )

    def _note(self, path: Path, drawn: Drawn, what: str) -> None:
        said = {"path": str(self.folder / path.name), "figure": drawn.stem, "shows": what}
        self.files.append(said)

    def report(self) -> None:
        """Says what was written, as asked for."""
        if self.outputs.json:
            typer.echo(json.dumps({"files": self.files}, ensure_ascii=False, indent=1))
        elif not self.outputs.quiet:
            for file in self.files:
                typer.echo(f"{file['path']}: {file['shows']}")
            for lower, stems in self.high.items():
                err().print(f"Higher than a page: {', '.join(stems)}. {lower}")


def lower(takes: Sequence[str], look: Appearance) -> str:
    """What makes a figure of many timesteps lower.

    Arguments:
        takes: The options that mean something for its kind.
        look: How it looks.

    Returns:
        A sentence; empty for a kind without timesteps.
    """
    if "tokens" not in takes:
        return ""
    wider = ", --width page draws more of them in a row" if look.width == "column" else ""
    return f"--tokens 0:60 draws some of the timesteps{wider}."


@contextmanager
def writing(folder: Path, outputs: Outputs) -> Iterator[Written]:
    """Lets a block write files to a folder: all of them, or none where it fails or is stopped.

    Arguments:
        folder: Where the files shall stand.
        outputs: What is to be written.

    Yields:
        What writes them; it reports after the block.
    """
    from attnviz.files import replacing_several

    with replacing_several(folder) as staged:
        written = Written(folder, staged, outputs)
        yield written
    written.report()


def relabel(figure: "Figure", labels: Sequence[str]) -> None:
    """Writes other words where labels of a figure read as given.

    Arguments:
        figure: Drawn.
        labels: As `OLD=NEW`.

    Raises:
        ValueError: If no label reads so.
    """
    if not labels:
        return
    found = _labels(figure)
    for label in labels:
        old, _, new = label.partition("=")
        matching = [text for text in found if text.get_text() == old]
        if not matching:
            said = list(dict.fromkeys(text.get_text() for text in found))
            raise ValueError(
                f"No label of this figure reads {old!r}. They read: "
                f"{', '.join(map(repr, said))}. Long ones are broken into lines; each is one."
            )
        for text in matching:
            text.set_text(new)


def _labels(figure: "Figure") -> "list[Text]":
    from matplotlib.text import Text

    from attnviz.plots.composition import Composition
    from attnviz.plots.wrapped import words_under

    figures = figure.panels if isinstance(figure, Composition) else (figure,)
    found: list[Text] = []
    for one in figures:
        found += one.texts
        for ax in one.axes:
            words = set(words_under(ax))
            held = [one for one in ax.get_children() if isinstance(one, Text)]  # titles, and texts
            found += [ax.xaxis.label, ax.yaxis.label, *(one for one in held if one not in words)]
            legend = ax.get_legend()
            found += [] if legend is None else legend.get_texts()
        for part in (one, *one.subfigs):
            found += [text for legend in part.legends for text in legend.get_texts()]
    return [text for text in found if text.get_text()]
