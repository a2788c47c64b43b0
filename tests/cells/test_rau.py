import numpy as np
import pytest
import torch
from torch.testing import assert_close

from cells import GRU, RAU, RAUState
from tests.cells.helpers import (
    EXACT,
    assert_row,
    gru_parameters,
    numpy,
    ragged,
    randomise,
    read,
)
from tests.reference.rau import rau


@pytest.mark.parametrize("reading", ["input", "hidden", "hidden_outside"])
@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_matches_the_equations(seed, reading, rescale, device):
    choose = np.random.default_rng(seed).choice
    features, units = int(choose([1, 2, 3, 5])), int(choose([1, 2, 3, 7]))
    longest, batch = int(choose([1, 4, 9])), int(choose([1, 2, 4]))
    torch.manual_seed(seed)
    layer = RAU(features, units, bias=bool(seed % 3), reading=reading, rescale=rescale)
    layer = randomise(layer).to(device)
    x, lengths = ragged(longest, batch, features)
    state = (RAUState(torch.rand(batch, units, device=device)),)

    output, final, seen = read(layer, x.to(device), lengths=lengths, state=state)

    cell = layer.groups["l0"]
    b_a, b_v = (
        np.zeros(len(part.weight)) if part.bias is None else numpy(part.bias)
        for part in (cell.score, cell.attended)
    )
    for row, length in enumerate(lengths.tolist()):
        expected = rau(
            numpy(x)[:length, row],
            **gru_parameters(cell),
            A=numpy(cell.score.weight),
            b_a=b_a,
            V=numpy(cell.attended.weight),
            b_v=b_v,
            h=numpy(state[0].hidden)[row],
            reading=reading,
            rescale=rescale,
        )
        assert_row(seen["l0"], row, length, expected)
        np.testing.assert_allclose(numpy(output)[:length, row], expected["hidden"], **EXACT)
        np.testing.assert_allclose(numpy(final[0].hidden)[row], expected["hidden"][-1], **EXACT)


@pytest.mark.parametrize("reading", ["input", "hidden", "hidden_outside"])
def test_with_the_plain_candidate_in_place_of_the_attended_it_is_the_gru(reading, monkeypatch):
    layer, gru = randomise(RAU(3, 5, reading=reading)), GRU(3, 5, reset="before")
    shared = {n: p for n, p in layer.state_dict().items() if n in gru.state_dict()}
    gru.load_state_dict(shared)
    x, lengths = ragged(7, 4, 3)
    cell, plain = layer.groups["l0"], []
    cell.candidate_from_hidden.register_forward_hook(lambda _, args, output: plain.append(output))
    from_input = []
    cell.from_input.register_forward_hook(lambda _, args, output: from_input.append(output))
    monkeypatch.setattr(cell, "attend", lambda *_: (from_input[-1][:, 10:] + plain[-1]).tanh())

    output, _ = layer(x, lengths=lengths)

    assert_close(output, gru(x, lengths=lengths)[0], **EXACT)


def test_an_edit_that_shuts_attention_off_halves_the_candidate():
    layer = randomise(RAU(3, 5, reading="hidden"))
    with layer.register_edit(lambda weights, values, at: (weights * 0, values)):
        _, _, seen = read(layer, torch.randn(4, 2, 3))
    assert not seen["l0"]["attended_candidate"].any()
    assert_close(seen["l0"]["candidate"], seen["l0"]["plain_candidate"] / 2, **EXACT)


@pytest.mark.parametrize(
    ("reading", "kinds"),
    [
        ("input", ("input",) * 2 + ("hidden",) * 3),
        ("hidden", ("hidden",) * 3),
        ("hidden_outside", ("hidden",) * 3),
    ],
)
def test_says_whether_a_feature_is_of_the_input_or_of_the_hidden_state(reading, kinds):
    layer = RAU(2, 3, reading=reading)
    assert layer.groups["l0"].coordinates() == {"feature_kind": kinds}
    assert read(layer, torch.randn(4, 1, 2))[2]["l0"]["feature_attention"].shape == (
        4,
        1,
        len(kinds),
    )


@pytest.mark.parametrize(
    ("reading", "scored"), [("input", 8), ("hidden", 5), ("hidden_outside", 5)]
)
def test_counts_its_parameters(reading, scored):
    features, units = 3, 5
    both = features + units
    sizes = [
        sum(p.numel() for p in RAU(features, units, bias=bias, reading=reading).parameters())
        for bias in (True, False)
    ]
    products = 3 * units * both + scored * both + units * both
    assert sizes == [products + 4 * units + scored, products]


def test_declares_no_bounds_where_rescaling_breaks_them():
    free = RAU(2, 3, reading="hidden_outside", rescale=True).groups["l0"].signals
    kept = RAU(2, 3, reading="hidden", rescale=True).groups["l0"].signals
    assert free["hidden"].bounds is None and kept["hidden"].bounds == (-1.0, 1.0)


@pytest.mark.usefixtures("unchecked")
def test_refuses_a_reading_it_does_not_know():
    with pytest.raises(ValueError, match="'input', 'hidden' or 'hidden_outside', got 'time'"):
        RAU(2, 3, reading="time")
