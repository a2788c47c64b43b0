import numpy as np
import pytest

import attnviz
from attnviz import Texts, save_trace
from attnviz.explorer.live_shelf import ModelShelf
from attnviz.explorer.opening import shelf_of
from attnviz.explorer.shelf import TraceShelf
from attnviz.models import ModelSettings, build_model, save_folder
from attnviz.tasks import load_demo_sentences
from attnviz.text import Vocabulary
from tests.attnviz import traces
from tests.attnviz.explorer.subjects import REFERENCE, SHORT, TEXT, WORDS, gru, rra

ONE, TWO = traces.review(5), traces.review(8)


def test_a_trace_by_itself_by_its_folder_and_as_a_zip(tmp_path):
    trace = traces.rra([ONE, TWO])
    stored = save_trace(trace, tmp_path / "kept.zarr")
    packed = save_trace(trace, tmp_path / "kept.zip")
    plain = stored.rename(tmp_path / "folder")

    for given in (trace, packed, plain, str(plain)):
        shelf = shelf_of(given)
        assert isinstance(shelf, TraceShelf) and shelf.keys == ["rra-imdb"]
        assert [row.text for row in shelf.rows] == [ONE, TWO]


def test_a_model_by_itself_by_its_name_and_by_its_folder(tmp_path):
    settings = ModelSettings("gru", 4, 2, vocabulary_size=len(WORDS) + 2, embedding_size=3)
    model = build_model(settings)
    model.vocabulary, model.name = Vocabulary(("<pad>", "<unk>", *WORDS)), "mine"
    save_folder(model, settings, tmp_path / "model")

    assert shelf_of(gru(), [SHORT]).keys == ["gru"]
    assert shelf_of("gru-imdb", [SHORT]).keys == ["gru-imdb"]
    for given in (tmp_path / "model", str(tmp_path), tmp_path):
        shelf = shelf_of(given, [SHORT, TEXT])
        assert isinstance(shelf, ModelShelf) and shelf.keys == ["mine"]
        assert [row.text for row in shelf.rows] == [SHORT, TEXT]


def test_the_sentences_that_ship_are_there_unless_others_are_given():
    sentences = load_demo_sentences()
    shelf = shelf_of(rra())

    assert [row.text for row in shelf.rows] == list(sentences.texts)
    assert [row.label for row in shelf.rows] == [int(label) for label in sentences.labels]
    assert [row.id for row in shelf.rows] == list(sentences.ids)
    assert shelf.readers["rra"].reference == list(sentences.texts)
    own = shelf_of(rra(), Texts([SHORT], labels=[1], ids=["mine"]), REFERENCE)
    assert [(row.id, row.label) for row in own.rows] == [("mine", 1)]
    assert own.readers["rra"].reference == REFERENCE


def test_a_model_of_other_classes_is_told_no_labels_of_the_sentences_that_ship():
    known = [int(label) for label in load_demo_sentences().labels]
    for classes, labels in (
        (("positive", "negative"), [1 - label for label in known]),
        (("bad", "good"), [-1] * len(known)),
    ):
        model = rra()
        model.classes = classes
        assert [row.label for row in shelf_of(model).rows] == labels
        other = rra()
        other.classes = ("a", "b")
        assert {row.label for row in shelf_of([model, other]).rows} == {-1}


def test_the_same_model_twice_keeps_both_panels():
    models = [rra(), gru(), rra(), rra()]
    shelf = shelf_of(models, [SHORT])

    assert shelf.keys == ["rra", "gru", "rra (2)", "rra (3)"]
    for key, model in zip(shelf.keys, models, strict=True):
        assert shelf.readers[key].model is model
    both = shelf_of((traces.rra([ONE]), traces.rra([ONE], seed=9)))
    assert both.keys == ["rra-imdb", "rra-imdb (2)"]
    one, other = both.panels(0, "l0")
    assert not np.array_equal(one.lenses[1].values, other.lenses[1].values)


def test_names_of_ones_own():
    shelf = shelf_of({"before": rra(), "after": rra()}, [SHORT])
    assert [panel.key for panel in shelf.panels(0, "l0")] == ["before", "after"]
    assert shelf_of({"one": traces.rra([ONE]), 2: traces.gru([ONE])}).keys == ["one", "2"]
    nameless = traces.small(np.ones((1, 5, 1, 2)), [1, 2])
    del nameless.tree.attrs["model"]
    assert shelf_of([nameless, nameless]).keys == ["trace", "trace (2)"]


def test_traces_and_models_are_not_mixed():
    with pytest.raises(TypeError, match=r"not both at once.*\['rra-imdb'\] among .*'gru'"):
        shelf_of([gru(), traces.rra([ONE])])


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "SequenceModel.*'trace' is int"),
        ({"layer": rra().layer}, "'layer' is RRA"),
        ([rra(), None], "is NoneType"),
    ],
)
def test_something_else_is_refused(given, said):
    with pytest.raises(TypeError, match=said):
        shelf_of(given)


def test_a_model_of_numbers_is_pointed_to_its_traces():
    said = (
        r"but larnn-row-mnist reads numbers. .*: attnviz record MODEL --task row-mnist --limit 100 "
        r"-o trace.zarr, then attnviz explore trace.zarr"
    )
    for given in ("larnn-row-mnist", ["rra-imdb", "larnn-row-mnist"]):
        with pytest.raises(ValueError, match=said):
            shelf_of(given)


def test_texts_that_do_not_fit_are_refused():
    with pytest.raises(TypeError, match="A trace holds its own texts"):
        shelf_of(traces.rra([ONE]), [SHORT])
    with pytest.raises(TypeError, match="texts is a list of texts; put a single one in brackets"):
        shelf_of(rra(), SHORT)
    with pytest.raises(TypeError, match="reference is a list of texts"):
        shelf_of(rra(), [SHORT], TEXT)


def test_nothing_is_refused(tmp_path):
    for nothing in ([], {}):
        with pytest.raises(ValueError, match="needs a trace or a model, got none"):
            shelf_of(nothing)
    with pytest.raises(FileNotFoundError, match="There is no model 'nobody'"):
        shelf_of("nobody")
    with pytest.raises(FileNotFoundError):
        shelf_of(tmp_path / "nowhere.zarr")
    (tmp_path / "zarr.json").write_text("{}")
    with pytest.raises(attnviz.TraceFormatError):
        shelf_of(tmp_path)
