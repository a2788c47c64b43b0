import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import attnviz
from attnviz.analysis import attention_map
from attnviz.explorer.edits import Edits
from attnviz.explorer.shelf import TraceShelf, with_lens, with_tracks
from attnviz.trace import Trace
from tests.attnviz import traces
from tests.attnviz.explorer.subjects import lens, named, names, panel, score
from tests.attnviz.store import blocks

ONE, TWO, THREE = traces.review(9), traces.review(14), traces.review(6)


def unfinished(trace, row):
    """The same where the recording stopped before a row."""
    root = trace.tree.dataset.copy(deep=True)
    root["length"].values[row] = -1
    groups = {name: node.dataset for name, node in trace.tree.children.items()}
    return Trace(xr.DataTree.from_dict({"/": root, **groups}))


def test_traces_stand_side_by_side():
    shelf = TraceShelf({"a": traces.rra([ONE, TWO]), "b": traces.gru([ONE, TWO])})

    assert (shelf.keys, shelf.layers, shelf.live) == (["a", "b"], ["l0"], False)
    assert [row.text for row in shelf.rows] == [ONE, TWO]
    assert [(row.label, row.length, row.id) for row in shelf.rows] == [
        (0, 9, "test/pos/0_8.txt"), (1, 14, "test/pos/1_8.txt"),
    ]  # fmt: skip
    predicted = shelf.traces["a"].tree["prediction"].values.argmax(axis=-1)
    assert [row.prediction for row in shelf.rows] == predicted.tolist()
    found = shelf.panels(1, "l0")
    assert [one.key for one in found] == ["a", "b"]
    assert [one.length for one in found] == [14, 14]
    held = attention_map(shelf.traces["a"]).values.values[1].transpose(1, 0, 2)
    np.testing.assert_array_equal(found[0].lenses[0].values, held.astype(np.float32))


@pytest.mark.parametrize(
    ("others", "where"),
    [
        ([TWO, ONE], "sequence 0 differs"),
        ([ONE, TWO, THREE + " "], "sequence 2 differs"),
        ([ONE, TWO], "one has more sequences"),
        ([ONE, TWO, THREE, ONE], "one has more sequences"),
    ],
)
def test_other_texts_are_refused_with_the_place(others, where):
    with pytest.raises(ValueError, match=f"'mine' and 'yours' are not of the same: {where}"):
        TraceShelf({"mine": traces.rra([ONE, TWO, THREE]), "yours": traces.gru(others)})


def test_nothing_to_show_is_refused():
    with pytest.raises(ValueError, match="needs a trace or a model, got none"):
        TraceShelf({})
    nothing = unfinished(unfinished(traces.rra([ONE, TWO]), 0), 1)
    with pytest.raises(ValueError, match="The trace 'mine' holds no sequence to show"):
        TraceShelf({"mine": nothing})
    backwards = traces.rra([ONE], direction=-1)
    with pytest.raises(ValueError, match=r"share none: \{'a': \['l0'\], 'b': \['l0_reverse'\]\}"):
        TraceShelf({"a": traces.rra([ONE]), "b": backwards})


def test_rows_that_were_never_recorded_are_left_out():
    shelf = TraceShelf({"a": unfinished(traces.rra([ONE, TWO, THREE]), 1)})

    assert [row.sequence for row in shelf.rows] == [0, 2]
    assert shelf.panels(2, "l0")[0].text == THREE
    with pytest.raises(ValueError, match="sequence 0 differs"):
        # As many are left, and of the same words, but not the same of each.
        TraceShelf({
            "a": unfinished(traces.rra([ONE, ONE]), 0), "b": unfinished(traces.gru([ONE, ONE]), 1),
        })  # fmt: skip


def test_what_only_models_can_do_is_refused():
    shelf = TraceShelf({"a": traces.rra([ONE])})

    for ask in (
        lambda: shelf.sentence("good", -1, "l0", Edits()), lambda: shelf.flow("good", -1, "l0"),
        lambda: shelf.influence("good", {"a": 0}), shelf.outcomes,
    ):  # fmt: skip
        with pytest.raises(TypeError, match=r"These are traces.*Explorer\(load_model"):
            ask()
    assert shelf.switches == []
    assert shelf.complete(shelf.rows[0], "l0")[0].text == ONE


def test_a_trace_without_text_labels_and_predictions():
    shelf = TraceShelf({"a": traces.small(np.ones((2, 5, 1, 3)), [1, 2, 3], lengths=[5, 3])})

    assert [(row.id, row.text) for row in shelf.rows] == [("0", "0 1 2 3 4"), ("1", "0 1 2")]
    assert {(row.label, row.prediction) for row in shelf.rows} == {(-1, -1)}


class Counted:
    """Counts what is read from a store."""

    def __init__(self, monkeypatch):
        import zarr

        self.read = []
        plain = zarr.Array.__getitem__

        def counted(array, selection):
            self.read.append(array.path)
            return plain(array, selection)

        monkeypatch.setattr(zarr.Array, "__getitem__", counted)


def test_a_store_is_read_only_where_it_is_shown(tmp_path, monkeypatch):
    kept = attnviz.save_trace(traces.rra([ONE, TWO]), tmp_path / "t.zarr")
    counted = Counted(monkeypatch)
    shelf = TraceShelf({"a": attnviz.open_trace(kept)})
    assert not any("attention" in path or "contribution" in path for path in counted.read)

    found, plain = shelf.panels(1, "l0")[0], TraceShelf({"a": traces.rra([ONE, TWO])})
    expected = plain.panels(1, "l0")[0]
    for one in expected.lenses:
        np.testing.assert_array_equal(named(found.lenses, one.name).values, one.values)
    assert found.tokens() == expected.tokens() and found.prediction == expected.prediction


def test_of_an_interrupted_recording_what_is_there_is_shown(tmp_path):
    plan = blocks.plan_of()
    written = [plan.blocks[2], plan.blocks[0]]
    path = blocks.write(tmp_path / "t.zarr", plan, written).path
    shelf, whole = TraceShelf({"a": attnviz.open_trace(path)}), blocks.whole(plan)

    there = [0, 1, 2, 3, 8, 9, 10, 11]
    assert [row.sequence for row in shelf.rows] == there
    assert [row.id for row in shelf.rows] == [f"row {row} é" for row in there]
    assert [row.length for row in shelf.rows] == [plan.lengths[row] for row in there]
    for sequence in (3, 9):
        (panel,) = shelf.panels(sequence, "l0")
        assert panel.tokens() == attnviz.tokens(whole, sequence)
        assert panel.history == sequence
        held = whole.tree["l0/attention"].values[sequence, : panel.length].transpose(1, 0, 2)
        np.testing.assert_array_equal(panel.lenses[0].values, held)
    with pytest.raises(IndexError, match="planned but not recorded"):
        shelf.panels(4, "l0")


WITHOUT_TORCH = """
import sys
import attnviz
from attnviz.explorer.opening import shelf_of
from attnviz.explorer.page import write_page
from attnviz.explorer.session import Session
from attnviz.explorer.twin import explorer_figure

session = Session(shelf_of([sys.argv[1], sys.argv[2]]), lambda: None)
session.change("sequence", 1)
session.change("timestep", 5)
print([(one.key, one.length) for one in session.panels])
print(len(session.sources()), session.background.busy)
write_page(session, sys.argv[3])
attnviz.save_figure(explorer_figure(session.panels, lens="attention"), sys.argv[4])
try:
    import torch
except ModuleNotFoundError:
    print("no torch")
"""


def test_traces_are_explored_where_torch_is_not_installed(tmp_path):
    for name in ("torch", "safetensors", "pytorch_lightning"):
        (tmp_path / f"{name}.py").write_text("raise ModuleNotFoundError('blocked', name=__name__)")
    kept = [
        attnviz.save_trace(make([ONE, TWO]), tmp_path / f"{make.__name__}.zarr")
        for make in (traces.rra, traces.larnn)
    ]
    script = tmp_path / "explore.py"
    script.write_text(WITHOUT_TORCH)
    package = Path(attnviz.__file__).parent.parent
    path = os.pathsep.join([str(tmp_path), str(package)])
    ran = subprocess.run(
        [sys.executable, str(script), *map(str, kept), str(tmp_path / "e.html"),
         str(tmp_path / "e.svg")],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}, check=False,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "[('rra-imdb', 14), ('larnn-imdb', 14)]", "10 []", "no torch",
    ]  # fmt: skip
    assert (tmp_path / "e.html").stat().st_size > 5000
    assert (tmp_path / "e.svg").stat().st_size > 5000


def test_tracks_of_the_same_name_are_replaced():
    shown = panel(tracks=[score(np.zeros(11)), score(np.ones(11), "gates")])
    more = with_tracks(shown, [score(np.full(11, 0.5)), score(np.full(11, 2), "gradient")])

    assert names(more.tracks) == ["gates", "score", "gradient"]
    assert named(more.tracks, "score").series[0].values[0] == 0.5
    assert names(shown.tracks) == ["score", "gates"]


def test_rows_of_single_timesteps_are_kept():
    def rows(at, seed):
        draw, width = np.random.default_rng(seed), max(at) + 1
        values = draw.random((1, len(at), width))
        for row, timestep in enumerate(at):
            values[0, row, timestep + 1 :] = np.nan
        return lens(values, range(width), "influence", at=list(at))

    shown = panel(lenses=[lens(np.zeros((1, 11, 1)), [1]), rows([4], 0)])
    parts = [rows([7, 2], 1), rows([4, 1], 2)]
    for part in parts:
        shown = with_lens(shown, part)

    assert names(shown.lenses) == ["attention", "influence"]
    joined = named(shown.lenses, "influence")
    assert joined.at == [1, 2, 4, 7]
    assert list(joined.sources) == list(range(8))
    for timestep, (part, row) in {7: (0, 0), 2: (0, 1), 4: (1, 0), 1: (1, 1)}.items():
        found = joined.values[0, joined.at.index(timestep), : timestep + 1]
        np.testing.assert_array_equal(found, parts[part].values[0, row, : timestep + 1])
        assert np.isnan(joined.values[0, joined.at.index(timestep), timestep + 1 :]).all()
