"""`open_model`: a user's own trained model, made to be recorded."""

import warnings
from collections.abc import Collection, Iterator, Mapping
from os import PathLike
from typing import Any

import torch
from torch import nn

import cells
from attnviz.modes import undisturbed
from attnviz.opening.checking import (
    call,
    difference,
    example_arguments,
    generated,
    tolerance_of,
)
from attnviz.opening.convert import KINDS, OPEN, convert, obstacle, renew_weights
from attnviz.opening.copying import copy_model, unregistered

__all__ = ["OpeningWarning", "open_model"]

RECURRENT = tuple(KINDS)


class OpeningWarning(UserWarning):
    """Something in an opened model cannot be recorded, or not as one would think."""


def open_model(
    model: nn.Module,
    example: Any = None,  # noqa: ANN401  (whatever the model's forward takes)
    *,
    skip: Collection[str] = (),
    tolerance: float | None = None,
) -> nn.Module:
    """A copy of a trained model whose LSTMs and GRUs can be recorded.

    Every `torch.nn.LSTM`, `GRU`, `LSTMCell` and `GRUCell`, wherever it stands, is replaced by an
    open one with its weights that is called in the same way and returns the same, so that the
    model's own code runs as it is. Each is compared with what it replaces on inputs at random,
    states given; with an example, the whole model is compared too.

        opened = attnviz.open_model(model, example=(ids, lengths))
        with attnviz.record(opened, keep=["forget_gate", "gate_attention"]) as recording:
            opened(ids, lengths).sum().backward()
        recording.trace

    What to know of the copy: it is in eval mode. Weights behind a reparametrisation (weight norm,
    pruning) are held as they are now. Its parameters have other names and shapes than torch's,
    two biases are one, and a parameter asks for gradient if one that it was made from did.
    `torch.compile` and `DataParallel` are taken off. An `LSTMCell` or `GRUCell` that the model
    loops over itself is opened but not recorded: see `OpenLSTMCell`.

    Arguments:
        model: Any module that is not scripted; it stays as it is.
        example: What its forward takes, for the comparison: a tuple of arguments, a dict of named
            ones, or a single input.
        skip: Names of recurrent modules to leave as they are, such as `"decoder.rnn"`.
        tolerance: How far outputs may differ, relative to the largest entry (or to one, if that
            is less); 1e-10 in float64 and 1e-4 in float32 if not given.

    Returns:
        The copy, in eval mode, on the same device and in the same precision.

    Raises:
        TypeError: If it is no module, or scripted, or holds nothing to open.
        ValueError: If a recurrent module cannot be opened or outputs differ.
        KeyError: If there is no recurrent module of a name to skip.
    """
    _check_kind(model)
    opened = copy_model(model).eval()
    names = _to_open(opened, skip)
    _warn(opened, names)
    allowed = tolerance_of(opened) if tolerance is None else tolerance
    with undisturbed():
        for name in names:
            _open_one(opened.get_submodule(name), name, allowed)
    if example is not None:
        _compare(copy_model(model).eval(), copy_model(opened), example, allowed)
    return opened


def _check_kind(model: object) -> None:
    if not isinstance(model, nn.Module):
        how = ""
        if isinstance(model, (Mapping, str, PathLike)):
            how = (
                " Weights alone do not say how they are used: make the module, load them into it, "
                "module.load_state_dict(torch.load(path)), and open that."
            )
        raise TypeError(f"open_model opens a torch.nn.Module, got {_kind(model)}.{how}")
    for name, module in model.named_modules():
        if isinstance(module, torch.jit.ScriptModule):
            where = f"{name} is" if name else "the model is"
            raise TypeError(
                f"open_model cannot look into scripted or traced modules, and {where} one "
                f"({type(module).__name__}). Open the model before torch.jit.script or trace."
            )


def _kind(given: object) -> str:
    return (
        f"the path {str(given)!r}" if isinstance(given, (str, PathLike)) else type(given).__name__
    )


def _to_open(model: nn.Module, skip: Collection[str]) -> list[str]:
    """Names of the modules to open."""
    found = {n: m for n, m in model.named_modules() if isinstance(m, RECURRENT)}
    chosen = {skip} if isinstance(skip, str) else set(skip)
    if unknown := chosen - set(found):
        raise KeyError(
            f"skip names {sorted(unknown)}, but the recurrent modules of {type(model).__name__} "
            f"are {sorted(found)}."
        )
    names = [n for n, m in found.items() if n not in chosen and not isinstance(m, OPEN)]
    if not names:
        raise TypeError(_nothing_found(model, found))
    refused = {n: why for n in names if (why := obstacle(model.get_submodule(n))) is not None}
    if refused:
        reasons = "; ".join(f"{name or 'the model'}: {why}" for name, why in refused.items())
        raise ValueError(
            f"open_model cannot open all of {type(model).__name__}. {reasons}. To leave them as "
            f"they are and open the rest, pass skip={list(refused)}."
        )
    return names


def _nothing_found(model: nn.Module, found: dict[str, nn.Module]) -> str:
    name = type(model).__name__
    if any(isinstance(module, (cells.Recurrent, *OPEN)) for module in model.modules()):
        return f"{name} is open already: use attnviz.record on it as it is."
    if found:
        return f"open_model has nothing to open in {name}: skip names all of {sorted(found)}."
    if hidden := list(_hidden(model)):
        return (
            f"open_model has nothing to open in {name}: its {hidden[0][1]} in {hidden[0][0]} is "
            "kept in a plain list or dict, where torch does not see it. Keep it in a "
            "torch.nn.ModuleList or ModuleDict."
        )
    parts = sorted({type(m).__name__ for m in model.modules() if not list(m.children())})
    return (
        f"open_model looked for torch.nn.LSTM, GRU, LSTMCell and GRUCell in {name} and found "
        f"none; it is made of {parts}. For a recurrence of your own, derive its step from "
        "cells.Cell and let cells.Recurrent loop over it ('A cell of one's own' in the README of "
        "cells); attention that you have as numbers becomes a trace with attnviz.from_arrays."
    )


def _hidden(model: nn.Module) -> Iterator[tuple[str, str]]:
    for where, module in unregistered(model):
        if isinstance(module, RECURRENT):
            yield where, type(module).__name__


def _warn(model: nn.Module, names: list[str]) -> None:
    for where, kind in _hidden(model):
        _say(
            f"A {kind} in {where} of {type(model).__name__} is kept in a plain list or dict, where "
            "torch does not see it: it is neither trained nor opened. Keep it in a "
            "torch.nn.ModuleList or ModuleDict."
        )
    for name in names:
        if isinstance(model.get_submodule(name), nn.RNNCellBase):
            _say(
                f"{name or 'The model'} is one step of a loop in the model's own code, which "
                "attnviz.record does not see. Its gates are in what its `cell` returns (a forward "
                "hook sees each step); to record it, loop with a layer: torch.nn.LSTM or GRU, or "
                "cells.Recurrent."
            )
    for weight, owners in _tied(model, names).items():
        _say(
            f"{owners} share the parameter {weight}. In the opened model each has a copy of its "
            "own: outputs are the same, gradients of that parameter are split among them."
        )


def _tied(model: nn.Module, names: list[str]) -> dict[str, list[str]]:
    """Parameters of modules to open that other modules hold too."""
    owners: dict[int, dict[int, str]] = {}  # by parameter and module: a module may have two names
    for owner, module in model.named_modules():
        for weight, parameter in module.named_parameters(recurse=False):
            owners.setdefault(id(parameter), {})[id(module)] = f"{owner}.{weight}"
    opened = {id(model.get_submodule(name)) for name in names}
    return {
        next(iter(held.values())): [place.rpartition(".")[0] for place in held.values()]
        for held in owners.values()
        if len(held) > 1 and opened & set(held)
    }


def _say(text: str) -> None:
    warnings.warn(text, OpeningWarning, stacklevel=4)


def _open_one(module: nn.Module, name: str, allowed: float) -> None:
    """Opens a module in place and compares it with what it was."""
    renew_weights(module)
    kind = next(kind for kind in RECURRENT if isinstance(module, kind))
    given = generated(module)
    # By their forward, not by a call: hooks on the module are for the model's own calls.
    before = call(kind.forward, (module, *given), {})
    convert(module)
    after = call(KINDS[kind].forward, (module, *given), {})
    _refuse_difference(name or "the model", before, after, allowed)


def _compare(model: nn.Module, opened: nn.Module, example: object, allowed: float) -> None:
    """Compares copies, since a model may keep a state from call to call."""
    arguments, named = example_arguments(example)
    expected = call(model, arguments, named)
    if not expected:
        raise ValueError(
            f"open_model compares the tensors that {type(model).__name__} returns for the "
            "example, but it returns none. Leave the example out, or open a part that does."
        )
    found = call(opened, arguments, named)
    _refuse_difference(type(model).__name__, expected, found, allowed)


def _refuse_difference(
    name: str, expected: dict[str, torch.Tensor], found: dict[str, torch.Tensor], allowed: float
) -> None:
    apart, place = difference(expected, found)
    if not apart <= allowed:
        raise ValueError(
            f"open_model found that {name}, opened, does not return the same: {place} differs by "
            f"{apart:.3g} of its largest entry, more than {allowed:.3g}. If the model draws random "
            "numbers of NumPy's, or changes the example in place, compare without; otherwise pass "
            "skip= with the modules to leave as they are."
        )
