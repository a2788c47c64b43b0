"""States that are carried: taken apart, put together, cut off, emptied."""

import pytest
import torch

import cells
from attnviz.states import detached, rebuilt, tensors_of, without_windows


@pytest.mark.parametrize("cell", [cells.RRA, cells.LARNN, cells.RAU, cells.LSTM, cells.GRU])
def test_a_state_taken_apart_and_put_together_is_the_same(cell, double_precision):
    options = {"options": cells.LARNNOptions.preset("stable")} if cell is cells.LARNN else {}
    layer = cell(3, 8, num_layers=2, batch_first=True, **options).eval()
    _, state = layer(torch.randn(2, 5, 3))

    again = rebuilt(layer, tensors_of(state))

    for one, other in zip(state, again, strict=True):
        assert type(one) is type(other)
        assert one._fields == other._fields
    assert all(torch.equal(a, b) for a, b in zip(tensors_of(state), tensors_of(again), strict=True))
    cut = detached(state)
    assert not any(tensor.requires_grad for tensor in tensors_of(cut))
    assert any(tensor.requires_grad for tensor in tensors_of(state))
    after, _ = layer(torch.ones(2, 4, 3), again)
    assert torch.equal(after, layer(torch.ones(2, 4, 3), state)[0])
    emptied = without_windows(layer, state)
    assert torch.equal(emptied[1].hidden, state[1].hidden)
    if hasattr(state[0], "window"):
        assert not any(slot.any() for one in emptied for slot in one.window)
        assert any(slot.any() for one in state for slot in one.window)
    else:
        assert all(
            torch.equal(a, b) for a, b in zip(tensors_of(state), tensors_of(emptied), strict=True)
        )
