"""The notebooks run from top to bottom, and what is saved in them is small and static."""

import json
import os
import shutil
import warnings
from html import escape
from pathlib import Path

import pytest

from attnviz.explorer.page import script, stylesheet
from attnviz.studies import Job, Record, read_study, update_results
from attnviz.studies.records import record_to_json

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"
FOUND = sorted(NOTEBOOKS.glob("*.ipynb"))


def executed(path, folder, monkeypatch):
    """A notebook after it has run in a folder of its own."""
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    # The kernel must find these packages, installed or not.
    roots = [str(NOTEBOOKS.parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(roots))
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=900, resources={"metadata": {"path": str(folder)}}
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the Jupyter machinery, about itself
        client.execute()
    return notebook


@pytest.mark.slow
@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_it_runs(path, tmp_path, monkeypatch):
    shutil.copytree(NOTEBOOKS, tmp_path / "notebooks")
    notebook = executed(path, tmp_path / "notebooks", monkeypatch)
    assert all(cell.get("execution_count") for cell in notebook.cells if cell.cell_type == "code")


def made_run(job, runs, test):
    """A run of four epochs, of which validation chooses the third, as it leaves its folder."""
    folder = runs / job.name / "run"
    folder.mkdir(parents=True)
    rows = zip([0.5, 0.7, 0.9, 0.8], test, strict=True)
    lines = [f"{epoch},{one},{other},1.0" for epoch, (one, other) in enumerate(rows, start=1)]
    header = "epoch,validation_accuracy,test_accuracy,test_loss"
    (folder / "history.csv").write_text("\n".join([header, *lines]) + "\n")
    record = Record(
        job=job, values={}, status="finished", hidden_size=81, parameters=1302, validation=0.9,
        validation_loss=0.3, test=test[2], epoch=3, epochs=4, seconds=2.0, epoch_seconds=0.5,
        reached=None,
    )  # fmt: skip
    (runs / job.name / "result.json").write_text(record_to_json(record))


@pytest.mark.slow
@pytest.mark.parametrize("some", [False, True], ids=["nothing", "some"])
def test_the_released_model_is_shown_with_what_there_is(some, tmp_path, monkeypatch):
    monkeypatch.delenv("ATTNVIZ_DATA", raising=False)
    folder = tmp_path / "notebooks"
    shutil.copytree(NOTEBOOKS, folder)
    place = folder / "results" / "released-larnn"
    shutil.rmtree(place, ignore_errors=True)
    study = read_study(place.with_suffix(".toml"))
    if some:
        made_run(Job("released", "final", 0), tmp_path / "runs", [0.25, 0.875, 0.75, 0.5])
        made_run(Job("released", "final", 1), tmp_path / "runs", [0.25, 0.5, 0.625, 0.375])
        update_results(study, tmp_path / "runs", place)

    notebook = executed(NOTEBOOKS / "released_larnn.ipynb", folder, monkeypatch)

    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    told = "\n".join(o.get("text") or o["data"].get("text/plain", "") for o in outputs)
    pictures = sum("image/png" in output.get("data", {}) for output in outputs)
    assert "in all                  1302     113643" in told
    assert "trained-hidden-seed-2, lstm-untrained-hidden-seed-0" in told
    assert ("released-hidden-seed-0" in told) == (not some)
    assert pictures == some
    if not some:
        assert told.count("No run is finished") == 3
        return
    seeds = [line.split() for line in told.splitlines() if "cell untrained  " in line]
    # Seed, chosen, final and best on test, what is gained by looking, and the three epochs.
    assert seeds[0][-8:] == ["0", "75.0", "50.0", "87.5", "12.5", "3,", "4,", "2"]
    assert seeds[1][-8:] == ["1", "62.5", "37.5", "62.5", "0.0", "3,", "4,", "3"]
    assert "68.75 ± 8.84" in told and "43.75 ± 8.84" in told and "75.00 ± 17.68" in told


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.stem)
def test_what_is_saved_is_whole_small_and_without_error(path):
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(path, as_version=4)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "run it from top to bottom and save it"
    kinds = {o.output_type for cell in notebook.cells for o in cell.get("outputs", [])}
    assert "error" not in kinds
    assert path.stat().st_size < 2_500_000


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
