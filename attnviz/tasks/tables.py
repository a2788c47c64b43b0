"""A file of one's own: a table with a column of texts, or one text a line."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Bool

from attnviz.tasks.base import TextSplit, TextTask
from attnviz.tasks.splitting import join_groups, split_by_group
from attnviz.text import holds_tokens

__all__ = ["column_names", "load_table", "read_texts"]

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_LINES = ".txt"
_SHOWN = 5


def load_table(
    path: Path | str,
    *,
    text: str,
    label: str,
    id: str | None = None,
    group: str | None = None,
    validation_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
) -> TextTask:
    """Reads texts to classify from a CSV, TSV or parquet file.

    Equal texts and the rows of one group never stand in two splits, and every class has the
    same share of each where the groups allow it. Texts are taken as they are, markup included;
    `NA` and the like are text, not gaps. Rows are counted from 1, below the header.

    Arguments:
        path: The file: `.csv` or `.tsv` in UTF-8, also with `.gz`, or `.parquet`.
        text: The column of texts.
        label: The column of labels; its different values are the classes, numbers in their
            order and anything else in code point order.
        id: A column that names each row; `row 1`, `row 2`, ... if not given.
        group: A column of what belongs together, such as an author or a film.
        validation_share: The share of the rows to choose a model on.
        test_share: The share of the rows to score it on, once.
        seed: Another one draws other rows.

    Returns:
        The splits `train`, `validation` and `test`, each in the order of the rows.

    Raises:
        FileNotFoundError: If there is no such file.
        ModuleNotFoundError: If reading parquet needs a package that is missing.
        ValueError: If it is no table, lacks a column, has rows without text, label, id or
            group, an id twice, a single class, labels that differ only in blanks, a column twice,
            or groups too large to split.
    """
    path = Path(path)
    table = _read(path)
    columns = _columns(table, path, {"text": text, "label": label, "id": id, "group": group})
    silent = ~columns["text"].map(holds_tokens).to_numpy(dtype=bool)
    _refuse_rows(silent, path, f"no word in column {text!r}")
    classes = _classes(columns["label"], path)
    rows = [f"row {row}" for row in range(1, len(table) + 1)]
    ids = list(columns["id"]) if "id" in columns else rows
    repeated = pd.Series(ids).duplicated(keep=False).to_numpy()
    _refuse_rows(repeated, path, f"the id of another row in column {id!r}")

    texts = list(columns["text"])
    labels = columns["label"].map(classes.index).to_numpy(dtype=np.int64)
    groups = list(columns["group"]) if "group" in columns else rows
    shares = [validation_share, test_share]
    drawn = split_by_group(join_groups(groups, texts), labels, shares, seed=seed)
    whole = TextSplit(tuple(ids), tuple(texts), labels, tuple(groups))
    splits = {
        name: whole.select(np.flatnonzero(drawn == number))
        for number, name in enumerate(("train", "validation", "test"))
    }
    provenance: dict[str, str | int | float | None] = {
        "file": path.name,
        "md5": hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(),
        "terms": "the user's own",
        "repeated_texts": len(texts) - len(set(texts)),
        "validation_share": validation_share,
        "test_share": test_share,
        "split_seed": seed,
    }
    return TextTask(path.name.split(".")[0], tuple(classes), splits, provenance)


def read_texts(
    path: Path | str,
    *,
    text: str | None = None,
    label: str | None = None,
    classes: Sequence[str] | None = None,
) -> TextSplit:
    """Reads all texts of a file, to be recorded or measured: none is set apart.

    Arguments:
        path: A table, as `load_table` takes it, or `.txt` in UTF-8: a text a line, empty lines
            left out.
        text: The table's column of texts; not for `.txt`.
        label: Its column of labels; −1 for all if not given.
        classes: What labels are to be, in the order of their numbers, such as a model's classes;
            the different values in the order of `load_table` if not given.

    Returns:
        The texts in the order of the rows, called `row 1`, ..., or `line 1`, ...

    Raises:
        FileNotFoundError: If there is no such file.
        ModuleNotFoundError: If reading parquet needs a package that is missing.
        ValueError: If it cannot be read, a column is not named, not there or there twice, a row
            lacks a text or a label, or a label is none of `classes` or, without these, differs
            from another only in blanks.
    """
    path = Path(path)
    if path.suffix.lower() == _LINES:
        return _lines(path, text, label)
    table = _read(path)
    if text is None:
        raise ValueError(f"{path} needs the name of its column of texts; it has {_names(table)}.")
    columns = _columns(table, path, {"text": text, "label": label})
    silent = ~columns["text"].map(holds_tokens).to_numpy(dtype=bool)
    _refuse_rows(silent, path, f"no word in column {text!r}")
    labels = np.full(len(table), -1)
    if label is not None:
        found = columns["label"]
        known = _classes(found, path) if classes is None else _known(found, classes, path)
        labels = found.map(known.index).to_numpy(dtype=np.int64)
    rows = tuple(f"row {row}" for row in range(1, len(table) + 1))
    return TextSplit(rows, tuple(columns["text"]), labels, rows)


def column_names(path: Path | str) -> list[str]:
    """What the columns of a table are called.

    Raises:
        FileNotFoundError: If there is no such file.
        ModuleNotFoundError: If reading parquet needs a package that is missing.
        ValueError: If it is no table.
    """
    return _names(_read(Path(path)))


def _names(table: pd.DataFrame) -> list[str]:
    return [str(column) for column in table.columns]


def _lines(path: Path, text: str | None, label: str | None) -> TextSplit:
    if text is not None or label is not None:
        raise ValueError(
            f"{path} has a text a line and no columns, but the column {text or label!r} was asked "
            "for. Leave it out, or save the texts as CSV."
        )
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error}") from error
    held = {f"line {n}": line.strip() for n, line in enumerate(lines, 1) if line.strip()}
    if not held:
        raise ValueError(f"{path} is empty: it needs a text in a line.")
    for name, line in held.items():
        if not holds_tokens(line):
            raise ValueError(f"{path}: {name} needs a word, but is {line!r}. Remove or mend it.")
    names = tuple(held)
    return TextSplit(names, tuple(held.values()), np.full(len(held), -1), names)


def _read(path: Path) -> pd.DataFrame:
    kind = Path(path.name.removesuffix(".gz")).suffix.lower()
    if kind not in (*_SEPARATORS, ".parquet"):
        raise ValueError(
            f"A table is read from .csv, .tsv (also with .gz) or .parquet, but got {path.name}."
        )
    if not path.is_file():
        raise FileNotFoundError(f"There is no table {path}.")
    try:
        if kind == ".parquet":
            return pd.read_parquet(path)
        table = _cells(path, _SEPARATORS[kind])
        header = _cells(path, _SEPARATORS[kind], header=None, nrows=1).iloc[0]
    except ImportError as error:
        raise ModuleNotFoundError(
            f"Reading {path} needs pyarrow: pip install pyarrow, or save the table as CSV."
        ) from error
    except (ValueError, OSError, EOFError) as error:  # what parsers and decoders raise
        raise ValueError(f"{path} is not a table that can be read: {error}") from error
    if not isinstance(table.index, pd.RangeIndex):  # pandas took surplus cells for an index
        raise ValueError(
            f"{path} has more cells in its rows than its header names: {list(table.columns)}. "
            "A text that holds the separator must stand in quotes."
        )
    # The second of two columns of one name would come as `name.1`, and nobody would know.
    table.columns = [own or given for own, given in zip(header, table.columns, strict=True)]
    return table


def _cells(
    path: Path, separator: str, *, header: int | None = 0, nrows: int | None = None
) -> pd.DataFrame:
    """As pandas reads them, all as text."""
    return pd.read_csv(
        path, sep=separator, header=header, nrows=nrows, dtype=str, keep_default_na=False,
        encoding="utf-8-sig",
    )  # fmt: skip


def _columns(
    table: pd.DataFrame, path: Path, wanted: Mapping[str, str | None]
) -> dict[str, "pd.Series[str]"]:
    """The columns by what they are for, as strings without gaps."""
    columns = {}
    for role, name in wanted.items():
        if name is None:
            continue
        if name not in table.columns:
            raise ValueError(
                f"The table needs a column {name!r} for {role}, but {path} has "
                f"{[str(column) for column in table.columns]}."
            )
        if (count := list(table.columns).count(name)) > 1:
            raise ValueError(
                f"{path} has {count} columns {name!r}, so that the one for {role} is not clear. "
                "Give each a name of its own."
            )
        values = table[name]
        empty = values.isna() | (values.astype(str).str.strip() == "")
        _refuse_rows(empty.to_numpy(dtype=bool), path, f"nothing in column {name!r}")
        columns[role] = values.astype(str)
    if table.empty:
        raise ValueError(f"{path} has a header but no rows.")
    return columns


def _classes(labels: "pd.Series[str]", path: Path) -> list[str]:
    found = sorted(set(labels))
    spellings = Counter(label.strip() for label in found)
    if alike := [label for label in found if spellings[label.strip()] > 1]:
        shown = ", ".join(map(repr, sorted(alike, key=str.strip)[:_SHOWN]))
        raise ValueError(
            f"{path} has labels in column {labels.name!r} that differ only in the blanks around "
            f"them: {shown}. Each would be a class of its own; write those of one class alike."
        )
    if len(found) < 2:
        raise ValueError(
            f"{path} needs at least two classes in column {labels.name!r}, but every one of its "
            f"{len(labels)} rows has {found[0]!r}."
        )
    if len(found) > max(2, len(labels) / 2):
        raise ValueError(
            f"{path} needs a few classes that come again and again in column {labels.name!r}, but "
            f"its {len(labels)} rows have {len(found)} different labels, such as "
            f"{', '.join(map(repr, found[:3]))}. Name the column that holds the classes; numbers "
            "such as prices would have to be gathered into classes first."
        )
    try:
        return sorted(found, key=float)
    except ValueError:
        return found


def _known(labels: "pd.Series[str]", classes: Sequence[str], path: Path) -> list[str]:
    """The classes, if every label is one of them."""
    if others := sorted(set(labels) - set(classes)):
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        raise ValueError(
            f"{path} has labels in column {labels.name!r} that are none of the classes "
            f"{', '.join(classes)}: {', '.join(map(repr, others[:_SHOWN]))}{more}. Write them as "
            "the classes are called, or read the texts without labels."
        )
    return list(classes)


def _refuse_rows(refused: Bool[np.ndarray, "sequence"], path: Path, reason: str) -> None:
    if refused.any():
        numbers = np.flatnonzero(refused) + 1
        plural = "" if len(numbers) == 1 else "s"
        shown = ", ".join(str(number) for number in numbers[:_SHOWN])
        more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
        raise ValueError(
            f"{path} has {reason} in row{plural} {shown}{more}. Rows count from 1 below the "
            "header; remove or mend them."
        )
