import numpy as np
import pytest
import torch

import attnviz
import cells

pytestmark = pytest.mark.usefixtures("double_precision")


def recorded(layer, x, lengths, **options):
    with attnviz.record(layer, **options) as recording:
        output, _ = layer(x, lengths=lengths)
        (output**2).sum().backward()
    return recording.trace


def test_routes_stand_in_the_trace_by_name_and_lag():
    torch.manual_seed(1)
    layer = cells.RRA(3, 5, 2, window=3, bidirectional=True).eval()
    trace = recorded(layer, torch.randn(7, 4, 3), [7, 2, 5, 1], gradients="exits")
    assert attnviz.layer_groups(trace) == ["l0", "l0_reverse", "l1", "l1_reverse"]
    for group in attnviz.layer_groups(trace):
        data = trace.tree[group].dataset
        names = list(data["hidden_route"].values)
        assert names == [
            entry.label for entry in cells.route_entries(layer.groups[group], "hidden")
        ]
        assert list(data["hidden_route_lag"].values) == [0, 0, 0, 2, 3, 4, 0]
        assert list(data["hidden_route_kind"].values)[3:6] == ["shortcut"] * 3
        assert data["memory_route_norm"].dims == ("sequence", "time", "memory_route")
        assert data["input_route_projection"].shape == (4, 7, 6)
        share = data["hidden_route_projection"].sum("hidden_route", skipna=False)
        there = np.arange(7) < np.array([[7], [2], [5], [1]])
        np.testing.assert_allclose(
            share.values[there], data["hidden_gradient_norm"].values[there], rtol=1e-10
        )
        assert np.isnan(share.values[~there]).all()
        assert float(data["hidden_route_residual"].max()) < 1e-12


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        (False, set()),
        ("norms", {"hidden_gradient_norm"}),
        (True, {"hidden_gradient_norm", "hidden_route_norm", "hidden_cancellation"}),
        ("exits", {"hidden_gradient_norm", "hidden_route_norm", "input_route_norm"}),
    ],
)
def test_what_is_asked_for_is_recorded(asked, held):
    layer = cells.GRU(3, 4).eval()
    trace = recorded(layer, torch.randn(5, 2, 3), [5, 3], gradients=asked)
    variables = set(map(str, trace.tree["l0"].data_vars))
    assert held <= variables
    assert ("input_route_norm" in variables) is (asked == "exits")
    assert any("route" in name for name in variables) is (asked in (True, "exits"))


def test_a_mean_loss_scales_norms_and_no_ratios():
    layer = cells.GRU(3, 4).eval()
    x = torch.randn(5, 6, 3)
    traces = []
    for reduction in ("sum", "mean"):
        with attnviz.record(layer, loss_reduction=reduction) as recording:
            loss = (layer(x)[0] ** 2).sum()
            (loss / 6 if reduction == "mean" else loss).backward()
        traces.append(recording.trace.tree["l0"].dataset)
    for name in traces[0].data_vars:
        if "residual" not in str(name):
            np.testing.assert_allclose(traces[1][name], traces[0][name], rtol=1e-10)


def test_another_choice_is_refused(unchecked):
    with pytest.raises(ValueError, match=r"'norms', 'routes', 'exits'.*got 'all'"):
        attnviz.record(cells.GRU(3, 4), gradients="all")


def test_a_store_keeps_the_routes(tmp_path):
    layer = cells.RRA(3, 5, window=2).eval()
    trace = recorded(layer, torch.randn(6, 2, 3), [6, 4], gradients="exits")
    attnviz.save_trace(trace, tmp_path / "t.zarr")
    back = attnviz.open_trace(tmp_path / "t.zarr")
    for name, values in trace.tree["l0"].dataset.variables.items():
        np.testing.assert_array_equal(back.tree["l0"].dataset[name].values, values.values)


def test_a_backward_that_comes_too_late_is_said():
    layer, traces = cells.GRU(3, 4).eval(), []
    with attnviz.record(layer, sink=traces.append):
        first, _ = layer(torch.randn(5, 2, 3))
        second, _ = layer(torch.randn(5, 2, 3))
        with pytest.warns(UserWarning, match="came too late to be recorded"):
            first.sum().backward()
        second.sum().backward()
    held = ["hidden_gradient_norm" in trace.tree["l0"].data_vars for trace in traces]
    assert held == [False, True]
    with attnviz.record(layer):
        output, _ = layer(torch.randn(5, 2, 3))
    with pytest.warns(UserWarning, match="after the `with` block"):
        output.sum().backward()
