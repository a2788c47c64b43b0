"""Weights to and from `torch.nn.LSTM` and `torch.nn.GRU`, gate by gate.

Theirs stand in the order i, f, g, o and r, z, n; ours in the order i, f, o, g and z, r, candidate.
They keep two biases where one would do; only the GRU's candidate needs both. Our update gate is
one minus theirs: σ(−a) = 1 − σ(a), so its rows change sign.
"""

from collections.abc import Iterator
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from cells.base import Cell
from cells.gru import GRUCell
from cells.lstm import LSTMCell
from cells.recurrent import Recurrent

__all__ = ["give_gru", "give_lstm", "refuse", "take_gru", "take_lstm"]

C = TypeVar("C", bound=Cell[Any])
M = TypeVar("M", nn.LSTM, nn.GRU)


def refuse(module: nn.Module, kind: type[nn.RNNBase]) -> None:
    """Raises if a module is not of the kind, or does what ours does not."""
    if not isinstance(module, kind):
        raise TypeError(
            f"from_torch reads the weights of a torch.nn.{kind.__name__}, got "
            f"{type(module).__name__}."
        )
    if module.proj_size:
        raise ValueError(
            f"from_torch got a torch.nn.LSTM with proj_size={module.proj_size}, but the hidden "
            "state is not projected here. Take one with proj_size=0."
        )


@torch.no_grad()
def take_lstm(layer: Recurrent, module: nn.LSTM) -> None:
    """Copies the weights of a `torch.nn.LSTM` into a layer of the same shape."""
    for group, cell in _cells(layer, LSTMCell):
        i, f, g, o = _theirs(module, "weight_hh", group).chunk(4)
        cell.gates.gates_from_hidden.weight.copy_(torch.cat([i, f, o]))
        cell.gates.candidate_from_hidden.weight.copy_(g)
        i, f, g, o = _theirs(module, "weight_ih", group).chunk(4)
        cell.gates.from_input.weight.copy_(torch.cat([i, f, o, g]))
        if module.bias:
            both = _theirs(module, "bias_ih", group) + _theirs(module, "bias_hh", group)
            i, f, g, o = both.chunk(4)
            cell.gates.from_input.bias.copy_(torch.cat([i, f, o, g]))


@torch.no_grad()
def give_lstm(layer: Recurrent) -> nn.LSTM:
    """A `torch.nn.LSTM` with the weights of a layer of LSTM cells."""
    cells = dict(_cells(layer, LSTMCell))
    module = _like(layer, nn.LSTM, cells["l0"].gates.from_input)
    for group, cell in cells.items():
        i, f, o = cell.gates.gates_from_hidden.weight.chunk(3)
        g = cell.gates.candidate_from_hidden.weight
        _theirs(module, "weight_hh", group).copy_(torch.cat([i, f, g, o]))
        i, f, o, g = cell.gates.from_input.weight.chunk(4)
        _theirs(module, "weight_ih", group).copy_(torch.cat([i, f, g, o]))
        if module.bias:
            i, f, o, g = cell.gates.from_input.bias.chunk(4)
            _theirs(module, "bias_ih", group).copy_(torch.cat([i, f, g, o]))
            _theirs(module, "bias_hh", group).zero_()
    return module


@torch.no_grad()
def take_gru(layer: Recurrent, module: nn.GRU) -> None:
    """Copies the weights of a `torch.nn.GRU` into a layer of the same shape."""
    for group, cell in _cells(layer, GRUCell):
        r, z, n = _theirs(module, "weight_hh", group).chunk(3)
        cell.update_from_hidden.weight.copy_(-z)
        cell.reset_from_hidden.weight.copy_(r)
        cell.candidate_from_hidden.weight.copy_(n)
        r, z, n = _theirs(module, "weight_ih", group).chunk(3)
        cell.from_input.weight.copy_(torch.cat([-z, r, n]))
        if module.bias:
            r, z, n = _theirs(module, "bias_ih", group).chunk(3)
            r_hidden, z_hidden, n_hidden = _theirs(module, "bias_hh", group).chunk(3)
            cell.from_input.bias.copy_(torch.cat([-(z + z_hidden), r + r_hidden, n]))
            cell.candidate_from_hidden.bias.copy_(n_hidden)


@torch.no_grad()
def give_gru(layer: Recurrent) -> nn.GRU:
    """A `torch.nn.GRU` with the weights of a layer of GRU cells.

    Raises:
        ValueError: If the reset gate acts before the recurrent product.
    """
    cells = dict(_cells(layer, GRUCell))
    if cells["l0"].reset != "after":
        raise ValueError(
            f"torch.nn.GRU resets after the recurrent product, this GRU has "
            f"reset={cells['l0'].reset!r}. Only reset='after' can be given to it."
        )
    module = _like(layer, nn.GRU, cells["l0"].from_input)
    for group, cell in cells.items():
        z, r, n = cell.from_input.weight.chunk(3)
        _theirs(module, "weight_ih", group).copy_(torch.cat([r, -z, n]))
        z, r = cell.update_from_hidden.weight, cell.reset_from_hidden.weight
        n = cell.candidate_from_hidden.weight
        _theirs(module, "weight_hh", group).copy_(torch.cat([r, -z, n]))
        if module.bias:
            z, r, n = cell.from_input.bias.chunk(3)
            _theirs(module, "bias_ih", group).copy_(torch.cat([r, -z, n]))
            of_hidden = _theirs(module, "bias_hh", group).zero_()
            of_hidden[2 * cell.hidden_size :] = cell.candidate_from_hidden.bias
    return module


def _cells(layer: Recurrent, kind: type[C]) -> Iterator[tuple[str, C]]:
    for group, cell in layer.groups.items():
        if isinstance(cell, kind):
            yield group, cell


def _theirs(module: nn.RNNBase, name: str, group: str) -> Tensor:
    return module.get_parameter(f"{name}_{group}")


def _like(layer: Recurrent, kind: type[M], from_input: nn.Linear) -> M:
    module = kind(
        layer.input_size,
        layer.hidden_size,
        layer.num_layers,
        bias=from_input.bias is not None,
        batch_first=layer.batch_first,
        dropout=layer.dropout if layer.num_layers > 1 else 0.0,  # torch warns of a lone layer's
        bidirectional=layer.bidirectional,
        device=from_input.weight.device,
        dtype=from_input.weight.dtype,
    )
    return module.train(layer.training)
