import numpy as np
import pytest

import attnviz
from attnviz.analysis import flow
from attnviz.explorer.page import write_page
from attnviz.explorer.session import Session
from attnviz.explorer.shelf import TraceShelf
from attnviz.explorer.tracks import tracks
from attnviz.plots import KINDS, PlotOptions, drawable_kinds

LENGTHS, UNITS, AGES, CLASSES = (9, 14), 5, 4, 3
ROUTES = ["gates", ("shortcut", 2), ("shortcut", 3)]


def made(*axes, seed=0, positive=False):
    draw = np.random.default_rng(seed)
    rows = [draw.normal(size=(length, *axes)) for length in LENGTHS]
    return [np.abs(row) for row in rows] if positive else rows


def plain():
    tokens = [[f"w{n}" for n in range(length)] for length in LENGTHS]
    return attnviz.from_arrays(made(2, 4, positive=True), tokens=tokens, labels=[2, 0])


def whole(**more):
    routes = {route: made(UNITS, seed=n) for n, route in enumerate(ROUTES)}
    trace = attnviz.with_signals(
        plain(),
        gates={"update_gate": made(UNITS, seed=7, positive=True)},
        gate_attention=made(AGES, seed=8, positive=True),
        routes=routes,
        logits=made(CLASSES, seed=9),
        classes=["bad", "so so", "good"],
        **more,
    )
    return trace, routes


def test_routes_are_stored_as_recording_stores_them():
    trace, routes = whole()

    vectors = np.stack([rows[1] for rows in routes.values()], axis=1)  # (time, route, unit)
    total = vectors.sum(axis=1)
    norm = np.sqrt((total**2).sum(axis=-1))
    expected = np.einsum("tru,tu->tr", vectors, total) / norm[:, None] ** 2
    share = flow.route_share(trace, place="hidden").values[1]
    np.testing.assert_allclose(share, expected, rtol=1e-12)
    np.testing.assert_allclose(share.sum(axis=-1), 1, rtol=1e-12)
    assert np.isnan(flow.route_share(trace, place="hidden").values[0, LENGTHS[0] :]).all()
    by_lag = flow.shortcut_share(trace).values
    assert by_lag["lag"].values.tolist() == [2, 3]
    np.testing.assert_allclose(by_lag[1], expected[:, 1:], rtol=1e-12)
    assert flow.largest_route_residual(trace, place="hidden") == 0


def test_a_gradient_that_routes_do_not_add_up_to_is_told():
    routes = {"a": made(UNITS), "b": made(UNITS, seed=1)}
    missed = [1.25 * (a + b) for a, b in zip(*routes.values(), strict=True)]
    trace = attnviz.with_signals(plain(), routes=routes, gradient=missed, place="memory")
    assert flow.largest_route_residual(trace, place="memory") == pytest.approx(0.2)
    alone = attnviz.with_signals(plain(), gradient=missed)
    norms = flow.gradient_norm(alone, place="hidden").values
    np.testing.assert_allclose(norms[1], np.linalg.norm(missed[1], axis=-1))
    assert "gradient-flow" not in drawable_kinds(alone)


def test_every_plot_that_needs_no_feature_is_drawn_and_all_survives_a_store(tmp_path):
    trace, _ = whole()
    exits = attnviz.with_signals(trace, routes={"x": made(UNITS)}, place="input")
    back = attnviz.open_trace(attnviz.save_trace(exits, tmp_path / "foreign.zarr"))

    kinds = drawable_kinds(back)

    assert set(KINDS) - set(kinds) == {"feature-attention", "contribution"}
    for kind in kinds:
        figure = KINDS[kind].draw(back, PlotOptions(sequence=1))
        assert attnviz.save_figure(figure, tmp_path / f"{kind}.svg").stat().st_size > 1000
    assert attnviz.trace_digest(back) == attnviz.trace_digest(exits)
    np.testing.assert_array_equal(
        back.tree["prediction"].values[0], back.tree["score"].values[0, LENGTHS[0] - 1]
    )
    assert attnviz.analysis.outcome(back, 0).true == "good"


def test_the_explorer_and_a_report_have_its_tracks(tmp_path):
    trace, _ = whole()
    part = attnviz.analysis.one_sequence(trace, 1)
    assert {track.name for track in tracks(part, "l0")} == {"score", "gates", "gradient", "routes"}
    session = Session(TraceShelf({"mine": trace}), changed=lambda: None)
    assert write_page(session, tmp_path / "a.html").stat().st_size > 1e4
    attnviz.write_report(trace, tmp_path / "report.html")


def test_the_first_trace_is_left_as_it_was():
    trace = plain()
    before = attnviz.trace_digest(trace)
    more = attnviz.with_signals(trace, logits=[[0.0, 1.0], [2.0, 1.0]])
    assert attnviz.trace_digest(trace) == before
    assert more.tree["prediction"].values.tolist() == [[0.0, 1.0], [2.0, 1.0]]
    assert "score" not in more.tree and more.tree["class"].values.tolist() == ["0", "1"]
    square = attnviz.from_square([np.tril(np.ones((n, n))) for n in LENGTHS])
    kept = attnviz.with_signals(square, gradient=made(UNITS))
    assert kept.tree["l0"].attrs["initial_state"] is False


@pytest.mark.parametrize(
    ("signals", "message"),
    [
        ({"gradient": made(UNITS)[:1]}, "2 sequences, but gradient has 1"),
        ({"gradient": [np.ones((9, 5)), np.ones((13, 5))]}, r"sequence 1 of 14 .* \(13, 5\)"),
        ({"gates": {"z": [np.ones((9, 5)), np.ones((14, 4))]}}, r"z needs .* \(14, 4\)"),
        ({"gate_attention": [np.ones((9, 2)), np.full((14, 2), np.nan)]}, "at timestep 0"),
        ({"routes": {"a": made(5), "b": made(4)}}, "same number of units"),
        ({"routes": {"a": made(5)}, "gradient": made(4)}, "same number of units"),
        ({"logits": made(3), "classes": ["a", "b"]}, "3 classes, but 2 names"),
        ({"logits": [[1.0, 2.0], [1.0]]}, "one finite number a class"),
    ],
)
def test_what_does_not_fit_is_refused(signals, message):
    with pytest.raises(ValueError, match=message):
        attnviz.with_signals(plain(), **signals)
