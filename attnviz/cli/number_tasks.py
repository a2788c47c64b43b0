"""The data sets of labelled sequences of numbers, by the names that commands take."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from attnviz.cli.console import busy

if TYPE_CHECKING:
    from attnviz.tasks import LabelledTask

__all__ = ["NUMBER_TASKS", "load_numbers"]


def load_numbers(name: str, data: Path | None, *, fold: int | None = None) -> "LabelledTask":
    """A data set of labelled sequences of numbers.

    Arguments:
        name: One of `NUMBER_TASKS`.
        data: Where it lies, if not where it is looked for.
        fold: Which subjects of HAR are for validation; the first fold if not given.

    Raises:
        ValueError: If the data set has no folds, but one is asked for.
    """
    if fold is not None and name != "har":
        raise ValueError(f"--fold chooses subjects of har, and {name} has none. Leave --fold out.")
    with busy(f"Reading {name}"):
        return NUMBER_TASKS[name](data, fold or 0)


def _har(data: Path | None, fold: int) -> "LabelledTask":
    from attnviz.tasks import load_har

    return load_har(data, fold=fold)


def _row_mnist(data: Path | None, _: int) -> "LabelledTask":
    from attnviz.tasks import load_mnist

    return load_mnist("row", data)


def _pixel_mnist(data: Path | None, _: int) -> "LabelledTask":
    from attnviz.tasks import load_mnist

    return load_mnist("pixel", data)


def _permuted_mnist(data: Path | None, _: int) -> "LabelledTask":
    from attnviz.tasks import load_mnist

    return load_mnist("permuted", data)


def _row_fashion_mnist(data: Path | None, _: int) -> "LabelledTask":
    from attnviz.tasks import load_fashion_mnist

    return load_fashion_mnist("row", data)


NUMBER_TASKS: Mapping[str, Callable[[Path | None, int], "LabelledTask"]] = {
    "har": _har,
    "row-mnist": _row_mnist,
    "pixel-mnist": _pixel_mnist,
    "permuted-mnist": _permuted_mnist,
    "row-fashion-mnist": _row_fashion_mnist,
}
