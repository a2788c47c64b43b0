import json
import os
import signal as signals
import subprocess
import sys
import time

import numpy as np
import pytest
import torch

import attnviz
import cells
from attnviz import Texts, record_texts
from attnviz.analysis import one_sequence
from attnviz.models import (
    ModelSettings,
    Reading,
    SequenceModel,
    build_model,
    load_folder,
    save_folder,
)
from attnviz.plots import KINDS, PlotOptions
from attnviz.text import Vocabulary
from attnviz.trace import layer_groups, signal, tokens
from tests.cells.own_cell import GlanceCell

WORDS = ["<pad>", "<unk>", "a", "film", "good", "bad", "not", "very", "the", "was", "."]
REVIEWS = [
    "The film was good.",
    "not <br />good, not bad",
    "bad",
    "the very very very good film was not the bad film and it was not the film",
    "unknown words only",
]


def make_model(cell="rra", limit=None, keep="end", **options):
    torch.manual_seed(5)
    settings = ModelSettings(
        cell,
        hidden_size=4,
        outputs=2,
        vocabulary_size=len(WORDS),
        embedding_size=3,
        options=options,
    )
    model = build_model(settings).eval()
    model.vocabulary = Vocabulary(tuple(WORDS))
    model.classes, model.reading = ("negative", "positive"), Reading(limit, keep)
    return model, settings


def test_tokens_are_slices_of_the_text_and_labels_ids_and_classes_are_kept():
    model, _ = make_model()
    texts = Texts(REVIEWS, labels=[1, 0, 0, 1, 0], ids=list("abcde"), about={"task": "reviews"})

    trace = record_texts(model, texts, keep=["attention"])

    assert tokens(trace, 0) == ["The", "film", "was", "good", "."]
    assert tokens(trace, 1) == ["not", "good", ",", "not", "bad"]
    assert trace.tree["id"].values.tolist() == list("abcde")
    assert trace.tree["label"].values.tolist() == [1, 0, 0, 1, 0]
    assert trace.tree["class"].values.tolist() == ["negative", "positive"]
    assert trace.tree["text"].values.tolist() == REVIEWS
    assert trace.tree.attrs["task"] == "reviews"


def test_one_text_alone_gives_what_it_gives_among_others():
    model, _ = make_model("lstm")

    together = record_texts(model, REVIEWS)
    for row, text in enumerate(REVIEWS):
        alone = record_texts(model, [text])
        length = alone.tree.sizes["time"]
        for name in ("gate_attention", "hidden_gradient_norm"):
            np.testing.assert_allclose(
                signal(together, name).values[row, :length],
                signal(alone, name).values[0],
                rtol=1e-4,
                atol=1e-7,
            )


@pytest.mark.parametrize(
    ("keep", "expected"), [("start", "the very very"), ("end", "not the film")]
)
def test_truncation_keeps_the_side_that_was_chosen(keep, expected):
    model, _ = make_model(limit=3, keep=keep)

    trace = record_texts(model, [REVIEWS[3]])

    assert tokens(trace, 0) == expected.split()
    assert json.loads(trace.tree.attrs["truncation"]) == {"side": keep, "length": 3}


def test_the_trace_says_how_many_of_the_tokens_that_were_read_the_model_knows():
    model, _ = make_model(limit=3, keep="end")

    trace = record_texts(model, [REVIEWS[3], "so unknown words only good"])

    assert (trace.tree.attrs["unknown_tokens"], trace.tree.attrs["tokens"]) == ("2", "6")


def test_a_recording_may_keep_nothing_but_what_was_predicted():
    model, _ = make_model()
    whole = record_texts(model, REVIEWS)

    trace = record_texts(model, REVIEWS, keep=[], gradients=False)

    assert layer_groups(trace) == ["l0"] and [*trace.tree["l0"].data_vars] == ["lag_kernel"]
    np.testing.assert_array_equal(trace.tree["prediction"], whole.tree["prediction"])
    assert tokens(one_sequence(trace, 2), 0) == ["bad"]


def test_recording_leaves_mode_and_parameter_gradients_alone():
    model, _ = make_model()
    model.train()

    record_texts(model, REVIEWS)

    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_store_holds_what_memory_holds(tmp_path):
    model, _ = make_model("larnn", window=3, heads=2, preset="stable")

    inside = record_texts(model, REVIEWS, keep="all")
    stored = record_texts(model, REVIEWS, keep="all", path=tmp_path / "trace.zarr")

    assert set(inside.tree["l0"].data_vars) == set(stored.tree["l0"].data_vars)
    for group in ("/", "l0"):
        for name, values in inside.tree[group].data_vars.items():
            np.testing.assert_array_equal(values.values, stored.tree[group][name].values)
    assert tokens(stored, 3) == tokens(inside, 3)


def test_half_precision_is_for_bounded_signals_only(tmp_path):
    model, _ = make_model("rau")
    whole = record_texts(model, REVIEWS)

    half = record_texts(model, REVIEWS, path=tmp_path / "half.zarr", half=True)

    np.testing.assert_allclose(
        signal(half, "feature_attention").values,
        signal(whole, "feature_attention").values,
        atol=5e-4,
    )
    assert signal(half, "feature_attention").dtype == np.float32
    np.testing.assert_array_equal(
        signal(half, "hidden_gradient_norm").values, signal(whole, "hidden_gradient_norm").values
    )


RECORDER = """
import sys, time
import attnviz
from attnviz.models import load_folder
model = load_folder(__import__("pathlib").Path(sys.argv[1]))
texts = [("good film not bad " * (1 + n % 7)).strip() for n in range(400)]
print("ready", flush=True)
attnviz.record_texts(model, texts, path=sys.argv[2])
"""


@pytest.mark.slow
def test_a_killed_recording_goes_on_and_gives_the_bytes_of_an_unbroken_one(tmp_path):
    model, settings = make_model("gru")
    save_folder(model, settings, tmp_path / "model")
    script = tmp_path / "recorder.py"
    script.write_text(RECORDER)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(tmp_path / "model")]
    subprocess.run([*command, str(tmp_path / "unbroken.zarr")], check=True, env=environment)

    killed, store = 0, tmp_path / "killed.zarr"
    for delay in (0.05, 0.15, 0.25, 0.35):
        process = subprocess.Popen(
            [*command, str(store)], env=environment, stdout=subprocess.PIPE, text=True
        )
        process.stdout.readline()
        time.sleep(delay)
        killed += process.poll() is None
        process.send_signal(signals.SIGKILL)
        process.wait()
        process.stdout.close()
    subprocess.run([*command, str(store)], check=True, env=environment)

    assert killed
    for path in (tmp_path / "unbroken.zarr").rglob("*"):
        if path.is_file():
            twin = store / path.relative_to(tmp_path / "unbroken.zarr")
            assert path.read_bytes() == twin.read_bytes(), path


def test_a_model_comes_back_from_its_folder(tmp_path):
    model, settings = make_model("larnn", window=3, heads=2, preset="fixed", forget_bias=3.0)
    model.card = {"validation_accuracy": 0.5}
    save_folder(model, settings, tmp_path)

    again = load_folder(tmp_path)

    for name, values in model.state_dict().items():
        assert torch.equal(values, again.state_dict()[name])
    assert again.classes == model.classes
    assert again.card == model.card
    assert again.reading == model.reading
    assert not again.training


def test_half_precision_weights_are_read_as_float32(tmp_path):
    model, settings = make_model("rra")
    save_folder(model, settings, tmp_path, half=True)

    again = load_folder(tmp_path)

    for name, values in model.state_dict().items():
        assert again.state_dict()[name].dtype == torch.float32
        torch.testing.assert_close(again.state_dict()[name], values, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("damaged", ["model.json", "model.safetensors", "vocabulary.txt"])
def test_a_damaged_model_says_what_is_damaged(tmp_path, damaged):
    model, settings = make_model()
    save_folder(model, settings, tmp_path)
    content = (tmp_path / damaged).read_bytes()
    (tmp_path / damaged).write_bytes(content[: len(content) // 2])

    with pytest.raises(ValueError, match=damaged.split(".")[0]):
        load_folder(tmp_path)


def test_what_is_not_a_model_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="neither a folder nor one of the models that ship"):
        attnviz.load_model("no-such-model")
    with pytest.raises(FileNotFoundError, match=r"holds no model: it has no model\.json"):
        attnviz.load_model(tmp_path)
    (tmp_path / "model.json").write_text('{"format": "attnviz-model/2"}')
    with pytest.raises(ValueError, match=r"this version reads 'attnviz-model/1'"):
        attnviz.load_model(tmp_path)


def test_texts_that_cannot_be_read_are_refused_by_name():
    model, _ = make_model()
    with pytest.raises(ValueError, match="at least one text"):
        record_texts(model, [])
    with pytest.raises(ValueError, match="Text 1: "):
        record_texts(model, ["good", "  <br /> "])
    with pytest.raises(ValueError, match="Text second: "):
        record_texts(model, Texts(["good", ""], ids=["first", "second"]))
    with pytest.raises(ValueError, match="one of labels for each of the 2 texts, got 1"):
        Texts(["good", "bad"], labels=[1])
    with pytest.raises(ValueError, match=r"Text 1 has the label 5.*\['negative', 'positive'\]"):
        record_texts(model, Texts(["good", "bad"], labels=[1, 5]))
    with pytest.raises(TypeError, match="a list of texts"):
        record_texts(model, "good")
    with pytest.raises(ValueError, match=r"folder \(\.zarr\) or a \.zip, got a\.nc"):
        record_texts(model, ["good"], path="a.nc")
    model.kind = "language_model"
    with pytest.raises(ValueError, match=r"is for language_model. Use attnviz.record"):
        record_texts(model, ["good"])
    model.vocabulary = None
    with pytest.raises(ValueError, match="has no vocabulary"):
        record_texts(model, ["good"])
    said = "gru-row-mnist has .* it reads numbers.* attnviz record MODEL --task row-mnist --limit"
    with pytest.raises(ValueError, match=said):
        record_texts(attnviz.load_model("gru-row-mnist"), ["good"])
    own = attnviz.load_model("gru-row-mnist")
    own.card = {"task": "waves"}
    with pytest.raises(ValueError, match=r"Record some with attnviz\.recording\.record_numbers$"):
        record_texts(own, ["good"])


def test_a_cell_of_ones_own_is_recorded_and_drawn(tmp_path):
    layer = cells.Recurrent(lambda n: GlanceCell(n, 4), 3, num_layers=2, bidirectional=True)
    model = SequenceModel(layer, outputs=2, vocabulary_size=len(WORDS))
    model.vocabulary = Vocabulary(tuple(WORDS))

    trace = record_texts(model, REVIEWS, path=tmp_path / "own.zarr")

    assert trace.tree.attrs["cell"] == "Glance"
    assert attnviz.layer_groups(trace) == ["l0", "l0_reverse", "l1", "l1_reverse"]
    for kind in ("heatmap", "contribution", "text", "lag-kernel"):
        figure = KINDS[kind].draw(trace, PlotOptions(sequence=3, group="l1_reverse"))
        assert attnviz.save_figure(figure, tmp_path / f"{kind}.pdf").stat().st_size > 1000


@pytest.mark.parametrize("changed", ["texts", "labels", "keep", "gradients"])
def test_a_store_of_another_recording_is_refused(tmp_path, changed):
    model, _ = make_model("gru")
    asked = {"texts": REVIEWS, "labels": [1, 0, 0, 1, 0], "keep": ["hidden"], "gradients": True}
    other = {"texts": [*REVIEWS[:4], "unknown words all"], "labels": [1, 0, 0, 1, 1]}
    other |= {"keep": ["update_gate"], "gradients": False}

    def run(texts, labels, keep, gradients):
        told = Texts(texts, labels=labels)
        return record_texts(model, told, keep=keep, gradients=gradients, path=tmp_path / "t.zarr")

    run(**asked)
    with pytest.raises(ValueError, match="another recording"):
        run(**(asked | {changed: other[changed]}))
    run(**asked)


def test_a_frozen_model_is_read_without_gradients():
    model, _ = make_model("gru")
    model.requires_grad_(False)

    with pytest.raises(ValueError, match="gradients=False"):
        record_texts(model, REVIEWS)

    assert "gate_attention" in record_texts(model, REVIEWS, gradients=False).tree["l0"]


def test_a_single_token_and_a_very_long_text_are_read():
    model, _ = make_model("rra", window=3)

    trace = record_texts(model, ["good", "film " * 5000])

    assert trace.tree["length"].values.tolist() == [1, 5000]
    assert np.isfinite(signal(trace, "contribution").values[1]).all()


@pytest.mark.parametrize("labels", [np.array([1, -1]), [-1, -1], None])
def test_labels_may_be_an_array_and_those_that_are_not_known_are_none(labels):
    known = labels is not None and max(labels) >= 0
    model, _ = make_model()
    trace = record_texts(model, Texts(REVIEWS[:2], labels), gradients=False)
    assert ("label" in trace.tree) == known
    assert trace.tree.attrs["loss_target"] == ("label" if known else "predicted class")
