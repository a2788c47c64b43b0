import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnviz.analysis import (
    attention_map,
    entropy,
    mass_beyond,
    mass_on_initial,
    mass_on_missing,
    mean_lag,
)
from tests.attnviz import traces

# One head, lags 1, 2 and 4; at timestep t the sources are t−1, t−2 and t−4.
WEIGHTS = [[[[0.5, 0.25, 0.25]]] * 6]
LAGS = [1, 2, 4]


def test_entropy_of_reachable_lags_by_hand():
    values = entropy(traces.small(WEIGHTS, LAGS)).values

    assert values.dims == ("sequence", "time", "head")
    two = -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3))
    three = 1.5 * np.log(2)
    assert_allclose(values.values[0, :, 0], [np.nan, 0, two, two, three, three], rtol=1e-14)


def test_normalised_entropy_is_one_where_uniform_and_undefined_below_two_lags():
    trace = traces.small(np.full((1, 6, 2, 3), 1 / 3), LAGS)

    values = entropy(trace, normalised=True).values.values

    assert_allclose(values[0, :, 1], [np.nan, np.nan, 1, 1, 1, 1], rtol=1e-14)


def test_mean_lag_by_hand():
    statistic = mean_lag(traces.small(WEIGHTS, LAGS))

    assert (statistic.unit, statistic.bounds) == ("timesteps", (1.0, 4.0))
    expected = [np.nan, 1, 4 / 3, 4 / 3, 2, 2]
    assert_allclose(statistic.values.values[0, :, 0], expected, rtol=1e-14)


def test_mass_beyond_by_hand():
    trace = traces.small(WEIGHTS, LAGS)

    beyond_1 = mass_beyond(trace, 1).values.values[0, :, 0]
    beyond_2 = mass_beyond(trace, 2).values.values[0, :, 0]

    assert_allclose(beyond_1, [np.nan, 0, 1 / 3, 1 / 3, 0.5, 0.5], rtol=1e-14)
    assert_allclose(beyond_2, [np.nan, 0, 0, 0, 0.25, 0.25], rtol=1e-14)


def test_mass_on_initial_state_and_on_missing_history_by_hand():
    trace = traces.small([[[[2.0, -0.5, -0.5]]] * 6], LAGS, cell="RRA")

    initial = mass_on_initial(trace).values.values[0, :, 0]
    missing = mass_on_missing(trace).values.values[0, :, 0]

    assert_allclose(initial, [2, -0.5, 0, -0.5, 0, 0])
    assert_allclose(missing, [-1, -0.5, -0.5, 0, 0, 0])


def test_reachable_initial_and_missing_weights_add_up_to_the_whole():
    trace = traces.rra()

    whole = attention_map(trace).values.sum("lag", skipna=False).values
    last = mass_on_initial(trace).values.values + mass_on_missing(trace).values.values

    assert_allclose(whole[0, 11:], 1, rtol=1e-6)
    assert_allclose(last[0, 11:], 0)
    assert_allclose(last[0, 0], whole[0, 0])


def test_slots_that_are_not_there_may_hold_nan():
    weights = np.array(WEIGHTS)
    weights[0, 0], weights[0, 1, 0, 2] = [[1, np.nan, np.nan]], np.nan

    trace = traces.small(weights, LAGS)

    assert_allclose(mass_on_missing(trace).values.values[0, :2, 0], 0)
    assert_allclose(mass_on_initial(trace).values.values[0, :2, 0], [1, 0.25])
    assert_allclose(mean_lag(trace).values.values[0, 1, 0], 1)


@pytest.mark.parametrize("function", [entropy, mean_lag, lambda t, **k: mass_beyond(t, 3, **k)])
def test_negative_weights_are_refused_unless_by_magnitude(function):
    trace = traces.small([[[[2.0, -0.5, -0.5]]] * 6], LAGS, cell="RRA")

    message = r"never negative, but the lowest here is -0.5 \(RRA\).*magnitude=True"
    with pytest.raises(ValueError, match=message):
        function(trace)
    absolute = traces.small(np.abs([[[[2.0, -0.5, -0.5]]] * 6]), LAGS)
    expected = function(absolute).values.values
    assert_array_equal(function(trace, magnitude=True).values.values, expected)


def test_no_attention_is_refused():
    with pytest.raises(KeyError, match="attention"):
        entropy(traces.rau())


@pytest.mark.parametrize("function", [entropy, mean_lag])
def test_heads_may_be_permuted_and_scaled(function):
    trace = traces.larnn()
    order = [2, 0, 1]
    weights = trace.tree["l0"]["attention"].values
    other = traces.small(3 * weights[:, :, order], range(1, 8), lengths=[41, 29])

    expected = function(trace).values.values[:, :, order]
    assert_allclose(function(other).values.values, expected, rtol=1e-6)


def test_nan_beyond_the_length_and_for_rows_never_written():
    trace = traces.small(np.full((3, 6, 1, 3), 1 / 3), LAGS, lengths=[6, 4, -1])

    for statistic in (mean_lag(trace), mass_on_initial(trace), mass_on_missing(trace)):
        known = ~np.isnan(statistic.values.values[:, :, 0])
        assert known[0, 1:].all()
        assert_array_equal(known[1, 1:], [True, True, True, False, False])
        assert not known[2].any()


def test_a_reverse_layer_starts_at_its_own_first_step():
    forward = traces.small(WEIGHTS, LAGS)
    backward = traces.small(WEIGHTS, LAGS, direction=-1)

    expected = mean_lag(forward).values.values[:, ::-1]
    assert_array_equal(mean_lag(backward).values.values, expected)


def test_history_carried_in_is_reachable():
    carried = traces.small(WEIGHTS, LAGS, history=[4])

    assert_allclose(mean_lag(carried).values.values, 2)


def test_attention_map_widens_and_keeps_what_was_declared():
    statistic = attention_map(traces.larnn())

    assert statistic.values.dtype == np.float64
    assert statistic.label == "attention α (weight)"
    assert statistic.bounds == (0.0, 1.0)
