"""What the fast paths do besides computing: to the process, and to random numbers."""

import copy
import gc
import threading

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

import cells
from cells.fast.functions import by_step, draw_mask
from cells.fast.larnn_window import Slots
from cells.fast.lstm import LSTMSweep
from tests.cells.helpers import randomise


@pytest.fixture(params=[True, False], ids=["on", "off"])
def collecting(request):
    """The garbage collector, turned on or off by the user."""
    (gc.enable if request.param else gc.disable)()
    try:
        yield request.param
    finally:
        gc.enable()


def _watched(monkeypatch, way, *, failing=False):
    """Whether the collector was on in a pass, which fails at its end if told so."""
    seen, passing = [], getattr(LSTMSweep, way)

    def watch(sweep, *given, **more):
        found = passing(sweep, *given, **more)
        seen.append(gc.isenabled())
        if failing:
            raise RuntimeError("in the pass")
        return found

    monkeypatch.setattr(LSTMSweep, way, watch)
    return seen


def test_no_garbage_is_collected_within_a_pass(collecting, monkeypatch):
    within = [_watched(monkeypatch, way) for way in ("forward", "backward")]
    output, _ = cells.LSTM(3, 4)(torch.randn(5, 2, 3))
    assert gc.isenabled() is collecting
    output.sum().backward()
    assert gc.isenabled() is collecting
    assert within == [[False], [False]]


@pytest.mark.parametrize("way", ["forward", "backward"])
def test_the_collector_is_as_it_was_after_a_pass_that_fails(way, collecting, monkeypatch):
    seen = _watched(monkeypatch, way, failing=True)
    with pytest.raises(RuntimeError, match="in the pass"):
        cells.LSTM(3, 4)(torch.randn(5, 2, 3))[0].sum().backward()
    assert seen == [False]
    assert gc.isenabled() is collecting
    # Nor is autograd left out of what comes next.
    x = torch.ones(2, requires_grad=True)
    assert (2 * x).requires_grad


def test_the_collector_is_on_again_after_passes_of_two_threads(monkeypatch):
    forward, begun, both = LSTMSweep.forward, threading.Event(), threading.Event()
    layer, x = cells.LSTM(3, 4), torch.randn(5, 2, 3)
    other = threading.Thread(target=lambda: layer(x))

    def overlap(sweep, *given):
        if threading.current_thread() is other:
            begun.set()
            assert both.wait(60)
        else:  # begins as the second, and ends as the last
            both.set()
            other.join(60)
        return forward(sweep, *given)

    monkeypatch.setattr(LSTMSweep, "forward", overlap)
    other.start()
    assert begun.wait(60)
    layer(x)
    assert not other.is_alive()
    assert gc.isenabled()


@pytest.mark.parametrize("dropping", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_what_is_dropped_is_what_functional_dropout_drops(dropping, dtype):
    room = torch.full((7, 5, 3), torch.nan, dtype=dtype)[1:, :4]  # rows of a larger buffer
    torch.manual_seed(4)
    expected = [F.dropout(torch.ones(6, 4, 3, dtype=dtype), dropping), torch.rand(2)]
    torch.manual_seed(4)
    draw_mask(room, dropping)
    assert torch.equal(room, expected[0])
    assert torch.equal(torch.rand(2), expected[1])  # and no number more was drawn


def test_numbers_by_step_are_those_given():
    numbers = [9, 9, 9, 4, 1, 1]
    found = by_step(torch.empty(0, dtype=torch.float64), numbers)
    assert_close(found, torch.tensor(numbers, dtype=torch.float64), rtol=0, atol=0)


def _fixed():
    torch.manual_seed(3)
    return randomise(cells.LARNN(3, 10, window=4, heads=2))


def _learned(layer, x):
    torch.manual_seed(5)  # for dropout
    output, _ = layer(x)
    output.float().square().sum().backward()
    return {name: p.grad for name, p in layer.named_parameters() if p.grad is not None}


def test_training_reads_no_running_statistics():
    layer, x = _fixed().double(), torch.randn(6, 9, 3, dtype=torch.float64)
    other = copy.deepcopy(layer)
    for name, buffer in other.named_buffers():
        if "running" in name:
            buffer.fill_(torch.nan)
    expected, found = _learned(layer, x), _learned(other, x)
    assert layer.last_path == other.last_path == "fast"
    assert all(torch.equal(found[name], right) for name, right in expected.items())


def test_batch_statistics_of_equal_memories_suit_half_precision():
    # The zeros at the start have a variance of ε alone, and 1/ε is too large a number for float16.
    layer, x = _fixed().half(), torch.randn(6, 9, 3, dtype=torch.float16)
    found = _learned(layer, x)
    assert layer.last_path == "fast"
    assert all(gradient.isfinite().all() for gradient in found.values())


def test_a_second_backward_begins_its_sums_anew(monkeypatch):
    # Whatever the first one left behind where it failed.
    layer, x = _fixed().double(), torch.randn(6, 9, 3, dtype=torch.float64)
    output, _ = layer(x)
    leaves = [p for name, p in layer.named_parameters() if "norm" in name]
    (*expected,) = torch.autograd.grad(output.sum(), leaves, retain_graph=True)
    with monkeypatch.context() as patch:
        patch.setattr(Slots, "learn", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            torch.autograd.grad(output.sum(), leaves, retain_graph=True)
    assert all(map(torch.equal, torch.autograd.grad(output.sum(), leaves), expected))
