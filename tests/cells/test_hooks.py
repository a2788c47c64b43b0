import gc

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import cells
from cells.hooks import norm_of_each
from tests.cells.helpers import EXACT, LAYERS, ragged, randomise, read

every_layer = pytest.mark.parametrize("kind", LAYERS)


def unroll(cell, x, *, reverse=False):
    """One row, step by step without a layer; states and readouts in original time."""
    state = cell.initial_state(1)
    states, readouts = [], []
    for step in x.flip(0) if reverse else x:
        state, readout = cell(step[None], state)
        states.append(state)
        readouts.append(readout)
    return (states[::-1], readouts[::-1]) if reverse else (states, readouts)


@every_layer
def test_readouts_are_what_the_cell_returned_in_original_time(kind):
    layer = randomise(LAYERS[kind](3, 5, bidirectional=True)).eval()
    x, lengths = ragged(7, 4, 3)

    _, _, seen = read(layer, x, lengths=lengths)

    assert set(seen) == {"l0", "l0_reverse"}
    for group, cell in layer.groups.items():
        for row, length in enumerate(lengths.tolist()):
            _, readouts = unroll(cell, x[:length, row], reverse=group.endswith("reverse"))
            for name in cell.signals:
                expected = torch.cat([readout[name] for readout in readouts])
                assert_close(seen[group][name][:length, row], expected, **EXACT, msg=name)
                assert seen[group][name][length:, row].isnan().all()
                assert not seen[group][name].requires_grad


@every_layer
@pytest.mark.parametrize("longer", [0, 2])
def test_watching_changes_nothing_bit_for_bit(kind, longer):
    layer = randomise(LAYERS[kind](3, 5, 2, bidirectional=True, dropout=0.3))
    x, lengths = ragged(7, 4, 3)
    x = torch.cat([x, torch.randn(longer, 4, 3)])

    def run():
        torch.manual_seed(1)
        layer.zero_grad()
        output, _ = layer(x, lengths=lengths)
        (output**2).sum().backward()
        return [output, *(p.grad.clone() for p in layer.parameters() if p.grad is not None)]

    calls, norms = [], []
    plain = run()
    signals = {name for cell in layer.groups.values() for name in cell.signals}
    readout_hook = layer.register_readout_hook(lambda *call: calls.append(call), signals)
    gradient_hook = layer.register_gradient_hook(lambda *call: norms.append(call))
    watched = run()
    readout_hook.remove()
    gradient_hook.remove()
    after = run()

    assert [call[0] for call in calls] == ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert sorted(call[0] for call in norms) == ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert all(map(torch.equal, plain, watched))
    assert all(map(torch.equal, plain, after))


def test_hooks_say_how_long_sequences_are_and_what_came_before():
    layer = randomise(cells.RRA(3, 5, window=2))
    x = torch.randn(6, 2, 3)
    _, state = layer(x[:4], lengths=[4, 3])
    calls = []

    with layer.register_readout_hook(lambda *call: calls.append(call), ["attention"]):
        layer(x)
        layer(x[4:], state, lengths=[2, 1])

    (_, fresh, _), (group, carried, lengths) = calls
    assert group == "l0" and lengths.tolist() == [2, 1]
    assert fresh["history"].tolist() == [0, 0] and carried["history"].tolist() == [4, 3]
    assert not fresh["initial_hidden"].any() and not fresh["initial_memory"].any()
    assert torch.equal(carried["initial_hidden"], state[0].hidden)
    assert torch.equal(carried["initial_memory"], state[0].memory)
    assert not carried["initial_hidden"].requires_grad


def test_hooks_end_with_their_block_and_leave_others_alone():
    layer = randomise(cells.RRA(3, 5, window=2))
    x, outer, inner = torch.randn(4, 2, 3), [], []

    with layer.register_readout_hook(lambda *call: outer.append(call[1]), ["hidden", "context"]):
        with pytest.raises(ZeroDivisionError):
            with layer.register_readout_hook(lambda *call: inner.append(call[1]), ["memory"]):
                layer(x)
                raise ZeroDivisionError
        layer(x)
    layer(x)

    assert len(outer) == 2 and len(inner) == 1
    before = {"history", "initial_hidden", "initial_memory"}
    assert set(outer[0]) == {"hidden", "context"} | before and set(inner[0]) == {"memory"} | before
    assert not layer._readout_hooks


@pytest.mark.parametrize("register", ["readout", "gradient", "edit"])
def test_no_entry_is_left_when_a_hook_itself_fails(register):
    layer = cells.RRA(3, 5, window=2)

    def fail(*_):
        raise ZeroDivisionError

    registered = {
        "readout": lambda: layer.register_readout_hook(fail, ["hidden"]),
        "gradient": lambda: layer.register_gradient_hook(fail),
        "edit": lambda: layer.register_edit(fail),
    }
    with pytest.raises(ZeroDivisionError), registered[register]():
        layer(torch.randn(4, 2, 3))[0].sum().backward()

    assert not layer._readout_hooks and not layer._gradient_hooks and not layer._edits
    layer(torch.randn(4, 2, 3))[0].sum().backward()


def test_refuses_a_signal_that_no_cell_has():
    with pytest.raises(KeyError, match=r"RRA has no signal \['atention'\]; it has \['attention'"):
        cells.RRA(3, 5).register_readout_hook(print, ["atention", "hidden"])


@every_layer
def test_gradient_norms_are_those_of_a_graph_nobody_watched(kind):
    layer = randomise(LAYERS[kind](3, 5, bidirectional=True)).eval()
    x, lengths = ragged(7, 4, 3)
    for_output, for_state = torch.randn(7, 4, 10), torch.randn(2, 4, 5)
    seen = {}

    with layer.register_gradient_hook(lambda group, norms: seen.update({group: norms})):
        output, final = layer(x, lengths=lengths)
    final_hidden = torch.stack([state.hidden for state in final])
    ((for_output * output).sum() + (for_state * final_hidden).sum()).backward()

    for place, (group, cell) in enumerate(layer.groups.items()):
        reverse, units = bool(place), slice(5 * place, 5 * place + 5)
        for row, length in enumerate(lengths.tolist()):
            states, _ = unroll(cell, x[:length, row], reverse=reverse)
            hidden = torch.cat([state.hidden for state in states])
            loss = (for_output[:length, row, units] * hidden).sum()
            loss = loss + (for_state[place, row] * states[0 if reverse else -1].hidden).sum()
            names = [name for name in ("hidden", "memory") if hasattr(states[0], name)]
            assert set(seen[group]) == {f"{name}_gradient_norm" for name in names}
            for name in names:
                gradients = torch.autograd.grad(
                    loss, [getattr(state, name) for state in states], retain_graph=True
                )
                norms = seen[group][f"{name}_gradient_norm"][:, row]
                assert_close(norms[:length], torch.cat(gradients).norm(dim=-1), **EXACT)
                assert norms[length:].isnan().all()


@pytest.mark.parametrize("scale", [1e-30, 1e-36])
def test_tiny_gradients_do_not_vanish_in_single_precision(scale, device):
    layer = randomise(cells.LSTM(3, 5)).float().to(device)
    x = torch.randn(4, 2, 3, dtype=torch.float32, device=device)
    norms = []
    layer.register_gradient_hook(lambda _, seen: norms.append(seen["hidden_gradient_norm"]))

    layer(x)[0].sum().backward()
    (layer(x)[0] * scale).sum().backward()

    assert (norms[1] > 0).all()
    assert_close(norms[1] / scale, norms[0], rtol=1e-2 if scale < 1e-33 else 1e-5, atol=0)


def test_states_after_the_last_loss_have_no_gradient():
    layer, norms = randomise(cells.RRA(3, 5, window=2)), []
    layer.register_gradient_hook(lambda _, seen: norms.append(seen))
    output, _ = layer(torch.randn(6, 2, 3), lengths=[6, 5])

    output[3].sum().backward()

    for name in ("hidden_gradient_norm", "memory_gradient_norm"):
        assert (norms[0][name][:4] > 0).all()
        assert norms[0][name][4:, 0].tolist() == [0, 0]
        assert norms[0][name][4, 1] == 0 and norms[0][name][5, 1].isnan()


def test_a_second_backward_reports_again_and_a_removed_hook_only_earlier_calls():
    layer, norms = randomise(cells.GRU(3, 5)), []
    handle = layer.register_gradient_hook(lambda _, seen: norms.append(seen))
    output, _ = layer(torch.randn(4, 2, 3))
    handle.remove()
    later, _ = layer(torch.randn(4, 2, 3))

    output.sum().backward(retain_graph=True)
    (2 * output).sum().backward()
    later.sum().backward()

    assert len(norms) == 2
    assert_close(norms[1]["hidden_gradient_norm"], 2 * norms[0]["hidden_gradient_norm"], **EXACT)


def test_without_gradients_there_is_nothing_to_report():
    layer, norms = cells.GRU(3, 5), []
    layer.register_gradient_hook(lambda *call: norms.append(call))
    with torch.no_grad():
        layer(torch.randn(4, 2, 3))
    layer.requires_grad_(False)
    layer(torch.randn(4, 2, 3))
    assert norms == []

    x = torch.randn(4, 2, 3, requires_grad=True)
    layer(x)[0].sum().backward()  # frozen weights, but the input asks
    assert len(norms) == 1


def test_a_state_that_asks_for_no_gradient_has_none():
    layer, norms = randomise(cells.RRA(3, 5, window=2)).requires_grad_(False), []
    layer.groups["l0"].lag_scores.requires_grad_(True)  # the first memory does not depend on it
    layer.register_gradient_hook(lambda _, seen: norms.append(seen))

    layer(torch.randn(4, 2, 3))[0].sum().backward()

    memory, hidden = norms[0]["memory_gradient_norm"], norms[0]["hidden_gradient_norm"]
    assert memory[0].isnan().all() and (memory[1:] > 0).all() and (hidden > 0).all()


@pytest.mark.parametrize("backward", [True, False])
def test_watching_keeps_no_graph_in_memory(backward):
    layer = cells.RRA(3, 5, window=2)
    layer.register_gradient_hook(lambda group, norms: None)

    def left():
        output, _ = layer(torch.randn(4, 2, 3))
        if backward:
            output.sum().backward()
        del output
        gc.collect()
        return sum(type(thing) is torch.Tensor for thing in gc.get_objects())

    assert left() == left() == left()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_norms_of_tiny_and_huge_gradients_are_right(dtype):
    number = torch.finfo(dtype)
    span = torch.linspace(0.75 * np.log10(number.tiny), 0.4 * np.log10(number.max), 60)
    rows = torch.randn(60, 7, dtype=torch.float64)
    expected = torch.linalg.vector_norm(rows, dim=-1)
    sizes = 10.0 ** span.double()
    found = norm_of_each((rows * sizes[:, None]).to(dtype))
    assert_close((found.double() / sizes), expected, rtol=20 * number.eps, atol=0)
    assert (norm_of_each(torch.zeros(3, 5, dtype=dtype)) == 0).all()
    assert norm_of_each(torch.tensor([[1.0, torch.nan]], dtype=dtype)).isnan().all()
