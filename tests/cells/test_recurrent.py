import copy

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from torch.testing import assert_close

import cells
from tests.cells.helpers import (
    EXACT,
    LAYERS,
    flat,
    gradients_of,
    made,
    ragged,
    randomise,
    read,
    trainable,
    weigh,
)

every_layer = pytest.mark.parametrize("kind", LAYERS)


@every_layer
def test_gradients_are_the_derivatives(kind):
    layer = made(kind, 2, 3)
    names, weights = zip(*layer.named_parameters(), strict=True)

    def loss(x, *weights):
        given = dict(zip(names, weights, strict=True))
        output, final = torch.func.functional_call(layer, given, (x,), {"lengths": [4, 2]})
        return (output, *flat(final))

    x = torch.randn(4, 2, 2, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (x, *weights), fast_mode=True)


@every_layer
def test_a_later_input_never_changes_an_earlier_output(kind):
    layer, longest = made(kind, 2, 3, 2), 6

    jacobian = torch.autograd.functional.jacobian(
        lambda x: layer(x)[0][:, 0].sum(dim=-1), torch.randn(longest, 1, 2)
    )

    reached = jacobian.abs().sum(dim=(2, 3)) > 0  # (output time, input time)
    assert torch.equal(reached, torch.ones(longest, longest).tril().bool())


@every_layer
def test_every_row_is_read_for_itself(kind):
    layer = made(kind, 2, 3, 2, bidirectional=True)
    jacobian = torch.autograd.functional.jacobian(
        lambda x: layer(x, lengths=[4, 2, 3])[0].sum(dim=(0, 2)), torch.randn(4, 3, 2)
    )
    assert torch.equal(jacobian.abs().sum(dim=(1, 3)) > 0, torch.eye(3).bool())


@every_layer
@pytest.mark.parametrize("padding", [1e30, torch.nan, torch.inf])
def test_padding_changes_nothing(kind, padding):
    layer = made(kind, 3, 4, 2, bidirectional=True)
    x, lengths = ragged(7, 5, 3)
    inside = (torch.arange(7)[:, None] < lengths)[..., None]
    longer = torch.cat([torch.where(inside, x, padding), torch.full((2, 5, 3), padding)])

    output, final = layer(x, lengths=lengths)
    padded, padded_final = layer(longer, lengths=lengths.tolist())
    of_x, *of_weights = gradients_of(layer, x, lengths=lengths)

    assert not output[~inside.expand_as(output)].any()
    assert torch.equal(padded[:7], output) and not padded[7:].any()
    assert_close(flat(padded_final), flat(final), rtol=0, atol=0)
    of_longer, *of_weights_padded = padded_gradients(layer, longer, inside, lengths)
    assert_close(of_longer[:7], of_x, rtol=0, atol=0)
    assert not of_longer[7:].any()
    assert_close(of_weights_padded, of_weights, rtol=0, atol=0)


def padded_gradients(layer, x, inside, lengths):
    x = x.clone().requires_grad_()
    output, final = layer(x, lengths=lengths)
    return torch.autograd.grad(weigh([output[: len(inside)], *flat(final)]), [x, *trainable(layer)])


@every_layer
def test_padding_of_rows_of_equal_length_changes_nothing(kind):
    layer = made(kind, 3, 4, 2, bidirectional=True)
    x = torch.randn(7, 2, 3)
    output, final = layer(x[:5], lengths=[5, 5])
    padded, padded_final = layer(x, lengths=[5, 5])
    assert torch.equal(padded[:5], output) and not padded[5:].any()
    assert_close(flat(padded_final), flat(final), rtol=0, atol=0)


@every_layer
def test_a_row_in_a_batch_is_the_row_alone(kind, device):
    layer = made(kind, 3, 4, 2, bidirectional=True).to(device)
    x, lengths = ragged(7, 4, 3)
    x = x.to(device)

    output, final = layer(x, lengths=lengths)

    for row, length in enumerate(lengths.tolist()):
        alone, alone_final = layer(x[:length, row : row + 1])
        assert_close(output[:length, row], alone[:, 0], **EXACT)
        ended = [tensor[row] for tensor in flat(final)]
        assert_close(ended, [tensor[0] for tensor in flat(alone_final)], **EXACT)


@every_layer
def test_pieces_give_the_result_of_the_whole(kind, device):
    layer = made(kind, 3, 4, 2).to(device)
    x = torch.randn(11, 3, 3, device=device)
    lengths = torch.tensor([9, 11, 8])
    output, final = layer(x, lengths=lengths)

    pieces, state = [], None
    for piece in x[:7].split([1, 4, 2]):
        part, state = layer(piece, state)
        pieces.append(part)
    part, state = layer(x[7:], state, lengths=lengths - 7)

    assert_close(torch.cat([*pieces, part]), output, **EXACT)
    assert_close(flat(state), flat(final), **EXACT)


@every_layer
def test_both_directions_are_two_layers_of_one(kind):
    both, forward, backward = (
        made(kind, 3, 4, bidirectional=True),
        made(kind, 3, 4),
        made(kind, 3, 4),
    )
    forward.cells["l0"].load_state_dict(both.cells["l0"].state_dict())
    backward.cells["l0"].load_state_dict(both.cells["l0_reverse"].state_dict())
    x, lengths = ragged(7, 4, 3)
    time = (lengths - 1 - torch.arange(7)[:, None]).clamp(min=0)
    reversed_x = x.gather(0, time[..., None].expand_as(x))

    output, final = both(x, lengths=lengths)

    ahead, ahead_final = forward(x, lengths=lengths)
    behind, behind_final = backward(reversed_x, lengths=lengths)
    assert_close(output[..., :4], ahead, **EXACT)
    for row, length in enumerate(lengths.tolist()):
        assert_close(output[:length, row, 4:], behind[:length, row].flip(0), **EXACT)
    assert_close(flat(final), flat([*ahead_final, *behind_final]), **EXACT)


@every_layer
def test_either_direction_begins_at_a_state_of_its_own_where_that_is_allowed(kind):
    both, forward, backward = (
        made(kind, 3, 4, bidirectional=True),
        made(kind, 3, 4),
        made(kind, 3, 4),
    )
    forward.cells["l0"].load_state_dict(both.cells["l0"].state_dict())
    backward.cells["l0"].load_state_dict(both.cells["l0_reverse"].state_dict())
    (start_ahead,), (start_behind,) = (
        layer(torch.randn(5, 2, 3))[1] for layer in (forward, backward)
    )
    x = torch.randn(7, 2, 3)

    both.allow_reverse_state = True
    output, final = both(x, (start_ahead, start_behind))

    ahead, ahead_final = forward(x, (start_ahead,))
    behind, behind_final = backward(x.flip(0), (start_behind,))
    assert_close(output, torch.cat([ahead, behind.flip(0)], dim=-1), **EXACT)
    assert_close(flat(final), flat([*ahead_final, *behind_final]), **EXACT)
    with pytest.raises(ValueError, match="one named tuple for each of the groups"):
        both(x, (start_ahead,))


@every_layer
def test_layers_stand_on_top_of_each_other(kind):
    stack, first, second = made(kind, 3, 4, 2), made(kind, 3, 4), made(kind, 4, 4)
    first.cells["l0"].load_state_dict(stack.cells["l0"].state_dict())
    second.cells["l0"].load_state_dict(stack.cells["l1"].state_dict())
    x, lengths = ragged(7, 4, 3)

    expected, _ = second(first(x, lengths=lengths)[0], lengths=lengths)

    assert torch.equal(stack(x, lengths=lengths)[0], expected)


@every_layer
def test_packed_in_packed_out(kind):
    layer = made(kind, 3, 4, 2, bidirectional=True)
    x = torch.randn(7, 5, 3)
    lengths = torch.tensor([3, 7, 3, 7, 1])  # equal lengths, whose order packing anew may change
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)

    output, final = layer(packed)

    padded, padded_final = layer(x, lengths=lengths)
    assert isinstance(output, PackedSequence)
    assert torch.equal(output.sorted_indices, packed.sorted_indices)
    assert torch.equal(pad_packed_sequence(output)[0], padded)
    assert_close(flat(final), flat(padded_final), rtol=0, atol=0)
    order = packed.sorted_indices
    sorted_packed = pack_padded_sequence(x[:, order], lengths[order])
    assert layer(sorted_packed)[0].sorted_indices is None
    assert torch.equal(layer(sorted_packed)[0].data, output.data)


def test_batch_first_is_the_same_with_its_axes_swapped():
    layer = made("RRA", 3, 4, 2, bidirectional=True)
    swapped = made("RRA", 3, 4, 2, bidirectional=True, batch_first=True)
    swapped.load_state_dict(layer.state_dict())
    x, lengths = ragged(7, 4, 3)
    output, final = layer(x, lengths=lengths)

    of_swapped, swapped_final = swapped(x.transpose(0, 1), lengths=lengths)  # not contiguous

    assert torch.equal(of_swapped, output.transpose(0, 1))
    assert_close(flat(swapped_final), flat(final), rtol=0, atol=0)
    packed = pack_padded_sequence(
        x.transpose(0, 1), lengths, batch_first=True, enforce_sorted=False
    )
    unpacked, _ = pad_packed_sequence(swapped(packed)[0], batch_first=True)
    assert torch.equal(unpacked, of_swapped)


@every_layer
def test_reads_what_is_not_contiguous(kind):
    layer = made(kind, 3, 4)
    x = torch.randn(3, 14, 4).permute(1, 2, 0)[::2]
    assert not x.is_contiguous()
    assert torch.equal(
        layer(x, lengths=[7, 3, 5, 1])[0], layer(x.contiguous(), lengths=[7, 3, 5, 1])[0]
    )


@every_layer
def test_one_timestep_of_one_sequence(kind):
    output, final = made(kind, 3, 4, 2, bidirectional=True)(torch.randn(1, 1, 3))
    assert output.shape == (1, 1, 8)
    assert_close(output[0, :, :4], final[2].hidden, rtol=0, atol=0)
    assert_close(output[0, :, 4:], final[3].hidden, rtol=0, atol=0)


def test_dropout_stands_between_layers_and_only_in_training():
    layer = randomise(cells.RRA(3, 4, 2, window=3, dropout=0.5))
    x = torch.randn(5, 2, 3)
    first, second = randomise(cells.RRA(3, 4, window=3)), randomise(cells.RRA(4, 4, window=3))
    first.cells["l0"].load_state_dict(layer.cells["l0"].state_dict())
    second.cells["l0"].load_state_dict(layer.cells["l1"].state_dict())
    torch.manual_seed(3)
    dropped = torch.nn.functional.dropout(first(x)[0], 0.5)

    torch.manual_seed(3)
    output, _ = layer(x)

    assert torch.equal(output, second(dropped)[0])
    assert torch.equal(layer.eval()(x)[0], second(first(x)[0])[0])


def test_a_residual_stack_adds_its_input_but_not_its_padding():
    def stack(features, residual):
        torch.manual_seed(1)
        return cells.Recurrent(
            lambda size: cells.GRUCell(size, 4), features, num_layers=2, residual=residual
        )

    x, lengths = ragged(7, 3, 4)
    inside = (torch.arange(7)[:, None] < lengths)[..., None]
    x = torch.where(inside, x, torch.nan).requires_grad_()
    layer = stack(4, residual=True)
    first, second = copy.deepcopy(layer), copy.deepcopy(layer)
    for single, group in ((first, "l0"), (second, "l1")):
        single.cells = torch.nn.ModuleDict({"l0": layer.cells[group]})
        single.num_layers, single.residual = 1, False

    output, _ = layer(x, lengths=lengths)
    output.sum().backward()

    middle = torch.where(inside, first(x, lengths=lengths)[0] + x, 0)
    expected = torch.where(inside, second(middle, lengths=lengths)[0] + middle, 0)
    assert torch.equal(output, expected)
    assert x.grad.isfinite().all() and not x.grad[~inside.expand_as(x)].any()
    plain, other = stack(3, residual=False), stack(3, residual=True)
    x = torch.randn(7, 3, 3)
    assert_close(other(x)[0], plain(x)[0] + first_of(plain, x), **EXACT)


def first_of(layer, x):
    """The output of the lower layer, to which the upper adds where sizes agree."""
    return read(layer, x, signals=["hidden"])[2]["l0"]["hidden"]


@every_layer
def test_a_copy_and_a_reloaded_layer_read_the_same(kind):
    layer, other = made(kind, 3, 4, 2, bidirectional=True), made(kind, 3, 4, 2, bidirectional=True)
    other.load_state_dict(layer.state_dict())
    x = torch.randn(5, 2, 3)
    assert torch.equal(layer(x)[0], other(x)[0])
    assert torch.equal(layer(x)[0], copy.deepcopy(layer)(x)[0])


@every_layer
def test_single_precision_is_near(kind, device):
    layer = made(kind, 3, 4, 2)
    x, lengths = ragged(20, 4, 3)
    expected, _ = layer(x, lengths=lengths)
    output, _ = layer.float().to(device)(x.float().to(device), lengths=lengths)
    assert output.dtype == torch.float32
    assert_close(output.double().cpu(), expected, rtol=0, atol=5e-6)
