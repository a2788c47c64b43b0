"""Every picture of the gallery can be made, and its page shows them all."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

import attnviz
from tests import gallery


def test_the_page_shows_every_script_and_is_of_today():
    found = sorted(path.name for path in gallery.GALLERY.glob("*.py"))
    assert found == sorted(path.name for path in gallery.scripts())
    assert gallery.PAGE.read_text(encoding="utf-8") == gallery.page(), "python -m tests.gallery"
    shown = {path.stem for path in gallery.THUMBNAILS.iterdir()}
    assert shown == {path.stem for path in gallery.scripts()}


def test_every_plot_of_the_library_has_its_picture():
    text = "".join(path.read_text(encoding="utf-8") for path in gallery.scripts())
    plots = [name for name in attnviz.__all__ if name.startswith("plot_")]
    assert len(plots) >= 15 and not [name for name in plots if f"attnviz.{name}(" not in text]


def test_the_readme_leads_to_it():
    readme = gallery.GALLERY.parents[1] / "README.md"
    assert "notebooks/gallery/README.md" in readme.read_text(encoding="utf-8")


@pytest.mark.parametrize("script", gallery.scripts(), ids=lambda path: path.stem)
def test_a_script_is_short_and_its_thumbnail_small(script):
    assert len(script.read_text(encoding="utf-8").splitlines()) <= 30
    assert gallery.about(script).endswith(".")
    thumbnail = gallery.THUMBNAILS / f"{script.stem}.png"
    assert thumbnail.stat().st_size < 40_000


def test_lines_keep_their_colours_in_a_thumbnail(tmp_path):
    with attnviz.style():
        figure, ax = plt.subplots(figsize=(5.5, 3.0))
        colours = [line.get_color() for n in range(7) for line in ax.plot([0, 9], [n, n + 3])]
        figure.savefig(tmp_path / "whole.png", dpi=300)
        plt.close(figure)

    gallery.shrink(tmp_path / "whole.png", tmp_path / "small.png")

    with Image.open(tmp_path / "small.png") as small:
        there = np.array([colour for _, colour in small.convert("RGB").getcolors()])
    for colour in colours:
        wanted = 255 * np.array(to_rgb(colour))
        assert np.abs(there - wanted).max(axis=1).min() < 32, colour


@pytest.mark.slow
@pytest.mark.parametrize("script", gallery.scripts(), ids=lambda path: path.stem)
def test_a_script_makes_its_picture(script, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = gallery.run(script, tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [f"{script.stem}.png"]
    with (
        Image.open(picture) as made,
        Image.open(gallery.THUMBNAILS / f"{script.stem}.png") as thumbnail,
    ):
        assert made.width >= 900
        # Of the same shape as what the page shows: the page is not of another day.
        assert made.width / made.height == pytest.approx(
            thumbnail.width / thumbnail.height, rel=0.02
        )
