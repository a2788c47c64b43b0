import numpy as np
import pytest

from attnviz.training.batching import epoch_order
from attnviz.training.data import TextData
from tests.attnviz.training.tiny import tiny_recipe, tiny_task

LENGTHS = np.random.default_rng(0).integers(1, 200, size=1003)


@pytest.mark.parametrize("batch_size", [1, 8, 17, 64, 2000])
def test_every_sequence_is_read_once_an_epoch(batch_size):
    batches = epoch_order(LENGTHS, batch_size, seed=3, epoch=2)

    assert sorted(row for batch in batches for row in batch) == list(range(1003))
    if batch_size >= 8:
        assert min(len(batch) for batch in batches) >= 8


def test_the_order_is_a_function_of_seed_and_epoch():
    first = epoch_order(LENGTHS, 16, seed=3, epoch=2)

    assert first == epoch_order(LENGTHS, 16, seed=3, epoch=2)
    assert first != epoch_order(LENGTHS, 16, seed=3, epoch=1)
    assert first != epoch_order(LENGTHS, 16, seed=4, epoch=2)


def test_batches_gather_similar_lengths():
    batches = epoch_order(LENGTHS, 16, seed=0, epoch=0)

    padded = sum(len(batch) * LENGTHS[batch].max() for batch in batches)
    assert padded < 1.05 * LENGTHS.sum()


def test_an_epoch_can_be_begun_in_its_middle():
    data = TextData(tiny_task(), tiny_recipe())
    data.epoch = 1
    whole = [ids.tolist() for ids, _, _ in data.train_dataloader()]

    data.first = 2
    rest = [ids.tolist() for ids, _, _ in data.train_dataloader()]

    assert len(whole) == data.steps
    assert rest == whole[2:]


def test_a_batch_holds_numbers_lengths_and_labels():
    data = TextData(tiny_task(), tiny_recipe())

    ids, lengths, labels = data.train.batch([5, 2])

    task = tiny_task().splits["train"]
    assert labels.tolist() == task.labels[[5, 2]].tolist()
    for row, source in enumerate((5, 2)):
        kept = task.texts[source].split()[-8:]
        assert data.vocabulary.decode(ids[row, : lengths[row]].numpy()) == kept
        assert not ids[row, lengths[row] :].any()
