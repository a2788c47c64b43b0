"""A model that reads sequences: an embedding or a map of numbers, recurrent layers, a head."""

from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

import cells
from attnviz.text import Vocabulary
from attnviz.trace import SQUARED_ERROR
from cells.recurrent import Lengths

__all__ = ["Head", "Reading", "SequenceModel"]

Head = Literal["classification", "regression", "per_step", "language_model"]


class Reading(NamedTuple):
    """How much of a text a model reads: at most `limit` tokens, from its start or its end."""

    limit: int | None = None
    keep: Literal["start", "end"] = "end"


class SequenceModel(nn.Module):
    r"""An embedding (for tokens) or a map (of numbers), recurrent layers, and a linear head.

    With several passes the same layers read the sequence again and again, each time going on from
    the state that the pass before left, and what they return is added to what they read:

    .. math:: y_t = x_t + \sum_p h^{(p)}_t, \qquad s^{(p)}_0 = s^{(p-1)}_T

    From the second pass on every output knows the whole sequence. So does the first timestep's:
    only what is predicted after the last one has not seen its own future.

    Arguments:
        layer: Any `cells.Recurrent`, a user's own cell included.
        outputs: Classes, or numbers to predict.
        head: What is predicted, and where.
        vocabulary_size: Words; None for a model that reads numbers.
        dropout: After the embedding (of numbers, on themselves) and before the head.
        mapped_from: Numbers a timestep, which a linear map and an ELU turn into the features that
            the layers read; None if they read the numbers, or words.
        passes: How often the layers read a sequence.

    Attributes:
        name: For titles and traces.
        vocabulary: Words to ids, if the model reads text.
        reading: How much of a text it reads.
        classes: Names of the outputs.
        card: What is known about the model: data, settings, scores.

    Raises:
        ValueError: If words are to be mapped, or there are several passes and the model predicts
            at every step, reads in both directions, or returns another size than it reads.
    """

    def __init__(
        self,
        layer: cells.Recurrent,
        *,
        outputs: int,
        head: Head = "classification",
        vocabulary_size: int | None = None,
        dropout: float = 0.0,
        mapped_from: int | None = None,
        passes: int = 1,
    ) -> None:
        super().__init__()
        _check_reading(layer, head, vocabulary_size, mapped_from, passes)
        self.embedding = (
            None if vocabulary_size is None else nn.Embedding(vocabulary_size, layer.input_size)
        )
        self.input_map = None if mapped_from is None else nn.Linear(mapped_from, layer.input_size)
        self.layer, self.kind, self.passes = layer, head, passes
        self.head = nn.Linear(layer.output_size, outputs)
        self.dropout = nn.Dropout(dropout)
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, std=layer.input_size**-0.5)
        if self.input_map is not None:
            nn.init.xavier_uniform_(self.input_map.weight)
        self.name = type(layer).__name__.lower()
        self.vocabulary: Vocabulary | None = None
        self.reading = Reading()
        self.classes: tuple[str, ...] = tuple(str(output) for output in range(outputs))
        self.card: dict[str, Any] = {}

    @property
    def loss_name(self) -> str:
        """What traces and effects call a sequence's loss: `cross-entropy` or `squared error`."""
        return SQUARED_ERROR if self.kind == "regression" else "cross-entropy"

    @property
    def per_step(self) -> bool:
        """Whether it predicts after every timestep."""
        return self.kind in ("per_step", "language_model")

    def forward(
        self,
        inputs: Tensor,
        lengths: Lengths = None,
        state: tuple[Any, ...] | None = None,
    ) -> Tensor:
        """Predicts from a padded batch.

        Arguments:
            inputs: Token ids `(batch, time)`, or numbers `(batch, time, feature)`.
            lengths: Timesteps of each sequence; all of them if not given.
            state: As `go_on` returned it for what came before.

        Returns:
            `(batch, output)` after each sequence's last timestep, or `(batch, time, output)` for
            heads that predict at every step. Logits where outputs are classes.
        """
        if state is not None:
            return self.go_on(inputs, state, lengths)[0]
        output = self.read(self._features(inputs), lengths)
        if not self.per_step:
            output = self.last(output, lengths)
        predicted: Tensor = self.head(self.dropout(output))
        return predicted

    def go_on(
        self,
        inputs: Tensor,
        state: tuple[Any, ...] | None = None,
        lengths: Lengths = None,
    ) -> tuple[Tensor, tuple[Any, ...]]:
        """Predicts from the next piece of longer sequences.

        Arguments:
            inputs: As `forward` takes them.
            state: As the call for the piece before returned it; None for the first.
            lengths: As `forward` takes them.

        Returns:
            What `forward` returns, and the state of the layers after the piece.
        """
        if self.passes > 1:
            raise ValueError(
                f"{self.name} reads each sequence {self.passes} times, so it cannot go on with the "
                "next piece of a longer one. Give it whole sequences."
            )
        output, state = self._once(self.mapped(self._features(inputs)), state, lengths)
        if not self.per_step:
            output = self.last(output, lengths)
        return self.head(self.dropout(output)), state

    def _features(self, inputs: Tensor) -> Float[Tensor, "batch time feature"]:
        features: Tensor = self.dropout(
            inputs if self.embedding is None else self.embedding(inputs)
        )
        return features

    def read(
        self, features: Float[Tensor, "batch time feature"], lengths: Lengths
    ) -> Float[Tensor, "batch time unit"]:
        """The output of the recurrent layers at every timestep.

        Arguments:
            features: Embedded words, or numbers.
            lengths: Timesteps of each sequence; all of them if not given.
        """
        mapped = self.mapped(features)
        output, state = self._once(mapped, None, lengths)
        if self.passes == 1:
            return output
        output = mapped + output
        for _ in range(self.passes - 1):
            again, state = self._once(mapped, state, lengths)
            output = output + again
        return output

    def mapped(
        self, features: Float[Tensor, "batch time number"]
    ) -> Float[Tensor, "batch time feature"]:
        """What the recurrent layers read of embedded words, or of numbers."""
        if self.input_map is None:
            return features
        return nn.functional.elu(self.input_map(features))

    def _once(
        self,
        features: Float[Tensor, "batch time feature"],
        state: tuple[Any, ...] | None,
        lengths: Lengths,
    ) -> tuple[Float[Tensor, "batch time unit"], tuple[Any, ...]]:
        """One pass of the layers, and the state it leaves."""
        if not self.layer.batch_first:
            features = features.transpose(0, 1)
        output, state = self.layer(features, state, lengths=lengths)
        return (output if self.layer.batch_first else output.transpose(0, 1)), state

    def last(
        self, output: Float[Tensor, "batch time unit"], lengths: Lengths
    ) -> Float[Tensor, "batch unit"]:
        """What each direction returns after its own last timestep."""
        rows = torch.arange(len(output), device=output.device)
        if lengths is None:
            ends = torch.full_like(rows, output.shape[1] - 1)
        else:
            ends = torch.as_tensor(lengths, device=output.device) - 1
        forward = output[rows, ends]
        if not self.layer.bidirectional:
            return forward
        units = self.layer.hidden_size
        return torch.cat([forward[:, :units], output[:, 0, units:]], dim=-1)


def _check_reading(
    layer: cells.Recurrent,
    head: Head,
    vocabulary_size: int | None,
    mapped_from: int | None,
    passes: int,
) -> None:
    """Refuses a map of words, and passes that could not be added or would tell the future."""
    if mapped_from is not None and (vocabulary_size is not None or mapped_from < 1):
        raise ValueError(
            "What a model maps before its layers are numbers, at least one a timestep, not words; "
            f"got mapped_from {mapped_from} and vocabulary_size {vocabulary_size}."
        )
    if passes < 1:
        raise ValueError(f"A model reads its input at least once, got passes {passes}.")
    if passes == 1:
        return
    if head not in ("classification", "regression") or layer.bidirectional:
        raise ValueError(
            f"A model that reads {passes} times predicts after the last timestep and reads "
            f"forwards: from the second pass on it knows what comes. Got the head {head!r} and "
            f"bidirectional {layer.bidirectional}."
        )
    if layer.input_size != layer.output_size:
        raise ValueError(
            f"A model that reads {passes} times adds what its layers return to what they read, but "
            f"they read {layer.input_size} features and return {layer.output_size}. Map the "
            f"numbers to as many with mapped_size={layer.output_size}."
        )
