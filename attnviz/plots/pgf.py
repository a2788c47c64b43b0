"""Figures as PGF, for a text that TeX sets: words in the fonts of the text."""

import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backend_bases import GraphicsContextBase
from matplotlib.backends import backend_pgf
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

from attnviz.plots.lettering import SUBSCRIPTS
from attnviz.plots.provenance import comments
from attnviz.plots.styling import house_style

__all__ = ["PlainWords", "as_tex", "check_tex", "plain_words", "save_pgf"]

#: The programs that matplotlib can measure words with, the most able first.
_PROGRAMS = ("xelatex", "lualatex", "pdflatex")

# Matplotlib's numbers need it, and it asks each document to say so.
_DEFINED = "\\providecommand{\\mathdefault}[1]{#1}%\n"
# What means something to TeX, and signs of ours that its usual fonts lack.
_AS_TEX = str.maketrans({
    **{sign: rf"\{sign}" for sign in "{}$&#_%"},
    "\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "‖": r"\ensuremath{\Vert}", "−": r"\ensuremath{-}", "≤": r"\ensuremath{\leq}",
    "≥": r"\ensuremath{\geq}", "→": r"\ensuremath{\rightarrow}", "∞": r"\ensuremath{\infty}",
    "×": r"\ensuremath{\times}", "±": r"\ensuremath{\pm}", "²": r"\ensuremath{^2}",
    "Σ": r"\ensuremath{\Sigma}", "Δ": r"\ensuremath{\Delta}", "α": r"\ensuremath{\alpha}",
    "κ": r"\ensuremath{\kappa}", "ρ": r"\ensuremath{\rho}", "σ": r"\ensuremath{\sigma}",
    "ŵ": r"\ensuremath{\hat w}",
})  # fmt: skip
_LETTERS = {sign: letter for letter, sign in SUBSCRIPTS.items()}
_BELOW = re.compile(rf"([A-Za-z]?)([{''.join(_LETTERS)}])")


def as_tex(text: str) -> str:
    """Words as TeX shows them.

    Arguments:
        text: Any, such as a token of a review.

    Returns:
        The same with nothing in it that TeX would act on.
    """
    return _BELOW.sub(_in_maths, text.translate(_AS_TEX))


def _in_maths(found: re.Match[str]) -> str:
    return rf"\ensuremath{{{found[1]}_{_LETTERS[found[2]]}}}"


def check_tex(path: Path) -> str:
    """The TeX program that a PGF is drawn with.

    Arguments:
        path: What is to be written, for the message.

    Returns:
        Its name.

    Raises:
        FileNotFoundError: If there is none.
    """
    for program in _PROGRAMS:
        if shutil.which(program):
            return program
    raise FileNotFoundError(
        f"{path.name} needs TeX, which measures its words, but none of {', '.join(_PROGRAMS)} is "
        "on the path. Install TeX Live or MiKTeX, or write a .pdf."
    )


def save_pgf(
    figure: Figure, path: Path, provenance: Mapping[str, str], *, dpi: float | None = None
) -> Path:
    """Writes a figure as PGF, and its images beside it.

    Arguments:
        figure: Any figure.
        path: Where to write.
        provenance: Goes above it in comments.
        dpi: Dots an inch of what is drawn as an image; the style's if not given.

    Returns:
        The path.
    """
    settings: dict[Any, Any] = {"pgf.texsystem": check_tex(path), "pgf.rcfonts": False}
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as place:
        # In a folder of its own under its own name: the file names its images after itself.
        drawn = Path(place) / path.name
        with house_style(), matplotlib.rc_context(settings), plain_words():
            figure.savefig(drawn, format="pgf", dpi=dpi or matplotlib.rcParams["savefig.dpi"])
        drawn.write_text(
            comments(provenance, "%") + _DEFINED + drawn.read_text(encoding="utf-8"),
            encoding="utf-8",
        )
        for image in sorted(Path(place).glob("*.png")):
            image.replace(path.parent / image.name)
        drawn.replace(path)
    return path


class PlainWords(backend_pgf.RendererPgf):
    """Draws words as they are, all in one family. Matplotlib's own hands them to TeX to run.

    Sans serif: it knows no font by the name of one that is installed, and roman letters are wider
    at these sizes than the room that was measured for them.
    """

    def draw_text(
        self, gc: GraphicsContextBase, x: float, y: float, s: str, prop: FontProperties,
        angle: float, ismath: bool | str = False, mtext: Text | None = None,
    ) -> None:  # fmt: skip
        """Draws words; those that are no formula as they are."""
        words = _around_maths(s) if ismath else as_tex(s)
        super().draw_text(gc, x, y, words, _family(prop), angle, ismath, mtext)  # type: ignore[no-untyped-call]

    def get_text_width_height_descent(
        self, s: str, prop: FontProperties, ismath: bool | str
    ) -> tuple[float, float, float]:
        """Measures what is drawn."""
        words = _around_maths(s) if ismath else as_tex(s)
        size: tuple[float, float, float] = super().get_text_width_height_descent(  # type: ignore[no-untyped-call]
            words, _family(prop), ismath
        )
        return size


def _around_maths(text: str) -> str:
    """The same, with words outside dollar signs as TeX shows them."""
    parts = re.split(r"(?<!\\)\$", text)
    words = (as_tex(part.replace(r"\$", "$")) for part in parts)
    return "$".join(
        part if number % 2 else word
        for number, (part, word) in enumerate(zip(parts, words, strict=True))
    )


def _family(prop: FontProperties) -> FontProperties:
    """A font of the document in place of one by its name."""
    found = prop.copy()
    if prop.get_family()[0] not in ("serif", "monospace"):
        found.set_family("sans-serif")
    return found


@contextmanager
def plain_words() -> Iterator[None]:
    """Lets matplotlib draw PGF so; it has no other place to say it."""
    before = backend_pgf.RendererPgf
    backend_pgf.RendererPgf = PlainWords  # type: ignore[misc]
    try:
        yield
    finally:
        backend_pgf.RendererPgf = before  # type: ignore[misc]
