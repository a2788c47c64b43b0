"""Gradients of a recording: what is asked for, and how it is labelled in the trace."""

from typing import Any, Literal, get_args

import numpy as np
from torch import nn

import cells
from attnviz.models import SequenceModel

__all__ = [
    "GradientRecording",
    "described_gradients",
    "gradient_parts",
    "leaves_of",
    "route_coordinates",
    "scales_with_loss",
]

GradientRecording = bool | Literal["norms", "routes", "exits"]

_SYMBOLS = {"hidden": "h_t", "memory": "c_t", "input": "x_t"}


def gradient_parts(gradients: GradientRecording) -> cells.GradientParts | None:
    """What a layer's gradient hook is asked for; None for nothing.

    Raises:
        ValueError: If it is none of the choices.
    """
    if isinstance(gradients, bool):
        return "routes" if gradients else None
    if gradients not in get_args(cells.GradientParts):
        raise ValueError(
            f"gradients is True (routes), False, or one of {get_args(cells.GradientParts)}, got "
            f"{gradients!r}."
        )
    return gradients


def leaves_of(model: SequenceModel) -> list[nn.Parameter]:
    """The parameters that a backward pass is made for, so that gradients come by the states.

    Raises:
        ValueError: If none of the layers' asks for a gradient.
    """
    leaves = [values for values in model.layer.parameters() if values.requires_grad]
    if not leaves:
        raise ValueError(
            f"No parameter of {model.name}'s layers asks for a gradient, so there is none to "
            "follow. Pass gradients=False, or unfreeze the layers (requires_grad_)."
        )
    return leaves


def described_gradients() -> dict[str, dict[str, Any]]:
    """Axes and symbols of everything that a gradient hook can report.

    At the input it is what this layer and direction sends back: the whole of ∂L/∂x_t where nothing
    else reads the input.
    """

    def entry(axes: list[str], symbol: str) -> dict[str, Any]:
        return {"axes": axes, "symbol": symbol, "bounds": None, "normalised_over": None}

    found: dict[str, dict[str, Any]] = {}
    for place, state in _SYMBOLS.items():
        route = [f"{place}_route"]
        found |= {
            f"{place}_gradient_norm": entry([], f"‖∂L/∂{state}‖"),
            f"{place}_route_norm": entry(route, "‖g_r‖"),
            f"{place}_route_projection": entry(route, "⟨g_r, g⟩/‖g‖"),
            f"{place}_cancellation": entry([], "Σ‖g_r‖/‖g‖"),
            f"{place}_route_residual": entry([], "‖Σ g_r − g‖/‖g‖"),
        }
    return found


def route_coordinates(cell: cells.Cell[Any]) -> dict[str, tuple[str, np.ndarray]]:
    """Labels of the route axes, with the kind of each route and its lag (0 where it has none)."""
    found: dict[str, tuple[str, np.ndarray]] = {}
    states = {route.state for route in cell.routes.values()}
    for state in states:
        entries, axis = cells.route_entries(cell, state), f"{state}_route"
        lags = np.array([entry.lag or 0 for entry in entries], dtype=np.int32)
        found[axis] = (axis, np.array([entry.label for entry in entries], dtype=object))
        found[f"{axis}_kind"] = axis, np.array([entry.route for entry in entries], dtype=object)
        found[f"{axis}_lag"] = axis, lags
    found["input_route"] = "input_route", np.array(cells.exit_names(cell), dtype=object)
    return found


def scales_with_loss(name: str) -> bool:
    """Whether a gradient's number grows with the loss, or is a ratio."""
    return not name.endswith(("cancellation", "residual"))
