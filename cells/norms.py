"""Normalisation inside a recurrence, with statistics that belong to a sequence, not to a step."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["SMALLEST_BATCH", "BatchStatistics", "Norm", "NormKind"]

NormKind = Literal["batch", "layer", "none"]

# Name of a use of a norm -> (count, mean, unbiased variance) of what it normalised.
BatchStatistics = dict[str, Tensor]

# With fewer entries than this, a batch says too little of its own mean and variance.
SMALLEST_BATCH = 8


class Norm(nn.Module):
    r"""Batch norm, layer norm, or neither, of one step of a recurrence.

    .. math:: y = \gamma \odot \frac{x - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta

    Layer norm takes :math:`\mu, \sigma` over the units. Batch norm takes them over the rows of the
    step while statistics are being collected, and otherwise from its running statistics, which
    one call of `absorb` a sequence keeps.

    References:
        Recurrent Batch Normalization (Cooijmans et al., 2016), https://arxiv.org/abs/1603.09025,
        from where the small gain at the start; it keeps statistics for each timestep, this does
        not.

    Arguments:
        units: Units that are normalised.
        kind: `"batch"`, `"layer"` or `"none"`, which changes nothing and has no parameters.
        gain: γ at the start; None for a γ of one that is not learned.
        shift: Whether β is learned; otherwise it is zero.
        epsilon: Added to the variance.
        momentum: The share of the newest sequence in the running statistics.
        device: Where the parameters live.
        dtype: Their precision.
    """

    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self,
        units: int,
        kind: NormKind,
        *,
        gain: float | None = 1.0,
        shift: bool = True,
        epsilon: float = 1e-5,
        momentum: float = 0.1,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.units, self.kind = units, kind
        self.epsilon, self.momentum = epsilon, momentum
        weight = None if gain is None else torch.full((units,), gain, device=device, dtype=dtype)
        bias = torch.zeros(units, device=device, dtype=dtype) if shift else None
        for name, start in {"weight": weight, "bias": bias}.items():
            learned = None if start is None or kind == "none" else nn.Parameter(start)
            self.register_parameter(name, learned)
        if kind == "batch":
            self.register_buffer("running_mean", torch.zeros(units, device=device, dtype=dtype))
            self.register_buffer("running_var", torch.ones(units, device=device, dtype=dtype))

    def forward(
        self, x: Float[Tensor, "entry unit"], collected: BatchStatistics | None, name: str
    ) -> Float[Tensor, "entry unit"]:
        """Normalises one step.

        Arguments:
            x: One entry a row, or several where a row has several.
            collected: Where batch norm leaves its statistics under `name`, which makes it use
                the batch's own; None makes it use the running ones.
            name: Of this use of the norm.
        """
        if self.kind == "none":
            return x
        if self.kind == "layer":
            return F.layer_norm(x, (self.units,), self.weight, self.bias, self.epsilon)
        if collected is None:
            mean, variance = self.running_mean, self.running_var
            return F.batch_norm(x, mean, variance, self.weight, self.bias, eps=self.epsilon)
        # A momentum of one makes batch_norm write the batch's own statistics over these. They stay
        # whole in mixed precision, where x does not.
        statistics = self.running_mean.new_full((3, self.units), len(x))
        _, mean, variance = statistics.unbind()
        collected[name] = statistics
        return F.batch_norm(
            x, mean, variance, self.weight, self.bias, True, momentum=1.0, eps=self.epsilon
        )

    @torch.no_grad()
    def absorb(self, steps: Sequence[Float[Tensor, "3 unit"]]) -> None:
        r"""Moves the running statistics towards those of all entries of a sequence.

        .. math::
            \mu = \frac{\sum_t n_t \mu_t}{N}, \qquad
            \sigma^2 = \frac{\sum_t (n_t - 1) \sigma_t^2 + n_t (\mu_t - \mu)^2}{N - 1}

        Arguments:
            steps: Count, mean and unbiased variance of each step's entries.
        """
        if not steps:
            return
        count, means, variances = torch.stack(list(steps)).double().unbind(dim=1)
        total = count.sum(dim=0)
        mean = (count * means).sum(dim=0) / total
        squares = (count - 1) * variances + count * (means - mean).square()
        variance = squares.sum(dim=0) / (total - 1)
        # New tensors: steps that read the old ones still need them for their backward.
        self.running_mean = self.running_mean.lerp(mean.to(self.running_mean), self.momentum)
        self.running_var = self.running_var.lerp(variance.to(self.running_var), self.momentum)
