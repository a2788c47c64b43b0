"""What the cells' papers print for the test split of a study's task."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Published", "published", "score_to_reach"]

_FILE = Path(__file__).parent / "published.toml"


@dataclass(frozen=True)
class Published:
    """The printed numbers of a task.

    Arguments:
        scores: By cell, in units of our scores: an accuracy is a share, not a percentage.
        printed: By cell, as they are printed.
        source: Where.
    """

    scores: Mapping[str, float]
    printed: Mapping[str, str]
    source: str


def published(study: str) -> Published | None:
    """The numbers printed for the task of a study that is called after it, such as `row-mnist`.

    Arguments:
        study: Its name.

    Returns:
        The numbers; None where none are known.
    """
    found = tomllib.loads(_FILE.read_text("utf-8")).get(study)
    if found is None:
        return None
    unit, source = found.pop("unit"), found.pop("source")
    scale = 0.01 if unit == "%" else 1.0
    return Published(
        scores={cell: number * scale for cell, number in found.items()},
        printed={cell: f"{number:.2f}{' %' if unit else ''}" for cell, number in found.items()},
        source=source,
    )


def score_to_reach(study: str, cell: str) -> float:
    """The number printed for a cell, in units of our scores.

    Arguments:
        study: Its name, by which the number is found.
        cell: Whose number.

    Raises:
        ValueError: If none is known.
    """
    known = published(study)
    if known is None or cell not in known.scores:
        raise ValueError(
            f"{study}: whether {cell} reaches its published number cannot be answered, because "
            "none is known."
        )
    return known.scores[cell]
