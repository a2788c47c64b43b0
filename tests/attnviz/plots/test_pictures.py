"""A few figures as pictures, against those that were looked at.

The root of the mean squared difference is at most 3 of 255, over all pixels and colours: hinting
of letters may differ, and no more. `python -m tests.attnviz.plots.test_pictures` makes them anew,
to be looked at again.
"""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from attnviz.plots import KINDS, PlotOptions, save_figure, style
from tests.attnviz import traces

PICTURES = Path(__file__).parent / "pictures"
TOLERANCE = 3.0
SHOWN = {
    "heatmap": (traces.larnn, PlotOptions(sequence=0, head=1, tokens=(0, 24))),
    "text": (traces.rra, PlotOptions(sequence=0, tokens=(0, 36))),
    "gate-attention": (traces.gru, PlotOptions(sequence=0, tokens=(0, 24))),
    "lag-kernel": (traces.larnn, PlotOptions()),
}


def drawn(kind, folder, **changed):
    make, options = SHOWN[kind]
    with style("paper", width="column"):
        figure = KINDS[kind].draw(make(**changed), options)
        return save_figure(figure, folder / f"{kind}.png", provenance={}, dpi=100.0)


def difference(one, other):
    """The root of the mean squared difference; infinite where the sizes differ."""
    first, second = (np.asarray(Image.open(path).convert("RGB"), float) for path in (one, other))
    return np.inf if first.shape != second.shape else np.sqrt(np.mean((first - second) ** 2))


@pytest.mark.parametrize("kind", SHOWN)
def test_a_figure_is_the_picture_that_was_looked_at(tmp_path, kind):
    assert difference(drawn(kind, tmp_path), PICTURES / f"{kind}.png") <= TOLERANCE


@pytest.mark.parametrize("kind", SHOWN)
def test_other_numbers_are_another_picture(tmp_path, kind):
    assert difference(drawn(kind, tmp_path, seed=5), PICTURES / f"{kind}.png") > TOLERANCE


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for name in SHOWN:
        with tempfile.TemporaryDirectory() as place:
            drawn(name, Path(place)).replace(PICTURES / f"{name}.png")
