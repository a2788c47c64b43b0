"""Matrix products, by whichever library is faster, and the weight gradients made of them."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["WeightGradients", "mapped", "product"]

# Multiplications below which oneDNN's preparations cost more than it gains.
SMALL = 1_000_000

# The operator by which torch's own compiler reaches oneDNN. On processors of some makes MKL,
# behind torch.mm, leaves half of the vector width unused.
_onednn = getattr(torch.ops.mkldnn, "_linear_pointwise", None)


def product(
    a: Float[Tensor, "row inner"],
    b: Float[Tensor, "column inner"],
    bias: Float[Tensor, "column"] | None = None,
) -> Tensor:
    r""":math:`a b^\top`, in float32 and float64 alike; both factors are read as they lie."""
    if _suits_onednn(a, b):
        result: Tensor = _onednn(a, b, bias, "none", [], "")  # type: ignore[misc]
        return result
    if bias is not None and not torch.is_autocast_enabled(a.device.type):
        return torch.addmm(bias, a, b.t())
    mapped = torch.mm(a, b.t())
    mapped = mapped if mapped.dtype is a.dtype else mapped.to(a.dtype)  # autocast's is of lower
    return mapped if bias is None else bias + mapped  # and it would round the bias too


def mapped(
    values: Float[Tensor, "time batch inner"], matrix: Float[Tensor, "inner column"]
) -> Float[Tensor, "time batch column"]:
    """All timesteps times one matrix."""
    rows = values.flatten(0, 1).contiguous()
    return product(rows, matrix.t()).view(*values.shape[:2], -1)


def _suits_onednn(a: Tensor, b: Tensor) -> bool:
    # Factors with gaps between their rows would be multiplied by its reference code, very slowly.
    return (
        a.numel() * b.shape[0] >= SMALL
        and _onednn is not None
        and a.dtype is b.dtype is torch.float32
        and a.device.type == "cpu"
        and (a.is_contiguous() or a.t().is_contiguous())
        and (b.is_contiguous() or b.t().is_contiguous())
        and not torch.is_autocast_enabled("cpu")  # which asks for another precision
        and torch.backends.mkldnn.is_available()
    )


class WeightGradients:
    r"""The gradients of matrices that map inputs to one sum, and of its bias.

    .. math:: \nabla W_i = \sum_t \delta_t^\top x_{i,t}, \qquad \nabla b = \sum_t \delta_t^\top 1

    One product a matrix and piece of the sequence; the inner axis is the rows of all timesteps.
    """

    def __init__(self) -> None:
        self._matrices: list[Tensor] = []  # transposed: the faster way round
        self._bias: Tensor | None = None

    def add(self, delta: Float[Tensor, "time batch out"], *inputs: Tensor) -> None:
        """Adds the timesteps of a piece.

        Arguments:
            delta: The gradient of what the matrix gave.
            inputs: What it read, each `(time, batch, feature)`.
        """
        rows = delta.flatten(0, 1).contiguous()
        more = [product(part.flatten(0, 1).contiguous().t(), rows.t()) for part in inputs]
        bias = rows.sum(dim=0)
        if self._bias is None:
            self._matrices, self._bias = more, bias
            return
        self._bias += bias
        for matrix, piece in zip(self._matrices, more, strict=True):
            matrix += piece

    def named(self, *names: str) -> dict[str, Tensor]:
        """The gradients by name: of each input's matrix `(out, feature)`, and of the bias `(out)`.

        Without a name for the bias it is left out.
        """
        if self._bias is None:
            raise RuntimeError("No timestep was added.")
        found = [*(matrix.t() for matrix in self._matrices), self._bias]
        return dict(zip(names, found, strict=False))
