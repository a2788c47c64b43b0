import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from attnviz.analysis import (
    gate_attention,
    gate_attention_beyond,
    gate_attention_initial,
    gate_attention_parts,
    gate_attention_residual,
)
from tests.attnviz import traces


def test_the_synthetic_gates_by_hand():
    update = np.array([[0.5], [0.25], [0.5]])

    by_age, beyond, initial = traces.gates(update, ages=2)

    assert_allclose(by_age, [[0.5, 0], [0.25, 0.375], [0.5, 0.125]])
    assert_allclose(beyond, [0, 0, 0.1875])
    assert_allclose(initial, [0.5, 0.375, 0.1875])


def test_ages_beyond_and_initial_sum_to_one_for_a_gru():
    trace = traces.gru()

    total = (
        gate_attention(trace).values.sum("age", skipna=False)
        + gate_attention_beyond(trace).values
        + gate_attention_initial(trace).values
    )

    assert_allclose(total.values[0], 1, rtol=1e-6)
    assert_allclose(total.values[1, :19], 1, rtol=1e-6)
    assert np.isnan(total.values[1, 19:]).all()


def test_parts_stand_side_by_side():
    trace = traces.gru()

    parts = gate_attention_parts(trace)

    assert parts.values.dims == ("sequence", "time", "part")
    assert parts.values["part"].values.tolist() == [*"01234567", "beyond", "initial"]
    beyond = gate_attention_beyond(trace).values.values
    assert_array_equal(parts.values.sel(part="beyond").values, beyond)
    ages = gate_attention(trace).values.values
    assert_array_equal(parts.values.values[..., :8], ages)


def test_residual_is_the_largest_of_each_sequence():
    trace = traces.gru()

    residual = gate_attention_residual(trace).values

    recorded = trace.tree["l0"]["gate_attention_residual"].values
    assert residual.dims == ("sequence",)
    assert_allclose(residual.values, [recorded[0].max(), recorded[1, :19].max()], rtol=0)


def test_no_gate_attention_is_refused():
    with pytest.raises(KeyError, match="gate_attention"):
        gate_attention_parts(traces.larnn())
