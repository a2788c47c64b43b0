"""Every path of every cell is held to the step, the definition."""

import copy
import subprocess
import sys
import warnings
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

import cells
from cells import StepByStepWarning
from cells.fast import larnn_readout, sweep
from cells.norms import SMALLEST_BATCH
from tests.cells.helpers import assert_nothing_left, randomise
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
    torch.float32: {"values": 1e-2, "gradients": 5e-2},
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
    "carried state of unequal lengths": (
        3, 5, 7, 4, {"carried": [12, 12, 15, 13], "lengths": [7, 2, 5, 1]}
    ),
    "large batch": (3, 4, 9, 17, {"lengths": [9] * 9 + [1, 2, 3, 4, 5, 6, 7, 8]}),
    "large batch carried": (3, 4, 7, 17, {"carried": [9] * 17, "lengths": [7] * 9 + [2] * 8}),
    "bidirectional": (3, 5, 9, 4, {"bidirectional": True, "lengths": [9, 3, 8, 1]}),
    "stacked": (3, 5, 9, 4, {"num_layers": 3, "dropout": 0.4, "bidirectional": True}),
    "batch first": (3, 5, 9, 4, {"batch_first": True, "num_layers": 2, "lengths": [3, 9, 9, 1]}),
}  # fmt: skip


def _read(layer, x, *, state=None, lengths=None, seed=5, watched=True):
    """All that a layer gives: values, then gradients, those of states too if watched, by name."""
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
    feeling = layer.register_gradient_hook(feel) if watched else nullcontext()
    with layer.register_readout_hook(see, declared), feeling:
        output, final = layer(x, state, lengths=lengths)
    values["output"] = output.detach().clone()
    values |= {name: buffer.clone() for name, buffer in layer.named_buffers()}
    left = _named(layer, final)
    values |= {f"final {name}": tensor.detach().clone() for name, tensor in left.items()}
    # Every entry of the output and of the state with a weight of its own.
    floating = [output, *(tensor for tensor in left.values() if tensor.is_floating_point())]
    sum(_weighed(tensor) * (i + 2) for i, tensor in enumerate(floating)).backward()
    gradients["x"] = x.grad
    # Of those that cannot receive any, the step leaves rounding.
    gradients |= {name: p.grad for name, p in layer.named_parameters() if not _idle(layer, name)}
    for name, tensor in _named(layer, state or ()).items():
        if tensor.is_floating_point():
            gradients[f"initial {name}"] = tensor.grad
    return values, gradients


def _named(layer, state):
    """Every tensor of a state by group, field and place."""
    return {
        f"{group} {field} {place}": tensor
        for group, part in zip(layer.groups, state, strict=False)
        for field, tensors in part._asdict().items()
        for place, tensor in enumerate(tensors if isinstance(tensors, tuple) else [tensors])
    }


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
    _compare(kind, case, dtype, device)


@pytest.mark.parametrize("size", [1, 150])
@pytest.mark.parametrize("case", ["long", "lengths", "carried state of unequal lengths"])
@pytest.mark.parametrize("kind", LAYERS)
def test_it_does_so_piece_by_piece(kind, case, size, device, monkeypatch):
    # As long sequences are read: of a timestep each, and of some, the first of them fewer.
    for module in (sweep, larnn_readout):
        monkeypatch.setattr(module, "PIECE", size)
    _compare(kind, case, torch.float64, device)


def _compare(kind, case, dtype, device):
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


def test_the_choice_is_automatic_forceable_and_reported(device, unchecked):
    layer = cells.LSTM(3, 5, device=device)
    x = torch.randn(4, 2, 3, device=device)
    for asked, taken in (("auto", "fast"), ("step", "step"), ("fast", "fast")):
        layer.path = asked
        layer(x)
        assert (layer.path, layer.last_path) == (asked, taken)
    with pytest.raises(
        ValueError, match=r"one of \('auto', 'step', 'fast', 'graph'\), got 'quick'"
    ):
        layer.path = "quick"
    assert layer.path == "fast"


OBSTACLES = {
    "an edit": (lambda: cells.RRA(3, 4), lambda layer: layer.register_edit(cells.same)),
    "renormalise": (lambda: cells.RRA(3, 4, missing="renormalise"), None),
    "reading='hidden'": (lambda: cells.RAU(3, 4, reading="hidden"), None),
    "positions": (lambda: _larnn(3, 2, "stable", positions=True), None),
    "attention_into": (lambda: _larnn(3, 2, "stable", attention_into="candidate"), None),
    "gate_norm": (lambda: _larnn(3, 2, "stable", gate_norm="applied"), None),
    "has hooks": (
        lambda: cells.GRU(3, 4),
        lambda layer: layer.groups["l0"].from_input.register_forward_hook(lambda *call: None),
    ),
    "is a ParametrizedLinear": (
        lambda: cells.GRU(3, 4),
        lambda layer: torch.nn.utils.parametrizations.weight_norm(layer.groups["l0"].from_input),
    ),
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_what_is_out_of_reach_runs_the_step_and_says_so_once(obstacle):
    make, disturb = OBSTACLES[obstacle]
    layer = make()
    if disturb is not None:
        disturb(layer)
    x = torch.randn(4, 2, 3)

    with pytest.warns(StepByStepWarning, match=obstacle):
        layer(x)
    assert layer.last_path == "step"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(x)
    layer.path = "fast"
    with pytest.raises(ValueError, match=f"cannot take the fast path.*{obstacle}"):
        layer(x)


def test_the_warning_points_at_the_line_that_calls_the_layer(tmp_path):
    script = tmp_path / "mine.py"
    script.write_text(
        "import cells, torch\n"
        "layer = cells.RRA(3, 4, missing='renormalise', num_layers=2)\n"
        "layer(torch.randn(5, 2, 3))  # this line\n"
    )

    # In a process of its own: checks of types put frames of theirs between.
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=120
    )

    assert f"{script}:3: StepByStepWarning" in done.stderr
    assert "# this line" in done.stderr


def test_an_edit_of_one_call_slows_that_call_only():
    layer, x = cells.RRA(3, 4), torch.randn(4, 2, 3)
    with layer.register_edit(cells.same):
        layer(x)
        assert layer.last_path == "step"
    layer(x)
    assert layer.last_path == "fast"


def test_a_cell_of_ones_own_is_read_by_step_without_a_word():
    layer = cells.Recurrent(lambda features: GlanceCell(features, 4), 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(torch.randn(5, 2, 3))
    assert layer.last_path == "step"


def test_rows_of_different_histories_are_read_by_step():
    layer = _larnn(3, 2, "stable")
    _, state = layer(torch.randn(5, 3, 3), lengths=[5, 2, 1])
    x = torch.randn(4, 3, 3)
    with pytest.warns(StepByStepWarning, match="different numbers of timesteps"):
        layer(x, state)
    assert layer.last_path == "step"


@pytest.mark.parametrize("kind", LAYERS)
def test_input_that_does_not_lie_in_order_is_read_as_it_stands(kind):
    layer = randomise(LAYERS[kind](3, 5)).double().eval()
    x = torch.randn(3, 9, 8, dtype=torch.float64).permute(2, 1, 0)[::2]  # (4, 9, 3), strides apart
    assert not x.is_contiguous()
    found, expected = _read(_on(layer, "fast"), x), _read(_on(layer, "fast"), x.contiguous())
    for left, right in zip(found, expected, strict=True):
        assert all(torch.equal(left[n].nan_to_num(), right[n].nan_to_num()) for n in right)


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_second_backward_gives_the_same_again(kind, training):
    layer = randomise(LAYERS[kind](3, 5)).double().train(training)
    x = torch.randn(6, 9, 3, dtype=torch.float64, requires_grad=True)
    output, _ = layer(x)
    assert layer.last_path == "fast"
    names = [name for name, _ in layer.named_parameters() if not _idle(layer, name)]
    leaves = [x, *(dict(layer.named_parameters())[name] for name in names)]

    first = torch.autograd.grad(_weighed(output), leaves, retain_graph=True)
    second = torch.autograd.grad(_weighed(output), leaves)
    assert all(map(torch.equal, first, second))
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        output.sum().backward()


@pytest.mark.parametrize("kind", LAYERS)
def test_outputs_may_be_changed_in_place(kind):
    layer = randomise(LAYERS[kind](3, 5)).double().eval()
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    gradients = []
    for change in (lambda output: output * 2, lambda output: output.mul_(2)):
        layer.zero_grad()
        _weighed(change(layer(x)[0])).backward()
        gradients.append([p.grad.clone() for p in layer.parameters() if p.grad is not None])
    assert all(map(torch.equal, *gradients))


def test_weights_changed_before_the_backward_pass_are_noticed():
    layer = cells.RRA(3, 4)
    output, _ = layer(torch.randn(5, 2, 3))
    with torch.no_grad():
        layer.groups["l0"].gates.from_input.weight.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


def test_the_gradient_of_a_gradient_is_refused():
    layer, x = cells.GRU(3, 4), torch.randn(5, 2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="Set the layer's path to 'step'"):
        torch.autograd.grad(layer(x)[0].sum(), x, create_graph=True)
    layer.path = "step"
    (gradient,) = torch.autograd.grad(layer(x)[0].sum(), x, create_graph=True)
    gradient.sum().backward()


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("kind", LAYERS)
def test_a_call_leaves_nothing_in_memory(kind, training):
    assert_nothing_left(LAYERS[kind](3, 5).train(training), torch.randn(6, 9, 3))


@pytest.mark.parametrize("kind", LAYERS)
def test_without_gradients_the_numbers_are_the_same(kind):
    layer = randomise(LAYERS[kind](3, 5)).double().eval()
    x = torch.randn(6, 9, 3, dtype=torch.float64)
    declared = {name for cell in layer.groups.values() for name in cell.signals}
    unwatched = layer(x)[0].detach()
    with torch.no_grad():
        plain = layer(x)[0]
    assert_close(plain, unwatched, rtol=0, atol=1e-14)
    for signals in (declared, *([name] for name in sorted(declared))):
        seen = []
        with layer.register_readout_hook(lambda *call, seen=seen: seen.append(call[1]), signals):
            assert torch.equal(layer(x)[0], unwatched)
            with torch.no_grad():
                assert torch.equal(layer(x)[0], plain)
        for name in signals:
            assert_close(seen[0][name], seen[1][name], rtol=0, atol=1e-14)


def test_function_transforms_take_the_step():
    layer = cells.LSTM(3, 4)
    x = torch.randn(5, 2, 3)
    with pytest.warns(StepByStepWarning, match="function transform"):
        derivative = torch.func.grad(lambda x: layer(x)[0].sum())(x)
    inputs = x.clone().requires_grad_()
    layer(inputs)[0].sum().backward()
    assert_close(derivative, inputs.grad)


@pytest.mark.parametrize("kind", ["lstm", "rra", "gru", "rau", "larnn"])
def test_mixed_precision_keeps_the_states_whole(kind, device):
    layer = LAYERS[kind](8, 16).to(device).float().eval()
    x = torch.randn(12, 9, 8, device=device, dtype=torch.float32)
    results = {}
    for path in ("step", "fast"):
        layer.path = path
        layer.zero_grad()
        with torch.autocast(x.device.type, torch.bfloat16):
            output, state = layer(x.to(torch.bfloat16))
        output.float().sum().backward()
        assert output.dtype == state[0].hidden.dtype == torch.float32
        results[path] = output.detach(), next(layer.parameters()).grad.clone()
    exact = _on(layer, "step")(x)[0].detach()
    for path in results:
        assert_close(results[path][0], exact, rtol=0, atol=0.05)
    assert_close(results["fast"][1], results["step"][1], rtol=0.1, atol=0.1)


@pytest.mark.parametrize("path", ["step", "fast"])
def test_batch_statistics_are_learned_in_mixed_precision(path, device):
    torch.manual_seed(3)
    layer = _larnn(8, 16, "fixed", attention_dropout=0.0).to(device).float()
    whole, x = copy.deepcopy(layer), torch.randn(12, 9, 8, device=device, dtype=torch.float32)
    _on(whole, "step")(x)[0].sum().backward()
    with torch.autocast(x.device.type, torch.bfloat16):
        output, _ = _on(layer, path)(x)
    output.sum().backward()
    assert all(p.grad.isfinite().all() for p in layer.parameters() if p.grad is not None)
    learned = {name: buffer for name, buffer in whole.named_buffers() if "running" in name}
    for name, found in layer.named_buffers():
        if name in learned:
            assert_close(found, learned[name], rtol=0.02, atol=0.002, msg=name)
