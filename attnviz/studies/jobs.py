"""The runs of a study, in an order that gives every cell something early."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from attnviz.studies.study import Size, Study

__all__ = ["Job", "Phase", "list_jobs"]

Phase = Literal["trial", "final"]


@dataclass(frozen=True)
class Job:
    """One training of a study.

    Arguments:
        cell: Which is trained.
        phase: A trial of the search, or one that counts.
        number: Of the trial, from 0; of a final its seed.
        size: At which size; trials are at equal hidden size.
    """

    cell: str
    phase: Phase
    number: int
    size: Size = "hidden"

    @property
    def name(self) -> str:
        """Of its folder and files."""
        if self.phase == "trial":
            return f"{self.cell}-trial-{self.number:03d}"
        return f"{self.cell}-{self.size}-seed-{self.number}"


def list_jobs(study: Study) -> list[Job]:
    """Every run of a study: the first trial of each cell, the second of each, then the finals.

    The reference has the same size at equal hidden size and at equal parameters: one run is both.

    Arguments:
        study: Which.

    Returns:
        The runs, each once.
    """
    trials = [
        Job(cell, "trial", number) for number in range(study.trials.runs) for cell in study.cells
    ]
    finals = [
        Job(cell, "final", seed, size)
        for seed in study.final.seeds
        for cell in study.cells
        for size in _sizes(study, cell)
    ]
    return trials + finals


def _sizes(study: Study, cell: str) -> Iterator[Size]:
    equal = study.sizes.equal
    yield from equal[:1] if cell == study.sizes.reference else equal
