"""A trained model of one's own, opened: torch's LSTMs and GRUs replaced by open ones."""

from attnviz.opening.adapters import OpenGRU, OpenGRUCell, OpenLSTM, OpenLSTMCell
from attnviz.opening.opened import OpeningWarning, open_model

__all__ = [
    "OpenGRU",
    "OpenGRUCell",
    "OpenLSTM",
    "OpenLSTMCell",
    "OpeningWarning",
    "open_model",
]
