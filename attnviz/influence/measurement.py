"""What a measurement of influence needs, checked once: function, sequences, reference, targets."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from attnviz.influence.reader import Reader, check_causal, make_reader
from attnviz.influence.reference import Reference, unit_scale
from attnviz.influence.sequences import Features, Inputs, Model, features_of
from attnviz.modes import evaluated

__all__ = ["At", "Margin", "Measurement", "Progress", "Sizes", "counted", "measuring"]

#: The timesteps to look back from; negative ones count from each sequence's end.
At = Literal["all", "last"] | Sequence[int]
#: The class of each sequence whose margin is followed; None for the state.
Margin = Literal["predicted"] | Sequence[int] | None

#: Whom to tell how far a measurement is: rows run, and in all.
Progress = Callable[[int, int], None] | None


@dataclass(frozen=True)
class Sizes:
    """How many numbers are drawn for an estimate, and how many rows run at once.

    Arguments:
        drawn: Replacements, or probes; 0 where nothing is drawn.
        rows: Rows in a call of the model.
    """

    drawn: int
    rows: int

    def __post_init__(self) -> None:
        """Refuses sizes that are not counts."""
        if self.drawn < 0 or self.rows < 1:
            raise ValueError(
                f"Influence needs at least 1 row a call and a count that is not negative, but "
                f"rows is {self.rows} and the count drawn is {self.drawn}."
            )


def counted(progress: Progress, total: int) -> Callable[[int], None]:
    """What tells of rows that were run, a few at a time.

    Arguments:
        progress: Called with rows run and in all; nobody if not given.
        total: Rows in all.

    Returns:
        A function of the rows of one call.
    """
    done = 0

    def advance(rows: int) -> None:
        nonlocal done
        done += rows
        if progress is not None:
            progress(done, total)

    return advance


@dataclass(frozen=True)
class Measurement:
    """A checked measurement, ready to run.

    Arguments:
        read: Features in; states, or logits for a margin, out.
        inputs: The sequences.
        reference: What is usual.
        timesteps: From where to look back, for each sequence, in order.
        classes: The class of each sequence whose margin is followed, or None for the state.
        seed: For what is drawn.
    """

    read: Reader
    inputs: Features
    reference: Reference
    timesteps: list[list[int]]
    classes: list[int] | None
    seed: int

    def generator(self, sequence: int) -> torch.Generator:
        """For the draws of one sequence, whatever the others are."""
        mixed = np.random.SeedSequence((self.seed, sequence)).generate_state(1)
        return torch.Generator().manual_seed(int(mixed[0]))

    def observe(
        self, x: Float[Tensor, "batch time feature"], sequence: int
    ) -> Float[Tensor, "batch time unit"]:
        """What is measured: S⁻¹h, or the margin of the sequence's class as a single unit."""
        output = self.read(x)
        if self.classes is None:
            return output / self.reference.scale.to(output)
        return _margin(output, self.classes[sequence])


@contextmanager
def measuring(
    model: Model, inputs: Inputs, reference: Inputs, *, at: At, margin: Margin, rows: int, seed: int
) -> Iterator[Measurement]:
    """A measurement whose model is in eval mode and undisturbed inside the block.

    Arguments:
        model: See `make_reader`.
        inputs: The sequences to measure.
        reference: The sequences that say what is usual.
        at: From which timesteps to look back.
        margin: Follow the margin of these classes, in place of the state.
        rows: Rows in a call of the model.
        seed: For what is drawn.

    Yields:
        The measurement.

    Raises:
        TypeError: If sequences are of a kind that the model cannot read.
        ValueError: If the model is not causal, or inputs, reference, timesteps or classes do not
            fit.
    """
    read = make_reader(model, logits=margin is not None)
    with_features = features_of(model, inputs, role="inputs")
    usual = features_of(model, reference, role="reference")
    first, other = with_features.rows[0], usual.rows[0]
    if first.shape[1] != other.shape[1] or first.dtype != other.dtype:
        raise ValueError(
            f"Replacements are drawn from the reference, so it must be like the inputs, but the "
            f"inputs have {first.shape[1]} features in {first.dtype} and the reference "
            f"{other.shape[1]} in {other.dtype}."
        )
    timesteps = [_chosen(at, len(row), number) for number, row in enumerate(with_features.rows)]
    with evaluated(model):
        check_causal(read, max(with_features.rows, key=len))
        if margin is None:
            scale, classes = unit_scale(read, usual.rows, at_once=rows), None
        else:
            scale, classes = first.new_ones(1), _classes(read, with_features, margin)
        yield Measurement(
            read, with_features, Reference(usual.rows, scale), timesteps, classes, seed
        )


def _chosen(at: At, length: int, sequence: int) -> list[int]:
    if isinstance(at, str):
        if at not in ("all", "last"):
            raise ValueError(f"at is 'all', 'last' or a list of timesteps, but it is {at!r}.")
        return list(range(length)) if at == "all" else [length - 1]
    for timestep in at:
        if not -length <= timestep < length:
            raise ValueError(
                f"at must lie within each sequence, but sequence {sequence} has {length} timesteps "
                f"and none numbered {timestep}. Count from the end with negative numbers, or leave "
                "short sequences out."
            )
    chosen = sorted({timestep % length for timestep in at})
    if not chosen:
        raise ValueError("at must name at least one timestep, but it is empty.")
    return chosen


@torch.no_grad()
def _classes(read: Reader, inputs: Features, margin: Margin) -> list[int]:
    ends = [read(row[None])[0, -1] for row in inputs.rows]
    count = len(ends[0])
    if count < 2:
        raise ValueError(
            f"A margin is between classes, but the function has {count} output. Pass a function "
            "whose units are the logits, or leave margin out to measure the state."
        )
    if margin == "predicted":
        return [int(logits.argmax()) for logits in ends]
    classes = [int(label) for label in margin or ()]
    if len(classes) != len(ends) or not all(0 <= label < count for label in classes):
        raise ValueError(
            f"margin needs a class between 0 and {count - 1} for each of the {len(ends)} "
            f"sequences, but it is {classes}. Pass 'predicted' where labels are not known."
        )
    return classes


def _margin(logits: Float[Tensor, "*shape unit"], label: int) -> Float[Tensor, "*shape 1"]:
    """The logit of a class minus the best of the others."""
    others = torch.ones(logits.shape[-1], dtype=torch.bool, device=logits.device)
    others[label] = False
    best = logits[..., others].amax(dim=-1)
    return (logits[..., label] - best).unsqueeze(-1)
