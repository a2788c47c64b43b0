"""Figures as files that say where they come from, the same bytes every time."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from attnviz.files import replacing
from attnviz.plots.figures import PaperFigure, figure_of
from attnviz.plots.styling import house_style
from attnviz.plots.suffixes import FORMATS, unknown_suffix

__all__ = ["FORMATS", "save_figure"]

_FOR_SETTING_TYPE = ("GDEF", "GPOS", "GSUB")


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
    whole = figure_of(figure)
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
            **_packing(kind),
        )
    return path


def _packing(kind: str) -> dict[str, Any]:
    """Packs a PNG in two thirds of the time that zlib's usual 6 takes, a few percent larger."""
    return {"pil_kwargs": {"compress_level": 3}} if kind == ".png" else {}


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
