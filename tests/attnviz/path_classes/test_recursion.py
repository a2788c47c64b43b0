import pytest
import torch
from torch.testing import assert_close

import cells
from attnviz.path_classes import (
    PathOptions,
    class_gradients,
    class_gradients_by_doors,
    label_routes,
)
from attnviz.path_classes.steps import gradients_at, last_rows, past_routes, watch
from tests.attnviz.path_classes.every_path import LABELS, by_class
from tests.cells.helpers import LAYERS, made, ragged

# The letters of LABELS by the names that the package gives.
LETTERS = {
    "gates": "G", "memory": "M", "shortcut": "S", "carry": "C", "attention": "A", "key": "K",
    "value": "V",
}  # fmt: skip
DEFAULT = PathOptions()
EXACT = {"rtol": 1e-12, "atol": 1e-14}


def read(layer, x, lengths=None, *, options=DEFAULT, group="l0", state=None):
    """Steps, classes and a gradient for each row, of a layer as it is."""
    layer.path = "step"
    with watch(layer.groups[group]) as steps:
        layer(x.requires_grad_(), state, lengths=lengths)
    paths = label_routes(group, past_routes(steps), options)
    injected = torch.randn(x.shape[1], steps.cell.hidden_size)
    return steps, paths, injected


def short(kind):
    return 5 if kind == "LARNN" else 6


@pytest.mark.parametrize("kind", LAYERS)
def test_every_class_is_the_sum_over_its_paths(kind):
    layer = made(kind, 2, 3)
    x = torch.randn(short(kind), 1, 2)
    steps, paths, injected = read(layer, x)

    found = class_gradients(steps, paths, injected)

    expected = by_class(steps.cell, x.detach(), injected[0])
    seen = 0
    for place, by_step in found.items():
        for step, values in enumerate(by_step):
            known = expected[place, step]
            for number in range(paths.count):
                letters = frozenset(LETTERS[label] for label in paths.members(number))
                parts = [g for (passed, _), g in known.items() if passed == letters]
                wanted = sum(parts, start=torch.zeros_like(values[number, 0]))
                assert_close(values[number, 0], wanted, **EXACT)
                seen += bool(wanted.any())
    assert seen > 3 * len(x)


def test_hops_are_the_edges_of_every_path_by_shortcuts_alone():
    layer = made("RRA lag 1, softmax", 2, 3)
    x = torch.randn(6, 1, 2)
    steps, paths, injected = read(layer, x, options=PathOptions(hops=3))

    found = class_gradients(steps, paths, injected)

    expected = by_class(steps.cell, x.detach(), injected[0])
    more = 0
    for place in ("hidden", "memory", "input"):
        for step in range(len(x)):
            by_hops = {n: g for (passed, n), g in expected[place, step].items() if passed == {"S"}}
            hops = found[place][step][paths.count :, 0]
            for n in (1, 2):
                assert_close(hops[n - 1], by_hops.get(n, torch.zeros_like(hops[0])), **EXACT)
            rest = [g for n, g in by_hops.items() if n >= 3]
            assert_close(hops[2], sum(rest, start=torch.zeros_like(hops[0])), **EXACT)
            more += len(rest) > 1
            alone = found[place][step][paths.names.index("shortcut"), 0]
            assert_close(hops.sum(dim=0), alone, **EXACT)
    assert more > 3


SWAPS = [("gates", "shortcut"), ("memory", "candidate"), ("memory", "shortcut")]


@pytest.mark.parametrize(("one", "other"), SWAPS)
def test_swapped_labels_are_noticed_though_the_sum_is_the_same(one, other):
    swapped = {**LABELS, one: LABELS[other], other: LABELS[one]}
    layer = made("RRA", 2, 3)
    x = torch.randn(6, 1, 2)
    steps, paths, injected = read(layer, x)
    found = class_gradients(steps, paths, injected)

    wrong = by_class(steps.cell, x.detach(), injected[0], swapped)

    noticed = set()
    for place, by_step in found.items():
        for step, values in enumerate(by_step):
            known = wrong[place, step]
            zeros = torch.zeros_like(values[0, 0])
            assert_close(values[:, 0].sum(dim=0), sum(known.values(), start=zeros), **EXACT)
            for number in range(paths.count):
                letters = frozenset(LETTERS[label] for label in paths.members(number))
                parts = [g for (passed, _), g in known.items() if passed == letters]
                if not torch.allclose(values[number, 0], sum(parts, start=zeros), rtol=1e-3):
                    noticed.add(paths.names[number])
    assert len(noticed) >= 2


@pytest.mark.parametrize("kind", LAYERS)
def test_closing_doors_gives_the_same_classes(kind):
    layer = made(kind, 3, 4)
    x, lengths = ragged(9, 5, 3)
    steps, paths, injected = read(layer, x, lengths)

    found = class_gradients(steps, paths, injected)
    by_doors = class_gradients_by_doors(steps, paths, injected)

    assert found.keys() == by_doors.keys()
    for place, values in found.items():
        for step, (one, other) in enumerate(zip(values, by_doors[place], strict=True)):
            assert one.shape[:2] == (paths.count, steps.running(step))
            assert_close(one, other, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("kind", LAYERS)
def test_the_classes_add_up_to_the_gradient_of_an_untouched_graph(kind):
    layer = made(kind, 3, 4)
    x, lengths = ragged(11, 5, 3)
    steps, paths, injected = read(layer, x, lengths)

    found = class_gradients(steps, paths, injected)

    output, _ = layer(x, lengths=lengths)
    order = lengths.argsort(descending=True, stable=True)
    ends = output[lengths[order] - 1, order]
    (expected,) = torch.autograd.grad(ends, x, injected)
    for step, values in enumerate(found["input"]):
        total = values.sum(dim=0)
        wanted = expected[step, order[: len(total)]]
        assert_close(total, wanted, rtol=1e-11, atol=1e-13)
        scale = torch.linalg.vector_norm(wanted)
        tolerance = 1e-11 if kind == "LARNN" else 1e-12  # layer norm of almost equal units
        assert torch.linalg.vector_norm(total - wanted) < tolerance * scale
    reference = gradients_at(steps.after, steps.inputs, injected)
    for name, states in steps.after.items():
        for values, total in zip(found[name], reference[name], strict=True):
            assert_close(values.sum(dim=0), total, rtol=1e-10, atol=1e-13)
        assert len(states) == len(found[name])


def test_rra_in_closed_form():
    """λ by class as DEFINED by hand, from the readout alone."""
    T, H = 14, 4
    layer = made("RRA", 3, H)
    x = torch.randn(T, 1, 3)
    steps, paths, injected = read(layer, x)
    seen = {}
    names = ["input_gate", "forget_gate", "output_gate", "candidate", "memory", "context"]
    with layer.register_readout_hook(lambda group, values, _: seen.update(values), names):
        layer(x)
    i, f, o, g, c, a = (seen[name][:, 0] for name in names)
    gates, lags, kernel = steps.cell.gates, steps.cell.lags, steps.cell.lag_kernel().detach()
    U = torch.cat([gates.gates_from_hidden.weight, gates.candidate_from_hidden.weight]).detach()
    W = gates.from_input.weight.detach()
    bent = (c + a).tanh()
    G, M, S = (1 << paths.labels.index(label) for label in ("gates", "memory", "shortcut"))
    h, m, du, dz = (torch.zeros(T, 8, n) for n in (H, H, H, 4 * H))
    for s in range(T - 1, -1, -1):
        if s == T - 1:
            h[s, 0] = injected[0]
        else:
            for sigma in range(8):
                h[s, sigma | G] += dz[s + 1, sigma] @ U
                m[s, sigma | M] += f[s + 1] * m[s + 1, sigma]
        for lag, weight in zip(lags, kernel, strict=True):
            for sigma in range(8) if s + lag < T else ():
                h[s, sigma | S] += weight * du[s + lag, sigma]
        du[s] = o[s] * (1 - bent[s] ** 2) * h[s]
        m[s] += du[s]
        before = c[s - 1] if s else torch.zeros(H)
        parts = [
            m[s] * g[s] * i[s] * (1 - i[s]), m[s] * before * f[s] * (1 - f[s]),
            h[s] * bent[s] * o[s] * (1 - o[s]), m[s] * i[s] * (1 - g[s] ** 2),
        ]  # fmt: skip
        dz[s] = torch.cat(parts, dim=-1)

    found = class_gradients(steps, paths, injected)

    for s in range(T):
        assert_close(found["hidden"][s][:, 0], h[s], **EXACT)
        assert_close(found["memory"][s][:, 0], m[s], **EXACT)
        assert_close(found["input"][s][:, 0], dz[s] @ W, **EXACT)


def test_the_memory_alone_is_a_product_of_forget_gates():
    layer = made("LSTM", 3, 5)
    x = torch.randn(30, 2, 3)
    steps, paths, injected = read(layer, x)
    seen = {}
    names = ["forget_gate", "output_gate", "memory"]
    with layer.register_readout_hook(lambda group, values, _: seen.update(values), names):
        layer(x)
    f, o, c = (seen[name] for name in names)

    memory = class_gradients(steps, paths, injected)["memory"]

    number = paths.names.index("memory")
    start = o[-1] * (1 - c[-1].tanh() ** 2) * injected
    assert_close(memory[-1][0], start, **EXACT)
    for s in (0, 7, 28):
        assert_close(memory[s][number], f[s + 1 :].prod(dim=0) * start, rtol=1e-11, atol=0.0)


def test_each_row_is_as_if_it_were_alone():
    layer = made("RRA", 3, 4)
    x, lengths = ragged(12, 4, 3)
    steps, paths, injected = read(layer, x, lengths)
    together = class_gradients(steps, paths, injected)
    order = lengths.argsort(descending=True, stable=True)

    for place, row in enumerate(order):
        own = x.detach()[: lengths[row], row : row + 1]
        alone, _, _ = read(layer, own)
        expected = class_gradients(alone, paths, injected[place : place + 1])
        for name in expected:
            for step in range(int(lengths[row])):
                assert_close(together[name][step][:, place], expected[name][step][:, 0], **EXACT)


@pytest.mark.parametrize("kind", ["RRA", "LARNN", "GRU", "own"])
def test_a_carried_state_gives_what_the_whole_sequence_gives(kind):
    layer = made(kind, 3, 4)
    x = torch.randn(13, 2, 3)
    whole, paths, injected = read(layer, x)
    _, state = layer(x[:5].detach())

    rest, _, _ = read(layer, x[5:].detach(), state=state)

    found, expected = (class_gradients(steps, paths, injected) for steps in (rest, whole))
    for name, values in found.items():
        for step, gradients in enumerate(values):
            assert_close(gradients, expected[name][step + 5], rtol=1e-10, atol=1e-14)


def test_last_rows_come_in_the_order_of_the_walk():
    hidden = [torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[4.0], [5.0]]), torch.ones(1, 1)]

    assert last_rows(hidden)[:, 0].tolist() == [1.0, 5.0, 3.0]


def test_a_step_that_does_not_repeat_itself_is_refused():
    noisy = cells.LARNNOptions(norm="layer", hidden_dropout=0.5, eval_honoured=False)
    layer = cells.LARNN(3, 4, window=2, heads=1, options=noisy).eval()
    steps, paths, injected = read(layer, torch.randn(5, 9, 3))

    with pytest.raises(ValueError, match=r"LARNNCell gave another hidden state when step 4"):
        class_gradients(steps, paths, injected)


def test_a_hidden_state_that_is_not_finite_is_refused():
    layer = made("LSTM", 3, 4)
    with torch.no_grad():
        layer.groups["l0"].gates.from_input.weight[0, 0] = torch.nan
    steps, paths, injected = read(layer, torch.randn(5, 2, 3))

    with pytest.raises(ValueError, match="LSTMCell is not finite at step 4"):
        class_gradients(steps, paths, injected)


def test_a_route_that_is_not_declared_is_refused():
    layer = made("own", 3, 4)
    steps, paths, injected = read(layer, torch.randn(5, 2, 3))
    steps.cell.routes = {"carry": cells.Route("hidden"), "key": cells.Route("hidden", True)}

    with pytest.raises(ValueError, match="by the route 'value', but declares only"):
        class_gradients(steps, paths, injected)
