import numpy as np
import pytest
import xarray as xr

from attnviz.analysis import flow
from attnviz.trace import Trace

ROUTES = ["output", "gates", "shortcut 2", "shortcut 3"]


def made(vectors, *, lengths, direction=1, place="hidden"):
    """A trace of routes from their vectors (sequence, time, route, unit)."""
    vectors = np.array(vectors, float)
    for row, length in enumerate(lengths):
        vectors[row, length:] = np.nan
    total = vectors.sum(axis=2)
    norm = np.linalg.norm(total, axis=-1)
    norms = np.linalg.norm(vectors, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        projection = (vectors * total[:, :, None]).sum(axis=-1) / norm[..., None]
        cancellation = norms.sum(axis=-1) / norm
    axis = f"{place}_route"
    data = xr.Dataset(
        {
            f"{place}_gradient_norm": (("sequence", "time"), norm),
            f"{place}_route_norm": (("sequence", "time", axis), norms),
            f"{place}_route_projection": (("sequence", "time", axis), projection),
            f"{place}_cancellation": (("sequence", "time"), cancellation),
            f"{place}_route_residual": (("sequence", "time"), 0 * norm + 1e-7),
        },
        coords={
            axis: np.array(ROUTES, dtype=object),
            f"{axis}_kind": (axis, np.array([r.split()[0] for r in ROUTES], dtype=object)),
            f"{axis}_lag": (axis, np.array([0, 0, 2, 3])),
        },
        attrs={"direction": direction, "cell": "RRA"},
    )
    tree = xr.DataTree(
        xr.Dataset(
            {
                "id": ("sequence", np.array([str(n) for n in range(len(lengths))], dtype=object)),
                "length": ("sequence", np.array(lengths)),
            }
        ),
        children={"l0": xr.DataTree(data)},
    )
    tree.attrs = {"cell": "RRA", "model": "hand"}
    return Trace(tree)


@pytest.fixture
def vectors():
    return np.random.default_rng(3).normal(size=(3, 5, 4, 2))


def test_shares_by_hand():
    # One timestep: routes (3, 0), (0, 4), (1, 0) and (0, -2) add up to (4, 2).
    trace = made([[[[3, 0], [0, 4], [1, 0], [0, -2]]]], lengths=[1])
    share = flow.route_share(trace, place="hidden").values
    assert share.dims == ("sequence", "time", "route")
    np.testing.assert_allclose(share[0, 0], [12 / 20, 8 / 20, 4 / 20, -4 / 20])
    kappa = flow.route_cancellation(trace, place="hidden").values
    np.testing.assert_allclose(kappa[0, 0], 10 / np.sqrt(20))
    lagged = flow.shortcut_share(trace).values
    assert list(lagged["lag"].values) == [2, 3]
    np.testing.assert_allclose(lagged[0, 0], [4 / 20, -4 / 20])


def test_shares_sum_to_one_and_do_not_depend_on_the_scale(vectors):
    share = flow.route_share(made(vectors, lengths=[5, 3, 4]), place="hidden").values
    total = share.sum("route", skipna=False).values
    assert np.isnan(total[1, 3:]).all() and np.isnan(total[2, 4:]).all()
    np.testing.assert_allclose(total[np.isfinite(total)], 1.0)
    tiny = flow.route_share(made(vectors * 1e-30, lengths=[5, 3, 4]), place="hidden").values
    np.testing.assert_allclose(tiny, share)


def test_by_distance_sequences_are_aligned_at_their_ends_and_summed(vectors):
    lengths = [5, 3, 4]
    found = flow.route_share_by_distance(made(vectors, lengths=lengths), place="hidden")
    assert found.values.dims == ("distance", "route") and found.values.shape == (5, 4)
    for distance in range(5):
        top, bottom = np.zeros(4), 0.0
        for row, length in enumerate(lengths):
            if distance < length:
                parts = vectors[row, length - 1 - distance]
                total = parts.sum(axis=0)
                top += parts @ total
                bottom += total @ total
        np.testing.assert_allclose(found.values[distance], top / bottom)
    assert found.uncertainty.dims == ("distance", "route", "end")
    assert "3 sequences" in found.uncertainty_of

    norm = flow.route_norm_by_distance(made(vectors, lengths=lengths), place="hidden").values
    assert list(norm["route"].values) == ["all", *ROUTES]
    ends = [np.linalg.norm(vectors[row, n - 1].sum(axis=0)) for row, n in enumerate(lengths)]
    at_three = [
        np.linalg.norm(vectors[row, n - 4].sum(axis=0)) for row, n in enumerate(lengths) if n > 3
    ]
    expected = sum(at_three) / (ends[0] + ends[2])
    np.testing.assert_allclose(norm.sel(distance=3, route="all"), expected)


def test_a_reverse_direction_ends_at_the_first_timestep(vectors):
    forward = flow.route_norm_by_distance(made(vectors, lengths=[5, 3, 4]), place="hidden").values
    turned = vectors.copy()
    for row, length in enumerate([5, 3, 4]):
        turned[row, :length] = vectors[row, :length][::-1]
    backward = made(turned, lengths=[5, 3, 4], direction=-1)
    found = flow.route_norm_by_distance(backward, place="hidden").values
    np.testing.assert_allclose(found, forward)


def test_where_no_gradient_arrives_there_is_no_share(vectors):
    vectors[0, 2] = 0.0
    trace = made(vectors, lengths=[5, 5, 5])
    share = flow.route_share(trace, place="hidden").values
    assert np.isnan(share[0, 2]).all() and np.isfinite(share[1, 2]).all()
    assert np.isfinite(flow.route_share_by_distance(trace, place="hidden").values).all()


def test_one_sequence_has_no_interval(vectors):
    found = flow.route_share_by_distance(made(vectors[:1], lengths=[5]), place="hidden")
    assert found.uncertainty is None and found.uncertainty_of == ""


def test_the_largest_residual(vectors):
    assert flow.largest_route_residual(made(vectors, lengths=[5, 3, 4])) == pytest.approx(1e-7)


def test_what_was_not_recorded_is_refused_with_what_to_do(vectors):
    trace = made(vectors, lengths=[5, 3, 4])
    with pytest.raises(KeyError, match=r"'input_route_projection'.*gradients='exits'"):
        flow.route_share(trace)
    with pytest.raises(KeyError, match=r"'memory_gradient_norm'.*gradients='norms'"):
        flow.gradient_norm(trace, place="memory")
    with pytest.raises(KeyError, match=r"no route 'attention_value' with lags, but \['shortcut'\]"):
        flow.shortcut_share(trace, route="attention_value")
    for asked in (flow.shortcut_share, flow.gradient_norm):
        with pytest.raises(KeyError, match="no layer 'l7'"):
            asked(trace, group="l7")
    with pytest.raises(KeyError, match=r"'hidden_route_projection'.*gradients='routes'"):
        flow.shortcut_share(made(vectors, lengths=[5, 3, 4], place="input"))
    trace.tree["l0"] = trace.tree["l0"].dataset.assign_coords(
        hidden_route_lag=("hidden_route", [0, 0, 0, 0])
    )
    with pytest.raises(KeyError, match="nor another: none of the cell's routes has lags"):
        flow.shortcut_share(trace)
