"""What a recurrent cell declares about itself, and the openings through which it is studied.

A cell is one step of a recurrence. It returns its new state and a *readout*: a plain dict of
everything a reader could want to see. It never knows whether it is watched. Two arguments are
the whole interface for intervening: `edit` changes what attention reads, and `via` stands on
every single use of a state, so that gradients can be taken, cut or perturbed there.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

__all__ = [
    "At",
    "Cell",
    "Edit",
    "GatedState",
    "Readout",
    "Route",
    "Signal",
    "Slot",
    "Statistics",
    "Via",
    "alias",
    "same",
]

StateName = Literal["hidden", "memory"]


@dataclass(frozen=True)
class Signal:
    """One entry of a cell's readout.

    Arguments:
        axes: Axes after `batch`, such as `("head", "lag")` or `("unit",)`.
        symbol: How the literature writes it, for labels.
        bounds: The interval it cannot leave; None if it has none.
        normalised_over: The axis over which it sums to one, if any.
        default: Recorded when nothing else is asked for.
    """

    axes: tuple[str, ...]
    symbol: str
    bounds: tuple[float, float] | None = None
    normalised_over: str | None = None
    default: bool = False


@dataclass(frozen=True)
class Route:
    """A named set of uses of one state.

    Arguments:
        state: The state that is used.
        lagged: Whether the route has one slot for each lag.
    """

    state: StateName
    lagged: bool = False


class Slot(NamedTuple):
    """One use of a state: of one lag, where the route has several.

    `state` is given only where a route's name alone does not tell (`final_state`).
    """

    route: str
    lag: int | None = None
    state: StateName | None = None


class At(NamedTuple):
    """Where an edit acts.

    `reachable` says for each row which sources hold a real or initial state; `lags` names them
    (empty where the sources are features). The layer fills in the rest: `timestep` in original
    time and `row` in the caller's batch, since rows are read longest first and leave when they
    end, and `group`, such as `l0_reverse`.
    """

    reachable: Bool[Tensor, "batch source"]
    lags: tuple[int, ...]
    timestep: Int[Tensor, "batch"] | None = None
    row: Int[Tensor, "batch"] | None = None
    group: str = ""


class GatedState(NamedTuple):
    """A state that a cell writes through gates: `state = keep * state + write * candidate`.

    `write`, `keep` and `candidate` name signals; `keep=None` means one minus `write`.
    """

    state: StateName
    write: str
    keep: str | None
    candidate: str


Readout = dict[str, Tensor]
Statistics = Mapping[str, list[Tensor]]
Weights = Float[Tensor, "batch head source"]
Values = Float[Tensor, "batch head source unit"]
Edit = Callable[[Tensor, Tensor, At], tuple[Tensor, Tensor]]
Via = Callable[[Slot, Tensor], Tensor]


def alias(slot: Slot, value: Tensor) -> Tensor:
    """The default `via`: a tensor of its own for this one use, with the same values."""
    return value.view_as(value)


def same(weights: Weights, values: Values, at: At) -> tuple[Weights, Values]:
    """The default `edit`: attention reads what it reads."""
    return weights, values


S = TypeVar("S", bound=tuple)  # type: ignore[type-arg]  # a NamedTuple of tensors or tuples of them


class Cell(nn.Module, ABC, Generic[S]):
    """One step of a recurrence, and what there is to see in it.

    A subclass gives `initial_state` and `forward`, and declares its signals and routes. Its state
    is a named tuple with a field `hidden` (the step's output), perhaps `memory`, and perhaps
    tuples of earlier states; every tensor has the batch as its first axis.

    Attributes:
        input_size: Features of the input.
        hidden_size: Units of the hidden state.
        lags: How many timesteps back each entry of the attention looks, nearest first.
        signals: What the readout holds.
        routes: The uses of the states inside the step (the layer adds `output`, `final_state`).
        gated: The state that the cell writes through gates, if any.
        statistics: Readout entries that belong to the batch, not to a row; the layer hands them
            to `after_sequence` in training.
    """

    input_size: int
    hidden_size: int
    lags: tuple[int, ...] = ()
    signals: Mapping[str, Signal]
    routes: Mapping[str, Route]
    gated: GatedState | None = None
    statistics: tuple[str, ...] = ()

    @abstractmethod
    def initial_state(
        self,
        batch: int,
        *,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
    ) -> S:
        """The state before the first timestep."""

    @abstractmethod
    def forward(
        self, x: Tensor, state: S, *, edit: Edit = same, via: Via = alias
    ) -> tuple[S, Readout]:
        """One timestep."""

    def coordinates(self) -> dict[str, tuple[str | int, ...]]:
        """Labels of the axes of the signals, by axis; an axis without labels is left out."""
        return {"lag": self.lags} if self.lags else {}

    def constants(self) -> dict[str, Tensor]:
        """What is worth seeing and does not change over time, with its axes `(head, lag)`."""
        return {}

    def untrainable(self) -> frozenset[str]:
        """Names of parameters that can never receive gradient under the options chosen."""
        return frozenset()

    def history(self, state: S, batch: int) -> Int[Tensor, "batch"]:
        """How many timesteps a state has seen: its part `steps`, if it has one, and else zero.

        What is recorded of a sequence that is read in pieces tells by it which states there are.
        """
        steps: Tensor | None = getattr(state, "steps", None)
        return torch.zeros(batch, dtype=torch.long) if steps is None else steps

    def looks(self, batch: int) -> str | None:
        """Why a step of so many rows must look at values, which a CUDA graph cannot; else None."""
        return None

    def before_sequence(self, batch: int) -> None:
        """Checks that need looking at values; called once before a sequence is read."""
        return

    def after_sequence(self, statistics: Statistics) -> None:
        """Takes the batch statistics of all timesteps of a sequence, in training."""
        return
