"""The data sets that tasks know: what each holds, where it is, and whether it is whole."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from attnviz.tasks.imdb import load_imdb
from attnviz.tasks.sources import (
    SOURCES,
    DamagedDataError,
    DataNotFoundError,
    Source,
    locate,
    verified,
)

__all__ = ["DATASETS", "Dataset", "Verdict", "dataset", "place_of", "verify"]


@dataclass(frozen=True)
class Dataset:
    """A data set by its name.

    Arguments:
        name: As commands take it.
        what: It holds, in a sentence.
        published: Sequences in each published half.
    """

    name: str
    what: str
    published: Mapping[str, int]

    @property
    def source(self) -> Source | None:
        """Where it is published; None where it is generated."""
        return SOURCES.get(self.name)

    @property
    def terms(self) -> str:
        """What its publishers ask of its users."""
        return "Generated here: no terms." if self.source is None else self.source.terms


@dataclass(frozen=True)
class Verdict:
    """What was found of a data set that is whole.

    Arguments:
        path: Where it lies.
        md5: The digest of its archive, checked; None of an unpacked folder.
        counts: Sequences in each split, by class.
        left_out: Training sequences that are in no split, because their text is in test.
    """

    path: Path
    md5: str | None
    counts: Mapping[str, Mapping[str, int]]
    left_out: int


DATASETS = {
    "imdb": Dataset(
        "imdb",
        "Large Movie Review Dataset: reviews in English, positive or negative.",
        {"train": 25_000, "test": 25_000},
    ),
    "adding": Dataset(
        "adding",
        "Two marked numbers of a long sequence to remember and add; drawn anew at every step.",
        {},
    ),
}


def dataset(name: str) -> Dataset:
    """A data set by its name.

    Raises:
        KeyError: If there is none.
    """
    if name not in DATASETS:
        raise KeyError(f"There is no data set {name!r}; there are {', '.join(DATASETS)}.")
    return DATASETS[name]


def place_of(name: str, data: Path | None = None) -> Path | None:
    """Where a data set lies, or None; nothing is fetched.

    Raises:
        DamagedDataError: If an archive is not the published one.
    """
    if dataset(name).source is None:
        return None
    try:
        return locate(name, data, download=False)
    except DataNotFoundError:
        return None


def verify(name: str, data: Path | None = None) -> Verdict:
    """Reads a data set whole, and checks its digest and how many sequences it has.

    Arguments:
        name: Of the data set.
        data: Where it lies, if not where it is looked for.

    Raises:
        KeyError: If there is no such data set, or it is generated.
        DataNotFoundError: If it is not here; nothing is fetched.
        DamagedDataError: If it is not what was published.
    """
    known = dataset(name)
    if known.source is None:
        raise KeyError(f"{name} is generated: there is no file to verify.")
    path = locate(name, data, download=False)
    task = load_imdb(path)
    counts = {
        split: dict(sorted(Counter(task.classes[int(label)] for label in held.labels).items()))
        for split, held in task.splits.items()
    }
    left_out = int(task.provenance["left_out_of_training"] or 0)
    totals = {split: sum(found.values()) for split, found in counts.items()}
    halves = {"train": totals["train"] + totals["validation"] + left_out, "test": totals["test"]}
    if halves != dict(known.published):
        raise DamagedDataError(
            f"{path} has {halves} sequences, but {dict(known.published)} were published. It may be "
            f"cut off or altered: delete it and get it again with attnviz data download {name}."
        )
    md5 = None if path.is_dir() else verified(path, known.source).digest
    return Verdict(path, md5, counts, left_out)
