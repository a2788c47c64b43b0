"""Figures as PGF, for a text that TeX sets: words in the fonts of the text."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from attnviz.plots.numbers import comments
from attnviz.plots.styling import house_style

__all__ = ["check_tex", "save_pgf"]

#: The programs that matplotlib can measure words with, the most able first.
_PROGRAMS = ("xelatex", "lualatex", "pdflatex")


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


def save_pgf(figure: Figure, path: Path, provenance: Mapping[str, str]) -> Path:
    """Writes a figure as PGF, and its images beside it.

    Arguments:
        figure: Any figure.
        path: Where to write.
        provenance: Goes above it in comments.

    Returns:
        The path.
    """
    settings: dict[Any, Any] = {"pgf.texsystem": check_tex(path), "pgf.rcfonts": False}
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.stem}.") as place:
        # In a folder of its own under its own name: the file names its images after itself.
        drawn = Path(place) / path.name
        with house_style(), matplotlib.rc_context(settings):
            figure.savefig(drawn, format="pgf")
        drawn.write_text(
            comments(provenance, "%") + drawn.read_text(encoding="utf-8"), encoding="utf-8"
        )
        for image in sorted(Path(place).glob("*.png")):
            image.replace(path.parent / image.name)
        drawn.replace(path)
    return path
