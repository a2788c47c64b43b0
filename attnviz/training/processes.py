"""One training in several processes: each has its rows of every batch, and the weights of all.

A batch is read whole in every process, and a process keeps each n-th row of it. Losses are weighted
by rows, so that the mean of the processes' gradients, which Lightning's `ddp` takes, is the whole
batch's. Batch statistics and dropout are each process's own.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from pytorch_lightning import Trainer
from torch import Tensor

__all__ = ["Place", "gathered", "own_rows", "share_of", "summed"]


class Place(NamedTuple):
    """Which process this is, of how many."""

    rank: int = 0
    size: int = 1


def own_rows(place: Place, batch: Sequence[Tensor]) -> list[Tensor]:
    """The rows of a batch that are a process's; all of them where there is only one."""
    return [part[place.rank :: place.size] for part in batch] if place.size > 1 else list(batch)


def share_of(place: Place, batch: Sequence[Tensor], own: Sequence[Tensor]) -> float:
    """What a process's mean loss is multiplied by, so that the mean over processes is the batch's.

    Raises:
        ValueError: If the batch has fewer rows than there are processes.
    """
    rows = len(batch[0])
    if rows < place.size:
        raise ValueError(
            f"A batch of {rows} sequences cannot be shared among {place.size} processes. Take "
            "fewer devices or larger batches."
        )
    return len(own[0]) * place.size / rows


def summed(trainer: Trainer, numbers: list[float]) -> list[float]:
    """Numbers summed over the processes."""
    if trainer.world_size == 1:
        return numbers
    mine = torch.tensor(numbers, dtype=torch.float64, device=trainer.strategy.root_device)
    whole: Tensor = trainer.strategy.reduce(mine, reduce_op="sum")
    return [float(number) for number in whole]


def gathered(trainer: Trainer, tensors: list[Tensor]) -> list[Tensor]:
    """Tensors of the rows of all processes, in the batch's own order."""
    if trainer.world_size == 1:
        return tensors
    whole = []
    for tensor in tensors:
        parts: Tensor = trainer.strategy.all_gather(tensor)
        whole.append(parts.transpose(0, 1).flatten(0, 1))
    return whole
