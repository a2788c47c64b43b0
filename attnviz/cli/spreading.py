"""Options that several commands have, written down once: as the fields of a dataclass."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints

__all__ = ["spread"]


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """A command with an option for each field of its parameters that are dataclasses.

    Arguments:
        command: Its parameters are options, or dataclasses whose fields are, as typer reads them.

    Returns:
        The same for typer: it takes the fields and hands over the dataclasses.
    """
    groups: dict[str, Any] = {
        name: parameter.annotation
        for name, parameter in inspect.signature(command).parameters.items()
        if is_dataclass(parameter.annotation)
    }

    @functools.wraps(command)
    def called(**given: object) -> None:
        for name, group in groups.items():
            given[name] = group(**{field.name: given.pop(field.name) for field in fields(group)})
        command(**given)

    flat = _flat(command, groups)
    called.__signature__ = inspect.Signature(flat)  # type: ignore[attr-defined]
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in flat}
    return called


def _flat(command: Callable[..., None], groups: Mapping[str, Any]) -> list[inspect.Parameter]:
    """The parameters, fields in place of dataclasses."""
    flat: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name not in groups:
            flat.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        hints = get_type_hints(groups[name], include_extras=True)
        flat += [
            inspect.Parameter(
                field.name, inspect.Parameter.KEYWORD_ONLY, annotation=hints[field.name],
                default=inspect.Parameter.empty if field.default is MISSING else field.default,
            )
            for field in fields(groups[name])
        ]  # fmt: skip
    return flat
