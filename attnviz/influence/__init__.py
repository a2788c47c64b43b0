"""How far back a sequence model looks: replacement influence and its linearised companion."""

from attnviz.influence.linear import linear_influence
from attnviz.influence.replacement import replacement_influence
from attnviz.influence.sequences import Sequences

__all__ = ["Sequences", "linear_influence", "replacement_influence"]
