import numpy as np
import pytest
from numpy.testing import assert_allclose

from attnviz.analysis.path_classes import (
    class_cancellation,
    class_norm,
    class_share,
    gradient_norm_by_distance,
    largest_residual,
    same_sequences,
)
from tests.attnviz.path_data import paths

NORMS = [[[4, 0], [1, 2], [0, 3]], [[2, 0], [1, 1], [np.nan, np.nan]]]


def test_norms_are_in_units_of_the_gradient_at_distance_0():
    statistic = class_norm(paths(NORMS))

    assert statistic.values.dims == ("distance", "path_class")
    # At distance 2 only the first sequence is left.
    assert_allclose(statistic.values, [[1, 0], [2 / 6, 3 / 6], [0, 3 / 4]])
    assert_allclose(statistic.uncertainty.sel(distance=1, path_class="gates"), [0.5, 0.5])
    assert np.isnan(statistic.uncertainty.sel(distance=2)).all()
    assert statistic.uncertainty_of == "95 % bootstrap interval over 2 sequences"
    assert "at x" in statistic.name and statistic.unit == "of the whole at distance 0"
    whole = gradient_norm_by_distance(paths(NORMS), place="hidden")
    assert_allclose(whole.values, [1, 5 / 6, 3 / 4])
    assert "at h" in whole.name


def test_shares_weigh_sequences_by_their_squared_gradient():
    shares = [[[1.0, 0.0], [1.5, -0.5]], [[1.0, 0.0], [0.25, 0.75]]]

    statistic = class_share(paths([[[3, 0], [3, 1]], [[2, 0], [0, 2]]], shares=shares))

    # Squared norms at distance 1: 16 and 4.
    assert_allclose(statistic.values.sel(distance=1), [(16 * 1.5 + 1) / 20, (-8 + 3) / 20])
    assert_allclose(statistic.values.sum("path_class"), 1)
    assert statistic.bounds is None


def test_shares_of_gradients_whose_squares_underflow():
    norms = np.array([[[3, 0], [3, 1]], [[2, 0], [0, 2]]], float)

    tiny = class_share(paths(1e-200 * norms))

    assert_allclose(tiny.values, class_share(paths(norms)).values, rtol=1e-12)


def test_no_share_where_nothing_arrives():
    assert np.isnan(class_share(paths([[[1, 1], [0, 0]]])).values.sel(distance=1)).all()


def test_cancellation():
    statistic = class_cancellation(
        paths([[[2, 2], [3, 3]], [[1, 1], [1, 3]]], whole=[[2, 4], [2, 1]])
    )

    assert_allclose(statistic.values, [6 / 4, 10 / 5])
    assert statistic.bounds == (1, np.inf)


def test_the_order_of_sequences_does_not_matter():
    data = paths(NORMS)

    turned = class_norm(data.isel(sequence=[1, 0]))

    assert_allclose(turned.values, class_norm(data).values)


def test_residual_and_refusal():
    assert largest_residual(paths(NORMS)) == 3e-16
    gru = paths(NORMS, cell="GRU").drop_vars([f"memory_{n}" for n in ("class_norm", "residual")])
    with pytest.raises(KeyError, match=r"paths of GRU hold no 'memory_class_norm'.*'input'"):
        class_norm(gru, place="memory")


def test_a_single_timestep_has_no_distance_to_follow_the_gradient_over():
    norms = np.full((2, 3, 2), np.nan)
    norms[0, 0], norms[1] = 1.0, 2.0
    with pytest.raises(ValueError, match="half of the sequences or more have a single timestep"):
        same_sequences(paths(norms))


@pytest.mark.parametrize(("ends", "kept", "shared"), [([6, 2, 4, 9], [0, 2, 3], 4), ([5], [0], 5)])
def test_all_distances_are_of_the_same_sequences(ends, kept, shared):
    norms = np.ones((len(ends), 10, 2)) * np.arange(1, len(ends) + 1)[:, None, None]
    for row, end in enumerate(ends):
        norms[row, end + 1 :] = np.nan

    part = same_sequences(paths(norms))

    assert part.sizes["distance"] == shared + 1 and part.attrs["sequences_given"] == len(ends)
    assert_allclose(part["input_class_norm"], norms[kept, : shared + 1])
    assert_allclose(gradient_norm_by_distance(part).values, 1)
    assert same_sequences(part).identical(part)
