"""What is examined: a copy of the model, its recurrent layers, and inputs for all of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

import cells
from attnviz.checkup.calls import Example, Unit
from attnviz.checkup.examples import given_example, layer_example, layer_inputs, made_example
from attnviz.checkup.stepping import broken
from attnviz.models import SequenceModel
from attnviz.opening import OpenGRU, OpenLSTM, open_model
from attnviz.opening.copying import copy_model, unregistered
from attnviz.pretrained import load_model

__all__ = ["Subject", "described", "subject_of"]


@dataclass(frozen=True)
class Subject:
    """A model on the table.

    Arguments:
        given: The model as it was given; only looked at, or called where it is compiled.
        whole: A copy of it, in eval mode, with its inputs.
        parts: Each recurrent layer alone.
        made: Whether the inputs were made up.
        compiled: Whether to compile it too.
        opened: Whether what is examined is what `open_model` makes of it.
        refused: Why `open_model` could not open it, where it could not.
    """

    given: nn.Module
    whole: Unit
    parts: tuple[Unit, ...]
    made: bool
    compiled: bool = False
    opened: bool = False
    refused: str = ""

    @property
    def reading(self) -> tuple[Unit, ...]:
        """Where lengths can be tried: the model if it takes them, else its layers."""
        example = self.whole.example
        known = example.sequences is not None and example.ends is not None and example.alone
        return (self.whole,) if known else self.parts


def subject_of(
    model: nn.Module | str | Path,
    inputs: Any = None,  # noqa: ANN401  (whatever the model's forward takes)
    *,
    compiled: bool = False,
) -> Subject:
    """A model with what is needed to examine it; one made of torch.nn's layers is opened first.

    Arguments:
        model: A module, a cell, the name of a shipped model, or the folder of a run or model.
        inputs: What its forward takes; made up if not given.
        compiled: Whether it shall be compiled too.

    Raises:
        TypeError: If it is no model, a cell of it cannot take a step, or inputs are needed.
        FileNotFoundError: If there is no model of that name.
    """
    loaded = load_model(model) if isinstance(model, (str, Path)) else model
    if not isinstance(loaded, nn.Module):
        raise TypeError(
            f"doctor examines a torch.nn.Module, a shipped model by name or a folder of a run or "
            f"model, got {type(loaded).__name__}."
        )
    if isinstance(loaded, cells.Cell):
        loaded = _alone(loaded)
    loaded, opened, refused = _opened(loaded)
    copied = _copy(loaded).eval()
    layers = _layers(copied)
    if not layers:
        nothing = Unit("", copied, Example((), {}), {})
        return Subject(loaded, nothing, (), True, compiled, refused=refused)
    try:
        if inputs is None:
            example = made_example(copied, layers)
        else:
            example = given_example(copied, layers, inputs)
    except Exception as error:  # a model can raise anything
        if (said := broken(layers)) is not None:
            raise TypeError(f"doctor cannot read with {type(loaded).__name__}. {said}") from error
        raise
    whole = Unit("", copied, example, layers)
    return Subject(loaded, whole, _parts(whole), inputs is None, compiled, opened)


def described(subject: Subject) -> tuple[str, str]:
    """The model and its inputs, in a line each."""
    model = subject.whole.module
    name = type(model).__name__
    if isinstance(model, SequenceModel) and model.name:
        name = f"{model.name} ({name})"
    if subject.opened:
        name += ", opened as by attnviz.open_model"
    layers = subject.whole.layers
    kinds = [
        f"{prefix}{group} {type(cell).__name__} {cell.input_size} → {cell.hidden_size}"
        for prefix, layer in layers.items()
        for group, cell in layer.groups.items()
    ]
    shown = kinds if len(kinds) <= 4 else [*kinds[:3], f"{len(kinds) - 3} more"]
    line = f"{name}: {', '.join(shown)}" if kinds else f"{name}: no recurrent layer to record"
    return line, _inputs(subject) if kinds else "Nothing was read."


def _inputs(subject: Subject) -> str:
    origin = "made up" if subject.made else "as given"
    example = subject.whole.example
    x = example.sequences
    if x is None:
        return f"Inputs {origin}."
    axis = example.time_axis or 0
    time, batch = x.shape[axis], x.shape[1 - axis]
    ends = example.ends
    spread = f"{time}" if ends is None else f"{int(ends.min())} to {int(ends.max())}"
    return f"Inputs {origin}: {batch} sequences of {spread} timesteps."


def _alone(cell: cells.Cell[Any]) -> cells.Recurrent:
    """A layer of one cell."""
    return cells.Recurrent(lambda features: cell, cell.input_size)


def _opened(model: nn.Module) -> tuple[nn.Module, bool, str]:
    """The model as it can be recorded, whether it was opened for that, and why not."""
    closed, ours = (nn.LSTM, nn.GRU), (cells.Recurrent, OpenLSTM, OpenGRU)
    held = list(model.modules())
    if any(isinstance(module, ours) for module in held):
        return model, False, ""
    if not any(isinstance(module, closed) for module in held):
        return model, False, ""
    try:
        return open_model(model), True, ""
    except (TypeError, ValueError) as error:
        return model, False, str(error)


def _copy(model: nn.Module) -> nn.Module:
    if isinstance(model, torch.jit.ScriptModule):
        return model  # nothing of it is examined, and it cannot be copied whole
    try:
        copied = copy_model(model)
    except ValueError as error:
        raise ValueError(
            f"doctor examines a copy, so that your model stays as it is, but "
            f"{type(model).__name__} cannot be copied: {error.__cause__}. Give it the part that "
            "holds the recurrent layers."
        ) from error
    for _, module in unregistered(copied):
        module.training = False  # eval() does not reach it: a fault that `registered` reports
    for module in copied.modules():
        if isinstance(module, cells.Recurrent):  # who watches the model does not watch the copy
            module._readout_hooks.clear()
            module._gradient_hooks.clear()
    return copied


def _layers(model: nn.Module) -> dict[str, cells.Recurrent]:
    """The layers, by the prefix of their groups; also those kept where torch does not see them."""
    found = {n: m for n, m in model.named_modules() if isinstance(m, cells.Recurrent)}
    for where, module in unregistered(model):
        if isinstance(module, cells.Recurrent):
            found[f"{where}[{sum(name.startswith(where) for name in found)}]"] = module
    if len(found) == 1:
        return {"": next(iter(found.values()))}
    return {f"{name.replace('.', '_')}.": layer for name, layer in found.items()}


def _parts(whole: Unit) -> tuple[Unit, ...]:
    """Each layer alone, reading what it reads in the model, in several lengths."""
    inputs = layer_inputs(whole)
    return tuple(
        Unit(prefix, layer, layer_example(layer, inputs.get(prefix)), {prefix: layer})
        for prefix, layer in whole.layers.items()
    )
