import numpy as np
import pytest
import torch
from torch.testing import assert_close

from cells import LSTM, RRA, Chrono, RRACell, RRAState
from cells.walk import map_state
from tests.cells.helpers import (
    EXACT,
    assert_row,
    lstm_parameters,
    numpy,
    ragged,
    randomise,
    read,
)
from tests.reference.rra import rra

SEEDS = range(32)


def carried(cell, history):
    """A state that has seen so many steps, row by row; what it has not seen is zero."""
    batch, units, reach = len(history), cell.hidden_size, cell.lags[-1]
    past = torch.randn(batch, reach, units)
    past *= (torch.arange(reach) < history[:, None])[..., None]
    memory = torch.randn(batch, units) * (history > 0)[:, None]
    return RRAState(past[:, 0], memory, past.unbind(dim=1), history)


@pytest.mark.parametrize("seed", SEEDS)
def test_matches_the_equations(seed, device):
    choose = np.random.default_rng(seed).choice
    features, units = int(choose([1, 2, 3, 5])), int(choose([1, 2, 3, 7]))
    longest, batch = int(choose([1, 5, 9])), int(choose([1, 2, 4]))
    options = {
        "window": int(choose([1, 2, 3, 5, 12])),
        "first_lag": 1 + seed % 2,
        "normalization": ["sum", "softmax"][seed // 2 % 2],
        "missing": ["zero", "renormalise"][seed // 4 % 2],
        "forget_bias": [0.0, 1.0, 3.0, Chrono(20)][choose(4)],
        "bias": bool(choose([True, False])),
    }
    torch.manual_seed(seed)
    layer = RRA(features, units, **options)
    if seed // 8 % 2:
        randomise(layer)
    cell = layer.groups["l0"]
    x, lengths = ragged(longest, batch, features)
    given = carried(cell, torch.arange(batch) * (seed // 16) * 2)
    state = map_state(lambda part: part.to(device), given)

    output, final, seen = read(layer.to(device), x.to(device), lengths=lengths, state=(state,))

    for row, length in enumerate(lengths.tolist()):
        past = [numpy(h)[row] for h in given.window[: int(given.steps[row])]][::-1]
        expected = rra(
            numpy(x)[:length, row],
            **lstm_parameters(cell),
            w=numpy(cell.lag_scores),
            h=numpy(given.hidden)[row],
            c=numpy(given.memory)[row],
            past=past,
            **{name: options[name] for name in ("first_lag", "normalization", "missing")},
        )
        assert_row(seen["l0"], row, length, expected)
        np.testing.assert_allclose(numpy(output)[:length, row], expected["hidden"], **EXACT)
        np.testing.assert_allclose(numpy(final[0].memory)[row], expected["memory"][-1], **EXACT)
        known = [*past, *expected["hidden"]][::-1]
        assert final[0].steps[row] == given.steps[row] + length
        for lag, hidden in enumerate(final[0].window, start=1):
            at_lag = known[lag - 1] if lag <= len(known) else np.zeros(units)
            np.testing.assert_allclose(numpy(hidden)[row], at_lag, **EXACT)
        assert torch.equal(final[0].hidden, final[0].window[0])


@pytest.mark.parametrize(("first_lag", "window"), [(1, 1), (1, 3), (2, 1), (2, 3)])
def test_only_the_lags_of_its_window_reach_back(first_lag, window):
    layer, longest = randomise(RRA(2, 3, window=window, first_lag=first_lag)), 10
    gates = layer.groups["l0"].gates
    with torch.no_grad():
        gates.gates_from_hidden.weight.zero_()
        gates.candidate_from_hidden.weight.zero_()
        gates.from_input.weight[3:6] = 0
        gates.from_input.bias[3:6] = -1e4  # the memory forgets all: the shortcut is the only way

    jacobian = torch.autograd.functional.jacobian(
        lambda x: layer(x)[0][:, 0].sum(dim=-1), torch.randn(longest, 1, 2)
    )

    lags = range(first_lag, first_lag + window)
    expected = torch.eye(longest, dtype=torch.bool)
    for late in range(longest):
        for early in range(late):  # over chains of lags
            expected[late, early] = any(
                late - lag >= early and expected[late - lag, early] for lag in lags
            )
    assert not expected.tril().all()  # some lags are out of reach
    assert torch.equal(jacobian.abs().sum(dim=(2, 3)) > 0, expected)


@pytest.mark.parametrize("normalization", ["sum", "softmax"])
def test_the_shortcut_to_a_past_state_is_its_weight_times_the_output_gate_and_slope(normalization):
    cell = randomise(RRACell(2, 5, window=4, normalization=normalization))
    x, given = torch.randn(3, 2), carried(cell, torch.tensor([9, 9, 9]))
    _, readout = cell(x, given)
    slope = readout["output_gate"] * (1 - (readout["memory"] + readout["context"]).tanh() ** 2)

    for place, lag in enumerate(cell.lags):

        def with_past(past, lag=lag):
            window = (*given.window[: lag - 1], past, *given.window[lag:])
            return cell(x, given._replace(window=window))[0].hidden

        jacobian = torch.autograd.functional.jacobian(with_past, given.window[lag - 1])
        for row in range(3):
            expected = cell.lag_kernel()[place] * slope[row].diag()
            assert_close(jacobian[row, :, row], expected, **EXACT)


def test_without_attention_it_is_the_lstm():
    layer, lstm = randomise(RRA(2, 5, window=3)), LSTM(2, 5)
    lstm.load_state_dict({n: p for n, p in layer.state_dict().items() if "lag_scores" not in n})
    x, lengths = ragged(7, 4, 2)
    plain, [state] = lstm(x, lengths=lengths)
    attending, _ = layer(x, lengths=lengths)

    with layer.register_edit(lambda weights, values, at: (weights * 0, values)):
        output, [final] = layer(x, lengths=lengths)

    assert not torch.allclose(attending, plain)
    assert_close(output, plain, **EXACT)
    assert_close(final.hidden, state.hidden, **EXACT)
    assert_close(final.memory, state.memory, **EXACT)


def test_its_weights_do_not_change_when_the_scores_are_scaled():
    cell = RRACell(2, 3, window=5)
    before = cell.lag_kernel().detach().clone()
    cell.lag_scores.data.mul_(-7.0)
    assert_close(cell.lag_kernel(), before, **EXACT)
    assert_close(cell.constants(), {"lag_kernel": before[None]}, **EXACT)


@pytest.mark.parametrize("scores", [[0.5, -0.5], [0.0, 0.0], [torch.nan, 1.0], [1.0, -0.9999]])
def test_refuses_to_divide_by_weights_that_cancel(scores):
    layer = RRA(2, 3, window=2)
    layer.groups["l0"].lag_scores.data = torch.tensor(scores)

    with pytest.raises(ValueError, match=r"they cancel, are all zero, or are not finite.*softmax"):
        layer(torch.randn(4, 1, 2))


def test_a_row_whose_reachable_weights_cancel_reads_nothing():
    layer = RRA(2, 3, window=3, first_lag=1, missing="renormalise")
    layer.groups["l0"].lag_scores.data = torch.tensor([0.5, -0.5, 1.0])

    output, _, seen = read(layer, torch.randn(4, 1, 2, requires_grad=True))
    gradients = torch.autograd.grad(output.sum(), list(layer.parameters()))

    expected = [[0, 0, 0], [1, 0, 0], [0, 0, 0], [0.5, -0.5, 1]]
    assert_close(seen["l0"]["attention"][:, 0, 0], torch.tensor(expected, dtype=torch.float64))
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_counts_its_parameters():
    features, units, window = 3, 5, 7
    sizes = [
        sum(p.numel() for p in RRA(features, units, bias=bias, window=window).parameters())
        for bias in (True, False)
    ]
    lstm = 4 * units * (features + units)
    assert sizes == [lstm + 4 * units + window, lstm + window]


def test_scores_begin_between_zero_and_one():
    scores = RRA(1, 1, window=1000).groups["l0"].lag_scores
    assert 0 <= scores.min() < 0.02 and 0.98 < scores.max() < 1


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 0}, "RRACell needs window of at least 1, got 0"),
        ({"first_lag": 0}, "starts at lag 1 or 2, got first_lag=0"),
        ({"normalization": "max"}, "normalization is 'sum' or 'softmax', got 'max'"),
        ({"missing": "mean"}, "missing is 'zero' or 'renormalise', got 'mean'"),
        ({"forget_bias": Chrono(2)}, "at least 3, got 2"),
    ],
)
def test_refuses_options_it_does_not_know(options, message):
    with pytest.raises(ValueError, match=message):
        RRA(2, 3, **options)
