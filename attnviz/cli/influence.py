"""`attnviz influence`: how far back a model looks."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from attnviz.cli.console import busy, hush, progress
from attnviz.cli.given import READABLE, USUAL, read_given, read_usual
from attnviz.cli.measuring import Measured, Model, Output, Seed, checked_result, write_result
from attnviz.cli.reading import Source
from attnviz.cli.scripting import Quiet
from attnviz.cli.spreading import spread

if TYPE_CHECKING:
    from attnviz.influence.measurement import At
    from attnviz.influence.sequences import Inputs
    from attnviz.models import SequenceModel
    from attnviz.recording import Numbers, Running, Texts

Reference = Annotated[
    list[str] | None,
    typer.Option(
        help="A text that says what is usual; several. Else texts of the training split, or of "
        "your file."
    ),
]
Method = Annotated[
    Literal["replacement", "linear"],
    typer.Option(help="Replace inputs, or what the gradient alone would say."),
]
Place = Annotated[
    str,
    typer.Option("--at", help="Look back from all timesteps, from the last, or from 9,19,-1."),
]
Of = Annotated[
    Literal["state", "margin"],
    typer.Option(help="What moves: the state, or the margin of the predicted class."),
]
Draws = Annotated[int, typer.Option(help="Replacements of each input.", min=1)]

# Rows that are run at once; of a language model's logits there are thousands a timestep.
ROWS, LOGIT_ROWS = 256, 16


@spread
def influence(  # noqa: PLR0913  (one parameter an option)
    model: Model,
    output: Output,
    *,
    asked: Measured,
    reference: Reference = None,
    method: Method = "replacement",
    at: Place = "all",
    of: Of = "state",
    draws: Draws = 8,
    seed: Seed = 0,
    quiet: Quiet = False,
) -> None:
    """Measures how much each earlier word, or timestep, matters, by replacing it with usual ones.

    What is usual: texts or sequences of the training split (of the adding problem, of the other of
    validation and test), or texts of the whole file; for --text the sentences that ship.

    Example: attnviz influence rra-imdb --task imdb --at last -o influence.nc

    Example: attnviz influence gru-row-mnist --task row-mnist -o influence.nc

    Example: attnviz influence gru-imdb --text "Slow, but wonderful." -o influence.nc

    Of ptb, the first pieces of 100 tokens are read, each by itself.
    """
    hush(quiet)
    checked_result(output)
    places = _timesteps(at)
    source = asked.source("validation", others=READABLE)
    with busy("Loading PyTorch"):
        from attnviz.influence import linear_influence, replacement_influence
        from attnviz.pretrained import load_model

    loaded = load_model(model)
    given, inputs, usual = _read(loaded, source, reference)
    margin: Literal["predicted"] | None = "predicted" if of == "margin" else None
    rows = LOGIT_ROWS if margin and loaded.per_step else ROWS
    with progress(f"measuring {loaded.name}, rows") as advance:
        if method == "linear":
            found = linear_influence(
                loaded, inputs, reference=usual, at=places, margin=margin, seed=seed,
                progress=advance,
            )  # fmt: skip
        else:
            found = replacement_influence(
                loaded, inputs, reference=usual, at=places, margin=margin,
                replacements=draws, rows=rows, seed=seed, progress=advance,
            )  # fmt: skip
    kinds = ["influence", "influence-map"] if found.sizes["time"] > 1 else ["influence"]
    write_result(found, loaded, given, output, kinds)


def _timesteps(at: str) -> "At":
    named: dict[str, Literal["all", "last"]] = {"all": "all", "last": "last"}
    if at in named:
        return named[at]
    try:
        return [int(number) for number in at.split(",")]
    except ValueError as error:
        raise ValueError(
            f"--at takes all, last, or timesteps with commas between such as 9,19,-1, got {at!r}."
        ) from error


def _read(
    model: "SequenceModel", source: Source, reference: list[str] | None
) -> "tuple[Texts | Numbers | Running, Inputs, Inputs]":
    """What is read, the same as inputs, and what is usual."""
    from attnviz.recording import Texts

    given = read_given(model, source)
    if isinstance(given, Texts):
        return given, given.texts, reference or _usual(source)
    usual = read_usual(model, source, reference)
    return given, _inputs(given), _inputs(usual)


def _inputs(given: "Numbers | Running") -> "Inputs":
    """The same as influence takes it; pieces of a running text each by itself."""
    from torch import from_numpy
    from torch.nn.utils.rnn import pad_sequence

    from attnviz.influence.sequences import Sequences
    from attnviz.recording import Numbers

    if isinstance(given, Numbers):
        return Sequences(from_numpy(given.features), given.timesteps)
    pieces = given.pieces
    return Sequences(
        pad_sequence([from_numpy(piece) for piece in pieces], batch_first=True),
        [len(piece) for piece in pieces],
        [[given.words[token] for token in piece] for piece in pieces],
    )


def _usual(source: Source) -> list[str]:
    """Texts that say what is usual, where none are given."""
    if source.task is None:
        from attnviz.tasks import load_demo_sentences

        return list(load_demo_sentences().texts)
    return source.training(USUAL)
