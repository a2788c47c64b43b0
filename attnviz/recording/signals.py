"""Which signals of a model are recorded, and what they are made of."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

import cells
from attnviz.gating import gate_attention
from attnviz.recording.assembly import GATE_ATTENTION, Arrays, sequence_first

__all__ = [
    "available_signals",
    "chosen_signals",
    "gate_signals",
    "readouts_for",
    "recurrent_layers",
    "with_used",
]


def available_signals(model: nn.Module) -> list[str]:
    """Everything that can be recorded of a model.

    Arguments:
        model: Any module that holds `cells.Recurrent` layers.

    Returns:
        Names for `record(model, keep=...)`.
    """
    found: dict[str, None] = {}
    for layer in recurrent_layers(model).values():
        for cell in layer.groups.values():
            found |= dict.fromkeys(cell.signals)
            if cell.gated is not None:
                found[GATE_ATTENTION] = None
    return list(found)


def recurrent_layers(model: nn.Module) -> dict[str, cells.Recurrent]:
    """The layers to watch, by the prefix of their groups: none where there is only one.

    Raises:
        TypeError: If the model holds none.
    """
    found = {n: m for n, m in model.named_modules() if isinstance(m, cells.Recurrent)}
    if not found:
        raise TypeError(
            f"{type(model).__name__} holds no recurrent layer of this package, so there is nothing "
            "to record. Use cells.RRA, LARNN, RAU, LSTM or GRU, or cells.Recurrent with a cell "
            "of your own; attnviz.open_model opens a trained model made of torch.nn.LSTM or GRU."
        )
    if len(found) == 1:
        return {"": next(iter(found.values()))}
    return {f"{name.replace('.', '_')}.": layer for name, layer in found.items()}


def chosen_signals(
    layer: cells.Recurrent, keep: Iterable[str] | None, *, everything: list[str]
) -> frozenset[str]:
    """The signals of a layer to keep.

    Arguments:
        layer: One of the model's.
        keep: Their names, or `"all"`; the declared defaults and gate attention if not given.
        everything: What can be recorded of the whole model.

    Raises:
        KeyError: If no cell of the model has one of them.
    """
    asked = None if keep is None else {keep} if isinstance(keep, str) else set(keep)
    if asked is None:
        declared = {
            name
            for cell in layer.groups.values()
            for name, signal in cell.signals.items()
            if signal.default
        }
        return frozenset(declared | {GATE_ATTENTION})
    if "all" in asked:
        return frozenset(everything)
    if unknown := asked - set(everything):
        raise KeyError(f"The model has no signal {sorted(unknown)}; it has {sorted(everything)}.")
    return frozenset(asked)


def with_used(layer: cells.Recurrent, keep: frozenset[str]) -> frozenset[str]:
    """Under an edit, attention as it was used stands beside attention as it was computed."""
    declared = {name for cell in layer.groups.values() for name in cell.signals}
    differs = layer.edited and "attention" in keep and "attention_used" in declared
    return keep | {"attention_used"} if differs else keep


def readouts_for(layer: cells.Recurrent, keep: frozenset[str]) -> frozenset[str]:
    """The readouts that the chosen signals are made of."""
    wanted = set(keep) - {GATE_ATTENTION}
    declared = {name for cell in layer.groups.values() for name in cell.signals}
    if GATE_ATTENTION in keep:
        for gated in (cell.gated for cell in layer.groups.values()):
            if gated is not None:
                wanted |= {gated.state, gated.write, gated.candidate}
                wanted |= {gated.keep} if gated.keep else set()
    return frozenset(wanted & declared)


def gate_signals(
    gated: cells.GatedState,
    readouts: Mapping[str, Tensor],
    lengths: Tensor,
    ages: int,
    backwards: bool,
) -> Arrays:
    """How long ago a gated state was written, from what its cell read out.

    Arguments:
        gated: The state, and the names of its gates.
        readouts: Of one layer and direction, `(time, batch, ...)` each.
        lengths: Timesteps of each sequence.
        ages: How many ages to tell apart.
        backwards: Whether the layer read each sequence from its end.

    Returns:
        `gate_attention` and what belongs to it, `(batch, time, ...)` each, in original time.
    """
    write = readouts[gated.write]
    keep = 1 - write if gated.keep is None else readouts[gated.keep]
    candidate, state = readouts[gated.candidate], readouts[gated.state]
    if backwards:
        write, keep, candidate, state = (
            _each_reversed(values, lengths) for values in (write, keep, candidate, state)
        )
    initial = readouts[f"initial_{gated.state}"]
    parts = gate_attention(write, keep, candidate, state, initial, ages=ages)._asdict()
    if backwards:
        parts = {name: _each_reversed(values, lengths) for name, values in parts.items()}
    names = {"weights": GATE_ATTENTION}
    return {
        names.get(name, f"{GATE_ATTENTION}_{name}"): sequence_first(values)
        for name, values in parts.items()
    }


def _each_reversed(values: Tensor, lengths: Tensor) -> Tensor:
    """Every sequence from its own last timestep to its first; padding stays where it is."""
    time = torch.arange(len(values))[:, None]
    mirrored = torch.where(time < lengths[None], lengths[None] - 1 - time, time)
    return values[mirrored.to(values.device), torch.arange(values.shape[1], device=values.device)]
