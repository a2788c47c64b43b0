import numpy as np
import pytest
import torch

from cells import GRU, GRUState
from tests.cells.helpers import EXACT, assert_row, gru_parameters, numpy, ragged, randomise, read
from tests.reference.gru import gru


@pytest.mark.parametrize("reset", ["after", "before"])
@pytest.mark.parametrize("seed", range(12))
def test_matches_the_equations(seed, reset, device):
    choose = np.random.default_rng(seed).choice
    features, units = int(choose([1, 2, 3, 5])), int(choose([1, 2, 3, 7]))
    longest, batch = int(choose([1, 4, 9])), int(choose([1, 2, 4]))
    torch.manual_seed(seed)
    layer = randomise(GRU(features, units, bias=bool(seed % 3), reset=reset, device=device))
    x, lengths = ragged(longest, batch, features)
    state = (GRUState(torch.randn(batch, units, device=device)),)

    output, final, seen = read(layer, x.to(device), lengths=lengths, state=state)

    cell = layer.groups["l0"]
    inside = cell.candidate_from_hidden.bias
    b_hidden = np.zeros(units) if inside is None else numpy(inside)
    for row, length in enumerate(lengths.tolist()):
        expected = gru(
            numpy(x)[:length, row],
            **gru_parameters(cell),
            b_hidden=b_hidden,
            h=numpy(state[0].hidden)[row],
            reset=reset,
        )
        assert_row(seen["l0"], row, length, expected)
        np.testing.assert_allclose(numpy(output)[:length, row], expected["hidden"], **EXACT)
        np.testing.assert_allclose(numpy(final[0].hidden)[row], expected["hidden"][-1], **EXACT)


@pytest.mark.parametrize(("reset", "biases"), [("after", 4), ("before", 3)])
def test_counts_its_parameters(reset, biases):
    features, units = 3, 5

    sizes = [
        sum(p.numel() for p in GRU(features, units, bias=bias, reset=reset).parameters())
        for bias in (True, False)
    ]

    assert sizes == [
        3 * units * (features + units) + biases * units,
        3 * units * (features + units),
    ]


@pytest.mark.usefixtures("unchecked")
def test_refuses_a_reset_it_does_not_know():
    with pytest.raises(ValueError, match="reset is 'after' or 'before', got 'never'"):
        GRU(2, 3, reset="never")
