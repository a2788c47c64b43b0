"""The history of a training: what each epoch scored, which was best, and whether it is over."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from attnviz.files import replacing
from attnviz.training.recipe import Recipe

__all__ = ["Row", "finished", "rank", "write_history"]

Row = dict[str, float | int]  # one epoch


def rank(row: Row) -> float:
    """By what the best epoch is chosen: accuracy where there is one, else the smallest loss.

    One whose loss is NaN, or infinite where that decides, is below all others and never chosen.
    """
    if math.isnan(row["validation_loss"]):
        return -math.inf
    return row.get("validation_accuracy", -row["validation_loss"])


def finished(history: Sequence[Row], recipe: Recipe) -> bool:
    """Whether a training is over: all epochs are done, or too many since the best one."""
    if len(history) >= recipe.epochs:
        return True
    if recipe.patience is None or not history:
        return False
    best = max(range(len(history)), key=lambda number: rank(history[number]))
    return len(history) - 1 - best >= recipe.patience


def write_history(path: Path, history: list[Row]) -> None:
    """Writes the epochs as CSV."""
    if not history:
        return
    with replacing(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)
