"""Recording what a language model looks at while it reads a running text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from jaxtyping import Int
from torch import nn

from attnviz.models import SequenceModel
from attnviz.modes import evaluated
from attnviz.recording.gradients import GradientRecording, leaves_of
from attnviz.recording.recorder import record
from attnviz.recording.texts import check_sequence_model
from attnviz.states import State, detached
from attnviz.trace import Trace

__all__ = ["Running", "check_running", "record_running"]


@dataclass(frozen=True, eq=False)
class Running:
    """A running text that a language model reads piece by piece, its state going on.

    Arguments:
        tokens: The text: of each word its number.
        words: What each number stands for: all that the model knows.
        length: Tokens of a piece; the last may be shorter, but has at least two.
        about: Where it comes from, such as `{"task": "ptb", "split": "test"}`.

    Raises:
        TypeError: If the tokens are no array of whole numbers.
        ValueError: If the text has fewer than two tokens, or pieces would have, or a token is none
            of the words.
    """

    tokens: Int[np.ndarray, " token"]
    words: Sequence[str]
    length: int = 100
    about: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses what nothing can be predicted in, and what are no numbers of words."""
        given = self.tokens
        if not isinstance(given, np.ndarray) or given.ndim != 1 or given.dtype.kind not in "iu":
            came = f"{given.dtype} {given.shape}" if isinstance(given, np.ndarray) else type(given)
            raise TypeError(
                f"A running text is an array of whole numbers with one axis, got {came}."
            )
        if self.length < 2 or len(self.tokens) < 2:
            raise ValueError(
                "A running text needs two tokens, one to read and one to predict, got "
                f"{len(self.tokens)} in pieces of {self.length}."
            )
        outside = (self.tokens < 0) | (self.tokens >= len(self.words))
        if outside.any():
            place = int(outside.argmax())
            raise ValueError(
                f"A running text of {len(self.words)} words numbers them from 0, but its token "
                f"{place} is {self.tokens[place]}."
            )

    @property
    def ids(self) -> list[str]:
        """A name for each piece: where it begins."""
        return [f"token {start}" for start in self._starts]

    @property
    def pieces(self) -> list[Int[np.ndarray, " piece_token"]]:
        """The tokens of each piece."""
        whole = self.tokens.astype(np.int64)
        return [whole[start : start + self.length] for start in self._starts]

    @property
    def _starts(self) -> range:
        return range(0, len(self.tokens) - 1, self.length)


def record_running(
    model: SequenceModel,
    running: Running,
    *,
    keep: Iterable[str] | None = None,
    gradients: GradientRecording = True,
) -> Trace:
    """Records a language model while it reads a running text, piece by piece.

    A piece is a sequence of the trace, and the state goes on from each to the next: `history` says
    how many timesteps came before, of cells that count. The model reads in eval mode; its modes and
    the random state stay as they are. `loss` is the negative log-likelihood of each next token of a
    piece, in nats, NaN at the last, whose next one is in the next piece; the loss behind the
    gradients is their sum, and no gradient goes back from piece to piece.

    Arguments:
        model: With the head `language_model`.
        running: The text.
        keep: Signals to record; the cells' declared defaults and `gate_attention` if not given.
        gradients: What to record of gradients, as `record` takes it, at the price of a backward.

    Returns:
        The trace, in memory.

    Raises:
        ValueError: If the model is no language model of so many words.
    """
    check_running(model, running)
    leaves = leaves_of(model) if gradients else []
    device = next(model.parameters()).device
    states: list[State] = []  # after each piece
    handle = model.layer.register_forward_hook(lambda _, __, read: states.append(read[1]))
    watched = record(model, keep, gradients)
    try:
        with evaluated(model), watched as recording, torch.set_grad_enabled(bool(gradients)):
            for name, piece in zip(running.ids, running.pieces, strict=True):
                text, spans = _written([running.words[number] for number in piece])
                recording.describe(id=[name], text=[text], span=[spans])
                read = torch.from_numpy(piece).to(device)[None]
                logits = model(read, None, detached(states[-1]) if states else None)
                if gradients:
                    loss = nn.functional.cross_entropy(logits[0, :-1], read[0, 1:], reduction="sum")
                    # Gradients at the states only: the parameters' own .grad stays untouched.
                    torch.autograd.grad(loss, leaves, allow_unused=True)
    finally:
        handle.remove()
    trace = recording.trace
    trace.tree.attrs |= {"loss": "next token", "loss_target": "next token", **running.about}
    return trace


def check_running(model: SequenceModel, running: Running) -> None:
    """Refuses a text that a model cannot read piece by piece.

    Arguments:
        model: What shall read it.
        running: The text.

    Raises:
        TypeError: If the model is of another kind altogether.
        ValueError: If the model is no language model of so many words.
    """
    check_sequence_model(model)
    if model.kind != "language_model" or model.head.out_features != len(running.words):
        raise ValueError(
            f"A running text of {len(running.words)} words is read by a language model of as many, "
            f"but {model.name} has the head {model.kind} with {model.head.out_features} outputs."
        )


def _written(words: Sequence[str]) -> tuple[str, Int[np.ndarray, "time 2"]]:
    """Words joined by blanks, and where each stands."""
    ends = np.cumsum([len(word) + 1 for word in words]) - 1
    starts = ends - [len(word) for word in words]
    return " ".join(words), np.stack([starts, ends], axis=1).astype(np.int32)
