"""Runs of a model under edits: what changes when attention cannot read something."""

from attnviz.replay.ablation import ablate
from attnviz.replay.plan import AblationLevel

__all__ = ["AblationLevel", "ablate"]
