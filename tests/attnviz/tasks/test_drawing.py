import hashlib

import numpy as np
import pytest

from attnviz.tasks import pixel_permutation
from attnviz.tasks.drawing import drawn_order, stratified

# Of the 784 numbers as little-endian int64. With another permutation no result is comparable.
DIGEST = "64a96dc6ff839d8b1ad977c47bfadee78437bc86491347e90c6028c749ac4d5b"


def test_the_stored_permutation_never_changes():
    permutation = pixel_permutation()

    assert hashlib.sha256(permutation.astype("<i8").tobytes()).hexdigest() == DIGEST
    assert permutation.dtype == np.int64
    assert permutation[:6].tolist() == [392, 404, 87, 282, 46, 366]


def test_it_is_a_permutation_and_made_as_stated():
    permutation = pixel_permutation()
    ranked = sorted((hashlib.sha256(b"0:%d" % pixel).hexdigest(), pixel) for pixel in range(784))

    assert sorted(permutation) == list(range(784))
    assert permutation.tolist() == [pixel for _, pixel in ranked]
    assert permutation.tolist() == drawn_order(784, seed=0).tolist()


def test_it_leaves_no_trace_of_the_order_of_pixels():
    # Of a random permutation the correlation has spread 1/sqrt(783) = .036, and the mean distance
    # of neighbours is 785/3 = 261.7 with a spread of about 7.
    permutation = pixel_permutation()

    assert abs(np.corrcoef(permutation, np.arange(784))[0, 1]) < 0.1
    assert 240 < np.abs(np.diff(permutation)).mean() < 284
    assert (permutation == np.arange(784)).sum() <= 5


def test_orders_depend_on_seed_and_count_alone():
    assert drawn_order(7, seed=3).tolist() == drawn_order(7, seed=3).tolist()
    assert len({tuple(drawn_order(7, seed=seed)) for seed in range(20)}) == 20
    assert drawn_order(0, seed=0).tolist() == []


@pytest.mark.parametrize("count", [0, 1, 7, 20, 99])
def test_every_class_is_held_out_by_its_share(count):
    labels = np.array([0] * 50 + [2] * 30 + [1] * 20)[drawn_order(100, seed=9)]

    drawn = stratified(labels, count, seed=1)

    assert drawn.sum() == count
    held = np.bincount(labels[drawn], minlength=3)
    assert (np.abs(held - count * np.array([0.5, 0.2, 0.3])) < 1).all()


def test_remainders_go_to_the_largest_and_then_to_the_first():
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])

    # Shares of 5: 1.5, 1.5 and 2, so one is left for the two halves.
    assert np.bincount(labels[stratified(labels, 5, seed=0)]).tolist() == [2, 1, 2]


def test_seeds_draw_differently():
    labels = np.zeros(40, dtype=np.int64)

    drawn = {seed: stratified(labels, 8, seed=seed).tolist() for seed in range(5)}

    assert drawn[2] == stratified(labels, 8, seed=2).tolist()
    assert len(set(map(tuple, drawn.values()))) == 5


@pytest.mark.parametrize("count", [-1, 4, 5])
def test_something_is_left_to_train_on(count):
    with pytest.raises(ValueError, match=rf"Of 4 sequences 0 to 3 can be held out.* got {count}\."):
        stratified(np.array([0, 1, 0, 1]), count, seed=0)
