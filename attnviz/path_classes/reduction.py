"""From gradients by class to labelled numbers: norms, shares, cancellation, residual."""

from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor

from attnviz.path_classes.labels import PathClasses
from attnviz.path_classes.steps import Gradients, Steps, gradients_at

__all__ = ["reduce_gradients"]

Arrays = dict[str, np.ndarray]


def reduce_gradients(
    steps: Steps,
    paths: PathClasses,
    classes: Gradients,
    *,
    injected: Float[Tensor, "batch unit"],
    order: Int[Tensor, "batch"],
) -> xr.Dataset:
    r"""Norm, signed share, cancellation and residual of every class, by distance from the loss.

    Arguments:
        steps: What was read.
        paths: The classes.
        classes: `(class, running, unit)` of every step, hops behind the classes.
        injected: The gradient at each row's last hidden state, in the order of the walk.
        order: The row of the batch behind each row of the walk.

    Returns:
        With dims `(sequence, distance, path_class)`; see `gradient_paths`.
    """
    place = _Places(steps, order)
    reference = gradients_at(steps.after, steps.inputs, injected)
    variables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {}
    for name, by_class in classes.items():
        found = [
            _numbers(values, total, paths.count)
            for values, total in zip(by_class, reference[name], strict=True)
        ]
        for key in found[0]:
            last = {"class_norm": ("path_class",), "class_share": ("path_class",)}
            dims = ("sequence", "distance", *last.get(key, ("hop",) if key == "hop_norm" else ()))
            variables[f"{name}_{key}"] = (dims, place.by_distance([one[key] for one in found]))
    coordinates: dict[str, object] = {
        "path_class": paths.names,
        "distance": np.arange(len(steps.inputs)),
    }
    if paths.hops:
        coordinates["hop"] = np.arange(1, paths.hops + 1)
    if steps.slopes:
        slopes = place.by_distance([values.cpu().numpy() for values in steps.slopes])
        variables["shortcut_slope"] = (("sequence", "distance", "unit"), slopes)
        variables["lag_kernel"] = (("lag",), _lag_kernel(steps))
        coordinates["lag"] = np.array(steps.cell.lags)
    variables["length"] = (("sequence",), place.lengths_in_batch)
    entering = torch.empty_like(injected)
    entering[order.to(injected.device)] = injected
    variables["injected"] = (("sequence", "unit"), entering.cpu().numpy())
    return xr.Dataset(variables, coordinates)


class _Places:
    """Where the rows of each step stand in the batch, and how far from their end."""

    def __init__(self, steps: Steps, order: Int[Tensor, "batch"]) -> None:
        self.running = [len(values) for values in steps.inputs]
        self.order = order.numpy()
        steps_taken = np.array(self.running)[:, None] > np.arange(self.running[0])
        self.lengths = steps_taken.sum(axis=0)

    @property
    def lengths_in_batch(self) -> Int[np.ndarray, "batch"]:
        """Timesteps of each sequence."""
        lengths: np.ndarray = np.empty_like(self.lengths)
        lengths[self.order] = self.lengths
        return lengths

    def by_distance(self, steps: list[np.ndarray]) -> Float[np.ndarray, "batch distance *rest"]:
        """Numbers `(running, ...)` of every step, by row of the batch and distance from its end."""
        shape = (len(self.order), len(steps), *steps[0].shape[1:])
        found = np.full(shape, np.nan)
        for step, values in enumerate(steps):
            n = self.running[step]
            found[self.order[:n], self.lengths[:n] - 1 - step] = values
        return found


def _numbers(
    by_class: Float[Tensor, "entry running unit"],
    total: Float[Tensor, "running unit"],
    count: int,
) -> Arrays:
    """Of one step, with the rows first."""
    scale = total.abs().amax(dim=-1, keepdim=True)  # squares of small gradients underflow
    scaled, g = by_class / scale, total / scale
    norm, norms = torch.linalg.vector_norm(g, dim=-1), torch.linalg.vector_norm(scaled, dim=-1)
    found = {
        "gradient_norm": norm * scale[:, 0],
        "class_norm": (norms * scale[:, 0])[:count].T,
        "class_share": ((scaled[:count] * g).sum(dim=-1) / norm**2).T,
        "cancellation": norms[:count].sum(dim=0) / norm,
        "residual": torch.linalg.vector_norm(scaled[:count].sum(dim=0) - g, dim=-1) / norm,
    }
    exact = torch.linalg.vector_norm(by_class, dim=-1)  # where all of them cancel, scale is 0
    nothing = scale[:, 0] == 0
    found["gradient_norm"][nothing] = 0
    found["class_norm"][nothing] = exact[:count].T[nothing]
    if len(by_class) > count:
        found["hop_norm"] = exact[count:].T
    return {name: values.cpu().numpy() for name, values in found.items()}


def _lag_kernel(steps: Steps) -> Float[np.ndarray, "lag"]:
    constants: Mapping[str, Tensor] = steps.cell.constants()
    kernel: np.ndarray = constants["lag_kernel"][0].cpu().numpy()
    return kernel
