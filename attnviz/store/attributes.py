"""What a trace and its groups say of themselves, as plain JSON."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from attnviz.store.plan import Plan
from attnviz.trace import FORMAT

__all__ = ["bounded_signals", "check_attributes", "stored_attributes"]

HALF_MAX = float(np.finfo(np.float16).max)
OWN = ("layout", "coordinates")  # attributes with a meaning of their own in the store


def check_attributes(attributes: Mapping[Any, Any], where: str) -> dict[str, Any]:
    """Attributes as plain JSON, in alphabetical order.

    Arguments:
        attributes: Names and values; NumPy numbers become plain ones.
        where: Whose they are, for the message.

    Returns:
        A dictionary that JSON gives back unchanged.

    Raises:
        ValueError: If one cannot be written as JSON, or its name is taken.
    """
    checked = {}
    for name in sorted(map(str, attributes)):
        if name in OWN:
            raise ValueError(f"The attribute {name!r} of {where} is the store's own; rename it.")
        try:
            text = json.dumps(attributes[name], allow_nan=False, default=_plain)
            checked[name] = json.loads(text.encode().decode())
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Attributes are stored as JSON, but {name!r} of {where} is "
                f"{str(attributes[name])[:60]!r} ({error}). Use text, finite numbers, lists and "
                "dictionaries."
            ) from error
    return checked


def stored_attributes(attributes: Mapping[Any, Any], plan: Plan) -> dict[str, Any]:
    """The root's attributes as they are stored, with the format and the plan's truncation."""
    cut = plan.truncation
    said = {"truncation": json.dumps({"side": cut.side, "length": cut.length})} if cut else {}
    return check_attributes({**said, **attributes, "format": FORMAT}, "the trace")


def bounded_signals(attributes: Mapping[Any, Any], where: str) -> set[str]:
    """Names of the signals whose declared bounds float16 can hold."""
    declared = attributes.get("signals", {})
    try:
        signals = json.loads(declared) if isinstance(declared, str) else declared
        bounds = {name: signal.get("bounds") for name, signal in signals.items()}
        return {
            name
            for name, pair in bounds.items()
            if pair is not None and all(abs(float(edge)) <= HALF_MAX for edge in pair)
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"The attribute 'signals' of {where} should map names to their declaration with "
            f"'bounds', but it is {str(declared)[:60]!r} ({error})."
        ) from error


def _plain(value: object) -> object:
    """Numbers and arrays of NumPy as JSON's own."""
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no form in JSON")
