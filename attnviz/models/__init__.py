"""Models that read sequences: what they are, what they are built from, how they are kept."""

from attnviz.models.folder import load_folder, save_folder
from attnviz.models.sequence_model import Reading, SequenceModel
from attnviz.models.settings import CELLS, ModelSettings, build_model, make_layer

__all__ = [
    "CELLS",
    "ModelSettings",
    "Reading",
    "SequenceModel",
    "build_model",
    "load_folder",
    "make_layer",
    "save_folder",
]
