import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from attnviz.analysis import Statistic
from attnviz.plots import KINDS, PlotOptions, drawable_kinds, save_figure
from attnviz.plots.kinds import shown_of
from tests.attnviz import traces
from tests.attnviz.analysis import test_flow

VECTORS = np.random.default_rng(2).normal(size=(2, 20, 4, 2))
MAKERS = {
    "heatmap": traces.rra,
    "contribution": traces.larnn,
    "gate-attention": traces.gru,
    "feature-attention": traces.rau,
    "text": traces.rra,
    "lag-kernel": traces.larnn,
    "gradient-flow": lambda: test_flow.made(VECTORS, lengths=[20, 16]),
    "shortcut": lambda: test_flow.made(VECTORS, lengths=[20, 16]),
    "exit-routes": lambda: test_flow.made(VECTORS, lengths=[20, 16], place="input"),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_draws_and_gives_its_numbers(tmp_path, name):
    trace, options = MAKERS[name](), PlotOptions(sequence=1, tokens=(2, 14))
    before = dict(matplotlib.rcParams)

    figure = KINDS[name].draw(trace, options)
    numbers = KINDS[name].numbers(trace, options)

    assert isinstance(figure, Figure)
    assert isinstance(numbers, Statistic)
    assert save_figure(figure, tmp_path / "a.svg", provenance={}).stat().st_size > 1000
    assert dict(matplotlib.rcParams) == before
    if "sequence" in KINDS[name].takes:
        assert numbers.values.sizes["time"] == 12


def test_every_kind_says_what_it_shows_and_needs():
    assert list(KINDS) == list(MAKERS)
    for name, make in MAKERS.items():
        assert KINDS[name].shows.endswith(".")
        held = {*make().tree["l0"].data_vars, *make().tree.data_vars}
        assert held & set(KINDS[name].needs)


@pytest.mark.parametrize(
    ("make", "first"),
    [
        (traces.rra, "heatmap"),
        (traces.gru, "gate-attention"),
        (traces.rau, "feature-attention"),
    ],
)
def test_the_first_drawable_kind_can_be_drawn(make, first):
    trace = make()

    kinds = drawable_kinds(trace)

    assert kinds[0] == first
    for name in kinds:
        assert isinstance(KINDS[name].draw(trace, PlotOptions()), Figure)
    for name in set(KINDS) - set(kinds):
        with pytest.raises(KeyError):
            KINDS[name].draw(trace, PlotOptions())


def test_without_a_text_there_is_no_text_view_and_no_token():
    trace = traces.rra()
    assert "text" in drawable_kinds(trace) and "the tokens" in shown_of(trace, "heatmap")

    del trace.tree["span"]

    assert drawable_kinds(trace) == ["heatmap", "contribution", "lag-kernel"]
    assert shown_of(trace, "heatmap") == (
        "The attention of each timestep to each lag, with the timesteps below."
    )
    assert shown_of(trace, "lag-kernel") == KINDS["lag-kernel"].shows
