"""Options of cells as they are typed."""

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnviz.training import Recipe

__all__ = ["with_options"]


def with_options(recipe: "Recipe", given: list[str]) -> "Recipe":
    """A recipe whose cell has the options that were typed.

    Arguments:
        recipe: What is changed.
        given: As NAME=VALUE. A value is a number, true or false, or a list or object in JSON,
            such as `forget_bias={"chrono": 220}`; everything else is a word.

    Raises:
        ValueError: If one is not of that form.
    """
    options: dict[str, Any] = dict(recipe.model.options)
    for option in given:
        name, equals, value = option.partition("=")
        if not (name and equals):
            raise ValueError(f"--option takes NAME=VALUE, such as window=20, got {option!r}.")
        options[name] = _value(name, value)
    return replace(recipe, model=replace(recipe.model, options=options))


def _value(name: str, text: str) -> Any:  # noqa: ANN401  (whatever JSON can say)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if text.startswith(("{", "[", '"')):
            raise ValueError(
                f"The value of --option {name} begins like JSON, but {text} is none: {error}. A "
                "shell takes quotes away, so put others around it all, as in --option "
                "'forget_bias={\"chrono\": 220}'."
            ) from error
    for kind in (int, float):
        try:
            return kind(text)  # what JSON does not write: +3, .5, 1_000
        except ValueError:
            continue
    return text
