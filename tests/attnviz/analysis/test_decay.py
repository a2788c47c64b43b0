import numpy as np
import pytest
from numpy.testing import assert_allclose

from attnviz.analysis.decay import (
    decay_rate,
    measured_decay_rate,
    predicted_decay_rate,
    predicted_shortcut_norm,
    predicted_shortcut_rate,
)
from attnviz.analysis.path_classes import class_norm
from tests.attnviz.path_data import paths, rra

KERNEL, LAGS = [0.5, 0.2, 0.3], [2, 3, 4]


def test_the_root_solves_its_equation():
    for kernel, slope in ((KERNEL, 0.7), ([0.1, 0.8, 0.1], 0.3), ([0.1, 0.2, 0.7], 1.2)):
        rate = decay_rate(np.array(kernel), np.array(LAGS), slope)
        sides = sum(w * slope * rate**-lag for w, lag in zip(kernel, LAGS, strict=True))
        assert_allclose(sides, 1, rtol=1e-12)
    assert_allclose(decay_rate(np.array([1.0]), np.array([2]), 0.25), 0.5)
    assert_allclose(decay_rate(np.array(KERNEL), np.array(LAGS), 1.0), 1)  # weights sum to one
    assert decay_rate(np.array([0.0]), np.array([2]), 0.5) == 0


def test_a_kernel_of_both_signs_may_oscillate():
    # λ(d) = -λ(d-2)/4: each two timesteps a quarter, with the sign turned.
    assert_allclose(decay_rate(np.array([-1.0]), np.array([2]), 0.25), 0.5)
    kernel, signal = [1.5, -0.2, -0.3], [1.0]
    for d in range(1, 900):
        sent = (w * signal[d - lag] for w, lag in zip(kernel, LAGS, strict=True) if lag <= d)
        signal.append(0.9 * sum(sent))
    later, earlier = (np.abs(signal[d : d + 100]).max() for d in (800, 600))
    rate = decay_rate(np.array(kernel), np.array(LAGS), 0.9)
    assert_allclose((later / earlier) ** (1 / 200), rate, rtol=1e-6)


def test_with_one_slope_the_prediction_is_what_is_measured():
    data = rra(KERNEL, LAGS, np.full((2, 3), 0.8), [[1, 2, 2], [0.1, 0, 0]], 160)

    measured, predicted = measured_decay_rate(data), predicted_decay_rate(data)

    assert_allclose(measured.values, predicted.values, rtol=1e-3)
    late = measured_decay_rate(data, distances=(80, 160))
    assert_allclose(late.values, predicted.values, rtol=1e-6)
    assert (int(late.values["first_distance"]), int(late.values["last_distance"])) == (80, 159)
    assert int(measured.values["first_distance"]) == 8  # twice the longest lag
    assert_allclose(late.uncertainty, float(late.values), rtol=1e-6)


def test_with_a_slope_for_each_unit_the_slowest_outlast_the_others():
    slopes = np.array([[0.2, 0.5, 0.9]] * 2)
    data = rra(KERNEL, LAGS, slopes, [[1, 1, 1], [3, 1, 0.5]], 200)

    slowest = decay_rate(np.array(KERNEL), np.array(LAGS), 0.9)
    assert_allclose(measured_decay_rate(data, distances=(100, 200)).values, slowest, rtol=1e-6)
    assert predicted_decay_rate(data).values < slowest - 0.05
    shape = predicted_shortcut_norm(data)
    expected = class_norm(data, place="hidden").values.sel(path_class="shortcut")
    assert_allclose(shape.values, expected, rtol=1e-12)
    assert_allclose(
        predicted_shortcut_rate(data).values, measured_decay_rate(data).values, rtol=1e-12
    )


def test_the_interval_of_a_prediction_is_over_sequences():
    slopes = np.array([[0.2, 0.4], [0.8, 0.6]])
    predicted = predicted_decay_rate(rra(KERNEL, LAGS, slopes, np.ones((2, 2)), 20))

    ends = [decay_rate(np.array(KERNEL), np.array(LAGS), slope) for slope in (0.3, 0.7)]
    assert_allclose(predicted.uncertainty, ends)
    assert_allclose(predicted.values, decay_rate(np.array(KERNEL), np.array(LAGS), 0.5))


def test_one_slope_for_sequences_of_other_heights():
    distance = np.arange(30)
    heights = np.array([1.0, 1e-5, 30.0])[:, None]
    norms = np.stack([heights * 0.9**distance, heights * 0.5**distance], axis=-1)

    data = paths(norms)

    assert_allclose(measured_decay_rate(data, path_class="gates").values, 0.5)
    assert_allclose(measured_decay_rate(data, path_class="direct", place="input").values, 0.9)


def test_the_range_ends_with_the_shortest_sequence_and_where_a_class_ends():
    norms = np.full((2, 40, 2), 1.0)
    norms[1, 25:] = np.nan
    norms[:, 20:, 1] = 0

    data = paths(norms)

    gates = measured_decay_rate(data, path_class="gates").values
    assert int(gates["last_distance"]) == 19
    assert int(measured_decay_rate(data, path_class="direct").values["last_distance"]) == 24


def test_refusals():
    data = rra(KERNEL, LAGS, np.full((1, 3), 0.8), np.ones((1, 3)), 30)
    with pytest.raises(KeyError, match=r"no class of paths 'memory'; there are \['direct', 'short"):
        measured_decay_rate(data, path_class="memory")
    with pytest.raises(ValueError, match=r"at least two distances.*got 10:11"):
        measured_decay_rate(data, distances=(10, 11))
    with pytest.raises(ValueError, match=r"got 0:20 where it is there from 2 to 29"):
        measured_decay_rate(data, distances=(0, 20))
    with pytest.raises(ValueError, match="got 5:31"):
        measured_decay_rate(data, distances=(5, 31))
    with pytest.raises(KeyError, match="paths of LSTM, which has no shortcut"):
        predicted_decay_rate(paths(np.ones((1, 4, 2))))
    with pytest.raises(KeyError, match="has no shortcut"):
        predicted_shortcut_norm(paths(np.ones((1, 4, 2))))
