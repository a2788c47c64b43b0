import numpy as np
import pytest

from tests.attnviz.explorer.subjects import lens, panel


def test_the_mean_over_heads_is_taken_in_double_and_handed_over_as_it_is_held():
    values = np.random.default_rng(0).random((3, 5, 2)).astype(np.float32)
    shown = lens(values, [1, 2])

    assert shown.heads == 3
    assert shown.head(-1).dtype == np.float32
    exact = values.astype(np.float64).mean(axis=0).astype(np.float32)
    np.testing.assert_array_equal(shown.head(-1), exact)
    for head in range(3):
        np.testing.assert_array_equal(shown.head(head), values[head])


def test_the_mean_of_a_single_head_is_that_head():
    values = np.random.default_rng(0).random((1, 5, 2)).astype(np.float32)

    np.testing.assert_array_equal(lens(values, [1, 2]).head(-1), values[0])


@pytest.mark.parametrize("head", [-2, 3])
def test_a_head_that_is_not_there_is_refused(head):
    with pytest.raises(IndexError, match=rf"has 3 heads.*head {head} was asked for"):
        lens(np.zeros((3, 5, 2)), [1, 2]).head(head)


@pytest.mark.parametrize(
    ("values", "signed"),
    [([[[0.0, 1.0]]], False), ([[[0.1, -0.1]]], True), ([[[np.nan, -1.0]]], True),
     ([[[np.nan, np.nan]]], False), (np.zeros((1, 0, 0)), False)],
)  # fmt: skip
def test_signed_says_whether_any_value_is_negative(values, signed):
    assert lens(values, []).signed is signed


def test_a_panel_finds_its_lens_and_its_words():
    first, second = lens(np.zeros((1, 4, 1)), [1]), lens(np.ones((1, 4, 1)), [1], "contribution")
    shown = panel(time=4, lenses=[first, second])

    assert shown.length == 4
    assert shown.tokens() == ["w0", "w1", "w2", "w3"]
    assert shown.lens("contribution") is second
    assert shown.lens("gate_attention") is first
    with pytest.raises(LookupError, match=r"hand shows nothing to look through.*keep="):
        panel(lenses=[]).lens("attention")
