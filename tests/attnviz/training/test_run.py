import dataclasses
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from attnviz import load_model
from attnviz.models import build_model
from attnviz.training import open_run, score, score_test, train
from attnviz.training.data import TextData
from attnviz.training.module import Classifier
from attnviz.training.writing import described_run
from tests.attnviz.training.runs import history_of
from tests.attnviz.training.tiny import tiny_recipe, tiny_task

ROOT = Path(__file__).parents[3]


def start(cell, folder):
    return subprocess.Popen(
        [sys.executable, "-m", "tests.attnviz.training.killed", cell, str(folder)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "kills"), [("rra", [3, 8]), ("larnn", [1, 12])])
def test_a_killed_run_goes_on_to_the_same_weights(tmp_path, cell, kills):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    process = start(cell, whole)
    process.communicate()
    assert process.returncode == 0

    for step in kills:
        process = start(cell, cut)
        for line in process.stdout:
            if int(line) >= step:
                process.send_signal(signal.SIGKILL)
                break
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    process = start(cell, cut)
    assert int(process.stdout.readline()) > 1  # it did go on
    process.communicate()
    assert process.returncode == 0

    assert history_of(cut) == history_of(whole)
    for name in ("model.safetensors", "vocabulary.txt"):
        assert (cut / "model" / name).read_bytes() == (whole / "model" / name).read_bytes()
    last, expected = (
        torch.load(folder / "checkpoint.ckpt", weights_only=True) for folder in (cut, whole)
    )
    for name, values in expected["model"].items():
        assert torch.equal(values, last["model"][name]), name


def test_a_run_learns_keeps_its_best_epoch_and_is_scored_once(tmp_path):
    task, seen = tiny_task(), []

    run = train(tiny_recipe("gru", epochs=8), task, tmp_path / "run", report=seen.append)

    assert [row["epoch"] for row in run.history] == list(range(1, 9))
    assert run.history == tuple(seen)
    assert run.history[-1]["train_loss"] < 0.8 * run.history[0]["train_loss"]
    best = max(row["validation_accuracy"] for row in run.history)
    found = score(run.model(), task, "validation", run.recipe)
    assert found["accuracy"] == pytest.approx(best, abs=1e-6)
    assert run.best["validation_accuracy"] == best

    first = score_test(run, task)
    card = load_model(tmp_path / "run").card
    assert card["test"] == first == score_test(run, task)
    assert card["validation"]["accuracy"] == best
    assert card["data"] == {"source": "made here"}
    assert card["recipe"]["model"]["cell"] == "gru"


def test_a_finished_run_is_not_trained_again(tmp_path):
    first = train(tiny_recipe("gru"), tiny_task(), tmp_path)
    weights = (tmp_path / "model" / "model.safetensors").stat().st_mtime_ns

    again = train(tiny_recipe("gru"), tiny_task(), tmp_path)

    assert again.history == first.history == open_run(tmp_path).history
    assert (tmp_path / "model" / "model.safetensors").stat().st_mtime_ns == weights


def test_a_run_of_another_recipe_is_not_overwritten(tmp_path):
    train(tiny_recipe("gru", epochs=1), tiny_task(), tmp_path)

    with pytest.raises(ValueError, match=r"another recipe.*recipe\.learning_rate is 0\.02"):
        train(tiny_recipe("gru", epochs=1, learning_rate=0.5), tiny_task(), tmp_path)
    with pytest.raises(ValueError, match=r"another folder \(--run FOLDER\), or delete"):
        train(tiny_recipe("rra", epochs=1), tiny_task(), tmp_path)


def test_nothing_is_written_before_the_model_can_be_built(tmp_path):
    recipe = tiny_recipe("rra")
    wrong = dataclasses.replace(recipe.model, options={"windo": 5})

    with pytest.raises(ValueError, match="does not take the option 'windo'"):
        train(dataclasses.replace(recipe, model=wrong), tiny_task(), tmp_path / "run")
    with pytest.raises(ValueError, match="found no word"):
        train(dataclasses.replace(recipe, minimum_count=999), tiny_task(), tmp_path / "run")

    assert not (tmp_path / "run").exists()
    train(dataclasses.replace(recipe, epochs=1), tiny_task(), tmp_path / "run")


def test_words_are_prepared_with_progress(tmp_path, monkeypatch):
    monkeypatch.setattr("attnviz.training.data.TOLD", 50)
    told, steps = [], []

    train(
        tiny_recipe("gru", epochs=1), tiny_task(), tmp_path,
        preparing=lambda *at: told.append(at), progress=lambda *at: steps.append(at),
    )  # fmt: skip

    whole = 2 * 83 + 23  # the training texts are read twice
    assert told == [(50, whole), (100, whole), (150, whole), (whole, whole)]
    assert steps == [(done, 5) for done in range(6)]


def test_damaged_and_missing_runs_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no run: it has no recipe\.json"):
        open_run(tmp_path)
    train(tiny_recipe("gru", epochs=1), tiny_task(), tmp_path / "run")
    path = tmp_path / "run" / "checkpoint.ckpt"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match="is damaged"):
        open_run(tmp_path / "run")
    path.write_bytes(b"garbage " * 100)
    with pytest.raises(ValueError, match="is damaged"):
        open_run(tmp_path / "run")


@pytest.mark.parametrize("left", ["", '{"recipe": {', "{}", "[]", '{"recipe": {"model": {}}}', "ü"])
def test_a_damaged_recipe_is_named(tmp_path, left):
    run = train(tiny_recipe("gru", epochs=1), tiny_task(), tmp_path)
    path = tmp_path / "recipe.json"
    path.write_bytes(left.encode("latin-1"))
    with pytest.raises(ValueError, match=r"recipe\.json does not hold .* delete it and train as"):
        open_run(tmp_path)
    path.unlink()
    train(tiny_recipe("gru", epochs=1), tiny_task(), tmp_path)
    assert open_run(tmp_path) == run


def test_a_loss_that_is_not_finite_stops_the_run():
    task, recipe = tiny_task(), tiny_recipe("gru")
    data = TextData(task, recipe)
    module = Classifier(build_model(recipe.model), recipe)
    torch.nn.init.constant_(module.model.head.bias, torch.nan)

    with pytest.raises(FloatingPointError, match=r"loss is nan at batch 7.*Lower the learning"):
        module.training_step(data.train.batch([0, 1]), 7)


def test_what_cannot_be_trained_is_refused(tmp_path):
    with pytest.raises(ValueError, match="epochs above 0, got 0"):
        tiny_recipe(epochs=0)
    task = tiny_task()
    recipe = tiny_recipe("gru")
    three = dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, outputs=3))
    with pytest.raises(ValueError, match="3 classes apart, but the task has 2"):
        train(three, task, tmp_path)


def test_a_model_is_no_recipe(tmp_path, unchecked):
    with pytest.raises(TypeError, match=r"train takes a Recipe, .*got SequenceModel\. .*own"):
        train(build_model(tiny_recipe("gru").model), tiny_task(), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_lag_scores_do_not_decay():
    recipe = tiny_recipe("rra", weight_decay=0.1)
    model = build_model(recipe.model)

    groups = Classifier(model, recipe).configure_optimizers().param_groups

    decays = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    assert len(decays) == len(list(model.parameters()))
    for name, parameter in model.named_parameters():
        assert decays[id(parameter)] == (0.0 if name.endswith("lag_scores") else 0.1)


def test_a_stop_from_the_keyboard_is_passed_on_and_the_run_can_go_on(tmp_path):
    def stop_at_seven(done, total):
        if done == 7:
            raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    whole = train(tiny_recipe("gru"), tiny_task(), tmp_path / "whole")

    with pytest.raises(KeyboardInterrupt):
        train(
            tiny_recipe("gru"),
            tiny_task(),
            tmp_path / "cut",
            checkpoint_every=2,
            progress=stop_at_seven,
        )
    assert signal.getsignal(signal.SIGINT) is before
    cut = train(tiny_recipe("gru"), tiny_task(), tmp_path / "cut")

    assert history_of(tmp_path / "cut") == history_of(tmp_path / "whole")
    assert cut.best["validation_accuracy"] == whole.best["validation_accuracy"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["/usr/bin/attnviz", "train", "rra", "adding"], "attnviz train rra adding"),
        (["/x/attnviz/cli/__main__.py", "study", "run", "a b"], "attnviz study run 'a b'"),
        (["/home/me/waves.py", "--fast"], "python waves.py --fast"),
        (["/x/ipykernel_launcher.py", "-f", "kernel.json"], ""),
        ([""], ""),
        (["-c", "1"], ""),
    ],
)
def test_a_run_says_what_began_it(typed, said, monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", typed)
    text = described_run(tmp_path / "run", tiny_recipe("gru"), tiny_task())
    assert json.loads(text)["command"] == said
