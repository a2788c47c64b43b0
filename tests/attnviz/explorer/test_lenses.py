import numpy as np
import pytest
import torch

from attnviz import record_texts, replacement_influence, signal
from attnviz.analysis import one_sequence
from attnviz.explorer.lenses import influence_lens, lenses
from tests.attnviz import traces
from tests.attnviz.explorer.subjects import (
    REFERENCE,
    SHORT,
    TEXT,
    gru,
    ids_of,
    larnn,
    lstm,
    named,
    names,
    rau,
    rra,
)


def lenses_of(model, texts=(SHORT, TEXT), sequence=1, group="l0", **how):
    """The lenses of one of several texts, and the whole trace."""
    trace = record_texts(model, list(texts), keep="all", gradients=False)
    return lenses(one_sequence(trace, sequence), group, **how), trace


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (rra, ["attention", "contribution", "gate_attention"]),
        (larnn, ["attention", "contribution"]),
        (rau, ["gate_attention", "feature_attention"]),
        (gru, ["gate_attention"]),
        (lstm, ["gate_attention"]),
    ],
)
def test_each_cell_has_its_lenses(make, expected):
    found, _ = lenses_of(make())

    assert names(found) == expected
    assert {lens.axis for lens in found} <= {"lag", "age", "feature"}
    for lens in found:
        assert lens.values.dtype == np.float32
        assert lens.says.endswith(".") and lens.unit and lens.label


@pytest.mark.parametrize("make", [rra, larnn])
@pytest.mark.parametrize("name", ["attention", "contribution"])
@pytest.mark.parametrize(("sequence", "length"), [(0, 5), (1, 13)])
def test_attention_and_contribution_are_those_of_the_trace(make, name, sequence, length):
    found, trace = lenses_of(make(), sequence=sequence)
    lens, held = named(found, name), signal(trace, name)

    assert lens.sources == held["lag"].values.tolist()
    assert lens.values.shape == (held.sizes["head"], length, held.sizes["lag"])
    for head in range(held.sizes["head"]):
        for lag in lens.sources:
            line = held.sel(lag=lag).isel(sequence=sequence, head=head).values[:length]
            column = lens.sources.index(lag)
            np.testing.assert_array_equal(lens.values[head, :, column], line.astype(np.float32))


@torch.no_grad()
def test_the_contribution_of_rra_is_the_weight_times_the_norm_of_the_state():
    model = rra()
    found, _ = lenses_of(model)
    states = model.read(model.embedding(ids_of(model, TEXT)), None)[0].norm(dim=-1).numpy()
    weights = model.layer.groups["l0"].lag_kernel().abs().numpy()

    lens = named(found, "contribution")
    for timestep in range(13):
        for column, lag in enumerate(lens.sources):
            there = states[timestep - lag] if timestep >= lag else 0.0
            expected = pytest.approx(weights[column] * there, abs=1e-7)
            assert lens.values[0, timestep, column] == expected


@pytest.mark.parametrize(("make", "gate"), [(gru, "update_gate"), (rau, "update_gate")])
def test_gate_attention_by_a_loop_and_its_parts_sum_to_one(make, gate):
    found, trace = lenses_of(make())
    lens = named(found, "gate_attention")
    by_age, beyond, initial = traces.gates(signal(trace, gate).values[1], 10)

    assert lens.axis == "age" and lens.sources == list(range(10))
    np.testing.assert_allclose(lens.values[0], by_age, atol=1e-7)
    older, left = lens.extras
    assert (older.label, left.label) == (
        "written more than 9 steps ago",
        "left of the initial state",
    )
    np.testing.assert_allclose(older.values, beyond, atol=1e-7)
    np.testing.assert_allclose(left.values, initial, atol=1e-7)
    assert older.values[9] == 0 and older.values[10] > 0 and left.values[0] > older.values[0]
    total = lens.values[0].sum(axis=-1) + older.values + left.values
    np.testing.assert_allclose(total, 1, atol=1e-6)


@pytest.mark.parametrize("make", [lstm, rra])
def test_gate_attention_of_a_memory_by_a_loop(make):
    found, trace = lenses_of(make())
    write, keep = (signal(trace, f"{name}_gate").values[1] for name in ("input", "forget"))
    lens = named(found, "gate_attention")

    for timestep in range(13):
        carried, parts = np.ones(4), []
        for age in range(timestep + 1):
            parts.append((write[timestep - age] * carried).mean())
            carried = carried * keep[timestep - age]
        count = min(timestep + 1, 10)
        np.testing.assert_allclose(lens.values[0, timestep, :count], parts[:10], atol=1e-7)
        assert lens.extras[0].values[timestep] == pytest.approx(sum(parts[10:]), abs=1e-7)
        assert lens.extras[1].values[timestep] == pytest.approx(carried.mean(), abs=1e-7)


def test_feature_attention_is_in_multiples_of_uniform():
    found, trace = lenses_of(rau())
    lens, held = named(found, "feature_attention"), signal(trace, "feature_attention")

    assert lens.axis == "feature" and lens.sources == [0, 1, 2, 3, 4, 5, 6]
    assert list(lens.kinds) == ["input"] * 3 + ["hidden"] * 4
    np.testing.assert_array_equal(lens.values[0], (7 * held.values[1]).astype(np.float32))
    np.testing.assert_allclose(lens.values[0].sum(axis=-1), 7, atol=1e-5)


def test_the_weights_as_they_were_used_stand_in_for_the_weights_under_an_edit():
    model = larnn()
    model.layer.path = "step"
    with model.layer.register_edit(lambda weights, values, at: (0.5 * weights, values)):
        plain, _ = lenses_of(model)
        used, _ = lenses_of(model, used=True)

    one, other = named(plain, "attention"), named(used, "attention")
    np.testing.assert_allclose(other.values, 0.5 * one.values, rtol=1e-6)
    assert one.values.max() > 0.3
    assert one.says != other.says
    unedited, _ = lenses_of(gru(), used=True)
    assert names(unedited) == ["gate_attention"]


def test_every_layer_and_direction_has_its_own():
    model = rra(num_layers=2, bidirectional=True)
    for group in ("l0", "l0_reverse", "l1", "l1_reverse"):
        found, trace = lenses_of(model, group=group)
        held = signal(trace, "contribution", group).values[1].transpose(1, 0, 2)
        np.testing.assert_array_equal(named(found, "contribution").values, held.astype(np.float32))


def test_influence_has_rows_for_the_timesteps_that_were_measured():
    measured = replacement_influence(gru(), [TEXT], reference=REFERENCE, at=[4, 9])
    lens = influence_lens(measured)

    assert (lens.name, lens.axis, lens.at) == ("influence", "lag", [4, 9])
    assert lens.sources == list(range(10))
    held = measured["influence"].values[0].astype(np.float32)
    np.testing.assert_array_equal(lens.values[0], held)
    assert np.isfinite(lens.values[0, 0, :5]).all() and np.isnan(lens.values[0, 0, 5:]).all()
    empty = influence_lens(None)
    assert (empty.at, list(empty.sources), empty.values.shape) == ([], [], (1, 0, 0))
