"""Gradients by class of path, of a layer or of a model."""

import importlib.metadata
import json
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
import xarray as xr
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

import cells
from attnviz.models import SequenceModel
from attnviz.path_classes.doors import class_gradients_by_doors
from attnviz.path_classes.labels import PathClasses, PathOptions, label_routes
from attnviz.path_classes.recursion import class_gradients
from attnviz.path_classes.reduction import reduce_gradients
from attnviz.path_classes.steps import (
    Steps,
    double_copy,
    last_rows,
    past_routes,
    watch,
)
from attnviz.recording.assembly import weights_digest
from attnviz.store.effects import PATHS
from cells.lengths import Rows, check_lengths
from cells.walk import map_state

__all__ = ["Objective", "gradient_paths"]

# Of predictions `(batch, output)`, or of a layer's last hidden states `(batch, unit)`, a number,
# or one for each sequence.
Objective = Callable[[Tensor], Tensor]
Lengths = Int[Tensor, "batch"] | Sequence[int] | None

_DEFAULT = PathOptions()
# Whose routes the package knows how to join.
_OURS = (cells.LSTMCell, cells.GRUCell, cells.RRACell, cells.LARNNCell, cells.RAUCell)
# How much of a gradient the classes may miss by rounding alone, and how small a gradient may be
# before double precision itself rounds it.
_MISSING, _VANISHED = 1e-6, 1e-290


def gradient_paths(
    model: SequenceModel | cells.Recurrent,
    inputs: Tensor,
    *,
    lengths: Lengths = None,
    state: tuple[Any, ...] | None = None,
    objective: Objective | None = None,
    group: str | None = None,
    options: PathOptions = _DEFAULT,
) -> xr.Dataset:
    r"""The gradient at every timestep, by the edges that it travelled on its way back.

    From the gradient :math:`\partial L / \partial h_\tau` at each sequence's own last hidden state
    of one layer and direction, all paths to an earlier state or input are told apart by the set σ
    of labels that they pass. The classes add up to the gradient, exactly:

    .. math:: g = \sum_\sigma g_\sigma, \qquad
        \text{share}_\sigma = \frac{\langle g_\sigma, g \rangle}{\langle g, g \rangle}, \qquad
        \kappa = \sum_\sigma \|g_\sigma\| / \|g\|

    Labels are `gates` (gates, candidate and query), `memory`, `shortcut` (RRA), `attention`
    (LARNN, RAU), `carry` (GRU, RAU), and for a cell of one's own its routes' names. The model is
    copied to double precision and eval mode, since small classes drown in float32. A warning says
    where classes do not add up: a use of a state that does not go through `via`.

    Arguments:
        model: A model, or a layer of any cell.
        inputs: As the model takes them: token ids or numbers; `(time, batch, feature)`, or batch
            first, for a layer.
        lengths: Timesteps of each sequence; all of them if not given. A shorter length asks from
            an earlier timestep.
        state: What a layer carries in from an earlier piece; not for models.
        objective: What the gradient is of, summed over sequences or one number for each: of the
            predictions `(batch, output)` at each sequence's end; for a layer, of the group's hidden
            state `(batch, unit)` there. The cross-entropy of the predicted class if not given.
        group: The layer and direction; the last layer's, forwards, if not given.
        options: Labels, hops, and the method.

    Returns:
        Dims `(sequence, distance, path_class)`, distance in timesteps from the sequence's last
        one read; NaN beyond its first. For each of `hidden`, `memory` (where there is one) and
        `input`: `_class_norm`, `_class_share` (signed, sums to one, NaN where the gradient is
        zero), `_gradient_norm`, `_cancellation` (κ, at least one), `_residual` (‖Σ g_σ − g‖/‖g‖
        against autograd's g), and with hops `_hop_norm` with dim `hop`, of the class that passes
        the counted label alone. Besides, `length` and `injected(sequence, unit)`, ∂L/∂h_τ; of
        RRA also `lag_kernel(lag)` and `shortcut_slope(sequence, distance, unit)`,
        o ⊙ (1 − tanh²(c + a)).

    Raises:
        KeyError: If there is no such group.
        ValueError: If an edit is registered, labels do not fit, a layer has no objective, the
            objective does not depend on the group, a step cannot be repeated, or the cell uses a
            state by a route that it does not declare.
    """
    whole = isinstance(model, SequenceModel)
    group = _check(model.layer if isinstance(model, SequenceModel) else model, group)
    if state is not None and whole:
        raise ValueError(
            "A SequenceModel begins every sequence anew and takes no state; give the state to a "
            "layer, gradient_paths(model.layer, ...)."
        )
    copied = double_copy(model)
    if inputs.is_floating_point():
        inputs = inputs.detach().double().requires_grad_()
    with torch.enable_grad():
        if isinstance(model, SequenceModel):
            steps, rows, at_end = _read_model(copied, inputs, lengths, group)
            loss = _summed((objective or _predicted_class(model))(at_end))
        else:
            given = None if state is None else _double_state(state)
            steps, rows, at_end = _read_layer(copied, inputs, lengths, given, group)
            loss = _summed(_need(objective)(at_end))
        injected = _injected(loss, steps, group)
    paths = _paths(steps, options)
    follow = class_gradients if options.method == "recursion" else class_gradients_by_doors
    classes = follow(steps, paths, injected)
    dataset = reduce_gradients(steps, paths, classes, injected=injected, order=rows.order)
    _warn_of_residuals(dataset)
    return dataset.assign_attrs(_provenance(model, group, steps, paths, options))


def _paths(steps: Steps, options: PathOptions) -> PathClasses:
    """The classes; of a cell of one's own each route is a label, whatever it is called."""
    routes = list(past_routes(steps))
    if options.labels is None and not isinstance(steps.cell, _OURS):
        options = replace(options, labels={route: [route] for route in routes})
    return label_routes(type(steps.cell).__name__, routes, options)


def _warn_of_residuals(dataset: xr.Dataset) -> None:
    """Says where classes do not add up: a use without a slot, or a sum that cancels."""
    missed, cancelled = {}, 1.0
    for name in ("hidden", "memory", "input"):
        if f"{name}_residual" not in dataset:
            continue
        there = dataset[f"{name}_gradient_norm"] > _VANISHED
        largest = _largest(dataset[f"{name}_residual"].where(there))
        if largest > _MISSING:
            missed[name] = largest
            cancelled = max(cancelled, _largest(dataset[f"{name}_cancellation"].where(there)))
    if missed:
        told = ", ".join(f"{largest:.2g} at {name}" for name, largest in missed.items())
        warnings.warn(
            "The classes of paths should add up to the gradient, but miss a share of it of up to "
            f"{told}. Either a use of a state does not go through via, or they cancel (their norms "
            f"add up to {cancelled:.2g} times the gradient's).",
            stacklevel=3,
        )


def _largest(values: xr.DataArray) -> float:
    return float(values.max().fillna(0))


def _check(layer: cells.Recurrent, group: str | None) -> str:
    """The group to follow; refuses what the copy would not honour."""
    if not isinstance(layer, cells.Recurrent):
        raise TypeError(
            "Classes of paths are of a SequenceModel, or of a layer with its objective, but got "
            f"{type(layer).__name__}. {_inside(layer)}"
        )
    group = f"l{layer.num_layers - 1}" if group is None else group
    if group not in layer.groups:
        raise KeyError(f"There is no group {group!r}; there are {list(layer.groups)}.")
    if layer.edited:
        raise ValueError(
            "An edit is registered, and classes of paths are those of the layer without edits. "
            "Remove the edit's handle first."
        )
    return group


def _inside(module: object) -> str:
    """What of a module to give instead."""
    named = module.named_modules() if isinstance(module, torch.nn.Module) else ()
    layers = [name for name, part in named if isinstance(part, cells.Recurrent)]
    if layers:
        listed = " or ".join(f".{name}" for name in layers[:3])
        return f"Give the recurrent layer of it, {listed}, and what that reads."
    return "attnviz.open_model opens torch.nn.LSTM and GRU; their layer is its .layer."


def _read_model(
    model: SequenceModel, inputs: Tensor, lengths: Lengths, group: str
) -> tuple[Steps, Rows, Float[Tensor, "batch output"]]:
    checked = check_lengths(lengths, batch=inputs.shape[0], longest=inputs.shape[1])
    longest = int(checked.max())
    model.layer.path = "step"
    with watch(model.layer.groups[group]) as steps:
        predicted = model(inputs[:, :longest], checked)
    if model.per_step:
        predicted = predicted[torch.arange(len(predicted)), checked.to(predicted.device) - 1]
    return steps, Rows.sorted(checked, reverse=group.endswith("_reverse")), predicted


def _read_layer(
    layer: cells.Recurrent,
    inputs: Tensor,
    lengths: Lengths,
    state: tuple[Any, ...] | None,
    group: str,
) -> tuple[Steps, Rows, Float[Tensor, "batch unit"]]:
    padded = inputs.transpose(0, 1) if layer.batch_first else inputs
    checked = check_lengths(lengths, batch=padded.shape[1], longest=padded.shape[0])
    layer.path = "step"
    with watch(layer.groups[group]) as steps:
        layer(inputs, state, lengths=checked)
    rows = Rows.sorted(checked, reverse=group.endswith("_reverse"))
    ends = last_rows(steps.after["hidden"])
    return steps, rows, ends[rows.order.argsort().to(ends.device)]


def _double_state(state: tuple[Any, ...]) -> tuple[Any, ...]:
    def double(tensor: Tensor) -> Tensor:
        return tensor.detach().double() if tensor.is_floating_point() else tensor

    return tuple(map_state(double, part) for part in state)


def _predicted_class(model: SequenceModel) -> Objective:
    if model.kind == "regression":
        raise ValueError(
            f"{model.name} predicts numbers, and there is no loss without knowing the right ones. "
            "Pass objective=, of the predictions (batch, output)."
        )
    return lambda logits: F.cross_entropy(logits, logits.detach().argmax(-1), reduction="sum")


def _need(objective: Objective | None) -> Objective:
    if objective is None:
        raise ValueError(
            "A layer has no loss of its own. Pass objective=, of the hidden states (batch, unit) "
            "at each sequence's end, such as lambda hidden: hidden.sum()."
        )
    return objective


def _summed(loss: Tensor) -> Tensor:
    """An objective over sequences as one number.

    Raises:
        ValueError: If it is neither one number nor one for each sequence.
    """
    if not isinstance(loss, Tensor) or loss.dim() > 1:
        came = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
        raise ValueError(
            "An objective is one number, summed over sequences, or one number for each, got "
            f"{came}. Choose an output, lambda predicted: predicted[:, 0], or sum them."
        )
    return loss.sum()


def _injected(loss: Tensor, steps: Steps, group: str) -> Float[Tensor, "batch unit"]:
    """The gradient at each row's last hidden state."""
    hidden = steps.after["hidden"]
    found: Sequence[Tensor | None] = [None] * len(hidden)
    if loss.requires_grad:
        found = torch.autograd.grad(loss, hidden, retain_graph=True, allow_unused=True)
    known = zip(found, hidden, strict=True)
    injected = last_rows([torch.zeros_like(h) if g is None else g for g, h in known])
    if not bool(injected.any()):
        raise ValueError(
            f"The objective does not depend on the last hidden states of {group}, or so little "
            "that its gradient is zero: there is nothing to follow back."
        )
    return injected


def _provenance(
    model: SequenceModel | cells.Recurrent,
    group: str,
    steps: Steps,
    paths: PathClasses,
    options: PathOptions,
) -> dict[str, Any]:
    packages = ("attnviz", "torch", "numpy", "xarray")
    routes = {
        label: [r for r, of in paths.label_of.items() if of == label] for label in paths.labels
    }
    return {
        "format": PATHS,
        "model": model.name if isinstance(model, SequenceModel) else type(model).__name__,
        "cell": type(steps.cell).__name__.removesuffix("Cell"),
        "group": group,
        "direction": -1 if group.endswith("_reverse") else 1,
        "model_mode": "eval",
        "labels": json.dumps(routes),
        "hops_of": options.hops_of if options.hops else "",
        "method": options.method,
        "weights_digest": weights_digest(model),
        "versions": json.dumps({name: importlib.metadata.version(name) for name in packages}),
    }
