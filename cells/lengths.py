"""Sequences of different lengths: sorted so that running rows stand together, never padded into.

A batch is read longest sequence first. At each timestep only the rows still running are passed
on, so padding cannot change a result; what comes out is put back in the caller's order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

__all__ = ["Rows", "check_lengths"]


def check_lengths(
    lengths: Int[Tensor, "batch"] | Sequence[int] | None, *, batch: int, longest: int
) -> Int[Tensor, "batch"]:
    """The lengths of a batch as a tensor on the CPU.

    Arguments:
        lengths: One length a sequence; None where all last to the end.
        batch: Sequences in the input.
        longest: Timesteps in the input.

    Returns:
        One length a sequence, between 1 and `longest`.

    Raises:
        TypeError: If they are no whole numbers.
        ValueError: If there are not `batch` of them or one is outside 1 to `longest`.
    """
    if lengths is None:
        return torch.full((batch,), longest)
    lengths = torch.as_tensor(lengths)
    if lengths.numel() and (lengths.is_floating_point() or lengths.dtype == torch.bool):
        raise TypeError(f"lengths must be whole numbers, got {lengths.dtype}.")
    lengths = lengths.to("cpu", torch.long)
    if lengths.shape != (batch,):
        raise ValueError(
            f"lengths needs one entry for each of the {batch} sequences, got shape "
            f"{tuple(lengths.shape)}."
        )
    if int(lengths.min()) < 1 or int(lengths.max()) > longest:
        row = int(((lengths < 1) | (lengths > longest)).nonzero()[0])
        raise ValueError(
            f"lengths must lie between 1 and the input's {longest} timesteps, but sequence {row} "
            f"has {int(lengths[row])}. Leave empty sequences out of the batch."
        )
    return lengths


@dataclass(frozen=True)
class Rows:
    """The order in which the rows of a batch are read.

    Arguments:
        lengths: Timesteps of each row, in the caller's order.
        order: Rows by falling length.
        running: How many rows are still running at each timestep.
        reverse: Whether each row is read from its own last timestep.
    """

    lengths: Int[Tensor, "batch"]
    order: Int[Tensor, "batch"]
    running: list[int]
    reverse: bool

    @classmethod
    def sorted(cls, lengths: Int[Tensor, "batch"], *, reverse: bool) -> "Rows":
        """Rows by falling length; rows of equal length keep their order."""
        order = lengths.argsort(descending=True, stable=True)
        steps = torch.arange(int(lengths.max()))
        running = (lengths[None] > steps[:, None]).sum(dim=1)
        return cls(lengths, order, running.tolist(), reverse)

    def timesteps(self, step: int) -> Int[Tensor, "running"]:
        """The original time of the running rows at a step of the walk."""
        running = self.lengths[self.order[: self.running[step]]]
        return running - 1 - step if self.reverse else torch.full_like(running, step)

    @property
    def even(self) -> bool:
        """Whether all rows end together."""
        return self.running[-1] == len(self.order)

    @cached_property
    def _places(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Step and place in the walk, original time and row in the batch, of every timestep."""
        walked = torch.arange(len(self.running)).repeat_interleave(torch.tensor(self.running))
        place = torch.cat([torch.arange(running) for running in self.running])
        time = torch.cat([self.timesteps(step) for step in range(len(self.running))])
        return walked, place, time, self.order[place]

    def to_walk(
        self, padded: Shaped[Tensor, "time batch *rest"]
    ) -> Shaped[Tensor, "steps batch *rest"]:
        """Puts the input in the order of the walk: rows sorted, time reversed where asked.

        Where a row has ended are zeros, whatever stood in the padding.
        """
        steps = len(self.running)
        if self.even:  # equal lengths keep their order
            return padded[:steps].flip(0) if self.reverse else padded[:steps]
        walked, place, time, row = (index.to(padded.device) for index in self._places)
        arranged = padded.new_zeros(steps, *padded.shape[1:])
        return arranged.index_put((walked, place), padded[time, row])

    def from_walk(
        self, arranged: Shaped[Tensor, "steps batch *rest"], *, longest: int, fill: float
    ) -> Shaped[Tensor, "time batch *rest"]:
        """Puts a walk's values back in the caller's order, padded with `fill`.

        Equal sequences that nothing moves are not copied.
        """
        if self.even:
            return self._padded(arranged, longest, fill)
        walked, place, *_ = (index.to(arranged.device) for index in self._places)
        return self._scattered(arranged[walked, place], longest, fill)

    def from_steps(
        self, steps: list[Shaped[Tensor, "_ *rest"]], *, longest: int, fill: float
    ) -> Shaped[Tensor, "time batch *rest"]:
        """As `from_walk`, of what each step returned for its running rows."""
        if self.even:
            return self._padded(torch.stack(steps), longest, fill)
        return self._scattered(torch.cat(steps), longest, fill)

    def _padded(
        self, arranged: Shaped[Tensor, "steps batch *rest"], longest: int, fill: float
    ) -> Shaped[Tensor, "time batch *rest"]:
        """Of sequences that end together."""
        if self.reverse:
            arranged = arranged.flip(0)
        if longest == len(arranged):
            return arranged
        padding = arranged.new_full((longest - len(arranged), *arranged.shape[1:]), fill)
        return torch.cat([arranged, padding])

    def _scattered(
        self, values: Shaped[Tensor, "timesteps *rest"], longest: int, fill: float
    ) -> Shaped[Tensor, "time batch *rest"]:
        """Of sequences that do not: one value a timestep, those of a step after the other."""
        _, _, time, row = (index.to(values.device) for index in self._places)
        padded = values.new_full((longest, len(self.order), *values.shape[1:]), fill)
        return padded.index_put((time, row), values)

    def whole(self, steps: list[Shaped[Tensor, "_ *rest"]]) -> Shaped[Tensor, "steps batch *rest"]:
        """One tensor of what each step has for its running rows, in the walk's order."""
        return torch.stack(steps) if self.even else self.spread(torch.cat(steps), 0, len(steps))

    def packed(
        self, whole: Shaped[Tensor, "steps batch *rest"], start: int, end: int
    ) -> Shaped[Tensor, "rows *rest"]:
        """The running rows of some steps of the walk, one step after the other."""
        if self.even:
            return whole[start:end].flatten(0, 1)
        running = self.running[start:end]
        return torch.cat([step[:n] for step, n in zip(whole[start:end], running, strict=True)])

    def spread(
        self, packed: Shaped[Tensor, "rows *rest"], start: int, end: int
    ) -> Shaped[Tensor, "steps batch *rest"]:
        """The reverse of `packed`, with zeros where rows have ended."""
        shape = (end - start, len(self.order), *packed.shape[1:])
        if self.even:
            return packed.view(shape)
        spread = packed.new_zeros(shape)
        for step, part in zip(spread, torch.split(packed, self.running[start:end]), strict=True):
            step[: len(part)] = part
        return spread

    def restore_rows(self, rows: Shaped[Tensor, "batch *rest"]) -> Shaped[Tensor, "batch *rest"]:
        """Puts one value a row back in the caller's order."""
        return rows if self.even else rows[self.order.argsort().to(rows.device)]

    def sort_rows(self, rows: Shaped[Tensor, "batch *rest"]) -> Shaped[Tensor, "batch *rest"]:
        """Puts one value a row in the order of the walk."""
        return rows if self.even else rows[self.order.to(rows.device)]
