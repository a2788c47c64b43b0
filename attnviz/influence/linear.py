"""Linearised influence: what the gradient alone would say."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor

from attnviz.influence.measurement import (
    At,
    Margin,
    Measurement,
    Progress,
    Sizes,
    counted,
    measuring,
)
from attnviz.influence.provenance import described
from attnviz.influence.reference import input_root
from attnviz.influence.results import Estimate, assemble, estimate, exact
from attnviz.influence.sequences import Inputs, Model

__all__ = ["linear_influence"]


def linear_influence(  # noqa: PLR0913  (what is measured, and who watches)
    model: Model,
    inputs: Inputs,
    *,
    reference: Inputs,
    at: At = "all",
    margin: Margin = None,
    probes: int | None = None,
    rows: int = 256,
    seed: int = 0,
    progress: Progress = None,
) -> xr.Dataset:
    r"""How far back a model looks, as far as its gradients tell.

    .. math:: E_t(j)^2 = \lVert S^{-1} J\, \Sigma_x^{1/2} \rVert_F^2,
        \qquad J = \partial h_t / \partial x_{t-j}

    with `S` the standard deviation of each unit and :math:`\Sigma_x` the covariance of the inputs,
    both over the reference, so that the coordinates of an embedding do not matter. Exact: as many
    vector-Jacobian products a timestep as there are units (one for a margin). Estimated: m probes
    v of random signs, the mean of :math:`\lVert v_i^\top S^{-1} J \Sigma_x^{1/2} \rVert^2`, whose
    variance is :math:`2(\lVert B \rVert_F^2 - \sum_u B_{uu}^2)/m` with
    :math:`B = S^{-1} J \Sigma_x J^\top S^{-1}`.

    A linear model has :math:`V = \tfrac12(E^2 + \lVert S^{-1} J (x - \mu) \rVert^2)` for
    one fixed x, whose mean over inputs is :math:`E^2`. A saturated latch has an E far below: see
    `attnviz.analysis.saturation_ratio`.

    The model runs in eval mode; its modes, running statistics, parameters' gradients and torch's
    random state are left as they were.

    Arguments:
        model: As for `replacement_influence`; must be differentiable.
        inputs: As for `replacement_influence`.
        reference: Usual inputs, such as training sequences, in the same forms.
        at: The timesteps to look back from: `"all"`, `"last"`, or a list, where negative ones
            count from the end.
        margin: The class of each sequence, or `"predicted"` at its last timestep; None measures
            the state.
        probes: Random probes a timestep; exact if not given. A margin is one number, so its single
            product is exact, and probes are not drawn.
        rows: Rows in a call of the model.
        seed: For the probes: the same seed gives the same numbers.
        progress: Called with rows run and in all.

    Returns:
        As `replacement_influence`; `influence` is E². Without standard errors where it is exact.

    Raises:
        TypeError: If the model cannot read such inputs.
        ValueError: As `replacement_influence`; or if the output does not depend on the input by
            a gradient.
    """
    if probes is not None and probes < 1:
        raise ValueError(f"linear_influence needs at least 1 probe, but got {probes}.")
    drawn = 0 if probes is None or margin is not None else probes
    sizes = Sizes(drawn, rows)
    with measuring(
        model, inputs, reference, at=at, margin=margin, rows=rows, seed=seed
    ) as measurement:
        root = input_root(measurement.reference.pool)
        products = drawn or len(measurement.reference.scale)
        advance = counted(progress, products * sum(map(len, measurement.timesteps)))
        estimates = [
            _estimate(measurement, sequence, root, sizes, advance)
            for sequence in range(len(measurement.timesteps))
        ]
        attributes = described(model, measurement, draws=drawn, seed=seed)
    attributes |= {"kind": "linear", "estimator": "probes" if drawn else "exact"}
    return assemble(estimates, measurement.timesteps, measurement.inputs, attributes)


def _estimate(
    measurement: Measurement,
    sequence: int,
    root: Float[Tensor, "feature root"],
    sizes: Sizes,
    advance: Callable[[int], None],
) -> Estimate:
    timesteps = measurement.timesteps[sequence]
    units = len(measurement.reference.scale)
    generator = measurement.generator(sequence)
    draws = sizes.drawn or units  # exact: one product for each unit, added up
    found = np.zeros((timesteps[-1] + 1, sizes.drawn or 1, len(timesteps)))
    for at in range(0, len(timesteps) * draws, sizes.rows):
        row = torch.arange(at, min(at + sizes.rows, len(timesteps) * draws))
        place, draw = row // draws, row % draws
        if sizes.drawn:
            signs = torch.randint(2, (len(row), units), generator=generator)
            probe = 2.0 * signs - 1.0
        else:
            probe = torch.nn.functional.one_hot(draw, units).double()
        when = torch.tensor(timesteps)[place]
        squared = _squared_products(measurement, sequence, when, probe, root)
        for values, p, d in zip(squared, place.tolist(), draw.tolist(), strict=True):
            found[: len(values), d if sizes.drawn else 0, p] += values
        advance(len(row))
    return estimate(found, timesteps) if sizes.drawn else exact(found[:, 0], timesteps)


def _squared_products(
    measurement: Measurement,
    sequence: int,
    when: Int[Tensor, "batch"],
    probe: Float[Tensor, "batch unit"],
    root: Float[Tensor, "feature root"],
) -> Float[np.ndarray, "batch source"]:
    """‖vᵀ S⁻¹ J Σ^½‖² for each row's own timestep and probe, at every source."""
    x = measurement.inputs.rows[sequence][: int(when.max()) + 1]
    with torch.enable_grad(), _differentiable(x.device):
        batch = x.repeat(len(when), 1, 1).requires_grad_()
        seen = measurement.observe(batch, sequence)
        if not seen.requires_grad:
            raise ValueError(
                "linear_influence follows the gradient from the output to the input, but the "
                "output asks for none. Does the function detach, or run under no_grad? Use "
                "replacement_influence for functions without gradients."
            )
        reached = seen[torch.arange(len(when)), when.to(seen.device)]
        (gradient,) = torch.autograd.grad((reached * probe.to(reached)).sum(), batch)
    return np.asarray((gradient.double() @ root).square().sum(dim=-1).cpu().numpy())


def _differentiable(device: torch.device) -> AbstractContextManager[object]:
    """Without cuDNN, whose recurrences have no backward pass in eval mode."""
    if device.type != "cuda":
        return nullcontext()
    return torch.backends.cudnn.flags(enabled=False)
