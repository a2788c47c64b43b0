import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnviz.analysis import age_kernel, gate_attention, lag_kernel
from tests.attnviz import traces


def test_a_static_kernel_is_given_as_it_is():
    statistic = lag_kernel(traces.rra(weights=[2.0, -0.5, -0.5], lags=[2, 3, 5]))

    assert_array_equal(statistic.values.values, [[2.0, -0.5, -0.5]])
    assert statistic.values["lag"].values.tolist() == [2, 3, 5]
    assert statistic.uncertainty is None


def test_the_mean_counts_sequences_once_and_only_full_windows():
    weights = np.full((3, 5, 1, 2), 9.0)
    weights[0, 2:, 0] = [[0.2, 0.8], [0.4, 0.6], [0.6, 0.4]]  # mean 0.4, 0.6
    weights[1, 2, 0] = [0.8, 0.2]

    statistic = lag_kernel(traces.small(weights, [1, 2], lengths=[5, 3, 2]))

    assert_allclose(statistic.values.values, [[0.6, 0.4]], rtol=1e-6)
    assert_allclose(statistic.uncertainty.values, [[np.sqrt(0.08)] * 2], rtol=1e-6)
    assert statistic.uncertainty_of == "standard deviation over 2 sequences"


def test_repeating_every_sequence_does_not_change_the_mean():
    texts = [traces.review(41), traces.review(29)]
    trace = traces.larnn(texts)
    doubled = traces.small(
        np.tile(trace.tree["l0"]["attention"].values, (2, 1, 1, 1)), range(1, 8),
        lengths=[41, 29, 41, 29],
    )  # fmt: skip

    expected = lag_kernel(trace).values.values
    assert_allclose(lag_kernel(doubled).values.values, expected, rtol=1e-12)
    assert_allclose(expected.sum(-1), 1, rtol=1e-6)


def test_blocks_do_not_change_the_mean(monkeypatch):
    trace = traces.larnn([traces.review(n) for n in (12, 9, 15)])
    expected = lag_kernel(trace)
    monkeypatch.setattr("attnviz.analysis.selection.sequence_blocks.__defaults__", (2,))

    in_blocks = lag_kernel(trace)

    assert_allclose(in_blocks.values.values, expected.values.values, rtol=1e-14)
    assert_allclose(in_blocks.uncertainty.values, expected.uncertainty.values, rtol=1e-12)


def test_broken_values_are_not_left_out_in_silence():
    weights = np.full((2, 4, 1, 2), 0.5)
    weights[1, 3, 0, 0] = np.nan

    mean = lag_kernel(traces.small(weights, [1, 2])).values.values

    assert_array_equal(np.isnan(mean), [[True, False]])


def test_sequences_that_are_too_short_are_refused():
    trace = traces.small(np.ones((2, 4, 1, 2)), [1, 4], lengths=[4, 3])

    with pytest.raises(
        ValueError, match=r"up to lag 4\), but none of the 2 sequences is that long"
    ):
        lag_kernel(trace)


def test_mean_by_age_by_hand():
    trace = traces.gru(ages=8)
    by_age = gate_attention(trace).values.values

    statistic = age_kernel(trace)

    means = np.stack([by_age[0, 7:].mean(0), by_age[1, 7:19].mean(0)])
    assert statistic.values.dims == ("age",)
    assert_allclose(statistic.values.values, means.mean(0), rtol=1e-12)
    assert_allclose(statistic.uncertainty.values, means.std(0, ddof=1), rtol=1e-9)
