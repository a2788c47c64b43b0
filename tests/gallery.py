"""The gallery's pictures and its page: `python -m tests.gallery` makes them anew.

The scripts under `notebooks/gallery` stand for themselves; this runs them, makes a small picture of
each, and writes the page that shows them.
"""

import ast
import os
import runpy
import sys
import tempfile
from pathlib import Path

from PIL import Image

GALLERY = Path(__file__).parents[1] / "notebooks" / "gallery"
THUMBNAILS = GALLERY / "thumbnails"
PAGE = GALLERY / "README.md"
WIDTH, HEIGHT, COLOURS, ACROSS = 420, 360, 128, 3

SECTIONS = {
    "What cells look at": (
        "heatmap", "contribution", "lag_kernel", "gate_attention", "feature_attention", "text",
    ),
    "Which way the gradient goes": (
        "gradient_flow", "shortcut", "exit_routes", "path_classes", "vanishing",
    ),
    "Whether it matters, and how far back": (
        "ablation", "effect_against", "influence", "influence_map",
    ),
    "How it comes about": ("kernel_evolution", "learning_curves", "score_against"),
    "Your own": ("foreign", "slides"),
}  # fmt: skip


def scripts():
    """The scripts, in the order of the page."""
    return [GALLERY / f"{name}.py" for names in SECTIONS.values() for name in names]


def run(script, folder):
    """Runs a script in a folder; the picture that it made there."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        runpy.run_path(str(script))
    finally:
        os.chdir(before)
    return folder / f"{script.stem}.png"


def about(script):
    """What a script shows, by its docstring."""
    return ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))


def page():
    """The page: each picture small, with its sentence, and both lead to the script."""
    lines = [
        "# Gallery",
        "",
        "One short script a picture; each runs by itself, `python notebooks/gallery/heatmap.py`,",
        "and leaves its picture in the current folder. Another suffix, `.pdf` or `.svg`, gives a",
        "vector figure. The models and sentences ship with the package; to train takes seconds.",
    ]
    for title, names in SECTIONS.items():
        lines += ["", f"## {title}", "", "<table>"]
        for first in range(0, len(names), ACROSS):
            row = [_cell(GALLERY / f"{name}.py") for name in names[first : first + ACROSS]]
            lines += ["<tr>", *row, "</tr>"]
        lines += ["</table>"]
    return "\n".join(lines) + "\n"


def shrink(picture, place):
    """A small copy of a picture in few colours."""
    with Image.open(picture) as whole:
        small = whole.convert("RGB")
        small.thumbnail((WIDTH, HEIGHT), Image.Resampling.LANCZOS)
        # Not by median cut, which gives two lines one colour where most of a picture is white.
        few = small.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        few.save(place, optimize=True)


def _cell(script):
    said = about(script)
    picture = f'<img src="thumbnails/{script.stem}.png" width="{WIDTH * 2 // 3}" alt="{said}">'
    return (
        f'<td width="33%" valign="top"><a href="{script.name}">{picture}<br>'
        f"{script.stem.replace('_', ' ')}</a><br>{said}</td>"
    )


def main():
    """Runs every script, or those that are named, and writes the page."""
    THUMBNAILS.mkdir(exist_ok=True)
    for script in scripts():
        if len(sys.argv) == 1 or script.stem in sys.argv[1:]:
            with tempfile.TemporaryDirectory() as folder:
                shrink(run(script, Path(folder)), THUMBNAILS / f"{script.stem}.png")
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
