"""From a model to a result on disk to a figure, as typed."""

import json
import shlex

import numpy as np
import pandas as pd
import pytest

import attnviz
from attnviz.plots import INFLUENCE_KINDS, PATH_KINDS, read_provenance
from attnviz.tasks import load_demo_sentences
from tests.attnviz.influences import decaying, influence
from tests.attnviz.path_data import paths

TEXTS = ["Slow at first, but then wonderful.", "Far too long, and dull."]
READ = [word for text in TEXTS for word in ("--text", text)]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with results built by hand, in which commands are typed."""
    curves = [decaying(0.5), decaying(0.8, 2.0), decaying(0.9)]
    made = influence(curves, [9, 7, 8], error=0.1, words=True)
    made = made.assign_coords(id=("sequence", ["x", "y", "z"]))
    attnviz.save_result(made, tmp_path / "influence.nc")
    rng = np.random.default_rng(0)
    for name, scale in (("paths", 1.0), ("other", 0.5)):
        norms = 1 + scale * rng.random((5, 6, 2))
        attnviz.save_result(paths(norms, model=name), tmp_path / f"{name}.nc")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "kinds"), [("influence.nc", INFLUENCE_KINDS), ("paths.nc", PATH_KINDS)]
)
def test_every_kind_of_a_result_is_drawn_and_made_again(place, typed, file, kinds):
    status, _, error = typed("plot", file, "-o", "figures", "--format", "svg", "--data")

    assert status == 0, error
    for kind in kinds:
        drawn, table = place / f"figures/{kind}.svg", place / f"figures/{kind}.csv"
        assert len(pd.read_csv(table, comment="#")) > 1
        said = read_provenance(drawn)
        assert said["trace"] == file and said["kind"] == kind
        status, printed, _ = typed("info", drawn)
        again = shlex.split(printed.splitlines()[-1])
        assert status == 0
        before = drawn.read_bytes()
        drawn.unlink()
        assert typed(*again[1:])[0] == 0
        assert drawn.read_bytes() == before


def test_a_sequence_is_chosen_by_number_id_or_words_and_the_numbers_are_its_own(place, typed):
    map_of = ("plot", "influence.nc", "--kind", "influence-map", "--lags", "0:4", "--data")

    for sequence, name in ((1, "a"), ("y", "b"), (2, "c"), ("W11  w12", "d"), (-2, "e")):
        assert typed(*map_of, "--sequence", sequence, "-o", f"{name}.svg")[0] == 0

    first, second, third, *others = (
        pd.read_csv(place / f"{name}.csv", comment="#")["value"].to_numpy() for name in "abcde"
    )
    for other in (second, *others):
        np.testing.assert_array_equal(first, other)
    assert first.shape == (7 * 4,) and third.shape == (8 * 4,)
    result = attnviz.open_result("influence.nc")
    whole = result["influence"].values[1]
    shares = whole / np.nansum(whole, axis=-1, keepdims=True)
    np.testing.assert_allclose(first.reshape(7, 4), shares[:7, :4])
    for sequence, said in (
        ("missing", "No sequence has the number or id 'missing', nor these words in its text"),
        ("w", "3 sequences have the words 'w': 0, 1, 2. Add words"),
        (3, "influence.nc holds 3 sequences, numbered 0 to 2, and has no sequence 3"),
    ):
        status, _, error = typed(*map_of, "--sequence", sequence, "-o", "f.svg")
        assert status == 1 and said in " ".join(error.split())
    assert not (place / "f.svg").exists()


def test_results_are_compared_and_told_about(place, typed):
    assert typed("compare", "paths.nc", "other.nc", "--kind", "vanishing", "-o", "v.svg")[0] == 0
    assert read_provenance("v.svg")["model"] == "paths, other"
    assert typed("compare", "paths.nc", "other.nc", "--kind", "path-classes", "-o", "p.svg")[0] == 0
    status, printed, _ = typed("info", "paths.nc")
    assert status == 0 and "path-classes, vanishing" in printed and "distance 6" in printed
    said = json.loads(typed("info", "paths.nc", "--json")[1])
    assert said["kinds"] == ["path-classes", "vanishing"]
    assert said["signals"]["input_class_norm"]["axes"]["distance"] == 6
    assert "rank correlation" not in typed("cite", "paths.nc")[1]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("plot", "paths.nc", "--kind", "influence"), "influence (attnviz influence), which"),
        (("plot", "influence.nc", "--kind", "vanishing"), "paths (attnviz path-classes), which"),
        (("plot", "paths.nc", "--kind", "vanishing", "--score", "gate"), "but score is 'gate'"),
        (("plot", "paths.nc", "--kind", "vanishing", "--lags", "1:3"), "--lags means nothing"),
        (("influence", "rra-imdb", "--text", "x", "-o", "i.csv"), "written as .nc"),
        (("influence", "rra-imdb", "--text", "x", "--at", "end", "-o", "i.nc"), "--at takes all"),
        (("influence", "rra-imdb", "-o", "i.nc"), "Say what to read"),
        (("path-classes", "rra-imdb", "--text", "x", "-o", "none/p.nc"), "does not exist"),
    ],
)
def test_mistakes_are_one_message_and_write_nothing(place, typed, arguments, said):
    before = sorted(place.iterdir())

    status, _, error = typed(*arguments)

    assert status == 1 and said in " ".join(error.split())
    assert sorted(place.iterdir()) == before


def test_influence_as_typed_is_that_of_the_library(tmp_path, typed, monkeypatch):
    pytest.importorskip("torch")
    path, single = tmp_path / "i.nc", tmp_path / "single.nc"

    monkeypatch.setattr("attnviz.cli.console.QUIET", 0.0)

    status, said, error = typed("influence", "gru-imdb", *READ, "--draws", 3, "-o", path)

    assert status == 0, error
    assert "measuring gru-imdb, rows: 45 of 45" in error  # 8 and 7 tokens
    assert "--kind influence-map" in said
    model, usual = attnviz.load_model("gru-imdb"), load_demo_sentences().texts
    expected = attnviz.replacement_influence(model, TEXTS, reference=usual, replacements=3)
    found = attnviz.open_result(path)
    np.testing.assert_array_equal(found["influence"].values, expected["influence"].values)
    np.testing.assert_array_equal(found["token"].values, expected["token"].values)
    assert found.attrs["cell"] == "GRU" and found.attrs["task"] == "own text"
    last = ("--at", "last", "--method", "linear", "--of", "margin", "--reference", TEXTS[1])
    status, said, error = typed("influence", "gru-imdb", *READ, *last, "-o", single)
    assert status == 0, error
    assert "influence-map" not in said
    expected = attnviz.linear_influence(
        model, TEXTS, reference=TEXTS[1:], at="last", margin="predicted"
    )
    found = attnviz.open_result(single)
    np.testing.assert_array_equal(found["influence"].values, expected["influence"].values)


def test_path_classes_as_typed_are_those_of_the_library(tmp_path, typed, monkeypatch):
    pytest.importorskip("torch")
    path, whole = tmp_path / "p.nc", tmp_path / "whole.nc"

    monkeypatch.setattr("attnviz.cli.console.QUIET", 0.0)

    status, _, error = typed("path-classes", "rra-imdb", *READ, "--hops", 2, "-o", path)

    assert status == 0, error
    assert "following the gradient of rra-imdb: 2 of 2" in error
    model = attnviz.load_model("rra-imdb")
    options = attnviz.PathOptions(hops=2)
    expected = attnviz.text_gradient_paths(model, TEXTS, options=options)
    found = attnviz.open_result(path)
    for name in ("input_class_norm", "hidden_hop_norm", "shortcut_slope"):
        np.testing.assert_array_equal(found[name].values, expected[name].values)
    assert found["id"].values.tolist() == ["0", "1"]
    quiet = ("--whole", "--quiet", "-o", whole)
    assert typed("path-classes", "rra-imdb", *READ, *quiet) == (0, "", "")
    assert attnviz.open_result(whole).sizes["path_class"] == 1
    assert typed("plot", path, "--kind", "path-classes", "--score", "hidden",
                 "-o", tmp_path / "p.svg")[0] == 0  # fmt: skip
