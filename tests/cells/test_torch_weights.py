import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.testing import assert_close

import cells
from tests.cells.helpers import EXACT, ragged, randomise, weigh

PAIRS = {"LSTM": (cells.LSTM, nn.LSTM), "GRU": (cells.GRU, nn.GRU)}
SHAPES = [
    {},
    {"bias": False},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 3, "bidirectional": True, "bias": False, "batch_first": True},
]


def as_theirs(kind, final):
    """Their final state: `(groups, batch, unit)`, a pair for the LSTM."""
    hidden = torch.stack([state.hidden for state in final])
    if kind == "GRU":
        return [hidden]
    return [hidden, torch.stack([state.memory for state in final])]


def as_ours(kind, gradients, hidden_size):
    """Gradients of their parameters of one group, in our names, order and signs."""
    w_ih, w_hh, b_ih, b_hh = gradients
    if kind == "LSTM":
        order = [0, 1, 3, 2]
        w_ih, b_ih = (torch.cat([part.chunk(4)[n] for n in order]) for part in (w_ih, b_ih))
        i, f, g, o = w_hh.chunk(4)
        return {
            "gates.from_input.weight": w_ih,
            "gates.from_input.bias": b_ih,
            "gates.gates_from_hidden.weight": torch.cat([i, f, o]),
            "gates.candidate_from_hidden.weight": g,
        }
    w_ih, b_ih = (
        torch.cat([-part.chunk(3)[1], part.chunk(3)[0], part.chunk(3)[2]]) for part in (w_ih, b_ih)
    )
    r, z, n = w_hh.chunk(3)
    return {
        "from_input.weight": w_ih,
        "from_input.bias": b_ih,
        "update_from_hidden.weight": -z,
        "reset_from_hidden.weight": r,
        "candidate_from_hidden.weight": n,
        "candidate_from_hidden.bias": b_hh[2 * hidden_size :],
    }


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("shape", SHAPES)
def test_output_and_final_state_are_those_of_torch(kind, shape, device):
    ours, theirs = PAIRS[kind]
    module = randomise(theirs(3, 5, **shape)).to(device)
    layer = ours.from_torch(module)
    x, lengths = ragged(7, 4, 3)
    x = (x.transpose(0, 1) if shape.get("batch_first") else x).to(device)
    packed = pack_padded_sequence(
        x, lengths, enforce_sorted=False, batch_first=bool(shape.get("batch_first"))
    )
    expected, states = module(packed)
    states = [states] if kind == "GRU" else list(states)

    output, final = layer(packed)

    assert_close(output.data, expected.data, **EXACT)
    assert torch.equal(output.sorted_indices, expected.sorted_indices)
    assert_close(as_theirs(kind, final), states, **EXACT)
    padded, _ = layer(x, lengths=lengths)
    unpacked, _ = pad_packed_sequence(expected, batch_first=layer.batch_first)
    assert_close(padded, unpacked, **EXACT)


@pytest.mark.parametrize("kind", PAIRS)
def test_gradients_are_those_of_torch(kind):
    ours, theirs = PAIRS[kind]
    module = randomise(theirs(3, 5, num_layers=2, bidirectional=True))
    layer = ours.from_torch(module)
    x, lengths = ragged(7, 4, 3)
    x.requires_grad_()
    output, states = module(pack_padded_sequence(x, lengths, enforce_sorted=False))
    states = [states] if kind == "GRU" else list(states)
    loss = weigh([pad_packed_sequence(output)[0], *states])
    of_input, *of_weights = torch.autograd.grad(loss, [x, *module.parameters()])

    output, final = layer(x, lengths=lengths)
    weigh([output, *as_theirs(kind, final)]).backward()

    assert_close(x.grad, of_input, **EXACT)
    for place, (group, cell) in enumerate(layer.groups.items()):
        expected = as_ours(kind, of_weights[4 * place : 4 * place + 4], 5)
        assert {name for name, _ in cell.named_parameters()} == set(expected)
        for name, parameter in cell.named_parameters():
            assert_close(parameter.grad, expected[name], **EXACT, msg=f"{group} {name}")


@pytest.mark.parametrize("kind", PAIRS)
@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_given_back_is_what_was_taken(kind, shape):
    ours, theirs = PAIRS[kind]
    module = randomise(theirs(3, 5, **shape)).eval()

    layer = ours.from_torch(module)
    back = layer.to_torch()

    assert not layer.training and not back.training
    assert back.batch_first == module.batch_first
    for name, weight in module.named_parameters():
        if name.startswith("weight"):
            assert torch.equal(back.get_parameter(name), weight)
    again = ours.from_torch(back)
    assert_close(again.state_dict(), layer.state_dict(), rtol=0, atol=0)
    x = torch.randn(4, 6, 3)
    assert_close(back(x)[0], module(x)[0], **EXACT)


def test_the_second_bias_given_is_zero_but_for_the_grus_candidate():
    lstm, gru = randomise(cells.LSTM(3, 5)).to_torch(), randomise(cells.GRU(3, 5)).to_torch()

    assert not lstm.bias_hh_l0.any()
    assert not gru.bias_hh_l0[:10].any() and gru.bias_hh_l0[10:].all()


def test_keeps_precision_and_dropout():
    module = nn.GRU(3, 5, 2, dropout=0.25, dtype=torch.float32)
    layer = cells.GRU.from_torch(module)
    assert {p.dtype for p in layer.parameters()} == {torch.float32}
    assert layer.dropout == layer.to_torch().dropout == 0.25


def test_weights_are_copies():
    module = nn.LSTM(3, 5)
    layer = cells.LSTM.from_torch(module)
    before = layer.to_torch().state_dict()
    randomise(module)
    assert_close(layer.to_torch().state_dict(), before, rtol=0, atol=0)


def test_refuses_a_projected_hidden_state():
    with pytest.raises(ValueError, match="proj_size=2, but the hidden state is not projected"):
        cells.LSTM.from_torch(nn.LSTM(3, 5, proj_size=2))


@pytest.mark.usefixtures("unchecked")
def test_refuses_another_kind_of_module():
    with pytest.raises(TypeError, match=r"weights of a torch\.nn\.LSTM, got GRU"):
        cells.LSTM.from_torch(nn.GRU(3, 5))


def test_refuses_to_give_a_gru_that_resets_before_the_product():
    with pytest.raises(ValueError, match="this GRU has reset='before'"):
        cells.GRU(3, 5, reset="before").to_torch()
