"""Human activity from a smartphone's sensors (UCI HAR): windows of 128 timesteps, nine signals.

References:
    A Public Domain Dataset for Human Activity Recognition Using Smartphones (Anguita et al.,
    2013), https://www.esann.org/sites/default/files/proceedings/legacy/es2013-84.pdf. Departs
    from the published splits in that some subjects of the training half are for validation.
"""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64, Shaped

from attnviz.tasks.drawing import drawn_order
from attnviz.tasks.labelled import LabelledSplit, LabelledTask
from attnviz.tasks.sources import SOURCES, DamagedDataError, locate, verified

__all__ = ["load_har"]

CLASSES = (
    "walking", "walking upstairs", "walking downstairs", "sitting", "standing", "laying",
)  # fmt: skip
SIGNALS = tuple(
    f"{signal}_{axis}" for signal in ("body_acc", "body_gyro", "total_acc") for axis in "xyz"
)
LENGTH = 128

_ROOT = "UCI HAR Dataset"
_INNER = f"{_ROOT}.zip"
_SOURCE = "uci-har"

_Read = Callable[[str], bytes]  # the content of a file, by its path below _ROOT


class _Half(NamedTuple):
    """What is published together."""

    values: Float32[np.ndarray, "sequence time feature"]
    labels: Int64[np.ndarray, "sequence"]
    subjects: Int64[np.ndarray, "sequence"]


def load_har(
    data: Path | str | None = None, *, fold: int = 0, folds: int = 7, seed: int = 0
) -> LabelledTask:
    """Reads the windows, straight from the published archive.

    Neighbouring windows overlap by half and a subject moves in its own way, so that windows drawn
    at random for validation would flatter a model. The subjects of the training half are dealt out
    to folds instead, and those of one fold are for validation: with seven folds three of the 21.
    The published test half has nine other subjects.

    Accelerations are in g, total or without gravity (`body`), angular velocities in radians a
    second, at 50 timesteps a second; nothing is rescaled. Ids are like `train/41`, counted from 0
    as published; every split stands in this order. Groups are the subjects.

    Arguments:
        data: The archive, the unpacked folder `UCI HAR Dataset`, or a folder that holds either;
            see `attnviz.tasks.sources.locate` for where else it is looked for.
        fold: Which fold is for validation, from 0.
        folds: How many there are.
        seed: Of the order in which subjects are dealt out. A change makes runs incomparable.

    Raises:
        ValueError: If there is no such fold, or no subject for every fold.
        DataNotFoundError: If the data is not here and cannot be downloaded.
        DamagedDataError: If files are missing, unreadable or do not belong together.
    """
    path = locate(_SOURCE, data)
    train, test = _halves(path)
    in_validation = _in_fold(train.subjects, fold, folds, seed)
    training = _split("train", train)
    splits = {
        "train": training.select(np.flatnonzero(~in_validation)),
        "validation": training.select(np.flatnonzero(in_validation)),
        "test": _split("test", test),
    }
    archive = None if path.is_dir() else verified(path, SOURCES[_SOURCE])
    provenance: dict[str, str | int | float | None] = {
        "source": SOURCES[_SOURCE].url,
        "terms": SOURCES[_SOURCE].terms,
        "file": archive.file if archive else path.name,
        "sha256": archive.digest if archive else None,
        "fold": fold,
        "folds": folds,
        "split_seed": seed,
        "validation_subjects": ", ".join(map(str, sorted(set(train.subjects[in_validation])))),
    }
    return LabelledTask("har", CLASSES, SIGNALS, splits, provenance)


def _in_fold(
    subjects: Int64[np.ndarray, "sequence"], fold: int, folds: int, seed: int
) -> Bool[np.ndarray, "sequence"]:
    """Which windows are of the fold's subjects, dealt out one by one in a drawn order."""
    numbers = np.unique(subjects)
    if not 2 <= folds <= len(numbers):
        raise ValueError(
            f"Folds are of whole subjects: there are {len(numbers)} to train on, so there can be 2 "
            f"to {len(numbers)} folds, but got {folds}."
        )
    if not 0 <= fold < folds:
        raise ValueError(f"There are folds 0 to {folds - 1}, but got {fold}.")
    dealt = numbers[drawn_order(len(numbers), seed=seed)]
    return np.isin(subjects, dealt[fold::folds])


def _split(name: str, half: _Half) -> LabelledSplit:
    ids = tuple(f"{name}/{number}" for number in range(len(half.labels)))
    return LabelledSplit(half.values, half.labels, ids, half.subjects)


def _halves(path: Path) -> tuple[_Half, _Half]:
    """The published training and test half; nothing is unpacked."""
    try:
        with _opened(path) as read:
            train, test = _half("train", read, path), _half("test", read, path)
    except KeyError as error:  # zipfile's word for a member that is not there
        raise DamagedDataError(_damaged(path, str(error.args[0]))) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        reason = f"it cannot be read to its end ({type(error).__name__}: {error})"
        raise DamagedDataError(_damaged(path, reason)) from error
    if shared := set(train.subjects.tolist()) & set(test.subjects.tolist()):
        raise DamagedDataError(_damaged(path, f"subjects {sorted(shared)} are in both halves"))
    return train, test


@contextmanager
def _opened(path: Path) -> Iterator[_Read]:
    """How to read a file of the data set while it is open."""
    if path.is_dir():
        yield lambda name: (path / name).read_bytes()
        return
    with ExitStack() as open_files:
        archive = open_files.enter_context(zipfile.ZipFile(path))
        if _INNER in archive.namelist():  # the file at UCI holds the data set as a zip of its own
            inner = io.BytesIO(archive.read(_INNER))
            archive = open_files.enter_context(zipfile.ZipFile(inner))
        yield lambda name: archive.read(f"{_ROOT}/{name}")


def _half(name: str, read: _Read, path: Path) -> _Half:
    """Windows, classes and subjects of a half, one row of each a window."""
    labels = _table(f"{name}/y_{name}.txt", 1, np.int64, read, path)[:, 0]
    subjects = _table(f"{name}/subject_{name}.txt", 1, np.int64, read, path)[:, 0]
    values = np.empty((len(labels), LENGTH, len(SIGNALS)), dtype=np.float32)
    files = [f"{name}/Inertial Signals/{signal}_{name}.txt" for signal in SIGNALS]
    if len(subjects) != len(labels):
        reason = f"{name} has {len(labels)} labels but {len(subjects)} subjects"
        raise DamagedDataError(_damaged(path, reason))
    for number, file in enumerate(files):
        table = _table(file, LENGTH, np.float32, read, path)
        if len(table) != len(labels):
            reason = f"{file} has {len(table)} windows, not one for each of {len(labels)} labels"
            raise DamagedDataError(_damaged(path, reason))
        values[:, :, number] = table
    if not np.isin(labels, np.arange(1, len(CLASSES) + 1)).all():
        reason = f"{name} has labels {labels.min()} to {labels.max()}, not 1 to {len(CLASSES)}"
        raise DamagedDataError(_damaged(path, reason))
    return _Half(values, labels - 1, subjects)


def _table(
    name: str, columns: int, kind: type[np.generic], read: _Read, path: Path
) -> Shaped[np.ndarray, "sequence column"]:
    content = read(name)
    try:
        if not content.strip():
            raise ValueError("it is empty")
        table = np.loadtxt(io.BytesIO(content), dtype=kind, ndmin=2, encoding="ascii")
    except ValueError as error:  # what decoders raise, too
        reason = f"{name} is no table of numbers ({error})"
        raise DamagedDataError(_damaged(path, reason)) from error
    if table.shape[1] != columns or not np.isfinite(table).all():
        what = "number" if columns == 1 else "numbers"
        reason = f"{name} needs {columns} {what} a line, all of them finite"
        raise DamagedDataError(_damaged(path, f"{reason}; its lines have {table.shape[1]}"))
    return table


def _damaged(path: Path, reason: str) -> str:
    return (
        f"{path} is not the complete data set UCI HAR: {reason}. Delete it and get it again from "
        f"{SOURCES[_SOURCE].url}"
    )
