import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from attnviz.tasks.splitting import join_groups, split_by_group


def test_groups_that_share_a_text_are_joined_through_others():
    groups = ["d", "a", "b", "b", "c", "e"]
    texts = ["x", "y", "x", "z", "z", "w"]

    assert join_groups(groups, texts) == ["b", "a", "b", "b", "b", "e"]


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("uvwxyz"))))
def test_joined_groups_are_the_connected_components(pairs):
    groups, texts = [g for g, _ in pairs], [t for _, t in pairs]

    joined = join_groups(groups, texts)

    together = np.array([[a == c or b == d for c, d in pairs] for a, b in pairs], dtype=float)
    together = together.reshape(len(pairs), len(pairs))
    reached = np.linalg.matrix_power(together + np.eye(len(pairs)), 16) > 0 if pairs else together
    same = np.array([[a == b for a in joined] for b in joined]).reshape(reached.shape)
    assert np.array_equal(same, reached)


def singles(count):
    return [f"{number:03}" for number in range(count)]


def test_every_class_has_its_share_of_every_split():
    labels = np.array([0] * 50 + [1] * 30 + [2] * 120)

    splits = split_by_group(singles(200), labels, [0.1, 0.2], seed=3)

    counts = [np.bincount(labels[splits == split]).tolist() for split in range(3)]
    assert counts == [[35, 21, 84], [5, 3, 12], [10, 6, 24]]


def test_groups_stay_whole_and_sizes_are_nearly_met():
    groups = [f"film {number // 7}" for number in range(700)]
    labels = np.arange(700) % 2

    splits = split_by_group(groups, labels, [0.1], seed=0)

    assert all(len({splits[i] for i in range(700) if groups[i] == g}) == 1 for g in set(groups))
    assert 63 <= (splits == 1).sum() <= 70


def test_the_draw_depends_on_seed_alone():
    labels = np.arange(40) % 2

    drawn = split_by_group(singles(40), labels, [0.25], seed=1)

    assert np.array_equal(split_by_group(singles(40), labels, [0.25], seed=1), drawn)
    assert not np.array_equal(split_by_group(singles(40), labels, [0.25], seed=2), drawn)
    backwards = split_by_group(singles(40)[::-1], labels[::-1], [0.25], seed=1)
    assert np.array_equal(backwards[::-1], drawn)


def test_a_share_of_nothing_leaves_all_for_training():
    assert not split_by_group(singles(6), np.arange(6) % 2, [0.0], seed=0).any()


def test_classes_fall_as_they_may_where_groups_are_too_coarse_for_their_shares():
    groups = [f"author {number // 10}" for number in range(100)]  # 10 of one class each
    labels = np.arange(100) // 50

    splits = split_by_group(groups, labels, [0.1], seed=0)

    assert (splits == 1).sum() == 10
    assert len(set(labels[splits == 1])) == 1


@pytest.mark.parametrize("shares", [[-0.1], [1.0], [0.5, 0.5]])
def test_shares_that_leave_nothing_are_refused(shares):
    with pytest.raises(ValueError, match="at least 0 and sum to less than 1"):
        split_by_group(singles(10), np.arange(10) % 2, shares, seed=0)


def test_groups_too_large_to_split_are_refused():
    with pytest.raises(ValueError, match=r"2 groups that must stay whole, the largest of 6"):
        split_by_group(["a"] * 6 + ["b"] * 4, np.arange(10) % 2, [0.1], seed=0)
