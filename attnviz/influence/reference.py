"""What influence is measured against: the spread of the units, and the inputs that are usual."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from attnviz.influence.reader import Reader

__all__ = ["Reference", "input_root", "unit_scale"]


@dataclass(frozen=True)
class Reference:
    """The reference sequences as a measurement needs them.

    Arguments:
        rows: `(time, feature)` each.
        scale: The standard deviation of each unit; one for a margin.
    """

    rows: list[Float[Tensor, "_ feature"]]
    scale: Float[Tensor, "unit"]

    @property
    def pool(self) -> Float[Tensor, "candidate feature"]:
        """The inputs of all timesteps of all sequences, to draw replacements from."""
        return torch.cat(self.rows)


@torch.no_grad()
def unit_scale(
    read: Reader, rows: list[Float[Tensor, "_ feature"]], *, at_once: int
) -> Float[Tensor, "unit"]:
    """The standard deviation of each unit over all timesteps of the reference sequences.

    Arguments:
        read: The function.
        rows: The reference sequences.
        at_once: Sequences in a call.

    Returns:
        In float64, all above 0.

    Raises:
        ValueError: If a unit does not change.
    """
    seen = []
    for at in range(0, len(rows), at_once):
        part = rows[at : at + at_once]
        output = read(torch.nn.utils.rnn.pad_sequence(part, batch_first=True))
        seen += [states[: len(row)].double() for states, row in zip(output, part, strict=True)]
    states = torch.cat(seen)
    spread = states.std(dim=0, correction=0)
    # A constant unit may still differ by rounding.
    least = 64 * torch.finfo(output.dtype).eps * states.abs().amax(dim=0)
    still = (spread <= least).nonzero().flatten().tolist()
    if still:
        raise ValueError(
            f"Influence divides each unit by its standard deviation over the reference, but "
            f"{len(still)} of {len(spread)} units never change there ({_first(still)}). Give more "
            "or other reference sequences, or a function that leaves these units out."
        )
    return spread


def input_root(pool: Float[Tensor, "candidate feature"]) -> Float[Tensor, "feature root"]:
    """A root R of the inputs' covariance, Σ = R Rᵀ, in float64.

    Arguments:
        pool: The reference inputs.

    Returns:
        The root, also where the covariance is singular.

    Raises:
        ValueError: If all inputs are the same.
    """
    centred = pool.double() - pool.double().mean(dim=0)
    covariance = centred.T @ centred / len(pool)
    # The mean of equal numbers may miss them by rounding.
    least = (4 * torch.finfo(pool.dtype).eps * float(pool.abs().max())) ** 2
    if float(covariance.diagonal().max()) <= least:
        raise ValueError(
            f"The covariance of the inputs needs inputs that differ, but the {len(pool)} of the "
            "reference are all the same. Give more reference sequences."
        )
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = vectors * values.clamp(min=0).sqrt()
    return root


def _first(units: list[int]) -> str:
    shown = ", ".join(str(unit) for unit in units[:5])
    name = "unit" if len(units) == 1 else "units"
    return f"{name} {shown}{', ...' if len(units) > 5 else ''}"
