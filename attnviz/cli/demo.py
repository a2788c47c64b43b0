"""`attnviz demo`: the whole line on what ships, with no data set."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from attnviz.cli.console import hush, next_commands, out, progress
from attnviz.cli.figure_options import Appearance, Choice
from attnviz.cli.scripting import Quiet


@dataclass(frozen=True)
class Picture:
    """One figure of the demo: a model, a kind, and what a reader should see in it."""

    model: str
    kind: str
    look: str


PICTURES = (
    Picture("rra-imdb", "heatmap", "RRA's weights are one learned kernel: every row is constant."),
    Picture("rra-imdb", "contribution", "how much each past state adds is not constant at all."),
    Picture(
        "larnn-imdb",
        "heatmap",
        "each head of LARNN weighs its past anew; a strong word makes a diagonal.",
    ),
    Picture("larnn-imdb", "contribution", "what LARNN's heads then add to its gates."),
    Picture("rau-imdb", "gate-attention", "how long ago RAU wrote what its state holds."),
    Picture("gru-imdb", "gate-attention", "the same for the GRU, exact, from its gates."),
    Picture("lstm-imdb", "gate-attention", "the same for the LSTM's memory, which may hold more."),
    Picture("rau-imdb", "feature-attention", "which features of word and state RAU weighs up."),
    Picture("rra-imdb", "text", "the review, coloured word by word."),
    Picture("rra-imdb", "lag-kernel", "RRA's learned weights by lag."),
    Picture("larnn-imdb", "lag-kernel", "LARNN's attention by lag, on average over the sentences."),
)


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder for traces and figures.")
    ] = Path("demo-output"),
    sequence: Annotated[int, typer.Option(help="Which sentence to draw.")] = 0,
    quiet: Quiet = False,
) -> None:
    """Records the models of reviews that ship on sentences that ship, and draws what they saw.

    Traces and figures that an earlier demo left in the folder are replaced.

    Example: attnviz demo
    """
    from rich.text import Text

    from attnviz.pretrained import load_model
    from attnviz.recording import Texts, record_texts
    from attnviz.tasks import load_demo_sentences

    hush(quiet)
    sentences = load_demo_sentences()
    texts = Texts(
        sentences.texts,
        labels=[int(label) for label in sentences.labels],
        ids=sentences.ids,
        about={"task": "demo sentences"},
    )
    stores = {}
    for name in dict.fromkeys(picture.model for picture in PICTURES):
        store = output / "traces" / f"{name}.zarr"
        shutil.rmtree(store, ignore_errors=True)  # of an earlier demo, perhaps of another version
        store.parent.mkdir(parents=True, exist_ok=True)
        with progress(f"recording {name}") as advance:
            record_texts(load_model(name), texts, path=store, progress=advance)
        stores[name] = store
    for picture in PICTURES:
        figure = _draw(picture, stores[picture.model], output, sequence)
        out().print(Text.assemble((str(figure), "bold"), f": {picture.look}"))
    out().print(f"\nEach as PDF and PNG in {output}; the traces are in {output / 'traces'}.")
    next_commands(["info", output / "traces" / "rra-imdb.zarr"])


def _draw(picture: Picture, store: Path, folder: Path, sequence: int) -> Path:
    """Draws as `attnviz plot` would, whose command the files name."""
    from attnviz.cli.plot import figured
    from attnviz.cli.sources import open_source
    from attnviz.plots import save_figure

    stem = f"{picture.model.removesuffix('-imdb')}-{picture.kind}"
    look = Appearance()
    with look.applied():
        drawn = figured(
            open_source(store), picture.kind, Choice(), sequence, look, several=False, stem=stem
        )
        figure = drawn.draw()
        for suffix in ("png", "pdf"):
            path = save_figure(figure, folder / f"{stem}.{suffix}", provenance=drawn.provenance)
    return path
