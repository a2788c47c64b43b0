"""Running text to be predicted word by word, and its arrangement in parallel streams."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

__all__ = ["LanguageSplit", "LanguageTask", "streams"]


@dataclass(frozen=True, eq=False)
class LanguageSplit:
    """One running text.

    Arguments:
        ids: int32, the place of each token in the task's `words`, in the order of the text.
    """

    ids: Int[np.ndarray, "token"]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, eq=False)
class LanguageTask:
    r"""Running texts, each token to be predicted from those before it.

    Its score is the perplexity, the exponential of the mean negative log-likelihood of a token in
    nats; the end of a line is a token like any other:

    .. math:: \exp\Bigl(-\frac1N \sum_{n=1}^{N} \log p(x_n \mid x_{<n})\Bigr)

    Arguments:
        name: What the task is called in traces and tables.
        words: The vocabulary; a token's id is its place here.
        splits: `train`, `validation` and `test`.
        provenance: Where the texts came from and on which terms; values that JSON can hold.
        metric: What its score is called.

    Raises:
        ValueError: If a word occurs twice, or an id stands for no word.
    """

    name: str
    words: tuple[str, ...]
    splits: Mapping[str, LanguageSplit]
    provenance: Mapping[str, str | int | float | None]
    metric: str = "perplexity"

    def __post_init__(self) -> None:
        if len(set(self.words)) != len(self.words):
            raise ValueError(
                f"{self.name} has {len(self.words)} words, but {len(set(self.words))} of them "
                "different."
            )
        for name, split in self.splits.items():
            outside = (split.ids < 0) | (split.ids >= len(self.words))
            if outside.any():
                first = int(outside.argmax())
                raise ValueError(
                    f"{self.name} has {len(self.words)} words, but token {first} of {name} has "
                    f"id {split.ids[first]}."
                )


def streams(ids: Int[np.ndarray, "token"], batch: int) -> Int[np.ndarray, "batch time"]:
    """Cuts a running text into parallel streams of equal length, for stateful reading.

    Stream b is the b-th piece of the text, so that `streams[:, t + 1]` follows `streams[:, t]` in
    the text and a state can be carried along. What is left over at the end, fewer tokens than
    there are streams, is dropped.

    References:
        Recurrent Neural Network Regularization (Zaremba et al., 2014),
        https://arxiv.org/abs/1409.2329, section 4.1. Its released code leaves the tokens that are
        too many between the streams: its stream b begins at token round(b · tokens / batch).

    Arguments:
        ids: The text.
        batch: How many streams; 1 keeps the whole text, as scoring does.

    Returns:
        A view of the text, `(batch, ⌊tokens / batch⌋)`.

    Raises:
        ValueError: If a stream would have no token, or none to predict.
    """
    length = len(ids) // batch if batch > 0 else 0
    if length < 2:
        raise ValueError(
            "Streams need at least one of them and two tokens in each, one to read and one to "
            f"predict, but got {len(ids)} tokens for {batch} streams."
        )
    return ids[: batch * length].reshape(batch, length)
