"""The command as a user types it, in a process of its own where that matters."""

import json
import os
import subprocess
import sys
from functools import partial

import numpy as np
import pytest

import attnviz
from attnviz.cli import main
from attnviz.tasks import load_adding
from tests.attnviz import traces

LONG_ENOUGH = 120


def run(*arguments, **environment):
    """Runs the command in a new process."""
    return subprocess.run(
        [sys.executable, "-m", "attnviz.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", **environment},
        timeout=LONG_ENOUGH,
        check=False,
    )


def called(monkeypatch, capsys, *arguments):
    """Runs the command in this process: its exit status, output and messages."""
    monkeypatch.setattr(sys, "argv", ["attnviz", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err


@pytest.fixture
def rra_store(tmp_path):
    return attnviz.save_trace(traces.rra(), tmp_path / "rra.zarr")


def test_plot_and_info_work_where_torch_is_not_installed(tmp_path, rra_store):
    blocker = tmp_path / "blocked"
    blocker.mkdir()
    for name in ("torch", "safetensors", "pytorch_lightning"):
        (blocker / f"{name}.py").write_text("raise ModuleNotFoundError('blocked', name=__name__)")
    path = os.pathsep.join([str(blocker), os.environ.get("PYTHONPATH", "")])

    info = run("info", rra_store, PYTHONPATH=path)
    plot = run("plot", rra_store, "-o", tmp_path / "map.svg", PYTHONPATH=path)
    record = run("record", "rra-imdb", "--text", "good", "-o", "t.zarr", PYTHONPATH=path)

    assert info.returncode == 0, info.stderr
    assert "attention" in info.stdout
    assert plot.returncode == 0, plot.stderr
    assert (tmp_path / "map.svg").stat().st_size > 1000
    assert record.returncode == 1
    assert "pip install 'attnviz[torch]'" in record.stderr
    assert "Traceback" not in record.stderr


def test_info_names_what_a_trace_holds_and_where_it_comes_from(monkeypatch, capsys, rra_store):
    status, output, _ = called(monkeypatch, capsys, "info", rra_store)

    assert status == 0
    trace = traces.rra()
    for expected in (
        "contribution",
        str(trace.tree["id"].values[0]),
        attnviz.trace_digest(rra_store),
        trace.tree.attrs["model"],
    ):
        assert expected in output


@pytest.mark.parametrize("suffix", ["pdf", "svg", "png"])
def test_a_figure_tells_which_trace_and_command_made_it(
    monkeypatch, capsys, tmp_path, rra_store, suffix
):
    figure = tmp_path / f"map.{suffix}"
    drawn = ("plot", rra_store, "--kind", "contribution", "--sequence", 1, "-o", figure)
    status, output, _ = called(monkeypatch, capsys, *drawn)
    assert status == 0
    assert str(figure) in output

    _, output, _ = called(monkeypatch, capsys, "info", figure)

    assert "--kind contribution --sequence 1" in output
    assert attnviz.trace_digest(rra_store) in output


def test_numbers_of_a_plot(monkeypatch, capsys, tmp_path, rra_store):
    figure, numbers = tmp_path / "map.pdf", tmp_path / "map.csv"

    called(monkeypatch, capsys, "plot", rra_store, "-o", figure, "--numbers", numbers)

    rows = [line for line in numbers.read_text().splitlines() if not line.startswith("#")]
    attention = attnviz.signal(traces.rra(), "attention")
    length = attnviz.open_trace(rra_store).tree["length"].values[0]
    assert len(rows) - 1 == length * attention.sizes["head"] * attention.sizes["lag"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("plot", "{trace}", "--kind", "heat", "-o", "x.png"), "no kind 'heat'; there are heatmap"),
        (("plot", "{trace}", "--sequence", 99, "-o", "x.png"), "has no sequence 99"),
        (("plot", "{trace}", "-o", "x.bmp"), "ends in '.bmp'"),
        (("plot", "{trace}", "--tokens", "3-5", "-o", "x.png"), "such as 100:160, got '3-5'"),
        (("plot", "{trace}", "--kind", "feature-attention", "-o", "x.png"), "feature_attention"),
        (("plot", "nowhere.zarr", "-o", "x.png"), "no trace at nowhere.zarr"),
        (("info", "{table}"), "table.csv is not a trace: expected a directory"),
        (("record", "nobody", "--text", "hi", "-o", "t.zarr"), "no model 'nobody'"),
        (("record", "nobody", "-o", "no/where/t.zarr"), "folder no/where does not exist"),
        (("train", "rnn", "imdb"), "no cell 'rnn'; there are rra, larnn"),
        (("train", "rra", "imbd"), "no task 'imbd'"),
        (("train", "rra", "{table}"), "--text COLUMN"),
        (("train", "rra", "{table}", "--text", "body", "--label", "b"), "body"),
    ],
)
def test_a_mistake_is_one_message_and_no_traceback(
    monkeypatch, capsys, tmp_path, rra_store, arguments, message
):
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "table.csv"
    table.write_text("a,b\nx,1\ny,0\n")
    filled = [str(a).format(trace=rra_store, table=table) for a in arguments]

    status, _, error = called(monkeypatch, capsys, *filled)

    assert status == 1
    assert message in " ".join(error.split())
    assert error.count("attnviz:") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rra.zarr", "table.csv"]


def test_a_store_cut_off_or_of_a_newer_version_is_explained(
    monkeypatch, capsys, tmp_path, rra_store
):
    described = rra_store / "zarr.json"
    attributes = json.loads(described.read_text())
    attributes["attributes"]["format"] = "attnviz-trace/2"
    described.write_text(json.dumps(attributes))
    status, _, error = called(monkeypatch, capsys, "info", rra_store)
    assert status == 1
    assert "attnviz-trace/2" in error

    described.write_text(described.read_text()[:50])
    status, _, error = called(monkeypatch, capsys, "info", rra_store)
    assert status == 1
    assert "Traceback" not in error


def table_of_reviews(path):
    random = np.random.default_rng(0)
    rows = ["text,label"]
    for number in range(160):
        mood = ("fine", "good") if number % 2 else ("poor", "bad")
        filler = " ".join(random.choice(["the", "film", "was", "and", "plot"], size=6))
        rows.append(f'"{filler} {random.choice(mood)}, {number}",{"up" if number % 2 else "down"}')
    path.write_text("\n".join(rows) + "\n")


def test_a_table_of_ones_own_goes_from_training_to_a_figure(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    table_of_reviews(tmp_path / "reviews.csv")
    train = ("train", "rra", "reviews.csv", "--text", "text", "--label", "label", "--hidden", 5)
    train = (*train, "--epochs", 2, "--batch-size", 16, "--option", "window=3", "--run", "run")

    status, output, error = called(monkeypatch, capsys, *train, "--test")
    assert status == 0, error
    assert "epoch 1: loss" in output
    assert "Test accuracy" in output
    status, _, error = called(
        monkeypatch, capsys, "record", "run", "--text", "the good, bad plot", "-o", "own.zarr"
    )
    assert status == 0, error
    (told,) = [line for line in output.splitlines() if line.startswith("Next: attnviz ")]
    status, _, error = called(monkeypatch, capsys, *told.removeprefix("Next: attnviz ").split())
    assert status == 0, error
    assert attnviz.open_trace("trace.zarr").tree.attrs["split"] == "test"
    status, _, error = called(
        monkeypatch, capsys, "plot", "own.zarr", "--kind", "text", "-o", "own.pdf"
    )
    assert status == 0, error
    trace = attnviz.open_trace("own.zarr")
    assert attnviz.tokens(trace, 0) == ["the", "good", ",", "bad", "plot"]
    assert attnviz.signal(trace, "attention").sizes["lag"] == 3


def test_the_adding_problem_goes_from_training_to_a_figure(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "attnviz.tasks.load_adding", partial(load_adding, epoch_size=64, held_out=9)
    )
    train = ("train", "rra", "adding", "--length", 12, "--hidden", 4, "--epochs", 2, "--test")

    status, output, error = called(monkeypatch, capsys, *train, "--option", "window=3")
    assert status == 0, error
    assert "epoch 1: loss" in output and "accuracy" not in output
    assert (
        "validation mean squared error" in output
        and "the mean: 0.1667, solved below 0.0833" in output
    )
    assert "Test mean squared error" in output
    (told,) = [line for line in output.splitlines() if line.startswith("Next: attnviz ")]
    status, output, error = called(
        monkeypatch, capsys, *told.removeprefix("Next: attnviz ").split()
    )
    assert status == 0, error
    assert "Recorded 9 sequences in trace.zarr" in output
    trace = attnviz.open_trace("trace.zarr")
    assert trace.tree.attrs["task"] == "adding-12" and trace.tree.attrs["split"] == "test"
    plot = ("plot", "trace.zarr", "--kind", "heatmap", "-o", "adding.pdf")
    status, _, error = called(monkeypatch, capsys, *plot)
    assert status == 0, error

    status, _, error = called(monkeypatch, capsys, "train", "gru", "adding", "--limit", 3)
    assert status == 1 and "--limit means nothing for the task adding" in error
    status, _, error = called(monkeypatch, capsys, "train", "gru", "imdb", "--length", 3)
    assert status == 1 and "--length means nothing for the task imdb" in error
    record = ("record", "runs/rra-adding-12", "--task", "adding", "-o", "other.zarr")
    status, _, error = called(monkeypatch, capsys, *record, "--split", "train")
    assert status == 1 and "it has the splits ['test', 'validation'], got 'train'" in error
    status, _, error = called(
        monkeypatch, capsys, "record", "gru-imdb", "--task", "adding", "-o", "other.zarr"
    )
    assert status == 1 and "gru-imdb was not trained on the adding problem" in error


def test_help_of_every_command_has_an_example(monkeypatch, capsys):
    for command in ("demo", "train", "record", "info", "plot"):
        status, output, _ = called(monkeypatch, capsys, command, "--help")
        assert status == 0
        assert f"attnviz {command}" in output


def test_version(monkeypatch, capsys):
    _, output, _ = called(monkeypatch, capsys, "--version")
    assert output.strip() == f"attnviz {attnviz.__version__}"


def test_a_store_of_other_texts_is_not_taken_for_this_recording(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    record = ("record", "gru-imdb", "-o", "t.zarr", "--text")
    assert called(monkeypatch, capsys, *record, "A totally different text")[0] == 0

    status, _, error = called(monkeypatch, capsys, *record, "Another words here now")

    assert status == 1
    assert "another recording" in error
    assert attnviz.tokens(attnviz.open_trace("t.zarr"), 0)[1] == "totally"
    assert called(monkeypatch, capsys, *record, "A totally different text")[0] == 0


def test_the_keyboard_stops_a_command_with_a_word(monkeypatch, capsys, tmp_path):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("attnviz.pretrained.load_model", stopped)
    record = ("record", "gru-imdb", "--text", "fine", "-o", tmp_path / "t.zarr")

    status, _, error = called(monkeypatch, capsys, *record)

    assert status == 130
    assert "What was finished is kept" in error


@pytest.mark.slow
def test_the_demo_draws_every_kind_and_replaces_its_own_traces(monkeypatch, capsys, tmp_path):
    foreign = traces.rra()
    attnviz.save_trace(foreign, tmp_path / "out" / "traces" / "gru-imdb.zarr")

    status, output, error = called(monkeypatch, capsys, "demo", "-o", tmp_path / "out")

    assert status == 0, error
    names = {path.name for path in (tmp_path / "out").iterdir()}
    for cell in ("rra", "larnn"):
        for kind in ("heatmap", "contribution", "lag-kernel"):
            assert {f"{cell}-{kind}.pdf", f"{cell}-{kind}.png"} <= names
    for cell in ("rau", "lstm", "gru"):
        assert f"{cell}-gate-attention.pdf" in names
    assert {"rau-feature-attention.pdf", "rra-text.png"} <= names
    assert output.count(".pdf") == sum(name.endswith(".pdf") for name in names)
    trace = attnviz.open_trace(tmp_path / "out" / "traces" / "gru-imdb.zarr")
    assert trace.tree.attrs["model"] == "gru-imdb"
