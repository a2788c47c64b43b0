r"""The adding problem: remember two marked numbers of a long sequence, and add them.

A sequence has T timesteps of two features. The first is a number drawn uniformly from [0, 1). The
second is a marker: 1 at one timestep of the first half, drawn uniformly from 0, ..., ⌊T/2⌋ − 1, and
at one of the second half, from ⌊T/2⌋, ..., T − 1; 0 elsewhere. The target is the sum of the two
marked numbers:

.. math:: y = \sum_t m_t\, x_t, \qquad E[y] = 1, \qquad \mathrm{Var}[y] = 2 / 12 = 1 / 6

Whoever always says 1 thus has a mean squared error of 1/6, which no constant beats. A model that
is well below, say below half of it, has remembered: with one number alone it would be 1/12.

References:
    Long Short-Term Memory (Hochreiter and Schmidhuber, 1997), experiment 4,
    https://doi.org/10.1162/neco.1997.9.8.1735. There the numbers are from [-1, 1], lengths vary,
    both markers are in the first half, one among the first ten timesteps, and the target is scaled.
    Numbers from [0, 1], a marker in each half and the baseline of 1/6 are those of Unitary
    Evolution Recurrent Neural Networks (Arjovsky et al., 2016), https://arxiv.org/abs/1511.06464,
    and of RRA's paper (Wang, 2017), https://arxiv.org/abs/1709.03714.
"""

from functools import partial

import numpy as np

from attnviz.tasks.base import GeneratedTask, NumberSplit

__all__ = ["BASELINE", "SOLVED", "draw_adding", "load_adding"]

BASELINE = 1 / 6  # the mean squared error of always saying 1
SOLVED = BASELINE / 2  # what remembering one of the two numbers would give

_SPLITS = {"validation": 1, "test": 2}  # the first entry of their seeds


def draw_adding(count: int, random: np.random.Generator, *, length: int) -> NumberSplit:
    """Draws sequences of the adding problem.

    Arguments:
        count: How many.
        random: Where the numbers come from; the same source gives the same sequences.
        length: Timesteps of each.

    Returns:
        `features` `(sequence, time, 2)`, number and marker, and `targets` `(sequence, 1)`, float32.

    Raises:
        ValueError: If there is none to draw, or no room for two markers.
    """
    if length < 2:
        raise ValueError(
            f"The adding problem marks a timestep in each half, so it needs a length of at least "
            f"2, got {length}."
        )
    if count < 1:
        raise ValueError(f"The adding problem is drawn for at least one sequence, got {count}.")
    half = length // 2
    numbers = random.random((count, length), dtype=np.float32)
    markers = np.zeros_like(numbers)
    rows = np.arange(count)
    markers[rows, random.integers(0, half, size=count)] = 1
    markers[rows, random.integers(half, length, size=count)] = 1
    targets = (numbers * markers).sum(axis=1, keepdims=True)
    return NumberSplit(np.stack([numbers, markers], axis=-1), targets)


def load_adding(
    length: int = 100, *, epoch_size: int = 12_800, held_out: int = 2_000
) -> GeneratedTask:
    """The adding problem as a task: fresh sequences at every step, the same ones to validate on.

    Arguments:
        length: Timesteps of each sequence.
        epoch_size: Sequences that are drawn between two validations.
        held_out: Sequences of the splits `validation` and `test`, the same for every run.

    Returns:
        The task, called after its length.

    Raises:
        ValueError: If a number is too small.
    """
    if epoch_size < 1:
        raise ValueError(f"An epoch of the adding problem needs a sequence, got {epoch_size}.")
    splits = {
        name: draw_adding(held_out, np.random.default_rng([first, length]), length=length)
        for name, first in _SPLITS.items()
    }
    return GeneratedTask(
        name=f"adding-{length}",
        draw=partial(draw_adding, length=length),
        splits=splits,
        outputs=("sum",),
        epoch_size=epoch_size,
        baseline=BASELINE,
        solved=SOLVED,
        provenance={
            "source": "generated: the adding problem",
            "length": length,
            "epoch_size": epoch_size,
            "held_out": held_out,
        },
    )
