"""The graph path is held to the step: captured by torch itself, on a GPU or a pretended one."""

import copy
import pickle
from collections import OrderedDict
from contextlib import nullcontext

import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import cells
from cells import graphed
from cells.graphed import Graphs, capture
from cells.walk import map_state
from tests.cells.helpers import assert_nothing_left, randomise
from tests.cells.own_cell import GlanceCell
from tests.cells.pretend_cuda import PretendGraph, pretend_cuda
from tests.cells.test_paths import (
    BATCH_NORM,
    LAYERS,
    TOLERANCES,
    _assert_same,
    _larnn,
    _on,
    _read,
    _weighed,
)

KINDS = {
    **LAYERS,
    "larnn batch": lambda i, h, **more: _larnn(i, h, "fixed", attention_dropout=0.0, **more),
    "own": lambda i, h, **more: cells.Recurrent(lambda n: GlanceCell(n, h), i, **more),
}
FIVE = ["lstm", "gru", "rra", "rau", "larnn"]


@pytest.fixture(params=["pretended", "cuda"])
def device(request, monkeypatch):
    if request.param == "pretended":
        pretend_cuda(monkeypatch)
        return "cpu"
    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device; the graph was captured on a pretended one only")
    return "cuda"


def _twins(kind, device, **more):
    """A layer on the graph path and its like on the step's."""
    torch.manual_seed(3)
    layer = randomise(KINDS[kind](3, 5, **more)).to(device)
    if device == "cuda":
        layer.eval()  # a replay draws other numbers for dropout than the step does
    return _on(layer, "graph"), _on(copy.deepcopy(layer), "step")


def _tolerances(layer):
    learning = any(cell.statistics and cell.training for cell in layer.groups.values())
    return (BATCH_NORM if learning else TOLERANCES)[torch.float64]


def _hold(layer, twin, x, *, same=_assert_same, **given):
    """All that two layers give, with their own states; the same numbers are the same."""
    found = _read(layer, x, watched=False, **given)
    expected = _read(twin, x, watched=False, **given)
    assert (layer.last_path, twin.last_path) == ("graph", "step")
    tolerance = _tolerances(layer)
    same(found[0], expected[0], tolerance["values"])
    same(found[1], expected[1], tolerance["gradients"])
    return expected


def _captured_first(layer, twin, x, **given):
    """Captures, which draws numbers for dropout that the twin does not draw."""
    _hold(layer, twin, x, same=lambda *_: None, **given)
    layer.load_state_dict(twin.state_dict())


@pytest.mark.parametrize("inner", ["step", "fast"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_gives_what_the_step_gives(kind, inner, device, monkeypatch):
    if inner == "step":
        monkeypatch.setattr(graphed, "_inner", lambda call: "step")
    layer, twin = _twins(kind, device, num_layers=2, bidirectional=True)
    if device == "cuda" and kind == "larnn released":
        pytest.skip("its dropout does not end in evaluation, and a replay draws other numbers")
    looks = any(graphed.can_capture(torch.zeros(1)) and c.looks(9) for c in layer.groups.values())
    if inner == "step" and looks:
        with pytest.raises(ValueError, match="batch statistics ask which slots hold a memory"):
            layer(torch.randn(6, 9, 3, device=device))
        return
    _captured_first(layer, twin, torch.randn(6, 9, 3, device=device))
    for _ in range(2):
        _hold(layer, twin, torch.randn(6, 9, 3, device=device))
    assert len(layer._graphs) == 4


def test_batch_statistics_are_learned_and_then_used(device):
    layer, twin = _twins("larnn batch", device)
    for training in (True, True, False, True, False):
        layer.train(training)
        twin.train(training)
        _hold(layer, twin, torch.randn(6, 9, 3, device=device))
    assert len(layer._graphs) == 2


@pytest.mark.parametrize("kind", [*FIVE, "larnn batch", "own"])
@pytest.mark.parametrize("case", ["carried", "one timestep", "shorter", "batch first"])
def test_states_are_carried_and_lengths_are_kept(kind, case, device):
    layer, twin = _twins(kind, device, batch_first=case == "batch first", num_layers=2)
    for one in (layer, twin):
        one.eval()
    time = {"carried": 7, "one timestep": 1, "shorter": 11, "batch first": 6}[case]
    shape = (4, time, 3) if case == "batch first" else (time, 4, 3)
    lengths = [6] * 4 if case == "shorter" else None
    for begun in (2, 3, 9):  # rows of a window that are there, one less than all of them, and more
        earlier = (4, begun, 3) if case == "batch first" else (begun, 4, 3)
        state = twin(torch.randn(earlier, device=device))[1]
        x = torch.randn(shape, device=device)
        _hold(layer, twin, x, state=state, lengths=lengths)
    assert len(layer._graphs) == 2


def test_rows_of_different_histories_are_captured_as_well(device):
    layer, twin = _twins("larnn", device)
    for one in (layer, twin):
        one.eval()
    with torch.no_grad():
        _, state = twin(torch.randn(5, 3, 3, device=device), lengths=[5, 2, 1])
    x = torch.randn(4, 3, 3, device=device)
    for _ in range(2):  # a sequence that begins counts differently from one that goes on
        for given in (None, state):
            assert_close(layer(x, given)[0], twin(x, given)[0], rtol=0, atol=1e-10)
    _hold(layer, twin, x, state=state)
    assert len(layer._graphs) == 3


@pytest.mark.parametrize("kind", FIVE)
def test_a_layer_is_trained_as_by_step(kind, device):
    layer, twin = (one.eval() for one in _twins(kind, device))
    optimisers = [torch.optim.Adam(one.parameters(), lr=0.05) for one in (layer, twin)]
    for _ in range(4):
        x = torch.randn(6, 9, 3, device=device)
        for one, optimiser in zip((layer, twin), optimisers, strict=True):
            optimiser.zero_grad()
            one(x)[0].square().sum().backward()
            optimiser.step()
    for name, parameter in layer.named_parameters():
        assert_close(parameter, dict(twin.named_parameters())[name], rtol=0, atol=1e-6)
    assert len(layer._graphs) == 1


@pytest.mark.parametrize("kind", FIVE)
def test_gradients_of_several_batches_add_up(kind, device):
    layer, twin = (one.eval() for one in _twins(kind, device))
    for _ in range(3):
        x = torch.randn(6, 9, 3, device=device)
        for one in (layer, twin):
            _weighed(one(x)[0]).backward()
    for name, parameter in layer.named_parameters():
        expected = dict(twin.named_parameters())[name].grad
        if expected is not None:
            assert_close(parameter.grad, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("grad", [True, False])
def test_what_was_given_stays_as_it_was(grad, device):
    layer, _ = _twins("rra", device)
    seen = []
    layer.register_readout_hook(lambda *call: seen.append(call[1]), ["attention", "hidden"])
    with nullcontext() if grad else torch.no_grad():
        first = layer(torch.randn(6, 9, 3, device=device))
        kept = [tensor.detach().clone() for tensor in tree_leaves((first, seen[0]))]
        layer(torch.randn(6, 9, 3, device=device))
    assert all(map(torch.equal, kept, tree_leaves((first, seen[0]))))
    assert not torch.equal(seen[0]["hidden"], seen[1]["hidden"])
    assert not any(tensor.requires_grad for tensor in tree_leaves(seen))
    assert first[0].requires_grad == grad


def test_the_input_is_read_where_it_lies(device):
    layer, twin = _twins("lstm", device)
    _hold(layer, twin, torch.randn(6, 9, 3, device=device))
    _hold(layer, twin, torch.randn(3, 18, 6, device=device).permute(2, 1, 0)[:, ::2])
    _hold(layer, twin, torch.randn(3, device=device).expand(6, 9, 3))
    assert len(layer._graphs) == 1


def _freeze(layer, x):
    layer.groups["l0"].gates.from_input.weight.requires_grad_(False)
    layer(x)


def _replace(layer, x):
    cell = layer.groups["l0"]
    cell.lag_scores = torch.nn.Parameter(cell.lag_scores.detach() + 1)
    layer(x)


def _replace_cell(layer, x):
    layer.cells["l0"] = copy.copy(layer.groups["l0"])  # with the same weights
    layer(x)


def _ask_of_state(layer, x):
    state = layer.groups["l0"].initial_state(x.shape[1], device=x.device)
    layer(x, (map_state(lambda t: t.requires_grad_(t.is_floating_point()), state),))


def _hook(layer, x):
    with layer.register_readout_hook(lambda *_: None, ["context"]):
        layer(x)


def _lower_products(layer, x):
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    layer(x)
    torch.set_float32_matmul_precision(before)


CHANGES = {
    "more rows": lambda layer, x: layer(torch.cat([x, x], dim=1)),
    "more timesteps": lambda layer, x: layer(torch.cat([x, x])),
    "shorter sequences": lambda layer, x: layer(x, lengths=[4] * x.shape[1]),
    "evaluation": lambda layer, x: layer.eval()(x),
    "a frozen weight": _freeze,
    "another weight": _replace,
    "another cell": _replace_cell,
    "no gradients": lambda layer, x: torch.no_grad()(layer)(x),
    "inference": lambda layer, x: torch.inference_mode()(layer)(x),
    "the input's gradient": lambda layer, x: layer(x.clone().requires_grad_()),
    "a state's gradient": _ask_of_state,
    "readouts": _hook,
    "mixed precision": lambda layer, x: torch.autocast(x.device.type, torch.bfloat16)(layer)(x),
    "precision of products": _lower_products,
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_a_capture_fixes_makes_another_when_it_changes(change, device):
    layer, _ = _twins("rra", device)
    layer.train()
    x = torch.randn(6, 9, 3, device=device)
    for _ in range(2):
        layer(x)
        assert len(layer._graphs) == 1
    CHANGES[change](layer, x)
    assert layer.last_path == "graph"
    assert len(layer._graphs) == 2


def test_memory_of_inference_serves_inference_alone(device):
    layer, twin = _twins("rra", device)
    for mode in (torch.inference_mode, torch.no_grad) * 2:
        x = torch.randn(6, 9, 3, device=device)
        with mode():
            assert_close(layer(x)[0], twin(x)[0], rtol=0, atol=1e-10)
    assert len(layer._graphs) == 2


def test_the_longest_unused_leaves(device):
    layer, twin = _twins("gru", device)
    layer._graphs = Graphs(most=2)
    x = torch.randn(8, 4, 3, device=device)
    kept = layer._graphs._kept.setdefault("l0", OrderedDict())
    for time, there in ((5, [5]), (6, [5, 6]), (5, [6, 5]), (7, [5, 7]), (6, [7, 6])):
        _hold(layer, twin, x[:time])
        assert [key[2] for key in kept] == there
    layer.to(torch.float32)
    assert len(layer._graphs) == 0
    layer(x.float())
    assert layer.last_path == "graph"


def test_copies_capture_for_themselves(device):
    layer, twin = _twins("rau", device)
    x = torch.randn(6, 9, 3, device=device)
    names = list(layer.state_dict())
    layer(x)
    assert list(layer.state_dict()) == names
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert (len(other._graphs), len(layer._graphs)) == (0, 1)
        _hold(other, twin, x)
        assert other._graphs is not layer._graphs


def test_a_call_goes_backward_once_and_before_the_next(device):
    layer, _ = _twins("gru", device)
    x = torch.randn(6, 9, 3, device=device)
    (first, state), (second, _) = layer(x), layer(x)
    for late in (first, state[0].hidden):
        with pytest.raises(RuntimeError, match="called again since, or went backward already"):
            late.sum().backward(retain_graph=True)
    second.sum().backward(retain_graph=True)
    with pytest.raises(RuntimeError, match="called again since, or went backward already"):
        second.sum().backward(retain_graph=True)
    third, _ = layer(x)
    with torch.no_grad():
        layer(x)  # another graph, in memory of its own
    third.sum().backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        third.sum().backward()


def test_weights_changed_before_the_backward_pass_are_noticed(device):
    layer, _ = _twins("rra", device)
    output, _ = layer(torch.randn(5, 2, 3, device=device))
    with torch.no_grad():
        layer.groups["l0"].gates.from_input.weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_the_gradient_of_a_gradient_is_refused(device):
    layer, _ = _twins("gru", device)
    x = torch.randn(5, 2, 3, device=device, requires_grad=True)
    with pytest.raises(RuntimeError, match="Set the layer's path to 'step'"):
        torch.autograd.grad(layer(x)[0].sum(), x, create_graph=True)


@pytest.mark.parametrize("kind", FIVE)
def test_a_call_leaves_nothing_in_memory(kind, device):
    layer, _ = _twins(kind, device)
    layer.eval()
    layer(torch.randn(6, 9, 3, device=device))  # the first is captured
    assert_nothing_left(layer, torch.randn(6, 9, 3, device=device))


@pytest.mark.parametrize("kind", FIVE)
def test_mixed_precision_keeps_the_states_whole(kind, device):
    layer, twin = (one.float().eval() for one in _twins(kind, device))
    twin.path = "fast"  # which is what is captured
    x = torch.randn(12, 9, 3, device=device, dtype=torch.float32).to(torch.bfloat16)
    results = [], []
    for one, found in zip((layer, twin), results, strict=True):
        for _ in range(2):
            with torch.autocast(device, torch.bfloat16):
                output, state = one(x)
            output.sum().backward()
            assert output.dtype == state[0].hidden.dtype == torch.float32
            found += [output.detach(), *(p.grad for p in one.parameters() if p.grad is not None)]
            one.zero_grad()
            with torch.no_grad():  # which no copy of lower precision may outlive
                _ = [parameter.mul_(0.5) for parameter in one.parameters()]
    assert not torch.equal(results[0][0], results[0][len(results[0]) // 2])
    apart = 1e-5 if device == "cpu" else 0.05  # products of a GPU may add in another order
    for found, expected in zip(*results, strict=True):
        assert_close(found, expected, rtol=apart, atol=apart)


OBSTACLES = {
    "an edit is registered": lambda layer, x: layer.register_edit(cells.same),
    "gradients are watched": lambda layer, x: layer.register_gradient_hook(lambda *_: None),
    "the cell has hooks": lambda layer, x: layer.groups["l0"].register_forward_hook(
        lambda *_: None
    ),
    "different lengths": lambda layer, x: {"lengths": [5, 2]},
    "function transform": lambda layer, x: torch.func.grad(lambda x: layer(x)[0].sum())(x),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_what_cannot_be_captured_is_refused(obstacle, device):
    layer, _ = _twins("rra", device)
    x = torch.randn(5, 2, 3, device=device)
    with pytest.raises(ValueError, match=f"cannot take the graph path: .*{obstacle}"):
        given = OBSTACLES[obstacle](layer, x)
        layer(x, **(given if isinstance(given, dict) else {}))
    assert len(layer._graphs) == 0


def test_an_input_on_the_host_is_refused():
    layer = _on(cells.GRU(3, 4), "graph")
    with pytest.raises(ValueError, match="needs CUDA tensors, and the input is on cpu"):
        layer(torch.randn(2, 5, 3))


def test_the_choice_never_falls_on_a_graph(device):
    layer, _ = _twins("gru", device)
    layer.path = "auto"
    layer(torch.randn(5, 2, 3, device=device))
    assert (layer.last_path, len(layer._graphs)) == ("fast", 0)


def test_a_step_that_looks_at_values_is_named(device, monkeypatch):
    layer, _ = _twins("own", device)
    cell, x = layer.groups["l0"], torch.randn(5, 2, 3, device=device)
    step = cell.forward
    monkeypatch.setattr(
        cell, "forward", lambda x, *rest, **more: (x.sum().item(), step(x, *rest, **more))[1]
    )
    with pytest.raises(RuntimeError, match=r"GlanceCell could not be captured .* path to 'auto'"):
        layer(x)
    assert len(layer._graphs) == 0


class NothingFromTheHost(TorchDispatchMode):
    """Refuses what a capture refuses: copies between host and device, and looking at values."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten.batch_norm_update_stats.default:  # unknown on meta
            return args[0].new_empty(args[0].shape[1]), args[0].new_empty(args[0].shape[1])
        found = function(*args, **(kwargs or {}))
        given = {t.device.type for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)}
        left = {t.device.type for t in tree_leaves(found) if isinstance(t, torch.Tensor)}
        if "meta" in given | left and len(given | left) > 1 and given:
            raise AssertionError(f"{function} goes from {given} to {left}")
        return found


class NoNewNumbers(TorchFunctionMode):
    """Refuses tensors made of Python's numbers, which are copied where no dispatch sees it."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        made = function in (torch.tensor, torch.as_tensor, torch.Tensor.new_tensor)
        if made and found.device.type == "meta":
            raise AssertionError(f"{function} makes a tensor of numbers from the host")
        return found


@pytest.mark.parametrize("inner", ["step", "fast"])
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_captured_comes_from_the_host(kind, inner, monkeypatch):
    # Mixed precision does not know the device that has no values.
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *_: False)
    monkeypatch.setattr(torch, "get_autocast_dtype", lambda *_: torch.bfloat16)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    monkeypatch.setattr(graphed, "can_capture", lambda x: True)
    if inner == "step":
        monkeypatch.setattr(graphed, "_inner", lambda call: "step")
    captured = []

    def run(function, samples):
        with NothingFromTheHost(), NoNewNumbers():
            outputs, rest = function(*samples)
            asking = [output for output in outputs if output.requires_grad]
            of = [sample for sample in samples if sample.requires_grad]
            torch.autograd.grad(asking, of, list(map(torch.empty_like, asking)), allow_unused=True)
        captured.append(rest)
        return (lambda *_: outputs), rest

    monkeypatch.setattr(graphed, "capture", run)
    layer = _on(KINDS[kind](3, 4, bidirectional=True).to("meta"), "graph")
    for cell in layer.groups.values():
        monkeypatch.setattr(cell, "before_sequence", lambda batch: None)  # outside the capture
        monkeypatch.setattr(cell, "after_sequence", lambda statistics: None)
    declared = {name for cell in layer.groups.values() for name in cell.signals}
    layer.register_readout_hook(lambda *_: None, declared)
    x = torch.zeros(6, 9, 3, device="meta", requires_grad=True)
    if inner == "step" and layer.groups["l0"].looks(9):
        with pytest.raises(ValueError, match="batch statistics"):
            layer(x)
        return
    layer(x)
    assert [set(readouts) for readouts, _ in captured] == [declared] * 2


def test_what_a_capture_refuses_is_noticed():
    with pytest.raises(AssertionError, match="goes from"), NothingFromTheHost():
        torch.ones(3).to("meta")
    with pytest.raises(RuntimeError, match=r"meta"), NothingFromTheHost():
        bool(torch.ones(1, device="meta").all())
    with pytest.raises(AssertionError, match="numbers from the host"), NoNewNumbers():
        torch.empty(1, device="meta").new_tensor([1.0])


def test_a_pretended_graph_behaves_as_a_graph_does(monkeypatch):
    pretend_cuda(monkeypatch)
    runs = []

    def function(x, weight):
        runs.append(len(x))
        kept = (x * weight).exp()
        return (kept.sum(dim=0),), kept.detach()

    weight = torch.randn(3, requires_grad=True)
    samples = torch.randn(4, 3), weight.detach().requires_grad_()
    replay, kept = capture(function, samples)
    assert runs == [4] * 4  # to warm up, and once to capture: no Python afterwards
    began, x = PretendGraph.replays, [torch.randn(4, 3) for _ in range(2)]
    (first,) = replay(x[0], weight)
    with torch.no_grad():
        weight.mul_(2)
    (second,) = replay(x[1], weight)
    assert_close(kept, (x[1] * weight).exp())
    assert_close(second, (x[1] * weight).exp().sum(dim=0))
    assert torch.equal(first, second)  # written over
    first.sum().backward()  # with what the second call left
    assert_close(weight.grad, (x[1] * (x[1] * weight).exp()).sum(dim=0))
    assert (len(runs), PretendGraph.replays - began) == (4, 3)
    with pytest.raises(RuntimeError, match="not permitted when stream is capturing"):
        capture(lambda x: ((x[x > 0],), None), samples[:1])
