"""The options of the cells, checked before a layer is built with them."""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass, replace
from typing import Any, Literal, Union

import cells

__all__ = ["cell_options"]

# What a model's settings say themselves, under names of their own.
_SETTLED = {
    "input_size", "hidden_size", "num_layers", "batch_first", "dropout", "bidirectional", "options",
    "device", "dtype",
}  # fmt: skip


def cell_options(
    name: str, layer: Callable[..., cells.Recurrent], given: Mapping[str, Any]
) -> dict[str, Any]:
    """The options as the layer takes them; LARNN's own are gathered on top of a preset.

    Arguments:
        name: Of the cell, for the messages.
        layer: What is to be built.
        given: From settings. For LARNN also `preset` and any field of `LARNNOptions`; a
            `forget_bias` of `{"chrono": longest}` stands for `Chrono(longest)`.

    Returns:
        Keyword arguments of the layer.

    Raises:
        ValueError: If there is no such option, or it does not take such a value.
    """
    hints = {n: h for n, h in _hints(layer).items() if n not in _SETTLED}
    own = _hints(cells.LARNNOptions) if layer is cells.LARNN else {}
    options = dict(given)
    preset = options.pop("preset", "fixed") if own else None
    taken = {**hints, **own}
    if "forget_bias" in taken and isinstance(chrono := options.get("forget_bias"), dict):
        options["forget_bias"] = _chrono(name, chrono)
    for option, value in options.items():
        if option not in taken:
            known = sorted({*taken, *({"preset"} if own else {})})
            raise ValueError(
                f"The {name} cell does not take the option {option!r}; it takes {', '.join(known)}."
            )
        if not _fits(value, taken[option]):
            raise ValueError(
                f"The {name} cell's option {option} is {_spelled(taken[option])}, got {value!r}."
            )
        if isinstance(value, int) and not _fits(value, taken[option], exactly=True):
            options[option] = float(value)
    if own:
        changed = {option: options.pop(option) for option in set(own) & set(options)}
        options["options"] = replace(cells.LARNNOptions.preset(str(preset)), **changed)
    return options


def _chrono(name: str, given: dict[str, Any]) -> cells.Chrono:
    if set(given) != {"chrono"} or not _fits(given["chrono"], int):
        raise ValueError(
            f"The {name} cell's option forget_bias is a number, or {{'chrono': T}} with the "
            f"longest dependency T in whole timesteps, got {given!r}."
        )
    return cells.Chrono(given["chrono"])


def _hints(of: Any) -> dict[str, Any]:  # noqa: ANN401  (a class)
    if not is_dataclass(of):
        of = inspect.unwrap(of.__init__)
    hints = typing.get_type_hints(of)
    return {name: hint for name, hint in hints.items() if name != "return"}


def _fits(value: object, hint: Any, *, exactly: bool = False) -> bool:  # noqa: ANN401  (a type)
    """Whether a value is of a type; a whole number is also one of numbers, but not exactly."""
    if typing.get_origin(hint) in (Union, types.UnionType):
        return any(_fits(value, one, exactly=exactly) for one in typing.get_args(hint))
    if typing.get_origin(hint) is Literal:
        return any(value == one and type(value) is type(one) for one in typing.get_args(hint))
    if hint is float and not exactly:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint)


def _spelled(hint: Any) -> str:  # noqa: ANN401  (a type as it is written)
    if typing.get_origin(hint) in (Union, types.UnionType):
        return " or ".join(_spelled(one) for one in typing.get_args(hint))
    if typing.get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, typing.get_args(hint)))
    named = {int: "a whole number", float: "a number", bool: "true or false", str: "a word"}
    return named.get(hint, f"a {getattr(hint, '__name__', hint)}")
