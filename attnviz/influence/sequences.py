"""What a model reads, in any form it may be given: numbers, token ids or texts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from attnviz.models import SequenceModel
from attnviz.text import encode_text

__all__ = ["Features", "Inputs", "Model", "Sequences", "features_of"]

#: A module, or any function `(batch, time, feature) -> (batch, time, unit)`.
Model = Callable[..., object]


@dataclass(frozen=True)
class Sequences:
    """Padded sequences with their lengths.

    Arguments:
        inputs: Numbers `(sequence, time, feature)`; or token ids `(sequence, time)`, for a model
            with an embedding.
        lengths: Timesteps of each sequence; all of them if not given. What stands in the padding
            is never read.
        words: What stands at each timestep of each sequence, for figures.

    Raises:
        TypeError: If the inputs are no tensor or array.
    """

    inputs: Tensor | Shaped[np.ndarray, "..."]
    lengths: Tensor | Sequence[int] | None = None
    words: Sequence[Sequence[str]] | None = None

    def __post_init__(self) -> None:
        """Refuses what has no axes."""
        if not isinstance(self.inputs, Tensor | np.ndarray):
            raise TypeError(
                "Sequences takes a tensor or array, (sequence, time, feature) or token ids "
                f"(sequence, time), got a {type(self.inputs).__name__}. Pad to one length and pass "
                "lengths=; texts are given as they are, in a list."
            )


Inputs = Sequences | Tensor | Shaped[np.ndarray, "..."] | Sequence[str]


@dataclass(frozen=True)
class Features:
    """Sequences as the layers read them, each of its own length.

    Arguments:
        rows: `(time, feature)` each, on the model's device and in its precision.
        words: The tokens of each, where they are known.
    """

    rows: list[Float[Tensor, "_ feature"]]
    words: Sequence[Sequence[str]] | None = None


def features_of(model: Model, given: Inputs, *, role: str) -> Features:
    """Sequences as a model's layers read them: cut to their lengths, tokens embedded.

    Arguments:
        model: The model that reads them.
        given: Numbers, token ids or texts.
        role: What they are for, as error messages shall say it: `inputs` or `reference`.

    Returns:
        A row for each sequence.

    Raises:
        TypeError: If a single string is given, or texts or ids to a model that cannot read them.
        ValueError: If there is no sequence, a length does not fit, or a value is not finite.
    """
    if isinstance(given, str):
        raise TypeError(f"The {role} must be a list of texts; put a single one in brackets.")
    words: Sequence[Sequence[str]] | None = None
    if isinstance(given, Sequences):
        rows, words = _cut(given, role), given.words
        _check_words(rows, words, role)
    elif isinstance(given, Tensor | np.ndarray):
        rows = _cut(Sequences(given), role)
    else:
        rows, words = _encoded(model, given, role)
    if not rows:
        raise ValueError(f"The {role} must hold at least one sequence, but they are empty.")
    embedded = [_embedded(model, row, role) for row in rows]
    for number, row in enumerate(embedded):
        if not bool(torch.isfinite(row).all()):
            time, feature = (~torch.isfinite(row)).nonzero()[0].tolist()
            raise ValueError(
                f"The {role} must be finite, but feature {feature} at timestep {time} of sequence "
                f"{number} is {float(row[time, feature])}. Clean the data, or shorten lengths if "
                "this is padding."
            )
    return Features(embedded, words)


def _cut(given: Sequences, role: str) -> list[Tensor]:
    inputs = torch.as_tensor(given.inputs)
    if inputs.ndim not in (2, 3):
        raise ValueError(
            f"The {role} must be (sequence, time, feature), or (sequence, time) for token ids, "
            f"but their shape is {tuple(inputs.shape)}."
        )
    count, longest = inputs.shape[:2]
    lengths = given.lengths
    ends = [longest] * count if lengths is None else [int(length) for length in lengths]
    if len(ends) != count:
        raise ValueError(
            f"The {role} hold {count} sequences, but {len(ends)} lengths were given. Give one each."
        )
    for number, end in enumerate(ends):
        if not 1 <= end <= longest:
            raise ValueError(
                f"A length of the {role} must lie between 1 and their {longest} timesteps, but "
                f"that of sequence {number} is {end}. Leave empty sequences out."
            )
    return [row[:end] for row, end in zip(inputs, ends, strict=True)]


def _check_words(rows: list[Tensor], words: Sequence[Sequence[str]] | None, role: str) -> None:
    if words is not None and [len(row) for row in rows] != [len(told) for told in words]:
        raise ValueError(
            f"The {role} have {[len(row) for row in rows]} timesteps, but words for "
            f"{[len(told) for told in words]}. Give one for each timestep."
        )


def _encoded(model: Model, texts: Sequence[str], role: str) -> tuple[list[Tensor], list[list[str]]]:
    if not isinstance(model, SequenceModel) or model.vocabulary is None:
        what = f"this is a {type(model).__name__}"
        if isinstance(model, SequenceModel):
            what = f"{model.name} has none"
        raise TypeError(
            f"Texts as {role} need a SequenceModel with a vocabulary, but {what}. Pass "
            "numbers (sequence, time, feature), such as embedded tokens."
        )
    rows, words = [], []
    for number, text in enumerate(texts):
        try:
            read = encode_text(
                text, model.vocabulary, limit=model.reading.limit, keep=model.reading.keep
            )
        except ValueError as error:
            raise ValueError(f"Text {number} of the {role}: {error}") from error
        rows.append(torch.from_numpy(read.ids.astype(np.int64)))
        words.append([text[start:end] for start, end in read.spans.tolist()])
    return rows, words


def _embedded(model: Model, row: Tensor, role: str) -> Tensor:
    embedding = model.embedding if isinstance(model, SequenceModel) else None
    if row.ndim == 1:
        if embedding is None or row.is_floating_point():
            raise TypeError(
                f"The {role} have no axis of features, so they must be whole token ids for a "
                f"SequenceModel with an embedding; got {row.dtype} for {type(model).__name__}. Of "
                "any other model give the part behind its embedding, and what that reads."
            )
        with torch.no_grad():
            embedded: Tensor = embedding(row.to(embedding.weight.device)).detach()
        return embedded
    if not row.is_floating_point():
        raise TypeError(f"The {role} must be floating point numbers, but they are {row.dtype}.")
    parameters = model.parameters() if isinstance(model, torch.nn.Module) else iter(())
    own = next((values for values in parameters if values.is_floating_point()), row)
    return row.detach().to(own)
