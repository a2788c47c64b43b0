import dataclasses

import numpy as np
import pytest
import xarray as xr

from attnviz.trace import (
    SOURCE_INITIAL,
    SOURCE_MISSING,
    SOURCE_REAL,
    Trace,
    group_for,
    layer_groups,
    sequence_count,
    sequence_length,
    signal,
    source_kind,
    tokens,
)

R, I, M = SOURCE_REAL, SOURCE_INITIAL, SOURCE_MISSING  # noqa: E741
TEXT = "naïve 😀  film"


def trace_of(*, history=(0, 2, 0), span=True):
    """Three sequences, the last never recorded; two directions of one layer, and effects."""
    root = xr.Dataset(
        {
            "length": ("sequence", np.array([4, 3, -1], np.int32)),
            "text": ("sequence", np.array([TEXT, "", ""], dtype=object)),
        },
        attrs={"model": "made up"},
    )
    if history is not None:
        root["history"] = ("sequence", np.array(history, np.int32))
    if span:
        spans = np.full((3, 4, 2), -1, np.int32)
        spans[0] = [[0, 5], [6, 7], [8, 8], [9, 13]]
        spans[1, :3] = 0
        root["span"] = (("sequence", "time", "edge"), spans)
    attention = np.arange(3 * 4 * 1 * 3.0).reshape(3, 4, 1, 3)
    axes = ("sequence", "time", "head", "lag")
    forward = xr.Dataset({"attention": (axes, attention)}, {"lag": [1, 2, 4]}, {"direction": 1})
    hidden = xr.Dataset({"hidden": (("sequence", "time", "unit"), np.zeros((3, 4, 7)))})
    reverse = forward.assign(attention=-forward["attention"]).assign_attrs(direction=-1)
    second = hidden.assign_attrs(direction=1)
    effects = xr.Dataset({"lag ablated": ("lag", np.zeros(3))})
    groups = {"l0": forward, "l0_reverse": reverse, "l1": second, "effects": effects}
    return Trace(xr.DataTree.from_dict({"/": root, **groups}))


def test_layers_are_the_groups_with_a_direction_in_order():
    assert layer_groups(trace_of()) == ["l0", "l0_reverse", "l1"]


def test_a_signal_of_the_first_layer_that_holds_it():
    trace = trace_of()

    assert signal(trace, "attention").values[2, 3, 0, 2] == 35
    assert signal(trace, "attention", "l0_reverse").values[2, 3, 0, 2] == -35
    assert signal(trace, "attention").name == "attention"
    assert signal(trace, "hidden").sizes == {"sequence": 3, "time": 4, "unit": 7}
    assert group_for(trace, "hidden") == "l1"


@pytest.mark.parametrize(
    ("name", "group", "message"),
    [
        ("atention", None, "no 'atention' in any layer; it holds .*'l0': .'attention'"),
        ("hidden", "l0", "no 'hidden' in l0"),
        ("attention", "l7", "no layer 'l7'; it has .'l0', 'l0_reverse', 'l1'"),
        ("lag ablated", "effects", "no layer 'effects'"),
    ],
)
def test_a_signal_that_is_not_there(name, group, message):
    with pytest.raises(KeyError, match=message):
        signal(trace_of(), name, group)


def test_tokens_are_slices_of_the_text():
    assert tokens(trace_of(), 0) == ["naïve", "😀", "", "film"]
    assert tokens(trace_of(), 1) == ["", "", ""]
    assert tokens(trace_of(), -3) == ["naïve", "😀", "", "film"]


def test_timesteps_are_numbered_where_there_is_no_text():
    assert tokens(trace_of(span=False), 1) == ["0", "1", "2"]


def test_lengths_and_count():
    trace = trace_of()
    assert sequence_count(trace) == 3
    assert [sequence_length(trace, sequence) for sequence in (0, 1, -2)] == [4, 3, 3]
    assert sequence_count(Trace(xr.DataTree())) == 0


@pytest.mark.parametrize(
    ("sequence", "message"),
    [
        (3, "holds 3 sequences, numbered 0 to 2, and has no sequence 3"),
        (-4, "has no sequence -4"),
        (2, "Sequence 2 was planned but not recorded"),
    ],
)
def test_sequences_that_do_not_exist(sequence, message):
    for function in (sequence_length, tokens):
        with pytest.raises(IndexError, match=message):
            function(trace_of(), sequence)


def test_source_kind_forward():
    kind = source_kind(trace_of(), "l0", 0)

    assert kind.dims == ("time", "lag")
    assert kind.dtype == np.uint8
    assert kind["lag"].values.tolist() == [1, 2, 4]
    assert kind.values.tolist() == [[I, M, M], [R, I, M], [R, R, M], [R, R, I]]


def test_source_kind_counts_from_the_end_in_a_reverse_layer():
    kind = source_kind(trace_of(), "l0_reverse", 0)
    assert kind.values.tolist() == [[R, R, I], [R, R, M], [R, I, M], [I, M, M]]


def test_history_shifts_what_is_reachable():
    kind = source_kind(trace_of(), "l0", 1)
    assert kind.values.tolist() == [[R, R, M], [R, R, I], [R, R, R]]
    kind = source_kind(trace_of(history=None), "l0", 1)
    assert kind.values.tolist() == [[I, M, M], [R, I, M], [R, R, M]]


def test_a_trace_says_what_it_holds():
    assert repr(trace_of()) == (
        "Trace of 3 sequences, made up\n  l0: attention\n  l0_reverse: attention\n  l1: hidden"
    )


def test_a_trace_cannot_be_rebound():
    with pytest.raises(dataclasses.FrozenInstanceError):
        trace_of().path = None
