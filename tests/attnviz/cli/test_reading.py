"""What commands read of files of one's own, and what they say of it."""

import numpy as np
import pytest

import attnviz
from attnviz.cli.reading import Columns, Source, told
from tests.attnviz.cli.shell import called


@pytest.fixture
def typed(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    rows = [f"a fine film {n},{'positive' if n % 3 else 'negative'}" for n in range(23)]
    (tmp_path / "mine.v1.csv").write_text("\n".join(["review,mood", *rows]) + "\n")
    (tmp_path / "lines.txt").write_text("Slow, but wonderful.\n\nFar too long.\n")
    (tmp_path / "empty.txt").write_text("\n")
    return lambda *arguments: called(monkeypatch, capsys, *arguments)


def source(task, *columns, split=None, limit=None):
    return Source(None, task, split, limit, Columns(*(*columns, None, None)[:2]), None)


@pytest.mark.parametrize(
    ("read", "split"),
    [
        (("mine.v1.csv", "--text-column", "review", "--label-column", "mood"), "all rows"),
        (("mine.v1.csv", "--text-column", "review"), "all rows"),
        (
            ("mine.v1.csv", "--text-column", "review", "--label-column", "mood", "--split", "test"),
            "test",
        ),
        (("lines.txt",), "all rows"),
    ],
)
def test_a_file_of_ones_own_is_recorded_whole_unless_a_split_is_named(typed, read, split):
    pytest.importorskip("torch")
    options = ("--keep", "attention", "--gradients", "none", "-o", "t.zarr")
    status, output, error = typed("record", "rra-imdb", "--task", *read, *options)

    assert status == 0, error
    trace = attnviz.open_trace("t.zarr").tree
    name = read[0].split(".")[0]
    assert trace.attrs["split"] == split and trace.attrs["task"] == name
    count = {"test": 3, "all rows": 2 if name == "lines" else 23}[split]
    part = split if split == "all rows" else f"{split} split"
    assert f"Recorded {count} texts of {name} ({part}) in t.zarr." in " ".join(output.split())
    assert trace["id"].values[0].startswith("line" if name == "lines" else "row")
    labelled = "--label-column" in read
    assert (trace["label"].values >= 0).all() if labelled else "label" not in trace
    if labelled and split == "all rows":
        np.testing.assert_array_equal(trace["label"], np.arange(23) % 3 > 0)


def test_labels_are_those_of_the_models_classes(typed, tmp_path):
    pytest.importorskip("torch")
    read = ("--text-column", "review", "--label-column", "mood")
    for name, labels in (("one", ["positive"] * 3), ("other", ["neutral", "positive", "negative"])):
        rows = [f"a fine film {n},{label}" for n, label in enumerate(labels)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["review,mood", *rows]) + "\n")

    record = ("record", "rra-imdb", "--gradients", "none", "--task")
    status, _, error = typed(*record, "one.csv", *read, "-o", "one.zarr")
    assert status == 0, error
    assert attnviz.open_trace("one.zarr").tree["label"].values.tolist() == [1, 1, 1]
    status, _, error = typed(*record, "other.csv", *read, "-o", "other.zarr")
    said = " ".join(error.split())
    assert status == 1 and "none of the classes negative, positive: 'neutral'." in said
    (tmp_path / "split.csv").write_text(
        "review,mood\n" + "".join(f"a{n},good\nb{n},bad\n" for n in range(20))
    )
    status, _, error = typed(*record, "split.csv", *read, "--split", "test", "-o", "other.zarr")
    said = " ".join(error.split())
    assert status == 1 and "classes bad, good, but the model tells apart negative, posi" in said
    assert not (tmp_path / "other.zarr").exists()


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (("mine.v1.csv",), "which column of mine.v1.csv holds the texts: --text-column COLUMN. It"),
        (("mine.v1.csv", "--text-column", "text"), "'text' for text, but mine.v1.csv has ['review"),
        (
            ("mine.v1.csv", "--text-column", "review", "--split", "test"),
            "which column of mine.v1.csv holds the labels: --label-column COLUMN. It has 'review'",
        ),
        (("lines.txt", "--split", "test"), "lines.txt has texts without labels"),
        (("lines.txt", "--text-column", "review"), "has a text a line and no columns"),
        (("empty.txt",), "empty.txt is empty: it needs a text in a line."),
        (("none.txt",), "There is no file none.txt."),
        (("none.csv", "--text-column", "review"), "There is no table none.csv."),
    ],
)
def test_each_fault_of_a_file_is_said_as_it_is(typed, read, said):
    pytest.importorskip("torch")
    status, _, error = typed("record", "rra-imdb", "--task", *read, "-o", "t.zarr")

    assert status == 1 and said in " ".join(error.split())


def test_usual_texts_are_those_of_the_same_file(typed):
    pytest.importorskip("torch")
    whole = source("mine.v1.csv", "review", limit=2)
    assert len(whole.training(5)) == 5 and len(whole.texts(()).texts) == 2
    split = source("mine.v1.csv", "review", "mood", split="validation")
    assert set(split.training(23)).isdisjoint(split.texts(["positive", "negative"]).texts)


def test_what_was_read_is_told():
    assert told({"task": "imdb", "split": "validation"}) == " of imdb (validation split)"
    assert told({"task": "own text"}) == told({}) == ""
