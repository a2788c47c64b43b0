"""Checks of whether a task is solved: when, on what, and nothing of the training touched."""

import dataclasses
import subprocess
import sys

import numpy as np
import pytest
import torch

from attnviz.models import ModelSettings
from attnviz.modes import evaluated
from attnviz.tasks import load_adding
from attnviz.training import Recipe, open_run, train
from attnviz.training.checks import Check, SolvedChecks, read_checks, solved_at
from attnviz.training.resume import load_checkpoint
from tests.attnviz.cli.shell import environment

RECIPE = Recipe(
    ModelSettings("gru", hidden_size=5, outputs=1, head="regression", input_size=2, dropout=0.2),
    batch_size=8, epochs=3, limit=None, learning_rate=0.02, seed=3,
)  # fmt: skip


def task(solved=1 / 12):
    made = load_adding(5, epoch_size=56, held_out=20)  # 7 steps an epoch
    return dataclasses.replace(made, solved=solved)


def checks(folder, solved=1 / 12, **options):
    return SolvedChecks(
        task(solved), folder / "checks.csv", seed=3, **{"every": 3, "sequences": 300, **options}
    )


def weights(folder):
    return load_checkpoint(folder / "checkpoint.ckpt")["model"]


@pytest.mark.parametrize(
    ("losses", "consecutive", "at"),
    [
        ([9, 1, 1, 1, 9], 3, 40),
        ([1, 1, 9, 1, 1, 9], 3, None),
        ([1, 1, 9, 1, 1, 1], 3, 60),
        ([9, 2, 2, 2], 3, None),  # the bar itself is not below it
        ([9, 9, 1], 1, 30),
        ([], 3, None),
    ],
)
def test_solved_at_the_last_of_the_first_checks_in_a_row(losses, consecutive, at):
    made = [Check(10 * (place + 1), float(loss)) for place, loss in enumerate(losses)]
    assert solved_at(made, 2.0, consecutive=consecutive) == at


def test_it_checks_every_so_many_iterations_over_all_epochs(tmp_path):
    train(RECIPE, task(), tmp_path, callbacks=[checks(tmp_path)])
    assert [check.step for check in read_checks(tmp_path / "checks.csv")] == list(range(3, 22, 3))


def test_a_check_is_the_error_of_the_model_on_fresh_sequences(tmp_path):
    seen = []

    class Seeing(SolvedChecks):
        def _loss(self, model, step):
            fresh = self.task.draw(self.sequences, np.random.default_rng([3, self.seed, step]))
            with evaluated(model), torch.no_grad():
                predicted = model(torch.from_numpy(fresh.features)).numpy()
            seen.append(float(((predicted - fresh.targets) ** 2).mean()))
            return super()._loss(model, step)

    made = Seeing(task(), tmp_path / "checks.csv", seed=3, every=3, sequences=300)
    train(RECIPE, task(), tmp_path, callbacks=[made])
    found = [check.loss for check in read_checks(tmp_path / "checks.csv")]
    assert found == pytest.approx(seen, rel=1e-5)
    assert len(set(found)) == 7


def test_what_is_checked_on_is_nothing_that_is_trained_or_scored_on():
    made = task()
    draws = [made.draw(8, np.random.default_rng([3, 3, step])).features for step in range(3)]
    trained = [made.fresh(8, seed=3, step=step).features for step in range(21)]
    held = [split.features[:8] for split in made.splits.values()]
    assert not any(np.array_equal(one, other) for one in draws for other in trained + held)


def test_the_training_is_the_same_with_and_without_checks(tmp_path):
    plain = train(RECIPE, task(), tmp_path / "plain")
    checked = train(RECIPE, task(), tmp_path / "checked", callbacks=[checks(tmp_path / "checked")])
    for name, one in weights(tmp_path / "plain").items():
        assert torch.equal(one, weights(tmp_path / "checked")[name]), name
    assert [row["validation_loss"] for row in plain.history] == [
        row["validation_loss"] for row in checked.history
    ]


@pytest.mark.parametrize("stop", [False, True])
def test_it_ends_with_the_epoch_in_which_it_was_solved(tmp_path, stop):
    made = checks(tmp_path, solved=100.0, stop=stop)  # passed at steps 3, 6, 9: in the second epoch
    run = train(RECIPE, task(), tmp_path, callbacks=[made])
    assert made.solved == 9
    assert [row["step"] for row in run.history] == ([7, 14] if stop else [7, 14, 21])
    if stop:  # called again, it stays where it is
        before = weights(tmp_path)
        again = train(RECIPE, task(), tmp_path, callbacks=[checks(tmp_path, 100.0, stop=True)])
        assert len(again.history) == 2
        assert all(torch.equal(one, before[name]) for name, one in weights(tmp_path).items())
        plain = train(dataclasses.replace(RECIPE, epochs=2), task(), tmp_path / "plain")
        assert plain.history[-1]["validation_loss"] == run.history[-1]["validation_loss"]


@pytest.mark.parametrize("steps", [3, 8, 9, 10])
def test_killed_at_any_step_the_checks_come_out_the_same(tmp_path, steps):
    script = (
        "import sys; from pathlib import Path;"
        "from tests.attnviz.training.test_checks import *;"
        "folder = Path(sys.argv[1]);"
        "train(RECIPE, task(), folder, checkpoint_every=2, callbacks=[checks(folder)],"
        "progress=lambda done, total: print(done, flush=True))"
    )
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(killed)], env=environment(), stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    while int(process.stdout.readline()) < steps:
        pass
    process.kill()
    process.communicate()
    train(RECIPE, task(), killed, callbacks=[checks(killed)])
    train(RECIPE, task(), whole, callbacks=[checks(whole)])
    assert read_checks(killed / "checks.csv") == read_checks(whole / "checks.csv")
    assert len(open_run(killed).history) == 3


def test_it_needs_a_run_to_count_its_steps(tmp_path):
    from pytorch_lightning import LightningModule, Trainer

    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, callbacks=[])
    with pytest.raises(TypeError, match="SolvedChecks needs a training with ExactResume"):
        checks(tmp_path).on_train_start(trainer, LightningModule())
