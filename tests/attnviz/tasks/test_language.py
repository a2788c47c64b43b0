import numpy as np
import pytest

from attnviz.tasks import LanguageSplit, LanguageTask, streams


def make_task(words=("a", "b", "c"), ids=(0, 2, 1)):
    return LanguageTask("t", words, {"train": LanguageSplit(np.array(ids, dtype=np.int32))}, {})


def test_streams_are_consecutive_pieces_of_the_text():
    assert streams(np.arange(11), 3).tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


@pytest.mark.parametrize(("count", "batch"), [(40, 1), (40, 20), (41, 7), (929, 20)])
def test_columns_follow_one_another_and_little_is_dropped(count, batch):
    ids = np.random.default_rng(count).integers(0, 50, size=count).astype(np.int32)

    table = streams(ids, batch)

    assert table.shape == (batch, count // batch)
    assert table.dtype == np.int32
    assert np.array_equal(table.ravel(), ids[: table.size])
    assert count - table.size < batch


def test_streams_are_a_view():
    ids = np.arange(10)

    assert np.shares_memory(streams(ids, 2), ids)


@pytest.mark.parametrize(("count", "batch"), [(5, 3), (1, 1), (0, 1), (8, 0), (8, -2)])
def test_streams_without_a_token_to_predict_are_refused(count, batch):
    with pytest.raises(ValueError, match=rf"got {count} tokens for {batch} streams"):
        streams(np.arange(count), batch)


def test_a_task_says_its_metric_and_its_lengths():
    task = make_task()

    assert task.metric == "perplexity"
    assert len(task.splits["train"]) == 3


def test_a_word_twice_is_refused():
    with pytest.raises(ValueError, match="has 3 words, but 2 of them different"):
        make_task(words=("a", "b", "a"))


@pytest.mark.parametrize("wrong", [3, -1])
def test_an_id_without_a_word_is_refused(wrong):
    with pytest.raises(ValueError, match=f"3 words, but token 1 of train has id {wrong}"):
        make_task(ids=(0, wrong, 7))
