"""IMDB: 50,000 film reviews, positive or negative, read from the archive as it is published."""

import re
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from attnviz.tasks.base import TextSplit, TextTask, join_groups, split_groups
from attnviz.tasks.sources import IMDB, check_archive, locate

__all__ = ["load_imdb"]

CLASSES = ("negative", "positive")
FOLDERS = {"neg": 0, "pos": 1}
REVIEW = re.compile(r"aclImdb/(train|test)/(neg|pos)/(\d+)_(\d+)\.txt")
MOVIES = re.compile(r"aclImdb/(train|test)/urls_(neg|pos)\.txt")

Part = tuple[str, str]  # split and class, such as ("train", "pos")


def load_imdb(
    data: Path | str | None = None, *, validation_share: float = 0.1, seed: int = 0
) -> TextTask:
    """Reads the labelled reviews, with a validation split that shares no film with training.

    Films have up to 30 reviews, so a split by reviews would leak. Films that share an identical
    text count as one, and texts that stand in the test split leave training and validation.

    References:
        Learning Word Vectors for Sentiment Analysis (Maas et al., 2011),
        https://aclanthology.org/P11-1015

    Arguments:
        data: The data folder, the archive, or the unpacked folder; looked for if not given.
        validation_share: How much of the training reviews to split off.
        seed: Another one draws other films.

    Returns:
        The splits `train`, `validation` and `test`, negative (0) before positive (1), by number.

    Raises:
        FileNotFoundError: If the data is nowhere and cannot be fetched.
        ValueError: If the archive is another file, damaged or incomplete.
    """
    path = locate(IMDB, data)
    digest = "unpacked folder" if path.is_dir() else check_archive(IMDB, path)
    reviews, movies = _read(path)
    published = {split: _split(split, reviews, movies, path) for split in ("train", "test")}
    return _divided(published, path, digest, validation_share, seed)


def _divided(
    published: dict[str, TextSplit], path: Path, digest: str, share: float, seed: int
) -> TextTask:
    """Takes test texts out of training and splits off validation."""
    test_texts = set(published["test"].texts)
    training = published["train"]
    kept = [row for row, text in enumerate(training.texts) if text not in test_texts]
    clean = training.select(kept)
    rest, drawn = split_groups(join_groups(clean.groups, clean.texts), share, seed=seed)
    return TextTask(
        "imdb",
        CLASSES,
        {
            "train": clean.select(rest),
            "validation": clean.select(drawn),
            "test": published["test"],
        },
        {
            "source": path.name,
            "md5": digest,
            "left_out": f"{len(training) - len(clean)} training reviews whose text is in test",
            "validation": f"share {share:g} by film, seed {seed}",
            "terms": IMDB.terms,
        },
    )


def _read(path: Path) -> tuple[dict[Part, dict[int, tuple[str, str]]], dict[Part, list[str]]]:
    """Every review by split, class and number, and the film of each number."""
    reviews: dict[Part, dict[int, tuple[str, str]]] = {}
    movies: dict[Part, list[str]] = {}
    try:
        for name, content in _files(path):
            if match := REVIEW.fullmatch(name):
                split, folder, number, rating = match.groups()
                text = content.decode("utf-8")
                reviews.setdefault((split, folder), {})[int(number)] = (text, rating)
            elif match := MOVIES.fullmatch(name):
                split, folder = match.groups()
                movies[split, folder] = content.decode("utf-8").split()
    except (tarfile.TarError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is damaged ({error}). Fetch it again from {IMDB.address}."
        ) from error
    return reviews, movies


def _files(path: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of the files that matter; nothing is written to disk."""
    if path.is_dir():
        for file in sorted(path.rglob("*.txt")):
            name = f"aclImdb/{file.relative_to(path).as_posix()}"
            if REVIEW.fullmatch(name) or MOVIES.fullmatch(name):
                yield name, file.read_bytes()
        return
    with tarfile.open(path, "r|gz") as archive:
        for member in archive:
            wanted = REVIEW.fullmatch(member.name) or MOVIES.fullmatch(member.name)
            if wanted and member.isfile() and (content := archive.extractfile(member)):
                yield member.name, content.read()


def _split(
    split: str,
    reviews: dict[Part, dict[int, tuple[str, str]]],
    movies: dict[Part, list[str]],
    path: Path,
) -> TextSplit:
    ids, texts, labels, groups = [], [], [], []
    for folder, label in FOLDERS.items():
        part = (split, folder)
        found, films = reviews.get(part, {}), movies.get(part, [])
        if not found or sorted(found) != list(range(len(found))) or len(films) < len(found):
            raise ValueError(
                f"{path} is incomplete: {split}/{folder} has {len(found)} reviews and "
                f"{len(films)} films, expected reviews numbered from 0 without gaps and one film "
                f"in urls_{folder}.txt for each. Fetch it again from {IMDB.address}."
            )
        for number in range(len(found)):
            text, rating = found[number]
            ids.append(f"{split}/{folder}/{number}_{rating}")
            texts.append(text)
            labels.append(label)
            groups.append(films[number])
    return TextSplit(tuple(ids), tuple(texts), np.array(labels, dtype=np.int64), tuple(groups))
