import functools
import json
import shutil

import pytest
from rich.console import Console

import attnviz
from attnviz.cards import SHIPPED
from attnviz.cli import console, models
from tests.attnviz.cli.shell import called


def test_all_that_ship_are_listed_with_their_accuracy(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    status, said, _ = called(monkeypatch, capsys, "models")
    assert status == 0
    row = next(line for line in said.splitlines() if line.startswith("gru-imdb"))
    assert row.split()[:3] == ["gru-imdb", "GRU", "imdb"]
    assert "536,962" in row and "89.43%" in row and "89.68%" in row
    row = next(line for line in said.splitlines() if line.startswith("larnn-row-mnist"))
    assert row.split()[:3] == ["larnn-row-mnist", "LARNN", "row-mnist"]
    assert "1 × 128" in row and "98.24%" in row and "98.37%" in row


def test_runs_in_the_folder_runs_are_found_without_saying(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SHIPPED / "rra-imdb", tmp_path / "runs" / "mine" / "model")
    _, said, _ = called(monkeypatch, capsys, "models", "--quiet")
    assert said.split() == [*attnviz.shipped_models(), "runs/mine"]
    assert {"gru-imdb", "larnn-imdb", "lstm-imdb", "rau-imdb", "rra-imdb"} < {*said.split()}


def test_json_is_json_and_nothing_else(monkeypatch, capsys, tmp_path):
    shutil.copytree(SHIPPED / "rra-imdb", tmp_path / "mine" / "model")
    status, said, _ = called(monkeypatch, capsys, "models", tmp_path, "--json")
    found = json.loads(said)
    assert status == 0 and len(found) == len(attnviz.shipped_models()) + 1
    assert found[-1]["folder"] == str(tmp_path / "mine") and not found[-1]["shipped"]
    assert found[-1]["test"]["accuracy"] == 0.89292
    assert found[-1]["options"] == {"forget_bias": 1.0, "window": 10}


def test_long_folders_are_not_cut(monkeypatch, capsys, tmp_path):
    long = tmp_path / ("a" * 60)
    shutil.copytree(SHIPPED / "rra-imdb", long)
    _, said, _ = called(monkeypatch, capsys, "models", long)
    assert str(long) in said


def test_a_folder_that_is_not_there_is_one_message(monkeypatch, capsys, tmp_path):
    status, said, message = called(monkeypatch, capsys, "models", tmp_path / "nowhere")
    assert status == 1 and not said
    assert message.startswith("attnviz: There is no folder") and "Traceback" not in message


def test_a_run_that_was_interrupted_says_how_to_go_on(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "sig"
    run.mkdir(parents=True)
    begun = "attnviz train gru adding --run runs/sig"
    (run / "recipe.json").write_text(json.dumps({"recipe": {}, "data": {}, "command": begun}))
    status, said, _ = called(monkeypatch, capsys, "models")
    assert status == 0 and said.rstrip().endswith(f"Go on with {begun}")
    assert "runs/sig" not in called(monkeypatch, capsys, "models", "--quiet")[1]

    status, _, message = called(monkeypatch, capsys, "record", "runs/sig", "--text", "x", "-o", "t")
    assert status == 1 and f"has not come to the end of an epoch. Go on with {begun}" in message
    (run / "recipe.json").write_text("{}")
    _, said, _ = called(monkeypatch, capsys, "models")
    assert "Go on with what began it, such as attnviz train" in said


def test_a_model_that_is_not_there_is_answered_with_those_that_are(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SHIPPED / "rra-imdb", tmp_path / "runs" / "mine" / "model")
    _, _, message = called(monkeypatch, capsys, "record", "runs/mien", "--text", "x", "-o", "t")
    assert f"{attnviz.shipped_models()}, nor one of your runs, ['runs/mine']." in message


@pytest.mark.parametrize(
    ("width", "size", "parameters"), [(120, True, True), (100, False, True), (80, False, False)]
)
def test_a_narrow_terminal_loses_columns_and_no_letters(
    monkeypatch, capsys, tmp_path, width, size, parameters
):
    monkeypatch.setattr(console, "out", functools.cache(lambda: Console(width=width)))
    monkeypatch.setattr(models, "out", console.out)
    shutil.copytree(SHIPPED / "rra-imdb", tmp_path / "runs" / "rra-imdb-with-another-name")
    monkeypatch.chdir(tmp_path)
    _, said, _ = called(monkeypatch, capsys, "models")
    header, *rows = said.splitlines()
    assert ("size" in header, "parameters" in header) == (size, parameters)
    assert header.split()[-2:] == ["validation", "test"] and "…" not in said
    own = len(attnviz.shipped_models())
    assert rows[own].split()[0] == "runs/rra-imdb-with-another-name"
    assert rows[own].endswith("89.29%")
    assert max(map(len, [header, *rows[: own + 1]])) <= width
