"""The notebooks run from top to bottom, and what is saved in them is small and static."""

import json
import os
import shutil
import warnings
from html import escape
from pathlib import Path

import pytest

from attnviz.explorer.page import script, stylesheet

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
FOUND = sorted(NOTEBOOKS.glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_it_runs(path, tmp_path, monkeypatch):
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    shutil.copytree(NOTEBOOKS, tmp_path / "notebooks")
    # The kernel must find these packages, installed or not.
    roots = [str(NOTEBOOKS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(roots))
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=900, resources={"metadata": {"path": str(tmp_path / "notebooks")}}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the Jupyter machinery, about itself
        client.execute()
    assert all(cell.get("execution_count") for cell in notebook.cells if cell.cell_type == "code")


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_is_saved_is_whole_small_and_without_error(path):
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(path, as_version=4)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "run it from top to bottom and save it"
    kinds = {o.output_type for cell in notebook.cells for o in cell.get("outputs", [])}
    assert "error" not in kinds
    assert path.stat().st_size < 1_500_000


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_explorers_that_are_saved_are_those_that_ship(path):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    shown = [
        "".join(output["data"]["text/html"])
        for cell in notebook["cells"]
        for output in cell.get("outputs", [])
        if "srcdoc" in "".join(output.get("data", {}).get("text/html", ""))
    ]
    assert all(escape(script()) in frame and escape(stylesheet()) in frame for frame in shown)
    assert bool(shown) == (path.stem in ("sentence_explorer", "compare_cells"))


def test_there_are_notebooks():
    assert FOUND
