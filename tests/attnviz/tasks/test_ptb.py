import hashlib

import numpy as np
import pytest

from attnviz.tasks import DamagedDataError, load_ptb, ptb, streams

SMALL = {
    "ptb.train.txt": b" the cat <unk> \n the N \n\n the cat zoe abe \n",
    "ptb.valid.txt": b" abe the \n",
    "ptb.test.txt": b" N \n N <unk> \n",
}


@pytest.fixture
def load(publish_files, monkeypatch):
    monkeypatch.setattr(ptb, "VOCABULARY", 7)

    def load(**changes):
        files = {name: changes.get(name.split(".")[1], text) for name, text in SMALL.items()}
        return load_ptb(publish_files("ptb", files))

    return load


def words_of(task, name):
    return [task.words[id] for id in task.splits[name].ids]


def test_words_are_ranked_by_frequency_and_then_by_code_point(load):
    # <eos> 4, the 3, cat 2, and once each: <unk>, N, abe, zoe.
    assert load().words == ("<eos>", "the", "cat", "<unk>", "N", "abe", "zoe")


def test_every_line_ends_with_a_token_of_its_own(load):
    task = load()

    assert words_of(task, "train") == (
        "the cat <unk> <eos> the N <eos> <eos> the cat zoe abe <eos>".split()
    )
    assert words_of(task, "validation") == ["abe", "the", "<eos>"]
    assert words_of(task, "test") == ["N", "<eos>", "N", "<unk>", "<eos>"]
    assert task.splits["test"].ids.dtype == np.int32


def test_the_task_says_what_it_is(load):
    task = load()

    assert (task.name, task.metric) == ("ptb", "perplexity")
    assert list(task.splits) == ["train", "validation", "test"]
    assert task.provenance["terms"] == "cite us"
    digest = hashlib.md5(SMALL["ptb.test.txt"]).hexdigest()
    assert task.provenance["ptb.test.txt"] == f"md5 {digest}"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"valid": b" the dog \n"}, r"ptb.valid.txt .* it has 'dog', which is not a word of train"),
        ({"train": b" the cat \n"}, r"ptb.train.txt .* it has 3 different words, not 7"),
        ({"train": SMALL["ptb.train.txt"] + b" new \n"}, "has 8 different words, not 7"),
        ({"test": b" N \n N <unk>"}, r"ptb.test.txt .* it has a last line without an end"),
        ({"test": b""}, r"ptb.test.txt .* it has no line"),
        ({"train": b" the <eos> cat \n"}, "has <eos> within a line"),
        ({"valid": b" caf\xe9 \n"}, "has bytes that are not UTF-8"),
    ],
)
def test_a_malformed_text_is_one_clear_error(load, changes, message):
    with pytest.raises(DamagedDataError, match=rf"{message}.*Delete it and get it again from http"):
        load(**changes)


def test_a_text_cut_off_is_refused(publish_files):
    folder = publish_files("ptb", SMALL)
    (folder / "ptb.train.txt").write_bytes(SMALL["ptb.train.txt"][:-9])

    with pytest.raises(DamagedDataError, match=r"ptb\.train\.txt is not the published file of ptb"):
        load_ptb(folder)


@pytest.fixture(scope="module")
def full(full_data):
    return load_ptb(full_data)


@pytest.mark.data
def test_all_tokens_are_there(full):
    assert {name: len(split) for name, split in full.splits.items()} == {
        "train": 929_589,
        "validation": 73_760,
        "test": 82_430,
    }
    assert len(full.words) == 10_000
    assert np.array_equal(np.unique(full.splits["train"].ids), np.arange(10_000))


@pytest.mark.data
def test_lines_are_counted_as_the_files_have_them(full, full_data):
    end = full.words.index("<eos>")

    for name, file in (("train", "train"), ("validation", "valid"), ("test", "test")):
        content = (full_data / "ptb" / f"ptb.{file}.txt").read_bytes()
        ids = full.splits[name].ids
        assert (ids == end).sum() == content.count(b"\n")
        assert ids[-1] == end
        text = " ".join(full.words[id] for id in ids).replace("<eos>", "\n")
        assert text.split() == content.decode().split()


@pytest.mark.data
def test_frequent_words_come_first(full):
    counts = np.bincount(full.splits["train"].ids)

    assert full.words[:6] == ("the", "<unk>", "<eos>", "N", "of", "to")
    assert (np.diff(counts) <= 0).all()
    assert counts[:3].tolist() == [50_770, 45_020, 42_068]


@pytest.mark.data
def test_twenty_streams_drop_nine_tokens(full):
    table = streams(full.splits["train"].ids, 20)

    assert table.shape == (20, 46_479)
    assert 929_589 - table.size == 9
