import numpy as np
import pytest
from numpy.testing import assert_allclose

from attnviz.analysis import contribution_norm, contribution_share
from tests.attnviz import traces


def test_share_by_hand():
    norms = np.array([[[[0.0, 0.0]], [[3.0, 0.0]], [[1.0, 3.0]]]])
    trace = traces.small(np.zeros((1, 3, 1, 2)), [1, 2], contribution=norms)

    shares = contribution_share(trace).values

    assert shares.dims == ("sequence", "time", "head", "lag")
    assert_allclose(shares.values[0, :, 0], [[np.nan, np.nan], [1, 0], [0.25, 0.75]])


def test_norms_are_as_recorded():
    trace = traces.rra()

    recorded = trace.tree["l0"]["contribution"].values
    assert_allclose(contribution_norm(trace).values.values, recorded, rtol=0)


def test_share_does_not_change_with_scale():
    norms = np.random.default_rng(0).gamma(1.0, 1.0, (2, 4, 3, 5))
    one = traces.small(np.zeros(norms.shape), range(1, 6), contribution=norms)
    two = traces.small(np.zeros(norms.shape), range(1, 6), contribution=7 * norms)

    one, two = contribution_share(one).values, contribution_share(two).values
    assert_allclose(one.values, two.values, rtol=1e-6)
    assert_allclose(one.sum("lag").values, 1, rtol=1e-12)


def test_no_contribution_is_refused():
    with pytest.raises(KeyError, match="holds no 'contribution'"):
        contribution_norm(traces.gru())
