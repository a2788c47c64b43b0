"""`attnviz train` of the data sets, and what records and draws what came of it."""

import dataclasses
import json

import numpy as np
import pytest

import attnviz
from attnviz.cli.number_tasks import load_numbers
from attnviz.training import recipe_for, train
from tests.attnviz.cli.shell import called
from tests.attnviz.training.tiny import language_task, number_task

SMALL = ("--hidden", 4, "--epochs", 1, "--batch-size", 16)


def test_labelled_numbers_go_from_training_to_a_report(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    folds = []

    def load(data, *, fold):
        folds.append(fold)
        return number_task(np.uint8)

    monkeypatch.setattr("attnviz.tasks.load_har", load)
    (tmp_path / "small.toml").write_text("[model]\ninput_size = 3\n")
    train = (
        "train",
        "rra",
        "har",
        "--fold",
        2,
        *SMALL,
        "--recipe",
        "small.toml",
        "--option",
        "window=3",
    )

    status, output, error = called(monkeypatch, capsys, *train, "--test")
    assert status == 0, error
    assert "validation accuracy" in output and "Test accuracy" in output
    (told,) = [line for line in output.splitlines() if line.startswith("Learning curve: attnviz ")]
    status, _, error = called(monkeypatch, capsys, *told.partition(" attnviz ")[2].split())
    assert status == 0 and (tmp_path / "curve.pdf").stat().st_size > 1000, error
    (told,) = [line for line in output.splitlines() if line.startswith("Next: attnviz ")]
    told = told.removeprefix("Next: attnviz ").split()
    status, output, error = called(monkeypatch, capsys, *told)
    assert status == 0, error
    assert folds == [2, 2]  # recording reads the splits of the training
    assert "Recorded 100 sequences of rises (test split) in trace.zarr" in output
    trace = attnviz.open_trace("trace.zarr")
    assert trace.tree.attrs["task"] == "rises" and trace.tree.attrs["split"] == "test"
    assert trace.tree["id"].values[:3].tolist() == ["test/0", "test/3", "test/6"]
    assert attnviz.signal(trace, "attention").shape == (100, 5, 1, 3)
    plot = ("plot", "trace.zarr", "--kind", "heatmap", "-o", "har.pdf")
    status, _, error = called(monkeypatch, capsys, *plot)
    assert status == 0, error
    of_run = ("--model", "runs/rra-rises", "-o", "har.html")
    status, _, error = called(monkeypatch, capsys, "report", "trace.zarr", *of_run)
    assert status == 0, error
    status, _, error = called(monkeypatch, capsys, "report", "runs/rra-rises", "-o", "run.html")
    assert status == 1 and "attnviz report trace.zarr --model runs/rra-rises" in error
    assert not (tmp_path / "run.html").exists()

    record = ("record", "gru-imdb", "--task", "har", "-o", "other.zarr")
    status, _, error = called(monkeypatch, capsys, *record)
    assert status == 1 and "gru-imdb was not trained on har, but on imdb" in error


def test_a_language_model_goes_from_training_to_a_figure(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    task = language_task()
    monkeypatch.setattr("attnviz.tasks.load_ptb", lambda data: task)
    train = ("train", "rra", "ptb", "--recipe", "paper", "--hidden", 6, "--epochs", 1)

    status, output, error = called(monkeypatch, capsys, *train, "--option", "window=3", "--test")
    assert status == 0, error
    assert "perplexity" in output and "validation perplexity" in output
    assert "Test perplexity" in output
    kept = json.loads((tmp_path / "runs" / "rra-circle" / "recipe.json").read_text())["recipe"]
    assert (kept["bptt"], kept["carry_windows"], kept["optimiser"]) == (20, False, "sgd")
    record = ("record", "runs/rra-circle", "--task", "ptb", "-o", "trace.zarr")
    status, output, error = called(monkeypatch, capsys, *record, "--limit", 1)
    assert status == 0, error
    trace = attnviz.open_trace("trace.zarr")
    assert trace.tree["length"].values.tolist() == [95]
    assert np.isfinite(trace.tree["loss"].values[0, :94]).all()
    for kind in ("heatmap", "text"):
        plot = ("plot", "trace.zarr", "--kind", kind, "-o", f"{kind}.pdf")
        status, _, error = called(monkeypatch, capsys, *plot)
        assert status == 0, error
    status, _, error = called(monkeypatch, capsys, "report", "trace.zarr", "-o", "ptb.html")
    assert status == 0, error
    said = attnviz.analysis.outcome(trace, 0).said
    assert said.startswith("perplexity ") and said in (tmp_path / "ptb.html").read_text()
    status, output, error = called(monkeypatch, capsys, "info", "trace.zarr")
    assert status == 0 and said in output, error
    read = ("runs/rra-circle", "--task", "ptb", "--limit", 1)
    of_validation = (*record[:-1], "held.zarr", "--split", "validation")
    status, _, error = called(monkeypatch, capsys, *of_validation)
    assert status == 0, error
    held = attnviz.open_trace("held.zarr")
    status, output, error = called(monkeypatch, capsys, "ablate", *read, "--figure", "lags.pdf")
    assert status == 0, error
    assert "mean over 1 piece of circle (validation split)" in output
    assert "effect on the loss" in output
    for command, kinds in (
        ("influence", ("influence", "influence-map")), ("path-classes", ("path-classes",)),
    ):  # fmt: skip
        status, output, error = called(monkeypatch, capsys, command, *read, "-o", "r.nc")
        assert status == 0 and "from 1 piece of circle" in output, error
        result = attnviz.open_result("r.nc")
        assert result.attrs["task"] == "circle"
        if command == "influence":
            assert result["token"].values[0].tolist() == attnviz.tokens(held, 0)
        for kind in kinds:
            plot = ("plot", "r.nc", "--kind", kind, "-o", f"{kind}.pdf")
            status, _, error = called(monkeypatch, capsys, *plot)
            assert status == 0, error
    status, _, error = called(
        monkeypatch, capsys, "record", "gru-imdb", "--task", "ptb", "-o", "other.zarr"
    )
    assert status == 1 and "gru-imdb was not trained on ptb, but on imdb" in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("har", "--limit", 3), "--limit means nothing for the task har"),
        (("har", "--length", 3), "--length means nothing for the task har"),
        (("row-mnist", "--fold", 3), "--fold means nothing for the task row-mnist"),
        (("adding", "--data", "x"), "--data means nothing for the task adding"),
    ],
)
def test_options_of_other_tasks_are_refused(monkeypatch, capsys, arguments, message):
    status, _, error = called(monkeypatch, capsys, "train", "gru", *arguments)
    assert status == 1 and message in " ".join(error.split())


def test_a_recipe_is_taken_by_its_name_or_from_a_file_and_kept_with_the_run(
    monkeypatch, capsys, tmp_path
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("attnviz.tasks.load_har", lambda data, *, fold: number_task())
    (tmp_path / "mine.toml").write_text(
        "epochs = 1\nbatch_size = 16\nseed = 3\n[model]\nhidden_size = 5\ninput_size = 3\n"
    )
    train = ("train", "gru", "har", "--recipe", "mine.toml", "--run", "run", "--seed", 4)
    status, _, error = called(monkeypatch, capsys, *train)
    assert status == 0, error
    kept = json.loads((tmp_path / "run" / "recipe.json").read_text())["recipe"]
    assert (kept["epochs"], kept["batch_size"], kept["seed"]) == (1, 16, 4)
    assert kept["model"]["hidden_size"] == 5

    status, _, error = called(monkeypatch, capsys, "train", "gru", "har", "--recipe", "paper")
    assert status == 1
    assert "no recipe 'paper' for gru on har; there are start" in " ".join(error.split())
    status, _, error = called(monkeypatch, capsys, "train", "gru", "har", "--recipe", "no.toml")
    assert status == 1 and "no recipe at no.toml" in error


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "name", "shape"),
    [
        ("har", "har", (128, 9)),
        ("row-mnist", "row-mnist", (28, 28)),
        ("row-fashion-mnist", "row-fashion-mnist", (28, 28)),
        ("pixel-mnist", "pixel-mnist", (784, 1)),
        ("permuted-mnist", "permuted-mnist", (784, 1)),
    ],
)
def test_a_few_batches_of_the_real_files_are_learnt_from(full_data, tmp_path, task, name, shape):
    whole = load_numbers(task, full_data)
    assert (whole.name, whole.length, whole.feature_count) == (name, *shape)
    splits = {
        part: split.select(range(0, len(split), len(split) // 128))
        for part, split in whole.splits.items()
    }
    few = dataclasses.replace(whole, splits=splits)
    recipe = recipe_for("gru", task, "start")
    recipe = dataclasses.replace(recipe, epochs=4, batch_size=32, learning_rate=0.01)

    run = train(recipe, few, tmp_path)

    losses = [row["train_loss"] for row in run.history]
    assert losses[-1] < losses[0] < 1.5 * np.log(len(few.classes))
