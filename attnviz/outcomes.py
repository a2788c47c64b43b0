"""What the model said of a sequence, and what was true."""

from dataclasses import dataclass

import numpy as np

from attnviz.trace import SQUARED_ERROR, Trace, sequence_length

__all__ = ["Outcome", "outcome", "predicts_numbers", "predicts_words", "tells_classes"]


@dataclass(frozen=True)
class Outcome:
    r"""What was true of a sequence and what the model said of it, as far as the trace knows.

    Arguments:
        true: Name (or number) of the true class, or the true value.
        predicted: Name (or number) of the class with the highest score.
        probability: The softmax of its score.
        perplexity: Of a language model on the sequence's next tokens,
            :math:`\exp(-\frac1N \sum_t \ln p(x_{t+1} \mid x_{\le t}))`.
    """

    true: str | None = None
    predicted: str | None = None
    probability: float | None = None
    perplexity: float | None = None

    @property
    def said(self) -> str:
        """What the model said, in a few words; empty if it says neither a class nor words."""
        if self.perplexity is not None:
            return f"perplexity {self.perplexity:,.1f}"
        return "" if self.predicted is None else f"{self.predicted} {self.probability:.0%}"


def tells_classes(trace: Trace) -> bool:
    """Whether a model scored classes: it has several outputs, and they are no predicted numbers.

    Arguments:
        trace: Any trace; that its outputs are numbers is told by its loss, a squared error.
    """
    return trace.tree.sizes.get("class", 0) > 1 and not predicts_numbers(trace)


def predicts_numbers(trace: Trace) -> bool:
    """Whether a model's outputs are numbers to be predicted, which its loss tells.

    Arguments:
        trace: Any trace.
    """
    return trace.tree.attrs.get("loss") == SQUARED_ERROR


def predicts_words(trace: Trace) -> bool:
    """Whether it is of a language model: it has the loss of each next token, and no prediction.

    Arguments:
        trace: Any trace.
    """
    root = trace.tree.dataset
    told = "loss" in root and root["loss"].dims == ("sequence", "time")
    return told and "prediction" not in root


def outcome(trace: Trace, sequence: int) -> Outcome:
    """What the model said of a sequence, and what was true.

    Arguments:
        trace: Any trace.
        sequence: Index of the sequence.

    Returns:
        The outcome; without prediction where no classes are told apart.

    Raises:
        IndexError: If the trace has no such sequence, or its row was never written.
    """
    length = sequence_length(trace, sequence)
    root = trace.tree.dataset
    names = [str(name) for name in root["class"].values] if "class" in root.coords else []
    true = None
    if "label" in root:
        true = _true(names, root["label"].values[sequence])
    if predicts_words(trace) and length > 1:
        losses = root["loss"].values[sequence, : length - 1]  # what the last predicts is not known
        return Outcome(true=true, perplexity=float(np.exp(losses.mean(dtype=np.float64))))
    if "prediction" not in root or not tells_classes(trace):
        return Outcome(true=true)
    scores = root["prediction"].values[sequence].astype(np.float64)
    odds = np.exp(scores - scores.max())
    best = int(scores.argmax())
    return Outcome(true, _name(names, best), float(odds[best] / odds.sum()))


def _true(names: list[str], label: np.generic) -> str | None:
    if np.issubdtype(label.dtype, np.integer):
        return _name(names, int(label)) if label != -1 else None
    return None if np.isnan(label) else f"{label:g}"


def _name(names: list[str], index: int) -> str:
    return names[index] if 0 <= index < len(names) else str(index)
