"""Recording what a language model looks at while it reads a running text."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import nn

from attnviz.models import SequenceModel
from attnviz.modes import evaluated
from attnviz.recording.gradients import GradientRecording
from attnviz.recording.recorder import record
from attnviz.states import State, detached
from attnviz.trace import Trace

__all__ = ["record_running"]


def record_running(
    model: SequenceModel,
    ids: Int[np.ndarray, "token"],
    words: Sequence[str],
    *,
    length: int = 100,
    keep: Iterable[str] | None = None,
    gradients: GradientRecording = True,
    about: Mapping[str, str] | None = None,
) -> Trace:
    """Records a language model while it reads a running text, piece by piece.

    A piece is a sequence of the trace, and the state goes on from each to the next: `history` says
    how many timesteps came before, of cells that count. The model reads in eval mode; its modes and
    the random state stay as they are. `loss` is the negative log-likelihood of each next token of a
    piece, in nats, NaN at the last, whose next one is in the next piece; the loss behind the
    gradients is their sum, and no gradient goes back from piece to piece.

    Arguments:
        model: With the head `language_model`.
        ids: The text.
        words: What each id stands for.
        length: Tokens of a piece; the last may be shorter, but has at least two.
        keep: Signals to record; the cells' declared defaults and `gate_attention` if not given.
        gradients: What to record of gradients, as `record` takes it, at the price of a backward.
        about: What the trace shall say of the text, such as `{"task": "ptb"}`.

    Returns:
        The trace, in memory.

    Raises:
        ValueError: If the model is no language model of so many words, or the text has fewer than
            two tokens.
    """
    if model.kind != "language_model" or model.head.out_features != len(words):
        raise ValueError(
            f"record_running records language models of {len(words)} words, but {model.name} has "
            f"the head {model.kind} with {model.head.out_features} outputs."
        )
    if length < 2 or len(ids) < 2:
        raise ValueError(
            f"record_running needs two tokens, one to read and one to predict, got {len(ids)} in "
            f"pieces of {length}."
        )
    leaves = [values for values in model.layer.parameters() if values.requires_grad]
    if gradients and not leaves:
        raise ValueError(
            f"No parameter of {model.name}'s layers asks for a gradient, so there is none to "
            "follow. Pass gradients=False, or unfreeze the layers (requires_grad_)."
        )
    device = next(model.parameters()).device
    states: list[State] = []  # after each piece
    handle = model.layer.register_forward_hook(lambda _, __, read: states.append(read[1]))
    watched = record(model, keep, gradients)
    try:
        with evaluated(model), watched as recording, torch.set_grad_enabled(bool(gradients)):
            for start in range(0, len(ids) - 1, length):
                piece = ids[start : start + length]
                text, spans = _written([words[number] for number in piece])
                recording.describe(id=[f"token {start}"], text=[text], span=[spans])
                read = torch.from_numpy(piece.astype(np.int64)).to(device)[None]
                logits = model(read, None, detached(states[-1]) if states else None)
                if gradients:
                    loss = nn.functional.cross_entropy(logits[0, :-1], read[0, 1:], reduction="sum")
                    # Gradients at the states only: the parameters' own .grad stays untouched.
                    torch.autograd.grad(loss, leaves, allow_unused=True)
    finally:
        handle.remove()
    trace = recording.trace
    trace.tree.attrs |= {"loss": "next token", "loss_target": "next token", **(about or {})}
    return trace


def _written(words: Sequence[str]) -> tuple[str, Int[np.ndarray, "time 2"]]:
    """Words joined by blanks, and where each stands."""
    ends = np.cumsum([len(word) + 1 for word in words]) - 1
    starts = ends - [len(word) for word in words]
    return " ".join(words), np.stack([starts, ends], axis=1).astype(np.int32)
