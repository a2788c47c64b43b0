import numpy as np
import pytest
import torch
from torch.testing import assert_close

from cells import LSTM, Chrono, LSTMState
from tests.cells.helpers import EXACT, assert_row, lstm_parameters, numpy, ragged, randomise, read
from tests.reference.lstm import lstm


@pytest.mark.parametrize("seed", range(20))
def test_matches_the_equations(seed, device):
    choose = np.random.default_rng(seed).choice
    features, units = int(choose([1, 2, 3, 5])), int(choose([1, 2, 3, 7]))
    longest, batch = int(choose([1, 4, 9])), int(choose([1, 2, 4]))
    forget_bias = [0.0, 3.0, Chrono(20)][choose(3)]
    torch.manual_seed(seed)
    layer = LSTM(features, units, bias=bool(seed % 3), forget_bias=forget_bias, device=device)
    if seed % 2:
        randomise(layer)
    x, lengths = ragged(longest, batch, features)
    state = (
        LSTMState(
            torch.randn(batch, units, device=device), torch.randn(batch, units, device=device)
        ),
    )

    output, final, seen = read(layer, x.to(device), lengths=lengths, state=state)

    for row, length in enumerate(lengths.tolist()):
        expected = lstm(
            numpy(x)[:length, row],
            **lstm_parameters(layer.groups["l0"]),
            h=numpy(state[0].hidden)[row],
            c=numpy(state[0].memory)[row],
        )
        assert_row(seen["l0"], row, length, expected)
        np.testing.assert_allclose(numpy(output)[:length, row], expected["hidden"], **EXACT)
        np.testing.assert_allclose(numpy(final[0].hidden)[row], expected["hidden"][-1], **EXACT)
        np.testing.assert_allclose(numpy(final[0].memory)[row], expected["memory"][-1], **EXACT)


def test_counts_its_parameters():
    features, units = 3, 5

    sizes = [
        sum(p.numel() for p in LSTM(features, units, bias=bias).parameters())
        for bias in (True, False)
    ]

    assert sizes == [4 * units * (features + units + 1), 4 * units * (features + units)]


def test_forget_bias_is_a_number_or_drawn_for_long_dependencies():
    biases = LSTM(2, 3, forget_bias=3.0).groups["l0"].gates.from_input.bias.chunk(4)
    assert [bias.tolist() for bias in biases] == [[0] * 3, [3] * 3, [0] * 3, [0] * 3]

    i, f, o, g = LSTM(2, 500, forget_bias=Chrono(90)).groups["l0"].gates.from_input.bias.chunk(4)
    assert_close(i, -f, rtol=0, atol=0)
    assert 1 <= f.exp().min() < 3 and 86 < f.exp().max() <= 89
    assert not o.any() and not g.any()


def test_a_chrono_bias_needs_dependencies_longer_than_two_steps():
    with pytest.raises(ValueError, match="longest dependency of at least 3, got 2"):
        LSTM(2, 3, forget_bias=Chrono(2))


def test_recurrent_weights_begin_orthogonal_gate_by_gate():
    gates = LSTM(2, 5).groups["l0"].gates
    for block in (*gates.gates_from_hidden.weight.chunk(3), gates.candidate_from_hidden.weight):
        assert_close(block @ block.T, torch.eye(5), **EXACT)
