import json
import re

import numpy as np
import pytest
import xarray as xr

from attnviz.store import (
    TraceWriter,
    Truncation,
    make_plan,
    open_trace,
    pack_trace,
    save_trace,
    trace_digest,
)
from attnviz.trace import Trace, layer_groups, tokens
from tests.attnviz import traces
from tests.attnviz.store import blocks


def assert_same(found, expected):
    """Values, types, attributes, labels, and the order of groups and variables."""
    xr.testing.assert_identical(found.tree, expected.tree)
    assert list(found.tree.children) == list(expected.tree.children)
    for path, node in expected.tree.subtree_with_keys:
        opened = found.tree if path == "." else found.tree[path]
        for name, variable in node.variables.items():
            is_text = variable.dtype.kind in "UO"
            dtype = np.dtype(object) if is_text else variable.dtype
            assert opened.variables[name].dtype == dtype, (path, name)


@pytest.mark.parametrize("form", ["directory", "zip", "whole", "whole zip"])
def test_what_is_written_is_read(tmp_path, form):
    plan = blocks.plan_of()
    path = tmp_path / ("t.zip" if form.endswith("zip") else "t.zarr")
    if form.startswith("whole"):
        assert save_trace(blocks.whole(plan), path, block_size=4) == path
    else:
        writer = blocks.write(tmp_path / "t.zarr", plan)
        if form == "zip":
            pack_trace(writer.path, path)

    trace = open_trace(path)

    assert_same(trace, blocks.whole(plan))
    assert trace.path == path
    assert layer_groups(trace) == ["l0", "l0_reverse"]
    assert list(trace.tree["l0"].data_vars) == ["attention", "contribution", "lag_kernel"]
    assert [tokens(trace, row) for row in range(14)] == [
        blocks.tokens_of(row, length) for row, length in enumerate(plan.lengths)
    ]


@pytest.mark.parametrize("make", [traces.rra, traces.larnn, traces.gru, traces.rau])
def test_the_traces_of_all_cells(tmp_path, make):
    trace = make()
    save_trace(trace, tmp_path / "t.zarr")
    assert_same(open_trace(tmp_path / "t.zarr"), trace)


def test_an_opened_trace_can_be_saved_again(tmp_path):
    plan = blocks.plan_of()
    first = blocks.write(tmp_path / "a.zarr", plan).path
    save_trace(open_trace(first), tmp_path / "b.zarr", block_size=4)

    one, two = blocks.files_of(first), blocks.files_of(tmp_path / "b.zarr")
    differing = {name for name in one | two if one.get(name) != two.get(name)}
    assert differing == {"zarr.json"}  # the plan's batch size is not part of a trace
    assert_same(open_trace(tmp_path / "b.zarr"), blocks.whole(plan))


def test_what_stands_beyond_the_end_is_not_stored(tmp_path):
    plan = blocks.plan_of(5, block_size=5)
    tree = blocks.rows_tree(plan, 0, 5, beyond=99.0)
    TraceWriter(tmp_path / "t.zarr", plan, blocks.ATTRIBUTES).write(plan.blocks[0], tree)

    assert_same(open_trace(tmp_path / "t.zarr"), blocks.whole(plan))


def test_special_numbers_survive(tmp_path):
    values = np.array([[np.inf, -np.inf, -0.0, 5e-324], [np.nan, 1e308, 0.1, 3.0]])
    root = xr.Dataset(
        {
            "id": ("sequence", ["a", "b"]),
            "length": ("sequence", [4, 4]),
            "loss": (("sequence", "time"), values),
            "right": ("sequence", [True, False]),
            "big": ("sequence", np.array([2**63 - 1, -(2**63)])),
            "byte": ("sequence", np.array([255, 0], np.uint8)),
            "swapped": ("sequence", np.array([1.5, 2.5], ">f4")),
            "scalar": ((), 2.5),
        }
    )
    save_trace(Trace(xr.DataTree(root)), tmp_path / "t.zarr")

    found = open_trace(tmp_path / "t.zarr").tree
    assert found["loss"].values.tobytes() == values.tobytes()
    assert found["right"].values.tolist() == [True, False]
    assert found["big"].values.tolist() == [2**63 - 1, -(2**63)]
    assert found["byte"].dtype == np.uint8
    assert found["byte"].values.tolist() == [255, 0]
    assert found["swapped"].dtype == np.dtype("f4")
    assert found["swapped"].values.tolist() == [1.5, 2.5]
    assert found["scalar"].item() == 2.5


def test_attributes_survive_as_json(tmp_path):
    trace = traces.gru()
    trace.tree.attrs |= {"seed": np.int64(3), "nested": {"b": [1, None, "é"], "a": np.array([0.5])}}
    save_trace(trace, tmp_path / "t.zarr")

    attributes = open_trace(tmp_path / "t.zarr").tree.attrs
    assert attributes["seed"] == 3
    assert attributes["nested"] == {"b": [1, None, "é"], "a": [0.5]}


def test_the_plans_truncation_is_said(tmp_path):
    plan = make_plan(["a"], [9], truncation=Truncation("end", 4))
    root = xr.Dataset({"loss": (("sequence", "time"), np.arange(4.0)[None])})
    TraceWriter(tmp_path / "t.zarr", plan, {}).write(plan.blocks[0], xr.DataTree(root))

    trace = open_trace(tmp_path / "t.zarr")
    assert json.loads(trace.tree.attrs["truncation"]) == {"side": "end", "length": 4}
    assert trace.tree["id"].values.tolist() == ["a"]
    assert trace.tree["length"].values.tolist() == [4]


def test_half_stores_only_what_is_declared_bounded(tmp_path):
    plan = blocks.plan_of()
    blocks.write(tmp_path / "half.zarr", plan, half=True)
    blocks.write(tmp_path / "full.zarr", plan)
    half, full = (open_trace(tmp_path / f"{name}.zarr").tree for name in ("half", "full"))

    stored = {
        name: json.loads((tmp_path / f"half.zarr/l0/{name}/zarr.json").read_text())["data_type"]
        for name in ("attention", "contribution", "lag_kernel")
    }
    assert stored == {"attention": "float16", "contribution": "float32", "lag_kernel": "float64"}
    assert half["l0/attention"].dtype == np.float32
    expected = full["l0/attention"].values.astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(half["l0/attention"].values, expected)
    np.testing.assert_array_equal(half["l0/contribution"].values, full["l0/contribution"].values)
    # Widening keeps parts lazy and equal to the parts of the whole.
    part = half["l0/attention"].isel(sequence=[7, 2], time=3, lag=slice(None, None, -2))
    np.testing.assert_array_equal(part.values, expected[[7, 2], 3][..., ::-2])


def test_float16_is_widened_where_nothing_bounds_it(tmp_path):
    root = xr.Dataset(
        {
            "id": ("sequence", ["a"]),
            "length": ("sequence", [3]),
            "loss": (("sequence", "time"), np.array([[0.1, 2, 3]], np.float16)),
        }
    )
    save_trace(Trace(xr.DataTree(root)), tmp_path / "t.zarr", half=True)

    loss = open_trace(tmp_path / "t.zarr").tree["loss"]
    assert loss.dtype == np.float32
    assert loss.values.tolist() == root["loss"].values.astype(np.float32).tolist()


def test_half_refuses_values_out_of_range(tmp_path):
    trace = blocks.whole(blocks.plan_of(4))
    trace.tree["l0/attention"][2, 0, 1, 3] = 7e4
    with pytest.raises(ValueError, match=r"l0/attention is stored as float16 .* holds 70000"):
        save_trace(trace, tmp_path / "t.zarr", half=True)
    assert list(tmp_path.iterdir()) == []


def test_xarray_alone_reads_a_store(tmp_path):
    plan = blocks.plan_of()
    path = blocks.write(tmp_path / "t.zarr", plan).path
    opened = xr.open_datatree(path, engine="zarr", consolidated=False)

    expected = blocks.whole(plan).tree
    np.testing.assert_array_equal(opened["l0/attention"].values, expected["l0/attention"].values)
    assert list(opened["l0_reverse"].coords) == ["class", "unit_kind"]
    assert opened["text"].values.tolist() == expected["text"].values.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.assign(loss=("time", np.zeros(11))), "begin with sequence, then time"),
        (lambda t: t.assign(x=(("class", "sequence"), np.zeros((2, 14)))), "begin with sequence"),
        (lambda t: t.assign_coords(time=np.arange(11)), "labels 'time'. Drop it"),
        (lambda t: t.assign({"a b": ("sequence", np.zeros(14))}), "'a b'"),
        (lambda t: t.assign({"..": ("sequence", np.zeros(14))}), "'..'"),
        (lambda t: t.assign(x=("sequence", np.zeros(14, complex))), "x is of type complex128"),
        (lambda t: t.assign(x=("sequence", np.array([{}] * 14))), "x is of type object"),
        (lambda t: t.assign(x=("sequence", ["\ud800"] * 14)), "x holds text that is not Unicode"),
        (lambda t: t.assign(x=(("sequence", "none"), np.zeros((14, 0)))), "x has nothing in it"),
        (lambda t: t.assign_attrs(loss=float("nan")), "'loss' of the trace is 'nan'"),
        (lambda t: t.assign_attrs(model=open), "'model' of the trace"),
        (lambda t: t.assign_attrs(layout={}), "'layout' of the trace is the store's own"),
        (lambda t: t.drop_vars("id"), r"lacks \['id'\]"),
    ],
)
def test_refuses_what_a_store_cannot_hold(tmp_path, change, message):
    trace = blocks.whole(blocks.plan_of())
    trace.tree.dataset = change(trace.tree.to_dataset())

    with pytest.raises(ValueError, match=message):
        save_trace(trace, tmp_path / "t.zarr")
    assert list(tmp_path.iterdir()) == []


def test_refuses_attributes_that_change_decoding(tmp_path):
    trace = blocks.whole(blocks.plan_of())
    trace.tree["l0/attention"].attrs["scale_factor"] = 2.0
    with pytest.raises(ValueError, match=re.escape("['scale_factor'] of l0/attention")):
        save_trace(trace, tmp_path / "t.zarr")


@pytest.mark.parametrize("form", ["t.zarr", "t.zip"])
def test_never_writes_over_anything(tmp_path, form):
    (tmp_path / form).write_text("mine")
    with pytest.raises(FileExistsError, match="exists already"):
        save_trace(traces.gru(), tmp_path / form)
    assert (tmp_path / form).read_text() == "mine"


def test_the_digest_is_that_of_the_content(tmp_path):
    plan = blocks.plan_of()
    path = blocks.write(tmp_path / "t.zarr", plan).path
    pack_trace(path, tmp_path / "t.zip")
    save_trace(blocks.whole(plan), tmp_path / "other blocks.zarr", block_size=3)
    opened = open_trace(path)

    digest = trace_digest(blocks.whole(plan))
    assert len(digest) == 64
    assert trace_digest(path) == trace_digest(str(path)) == trace_digest(opened) == digest
    assert trace_digest(tmp_path / "t.zip") == digest
    assert trace_digest(tmp_path / "other blocks.zarr") == digest
    assert trace_digest(Trace(opened.tree)) == digest


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t["l0/attention"].values.__setitem__((13, 0, 2, 4), 0.5),
        lambda t: t["l0/lag_kernel"].values.__setitem__((0, 0), 0.5),
        lambda t: t["text"].values.__setitem__(3, "another text"),
        lambda t: t["id"].values.__setitem__(3, "another"),
        lambda t: t.attrs.__setitem__("seed", 8),
        lambda t: t["l0"].attrs.__setitem__("direction", -1),
        lambda t: t["l0/attention"].attrs.__setitem__("a", 1.25),
    ],
)
def test_the_digest_tells_contents_apart(change):
    plan = blocks.plan_of()
    trace = blocks.whole(plan)
    before = trace_digest(trace)
    change(trace.tree)
    assert trace_digest(trace) != before


def test_the_digest_of_half_is_that_of_what_is_read(tmp_path):
    plan = blocks.plan_of()
    path = blocks.write(tmp_path / "t.zarr", plan, half=True).path

    assert trace_digest(path) == trace_digest(Trace(open_trace(path).tree))
    assert trace_digest(path) != trace_digest(blocks.whole(plan))
