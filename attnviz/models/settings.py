"""What a model is built from, and the building of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import cells
from attnviz.models.cell_options import cell_options
from attnviz.models.sequence_model import Head, SequenceModel

__all__ = ["CELLS", "ModelSettings", "build_model", "make_layer"]

Json = str | int | float | bool | None | list[Any] | dict[str, Any]


@dataclass(frozen=True)
class ModelSettings:
    """Everything needed to build a model again.

    Arguments:
        cell: One of `CELLS`.
        hidden_size: Units of each layer.
        outputs: Classes, or numbers to predict.
        head: What is predicted, and where: `classification` and `regression` after the last
            timestep; `per_step` and `language_model` after every one.
        vocabulary_size: Words, for a model that reads tokens.
        embedding_size: Features of a word.
        input_size: Features of a timestep, for a model that reads numbers.
        mapped_size: Features that these are mapped to before the layers, linearly and by an ELU;
            the layers read the numbers themselves if None.
        passes: How often the layers read a sequence, as in `SequenceModel`.
        num_layers: Recurrent layers.
        bidirectional: Whether each is read in both directions.
        dropout: After the embedding, between layers and before the head.
        options: The cell's own options. For LARNN also `preset`, and any of `LARNNOptions` to
            change in it; `{"chrono": T}` is a forget bias.
    """

    cell: str
    hidden_size: int
    outputs: int
    head: Head = "classification"
    vocabulary_size: int | None = None
    embedding_size: int | None = None
    input_size: int | None = None
    mapped_size: int | None = None
    passes: int = 1
    num_layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0
    options: Mapping[str, Json] = field(default_factory=dict)


LayerMaker = Callable[..., cells.Recurrent]

CELLS: Mapping[str, LayerMaker] = {
    "rra": cells.RRA,
    "larnn": cells.LARNN,
    "rau": cells.RAU,
    "lstm": cells.LSTM,
    "gru": cells.GRU,
}


def make_layer(settings: ModelSettings) -> cells.Recurrent:
    """The recurrent layers that settings describe.

    Arguments:
        settings: With one of the five cells and its options.

    Returns:
        The layers, batch first.

    Raises:
        ValueError: If the cell or one of its options is unknown.
    """
    if settings.cell not in CELLS:
        raise ValueError(f"There is no cell {settings.cell!r}; there are {sorted(CELLS)}.")
    features = settings.input_size if settings.vocabulary_size is None else settings.embedding_size
    if features is None:
        raise ValueError(
            "A model needs either vocabulary_size and embedding_size, to read tokens, or "
            f"input_size, to read numbers; got vocabulary_size {settings.vocabulary_size}, "
            f"embedding_size {settings.embedding_size} and input_size {settings.input_size}."
        )
    if settings.mapped_size is not None:
        if settings.vocabulary_size is not None:
            raise ValueError(
                f"mapped_size {settings.mapped_size} maps numbers, but this model reads words, "
                f"which it embeds: leave it out, or vocabulary_size {settings.vocabulary_size}."
            )
        features = settings.mapped_size
    layer = CELLS[settings.cell]
    return layer(
        features,
        settings.hidden_size,
        num_layers=settings.num_layers,
        batch_first=True,
        dropout=settings.dropout if settings.num_layers > 1 else 0.0,
        bidirectional=settings.bidirectional,
        **cell_options(settings.cell, layer, settings.options),
    )


def build_model(settings: ModelSettings) -> SequenceModel:
    """A new model, with parameters drawn from torch's random state.

    Arguments:
        settings: Cell, sizes and head.

    Returns:
        The model, in training mode, on the CPU.
    """
    return SequenceModel(
        make_layer(settings),
        outputs=settings.outputs,
        head=settings.head,
        vocabulary_size=settings.vocabulary_size,
        dropout=settings.dropout,
        mapped_from=None if settings.mapped_size is None else settings.input_size,
        passes=settings.passes,
    )
