"""Which edits are chosen in the explorer, and whether a cell knows them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from attnviz.explorer.panels import Switches

__all__ = ["Edits"]


@dataclass(frozen=True)
class Edits:
    """What of attention is changed, at all timesteps.

    Arguments:
        lags: Lags that are switched off: their weights are 0.
        heads: Heads that are switched off: all their weights are 0.
        uniform: Give all sources that can be reached the same weight first.
    """

    lags: tuple[int, ...] = ()
    heads: tuple[int, ...] = ()
    uniform: bool = False

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return bool(self.lags or self.heads or self.uniform)

    @staticmethod
    def of(given: Mapping[str, object]) -> "Edits":
        """The edits that a dictionary describes, such as `{"lags": [3]}`.

        Raises:
            ValueError: If it holds something else.
        """
        unknown = sorted(set(given) - {"lags", "heads", "uniform"})
        if unknown:
            raise ValueError(f"edits knows 'lags', 'heads' and 'uniform', but got {unknown}.")
        uniform = given.get("uniform", False)
        if not isinstance(uniform, bool):
            raise ValueError(f"edits['uniform'] is true or false, but got {uniform!r}.")
        return Edits(_numbers(given, "lags"), _numbers(given, "heads"), uniform)

    def told(self) -> dict[str, object]:
        """The dictionary that describes them."""
        return {"lags": list(self.lags), "heads": list(self.heads), "uniform": self.uniform}

    @property
    def label(self) -> str:
        """What is changed, in words."""
        parts = ["uniform attention"] if self.uniform else []
        parts += [f"{_counted('lag', self.lags)} off"] if self.lags else []
        parts += [f"{_counted('head', self.heads)} off"] if self.heads else []
        return ", ".join(parts) or "unedited"

    def within(self, switches: Switches | None) -> "Edits":
        """The part of the edits that a cell knows: another cell may have other lags."""
        if switches is None:
            return Edits()
        return Edits(
            tuple(lag for lag in self.lags if lag in switches.lags),
            tuple(head for head in self.heads if 0 <= head < switches.heads and switches.lags),
            self.uniform,
        )

    def check(self, switches: Sequence[Switches | None]) -> "Edits":
        """The edits themselves, if at least one cell knows each.

        Raises:
            ValueError: If no cell has such a lag or head.
        """
        known = [one for one in switches if one is not None]
        if self.uniform and not known:
            raise ValueError("None of the cells shown here has attention to be made uniform.")
        lags = {lag for one in known for lag in one.lags}
        heads = {head for one in known if one.lags for head in range(one.heads)}
        for name, wanted, there in (("lag", self.lags, lags), ("head", self.heads, heads)):
            missing = sorted(set(wanted) - there)
            if missing:
                raise ValueError(
                    f"edits switches off {_counted(name, missing)}, but the cells shown here have "
                    f"{sorted(there) or f'no {name}s'}."
                )
        return self


def _numbers(given: Mapping[str, object], name: str) -> tuple[int, ...]:
    values = given.get(name, ())
    if isinstance(values, (list, tuple)) and all(type(value) is int for value in values):
        return tuple(sorted(set(values)))
    raise ValueError(f"edits[{name!r}] is a list of whole numbers, but got {values!r}.")


def _counted(name: str, numbers: Sequence[int]) -> str:
    told = ", ".join(str(number) for number in numbers)
    return f"{name} {told}" if len(numbers) == 1 else f"{name}s {told}"
