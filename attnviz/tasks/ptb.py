"""The Penn Treebank, word by word, with a vocabulary of 10,000.

References:
    Building a Large Annotated Corpus of English: The Penn Treebank (Marcus et al., 1993),
    https://aclanthology.org/J93-2004; in the preparation of Recurrent Neural Network Based
    Language Model (Mikolov et al., 2010): lower case, numbers as `N`, rare words as `<unk>`.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from attnviz.tasks.file_sets import locate_files
from attnviz.tasks.language import LanguageSplit, LanguageTask
from attnviz.tasks.published import FILE_SETS
from attnviz.tasks.sources import DamagedDataError

__all__ = ["END", "load_ptb"]

END = "<eos>"  # stands at the end of every line
VOCABULARY = 10_000  # words of the training text, END among them

_FILES = {"train": "ptb.train.txt", "validation": "ptb.valid.txt", "test": "ptb.test.txt"}


def load_ptb(data: Path | str | None = None) -> LanguageTask:
    """Reads the published training, validation and test text.

    The vocabulary is that of the training text, the most frequent word first and words as
    frequent in code point order; `<unk>` is a word like any other, and `<eos>` ends every line.

    Arguments:
        data: The folder of the files, or one that holds it; see
            `attnviz.tasks.locate_files` for where else they are looked for.

    Raises:
        DataNotFoundError: If the data is not here and cannot be downloaded.
        DamagedDataError: If a file is not the published one, or has words it should not have.
    """
    paths = locate_files("ptb", data)
    tokens = {name: _tokens(paths[file]) for name, file in _FILES.items()}
    counts = Counter(tokens["train"])
    words = tuple(sorted(counts, key=lambda word: (-counts[word], word)))
    if len(words) != VOCABULARY:
        reason = f"{len(words):,} different words, not {VOCABULARY:,}"
        raise _damaged(paths[_FILES["train"]], reason)
    places = {word: place for place, word in enumerate(words)}
    splits = {}
    for name, text in tokens.items():
        if unknown := next((word for word in text if word not in places), None):
            raise _damaged(paths[_FILES[name]], f"{unknown!r}, which is not a word of training")
        splits[name] = LanguageSplit(np.array([places[word] for word in text], dtype=np.int32))
    provenance: dict[str, str | int | float | None] = {
        "source": FILE_SETS["ptb"].url,
        "terms": FILE_SETS["ptb"].terms,
        **{file.file: f"{file.algorithm} {file.digest}" for file in FILE_SETS["ptb"].files},
        "vocabulary": len(words),
    }
    return LanguageTask("ptb", words, splits, provenance)


def _tokens(path: Path) -> list[str]:
    try:
        lines = path.read_bytes().decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise _damaged(path, f"bytes that are not UTF-8 ({error})") from error
    if lines.pop():
        raise _damaged(path, "a last line without an end")
    if not lines:
        raise _damaged(path, "no line")
    tokens = [token for line in lines for token in (*line.split(), END)]
    if tokens.count(END) != len(lines):
        raise _damaged(path, f"{END} within a line, which is for its end alone")
    return tokens


def _damaged(path: Path, reason: str) -> DamagedDataError:
    return DamagedDataError(
        f"{path} is not the complete text of the Penn Treebank: it has {reason}. Delete it and get "
        f"it again from {FILE_SETS['ptb'].url}{path.name}"
    )
