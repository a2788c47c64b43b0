"""Attention from code that is not ours goes wherever a recorded trace goes."""

import inspect
import json
import re

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

import attnviz
import attnviz.analysis
from attnviz.analysis import recorded_scores
from attnviz.citing import references
from attnviz.explorer.page import write_page
from attnviz.explorer.session import Session
from attnviz.explorer.shelf import TraceShelf
from attnviz.plots import KINDS, PlotOptions, drawable_kinds, save_numbers
from attnviz.reporting import write_report
from attnviz.store import Part
from attnviz.trace import Trace

LENGTHS = (23, 9, 1)
WORDS = ["<b>", "$x$", "naïve", "#", "|", "a", "word"]

# What only a recorded model has; a refusal names it.
OF_A_MODEL = re.compile(
    r"gate_attention|feature_attention|gradient|route|'score'|cancellation|'contribution'|'loss'"
)
ARGUMENTS = {"lag": 2, "sequence": 1}


def arrays(count, *, heads=3, lags=5):
    draw = np.random.default_rng(count)
    weights = draw.random((count, heads, lags)).astype(np.float32)
    return weights / weights.sum(axis=-1, keepdims=True)


def by_lag():
    weights = [arrays(count) for count in LENGTHS]
    return attnviz.from_arrays(
        weights,
        tokens=[[WORDS[n % len(WORDS)] for n in range(count)] for count in LENGTHS],
        contribution=[row * 2 for row in weights],
        labels=[0, 1, 1],
        name="somebody's <cell>",
    )


def square():
    weights = [np.tril(np.random.default_rng(n).random((2, n, n)) + 0.1) for n in LENGTHS]
    weights = [row / row.sum(axis=-1, keepdims=True) for row in weights]
    return attnviz.from_square(weights)


MAKERS = [by_lag, square]


def of_traces():
    """The statistics of a trace, with the arguments that they cannot do without."""
    for name in attnviz.analysis.__all__:
        function = getattr(attnviz.analysis, name)
        if not inspect.isfunction(function):
            continue
        first, *others = inspect.signature(function).parameters.values()
        if first.annotation is Trace:
            needed = [one.name for one in others if one.default is one.empty]
            yield name, {name: ARGUMENTS[name] for name in needed}


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize(("name", "needed"), [*of_traces()], ids=lambda value: str(value)[:24])
def test_every_statistic_serves_it_or_says_which_signal_it_lacks(make, name, needed):
    trace = make()
    served = {
        "attention_map", "entropy", "lag_kernel", "mass_beyond", "mass_on_initial",
        "mass_on_missing", "mean_lag", "one_sequence", "outcome", "recorded_scores",
        "sequence_blocks", "token_score",
    }  # fmt: skip
    if make is by_lag:
        served |= {"contribution_norm", "contribution_share"}
    function = getattr(attnviz.analysis, name)
    if name in served:
        assert function(trace, **needed) is not None
        return
    with pytest.raises(KeyError, match=OF_A_MODEL):
        function(trace, **needed)


def test_statistics_are_those_of_the_arrays():
    trace, weights = by_lag(), arrays(LENGTHS[0])
    time, lag = np.arange(LENGTHS[0]), np.arange(1, 6)
    reachable = time[:, None, None] - lag >= 0
    shares = np.where(reachable, weights, 0).astype(float)
    expected = (shares * lag).sum(-1)[1:] / shares.sum(-1)[1:]
    found = attnviz.analysis.mean_lag(trace).values.isel(sequence=0).values[1:]
    # At timestep 0 nothing but the initial state can be read.
    np.testing.assert_allclose(found[4:], expected[4:], rtol=1e-6)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("sequence", range(len(LENGTHS)))
def test_every_kind_of_plot_that_it_holds_the_signals_for(tmp_path, make, sequence):
    trace, before = make(), dict(matplotlib.rcParams)
    kinds = drawable_kinds(trace)
    assert {"heatmap", "lag-kernel"} <= set(kinds)
    assert ("contribution" in kinds) == (make is by_lag)
    for kind in kinds:
        options = PlotOptions(sequence=sequence)
        figure = KINDS[kind].draw(trace, options)
        assert isinstance(figure, Figure)
        assert attnviz.save_figure(figure, tmp_path / f"{kind}.pdf").stat().st_size > 1000
        save_numbers(KINDS[kind].numbers(trace, options), tmp_path / f"{kind}.csv", provenance={})
    assert dict(matplotlib.rcParams) == before


def test_every_score_of_its_signals_colours_its_text():
    trace = by_lag()
    scores = recorded_scores(trace)
    assert scores == ["contribution_received", "attention_received"]
    for score in scores:
        assert isinstance(attnviz.plot_text(trace, sequence=1, score=score), Figure)


@pytest.mark.parametrize("make", MAKERS)
def test_the_explorer_shows_it_beside_another_and_as_a_page(tmp_path, make):
    trace = make()
    shelf = TraceShelf({"theirs": trace, "again": make()})
    session = Session(shelf, changed=lambda: None)
    assert [row.length for row in session.rows] == list(LENGTHS)
    for sequence, length in enumerate(LENGTHS):
        panels = shelf.panels(sequence, "l0")
        assert [panel.key for panel in panels] == ["theirs", "again"]
        held = attnviz.signal(trace, "attention").isel(sequence=sequence).values[:length]
        lens = next(lens for lens in panels[0].lenses if lens.name == "attention")
        shown = np.asarray(lens.values, float)
        assert np.isin(np.float32(shown[np.isfinite(shown)]), np.float32(held)).all()
    page = write_page(session, tmp_path / "page.html", [0, 1, 2]).read_text(encoding="utf-8")
    header = re.search(r"data-header>(.*?)</script>", page, re.DOTALL)[1]
    assert len(json.loads(header)["panels"]) == len(LENGTHS)
    assert "<cell>" not in page


@pytest.mark.parametrize("make", MAKERS)
def test_it_is_stored_reported_cited_and_exported(tmp_path, make):
    trace = make()
    stored = attnviz.open_trace(attnviz.save_trace(trace, tmp_path / "t.zip"))
    assert attnviz.trace_digest(stored) == attnviz.trace_digest(trace)
    report = write_report(stored, tmp_path / "r.html").read_text(encoding="utf-8")
    assert "does not say which weights" in report and "<cell>" not in report
    methods = ["kobayashi2020norms"] if make is by_lag else []
    assert [one.key for one in references(stored)] == ["attnviz", *methods]
    path = attnviz.export_trace(stored, tmp_path / "t.csv", part=Part(["attention"]))
    lags = trace.tree["l0"].sizes["lag"] * trace.tree["l0"].sizes["head"]
    rows = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    assert len(rows) == 1 + sum(LENGTHS) * lags
