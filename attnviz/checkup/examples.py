"""Inputs to examine a model with: made up where that can be done, else asked for."""

import inspect
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

import cells
from attnviz.checkup.calls import Example, Unit, quiet
from attnviz.models import SequenceModel
from attnviz.modes import undisturbed
from attnviz.opening.checking import example_arguments

__all__ = ["LayerInput", "given_example", "layer_example", "layer_inputs", "made_example"]

SEQUENCES = 9  # batch norm needs eight to learn from
SHORTEST, LONGEST = 12, 48  # timesteps of the longest sequence: beyond the furthest lag, if it can


class LayerInput(NamedTuple):
    """What a layer was called with: `(time, batch, feature)`, and lengths if it was given any."""

    x: Tensor
    lengths: Tensor | None


def made_example(model: nn.Module, layers: Mapping[str, cells.Recurrent]) -> Example:
    """An input that a model can read.

    Arguments:
        model: In eval mode.
        layers: Its recurrent layers, by prefix.

    Returns:
        The first kind of input that the model takes: token ids or numbers, with lengths if its
        forward has an argument for them.

    Raises:
        TypeError: If the model takes none of them; the message asks for inputs.
    """
    name, lengths_name = _arguments(model)
    time = _timesteps(layers)
    refused = ""
    for x, axis in _candidates(model, layers, time):
        named = {} if lengths_name is None else {lengths_name: ragged(time, SEQUENCES)}
        example = Example((x,), named, 0, lengths_name, axis)
        try:
            seen = layer_inputs(Unit("", model, example, layers), example)
        except Exception as error:  # a model can raise anything at what it does not read
            refused = refused or f"{type(error).__name__}: {error}"
            continue
        if not seen or next(iter(seen.values())).x.shape[:2] == (time, SEQUENCES):
            return example
    said = f" (the first that was tried gave {refused})" if refused else ""
    raise TypeError(
        f"doctor cannot make up an input for {type(model).__name__}, whose forward takes "
        f"({name}){said}. Pass inputs=: a single tensor, a tuple of arguments, or a dict of named "
        "ones; a short batch of real data is best."
    )


def given_example(
    model: nn.Module,
    layers: Mapping[str, cells.Recurrent],
    inputs: Any,  # noqa: ANN401  (whatever the model's forward takes)
) -> Example:
    """A user's inputs, with what can be told of them.

    Arguments:
        model: In eval mode.
        layers: Its recurrent layers, by prefix.
        inputs: A tuple of arguments, a dict of named ones, or a single input.

    Raises:
        TypeError: If the model's forward does not take them.
    """
    arguments, named = example_arguments(inputs)
    try:
        bound = inspect.signature(model.forward).bind(*arguments, **named)
    except TypeError as error:
        raise TypeError(
            f"inputs do not fit {type(model).__name__}, whose forward takes "
            f"({_arguments(model)[0]}): {error}. Pass a tuple of arguments, a dict of named ones, "
            "or a single input."
        ) from error
    order = list(bound.arguments)
    places: dict[str, int | str] = {n: n if n in named else order.index(n) for n in order}
    tensors = [n for n, v in bound.arguments.items() if isinstance(v, Tensor) and v.dim() > 1]
    lengths = next((n for n in order if "length" in n), None)
    x = places[tensors[0]] if tensors else None
    example = Example(arguments, named, x, places[lengths] if lengths else None)
    return _with_time_axis(example, Unit("", model, example, layers))


def layer_inputs(unit: Unit, example: Example | None = None) -> dict[str, LayerInput]:
    """What each layer is called with while a unit reads; of several calls the first."""
    found: dict[str, LayerInput] = {}
    given = unit.example if example is None else example
    handles = []
    for prefix, layer in unit.layers.items():

        def take(
            module: nn.Module,
            arguments: tuple[Any, ...],
            named: dict[str, Any],
            prefix: str = prefix,
            layer: cells.Recurrent = layer,
        ) -> None:
            x = arguments[0] if arguments else named["x"]
            found.setdefault(prefix, _seen_input(x, named.get("lengths"), layer))

        handles.append(layer.register_forward_pre_hook(take, with_kwargs=True))
    try:
        with torch.no_grad(), undisturbed(), quiet():
            torch.manual_seed(0)
            unit.module(*given.arguments, **given.named)
    finally:
        for handle in handles:
            handle.remove()
    return found


def layer_example(layer: cells.Recurrent, seen: LayerInput | None) -> Example:
    """An input for a layer alone: what it was called with in the model, in several lengths.

    Arguments:
        layer: One of a model's.
        seen: What it was called with, if it was called.
    """
    if seen is None:
        x, lengths = _numbers(layer, layer.input_size, _timesteps({"": layer}), SEQUENCES), None
    else:
        x, lengths = seen
    if lengths is None or bool((lengths == len(x)).all()):
        lengths = ragged(len(x), x.shape[1])
    axis = 1 if layer.batch_first else 0
    return Example((x.transpose(0, axis),), {"lengths": lengths}, 0, "lengths", axis)


def ragged(time: int, batch: int) -> Tensor:
    """Lengths from the longest down to one, in no order."""
    lengths = torch.linspace(time, 1, batch).round().long()
    return lengths[torch.randperm(batch, generator=torch.Generator().manual_seed(1))]


def _timesteps(layers: Mapping[str, cells.Recurrent]) -> int:
    furthest = [max(c.lags, default=0) for layer in layers.values() for c in layer.groups.values()]
    return min(max(SHORTEST, max(furthest, default=0) + 4), LONGEST)


def _arguments(model: nn.Module) -> tuple[str, str | None]:
    """What a forward takes, as it is written, and which of it are lengths.

    Raises:
        TypeError: If it takes another number of inputs than one.
    """
    taken = inspect.signature(model.forward).parameters
    lengths = next((name for name in taken if "length" in name), None)
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [
        name
        for name, one in taken.items()
        if one.default is one.empty and one.kind in kinds and name != lengths
    ]
    return ", ".join(taken), lengths if len(needed) == 1 else None


def _candidates(
    model: nn.Module, layers: Mapping[str, cells.Recurrent], time: int
) -> Iterator[tuple[Tensor, int]]:
    """Inputs to try, and where time runs in each, the likeliest first."""
    first = next(iter(layers.values()), None)
    axes = [0, 1] if first is not None and not first.batch_first else [1, 0]
    if isinstance(model, SequenceModel):
        axes = [1]
    words = [m.num_embeddings for m in model.modules() if isinstance(m, nn.Embedding)]
    sizes = [first.input_size] if first is not None else []
    sizes = [m.in_features for m in model.modules() if isinstance(m, nn.Linear)][:1] + sizes
    if isinstance(model, (SequenceModel, cells.Recurrent)):
        sizes = sizes[-1:]
    if isinstance(model, SequenceModel) and model.input_map is not None:
        sizes = [model.input_map.in_features]
    source = torch.Generator().manual_seed(0)
    for axis in axes:
        if words:
            ids = torch.randint(0, words[0], (time, SEQUENCES), generator=source)
            yield ids.to(next(model.parameters()).device).transpose(0, axis).contiguous(), axis
        for size in dict.fromkeys(sizes):
            yield _numbers(model, size, time, SEQUENCES).transpose(0, axis).contiguous(), axis


def _numbers(model: nn.Module, features: int, time: int, batch: int) -> Tensor:
    found = [p.detach() for p in model.parameters() if p.is_floating_point()]
    counts = Counter(p.dtype for p in found)
    like = max(found, key=lambda p: counts[p.dtype], default=torch.zeros(()))
    source = torch.Generator().manual_seed(0)
    return torch.randn(time, batch, features, generator=source, dtype=torch.float64).to(like)


def _seen_input(x: Any, lengths: Any, layer: cells.Recurrent) -> LayerInput:  # noqa: ANN401
    if isinstance(x, PackedSequence):
        padded, packed = pad_packed_sequence(x)
        return LayerInput(padded.detach(), packed)
    timed = x.transpose(0, 1) if layer.batch_first else x
    return LayerInput(timed.detach(), None if lengths is None else torch.as_tensor(lengths).cpu())


def _with_time_axis(example: Example, unit: Unit) -> Example:
    """The example with the axis of time, as what the first layer reads tells it."""
    x = example.at(example.x) if example.x is not None else None
    seen = layer_inputs(unit, example)
    if x is None or not seen:
        return example
    layer, one = unit.layers[next(iter(seen))], next(iter(seen.values()))
    time, batch = one.x.shape[:2]
    axis = {(time, batch): 0, (batch, time): 1}.get(tuple(x.shape[:2]))
    if time == batch and axis is not None:
        axis = 1 if layer.batch_first or isinstance(unit.module, SequenceModel) else 0
    return replace(example, time_axis=axis)
