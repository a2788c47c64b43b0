"""What diverges is said to have, stops no other run, and is never chosen."""

import csv
import math

import pytest
import torch

from attnviz.models import build_model
from attnviz.studies import choose, open_results, update_results
from attnviz.studies.jobs import Job
from attnviz.studies.running import run_study
from attnviz.training.history import rank
from attnviz.training.module import learner_for
from tests.attnviz.studies.made import record, run_folders, study
from tests.attnviz.studies.small import TEXT, small
from tests.attnviz.training.tiny import number_recipe

HUGE = TEXT.replace("{log_uniform = [1e-3, 5e-2]}", "{choice = [1e38]}").replace(
    "epochs = 3", 'epochs = 3\noptimiser = "sgd"\nclip = "none"'
)


def worked(place, text, **options):
    read, task = small(text)
    done = run_study(read, task, place / "runs", place / "results", **options)
    return done, open_results(place / "results" / "small")[1]


def test_a_first_epoch_that_cannot_be_validated_does_not_stop_the_others(tmp_path):
    one_step = HUGE.replace("epoch_size = 48", "epoch_size = 8")
    done, records = worked(tmp_path, one_step, cells=["lstm", "gru"])
    assert [one.status for one in records] == ["diverged"] * 4
    assert [one.validation for one in records] == [None] * 4
    assert all(one.parameters > 100 for one in records)
    assert {job.phase for job in done.open} == {"final"}  # nothing is there to choose


def test_weights_of_rra_that_cancel_are_a_divergence(tmp_path, monkeypatch):
    from cells.rra import CancellingWeightsError, RRACell

    def cancelling(self, batch):
        if not self.training:
            raise CancellingWeightsError("They cancel.")

    monkeypatch.setattr(RRACell, "before_sequence", cancelling)
    done, records = worked(tmp_path, TEXT, cells=["rra", "gru"])
    assert {one.status for one in records if one.job.cell == "rra"} == {"diverged"}
    assert {one.status for one in records if one.job.cell == "gru"} == {"finished"}
    assert {job.cell for job in done.open} == {"rra"}


def test_a_test_score_that_is_no_number_is_a_divergence(tmp_path, monkeypatch):
    import attnviz.studies.running as running

    monkeypatch.setattr(running, "score_test", lambda run, task: {"loss": math.nan})
    _, records = worked(tmp_path, TEXT, cells=["gru"])
    finals = [one for one in records if one.job.phase == "final"]
    assert [(one.status, one.test) for one in finals] == [("diverged", None)] * 4
    assert all(one.validation > 0 for one in finals)


def test_a_batch_without_a_loss_is_not_left_out_of_the_validation():
    recipe = number_recipe("gru")
    learner = learner_for(build_model(recipe.model), recipe)
    learner.seen = [1.0, 1.0, 1.0]
    for bad in (0.0, math.nan):
        learner.note(torch.tensor([[0.0, 1.0, bad]]), torch.tensor([1]))
    assert math.isnan(learner.take_scores()["validation_loss"])


def test_an_epoch_without_a_loss_is_below_all_others():
    rows = [{"validation_loss": loss, "epoch": 0} for loss in (math.nan, 7.0, math.inf, 3.0)]
    assert max(rows, key=rank)["validation_loss"] == 3.0
    told = {"validation_loss": math.nan, "validation_accuracy": 0.9}
    assert rank(told) == -math.inf
    assert rank({**told, "validation_loss": math.inf}) == 0.9


@pytest.mark.parametrize("score", ["accuracy", "perplexity"])
def test_a_trial_without_a_score_is_not_chosen(score):
    def tried(number, value):
        values = {"validation": value, "validation_loss": value}
        return record("rra", number, None, phase="trial", **values)

    held = [tried(0, math.nan), tried(1, 0.1)]
    assert choose(study(score), "rra", held).job.number == 1


def test_results_that_hold_nan_are_brought_up_to_date_once(tmp_path, monkeypatch):
    from attnviz.studies import results

    made, one = study(), record("rra", 0, 0.5, validation_loss=math.nan)
    update_results(made, run_folders(tmp_path, [one]), tmp_path / "results")
    written = []
    write = results._write

    def counted(*given):
        written.append(given)
        assert len(written) < 5
        write(*given)

    monkeypatch.setattr(results, "_write", counted)
    update_results(made, tmp_path / "none", tmp_path / "results")
    assert len(written) == 1
    with (tmp_path / "results" / "finals.csv").open(newline="") as file:
        assert [row["test"] for row in csv.DictReader(file)] == ["0.5"]
    assert open_results(tmp_path / "results")[1][0].job == Job("rra", "final", 0)
