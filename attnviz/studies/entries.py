"""Tables of a TOML file, of which every key has to be taken and every type is checked."""

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin

__all__ = ["NONE", "Entries", "EntryError", "fits", "kinds_of"]

NONE = "none"  # how a file says it, where a field may be None

_KINDS = {
    int: "a whole number", float: "a number", str: "a text", bool: "true or false",
    list: "a list", dict: "a table",
}  # fmt: skip
T = TypeVar("T")


def fits(value: object, hint: Any) -> bool:  # noqa: ANN401  (any annotation)
    """Whether a value that TOML can say is of an annotated type; a dataclass is said as a table."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, list) and all(fits(one, get_args(hint)[0]) for one in value)
    if get_args(hint):
        return any(fits(value, one) for one in get_args(hint))
    if hint is type(None):
        return value == NONE
    if hint is float:
        return type(value) in (int, float)
    if hint in (int, str, bool):
        return type(value) is hint
    return is_dataclass(hint) and isinstance(value, dict)


def kinds_of(hint: Any) -> str:  # noqa: ANN401  (any annotation)
    """What TOML can say of an annotated type, for messages."""
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    if get_origin(hint) is tuple:
        return _KINDS[list]
    if is_dataclass(hint):
        return _KINDS[dict]
    if get_args(hint):
        kinds = [kinds_of(one) for one in get_args(hint)]
        return " or ".join(one for one in kinds if one) or str(hint)
    return repr(NONE) if hint is type(None) else _KINDS.get(hint, "")  # a file has no others


class EntryError(ValueError):
    """What is wrong with a table, before it is known which file it is of."""


class Entries:
    """One table of the file; every key has to be taken.

    Arguments:
        entries: What it holds.
        name: Of the table, for messages.
    """

    def __init__(self, entries: Mapping[str, Any], name: str) -> None:
        self.entries, self.name = dict(entries), name

    def take(self, key: str, kind: type[T], default: T | None = None) -> T:
        """One value, gone from the table."""
        if key not in self.entries:
            if default is None:
                raise EntryError(f"{self.of(key)} is missing; it is {_KINDS[kind]}.")
            return default
        value = self.entries.pop(key)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise EntryError(f"{self.of(key)} has to be {_KINDS[kind]}, got {value!r}.")
        return value

    def count(self, key: str, default: int | None = None) -> int:
        """A whole number above 0."""
        if (number := self.take(key, int, default)) < 1:
            raise EntryError(f"{self.of(key)} has to be at least 1, got {number}.")
        return number

    def table(self, key: str) -> "Entries":
        """A table in it; an empty one where there is none."""
        return Entries(self.take(key, dict, {}), self.of(key))

    def one_of(self, key: str, known: Sequence[str], default: str | None = None) -> Any:  # noqa: ANN401
        """One of several words."""
        return self._known(key, self.take(key, str, default), known)

    def several(self, key: str, known: Sequence[str], default: list[Any] | None = None) -> Any:  # noqa: ANN401
        """Some of several words, none twice."""
        return self.different(key, [
            self._known(key, one, known) for one in self.take(key, list, default)
        ])  # fmt: skip

    def done(self) -> None:
        """Refuses what nobody took."""
        if self.entries:
            where = f"in [{self.name}]" if self.name else "at the top"
            raise EntryError(f"{', '.join(sorted(self.entries))} {where} means nothing here.")

    def different(self, key: str, values: list[T]) -> tuple[T, ...]:
        """Values of which none is there twice."""
        if len(set(values)) < len(values):
            raise EntryError(f"{self.of(key)} holds something twice: {values}.")
        return tuple(values)

    def of(self, key: str) -> str:
        """What a key of it is called in messages."""
        return f"{self.name}.{key}" if self.name else key

    def _known(self, key: str, word: object, known: Sequence[str]) -> str:
        if not isinstance(word, str) or word not in known:
            raise EntryError(f"{self.of(key)} can be {', '.join(known)}, got {word!r}.")
        return word
