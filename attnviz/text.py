"""Words with their places in the text, and the vocabulary that numbers them.

A token is a slice of the original text, so that whatever is computed for a timestep can be
drawn on the very characters it belongs to. What is looked up is the token's normal form.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int

from attnviz.files import replacing

__all__ = [
    "PADDING",
    "UNKNOWN",
    "UNKNOWN_ID",
    "EncodedText",
    "Vocabulary",
    "encode_text",
    "holds_tokens",
    "joined_spans",
    "normal_form",
    "tokenize",
    "words",
]

PADDING = "<pad>"
UNKNOWN = "<unk>"
RESERVED = (PADDING, UNKNOWN)  # no token can be either: the tokenizer parts "<" from "pad"
UNKNOWN_ID = 1

_BREAK = r"<[bB][rR]\s{0,4}/?>"
_APOSTROPHE = "'’`´"
# Scripts that write no blanks and where a character is about a word: Han and kana.
_IDEOGRAPH = (
    "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_FLAG = "\U0001f1e6-\U0001f1ff"
_MODIFIER = "\U0001f3fb-\U0001f3ff\U000e0020-\U000e007f"
_PLAIN = str.maketrans(
    {**dict.fromkeys("’‘`´", "'"), **dict.fromkeys("“”„«»", '"'), "–": "-", "—": "--", "…": "..."}
)
_LONGEST_RUN = 3


def tokenize(text: str) -> list[tuple[int, int]]:
    r"""Finds the words and the punctuation marks of a text.

    A word is a run of letters, digits and combining marks; an apostrophe between letters
    (`don't`) and a point or comma between digits (`8.5`) stay inside it, a hyphen does not.
    Each Han or kana character is a word of its own. A run of one and the same mark (`...`,
    `!!!`) is one token, so is an emoji with its modifiers. Line breaks written as `<br />`
    part tokens like a blank does; other markup is text like any other. Control and invisible
    formatting characters and lone surrogates are never tokens.

    Returns:
        Start and end of each token in characters of `text`, in order, without overlap and
        never empty.
    """
    return list(_spans(text))


def words(text: str) -> list[str]:
    """The normal form of each token, as it is looked up in a vocabulary.

    Returns:
        One word per span of `tokenize(text)`: see `normal_form`.
    """
    return [normal_form(text[start:end]) for start, end in _spans(text)]


def holds_tokens(text: str) -> bool:
    """Whether a text has any token at all, without looking further than the first."""
    return next(_spans(text), None) is not None


@lru_cache(maxsize=2**17)
def normal_form(token: str) -> str:
    """What a token is looked up as.

    In lower case and composed (Unicode NFC), with typographic quotes, dashes and ellipses
    written plainly, and a run of more than three equal marks cut to three. The length may
    differ from the token's: offsets always refer to the original text.
    """
    word = unicodedata.normalize("NFC", token.lower()).translate(_PLAIN)
    if len(word) > _LONGEST_RUN and not word[0].isalnum() and len(set(word)) == 1:
        return word[:_LONGEST_RUN]
    return word


@dataclass(frozen=True)
class Vocabulary:
    """The words a model knows; a word's place in the list is its id.

    Arguments:
        words: All words in the order of their ids, `<pad>` and `<unk>` first.

    Raises:
        ValueError: If the first two are not `<pad>` and `<unk>`, or a word is empty, occurs
            twice or holds white space.
    """

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.words[:2] != RESERVED:
            raise ValueError(
                f"A vocabulary starts with {PADDING} and {UNKNOWN}, but this one starts with "
                f"{list(self.words[:2])}. Build it with Vocabulary.build, or put the two first."
            )
        for number, word in enumerate(self.words):
            if not word or any(character.isspace() for character in word):
                raise ValueError(
                    f"A vocabulary's words are not empty and hold no white space, but word "
                    f"{number} is {word!r}."
                )
        if len(self._ids) != len(self.words):
            word, count = Counter(self.words).most_common(1)[0]
            raise ValueError(
                f"A vocabulary holds each word once, but {word!r} is there {count} times."
            )

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        return word in self._ids

    def encode(self, words: Sequence[str]) -> Int[np.ndarray, "time"]:
        """The ids of words in normal form (as `words(text)` gives them).

        Returns:
            int64, one per word; 1 (`<unk>`) for a word that is not in the vocabulary.
        """
        ids = (self._ids.get(word, UNKNOWN_ID) for word in words)
        return np.fromiter(ids, dtype=np.int64, count=len(words))

    def decode(self, ids: Int[np.ndarray, "time"]) -> list[str]:
        """The words that stand at these ids.

        Raises:
            IndexError: If an id is negative or not below the size of the vocabulary.
        """
        if ids.size and not (0 <= ids.min() and ids.max() < len(self)):
            raise IndexError(
                f"This vocabulary has the ids 0 to {len(self) - 1}, but the ids to decode run from "
                f"{ids.min()} to {ids.max()}. Was the text encoded with another vocabulary?"
            )
        return [self.words[number] for number in ids.tolist()]

    @staticmethod
    def build(texts: Iterable[str], *, size: int, minimum_count: int = 2) -> "Vocabulary":
        """The most frequent words of some texts; equally frequent ones in code point order.

        Arguments:
            texts: What to count the words of. Pass the training texts alone.
            size: The most words to keep, `<pad>` and `<unk>` included.
            minimum_count: A word that occurs less often is left out.

        Raises:
            TypeError: If `texts` is a single string.
            ValueError: If `size` leaves no room for a word, or no word is frequent enough.
        """
        if isinstance(texts, str):
            raise TypeError("Vocabulary.build needs several texts, but got one str. Pass [text].")
        if size <= len(RESERVED):
            raise ValueError(
                f"Vocabulary.build needs size > {len(RESERVED)}, since <pad> and <unk> are counted "
                f"in, but got size={size}."
            )
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(words(text))
        frequent = [(-n, word) for word, n in counts.items() if n >= minimum_count]
        if not frequent:
            raise ValueError(
                f"Vocabulary.build found no word at least {minimum_count} times among "
                f"{len(counts)} different ones. Pass more texts or a lower minimum_count."
            )
        kept = sorted(frequent)[: size - len(RESERVED)]
        return Vocabulary(RESERVED + tuple(word for _, word in kept))

    def save(self, path: Path | str) -> None:
        """Writes one word a line in UTF-8, beside the place and then renamed into it."""
        with replacing(Path(path)) as beside:
            beside.write_bytes("".join(f"{word}\n" for word in self.words).encode("utf-8"))

    @staticmethod
    def load(path: Path | str) -> "Vocabulary":
        """Reads a word list that `save` wrote.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is cut off or is not a vocabulary.
        """
        try:
            text = Path(path).read_bytes().decode("utf-8")
            if not text.endswith("\n"):
                raise ValueError("Its last line has no end: the file is empty or was cut off.")
            # Not splitlines(): that also parts at characters which a file of words may hold.
            return Vocabulary(tuple(text[:-1].split("\n")))
        except ValueError as error:
            raise ValueError(
                f"{path} is not a vocabulary (one word a line, UTF-8). {error}"
            ) from error


@dataclass(frozen=True, eq=False)
class EncodedText:
    """A text as a model reads it.

    Arguments:
        ids: int64, the id of each token that was kept.
        spans: int32, start and end of each in characters of the text.
        original_length: How many tokens the whole text has.
        keep: Which part stays where a text is longer than the limit.
    """

    ids: Int[np.ndarray, "time"]
    spans: Int[np.ndarray, "time 2"]
    original_length: int
    keep: Literal["start", "end"]

    @property
    def truncated(self) -> bool:
        """Whether tokens were left out."""
        return len(self.ids) < self.original_length

    @property
    def unknown_count(self) -> int:
        """How many of the kept tokens the vocabulary does not have."""
        return int((self.ids == UNKNOWN_ID).sum())


def encode_text(
    text: str,
    vocabulary: Vocabulary,
    *,
    limit: int | None = None,
    keep: Literal["start", "end"] = "end",
) -> EncodedText:
    """Turns a text into ids, keeping where each token stands.

    A text of which the vocabulary knows no word is encoded all the same, as `<unk>` throughout;
    `unknown_count` tells.

    Arguments:
        text: Any text.
        vocabulary: The words the model was trained with.
        limit: The most tokens to keep; all of them if not given.
        keep: Whether a longer text keeps its start or its end.

    Raises:
        ValueError: If the text has no token, `limit` is below 1, or `keep` is neither.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"encode_text keeps at least 1 token, but got limit={limit}.")
    if keep not in ("start", "end"):
        raise ValueError(f"encode_text keeps the 'start' or the 'end' of a text, but got {keep!r}.")
    spans = tokenize(text)
    if not spans:
        raise ValueError(
            "A text needs at least one word or mark to be read, but got "
            f"{text[:40]!r} ({len(text)} characters), which has none."
        )
    length = len(spans)
    if limit is not None:
        spans = spans[:limit] if keep == "start" else spans[-limit:]
    ids = vocabulary.encode([normal_form(text[start:end]) for start, end in spans])
    return EncodedText(ids, np.array(spans, dtype=np.int32), length, keep)


def joined_spans(tokens: Sequence[str]) -> Int[np.ndarray, "time 2"]:
    """Start and end of each token in the text that the tokens make when joined by blanks."""
    ends = np.cumsum([len(token) + 1 for token in tokens], dtype=np.int32) - 1
    starts = ends - np.array([len(token) for token in tokens], dtype=np.int32)
    return np.stack([starts, ends], axis=-1)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for match in _pattern().finditer(text):
        if match.lastgroup != "gap":
            yield match.span()


@cache
def _pattern() -> re.Pattern[str]:
    # re has no classes for Unicode categories. Built on first use, as it takes some 50 ms.
    joining = _characters("Mn", "Mc", "Me") + "\u200c\u200d"
    letter = rf"[^\W_{_IDEOGRAPH}]"
    run = rf"{letter}+(?:[{joining}]+{letter}*)*"
    word = rf"{run}(?:(?:[{_APOSTROPHE}]|(?<=\d)[.,](?=\d)){run})*"
    symbol = rf"(?:[^\s\w{_characters('Cc', 'Cf', 'Cs')}]|_)"
    tail = rf"[{joining}{_MODIFIER}]*"
    mark = rf"(?P<mark>{symbol})(?:(?!{_BREAK})(?P=mark))*{tail}(?:(?<=\u200d){symbol}{tail})*"
    flag, ideograph = rf"[{_FLAG}]{{2}}", rf"[{_IDEOGRAPH}][{joining}]*"
    return re.compile(rf"(?P<gap>{_BREAK})|{word}|{ideograph}|{flag}|{mark}")


def _characters(*categories: str) -> str:
    """The characters of some Unicode categories, as ranges for a class of a pattern."""
    planes = (range(0x1F000), range(0xE0000, 0xE0200))  # nothing of these categories between
    found = (
        code for plane in planes for code in plane if unicodedata.category(chr(code)) in categories
    )
    ranges: list[list[int]] = []
    for code in found:
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{re.escape(chr(a))}-{re.escape(chr(b))}" for a, b in ranges)
