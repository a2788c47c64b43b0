"""The Large Movie Review Dataset: 50,000 reviews, half of them for the test.

References:
    Learning Word Vectors for Sentiment Analysis (Maas et al., 2011),
    https://aclanthology.org/P11-1015. Departs from the published splits in that the reviews
    that stand in both leave training, and in that a validation split is drawn by movie.
"""

import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attnviz.tasks.base import TextSplit, TextTask
from attnviz.tasks.sources import SOURCES, DamagedDataError, locate, verified
from attnviz.tasks.splitting import join_groups, split_by_group

__all__ = ["load_imdb"]

CLASSES = ("negative", "positive")
_FOLDERS = ("neg", "pos")
_RATINGS = (range(1, 5), range(7, 11))
_REVIEW = re.compile(r"(?:\./)?aclImdb/((?:train|test)/(?:neg|pos))/([0-9]{1,6})_([0-9]{1,2})\.txt")
_ADDRESSES = re.compile(r"(?:\./)?aclImdb/(train|test)/urls_(neg|pos)\.txt")
_MOVIE = re.compile(r"/title/(tt[0-9]+)")


@dataclass(frozen=True)
class _Review:
    id: str
    text: str
    label: int
    movie: str


def load_imdb(
    data: Path | str | None = None, *, validation_share: float = 0.1, seed: int = 0
) -> TextTask:
    """Reads the reviews and their splits, straight from the published archive.

    Validation is drawn from the training half by movie, since a movie has up to 30 reviews;
    movies that share a text word for word count as one. Reviews whose text is also in the test
    half leave training. Ids are like `test/pos/127_10` (number and rating), groups are the
    movies' IMDB names; each split stands in the order label, number.

    Arguments:
        data: The archive, the unpacked folder `aclImdb`, or a folder that holds either; see
            `attnviz.tasks.sources.locate` for where else it is looked for.
        validation_share: The share of the training reviews of each class for validation.
        seed: Of the validation split. A change makes runs incomparable.

    Raises:
        DataNotFoundError: If the data is not here and cannot be downloaded.
        DamagedDataError: If reviews are missing, unreadable or where they should not be.
    """
    path = locate("imdb", data)
    # Nothing is unpacked: members are only ever read, so their names can lead nowhere.
    files = _files_of_folder(path) if path.is_dir() else _files_of_archive(path)
    reviews = _reviews(files, path)
    train, test = ([r for r in reviews if r.id.startswith(half)] for half in ("train", "test"))

    tested = {review.text for review in test}
    kept = [review for review in train if review.text not in tested]
    labels = np.array([review.label for review in kept], dtype=np.int64)
    groups = join_groups([review.movie for review in kept], [review.text for review in kept])
    in_validation = split_by_group(groups, labels, [validation_share], seed=seed) == 1

    training = _split(kept)
    splits = {
        "train": training.select(np.flatnonzero(~in_validation)),
        "validation": training.select(np.flatnonzero(in_validation)),
        "test": _split(test),
    }
    archive = None if path.is_dir() else verified(path, SOURCES["imdb"])
    provenance: dict[str, str | int | float | None] = {
        "source": SOURCES["imdb"].url,
        "terms": SOURCES["imdb"].terms,
        "file": archive.file if archive else path.name,
        "md5": archive.digest if archive else None,
        "left_out_of_training": len(train) - len(kept),
        "texts_in_both_halves": len({review.text for review in train} & tested),
        "training_groups": len(set(groups)),
        "validation_share": validation_share,
        "split_seed": seed,
    }
    return TextTask("imdb", CLASSES, splits, provenance)


def _split(reviews: list[_Review]) -> TextSplit:
    return TextSplit(
        ids=tuple(review.id for review in reviews),
        texts=tuple(review.text for review in reviews),
        labels=np.array([review.label for review in reviews], dtype=np.int64),
        groups=tuple(review.movie for review in reviews),
    )


def _files_of_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    try:
        with tarfile.open(path, "r|gz") as archive:
            for member in archive:
                if not (_REVIEW.fullmatch(member.name) or _ADDRESSES.fullmatch(member.name)):
                    continue
                content = archive.extractfile(member) if member.isfile() else None
                if content is not None:
                    yield member.name, content.read()
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DamagedDataError(_damaged(path, f"it cannot be read to its end ({error})")) from error


def _files_of_folder(path: Path) -> Iterator[tuple[str, bytes]]:
    for half in ("test", "train"):
        for folder in _FOLDERS:
            for file in [
                *sorted((path / half / folder).glob("*.txt")),
                path / half / f"urls_{folder}.txt",
            ]:
                if file.is_file():
                    yield f"aclImdb/{file.relative_to(path).as_posix()}", file.read_bytes()


def _reviews(files: Iterator[tuple[str, bytes]], path: Path) -> list[_Review]:
    """All reviews in the order half, label, number, each with its movie."""
    texts: dict[str, dict[int, tuple[str, str]]] = {}
    movies: dict[str, list[str]] = {}
    for name, content in files:
        try:
            text = content.decode("utf-8")
        except UnicodeDecodeError as error:
            raise DamagedDataError(_damaged(path, f"{name} is not UTF-8 ({error})")) from error
        if address := _ADDRESSES.fullmatch(name):
            movies["/".join(address.groups())] = _movies(text)
        elif review := _REVIEW.fullmatch(name):
            folder, number, rating = review.groups()
            found = texts.setdefault(folder, {})
            if int(number) in found:
                raise DamagedDataError(_damaged(path, f"{folder} has review {number} twice"))
            found[int(number)] = (f"{folder}/{number}_{rating}", text)
    folders = [f"{half}/{folder}" for half in ("test", "train") for folder in _FOLDERS]
    return [
        review
        for folder in folders
        for review in _reviews_of(folder, texts.get(folder, {}), movies.get(folder), path)
    ]


def _reviews_of(
    folder: str, texts: dict[int, tuple[str, str]], movies: list[str] | None, path: Path
) -> Iterator[_Review]:
    half, name = folder.split("/")
    if movies is None:
        raise DamagedDataError(_damaged(path, f"{half}/urls_{name}.txt is missing"))
    if not texts or sorted(texts) != list(range(len(movies))):
        expected = f"one review for each of the {len(movies)} lines of {half}/urls_{name}.txt"
        raise DamagedDataError(_damaged(path, f"{folder} has {len(texts)} reviews, not {expected}"))
    label = _FOLDERS.index(name)
    for number in range(len(movies)):
        id, text = texts[number]
        rating = int(id.rpartition("_")[2])
        if rating not in _RATINGS[label]:
            allowed = f"{_RATINGS[label].start} to {_RATINGS[label].stop - 1}"
            reason = f"{id} has rating {rating}, but ratings in {name} are {allowed}"
            raise DamagedDataError(_damaged(path, reason))
        yield _Review(id, text, label, movies[number])


def _movies(addresses: str) -> list[str]:
    found = ((_MOVIE.search(line), line) for line in addresses.splitlines())
    return [match.group(1) if match else line for match, line in found]


def _damaged(path: Path, reason: str) -> str:
    return (
        f"{path} is not the complete Large Movie Review Dataset: {reason}. Delete it and get it "
        f"again from {SOURCES['imdb'].url}"
    )
