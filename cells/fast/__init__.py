"""Whole sequences at once: the same numbers as the step, about twice as fast.

The equations are the cells'. Each file here writes one cell out over time, with the cell's names in
the cell's order, forward and backward; `sweep` holds what they share, `whole` makes a sweep one
node of the graph.
"""

from collections.abc import Mapping
from typing import Any

from cells.base import Cell
from cells.fast.gru import GRUSweep
from cells.fast.larnn import LARNNSweep
from cells.fast.lstm import LSTMSweep
from cells.fast.rau import RAUSweep
from cells.fast.rra import RRASweep
from cells.fast.sweep import Before, Carried, Sweep
from cells.fast.whole import sweep_whole
from cells.gru import GRUCell
from cells.larnn import LARNNCell
from cells.lstm import LSTMCell
from cells.rau import RAUCell
from cells.rra import RRACell

__all__ = ["SWEEPS", "Before", "Carried", "Sweep", "sweep_whole"]

SWEEPS: Mapping[type[Cell[Any]], type[Sweep]] = {
    LSTMCell: LSTMSweep,
    GRUCell: GRUSweep,
    RRACell: RRASweep,
    LARNNCell: LARNNSweep,
    RAUCell: RAUSweep,
}
