"""What the tests of the cells share."""

import gc
import weakref

import numpy as np
import torch

import cells
from tests.cells.own_cell import GlanceCell

BEFORE = ("history", "initial_hidden", "initial_memory")  # of the state given, not of a timestep
EXACT = {"rtol": 1e-12, "atol": 1e-12}


def glance(input_size, hidden_size, num_layers=1, **options):
    """The layer of a cell that the package does not know."""
    return cells.Recurrent(
        lambda features: GlanceCell(features, hidden_size),
        input_size,
        num_layers=num_layers,
        **options,
    )


def larnn(*sizes, **options):
    """Without batch statistics or dropout, so that every row stands for itself."""
    steady = cells.LARNNOptions(norm="layer", attention_dropout=0.0, hidden_dropout=0.0)
    return cells.LARNN(*sizes, window=3, heads=1, options=steady, **options)


LAYERS = {
    "RRA": lambda *sizes, **options: cells.RRA(*sizes, window=3, **options),
    "RRA lag 1, softmax": lambda *sizes, **options: cells.RRA(
        *sizes, window=2, first_lag=1, normalization="softmax", missing="renormalise", **options
    ),
    "RAU": cells.RAU,
    "RAU hidden": lambda *sizes, **options: cells.RAU(*sizes, reading="hidden", **options),
    "LSTM": cells.LSTM,
    "GRU": cells.GRU,
    "GRU before": lambda *sizes, **options: cells.GRU(*sizes, reset="before", **options),
    "LARNN": larnn,
    "own": glance,
}


@torch.no_grad()
def randomise(module):
    """Gives every parameter values at random, biases too, so that no zero hides a mistake."""
    for name, parameter in module.named_parameters():
        # Lag weights lean to one side: their sum must not cancel.
        shift = 0.5 if name.endswith("lag_scores") else 0.0
        parameter.uniform_(-0.8, 0.8).add_(shift)
    return module


def made(kind, *sizes, **options):
    return randomise(LAYERS[kind](*sizes, **options)).eval()


def gradients_of(layer, x, **arguments):
    """Of a loss over the outputs inside the sequences and the final state."""
    x = x.clone().requires_grad_()
    output, final = layer(x, **arguments)
    return torch.autograd.grad(weigh([output, *flat(final)]), [x, *trainable(layer)])


def trainable(layer):
    skipped = {
        f"cells.{group}.{name}"
        for group, cell in layer.groups.items()
        for name in cell.untrainable()
    }
    return [p for name, p in layer.named_parameters() if name not in skipped]


def ragged(longest, batch, features):
    """Random input, with lengths from `longest` down to 1 in no order."""
    lengths = torch.linspace(longest, 1, batch).round().long()
    return torch.randn(longest, batch, features), lengths[torch.randperm(batch)]


def read(layer, x, *, lengths=None, state=None, signals=None):
    """Output, state and what the readout hooks saw, by group."""
    seen = {}
    if signals is None:
        signals = {name for cell in layer.groups.values() for name in cell.signals}
    with layer.register_readout_hook(
        lambda group, values, _: seen.update({group: values}), signals
    ):
        output, final = layer(x, state, lengths=lengths)
    return output, final, seen


def flat(state):
    """The floating-point tensors of a state, windows included."""
    if isinstance(state, torch.Tensor):
        return [state] if state.is_floating_point() else []
    return [tensor for part in state for tensor in flat(part)]


def weigh(tensors):
    """A loss that depends on every number of every tensor, on each in another way."""
    generator = torch.Generator(tensors[0].device).manual_seed(5)
    return sum(
        (
            tensor
            * torch.randn(
                tensor.shape, generator=generator, dtype=tensor.dtype, device=tensor.device
            )
        ).sum()
        for tensor in tensors
    )


def assert_nothing_left(layer, x):
    """After a call and its gradient the graph is gone without Python looking for circles."""
    gc.collect()
    gc.disable()
    try:
        output, state = layer(x)
        output.sum().backward()
        graph = weakref.ref(output.grad_fn)
        del output, state
        assert graph() is None
    finally:
        gc.enable()


def numpy(tensor):
    return tensor.detach().cpu().numpy()


def by_gate(matrix, names):
    """One matrix (or bias) a gate; zeros where there is none."""
    blocks = numpy(matrix)
    return dict(zip(names, np.split(blocks, len(names)), strict=True))


def lstm_parameters(cell):
    """W, U and b by gate, as the reference takes them."""
    gates, n = cell.gates, cell.hidden_size
    bias = gates.from_input.bias if gates.from_input.bias is not None else torch.zeros(4 * n)
    U = by_gate(gates.gates_from_hidden.weight, "ifo")
    U["g"] = numpy(gates.candidate_from_hidden.weight)
    return {"W": by_gate(gates.from_input.weight, "ifog"), "U": U, "b": by_gate(bias, "ifog")}


def gru_parameters(cell):
    """W, U and b by gate, as the references of GRU and RAU take them."""
    n = cell.hidden_size
    bias = cell.from_input.bias if cell.from_input.bias is not None else torch.zeros(3 * n)
    U = {
        "z": numpy(cell.update_from_hidden.weight),
        "r": numpy(cell.reset_from_hidden.weight),
        "h": numpy(cell.candidate_from_hidden.weight),
    }
    return {"W": by_gate(cell.from_input.weight, "zrh"), "U": U, "b": by_gate(bias, "zrh")}


def assert_row(readouts, row, length, expected):
    """Every signal of one row equals the reference, and is NaN after its end."""
    assert {name for name in readouts if name not in BEFORE} == set(expected)
    for name, values in expected.items():
        seen = numpy(readouts[name])[:, row]
        np.testing.assert_allclose(seen[:length], values, rtol=1e-12, atol=1e-12, err_msg=name)
        assert np.isnan(seen[length:]).all(), name
