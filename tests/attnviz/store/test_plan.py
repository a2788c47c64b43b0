import numpy as np
import pytest

from attnviz.store import (
    Block,
    Truncation,
    make_plan,
    plan_digest,
    plan_from_json,
    plan_to_json,
)


def plan_of_seven():
    return make_plan(list("abcdefg"), [5, 2, 9, 2, 7, 1, 3], block_size=4, batch_size=2)


def test_rows_keep_their_order_and_batches_gather_similar_lengths():
    plan = plan_of_seven()

    assert plan.ids == tuple("abcdefg")
    assert plan.lengths == (5, 2, 9, 2, 7, 1, 3)
    assert plan.time == 9
    assert plan.blocks == (
        Block(0, 0, 4, ((1, 3), (0, 2))),
        Block(1, 4, 7, ((5, 6), (4,))),
    )


def test_a_block_is_no_larger_than_the_plan():
    plan = make_plan(["a", "b", "c"], [1, 2, 3], block_size=64)

    assert plan.block_size == 3
    assert [(block.start, block.stop) for block in plan.blocks] == [(0, 3)]


def test_truncation_shortens_only_what_is_longer():
    plan = make_plan(["a", "b"], [7, 3], truncation=Truncation("end", 4))

    assert plan.lengths == (4, 3)
    assert plan.truncation == Truncation("end", 4)


@pytest.mark.parametrize("cut", [None, Truncation("start", 4)])
def test_a_plan_survives_json(cut):
    plan = make_plan(["a é", "b", "c"], [7, 3, 5], truncation=cut, block_size=2, batch_size=1)

    assert plan_from_json(plan_to_json(plan)) == plan


def test_numpy_lengths_give_the_same_plan():
    listed, array = [4, 2, 6], np.array([4, 2, 6], np.int64)

    assert make_plan(list("abc"), array) == make_plan(list("abc"), listed)


def test_the_digest_tells_plans_apart():
    plans = [
        make_plan(["a", "b"], [1, 2]),
        make_plan(["b", "a"], [1, 2]),
        make_plan(["a", "b"], [2, 1]),
        make_plan(["a", "b"], [1, 2], batch_size=1),
        make_plan(["a", "b"], [1, 2], block_size=1),
        make_plan(["a", "b"], [1, 2], truncation=Truncation("end", 2)),
    ]

    assert len({plan_digest(plan) for plan in plans}) == len(plans)
    assert plan_digest(plans[0]) == plan_digest(make_plan(["a", "b"], [1, 2]))


@pytest.mark.parametrize(
    ("ids", "lengths", "message"),
    [
        ([], [], "at least one sequence"),
        (["a", "b"], [3], "2 ids and 1 lengths"),
        (["a", "b", "a"], [1, 2, 3], "'a' stands at rows 0 and 2"),
        (["a", "b"], [1, 0], r"sequence 1 \('b'\) has 0"),
        (["a", "b"], [-3, 1], r"sequence 0 \('a'\) has -3"),
        (["a"], [2**31], "has 2147483648"),
    ],
)
def test_refuses_rows_that_no_store_could_hold(ids, lengths, message):
    with pytest.raises(ValueError, match=message):
        make_plan(ids, lengths)


@pytest.mark.parametrize("name", ["block_size", "batch_size"])
def test_refuses_sizes_below_one(name):
    sizes = {"block_size": 2, "batch_size": 2, name: 0}
    with pytest.raises(ValueError, match=f"{name} of at least 1, but it is 0"):
        make_plan(["a"], [1], **sizes)


def test_refuses_a_truncation_to_nothing():
    with pytest.raises(ValueError, match="length of at least 1, but it is 0"):
        make_plan(["a"], [1], truncation=Truncation("end", 0))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"ids": 3}', "null", "{not json"])
def test_refuses_json_that_is_no_plan(text):
    with pytest.raises(ValueError, match="not a plan"):
        plan_from_json(text)
