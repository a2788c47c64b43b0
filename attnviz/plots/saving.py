"""Figures as files that say where they come from, the same bytes every time."""

import html
import json
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attnviz.files import replacing
from attnviz.plots.figures import PaperFigure
from attnviz.plots.numbers import read_comments
from attnviz.plots.styling import house_style
from attnviz.plots.suffixes import FORMATS, unknown_suffix

__all__ = ["FORMATS", "read_provenance", "save_figure"]

_FOR_SETTING_TYPE = ("GDEF", "GPOS", "GSUB")
_PNG_START = b"\x89PNG\r\n\x1a\n"
_ENDS = {".pdf": b"%%EOF", ".svg": b"</svg>", ".png": b"IEND"}
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def save_figure(
    figure: Figure | Axes,
    path: Path | str,
    *,
    provenance: Mapping[str, str] | None = None,
    dpi: float | None = None,
) -> Path:
    """Writes a figure as PDF, SVG, PNG or PGF, with its provenance in the file's metadata.

    The provenance is JSON in the PDF's Keywords, the SVG's Description or the PNG's tEXt
    `Description`; of PGF it stands above in comments. PGF needs a TeX to measure its words, and
    keeps images as PNG files beside it. The same figure and provenance give the same bytes: no
    date is written. The file is written beside its place and renamed; its folder is made if it is
    not there.

    Arguments:
        figure: Any figure, or Axes of it.
        path: Where to write; the suffix says the format.
        provenance: What the figure was made from, such as model, trace, sequence and command;
            what the figure itself knows if not given.
        dpi: Dots an inch of a PNG, and of images within the others; the style's if not given.

    Returns:
        The path.

    Raises:
        ValueError: If the suffix is none of `.pdf`, `.svg`, `.png` and `.pgf`.
        FileNotFoundError: If a PGF is asked for and there is no TeX.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise ValueError(unknown_suffix(path, "save_figure writes"))
    if kind == ".pgf":
        from attnviz.plots.pgf import check_tex, save_pgf

        check_tex(path)
    whole = figure.get_figure(root=True) if isinstance(figure, Axes) else figure
    if whole is None:
        raise ValueError("These Axes belong to no figure any more, so there is nothing to save.")
    if provenance is None:
        provenance = whole.provenance if isinstance(whole, PaperFigure) else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == ".pgf":
        return save_pgf(whole, path, provenance, dpi=dpi)
    said = json.dumps(dict(provenance), sort_keys=True)
    salted = matplotlib.rc_context({"svg.hashsalt": "attnviz"})
    fonts = _plain_fonts() if kind == ".pdf" else nullcontext()
    with house_style(), salted, fonts, replacing(path) as beside:
        whole.savefig(
            beside,
            format=kind[1:],
            dpi=dpi or matplotlib.rcParams["savefig.dpi"],
            metadata=_metadata(kind, said),
        )
    return path


def read_provenance(path: Path | str) -> dict[str, str]:
    """Reads back what `save_figure` wrote about a figure.

    Arguments:
        path: A PDF, SVG, PNG or PGF file.

    Returns:
        The provenance.

    Raises:
        ValueError: If the file is of another kind, cut short, or says nothing that `save_figure`
            wrote.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise ValueError(unknown_suffix(path, "read_provenance reads"))
    if kind == ".pgf" and (comments := read_comments(path)):
        return comments
    read_as = {".pdf": _from_pdf, ".svg": _from_svg, ".png": _from_png}
    data = path.read_bytes() if kind in read_as else b""
    if kind in read_as and _ENDS[kind] not in data[-1024:]:
        raise ValueError(
            f"{path} is no whole {kind[1:].upper()} file: its end is missing ({len(data):,} bytes "
            "are there), so it was cut short, or is something else. Copy or draw it again."
        )
    found = read_as[kind](data) if kind in read_as else None
    try:
        read = json.loads(found or "")
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise ValueError(
            f"{path} says nothing about where it comes from: it was not written by save_figure, "
            "or another program has rewritten it since."
        )
    return {str(key): str(value) for key, value in read.items()}


@contextmanager
def _plain_fonts() -> Iterator[None]:
    """Lets a PDF have its fonts without the tables that only setting type needs.

    No reader of a PDF looks at them, and cutting them to the letters in use takes as long as
    drawing a map. Matplotlib has no setting for it, so that the options it makes are others for a
    while; where it made none, fonts would only be written more slowly.
    """
    from fontTools import subset

    class Plain(subset.Options):  # type: ignore[misc]  # fontTools has no types
        drop_tables: list[str]

        def __init__(self, **given: object) -> None:
            super().__init__(**given)
            self.drop_tables = [*self.drop_tables, *_FOR_SETTING_TYPE]

    before = subset.Options
    subset.Options = Plain
    try:
        yield
    finally:
        subset.Options = before


def _metadata(kind: str, said: str) -> dict[str, Any]:
    if kind == ".pdf":
        return {"Keywords": said, "CreationDate": None}
    return {"Description": said, "Date": None} if kind == ".svg" else {"Description": said}


def _from_pdf(data: bytes) -> str | None:
    info = re.search(rb"/Info (\d+) 0 R", data[data.rfind(b"trailer") :])
    start = data.find(b"\n%s 0 obj" % info[1]) if info else -1
    words = re.search(rb"/Keywords \(((?:[^\\()]|\\.|\((?:[^\\()]|\\.)*\))*)\)", data[start:], re.S)
    if start < 0 or words is None:
        return None
    plain = re.sub(rb"\\(.)", lambda m: _ESCAPED.get(m[1], m[1]), words[1], flags=re.S)
    return plain.decode("latin-1")


def _from_svg(data: bytes) -> str | None:
    words = re.search(rb"<dc:description>(.*?)</dc:description>", data, re.S)
    return html.unescape(words[1].decode("utf-8", "replace")) if words else None


def _from_png(data: bytes) -> str | None:
    at = len(_PNG_START)
    while data.startswith(_PNG_START) and at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        key, _, text = data[at + 8 : at + 8 + length].partition(b"\0")
        if kind == b"tEXt" and key == b"Description":
            return text.decode("latin-1")
        at += 12 + length
    return None
