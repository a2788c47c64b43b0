"""Settings tried on several folds of a task: each fold validates, and the mean decides."""

import csv

import numpy as np
import pytest

from attnviz.studies import (
    choose,
    draw_trials,
    list_jobs,
    load_study_folds,
    load_study_task,
    open_curves,
    open_results,
    parse_study,
    update_results,
)
from attnviz.studies.running import run_study
from attnviz.studies.tables import study_section
from attnviz.studies.wording import effort
from attnviz.training import open_run
from tests.attnviz.cli.shell import called
from tests.attnviz.studies.made import record, run_folders
from tests.attnviz.tasks.har_files import publish, small_har, zipped

TEXT = """
cells = ["gru", "lstm"]
score = "accuracy"

[task]
name = "har"
folds = 5

[recipe]
batch_size = 4
epochs = 1
model.hidden_size = 3

[search]
learning_rate = {choice = [0.1, 0.01]}

[trials]
count = 2
folds = [3, 0, 1]

[final]
seeds = [0]
"""


def read(text=TEXT):
    return parse_study(text, name="moves", where="moves.toml")


def tried(*scores, **changes):
    """A trial for each score: both settings on the first fold, on the next, on the last."""
    return [
        record("gru", number, None, phase="trial", validation=score, **changes)
        for number, score in enumerate(scores)
    ]


@pytest.fixture
def published(tmp_path, monkeypatch):
    return publish(tmp_path / "har.zip", zipped(small_har()), monkeypatch)


def test_every_setting_is_tried_on_every_fold():
    trials = read().trials
    assert trials.runs == 6
    assert [(trials.setting(n), trials.fold(n)) for n in range(6)] == [
        (0, 3), (1, 3), (0, 0), (1, 0), (0, 1), (1, 1)
    ]  # fmt: skip
    assert [(job.cell, job.number) for job in list_jobs(read())[:5]] == [
        ("gru", 0), ("lstm", 0), ("gru", 1), ("lstm", 1), ("gru", 2)
    ]  # fmt: skip
    seeded = read(TEXT.replace("count = 2", "count = 2\nseeds = [8, 9]")).trials
    assert [seeded.training_seed(n) for n in range(6)] == [8, 9, 8, 9, 8, 9]


def test_the_mean_over_folds_decides():
    # The second is best on two folds, and on the whole worse: 0.70 against 0.69.
    scores = [0.5, 0.6, 0.6, 0.7, 1.0, 0.77]
    chosen = choose(read(), "gru", tried(*scores))
    assert chosen is not None and chosen.job.number == 0
    scores[-1] = 0.81
    assert choose(read(), "gru", tried(*scores)).job.number == 1
    assert choose(read(), "gru", tried(*scores[:-1])) is None  # a fold is missing
    diverged = [*tried(*scores[:-1]), *tried(*scores, status="diverged")[-1:]]
    assert choose(read(), "gru", diverged).job.number == 0


def test_what_diverged_on_a_fold_is_not_chosen():
    broken = [tried(*[0.5] * 6, status="diverged")[number] for number in (2, 5)]
    held = [one for one in tried(*[0.5] * 6) if one.job.number not in (2, 5)]
    assert choose(read(), "gru", [*held, *broken]) is None  # either setting has, on some fold


def test_the_loss_decides_between_equal_means():
    equal = tried(0.5, 0.6, 0.6, 0.5, 0.7, 0.7, validation_loss=0.5)
    assert choose(read(), "gru", equal).job.number == 0  # the first of what is alike
    worse = tried(0.5, 0.6, 0.6, 0.5, 0.7, 0.7, validation_loss=0.6)[2]
    assert choose(read(), "gru", [*equal, worse]).job.number == 1


def test_trials_are_validated_on_their_fold_and_finals_on_that_of_the_task(published, tmp_path):
    study = read()
    task, folds = load_study_task(study, published), load_study_folds(study, published)
    assert [one.provenance["fold"] for one in folds] == [3, 0, 1]
    done = run_study(study, task, tmp_path / "runs", tmp_path / "results", folds=folds)
    assert len(done.finished) == len(list_jobs(study)) == 14
    for number in range(6):
        run = open_run(tmp_path / "runs" / "moves" / f"gru-trial-00{number}" / "run")
        card = run.model().card
        assert card["data"]["fold"] == study.trials.fold(number)
        assert run.recipe.learning_rate == draw_trials(study, "gru")[number % 2]["learning_rate"]
    final = open_run(tmp_path / "runs" / "moves" / "gru-hidden-seed-0" / "run").model().card
    assert final["data"]["fold"] == 0

    with (tmp_path / "results" / "moves" / "trials.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["fold"] for row in rows] == list("330011330011")
    _, records = open_results(tmp_path / "results" / "moves")
    assert {*records[0].values} == {"learning_rate"}  # a fold is not a part of a setting
    assert open_curves(tmp_path / "results" / "moves").trials["fold"].tolist() == [
        3, 3, 0, 0, 1, 1, 3, 3, 0, 0, 1, 1
    ]  # fmt: skip
    for cell in study.cells:
        own = [one for one in records if one.job.cell == cell]
        trials = {one.job.number: one for one in own if one.test is None}
        means = [np.mean([trials[n].validation for n in (k, k + 2, k + 4)]) for k in (0, 1)]
        losses = [np.mean([trials[n].validation_loss for n in (k, k + 2, k + 4)]) for k in (0, 1)]
        best = min((0, 1), key=lambda k: (-means[k], losses[k]))
        assert [one.values for one in own if one.test is not None] == [trials[best].values]


def test_tables_say_so():
    assert effort(read()).startswith(
        "2 trials for every cell (learning rate), each the mean over 3 folds for validation; the "
        "setting of the best on validation is trained with each seed"
    )
    own = TEXT.replace("[search]", "[recipe.lstm]\nbatch_size = 2\n\n[search]")
    assert effort(read(own)).endswith("over seeds. Not alike: batch size 2 for LSTM.")
    assert "Not alike" not in effort(read())
    assert "fold" not in effort(read(TEXT.replace("folds = [3, 0, 1]", "")))
    assert "Not run: GRU (2 trial runs, 1 final run)" in study_section(read(), tried(*[0.5] * 4))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[3, 0, 1]", "[3, 3]", r"trials.folds holds something twice: \[3, 3\]"),
        ("[3, 0, 1]", "[-1]", r"trials.folds has to be whole numbers from 0, got \[-1\]"),
        ("[3, 0, 1]", "3", "trials.folds has to be a list, got 3"),
        ("count = 2", "count = 0", r"trials.folds is \[3, 0, 1\], but no trials are asked for"),
    ],
)
def test_folds_that_mean_nothing_are_refused(old, new, said):
    with pytest.raises(ValueError, match=rf"moves\.toml: {said}"):
        read(TEXT.replace(old, new))


def test_folds_that_the_task_has_not_are_refused(published, tmp_path):
    with pytest.raises(ValueError, match="There are folds 0 to 4, but got 5"):
        load_study_folds(read(TEXT.replace("[3, 0, 1]", "[0, 5]")), published)
    adding = TEXT.replace('name = "har"\nfolds = 5', 'name = "adding"')
    with pytest.raises(ValueError, match="moves: the task adding has no folds to try settings on"):
        load_study_folds(read(adding.replace('"accuracy"', '"loss"')))
    task = load_study_task(read(), published)
    other, place = read(TEXT.replace("[3, 0, 1]", "[3]")), (tmp_path / "r", tmp_path / "kept")
    run_study(other, task, *place, folds=load_study_folds(other, published), budget=0.0)
    with pytest.raises(ValueError, match="another study moves: trials differ"):
        run_study(read(), task, *place, folds=load_study_folds(read(), published))
    with pytest.raises(ValueError, match="moves tries settings on 3 folds; got 0"):
        run_study(read(), task, tmp_path / "runs", tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_the_command_loads_the_folds(published, tmp_path, monkeypatch, capsys):
    path = tmp_path / "moves.toml"
    path.write_text(TEXT)
    results = tmp_path / "results"
    options = ("--runs", tmp_path / "runs", "--results", results, "--data", published)
    code, said, _ = called(
        monkeypatch, capsys, "study", "run", path, *options, "--cell", "gru", "--budget", "0"
    )
    assert code == 0 and "moves: 0 of 7 runs are finished." in said
    kept = run_folders(tmp_path / "made", tried(*[0.5] * 6))
    update_results(read(), kept, results / "moves")
    code, said, _ = called(monkeypatch, capsys, "info", results / "moves")
    assert code == 0 and "6 trial runs, histories of 0 final runs" in said
