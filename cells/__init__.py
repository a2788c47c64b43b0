"""Recurrent cells that say what they do: what they look at, and what their states are used for.

Layers are used like `torch.nn.LSTM`; a cell is one step of one. `Cell` is what to derive one's
own from.
"""

from cells.base import (
    At,
    Cell,
    Edit,
    GatedState,
    Readout,
    Route,
    Signal,
    Slot,
    Via,
    alias,
    same,
)
from cells.gates import Chrono
from cells.gru import GRUCell, GRUState
from cells.hooks import GradientParts, ReadoutHook
from cells.larnn import LARNNCell, LARNNState
from cells.larnn_options import FIXED, PAPER, PRESETS, RELEASED, STABLE, LARNNOptions
from cells.layers import GRU, LARNN, LSTM, RAU, RRA
from cells.lstm import LSTMCell, LSTMState
from cells.rau import RAUCell, RAUState
from cells.recurrent import Recurrent, StepByStepWarning
from cells.routes import RouteEntry, exit_names, route_entries
from cells.rra import RRACell, RRAState

__all__ = [
    "FIXED",
    "GRU",
    "LARNN",
    "LSTM",
    "PAPER",
    "PRESETS",
    "RAU",
    "RELEASED",
    "RRA",
    "STABLE",
    "At",
    "Cell",
    "Chrono",
    "Edit",
    "GRUCell",
    "GRUState",
    "GatedState",
    "GradientParts",
    "LARNNCell",
    "LARNNOptions",
    "LARNNState",
    "LSTMCell",
    "LSTMState",
    "RAUCell",
    "RAUState",
    "RRACell",
    "RRAState",
    "Readout",
    "ReadoutHook",
    "Recurrent",
    "Route",
    "RouteEntry",
    "Signal",
    "Slot",
    "StepByStepWarning",
    "Via",
    "alias",
    "exit_names",
    "route_entries",
    "same",
]
