"""Calling a module in a way that can be repeated, while its layers are watched."""

import random
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

import cells
from attnviz.modes import undisturbed
from attnviz.opening.checking import TOLERANCES, difference, tensors_in
from attnviz.opening.copying import copy_module
from cells.norms import SMALLEST_BATCH

__all__ = [
    "Example",
    "Outcome",
    "Seen",
    "Tensors",
    "Unit",
    "apart",
    "can_train",
    "fresh",
    "identical",
    "parameters_of",
    "precision_of",
    "quiet",
    "read",
    "tolerance",
    "weighed",
    "within",
]

Tensors = dict[str, Tensor]
Place = int | str  # of an argument: by position or by name


@dataclass(frozen=True)
class Example:
    """What a module is called with, and which of it is what.

    Arguments:
        arguments: By position.
        named: By name.
        x: The argument that holds the sequences, if it is a padded tensor.
        lengths: The argument that holds their lengths, if there is one.
        time_axis: Where time runs in `x`: 0 or 1, the batch along the other; None if not known.
    """

    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    x: Place | None = None
    lengths: Place | None = None
    time_axis: int | None = None

    def at(self, place: Place) -> Any:  # noqa: ANN401  (whatever a forward takes)
        """One argument."""
        return self.arguments[place] if isinstance(place, int) else self.named[place]

    def changed(self, place: Place, value: Any) -> "Example":  # noqa: ANN401
        """With one argument another."""
        if isinstance(place, int):
            given = list(self.arguments)
            given[place] = value
            return replace(self, arguments=tuple(given))
        return replace(self, named={**self.named, place: value})

    @property
    def sequences(self) -> Tensor | None:
        """The padded sequences, where their axes are known."""
        known = self.x is not None and self.time_axis is not None
        return self.at(self.x) if known and self.x is not None else None

    @property
    def ends(self) -> Tensor | None:
        """The length of each sequence, where given."""
        if self.lengths is None or self.at(self.lengths) is None:
            return None
        return torch.as_tensor(self.at(self.lengths)).cpu()

    @property
    def alone(self) -> bool:
        """Whether sequences and lengths are the only tensors it holds."""
        known = {self.x, self.lengths}
        places: list[Place] = [*range(len(self.arguments)), *self.named]
        return not any(dict(tensors_in(self.at(p), "")) for p in places if p not in known)


class Seen(NamedTuple):
    """What a readout hook was given: a group's signals `(time, batch, ...)` and lengths."""

    group: str
    cell: cells.Cell[Any]
    readouts: Tensors
    lengths: Tensor

    @property
    def reverse(self) -> bool:
        """Whether the group reads from the end."""
        return self.group.endswith("_reverse")

    @property
    def signals(self) -> Tensors:
        """What the cell declares, of all that was handed over."""
        return {name: self.readouts[name] for name in self.cell.signals if name in self.readouts}


class Outcome(NamedTuple):
    """What a call returned, and what was seen meanwhile."""

    outputs: Tensors
    seen: list[Seen]

    def everything(self) -> Tensors:
        """Outputs and signals under one name each."""
        return self.outputs | self.signals()

    def signals(self) -> Tensors:
        """The signals of every group, by group and name."""
        return {f"{one.group} {name}": v for one in self.seen for name, v in one.signals.items()}


@dataclass(frozen=True)
class Unit:
    """A module to examine with what it reads.

    Arguments:
        name: Where it stands in the model; empty for the model.
        module: In eval mode.
        example: What it is called with.
        layers: Its recurrent layers, by the prefix of their groups.
    """

    name: str
    module: nn.Module
    example: Example
    layers: Mapping[str, cells.Recurrent]


def read(unit: Unit, example: Example | None = None, *, seed: int = 0) -> Outcome:
    """Calls a unit from a fixed random state.

    Arguments:
        unit: To call.
        example: In place of the unit's own.
        seed: Of the random state; the state is as before afterwards.
    """
    given = unit.example if example is None else example
    seen: list[Seen] = []
    with undisturbed(), _watched(unit.layers, seen), quiet():
        torch.manual_seed(seed)
        random.seed(seed)
        returned = unit.module(*given.arguments, **given.named)
    return Outcome(dict(tensors_in(returned, "output")), seen)


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings: what they say is a finding of its own, or nothing to the user's inputs."""
    with warnings.catch_warnings(), torch.backends.cudnn.flags(enabled=False):
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _watched(layers: Mapping[str, cells.Recurrent], seen: list[Seen]) -> Iterator[None]:
    with ExitStack() as handles:
        for prefix, layer in layers.items():
            names = {name for cell in layer.groups.values() for name in cell.signals}

            def hook(
                group: str,
                readouts: Mapping[str, Tensor],
                lengths: Tensor,
                prefix: str = prefix,
                layer: cells.Recurrent = layer,
            ) -> None:
                seen.append(Seen(prefix + group, layer.groups[group], dict(readouts), lengths))

            handles.callback(layer.register_readout_hook(hook, names).remove)
        yield


def fresh(unit: Unit) -> Unit:
    """A copy of a unit that can be changed."""
    module = copy_module(unit.module)
    names = {id(layer): prefix for prefix, layer in unit.layers.items()}
    layers = {
        names[id(old)]: new
        for old, new in zip(unit.module.modules(), module.modules(), strict=True)
        if id(old) in names and isinstance(new, cells.Recurrent)
    }
    return replace(unit, module=module, layers=layers)


def can_train(unit: Unit) -> bool:
    """Whether there are sequences enough for cells that take statistics of the batch."""
    found = (cell for layer in unit.layers.values() for cell in layer.groups.values())
    if not any(cell.statistics for cell in found):
        return True
    x = unit.example.sequences
    return x is not None and x.shape[1 - (unit.example.time_axis or 0)] >= SMALLEST_BATCH


def weighed(outputs: Tensors) -> Tensor | None:
    """A loss that depends on every number returned, on each in another way; None if none can."""
    source = torch.Generator().manual_seed(5)
    total: Tensor | None = None
    for values in outputs.values():
        if values.is_floating_point() and values.requires_grad:
            weights = torch.randn(values.shape, generator=source, dtype=torch.float64)
            # Padding may hold NaN of the model's own; what is not finite is another check's.
            part = (values * weights.to(values)).nansum()
            total = part if total is None else total + part
    return total


def precision_of(unit: Unit) -> torch.dtype:
    """The lowest precision of a unit's parameters."""
    found = [p.dtype for p in unit.module.parameters() if p.is_floating_point()]
    return max(found, key=lambda dtype: torch.finfo(dtype).eps, default=torch.float32)


def tolerance(unit: Unit) -> float:
    """How far numbers may lie apart that were computed in another order."""
    return TOLERANCES.get(precision_of(unit), 1e-4)


def apart(expected: Tensors, found: Tensors) -> tuple[float, str]:
    """The largest difference relative to the largest entry, and where it is."""
    return difference(expected, found)


def within(gap: float) -> str:
    """How closely two numbers agree, in words."""
    return f"within {gap:.1e}" if gap else "exactly"


def identical(expected: Tensors, found: Tensors) -> str | None:
    """The first place where two returns are not the same bit for bit; None if they are."""
    for place in {**expected, **found}:
        one, other = expected.get(place), found.get(place)
        if one is None or other is None or one.shape != other.shape:
            return place
        same = (one == other) | ((one != one) & (other != other))  # NaN is NaN
        if not bool(same.all()):
            return place
    return None


def parameters_of(module: nn.Module) -> list[Tensor]:
    """Those that ask for gradient."""
    return [parameter for parameter in module.parameters() if parameter.requires_grad]
