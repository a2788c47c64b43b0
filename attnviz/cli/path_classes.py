"""`attnviz path-classes`: by which edges the gradient came back."""

from typing import Annotated

import typer

from attnviz.cli.console import busy, hush, progress
from attnviz.cli.given import READABLE, read_given
from attnviz.cli.measuring import Measured, Model, Output, checked_result, write_result
from attnviz.cli.scripting import Quiet
from attnviz.cli.spreading import spread

Layer = Annotated[str | None, typer.Option(help="Layer and direction; the last if not given.")]
Hops = Annotated[
    int, typer.Option(help="Tell 1, 2, ... passages of --hops-of apart, up to this many.", min=0)
]
HopsOf = Annotated[str, typer.Option(help="The label whose edges are counted.")]
Whole = Annotated[
    bool, typer.Option("--whole", help="No classes: the whole gradient, which is quicker.")
]


@spread
def path_classes(
    model: Model,
    output: Output,
    *,
    asked: Measured,
    layer: Layer = None,
    hops: Hops = 0,
    hops_of: HopsOf = "shortcut",
    whole: Whole = False,
    quiet: Quiet = False,
) -> None:
    """Follows the gradient back and tells its paths apart: gates, memory, shortcut, attention.

    Example: attnviz path-classes rra-imdb --task imdb --limit 10 -o paths.nc

    Example: attnviz path-classes rra-row-mnist --task row-mnist -o paths.nc

    Example: attnviz path-classes lstm-imdb --text "Slow, but wonderful." --whole -o paths.nc

    Of ptb, the first pieces of 100 tokens are read, each by itself; the gradient is that of the
    last token's loss.
    """
    hush(quiet)
    checked_result(output)
    source = asked.source("validation", others=READABLE)
    with busy("Loading PyTorch"):
        from attnviz.path_classes import (
            PathOptions,
            number_gradient_paths,
            running_gradient_paths,
            text_gradient_paths,
        )
        from attnviz.pretrained import load_model
        from attnviz.recording import Numbers, Texts

    options = PathOptions(labels={} if whole else None, hops=hops, hops_of=hops_of)
    loaded = load_model(model)
    given = read_given(loaded, source)
    with progress(f"following the gradient of {loaded.name}") as advance:
        if isinstance(given, Texts):
            found = text_gradient_paths(
                loaded, given, group=layer, options=options, progress=advance
            )
        elif isinstance(given, Numbers):
            found = number_gradient_paths(
                loaded, given, group=layer, options=options, progress=advance
            )
        else:
            found = running_gradient_paths(
                loaded, given, group=layer, options=options, progress=advance
            )
    kinds = ["vanishing"] if whole else ["path-classes", "vanishing"]
    write_result(found, loaded, given, output, kinds)
