"""Every path of every cell is held to the step, the definition."""

import copy
import gc
import warnings
import weakref
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

import cells
from cells.norms import SMALLEST_BATCH
from cells.recurrent import StepByStepWarning
from tests.cells.helpers import randomise
from tests.cells.own_cell import GlanceCell

# Largest difference from the step, relative to the largest entry of what is compared. The paths
# add the same terms in another order; gradients add most of them.
TOLERANCES = {
    torch.float64: {"values": 1e-10, "gradients": 1e-10},
    torch.float32: {"values": 2e-5, "gradients": 2e-4},
}
# At the first timesteps batch norm divides differences between almost equal memories by √ε:
# the step in float32 is itself up to 2e-2 from the step in float64.
BATCH_NORM = {
    torch.float64: {"values": 1e-10, "gradients": 1e-8},
    torch.float32: {"values": 5e-3, "gradients": 5e-2},
}

LAYERS = {
    "lstm": lambda i, h, **more: cells.LSTM(i, h, **more),
    "lstm without bias": lambda i, h, **more: cells.LSTM(i, h, bias=False, **more),
    "rra": lambda i, h, **more: cells.RRA(i, h, window=4, **more),
    "rra from lag 1": lambda i, h, **more: cells.RRA(i, h, window=3, first_lag=1, **more),
    "rra of one lag, softmax": lambda i, h, **more: cells.RRA(
        i, h, window=1, normalization="softmax", bias=False, **more
    ),
    "gru": lambda i, h, **more: cells.GRU(i, h, **more),
    "gru without bias": lambda i, h, **more: cells.GRU(i, h, bias=False, **more),
    "gru reset before": lambda i, h, **more: cells.GRU(i, h, reset="before", **more),
    "rau": lambda i, h, **more: cells.RAU(i, h, **more),
    "rau rescaled": lambda i, h, **more: cells.RAU(i, h, rescale=True, bias=False, **more),
    "larnn": lambda i, h, **more: _larnn(i, h, "stable", **more),
    "larnn without norm": lambda i, h, **more: _larnn(i, h, "stable", norm="none", **more),
    "larnn linear": lambda i, h, **more: _larnn(
        i, h, "stable", key_value="linear", query="linear", context="linear", bias=False, **more
    ),
    "larnn layer": lambda i, h, **more: _larnn(
        i, h, "stable", mode="layer", redundant=True, **more
    ),
    "larnn fixed": lambda i, h, **more: _larnn(i, h, "fixed", **more),
    "larnn released": lambda i, h, **more: _larnn(i, h, "released", hidden_dropout=0.2, **more),
    "larnn batch, linear": lambda i, h, **more: _larnn(
        i, h, "fixed", key_value="linear", attention_dropout=0.0, **more
    ),
}


def _larnn(i, h, preset, *, bias=True, num_layers=1, batch_first=False, bidirectional=False,
           dropout=0.0, **changed):  # fmt: skip
    return cells.LARNN(
        i, 2 * h, num_layers, bias, batch_first, dropout, bidirectional, window=4, heads=2,
        options=replace(cells.PRESETS[preset], **changed),
    )  # fmt: skip


# features, units, time, batch, and what the layer is given besides
CASES = {
    "primes": (3, 5, 11, 7, {}),
    "ones": (1, 1, 1, 1, {}),
    "one timestep": (3, 2, 1, 4, {}),
    "one sequence": (2, 3, 13, 1, {}),
    "long": (2, 3, 60, 2, {}),
    "lengths": (3, 5, 11, 7, {"lengths": [4, 11, 1, 9, 4, 2, 7]}),
    "lengths below the input's": (3, 5, 11, 3, {"lengths": [4, 9, 7]}),
    "equal lengths below the input's": (3, 5, 11, 3, {"lengths": [6, 6, 6]}),
    "carried state": (3, 5, 7, 4, {"carried": [5, 5, 5, 5]}),
    "carried state of unequal lengths": (3, 5, 7, 4, {"carried": [12, 12, 15, 13], "lengths": [7, 2, 5, 1]}),
    "large batch": (3, 4, 9, 17, {"lengths": [9] * 9 + [1, 2, 3, 4, 5, 6, 7, 8]}),
    "large batch carried": (3, 4, 7, 17, {"carried": [9] * 17, "lengths": [7] * 9 + [2] * 8}),
    "bidirectional": (3, 5, 9, 4, {"bidirectional": True, "lengths": [9, 3, 8, 1]}),
    "stacked": (3, 5, 9, 4, {"num_layers": 3, "dropout": 0.4, "bidirectional": True}),
    "batch first": (3, 5, 9, 4, {"batch_first": True, "num_layers": 2, "lengths": [3, 9, 9, 1]}),
}  # fmt: skip


def _read(layer, x, *, state=None, lengths=None, seed=5):
    """All that a layer gives: values, then gradients, by name."""
    values, gradients = {}, {}
    x = x.detach().clone().requires_grad_()
    declared = {name for cell in layer.groups.values() for name in cell.signals}

    def see(group, readouts, _):
        values.update({f"{group} {name}": readouts[name].clone() for name in readouts})

    def feel(group, norms):
        gradients.update({f"{group} {name}": norm for name, norm in norms.items()})

    if state is not None:
        state = tuple(_leaves(part) for part in state)
    layer.zero_grad()
    torch.manual_seed(seed)
    with layer.register_readout_hook(see, declared), layer.register_gradient_hook(feel):
        output, final = layer(x, state, lengths=lengths)
    values["output"] = output.detach().clone()
    values |= {name: buffer.clone() for name, buffer in layer.named_buffers()}
    # Every output and every entry of the state with a weight of its own.
    loss = _weighed(output)
    for group, part in zip(layer.groups, final, strict=True):
        for name, tensors in part._asdict().items():
            for lag, tensor in enumerate(tensors if isinstance(tensors, tuple) else [tensors]):
                values[f"{group} final {name} {lag}"] = tensor.detach().clone()
                if tensor.is_floating_point():
                    loss = loss + _weighed(tensor) * (lag + 2)
    loss.backward()
    gradients["x"] = x.grad
    # Of those that cannot receive any, the step leaves rounding.
    gradients |= {name: p.grad for name, p in layer.named_parameters() if not _idle(layer, name)}
    for group, part in zip(layer.groups, state or (), strict=False):
        for name, tensors in part._asdict().items():
            for lag, tensor in enumerate(tensors if isinstance(tensors, tuple) else [tensors]):
                if tensor.is_floating_point():
                    gradients[f"{group} initial {name} {lag}"] = tensor.grad
    return values, gradients


def _idle(layer, name):
    return any(
        name == f"cells.{group}.{one}"
        for group, cell in layer.groups.items()
        for one in cell.untrainable()
    )


def _leaves(part):
    fields = [
        tuple(_leaf(tensor) for tensor in field) if isinstance(field, tuple) else _leaf(field)
        for field in part
    ]
    return type(part)(*fields)


def _leaf(tensor):
    leaf = tensor.detach().clone()
    return leaf.requires_grad_() if leaf.is_floating_point() else leaf


def _weighed(tensor):
    flat = tensor.reshape(-1)
    weights = torch.linspace(-1, 1, len(flat) + 3, dtype=tensor.dtype, device=tensor.device)
    return flat @ weights[3:]


def _assert_same(found, expected, tolerance):
    assert found.keys() == expected.keys()
    for name, right in expected.items():
        if right is None:
            assert found[name] is None or not found[name].any(), name
            continue
        left = torch.zeros_like(right) if found[name] is None else found[name]
        largest = right.abs().nan_to_num().max().item() if right.is_floating_point() else 0
        assert_close(
            left, right, rtol=0, atol=tolerance * max(largest, 1e-3), equal_nan=True,
            msg=lambda text, name=name: f"{name}: {text}",
        )  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", LAYERS)
def test_fast_path_gives_what_the_step_gives(kind, case, dtype, device):
    features, units, time, batch, more = CASES[case]
    more = dict(more)
    carried, lengths = more.pop("carried", None), more.pop("lengths", None)
    torch.manual_seed(3)
    layer = LAYERS[kind](features, units, **more).to(device, dtype)
    randomise(layer)
    if batch < SMALLEST_BATCH:
        layer.eval()  # batch norm learns from no smaller one
    state = None
    if carried is not None:
        longest = max(carried)
        earlier = torch.randn(longest, batch, features, device=device, dtype=dtype)
        layer.path = "step"
        state = layer(earlier, lengths=carried)[1]
    shape = (batch, time, features) if layer.batch_first else (time, batch, features)
    x = torch.randn(shape, device=device, dtype=dtype)
    other = copy.deepcopy(layer)
    expected = _read(_on(layer, "step"), x, state=state, lengths=lengths)
    found = _read(_on(other, "fast"), x, state=state, lengths=lengths)

    tolerance = TOLERANCES[dtype]
    if any(cell.statistics and cell.training for cell in layer.groups.values()):
        tolerance = BATCH_NORM[dtype]
    _assert_same(found[0], expected[0], tolerance["values"])
    _assert_same(found[1], expected[1], tolerance["gradients"])


def _on(layer, path):
    layer.path = path
    return layer
