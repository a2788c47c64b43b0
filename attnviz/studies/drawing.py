"""What each trial tries: drawn once, the same for every cell that has the parameter."""

from typing import Any
from zlib import crc32

import numpy as np

from attnviz.studies.study import Space, Study

__all__ = ["draw_trials"]


def draw_trials(study: Study, cell: str) -> list[dict[str, Any]]:
    r"""The values of a cell's trials.

    The draws of a parameter depend on the seed, its name and its space, not on the cell, so that
    trial n of every cell has the same learning rate. n draws from a range are stratified,

    .. math:: v_{\pi(k)} = l\,(h/l)^{(k + u_k)/n}, \qquad k = 0, \dots, n-1

    with uniform :math:`u_k` and a random permutation :math:`\pi`; choices are dealt from shuffled
    decks. Few trials thus cover each parameter; another number of them draws anew.

    References:
        A Comparison of Three Methods for Selecting Values of Input Variables (McKay et al., 1979),
        https://doi.org/10.2307/1268522

    Arguments:
        study: With the spaces, the number of trials and their seed.
        cell: One of its cells.

    Returns:
        For each trial the drawn values by the dotted name of the recipe's field.
    """
    count = study.trials.count
    drawn = {
        name: _draw(space, count, np.random.default_rng([study.trials.seed, crc32(name.encode())]))
        for name, space in sorted(study.space(cell).items())
    }
    return [{name: values[trial] for name, values in drawn.items()} for trial in range(count)]


def _draw(space: Space, count: int, random: np.random.Generator) -> list[Any]:
    if space.log_uniform is None:
        decks = -(-count // len(space.choice))
        order = np.concatenate([random.permutation(len(space.choice)) for _ in range(decks)])
        return [space.choice[place] for place in order[:count]]
    low, high = space.log_uniform
    places = (random.permutation(count) + random.random(count)) / count
    # Four digits are written, and what is written is what is used.
    return [float(f"{low * (high / low) ** place:.4g}") for place in places]
