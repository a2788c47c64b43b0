"""The data sets that tasks know: what each holds, where it is, and whether it is whole."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from attnviz.suggesting import meant
from attnviz.tasks.base import TextTask
from attnviz.tasks.file_sets import locate_files
from attnviz.tasks.har import load_har
from attnviz.tasks.imdb import load_imdb
from attnviz.tasks.labelled import LabelledTask
from attnviz.tasks.mnist import load_fashion_mnist, load_mnist
from attnviz.tasks.ptb import load_ptb
from attnviz.tasks.published import FILE_SETS, Archive, FileSet
from attnviz.tasks.sources import (
    SOURCES,
    DamagedDataError,
    DataNotFoundError,
    Source,
    announce_on_stderr,
    locate,
    verified,
)

__all__ = ["DATASETS", "Dataset", "Verdict", "dataset", "find", "place_of", "verify"]

Counts = dict[str, dict[str, int]]


class _Read(NamedTuple):
    """What reading a data set whole gives: by split and class, by published part, and left out."""

    counts: Counts
    parts: dict[str, int]
    left_out: int = 0


@dataclass(frozen=True)
class Dataset:
    """A data set by its name.

    Arguments:
        name: As commands take it.
        what: It holds, in a sentence.
        published: How many there are in each published part.
        read: Reads it whole, from where it lies; None where it is generated.
        unit: What is counted.
    """

    name: str
    what: str
    published: Mapping[str, int]
    read: Callable[[Path], _Read] | None = None
    unit: str = "sequences"

    @property
    def source(self) -> Source | FileSet | None:
        """Where it is published; None where it is generated."""
        return SOURCES.get(self.name) or FILE_SETS.get(self.name)

    @property
    def files(self) -> tuple[Archive, ...]:
        """The files that are fetched."""
        if isinstance(self.source, Source):
            return self.source.archives[:1]
        return () if self.source is None else self.source.files

    @property
    def size(self) -> int | None:
        """Bytes of these files; None where the publishers do not say, or nothing is fetched."""
        sizes = [file.size for file in self.files if file.size is not None]
        return sum(sizes) if sizes and len(sizes) == len(self.files) else None

    @property
    def terms(self) -> str:
        """What its publishers ask of its users."""
        return "Generated here: no terms." if self.source is None else self.source.terms


@dataclass(frozen=True)
class Verdict:
    """What was found of a data set that is whole.

    Arguments:
        path: Where it lies.
        digests: Of its files, checked; none of an unpacked folder.
        counts: How many there are in each split, by class.
        left_out: Training sequences that are in no split, because their text is in test.
    """

    path: Path
    digests: Mapping[str, str]
    counts: Mapping[str, Mapping[str, int]]
    left_out: int


def _read_imdb(path: Path) -> _Read:
    task = load_imdb(path)
    return _of_classes(task, int(task.provenance["left_out_of_training"] or 0))


def _of_classes(task: TextTask | LabelledTask, left_out: int = 0) -> _Read:
    counts = {
        split: dict(sorted(Counter(task.classes[int(label)] for label in held.labels).items()))
        for split, held in task.splits.items()
    }
    totals = {split: sum(found.values()) for split, found in counts.items()}
    train = totals["train"] + totals["validation"] + left_out
    return _Read(counts, {"train": train, "test": totals["test"]}, left_out)


def _read_ptb(path: Path) -> _Read:
    task = load_ptb(path)
    totals = {split: len(held) for split, held in task.splits.items()}
    return _Read({split: {"words": count} for split, count in totals.items()}, totals)


_IMAGES = {"train": 60_000, "test": 10_000}
DATASETS = {
    one.name: one
    for one in (
        Dataset(
            "imdb", "Reviews of films in English, positive or negative.",
            {"train": 25_000, "test": 25_000}, _read_imdb,
        ),
        Dataset(
            "uci-har", "A phone's motion sensors in six activities: windows of 128 timesteps.",
            {"train": 7_352, "test": 2_947}, lambda path: _of_classes(load_har(path)),
        ),
        Dataset(
            "mnist", "Handwritten digits.", _IMAGES,
            lambda path: _of_classes(load_mnist("row", path)),
        ),
        Dataset(
            "fashion-mnist", "Pictures of clothes.", _IMAGES,
            lambda path: _of_classes(load_fashion_mnist("row", path)),
        ),
        Dataset(
            "ptb", "Penn Treebank: news in English, of 10,000 words.",
            {"train": 929_589, "validation": 73_760, "test": 82_430}, _read_ptb, "words",
        ),
        Dataset(
            "adding",
            "Two marked numbers of a long sequence to remember and add.",
            {},
        ),
    )
}  # fmt: skip


def dataset(name: str) -> Dataset:
    """A data set by its name.

    Raises:
        KeyError: If there is none.
    """
    if name not in DATASETS:
        raise KeyError(
            f"There is no data set {name!r}{meant(name, DATASETS)}; there are "
            f"{', '.join(DATASETS)}."
        )
    return DATASETS[name]


def find(
    name: str,
    data: Path | None = None,
    *,
    download: bool = True,
    announce: Callable[[str], None] = announce_on_stderr,
) -> Path:
    """Where a data set lies, fetched if it is nowhere at hand.

    Arguments:
        name: Of the data set.
        data: Where it lies, if not where it is looked for.
        download: Whether to fetch it.
        announce: Is told the terms and the size before.

    Returns:
        Its archive, its digest checked; or the folder of its files, theirs checked; or an
        unpacked folder.

    Raises:
        KeyError: If there is no such data set, or it is generated.
        DataNotFoundError: If it cannot be had.
        DamagedDataError: If a file is not the published one.
    """
    if dataset(name).source is None:
        raise KeyError(f"{name} is generated when it is needed: it lies nowhere.")
    if name in FILE_SETS:
        found = locate_files(name, data, download=download, announce=announce)
        return next(iter(found.values())).parent
    return locate(name, data, download=download, announce=announce)


def place_of(name: str, data: Path | None = None) -> Path | None:
    """Where a data set lies, or None; nothing is fetched.

    Raises:
        DamagedDataError: If a file is not the published one.
    """
    if dataset(name).source is None:
        return None
    try:
        return find(name, data, download=False)
    except DataNotFoundError:
        return None


def verify(name: str, data: Path | None = None) -> Verdict:
    """Reads a data set whole, and checks its digests and how much it holds.

    Arguments:
        name: Of the data set.
        data: Where it lies, if not where it is looked for.

    Raises:
        KeyError: If there is no such data set, or it is generated.
        DataNotFoundError: If it is not here; nothing is fetched.
        DamagedDataError: If it is not what was published.
    """
    known = dataset(name)
    if known.read is None:
        raise KeyError(f"{name} is generated: there is no file to verify.")
    path = find(name, data, download=False)
    counts, parts, left_out = known.read(path)
    if parts != dict(known.published):
        raise DamagedDataError(
            f"{path} has {parts} {known.unit}, but {dict(known.published)} were published. It may "
            "be cut off or altered: delete it and get it again with attnviz data download "
            f"{name}."
        )
    return Verdict(path, _digests(known, path), counts, left_out)


def _digests(known: Dataset, path: Path) -> dict[str, str]:
    """The digests that were checked, by the name of the file."""
    if isinstance(known.source, FileSet):
        return {file.file: f"{file.algorithm} {file.digest}" for file in known.files}
    if known.source is None or path.is_dir():
        return {}
    archive = verified(path, known.source)
    return {path.name: f"{archive.algorithm} {archive.digest}"}
