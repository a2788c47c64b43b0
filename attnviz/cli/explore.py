"""`attnviz explore`: the sentence explorer, as a page or in JupyterLab."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli.console import busy, hush, out
from attnviz.cli.reading import Asked
from attnviz.cli.scripting import Quiet
from attnviz.cli.spreading import spread
from attnviz.plots.ranges import whole_numbers

if TYPE_CHECKING:
    from attnviz.models import SequenceModel
    from attnviz.recording import Texts

What = Annotated[
    list[str],
    typer.Argument(help="Traces, or models (shipped or folders); several stand side by side."),
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", help="Write a page that needs nothing else.")
]
Notebook = Annotated[
    Path | None, typer.Option(help="Where the notebook is kept; the current folder if not given.")
]
Sequences = Annotated[
    str | None, typer.Option(help="Which texts, by number with commas between; 20 if not given.")
]
Browser = Annotated[bool, typer.Option(help="Let JupyterLab open a browser.")]


@spread
def explore(
    what: What,
    *,
    output: Output = None,
    notebook: Notebook = None,
    sequences: Sequences = None,
    asked: Asked,
    browser: Browser = True,
    quiet: Quiet = False,
) -> None:
    """Explores texts word by word: what each word read, and what becomes of it without.

    With -o a page is written that needs neither JupyterLab nor a network. Without, JupyterLab
    starts on a notebook with the explorer, where sentences can be typed and attention switched
    off.

    Example: attnviz explore rra-imdb larnn-imdb
    """
    hush(quiet)
    own = asked.text is not None or asked.task is not None
    if output is None:
        if own or sequences is not None:
            raise ValueError(
                "--text, --task and --sequences choose what goes on a page: add -o page.html. In "
                "the notebook pass texts to attnviz.Explorer."
            )
        _start(what, notebook, browser=browser)
        return
    from attnviz.explorer.opening import open_named, shelf_of
    from attnviz.explorer.page import write_page
    from attnviz.explorer.session import Session
    from attnviz.trace import Trace

    given = [open_named(one) for one in what]
    models = [one for one in given if not isinstance(one, Trace)]
    texts: "Texts | list[str] | None" = [] if own else None  # refused for traces
    if own and models:
        source = asked.source()
        texts = source.texts(_classes(models, labelled=source.labelled))
    with busy("Making the page"):
        session = Session(shelf_of(given, texts), changed=lambda: None)
        chosen = None if sequences is None else whole_numbers(sequences, "--sequences")
        if chosen is None and own:
            chosen = [row.sequence for row in session.rows]
        write_page(session, output, chosen)
    size = output.stat().st_size / 1e6
    out().print(f"{output} ({size:.1f} MB): open it in any browser, with or without a network.")


def _classes(models: "list[SequenceModel]", *, labelled: bool) -> tuple[str, ...]:
    """The classes by which labels of texts are numbered: those that all models have."""
    found = {model.classes for model in models}
    if labelled and len(found) > 1:
        told = "; ".join(sorted(", ".join(classes) for classes in found))
        raise ValueError(
            f"These models tell different classes apart ({told}), so that no label is right for "
            "all. Give texts by --text, or record each model and explore the traces."
        )
    return found.pop()


def _start(what: list[str], place: Path | None, *, browser: bool) -> None:
    for needed in ("jupyterlab", "anywidget"):
        importlib.import_module(needed)  # what is missing is said here, not by a new process
    from attnviz.explorer.opening import shelf_of

    shelf_of(what)  # a wrong name is said here and not in the browser
    names = [name if not Path(name).exists() else str(Path(name).resolve()) for name in what]
    path = place or Path("explore-" + "-".join(Path(name).stem for name in what) + ".ipynb")
    if path.exists():
        out().print(f"{path} is there already and is opened as it is.")
    else:
        path.write_text(json.dumps(_notebook(names), indent=1), encoding="utf-8")
        out().print(f"Wrote {path}.")
    command = [sys.executable, "-m", "jupyterlab", str(path)]
    try:
        status = subprocess.call(command + ([] if browser else ["--no-browser"]))
    except KeyboardInterrupt:  # JupyterLab hears it too, and speaks for itself
        status = 130
    raise typer.Exit(status)


def _notebook(names: list[str]) -> dict[str, object]:
    """A notebook with the explorer in it."""
    code = [
        f"import attnviz\n\nexplorer = attnviz.Explorer({names!r})\nexplorer",
        "# What is selected can be read and set from here.\nexplorer.sources().head()",
    ]
    return {
        "nbformat": 4, "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
        "cells": [
            {"cell_type": "code", "id": f"cell-{n}", "metadata": {}, "outputs": [],
             "execution_count": None, "source": source}
            for n, source in enumerate(code)
        ],
    }  # fmt: skip
