"""What is typed with a model of digits that ships, on made-up images in place of MNIST's."""

import numpy as np
import pytest
import torch

import attnviz
from attnviz.cli.number_tasks import NUMBER_TASKS
from attnviz.models import save_folder
from attnviz.path_classes import number_gradient_paths
from attnviz.recording import Numbers, record_numbers
from attnviz.tasks import LabelledSplit, LabelledTask


def images(count, seed):
    random = np.random.default_rng(seed)
    values = random.integers(0, 256, size=(count, 28, 28)).astype(np.uint8)
    labels = np.arange(count, dtype=np.int64) % 10
    ids = tuple(f"{seed}/{number}" for number in range(count))
    return LabelledSplit(values, labels, ids, np.arange(count))


DIGITS = LabelledTask(
    "row-mnist", tuple("0123456789"), (),
    {"train": images(30, 1), "validation": images(8, 2), "test": images(6, 3)}, {},
)  # fmt: skip


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setitem(NUMBER_TASKS, "row-mnist", lambda data, fold: DIGITS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def some(split, *rows):
    held = DIGITS.splits[split].select(rows)
    return Numbers(held.features(), held.labels, held.ids)


def test_recorded_reported_and_cited(place, typed):
    typed_in = ("record", "rra-row-mnist", "--task", "row-mnist", "--split", "test")
    status, said, error = typed(*typed_in, "--limit", 3, "-o", "t.zarr")
    assert status == 0, error
    assert "Recorded 3 sequences of row-mnist (test split) in t.zarr." in said
    numbers = some("test", 0, 2, 4)
    model = attnviz.load_model("rra-row-mnist")
    expected = record_numbers(model, numbers)
    found = attnviz.open_trace("t.zarr")
    for name in ("contribution", "hidden_gradient_norm"):
        np.testing.assert_array_equal(
            attnviz.signal(found, name).values, attnviz.signal(expected, name).values
        )
    assert found.tree["id"].values.tolist() == list(numbers.ids)

    for model in ((), ("--model", "rra-row-mnist")):  # which is known, and may be said
        status, _, error = typed("report", "t.zarr", *model, "-o", "t.md")
        assert status == 0, error
        page = (place / "t.md").read_text(encoding="utf-8")
        assert "| timesteps | 28, 84 in all |" in page
        assert r"| test | 98\.42% |" in page and "best validation accuracy of 5 seeds" in page
    status, said, _ = typed("cite", "t.zarr")
    assert status == 0 and "wang2017rra" in said.lower() and "lecun1998gradient" in said
    assert typed("plot", "t.zarr", "-o", "figures", "--format", "svg")[0] == 0


def test_ablated(place, typed):
    asked = ("--task", "row-mnist", "--limit", 2)
    status, said, error = typed("ablate", "larnn-row-mnist", *asked)
    assert status == 0, error
    assert "mean over 2 sequences of row-mnist (validation split)" in said
    for method in ("zero", "mean"):
        usual = some("train", *range(30)) if method == "mean" else None
        status, _, error = typed(
            "ablate", "larnn-row-mnist", *asked, "--method", method, "-o", "e.nc"
        )
        assert status == 0, error
        model = attnviz.load_model("larnn-row-mnist")
        given = some("validation", 0, 4)
        expected = attnviz.ablate(model, given, method=method, reference=usual)
        effects = attnviz.open_effects("e.nc")
        np.testing.assert_array_equal(
            effects["margin_effect"].values, expected["margin_effect"].values
        )
        assert effects["id"].values.tolist() == list(given.ids)
        assert effects.attrs["task"] == "row-mnist" and effects.attrs["split"] == "validation"


def test_influence_and_path_classes(place, typed):
    asked = ("--task", "row-mnist", "--limit", 2)
    status, said, error = typed(
        "influence", "gru-row-mnist", *asked, "--draws", 2, "--at", "last", "-o", "i.nc"
    )
    assert status == 0, error
    assert "from 2 sequences of row-mnist (validation split)" in said
    model, given = attnviz.load_model("gru-row-mnist"), some("validation", 0, 4)
    expected = attnviz.replacement_influence(
        model, torch.from_numpy(given.features), at="last", replacements=2,
        reference=torch.from_numpy(some("train", *range(30)).features),
    )  # fmt: skip
    found = attnviz.open_result("i.nc")
    np.testing.assert_array_equal(found["influence"].values, expected["influence"].values)
    assert found["id"].values.tolist() == list(given.ids)

    status, said, error = typed("path-classes", "gru-row-mnist", *asked, "--whole", "-o", "p.nc")
    assert status == 0, error
    assert "from 2 sequences of row-mnist" in said and "--kind vanishing" in said
    options = attnviz.PathOptions(labels={})
    expected = number_gradient_paths(model, given, options=options)
    np.testing.assert_array_equal(
        attnviz.open_result("p.nc")["input_class_norm"].values, expected["input_class_norm"].values
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ablate", "rra-row-mnist", "--text", "x"), "reads numbers and no text. Let it read"),
        (("influence", "rra-row-mnist", "--text", "x", "-o", "q.nc"), ": --task row-mnist"),
        (("path-classes", "rra-row-mnist", "--text", "x", "-o", "q.nc"), ": --task row-mnist"),
        (("record", "rra-row-mnist", "--text", "x", "-o", "q.zarr"), ": --task row-mnist"),
        (("ablate", "rra-imdb", "--task", "row-mnist"), "not trained on row-mnist, but on imdb"),
        (("ablate", "rra-imdb", "--task", "row-mnits"), "did you mean 'row-mnist'?"),
        (("ablate", "rra-row-mnist", "--task", "row-mnist", "--reference", "x"),
         "--reference takes texts, but row-mnist is read otherwise"),
        (("influence", "rra-row-mnist", "--task", "row-mnist", "--reference", "x", "-o", "q.nc"),
         "100 sequences of the training split"),
        (("explore", "larnn-row-mnist", "-o", "x.html"), "larnn-row-mnist reads numbers. Record"),
    ],
)  # fmt: skip
def test_mistakes_are_one_message_and_write_nothing(place, typed, arguments, said):
    status, _, error = typed(*arguments)
    assert status == 1 and said in " ".join(error.split()) and "Traceback" not in error
    assert not list(place.iterdir())


def test_a_model_of_other_numbers_is_told_what_it_was_trained_on(place, typed):
    settings = attnviz.ModelSettings("gru", 3, 2, head="classification", input_size=28)
    model = attnviz.build_model(settings)
    model.name, model.card = "mine", {"task": "har", "data": {"fold": 2}}
    save_folder(model, settings, place / "mine")
    status, _, error = typed("record", "mine", "--task", "row-mnist", "-o", "t.zarr")
    assert status == 1 and "mine was not trained on row-mnist, but on har." in error
    model.card = {"task": "adding-100", "data": {"length": 100, "held_out": 5}}
    save_folder(model, settings, place / "mine")
    for command, place_of in (("ablate", "t.nc"), ("record", "t.zarr")):
        status, _, error = typed(command, "mine", "--text", "x", "-o", place_of)
        assert status == 1 and "trained on: --task adding" in error
    model.card = {"task": "my own"}
    save_folder(model, settings, place / "mine")
    status, _, error = typed("ablate", "mine", "--text", "x")
    assert status == 1 and "record_numbers, in Python" in error and "--task" not in error


def test_a_language_model_is_told_how_it_is_recorded(place, typed):
    settings = attnviz.ModelSettings(
        "rra", 3, 7, head="language_model", vocabulary_size=7, embedding_size=2
    )
    model = attnviz.build_model(settings)
    model.name, model.card = "next-word", {"task": "ptb"}
    save_folder(model, settings, place / "words")
    output = ("-o", "q.nc")
    for typed_in in (
        ("ablate", "words", "--text", "x"),
        ("influence", "words", "--text", "x", *output),
        ("path-classes", "words", "--task", "imdb", *output),
        ("record", "words", "--text", "x", "-o", "q.zarr"),
        ("explore", "words", "-o", "q.html"),
    ):
        status, _, error = typed(*typed_in)
        assert status == 1 and "is a language model" in error
        assert "--task ptb" in " ".join(error.split())
    status, _, error = typed("ablate", "words", "--task", "pbt")
    assert status == 1 and "There is no task 'pbt' to read" in error
