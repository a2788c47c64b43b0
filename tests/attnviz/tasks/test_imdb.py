import os
from collections import Counter

import numpy as np
import pytest

from attnviz.tasks import DamagedDataError, load_imdb


def test_the_published_splits_are_read_from_the_archive(publish, files):
    task = load_imdb(publish(files), validation_share=0.2)

    assert (task.name, task.classes) == ("imdb", ("negative", "positive"))
    assert list(task.splits) == ["train", "validation", "test"]
    test = task.splits["test"]
    assert test.ids == (
        "test/neg/0_1",
        "test/neg/1_2",
        "test/pos/0_7",
        "test/pos/1_8",
        "test/pos/2_9",
    )
    assert test.labels.tolist() == [0, 0, 1, 1, 1]
    assert test.labels.dtype == np.int64
    assert test.groups == ("tt22", "tt23", "tt20", "tt20", "tt21")
    assert test.texts[3] == "A pos café,<br />test 1"


def test_archive_and_folder_give_the_same(publish, unpack, files):
    from_archive, from_folder = load_imdb(publish(files)), load_imdb(unpack(files))

    for name, split in from_archive.splits.items():
        assert split.ids == from_folder.splits[name].ids
        assert split.texts == from_folder.splits[name].texts
        assert split.groups == from_folder.splits[name].groups
        assert split.labels.tolist() == from_folder.splits[name].labels.tolist()
    assert from_folder.provenance["md5"] is None
    assert len(from_archive.provenance["md5"]) == 32


def test_texts_of_the_test_leave_training_and_are_counted(publish, files):
    task = load_imdb(publish(files))

    train, validation, test = (set(split.texts) for split in task.splits.values())
    assert not (train | validation) & test
    assert not train & validation
    assert [len(split) for split in task.splits.values()] == [19, 2, 5]
    assert "train/pos/4_7" not in task.splits["train"].ids + task.splits["validation"].ids
    assert task.provenance["left_out_of_training"] == 1
    assert task.provenance["texts_in_both_halves"] == 1
    assert task.provenance["training_groups"] == 6


@pytest.mark.parametrize("seed", range(8))
def test_no_film_and_no_film_that_shares_its_text_is_in_two_splits(publish, files, seed):
    task = load_imdb(publish(files), validation_share=0.4, seed=seed)

    train, validation = (set(task.splits[name].groups) for name in ("train", "validation"))
    assert train
    assert validation
    assert not train & validation
    assert len({"tt5", "tt6", "tt7"} & train) in (0, 3)


def test_validation_depends_on_the_seed_alone(publish, files):
    path = publish(files)

    drawn = {seed: load_imdb(path, seed=seed).splits["validation"].ids for seed in range(6)}

    assert drawn[0] == load_imdb(path, seed=0).splits["validation"].ids
    assert len(set(drawn.values())) > 1


def test_no_validation_leaves_all_for_training(publish, files):
    task = load_imdb(publish(files), validation_share=0.0)

    assert [len(split) for split in task.splits.values()] == [21, 0, 5]
    assert list(task.splits["train"].labels) == [0] * 10 + [1] * 11


def test_members_with_hostile_names_are_never_written(publish, files, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files["../outside.txt"] = files["/attnviz-outside.txt"] = b"hostile"
    files["aclImdb/train/pos/../../../../outside_7.txt"] = b"hostile"
    path = publish(files)
    before = sorted(tmp_path.rglob("*"))

    task = load_imdb(path)

    assert sorted(tmp_path.rglob("*")) == before
    assert not any("hostile" in text for text in task.splits["train"].texts)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("aclImdb/train/pos/3_10.txt", None, "train/pos has 11 reviews, not one review for each"),
        ("aclImdb/train/pos/12_7.txt", b"x", "train/pos has 13 reviews, not .* the 12 lines"),
        ("aclImdb/test/neg/0_2.txt", b"x", "test/neg has review 0 twice"),
        ("aclImdb/test/urls_neg.txt", None, "test/urls_neg.txt is missing"),
        ("aclImdb/test/pos/0_7.txt", b"\xff\xfe", "aclImdb/test/pos/0_7.txt is not UTF-8"),
    ],
)
@pytest.mark.parametrize("packed", [True, False])
def test_a_malformed_data_set_is_one_clear_error(
    publish, unpack, files, name, content, message, packed
):
    files = {other: kept for other, kept in files.items() if other != name}
    if content is not None:
        files[name] = content

    with pytest.raises(DamagedDataError, match=rf"not the complete .*{message}.*Delete it"):
        load_imdb(publish(files) if packed else unpack(files))


def test_a_rating_on_the_wrong_side_is_refused(unpack, files):
    files["aclImdb/test/neg/1_5.txt"] = files.pop("aclImdb/test/neg/1_2.txt")

    with pytest.raises(DamagedDataError, match=r"test/neg/1_5 has rating 5, .* in neg are 1 to 4"):
        load_imdb(unpack(files))


@pytest.mark.parametrize("part", [0.5, 0.9])
def test_an_archive_that_was_published_cut_off_is_refused(publish, files, part):
    path = publish(files)
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    publish.adopt(path)

    with pytest.raises(DamagedDataError, match="cannot be read to its end"):
        load_imdb(path)


def test_a_file_that_is_no_archive_is_refused(publish, files):
    path = publish(files)
    path.write_text("<html>404</html>", encoding="utf-8")
    publish.adopt(path)

    with pytest.raises(DamagedDataError, match="cannot be read to its end"):
        load_imdb(path)


@pytest.fixture(scope="module")
def imdb():
    if not os.environ.get("ATTNVIZ_DATA"):
        pytest.skip("needs the IMDB reviews: set ATTNVIZ_DATA to the folder that holds imdb/")
    return load_imdb()


@pytest.mark.data
def test_all_reviews_are_there(imdb):
    train, validation, test = imdb.splits.values()

    assert np.bincount(test.labels).tolist() == [12500, 12500]
    assert [len(train), len(validation)] == [22390, 2487]
    assert np.bincount(train.labels).tolist() == [11165, 11225]
    assert np.bincount(validation.labels).tolist() == [1240, 1247]
    assert imdb.provenance["texts_in_both_halves"] == 123
    assert imdb.provenance["left_out_of_training"] == 25000 - 22390 - 2487
    assert len(set(test.texts)) == 24801
    assert len({*train.texts, *validation.texts}) == 24904 - 123


@pytest.mark.data
def test_numbers_run_on_and_ratings_are_clear(imdb):
    parts = [id.replace("_", "/").split("/") for id in imdb.splits["test"].ids]

    for folder, ratings in (("neg", {"1", "2", "3", "4"}), ("pos", {"7", "8", "9", "10"})):
        chosen = [part for part in parts if part[1] == folder]
        assert [int(part[2]) for part in chosen] == list(range(12500))
        assert {part[3] for part in chosen} == ratings


@pytest.mark.data
def test_splits_share_no_text_and_training_and_validation_no_film(imdb):
    train, validation, test = imdb.splits.values()

    assert not set(train.texts) & set(test.texts)
    assert not set(validation.texts) & set(test.texts)
    assert not set(train.texts) & set(validation.texts)
    assert not set(train.groups) & set(validation.groups)
    assert max(Counter(test.groups).values()) == 30


@pytest.mark.data
def test_lengths_are_those_of_the_published_texts(imdb):
    lengths = np.array([len(text.split()) for text in imdb.splits["test"].texts])

    assert lengths.max() == 2278
    assert all(text.strip() for split in imdb.splits.values() for text in split.texts)
