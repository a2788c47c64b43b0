import json
import shlex
import subprocess
import sys

import pytest

import attnviz
from tests.attnviz import traces
from tests.attnviz.cli.shell import called


@pytest.fixture
def stored(tmp_path):
    return attnviz.save_trace(traces.rra(), tmp_path / "trace.zip")


def test_a_trace_is_reported_without_torch(tmp_path, stored):
    script = (
        "import sys\nfrom attnviz.cli import main\n"
        "try: main()\nexcept SystemExit as end: code = end.code or 0\n"
        "sys.exit(code or 3 * ('torch' in sys.modules))"
    )
    command = [sys.executable, "-c", script, "report", stored, "-o", tmp_path / "r.html"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stdout
    assert "r.html (" in done.stderr
    assert (tmp_path / "r.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_markdown_quietly(monkeypatch, capsys, tmp_path, stored):
    place = tmp_path / "r.md"
    options = ("--sequences", "1", "--quiet", "-o", place)
    assert called(monkeypatch, capsys, "report", stored, *options) == (0, "", "")
    names = {path.name for path in (tmp_path / "r-figures").iterdir()}
    assert "heatmap-1.png" in names and "heatmap-0.png" not in names
    figure = tmp_path / "r-figures" / "heatmap-1.png"
    said = json.loads(called(monkeypatch, capsys, "info", figure, "--json")[1])
    assert shlex.split(said["again"]) == ["attnviz", "report", str(stored), *map(str, options)]


@pytest.mark.slow
def test_a_model_that_ships_reads_the_sentences_first(monkeypatch, capsys, tmp_path):
    place = tmp_path / "r.html"
    status, _, message = called(monkeypatch, capsys, "report", "gru-imdb", "-o", place)
    assert status == 0 and "Writing the report" in message
    text = place.read_text(encoding="utf-8")
    assert "89.68%" in text and "demo sentences" in text and "carry" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["nowhere.zarr", "-o", "r.html"], "nothing to report at 'nowhere.zarr'"),
        (["trace.zip", "-o", "r.docx"], ".html or .md, but got r.docx"),
        (["trace.zip", "-o", "r.html", "--sequences", "a"], "--sequences takes whole numbers"),
        (["trace.zip", "-o", "r.html", "--sequences", "5"], "has no sequence 5"),
        (["trace.zip", "-o", "r.html", "--effects", "no.nc"], "There is no file no.nc"),
        (["trace.zip", "-o", "r.html", "--model", "."], "holds no model"),
        (["trace.zip", "-o", "gone/r.html"], "the folder gone does not exist"),
    ],
)
def test_mistakes_are_one_message(monkeypatch, capsys, tmp_path, stored, options, message):
    monkeypatch.chdir(tmp_path)
    status, _, told = called(monkeypatch, capsys, "report", *options)
    assert status == 1 and message in told and "Traceback" not in told
    assert [path.name for path in tmp_path.iterdir()] == ["trace.zip"]


def test_a_model_of_numbers_says_how_it_is_recorded(monkeypatch, capsys, tmp_path):
    pytest.importorskip("torch")
    from attnviz.models import save_folder

    settings = attnviz.ModelSettings("gru", 3, 2, head="classification", input_size=4)
    model = attnviz.build_model(settings)
    model.card = {"task": "mnist-row"}
    save_folder(model, settings, tmp_path / "mine")
    typed = ("report", tmp_path / "mine", "-o", tmp_path / "a.html")
    status, _, error = called(monkeypatch, capsys, *typed)
    assert status == 1 and f"attnviz record {tmp_path / 'mine'} --task row-mnist --limit" in error
    model.card = {"task": "waves"}
    save_folder(model, settings, tmp_path / "own")
    status, _, error = called(
        monkeypatch, capsys, "report", tmp_path / "own", "-o", tmp_path / "a.html"
    )
    assert status == 1 and "--task" not in error
    assert "attnviz.recording.record_numbers(attnviz.load_model(" in error


def test_a_shipped_model_of_images_says_how_it_is_recorded(monkeypatch, capsys, tmp_path):
    typed = ("report", "rra-row-mnist", "-o", tmp_path / "a.html")
    status, _, error = called(monkeypatch, capsys, *typed)
    assert status == 1 and "attnviz record rra-row-mnist --task row-mnist --limit" in error
    assert error.rstrip().endswith("then attnviz report trace.zarr -o report.html.")
