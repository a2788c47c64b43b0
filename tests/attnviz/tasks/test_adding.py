import numpy as np
import pytest

from attnviz.tasks import draw_adding, load_adding
from attnviz.tasks.adding import BASELINE, SOLVED
from attnviz.tasks.base import NumberSplit


def drawn(count, length, seed=0):
    return draw_adding(count, np.random.default_rng(seed), length=length)


@pytest.mark.parametrize("length", [2, 3, 7, 10])
def test_one_marker_stands_anywhere_in_each_half(length):
    markers = drawn(2000, length).features[..., 1]

    assert set(np.unique(markers)) <= {0.0, 1.0}
    first, second = markers[:, : length // 2], markers[:, length // 2 :]
    assert (first.sum(axis=1) == 1).all() and (second.sum(axis=1) == 1).all()
    # Every place is as likely as the others, to four standard errors.
    for half in (first, second):
        places = half.shape[1]
        spread = np.sqrt(1 / places * (1 - 1 / places) / 2000)
        assert np.abs(half.mean(axis=0) - 1 / places).max() <= 4 * spread


def test_the_target_is_the_sum_of_the_marked_numbers():
    split = drawn(50, 11)

    assert split.features.shape == (50, 11, 2) and split.targets.shape == (50, 1)
    assert split.features.dtype == split.targets.dtype == np.float32
    for features, target in zip(split.features, split.targets, strict=True):
        one, two = features[features[:, 1] == 1, 0]
        assert target[0] == one + two
    assert split.features[..., 0].min() >= 0 and split.features[..., 0].max() < 1


def test_who_always_says_one_has_an_error_of_a_sixth():
    targets = drawn(200_000, 6).targets.astype(np.float64)
    squared = (targets - 1) ** 2

    # Four standard errors; Var (y − 1)² = 1/15 − 1/36 for the sum of two uniform numbers.
    assert abs(squared.mean() - BASELINE) < 4 * np.sqrt((1 / 15 - 1 / 36) / 200_000)
    assert targets.mean() == pytest.approx(1, abs=4 * np.sqrt(BASELINE / 200_000))
    assert load_adding(6, held_out=3).baseline == BASELINE


def test_remembering_one_number_gives_what_counts_as_not_solved():
    split = drawn(200_000, 6)
    numbers, markers = split.features[..., 0], split.features[..., 1]
    second = (numbers * markers)[:, 3:].sum(axis=1, dtype=np.float64)
    error = ((split.targets[:, 0] - (second + 0.5)) ** 2).mean()
    assert error == pytest.approx(SOLVED, rel=0.01)


def test_sequences_are_a_function_of_seed_and_step():
    task = load_adding(12, held_out=4)

    once, again = (task.fresh(5, seed=3, step=7) for _ in range(2))
    np.testing.assert_array_equal(once.features, again.features)
    np.testing.assert_array_equal(once.targets, again.targets)
    others = [task.fresh(5, seed=s, step=t) for s, t in ((3, 8), (4, 7), (7, 3), (0, 0), (1, 12))]
    others += list(task.splits.values())
    seen = {split.features[:4].tobytes() for split in [once, *others]}
    assert len(seen) == len(others) + 1


def test_what_is_held_out_is_the_same_for_every_run():
    one, other = load_adding(12, held_out=9), load_adding(12, epoch_size=64, held_out=9)

    for name in ("validation", "test"):
        np.testing.assert_array_equal(one.splits[name].features, other.splits[name].features)
    assert len(one.splits["test"]) == 9
    assert (one.name, one.features, one.outputs) == ("adding-12", 2, ("sum",))
    assert one.provenance["length"] == 12
    longer = load_adding(13, held_out=9).splits["test"].features[:, :12]
    assert not np.array_equal(longer, one.splits["test"].features)


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match=r"a length of at least 2, got 1"):
        load_adding(1)
    with pytest.raises(ValueError, match=r"at least one sequence, got 0"):
        load_adding(5, held_out=0)
    with pytest.raises(ValueError, match=r"needs a sequence, got 0"):
        load_adding(5, epoch_size=0)
    with pytest.raises(ValueError, match=r"got 3 sequences and 2 rows"):
        NumberSplit(np.zeros((3, 4, 2), np.float32), np.zeros((2, 1), np.float32))
