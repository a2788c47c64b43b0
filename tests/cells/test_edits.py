import pytest
import torch
from torch.testing import assert_close

import cells
from tests.cells.helpers import EXACT, LAYERS, ragged, randomise, read

ATTENDING = [kind for kind in LAYERS if not kind.startswith(("LSTM", "GRU"))]
attending = pytest.mark.parametrize("kind", ATTENDING)


def recorded(layer, x, **arguments):
    """Every call of an edit, with what the readout hooks saw."""
    calls = []

    def watch(weights, values, at):
        calls.append((weights.detach(), values.detach(), at))
        return weights, values

    with layer.register_edit(watch):
        _, _, seen = read(layer, x, **arguments)
    return calls, seen


@attending
def test_an_edit_that_changes_nothing_changes_nothing_bit_for_bit(kind):
    layer = randomise(LAYERS[kind](3, 5, 2, bidirectional=True, dropout=0.3))
    layer.path = "step"  # the path on which edits act
    x, lengths = ragged(7, 4, 3)

    def run():
        torch.manual_seed(1)
        layer.zero_grad()
        output, _ = layer(x, lengths=lengths)
        (output**2).sum().backward()
        return [output, *(p.grad.clone() for p in layer.parameters())]

    plain = run()
    with layer.register_edit(cells.same), layer.register_edit(cells.same):
        edited = run()

    assert all(map(torch.equal, plain, edited))


@attending
def test_an_edit_is_told_where_it_is(kind):
    layer = randomise(LAYERS[kind](3, 5, bidirectional=True)).eval()
    x, lengths = ragged(7, 4, 3)

    calls, seen = recorded(layer, x, lengths=lengths)

    name = "attention" if "attention" in seen["l0"] else "feature_attention"
    told = {"l0": [], "l0_reverse": []}
    for weights, values, at in calls:
        assert at.lags == layer.groups[at.group].lags
        assert weights.shape[0] == len(at.row) == len(at.timestep) == len(at.reachable)
        assert weights.shape[2] == at.reachable.shape[1] == values.shape[2]
        told[at.group] += list(zip(at.timestep.tolist(), at.row.tolist(), strict=True))
        theirs = seen[at.group][name][at.timestep, at.row]
        assert torch.equal(weights.squeeze(1), theirs.reshape(len(weights), -1))
    where = [(time, row) for row, length in enumerate(lengths) for time in range(length)]
    assert sorted(told["l0"]) == sorted(told["l0_reverse"]) == sorted(where)


@pytest.mark.parametrize("first_lag", [1, 2])
def test_an_edit_is_told_what_is_reachable_and_given_the_states_there(first_lag):
    layer = randomise(cells.RRA(3, 5, window=3, first_lag=first_lag, bidirectional=True))
    x, lengths = ragged(7, 4, 3)

    calls, seen = recorded(layer, x, lengths=lengths)

    for _, values, at in calls:
        assert at.lags == tuple(range(first_lag, first_lag + 3))
        backwards = at.group.endswith("reverse")
        for place, (time, row) in enumerate(
            zip(at.timestep.tolist(), at.row.tolist(), strict=True)
        ):
            for source, lag in enumerate(at.lags):
                read_at = time + lag if backwards else time - lag
                there = 0 <= read_at < lengths[row]
                assert bool(at.reachable[place, source]) == there
                expected = seen[at.group]["hidden"][read_at, row] if there else torch.zeros(5)
                assert torch.equal(values[place, 0, source], expected)


def test_what_came_in_with_a_state_is_reachable():
    layer = randomise(cells.RRA(3, 5, window=2))
    _, state = layer(torch.randn(2, 2, 3), lengths=[2, 1])

    calls, _ = recorded(layer, torch.randn(2, 2, 3), state=state)

    reachable = [at.reachable.tolist() for _, _, at in calls]
    assert reachable == [[[True, False], [False, False]], [[True, True], [True, False]]]
    assert [at.timestep.tolist() for _, _, at in calls] == [[0, 0], [1, 1]]


def test_the_sources_of_a_rau_are_features():
    layer = randomise(cells.RAU(3, 5))
    x = torch.randn(4, 2, 3)
    calls, seen = recorded(layer, x)
    for time, (_, values, at) in enumerate(calls):
        before = seen["l0"]["hidden"][time - 1] if time else torch.zeros(2, 5)
        assert torch.equal(values[:, 0, :, 0], torch.cat([x[time], before], dim=-1))
        assert at.lags == () and at.reachable.all()


def test_edits_are_applied_one_after_the_other():
    layer = randomise(cells.RRA(3, 5, window=2))
    x = torch.randn(4, 2, 3)

    with layer.register_edit(lambda weights, values, at: (weights + 1, values)):
        with layer.register_edit(lambda weights, values, at: (weights * 3, values + 0.5)):
            _, _, seen = read(layer, x)
    _, _, plain = read(layer, x)

    expected = 3 * (plain["l0"]["attention"] + 1)
    assert_close(seen["l0"]["attention"], plain["l0"]["attention"], rtol=0, atol=0)
    assert_close(seen["l0"]["attention_used"], expected, **EXACT)
    first = expected[0].sum(dim=-1) * 0.5  # nothing but what was added stands there
    assert_close(seen["l0"]["context"][0], first.expand(2, 5), **EXACT)
    assert torch.equal(plain["l0"]["attention_used"], plain["l0"]["attention"])


def test_an_edit_of_one_group_leaves_the_others_alone():
    layer = randomise(cells.RRA(3, 5, 2, window=2, bidirectional=True))
    edit = layer.register_edit(lambda w, v, at: (w * 0, v), group="l0_reverse")
    _, _, seen = read(layer, torch.randn(4, 2, 3))
    edit.remove()
    _, _, after = read(layer, torch.randn(4, 2, 3))

    assert [bool(seen[group]["attention_used"].any()) for group in seen] == [
        True,
        False,
        True,
        True,
    ]
    assert all(readouts["attention_used"].any() for readouts in after.values())
    assert not layer._edits


def test_a_lag_shut_off_once_changes_that_row_from_then_on():
    layer = randomise(cells.RRA(3, 5, window=2))
    layer.path = "step"  # for both, to compare them bit for bit
    x, lengths = torch.randn(7, 3, 3), [4, 7, 6]

    def shut(weights, values, at):
        here = (at.timestep == 4) & (at.row == 2)
        off = here[:, None] & (torch.tensor(at.lags) == 3)
        return weights.masked_fill(off[:, None], 0), values

    plain, _ = layer(x, lengths=lengths)
    with layer.register_edit(shut):
        output, _ = layer(x, lengths=lengths)

    changed = (output != plain).any(dim=-1)
    expected = torch.zeros(7, 3, dtype=torch.bool)
    expected[4:6, 2] = True
    assert torch.equal(changed, expected)


def test_refuses_a_group_that_is_not_there():
    with pytest.raises(KeyError, match=r"no group 'l2'; there are \['l0', 'l1'\]"):
        cells.RRA(3, 5, 2).register_edit(cells.same, group="l2")
