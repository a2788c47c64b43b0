"""Working through a study: order, equal effort, several processes, killed and resumed."""

import csv
import json
import math
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from attnviz.studies import list_jobs, load_study_task, open_results, parse_study
from attnviz.studies.checking import check_study
from attnviz.studies.claims import claim
from attnviz.studies.jobs import Job
from attnviz.studies.results import gather
from attnviz.studies.running import Watch, run_study
from attnviz.tasks import LanguageSplit, LanguageTask, TextTask
from attnviz.training import open_run
from tests.attnviz.cli.shell import environment
from tests.attnviz.studies.small import TEXT, small, written_table
from tests.attnviz.training.tiny import tiny_task

TIMES = ("seconds", "epoch_seconds", "processor_seconds")


def worked(place, text=TEXT, **options):
    study, task = small(text)
    return run_study(study, task, place / "runs", place / "results", **options)


def tables(place, name="small"):
    """The results without what a clock decides."""
    found = {}
    for path in sorted((place / "results" / name).rglob("*.csv")):
        with path.open(newline="") as file:
            rows = [
                {k: v for k, v in row.items() if k not in TIMES} for row in csv.DictReader(file)
            ]
        found[path.relative_to(place).as_posix()] = rows
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The small study, worked through by one process."""
    place = tmp_path_factory.mktemp("whole")
    done = worked(place)
    return place, done


def test_every_run_is_done_once(whole):
    place, done = whole
    study, records = open_results(place / "results" / "small")
    assert not done.open and not done.held
    assert {one.job for one in records} == {*list_jobs(study)} == {*done.finished}
    assert [row["cell"] for row in tables(place)["results/small/trials.csv"]] == [
        "gru", "gru", "lstm", "lstm", "rra", "rra"
    ]  # fmt: skip


def test_every_cell_gets_something_early():
    study, _ = small()
    first = [job.cell for job in list_jobs(study)[:3]]
    assert sorted(first) == sorted(study.cells)
    assert all(job.phase == "trial" for job in list_jobs(study)[:6])


def test_trials_have_equal_effort(whole):
    place, _ = whole
    runs = place / "runs" / "small"
    for number in range(2):
        recipes = [
            open_run(runs / f"{cell}-trial-00{number}" / "run").recipe
            for cell in ("rra", "lstm", "gru")
        ]
        shared = ("learning_rate", "batch_size", "epochs", "seed", "clip", "weight_decay")
        assert len({tuple(getattr(one, name) for name in shared) for one in recipes}) == 1
        assert len({one.model.dropout for one in recipes}) == 1
        assert recipes[0].epochs == 2 and recipes[0].seed == 7


def test_finals_train_the_setting_that_did_best_on_validation(whole):
    place, _ = whole
    _, records = open_results(place / "results" / "small")
    for cell in ("rra", "lstm", "gru"):
        trials = [one for one in records if (one.job.cell, one.job.phase) == (cell, "trial")]
        best = min(trials, key=lambda one: one.validation)  # none of them solves it
        assert all(one.test is None and not one.reached.solved for one in trials)
        finals = [one for one in records if (one.job.cell, one.job.phase) == (cell, "final")]
        for final in finals:
            assert final.values == best.values
            recipe = open_run(place / "runs" / "small" / f"{cell}-hidden-seed-0" / "run").recipe
            assert recipe.learning_rate == best.values["learning_rate"]
            assert final.epochs == 3 and final.test > 0


def test_the_test_score_is_that_of_the_chosen_model(whole):
    place, _ = whole
    _, task = small()
    record = gather(place / "runs" / "small", place / "results" / "small")[Job("gru", "final", 1)]
    model = open_run(place / "runs" / "small" / "gru-hidden-seed-1" / "run").model()
    import torch

    split = task.splits["test"]
    with torch.no_grad():
        predicted = model(torch.from_numpy(split.features)).numpy()
    assert record.test == pytest.approx(float(((predicted - split.targets) ** 2).mean()), rel=1e-5)
    assert record.parameters == sum(one.numel() for one in model.parameters())


def test_two_processes_give_what_one_gives(whole, tmp_path):
    command = [sys.executable, "-m", "tests.attnviz.studies.worker", str(tmp_path)]
    both = [
        subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    said = [one.communicate(timeout=120)[0].splitlines() for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert tables(tmp_path) == tables(whole[0])
    begun = [[line for line in lines if " with " in line] for lines in said]
    assert all(begun)  # both were at work, and none began what the other did
    assert len({*begun[0], *begun[1]}) == len(begun[0]) + len(begun[1]) == 14
    claims = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/*/claims/*.json")]
    assert not any(claims)  # all released


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_killed_in_the_middle_it_goes_on_to_the_same(whole, tmp_path, how):
    command = [sys.executable, "-m", "tests.attnviz.studies.worker", str(tmp_path)]
    process = subprocess.Popen(command, env=environment(), stdout=subprocess.PIPE, text=True)
    for _ in range(30):  # in the middle of the third run
        process.stdout.readline()
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode == -how
    left = worked(tmp_path, budget=0.0)
    assert 0 < len(left.finished) < 6 and not left.held
    worked(tmp_path)
    assert tables(tmp_path) == tables(whole[0])


def test_what_another_holds_is_left_to_it_and_waited_for(tmp_path):
    held = claim(tmp_path / "runs" / "small" / "gru-trial-001" / "claims")
    said = []
    done = worked(tmp_path, cells=["gru"], budget=3.0, watch=Watch(say=said.append))
    assert done.finished == (Job("gru", "trial", 0),)
    assert list(done.held) == [Job("gru", "trial", 1)] and len(done.open) == 4
    waited = [message for message in said if "waiting" in message]
    assert len(waited) == 1 and "gru-trial-001, held by process" in waited[0]
    held.release()
    assert not worked(tmp_path, cells=["gru"]).open


def test_no_run_begins_after_the_budget(tmp_path):
    done = worked(tmp_path, budget=0.0)
    assert not done.finished and len(done.open) == len(list_jobs(small()[0]))
    assert (tmp_path / "results" / "small" / "study.toml").read_text() == TEXT


def test_one_cell_alone(whole, tmp_path):
    done = worked(tmp_path, cells=["gru"])
    assert {job.cell for job in done.finished} == {"gru"} and not done.open
    alone = tables(tmp_path)["results/small/finals.csv"]
    every = tables(whole[0])["results/small/finals.csv"]
    assert alone == [row for row in every if row["cell"] == "gru"]
    with pytest.raises(ValueError, match="not of rau"):
        worked(tmp_path, cells=["rau"])


def test_results_need_no_runs_and_runs_no_results(whole, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(whole[0] / "results", copied / "results")
    done = worked(copied)  # nothing is trained again
    assert len(done.finished) == len(list_jobs(small()[0]))
    assert not (copied / "runs" / "small").exists()
    assert tables(copied) == tables(whole[0])
    again = tmp_path / "again"
    shutil.copytree(whole[0] / "runs", again / "runs")
    worked(again)
    assert tables(again) == tables(whole[0])


def test_equal_parameters_that_come_to_the_same_size_are_not_trained_twice(whole):
    place, _ = whole
    runs = place / "runs" / "small"
    assert not (runs / "rra-parameters-seed-0" / "run").exists()  # 225 is as near as it gets
    assert (runs / "gru-parameters-seed-0" / "run").is_dir()
    _, records = open_results(place / "results" / "small")
    found = {one.job: one for one in records}
    twins = [found[Job("rra", "final", 0, size)].test for size in ("hidden", "parameters")]
    assert twins[0] == twins[1]


def test_what_diverges_is_recorded_and_never_chosen(tmp_path, monkeypatch):
    import attnviz.studies.running as running

    trained = running.train

    def diverging(recipe, task, folder, **options):
        run = trained(recipe, task, folder, **options)
        if recipe.learning_rate > 0.01:
            raise FloatingPointError("The loss is nan.")
        return run

    monkeypatch.setattr(running, "train", diverging)
    done = worked(tmp_path, cells=["gru"])
    assert not done.open
    _, records = open_results(tmp_path / "results" / "small")
    trials = {one.job.number: one for one in records if one.job.phase == "trial"}
    assert [trials[number].status for number in (0, 1)] == ["finished", "diverged"]
    finals = [one for one in records if one.job.phase == "final"]
    assert finals and all(one.values == trials[0].values for one in finals)


def test_a_cell_of_which_every_trial_diverged_is_left_open(tmp_path, monkeypatch):
    import attnviz.studies.running as running

    def diverging(recipe, task, folder, **options):
        folder.mkdir(parents=True)
        about = {"recipe": json.loads(running_json(recipe)), "data": {}}
        (folder / "recipe.json").write_text(json.dumps(about))
        raise FloatingPointError("The loss is nan.")

    monkeypatch.setattr(running, "train", diverging)
    done = worked(tmp_path, cells=["gru"])
    assert [job.phase for job in done.finished] == ["trial", "trial"]
    assert {job.phase for job in done.open} == {"final"}
    row = tables(tmp_path)["results/small/trials.csv"][0]
    assert (row["status"], row["validation"], row["epochs"]) == ("diverged", "", "0")


def running_json(recipe):
    from attnviz.training.recipe import recipe_to_json

    return recipe_to_json(recipe)


def test_a_text_task_is_studied_by_accuracy(tmp_path):
    text = """
    cells = ["rra", "gru"]
    score = "accuracy"
    task.name = "table"
    recipe = {batch_size = 16, epochs = 2, limit = 8, learning_rate = 0.02}
    recipe.model = {hidden_size = 4, vocabulary_size = 50, embedding_size = 5}
    search.learning_rate.choice = [0.01, 0.02]
    trials.count = 2
    final.seeds = [0]
    """.replace(", learning_rate = 0.02", "").replace(
        "recipe = {batch_size = 16, epochs = 2, limit = 8}",
        "recipe.batch_size = 16\n    recipe.epochs = 2\n    recipe.limit = 8",
    )

    study, task = parse_study(text, name="words", where="words.toml"), tiny_task()
    assert isinstance(task, TextTask)
    done = run_study(study, task, tmp_path / "runs", tmp_path / "results")
    assert len(done.finished) == 6
    _, records = open_results(tmp_path / "results" / "words")
    for record in records:
        assert record.reached is None and 0 <= record.validation <= 1
        best = open_run(tmp_path / "runs" / "words" / record.job.name / "run").best
        assert record.validation == best["validation_accuracy"]
        assert (record.test is None) == (record.job.phase == "trial")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("batch_size = 8", "batchsize = 8", "recipes have no field batchsize"),
        ("batch_size = 8", "batch_size = 8.5", "batch_size has to be a whole number, got 8.5"),
        ("batch_size = 8", 'batch_size = "8"', "batch_size has to be a whole number, got '8'"),
        ("batch_size = 8", "seed = 8", "seed is not for .recipe. to say"),
        ("model.options.window = 2", "model.options.widow = 2", "widow"),
        ("model.hidden_size = 6", "", "hidden_size"),
        ("epochs = 3", "epochs = 0", "epochs above 0, got 0"),
    ],
)
def test_what_no_recipe_takes_is_refused_before_anything_is_trained(tmp_path, old, new, said):
    study, task = small(TEXT.replace(old, new, 1).replace("recipe.epochs = 2", ""))
    with pytest.raises((ValueError, TypeError), match=said):
        check_study(study, task)


def test_a_number_to_reach_has_to_be_known_before_anything_is_trained():
    question = '[[question]]\ntext = "Is it?"\nclaim = "reaches"\ncells = ["lstm"]\n'
    check_study(*small(TEXT + question, name="row-mnist"))
    with pytest.raises(ValueError, match="small: whether lstm reaches its published number"):
        check_study(*small(TEXT + question))
    with pytest.raises(ValueError, match="row-mnist: whether rra reaches its published number"):
        check_study(*small(TEXT + question.replace("lstm", "rra"), name="row-mnist"))


def test_final_runs_are_tried_before_anything_is_trained(tmp_path):
    wrong = TEXT.replace("seeds = [0, 1]", "seeds = [0, 1]\nrecipe.epoch = 4")
    with pytest.raises(ValueError, match="recipes have no field epoch"):
        check_study(*small(wrong))
    long = TEXT.replace("seeds = [0, 1]", "seeds = [0, 1]\nrecipe.clip = 4.0")
    assert len(worked(tmp_path, long, cells=["gru"], budget=0.0).open) == 6
    worked(tmp_path, cells=["gru"], budget=0.0)  # it has decided nothing yet


def test_the_reference_has_one_number_of_parameters():
    drawn = "learning_rate = {log_uniform = [1e-3, 5e-2]}\nmodel.num_layers = {choice = [1, 2]}"
    text = TEXT.replace("learning_rate = {log_uniform = [1e-3, 5e-2]}", drawn)
    with pytest.raises(ValueError, match=r"as many parameters as lstm, but its trials have \d+, "):
        check_study(*small(text))
    check_study(*small(text.replace('["hidden", "parameters"]', '["hidden"]')))


def test_results_of_another_study_are_not_mixed_in(whole, tmp_path):
    shutil.copytree(whole[0] / "results", tmp_path / "results")
    with pytest.raises(ValueError, match=r"another study small: trials differ"):
        worked(tmp_path, TEXT.replace("count = 2", "count = 3"))
    more = worked(tmp_path, TEXT.replace("seeds = [0, 1]", "seeds = [0, 1, 2]"), budget=0.0)
    assert len(more.open) == 5  # seeds can be added


def test_results_of_another_table_are_not_mixed_in(tmp_path):
    path = written_table(tmp_path / "mine.csv")
    text = """
    cells = ["gru"]
    score = "accuracy"
    task = {name = "table", path = "PATH", text = "review", label = "mood", test_share = 0.2}
    recipe = {epochs = 1, model = {hidden_size = 4, vocabulary_size = 50, embedding_size = 5}}
    trials.count = 0
    final.seeds = [0]
    """
    study = parse_study(text.replace("PATH", str(path)), name="mine", where="mine.toml")
    place = tmp_path / "runs", tmp_path / "results"
    run_study(study, load_study_task(study), *place)
    path.write_text(path.read_text().replace("neg", "new"))
    with pytest.raises(ValueError, match="results of other data: its file had the MD5 digest"):
        run_study(study, load_study_task(study), *place)


def test_a_language_task_is_studied_by_perplexity(tmp_path):
    ids = np.random.default_rng(0).integers(0, 5, size=140)
    splits = {
        name: LanguageSplit(ids[start : start + 40] if start else ids[:60])
        for name, start in {"train": 0, "validation": 60, "test": 100}.items()
    }
    task = LanguageTask("tiny", tuple("abcde"), splits, {"source": "made here"})
    study = parse_study(LANGUAGE, name="language", where="language.toml")
    assert not run_study(study, task, tmp_path / "runs", tmp_path / "results").open
    _, records = open_results(tmp_path / "results" / "language")
    assert len(records) == 2
    for record in records:
        assert record.validation == pytest.approx(math.exp(record.validation_loss))
    assert 3 < records[1].test < 8  # saying nothing of five words is 5


LANGUAGE = """
cells = ["gru"]
score = "perplexity"
task.name = "ptb"
trials.count = 1
final.seeds = [0]

[recipe]
batch_size = 4
bptt = 5
epochs = 1
validation_streams = 2
model.hidden_size = 4
model.embedding_size = 3
"""
