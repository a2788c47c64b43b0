"""How a measurement of influence was made, for its attributes."""

from attnviz.influence.measurement import Measurement
from attnviz.influence.sequences import Model
from attnviz.models import SequenceModel
from attnviz.store.effects import INFLUENCE

__all__ = ["Attributes", "described"]

Attributes = dict[str, str | int | float]


def described(model: Model, measurement: Measurement, *, draws: int, seed: int) -> Attributes:
    """What both kinds of influence say about themselves.

    Arguments:
        model: What was measured.
        measurement: How.
        draws: Replacements or probes.
        seed: Of the draws.

    Returns:
        Attributes that any file format can hold.
    """
    name = model.name if isinstance(model, SequenceModel) else _name(model)
    rows = measurement.reference.rows
    state = measurement.classes is None
    said: Attributes = {
        "format": INFLUENCE,
        "model": name,
        "model_mode": "eval",
        "of": "state" if state else "margin",
        "unit": "squared standard deviations, summed over units" if state else "logits²",
        "draws": draws,
        "seed": seed,
        "reference_sequences": len(rows),
        "reference_timesteps": sum(map(len, rows)),
    }
    if state:
        said["units"] = len(measurement.reference.scale)
    return said


def _name(model: Model) -> str:
    return str(getattr(model, "__name__", type(model).__name__))
