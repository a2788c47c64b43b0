"""What a CUDA graph needs and keeps; the capture itself where there is a device."""

from contextlib import nullcontext

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

import cells
from cells.graphed import CUDAGraph, _Core
from tests.cells.test_paths import LAYERS

BATCH_NORM_KINDS = [kind for kind in LAYERS if kind.startswith(("larnn fixed", "larnn rel"))]


class NothingFromTheHost(TorchDispatchMode):
    """Refuses what a capture refuses: copies between host and device, and looking at values."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        given = {t.device.type for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)}
        left = {t.device.type for t in tree_leaves(found) if isinstance(t, torch.Tensor)}
        if "meta" in given | left and len(given | left) > 1 and given:
            raise AssertionError(f"{function} goes from {given} to {left}")
        return found


@pytest.mark.parametrize("path", ["step", "fast"])
@pytest.mark.parametrize("kind", LAYERS)
def test_reading_waits_for_no_value(kind, path, monkeypatch):
    # Mixed precision does not know the device that has no values.
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda *_: False)
    monkeypatch.setattr(torch, "get_autocast_dtype", lambda *_: torch.bfloat16)
    monkeypatch.setattr(torch, "autocast", lambda *_: nullcontext())
    if path == "step" and kind in [*BATCH_NORM_KINDS, "larnn batch, linear"]:
        pytest.skip("the step asks which slots hold something for the batch's statistics")
    layer = LAYERS[kind](3, 4, bidirectional=True).to("meta")
    layer.path = path
    declared = frozenset(name for cell in layer.groups.values() for name in cell.signals)
    core = _Core(layer, declared)
    x = torch.zeros(6, 9, 3, device="meta", requires_grad=True)
    with NothingFromTheHost():
        output, *_ = core(x)
        torch.autograd.grad(
            [output], [x, *layer.parameters()], [torch.empty_like(output)], allow_unused=True
        )
    assert layer.last_path == path


def test_what_a_capture_refuses_is_noticed():
    with pytest.raises(AssertionError, match="goes from"), NothingFromTheHost():
        torch.ones(3).to("meta")
    with pytest.raises(RuntimeError, match=r"meta"), NothingFromTheHost():
        bool(torch.ones(1, device="meta").all())


@pytest.fixture
def replayed(monkeypatch):
    """Stands for the capture: runs the function, and spoils what its last call gave."""

    def make(core, sample, *, allow_unused_input):
        assert allow_unused_input
        for _ in range(3):
            core(*sample)
        given = []

        def run(x):
            for tensor in given:
                tensor.data.fill_(-7 if not tensor.is_floating_point() else torch.nan)
            found = core(x)
            given[:] = [leaf.detach() for leaf in tree_leaves(found)]
            return tree_map(lambda t: t.view_as(t), found)

        return run

    monkeypatch.setattr(torch.cuda, "make_graphed_callables", make)


def _twins(kind, **more):
    torch.manual_seed(3)
    layer = LAYERS[kind](3, 4, **more)
    twin = LAYERS[kind](3, 4, **more)
    twin.load_state_dict(layer.state_dict())
    return layer, twin


@pytest.mark.parametrize("kind", ["rra", "larnn", "larnn fixed", "rau", "lstm", "gru"])
def test_a_graph_gives_what_the_layer_gives(kind, replayed):
    layer, twin = _twins(kind, num_layers=2)
    seen, expected = [], []
    graph = CUDAGraph(layer, torch.randn(6, 9, 3), frozenset({"hidden"}))
    hook = lambda group, values, lengths: seen.append((group, values, lengths))  # noqa: E731
    layer.register_readout_hook(hook, ["hidden"])
    twin.register_readout_hook(
        lambda group, values, lengths: expected.append((group, values, lengths)), ["hidden"]
    )
    kept = []
    for _ in range(3):
        x = torch.randn(6, 9, 3)
        for one, reads in ((layer, graph), (twin, twin)):
            one.zero_grad()
            torch.manual_seed(7)
            output, state = reads(x)
            output.square().sum().backward()
            kept.append((output.detach(), *tree_leaves(state)))
    for ours, theirs in zip(kept[::2], kept[1::2], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    for p, q in zip(layer.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p.grad, q.grad, rtol=0, atol=0)
    for p, q in zip(layer.buffers(), twin.buffers(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=0)
    assert [group for group, *_ in seen] == [group for group, *_ in expected] == ["l0", "l1"] * 3
    for ours, theirs in zip(seen, expected, strict=True):
        assert ours[1].keys() == theirs[1].keys()
        torch.testing.assert_close(ours[1], theirs[1], rtol=0, atol=0)
        torch.testing.assert_close(ours[2], theirs[2], rtol=0, atol=0)


def test_buffers_stay_where_the_graph_reads_them(replayed):
    layer, _ = _twins("larnn fixed")
    graph = CUDAGraph(layer, torch.randn(6, 9, 3), frozenset())
    places = [buffer.data_ptr() for buffer in layer.buffers()]
    before = [buffer.clone() for buffer in layer.buffers()]
    graph(torch.randn(6, 9, 3))
    layer(torch.randn(6, 9, 3))  # which puts others in their place
    graph(torch.randn(6, 9, 3))
    assert [buffer.data_ptr() for buffer in layer.buffers()] == places
    assert any(not torch.equal(b, c) for b, c in zip(before, layer.buffers(), strict=True))


def test_a_graph_refuses_what_it_was_not_captured_for(replayed):
    layer, _ = _twins("rra")
    x = torch.randn(6, 9, 3)
    graph = CUDAGraph(layer, x, frozenset({"attention"}))
    with pytest.raises(ValueError, match=r"captured for \(6, 9, 3\).* cannot read \(5, 9, 3\)"):
        graph(x[:5])
    with pytest.raises(ValueError, match="eval mode"):
        layer.eval()(x), graph(x)
    layer.train()
    with torch.no_grad(), pytest.raises(ValueError, match="gradients off"):
        graph(x)
    with (
        layer.register_edit(lambda weights, values, at: (weights, values)),
        pytest.raises(ValueError, match="cannot be edited"),
    ):
        graph(x)
    with (
        layer.register_gradient_hook(lambda *_: None),
        pytest.raises(ValueError, match="cannot watch gradients"),
    ):
        graph(x)
    with (
        layer.register_readout_hook(lambda *_: None, ["hidden"]),
        pytest.raises(ValueError, match=r"signals=\['attention', 'hidden'\]"),
    ):
        graph(x)
    graph(x)
    cell = layer.groups["l0"]
    cell.lag_scores = torch.nn.Parameter(cell.lag_scores.detach().clone())
    with pytest.raises(ValueError, match="Parameters were replaced"):
        graph(x)


def test_backward_comes_before_the_next_call(replayed):
    layer, _ = _twins("gru")
    x = torch.randn(6, 9, 3)
    graph = CUDAGraph(layer, x, frozenset())
    first, _ = graph(x)
    second, _ = graph(x)
    with pytest.raises(RuntimeError, match="called again since"):
        first.sum().backward()
    second.sum().backward()


def test_hooks_and_checks_are_back_after_a_capture_that_fails(monkeypatch):
    layer, _ = _twins("rra")
    layer.register_readout_hook(lambda *_: None, ["hidden"])
    hooks = dict(layer._readout_hooks)
    with pytest.raises(ValueError, match="got shape"):
        _Core(layer, frozenset({"hidden"}))(torch.randn(6, 9))
    assert dict(layer._readout_hooks) == hooks
    assert "before_sequence" not in vars(layer.groups["l0"])


def test_an_input_on_the_host_is_refused():
    with pytest.raises(ValueError, match="needs an input on a CUDA device, got one on cpu"):
        cells.cuda_graph(cells.GRU(3, 4), torch.randn(2, 5, 3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("path", ["step", "fast"])
@pytest.mark.parametrize("kind", ["rra", "larnn", "rau", "lstm", "gru"])
def test_a_captured_graph_gives_what_the_layer_gives(kind, path):
    layer, twin = (one.cuda().eval() for one in _twins(kind))
    layer.path = twin.path = path
    graph = cells.cuda_graph(layer, torch.randn(6, 9, 3, device="cuda"), signals=["hidden"])
    for _ in range(2):
        x = torch.randn(6, 9, 3, device="cuda")
        for one, reads in ((layer, graph), (twin, twin)):
            one.zero_grad()
            torch.manual_seed(7)
            output, _ = reads(x)
            output.square().sum().backward()
        torch.testing.assert_close(graph(x)[0], twin(x)[0], rtol=0, atol=1e-12)
        for p, q in zip(layer.parameters(), twin.parameters(), strict=True):
            torch.testing.assert_close(p.grad, q.grad, rtol=0, atol=1e-10)
