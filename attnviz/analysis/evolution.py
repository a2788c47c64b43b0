"""Training evolution: how the attention by lag comes about, from probes taken during training."""

import numpy as np
import xarray as xr

from attnviz.analysis.statistic import Statistic

__all__ = ["kernel_evolution", "kernel_norm_evolution", "loss_evolution"]

_KERNELS = {"lag_kernel": "ŵ", "attention": "α", "gate_attention": "w(a)"}


def kernel_evolution(probes: xr.DataTree, *, group: str | None = None) -> Statistic:
    r"""The attention by lag at each step of a training.

    RRA's kernel is static: :math:`\hat w_j(s) = w_j(s) / \sum_m w_m(s)` after s iterations. Of
    other cells it is what `lag_kernel` gives on the probed sequences, of those without attention of
    their own what `age_kernel` gives.

    Arguments:
        probes: As `attnviz.open_probes` gives them.
        group: The layer and direction; the first that holds a kernel if not given.

    Returns:
        Axes `(step, head, lag)`, or `(step, age)`, weights. For a mean, the uncertainty is the
        standard deviation over the probed sequences (NaN for a single one).

    Raises:
        KeyError: If the probes hold no kernel, or there is no such group.
        ValueError: If attention was kept whole, without the mean.
    """
    found = _holder(probes, tuple(_KERNELS), group)
    held = probes.children[found].to_dataset(inherit=False)
    name = next(name for name in _KERNELS if name in held)
    values = held[name].assign_coords(step=probes["step"])
    if "time" in values.dims:
        raise ValueError(
            f"kernel_evolution draws on means, but these probes kept {name} whole, with the axes "
            f"{tuple(map(str, values.dims))}. Take the mean that is wanted from them, or probe "
            "without whole=True."
        )
    spread = held.get(f"{name}_spread")
    count = probes.sizes["sequence"]
    return Statistic(
        f"{'lag kernel' if name == 'lag_kernel' else f'mean {name}'} during training".replace(
            "_", " "
        ),
        values, "weight", symbol=_KERNELS[name],
        uncertainty=None if spread is None else spread.assign_coords(step=probes["step"]),
        uncertainty_of="" if spread is None else f"standard deviation over {count} sequences",
    )  # fmt: skip


def kernel_norm_evolution(probes: xr.DataTree, *, group: str | None = None) -> Statistic:
    r"""The norm of RRA's lag scores at each step, :math:`\|w(s)\|_2`, which normalising hides.

    The kernel does not depend on it, but how far a step of the optimiser turns the kernel does.

    Arguments:
        probes: As `attnviz.open_probes` gives them, of RRA.
        group: The layer and direction; the first that holds it if not given.

    Returns:
        Axis `(step)`.

    Raises:
        KeyError: If the probes hold no such norm.
    """
    found = _holder(probes, ("lag_score_norm",), group)
    values = probes.children[found].to_dataset(inherit=False)["lag_score_norm"]
    values = values.assign_coords(step=probes["step"])
    return Statistic("norm of the lag scores", values, "", (0.0, np.inf), symbol="‖w‖")


def loss_evolution(probes: xr.DataTree) -> Statistic:
    """The loss on the probed sequences at each step: their mean, with its spread over them.

    Arguments:
        probes: As `attnviz.open_probes` gives them.

    Returns:
        Axis `(step)`, cross-entropy in nats or squared error. The uncertainty is the standard
        deviation over sequences; none for a single one.
    """
    losses = probes.dataset["loss"].astype(np.float64)
    count = losses.sizes["sequence"]
    return Statistic(
        "loss on the probed sequences", losses.mean("sequence"), "", (0.0, np.inf),
        uncertainty=losses.std("sequence", ddof=1) if count > 1 else None,
        uncertainty_of=f"standard deviation over {count} sequences" if count > 1 else "",
    )  # fmt: skip


def _holder(probes: xr.DataTree, names: tuple[str, ...], group: str | None) -> str:
    """The group that holds one of several arrays."""
    if group is not None and group not in probes.children:
        raise KeyError(f"The probes have no layer {group!r}; they have {[*probes.children]}.")
    for candidate in [*probes.children] if group is None else [group]:
        if any(name in probes.children[candidate].data_vars for name in names):
            return str(candidate)
    held = {str(g): sorted(map(str, node.data_vars)) for g, node in probes.children.items()}
    cell = probes.attrs.get("cell", "the cell")
    raise KeyError(
        f"The probes of {cell} hold none of {', '.join(names)} in {group or 'any layer'}; they "
        f"hold {held}. Signals are chosen when training: Probe(path, keep=[...])."
    )
