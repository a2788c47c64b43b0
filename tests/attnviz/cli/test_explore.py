"""`attnviz explore`, from a shell."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import attnviz

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def trace(tmp_path_factory):
    texts = attnviz.Texts(["What a wonderful film.", "Dull, and far too long."], labels=[1, 0])
    path = tmp_path_factory.mktemp("explore") / "trace.zarr"
    attnviz.record_texts(attnviz.load_model("gru-imdb"), texts, path=path)
    return path


def explore(*arguments, folder, blocked=()):
    """Runs the command in a process of its own, in which some packages are not installed."""
    for name in blocked:
        (folder / f"{name}.py").write_text(f"raise ModuleNotFoundError('blocked', name={name!r})")
    paths = [str(folder), str(ROOT), os.environ.get("PYTHONPATH", "")]
    command = [sys.executable, "-c", "from attnviz.cli import main; main()", "explore"]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, cwd=folder, timeout=300,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "200"},
    )  # fmt: skip


def header(page):
    text = page.read_text(encoding="utf-8")
    start = text.index("data-header>") + len("data-header>")
    return json.loads(text[start : text.index("</script>", start)])


def test_a_trace_becomes_a_page_without_torch_or_jupyter(trace, tmp_path):
    done = explore(
        trace, "-o", "page.html", folder=tmp_path, blocked=["torch", "anywidget", "ipywidgets"]
    )
    assert done.returncode == 0, done.stderr
    assert "page.html" in done.stdout
    told = header(tmp_path / "page.html")
    assert [row["text"] for row in told["rows"]] == [
        "What a wonderful film.",
        "Dull, and far too long.",
    ]
    assert told["panels"]["0"][0]["variants"] == []


def test_a_model_reads_texts_of_ones_own_with_edits_made_beforehand(tmp_path):
    texts = ["--text", "Not bad at all.", "--text", "Bad."]
    done = explore("rra-imdb", *texts, "-o", "page.html", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = header(tmp_path / "page.html")
    assert [row["text"] for row in told["rows"]] == texts[1::2]
    labels = [variant["label"] for variant in told["panels"]["1"][0]["variants"]]
    assert labels == [*(f"lag {lag} off" for lag in range(2, 12)), "uniform attention"]


def test_sequences_are_chosen_by_number(trace, tmp_path):
    done = explore(trace, "--sequences", "1", "-o", "page.html", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list(header(tmp_path / "page.html")["panels"]) == ["1"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no-such-model", "-o", "page.html"], "There is no model 'no-such-model'"),
        (["gru-imdb", "-o", "page.pdf"], "written as .html"),
        (["gru-imdb", "--sequences", "one", "-o", "page.html"], "whole numbers with commas"),
        (["gru-imdb", "--sequences", "99", "-o", "page.html"], "99 was asked for"),
        (["gru-imdb", "--text", "Good."], "add -o page.html"),
        (["gru-imdb", "--text", "  ", "-o", "page.html"], "at least one word"),
    ],
)
def test_a_mistake_is_one_message(arguments, said, tmp_path):
    done = explore(*arguments, folder=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "page.html").exists()


def test_a_trace_takes_no_texts(trace, tmp_path):
    done = explore(trace, "--text", "Good.", "-o", "page.html", folder=tmp_path)
    assert done.returncode == 1
    assert "holds its own texts" in done.stderr


def test_jupyterlab_starts_on_a_notebook_that_stays(tmp_path):
    # In place of JupyterLab a module that says how it was called.
    (tmp_path / "jupyterlab.py").write_text("import sys\nprint('started', sys.argv[1:])")
    done = explore("rra-imdb", "larnn-imdb", "--no-browser", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "started ['explore-rra-imdb-larnn-imdb.ipynb', '--no-browser']" in done.stdout
    notebook = tmp_path / "explore-rra-imdb-larnn-imdb.ipynb"
    code = json.loads(notebook.read_text())["cells"][0]["source"]
    assert "attnviz.Explorer(['rra-imdb', 'larnn-imdb'])" in code
    notebook.write_text(notebook.read_text() + "\n")
    before = notebook.read_text()
    done = explore("rra-imdb", "larnn-imdb", "--no-browser", folder=tmp_path)
    assert "is there already" in done.stdout
    assert notebook.read_text() == before


def test_what_is_missing_is_said_before_anything_starts(tmp_path):
    done = explore("rra-imdb", folder=tmp_path, blocked=["jupyterlab"])
    assert done.returncode == 1
    assert "pip install 'attnviz[notebook]'" in done.stderr
    assert not list(tmp_path.glob("*.ipynb"))
