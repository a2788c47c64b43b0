"""`attnviz study`: run, tables, and what a mistake says."""

import os
import signal
import subprocess
import sys

import pytest

from attnviz.studies.tables import BEGIN, END
from tests.attnviz.cli.shell import called, environment
from tests.attnviz.studies.small import TEXT

QUICK = TEXT.replace('["rra", "lstm", "gru"]', '["lstm", "gru"]').replace("count = 2", "count = 1")
QUICK = QUICK[: QUICK.index("[[question]]")]


def test_a_study_runs_and_gives_tables(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results").mkdir()
    path = tmp_path / "results" / "quick.toml"
    path.write_text(QUICK)
    options = ("--runs", "runs", "--results", "results")

    code, said, _ = called(
        monkeypatch, capsys, "study", "run", path, *options, "--cell", "gru", "--budget", "0"
    )
    assert code == 0
    assert "quick: 0 of 5 runs are finished." in said and "5 are left" in said
    code, said, _ = called(monkeypatch, capsys, "study", "run", path, *options)
    assert code == 0
    assert "quick: gru-trial-000 with learning_rate" in said
    assert "epoch 1: validation loss" in said
    assert "quick: 8 of 8 runs are finished." in said

    code, table, _ = called(monkeypatch, capsys, "study", "tables", "results")
    assert code == 0 and table.startswith("### quick\n") and "| GRU | 6 | 175 | 2 |" in table
    called(monkeypatch, capsys, "study", "tables", "results", "-o", "out.md")
    assert (tmp_path / "out.md").read_text() == table
    (tmp_path / "README.md").write_text(f"{BEGIN}\n{END}\n")
    called(monkeypatch, capsys, "study", "tables", "results", "--into", "README.md")
    assert (tmp_path / "README.md").read_text() == f"{BEGIN}\n{table}{END}\n"

    code, both, _ = called(monkeypatch, capsys, "study", "recipes", "results/quick")
    assert code == 0 and "[tuned.lstm]\nbatch_size = 8\n" in both and "[tuned.gru]\n" in both
    called(
        monkeypatch, capsys,
        "study", "recipes", "results/quick", "--cell", "gru", "-o", "gru.toml",
    )  # fmt: skip
    one = (tmp_path / "gru.toml").read_text()
    assert one in both and one.startswith("[tuned.gru]\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "none.toml"), "There is no study at none.toml"),
        (("run", "bad.toml"), "score can be accuracy, loss, perplexity"),
        (("tables", "none"), "none holds neither a study nor results of one"),
        (("tables", ".", "-o", "x.md", "--into", "y.md"), "Give either -o FILE.md"),
        (("tables", ".", "-o", "x.txt"), "study tables writes .md"),
        (("recipes", "."), ". holds no results of a study"),
        (("recipes", ".", "-o", "x.yaml"), "study recipes writes .toml"),
    ],
)
def test_a_mistake_is_one_message(tmp_path, monkeypatch, capsys, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.toml").write_text(TEXT.replace('score = "loss"', 'score = "f1"'))
    code, _, err = called(monkeypatch, capsys, "study", *arguments)
    assert code == 1
    assert said in err and "Traceback" not in err


def test_stopped_by_the_keyboard_it_goes_on_from_a_checkpoint(tmp_path, monkeypatch, capsys):
    path = tmp_path / "quick.toml"
    path.write_text(QUICK.replace("epoch_size = 48", "epoch_size = 4800"))
    places = ("--runs", tmp_path / "runs", "--results", tmp_path / "results")
    command = [sys.executable, "-m", "attnviz.cli", "study", "run", path, *places]
    process = subprocess.Popen(
        list(map(os.fspath, command)), env=environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while "lstm-trial-000 with" not in process.stdout.readline():
        pass
    run = tmp_path / "runs" / "quick" / "lstm-trial-000" / "run"
    while not (run / "checkpoint.ckpt").exists():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    said, complained = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "A checkpoint is written at step" in said and "goes on from there" in complained

    code, said, _ = called(
        monkeypatch, capsys, "study", "run", path, *places, "--cell", "lstm", "--budget", "0.01"
    )
    assert code == 0 and "Resuming at step" in said


def test_a_study_without_results_is_not_taken_for_a_trace(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick.toml").write_text(QUICK)
    code, _, err = called(monkeypatch, capsys, "plot", "quick", "-o", "curves.pdf")
    assert code == 1 and "The study of quick.toml has no results yet" in err
    (tmp_path / "quick").mkdir()
    (tmp_path / "quick" / "study.toml").write_text(QUICK)
    asked = ("--kind", "learning-curves", "-o", "curves.pdf")
    code, _, err = called(monkeypatch, capsys, "plot", "quick", *asked)
    assert code == 1 and "quick has no final run that is finished" in err
