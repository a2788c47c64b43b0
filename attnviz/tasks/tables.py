"""A table of one's own: a column of texts and a column of labels."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from attnviz.tasks.base import TextSplit, TextTask, join_groups, split_groups

__all__ = ["load_table"]


def load_table(
    path: Path | str,
    *,
    text: str,
    label: str,
    group: str | None = None,
    validation_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
) -> TextTask:
    """Reads texts to classify from a CSV or TSV file.

    Identical texts, and rows of one group, never stand in two splits. Text is taken as it is.

    Arguments:
        path: The file; tabs separate columns in `.tsv`, commas elsewhere. UTF-8.
        text: The column of texts.
        label: The column of labels; each different value is a class.
        group: A column of what belongs together, such as an author or a film.
        validation_share: How much to split off to choose a model on.
        test_share: How much to split off to score it on, once.
        seed: Another one draws other rows.

    Returns:
        The splits `train`, `validation` and `test`; ids are the row numbers, counted from 1.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no table, lacks a column, a text or a label, or has only one class.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no table {path}.")
    table = _columns(path, [text, label, *([group] if group else [])])
    for column in (text, label):
        empty = np.flatnonzero(table[column].str.strip() == "")
        if len(empty):
            raise ValueError(
                f"{path} needs a value in column {column!r} of every row, but {len(empty)} have "
                f"none, first row {empty[0] + 1}."
            )
    classes = sorted(set(table[label]))
    if len(classes) < 2:
        raise ValueError(
            f"{path} needs at least two classes in column {label!r}, but every row has {classes[0]!r}."
        )
    whole = TextSplit(
        tuple(f"row {row + 1}" for row in range(len(table))),
        tuple(table[text]),
        np.array([classes.index(value) for value in table[label]], dtype=np.int64),
        tuple(table[group]) if group else tuple(str(row) for row in range(len(table))),
    )
    splits = _divided(whole, validation_share, test_share, seed, classes)
    digest = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    about = {"source": path.name, "md5": digest, "terms": "the user's own"}
    return TextTask(path.stem, tuple(classes), splits, about)


def _columns(path: Path, wanted: list[str]) -> pd.DataFrame:
    separator = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        table = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a table that can be read: {error}") from error
    if missing := [name for name in wanted if name not in table.columns]:
        raise ValueError(f"{path} has no column {missing[0]!r}; it has {list(table.columns)}.")
    return table


def _divided(
    whole: TextSplit, validation_share: float, test_share: float, seed: int, classes: list[str]
) -> dict[str, TextSplit]:
    numbers = join_groups(whole.groups, whole.texts)
    rest, test = split_groups(numbers, test_share, seed=seed)
    inner = pd.factorize(np.array([numbers[row] for row in rest]))[0].tolist()
    share = validation_share / (1 - test_share)
    train, validation = split_groups(inner, share, seed=seed + 1)
    splits = {
        "train": whole.select([rest[row] for row in train]),
        "validation": whole.select([rest[row] for row in validation]),
        "test": whole.select(test),
    }
    seen = set(splits["train"].labels.tolist())
    if unseen := [name for number, name in enumerate(classes) if number not in seen]:
        raise ValueError(
            f"No text of class {unseen[0]!r} is left for training: its texts are few or all in one "
            "group. Give more of them, or another seed."
        )
    return splits
