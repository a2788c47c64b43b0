"""A cell over a whole sequence, written out by hand: what all fast paths share.

A *sweep* computes all timesteps into buffers that are allocated once, and its gradients by
backpropagation through time. What it keeps for the backward pass are the cell's signals, so that
recording them costs next to nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from copy import copy
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from cells.base import Cell, StateName
from cells.fast.functions import running_rows
from cells.fast.norms import Part
from cells.fast.products import product
from cells.hooks import norm_of_each
from cells.lengths import Rows

__all__ = ["Arriving", "Before", "Carried", "Gradients", "Sweep", "Use"]

# Entries of the widest buffer of a piece of the backward pass, so that it stays in a core's cache.
PIECE = 1 << 18


class Carried(NamedTuple):
    """A state's tensors; the window is `(lag, batch, unit)`, the previous timestep first."""

    hidden: Float[Tensor, "batch unit"]
    memory: Float[Tensor, "batch unit"] | None = None
    window: Float[Tensor, "lag batch unit"] | None = None


class Before(NamedTuple):
    """The states before every timestep, and the buffer that their windows are slices of."""

    hidden: Float[Tensor, "time batch unit"]
    memory: Float[Tensor, "time batch unit"] | None = None
    past: Float[Tensor, "lead_time batch unit"] | None = None


class Use(NamedTuple):
    """The gradient of one use of a state at some timesteps, times a number where one is given.

    `back` is how many timesteps before its use the state was written.
    """

    route: str
    lag: int | None
    back: int
    gradient: Float[Tensor, "time batch unit"]
    times: Tensor | None = None


class Arriving(NamedTuple):
    """The gradients with which a backward pass begins; None where there is none."""

    output: Float[Tensor, "time batch unit"]
    hidden: Float[Tensor, "batch unit"] | None
    memory: Float[Tensor, "batch unit"] | None = None
    window: Float[Tensor, "lag batch unit"] | None = None


class Gradients(NamedTuple):
    """What a backward pass gives."""

    x: Float[Tensor, "time batch feature"] | None
    start: Carried
    weights: Mapping[str, Tensor]


class Sweep(ABC):
    """One cell over one batch of sequences, in the walk's order of rows and time.

    Everything is `(time, batch, ...)`. Rows that have ended are left as they are: zero.

    Arguments:
        cell: The step, for its sizes and options.
        rows: Their order, and how many still run at each timestep.
        keep: Signals that will be read.
        saving: Whether a backward pass will follow.

    Attributes:
        watching: What the backward pass notes of the states' gradients: their norms, or all.
        noted: That, for each state, `(time, batch)` or `(time, batch, unit)`.
    """

    def __init__(self, cell: Cell[Any], rows: Rows, keep: frozenset[str], *, saving: bool) -> None:
        self.features, self.units, self.lags = cell.input_size, cell.hidden_size, cell.lags
        self.running, self.batch = rows.running, len(rows.order)
        self.time, self.even = len(rows.running), rows.running[-1] == len(rows.order)
        self.keep, self.saving = keep, saving
        self.watching: Literal["nothing", "norms", "all"] = "nothing"
        self.noted: dict[StateName, Tensor] = {}
        self._rooms: dict[str, Tensor] = {}
        self._rooms_ahead: dict[str, Tensor] = {}

    @staticmethod
    def obstacle(cell: Any, state: Any) -> str | None:  # noqa: ANN401  (the cell's, and its state)
        """What is out of reach of the cell's options or of the state carried on, if any."""
        return None

    def carry_on(self, state: Any) -> None:  # noqa: ANN401
        """Takes from a state that was given what a sweep must know before it begins."""
        return

    @staticmethod
    @abstractmethod
    def weights(cell: Any) -> dict[str, Tensor]:  # noqa: ANN401
        """What is learned, by the names that `forward` reads and `backward` gives gradients by."""

    @abstractmethod
    def forward(self, x: Tensor, start: Carried, weights: Mapping[str, Tensor]) -> Tensor:
        """All timesteps.

        Arguments:
            x: `(time, batch, feature)`.
            start: The state before the first.
            weights: Those of `weights`.

        Returns:
            The hidden states `(time, batch, unit)`, in a buffer that the sweep keeps.
        """

    @abstractmethod
    def final(self) -> Carried:
        """The state of each row after its own last timestep."""

    @abstractmethod
    def before(self) -> Before:
        """The states that every timestep began with."""

    @abstractmethod
    def backward(self, arriving: Arriving, *, for_x: bool) -> Gradients:
        """The gradients of all that `forward` was given."""

    @abstractmethod
    def signal(self, name: str) -> Tensor:
        """One entry of the readout, `(time, batch, ...)`."""

    def statistics(self) -> dict[str, list[Tensor]]:
        """Batch statistics of each step, in training."""
        return {}

    def tensors(self) -> dict[str, Tensor]:
        """What a backward pass needs, by attribute (`part.attribute` for that of a part)."""
        return {
            f"{name}.{attribute}": value
            for name, holder in self._holders().items()
            for attribute, value in vars(holder).items()
            if isinstance(value, Tensor)
        }

    def release(self) -> None:
        """Lets go of all tensors; who saved them still has them."""
        for holder in self._holders().values():
            for attribute, value in list(vars(holder).items()):
                if isinstance(value, Tensor):
                    delattr(holder, attribute)

    def revived(self, tensors: Mapping[str, Tensor]) -> "Sweep":
        """The same sweep with its tensors, for one backward pass."""
        sweep = copy(self)
        sweep.noted, sweep._rooms, sweep._rooms_ahead = {}, {}, {}
        for name, holder in self._holders().items():
            if name:
                part = copy(holder)
                part.gradients = {}
                setattr(sweep, name, part)
        holders = sweep._holders()
        for path, value in tensors.items():
            name, attribute = path.split(".")
            setattr(holders[name], attribute, value)
        return sweep

    def _holders(self) -> dict[str, Any]:
        parts = {name: part for name, part in vars(self).items() if isinstance(part, Part)}
        return {"": self, **parts}

    # What forward passes are made of

    def read(self, x: Tensor, weights: Mapping[str, Tensor]) -> None:
        """Takes the input, and what it adds to the gates of every timestep."""
        self.x, self.from_input = x.contiguous(), weights["from_input"]
        self.from_hidden = weights["from_hidden"]
        self.gates = self.hoisted(self.x, self.from_input, weights.get("bias"))

    def hoisted(self, x: Tensor, matrix: Tensor, bias: Tensor | None) -> Tensor:
        """What the input adds to every timestep, as one product before the loop."""
        rows = x.view(self.time * self.batch, self.features)
        return product(rows, matrix, bias).view(self.time, self.batch, -1)

    def buffer(self, like: Tensor, *axes: int, lead: int = 0) -> Tensor:
        """Room for all timesteps, and `lead` more before them."""
        make = like.new_empty if self.even else like.new_zeros
        return make((lead + self.time, self.batch, *axes))

    def passing(self, like: Tensor, *axes: int, needed: bool) -> Tensor:
        """As `buffer` if needed; otherwise a single timestep's room, written again and again."""
        if needed:
            return self.buffer(like, *axes)
        return like.new_zeros((1, self.batch, *axes)).expand(self.time, -1, *axes)

    def from_state(self, state: Tensor) -> Tensor:
        """A buffer of states that begins with the one before the first timestep."""
        return self.from_window(state[None], lead=1)

    def from_window(self, window: Tensor, *, lead: int) -> Tensor:
        """A buffer of states that begins with those of a window, the oldest first."""
        states = self.buffer(window, self.units, lead=lead)
        states[:lead] = window.flip(0)
        return states

    def last_of(self, states: Tensor) -> Tensor:
        """The state of each row after its own last timestep."""
        if self.even:
            return states[-1].clone()  # callers may change what they are given in place
        lead = len(states) - self.time
        taken, row = self._taken(states.device)
        return states[lead - 1 + taken, row]

    def window_after(self, states: Tensor, *, lead: int) -> Tensor:
        """The window of each row after its own last timestep, the nearest first."""
        if self.even:
            return states[self.time :].flip(0)
        return states[self._window_places(states.device, lead)]

    def _taken(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """How many timesteps each row takes, and the rows."""
        row = torch.arange(self.batch)
        taken = (torch.tensor(self.running)[:, None] > row).sum(dim=0)
        return taken.to(device), row.to(device)

    def _window_places(self, device: torch.device, lead: int) -> tuple[Tensor, Tensor]:
        """Where each row's last window stands in a buffer with so many states in front."""
        taken, row = self._taken(device)
        places = lead + taken - torch.arange(1, lead + 1, device=device)[:, None]
        return places, row.expand_as(places)

    def steps(self, buffer: Tensor) -> list[Tensor]:
        """The running rows of each timestep."""
        return running_rows(buffer, self.running)

    # What backward passes are made of

    def began_with(self, states: Tensor, first: Tensor, start: int, end: int) -> Tensor:
        """The states that the timesteps of a piece began with.

        Before the first stands `first`, which may be none of its window's.
        """
        lead = len(states) - self.time
        before = states[lead + start - 1 : lead + end - 1]
        return before if start else torch.cat([first[None], before[1:]])

    def pieces(self, width: int) -> Iterator[tuple[int, int]]:
        """Stretches of time, the last first, in which bulk work stays in a core's cache."""
        size = max(1, PIECE // (width * self.batch))
        for end in range(self.time, 0, -size):
            yield max(0, end - size), end

    def room(self, name: str, like: Tensor, start: int, end: int, *axes: int) -> Tensor:
        """Room for a piece, the same for every piece: fresh memory is dear.

        Where all gradients are noted, every piece has its own part of a whole.
        """
        if self.watching == "all":
            if name not in self._rooms:
                make = like.new_empty if self.even else like.new_zeros
                self._rooms[name] = make((self.time, self.batch, *axes))
            return self._rooms[name][start:end]
        shape = (end - start, self.batch, *axes)
        size = torch.Size(shape).numel()
        if name not in self._rooms or self._rooms[name].numel() < size:
            self._rooms[name] = like.new_empty(size)
        room = self._rooms[name][:size].view(shape)
        return room if self.even else room.zero_()

    def piece(self, buffer: Tensor, start: int) -> list[Tensor]:
        """The running rows of each timestep of a piece."""
        return running_rows(buffer, self.running[start : start + len(buffer)])

    def blank(self, buffer: Tensor, start: int) -> None:
        """Zeros for the rows of a piece that have ended."""
        if not self.even:
            for rows, n in zip(buffer, self.running[start : start + len(buffer)], strict=True):
                rows[n:] = 0

    def unhoisted(self, delta: Float[Tensor, "time batch out"], matrix: Tensor) -> Tensor:
        """The gradient of the input, from that of what `hoisted` gave."""
        rows = delta.reshape(-1, delta.shape[-1])
        mapped = product(rows, matrix.t())
        return mapped.view(*delta.shape[:2], self.features)

    def waiting(self, final: Tensor | None, like: Tensor) -> Tensor:
        """The gradient that reaches each row at its own last timestep."""
        return like.new_zeros(self.batch, self.units) if final is None else final

    def window_gradients(
        self, arriving: Tensor | None, like: Tensor, *, lead: int
    ) -> tuple[Tensor | None, Tensor]:
        """What arrives at a returned window, by the timestep whose state each entry is.

        Arguments:
            arriving: Gradients `(lag, batch, unit)`.
            like: For device and precision.
            lead: Lags of the window.

        Returns:
            Gradients of the states of all timesteps, if any; and of the window before them
            (after a short sequence some of its entries are still in the returned one).
        """
        if arriving is None:
            return None, like.new_zeros(lead, self.batch, self.units)
        states = like.new_zeros(lead + self.time, self.batch, self.units)
        if self.even:
            states[self.time :] = arriving.flip(0)
        else:
            states[self._window_places(states.device, lead)] = arriving
        return states[lead:], states[:lead].flip(0)

    def ahead(self, name: str, like: Tensor, start: int, end: int) -> Tensor:
        """Room for a piece's gradients with those of the timesteps after it, as far as lags reach.

        Entry 0 is timestep `start`. Pieces must come one after the other, the last first.
        """
        reach, earlier = self.lags[-1], self._rooms_ahead.get(name)
        if self.watching == "all":
            if earlier is None:
                earlier = like.new_zeros(self.time + reach, self.batch, self.units)
                self._rooms_ahead[name] = earlier
            return earlier[start : end + reach]
        tail = None if earlier is None else earlier[:reach].clone()  # before its room is reused
        room = self.room(name, like, start, end + reach, self.units)
        room[end - start :] = 0 if tail is None else tail
        self._rooms_ahead[name] = room
        return room

    def used(self, name: str, start: int, end: int) -> Tensor:
        """What `room` (or `ahead`) held of some timesteps, where all gradients were noted."""
        return (self._rooms.get(name, self._rooms_ahead.get(name)))[start:end]  # type: ignore[index]

    def uses(self, start: int, end: int) -> Iterator[Use] | None:
        """The gradient of every use of a state in some timesteps, after a backward pass.

        None where it is as well to read the steps again.
        """
        return None

    def joined(self, carried: Tensor, waiting: Tensor, t: int) -> Tensor:
        """The gradient carried back to a timestep, with that of the rows whose last one it is."""
        running = self.running[t]
        if len(carried) == running:
            return carried
        return torch.cat([carried, waiting[len(carried) : running]])

    def note(self, state: StateName, start: int, gradients: Tensor) -> None:
        """The gradients of a state in a piece, if anyone watches."""
        if self.watching == "nothing":
            return
        values = norm_of_each(gradients) if self.watching == "norms" else gradients
        if state not in self.noted:
            self.noted[state] = values.new_zeros(self.time, *values.shape[1:])
        self.noted[state][start : start + len(values)] = values
