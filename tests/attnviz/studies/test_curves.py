"""The curves of a study: which runs they are of, and what stands in for what is not there."""

import json
from pathlib import Path

import numpy as np
import pytest

import attnviz
from attnviz.studies import draw_trials, open_checks, open_curves, open_run_curve, parse_study
from attnviz.studies.jobs import Job
from attnviz.studies.results import update_results
from attnviz.studies.study import Trials
from tests.attnviz.studies import made

RESULTS = Path(__file__).parents[3] / "notebooks" / "results"
MORE = """
[search]
model.options.window = {choice = [2, 5, 10]}
"""


@pytest.fixture
def results(tmp_path):
    """A study of which two cells have run, one with both kinds of curve."""
    results = tmp_path / "results" / "made"
    study = made.study(more=MORE)
    records = [
        made.record("rra", 0, 0.8), made.record("rra", 1, 0.9), made.record("rau", 0, 0.7),
        made.record("rra", 2, None, status="diverged", validation=None, epochs=0),
        made.record("rra", 0, None, phase="trial", values={"model.options.window": 5}),
        made.record("rra", 1, None, phase="trial", values={"model.options.window": 2},
                    validation=0.25),
        made.record("lstm", 0, None, phase="trial", values={}),
    ]  # fmt: skip
    runs = made.run_folders(tmp_path, records)
    for number, record in enumerate(records):
        folder = runs / record.job.name
        (folder / "run").mkdir()
        if record.status == "finished":
            rows = f"epoch,step,validation_accuracy\n1,5,0.{number}1\n2,10,0.{number}5\n"
            (folder / "run" / "history.csv").write_text(rows)
        if record.job.cell == "rra" and record.job.phase == "final":
            (folder / "run" / "checks.csv").write_text(f"step,loss\n3,0.{number}\n")
    update_results(study, runs, results)
    return results


def test_histories_are_those_of_the_final_runs(results):
    found = open_curves(results)
    assert (found.name, found.score, found.searched) == (
        "made", "accuracy", ("model.options.window",)
    )  # fmt: skip
    assert {cell: len(runs) for cell, runs in found.histories.items()} == {"rra": 2, "rau": 1}
    second = found.histories["rra"][1]
    assert second["step"].tolist() == [5, 10]
    assert second["validation_accuracy"].tolist() == [0.11, 0.15]
    ax = attnviz.plot_learning_curves(found.histories)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["rra", "rau"]


def test_what_has_not_been_run_at_a_size_is_not_there(tmp_path):
    sizes = '[sizes]\nequal = ["hidden", "parameters"]\n'
    records = [
        made.record("rra", 0, 0.8), made.record("lstm", 0, 0.7), made.record("rau", 0, 0.7),
        made.record("rau", 1, 0.6, size="parameters"),
    ]  # fmt: skip
    runs, results = made.run_folders(tmp_path, records), tmp_path / "made"
    for record in records:
        folder = runs / record.job.name
        (folder / "run").mkdir()
        row = f"1,5,{record.test}"
        (folder / "run" / "history.csv").write_text(f"epoch,step,validation_accuracy\n{row}\n")
    update_results(made.study(more=sizes), runs, results)
    hidden, parameters = (
        {
            cell: [table["validation_accuracy"].item() for table in tables]
            for cell, tables in open_curves(results, size=size).histories.items()
        }
        for size in ("hidden", "parameters")
    )
    assert hidden == {"rra": [0.8], "lstm": [0.7], "rau": [0.7]}
    # The reference has one run for both sizes; RRA has not been run at this one.
    assert parameters == {"lstm": [0.7], "rau": [0.6]}


def test_one_training_that_is_the_run_at_both_sizes_has_its_curves_at_both(tmp_path):
    sizes = '[sizes]\nequal = ["hidden", "parameters"]\n'
    other = {"values": {"learning_rate": 0.5}}
    records = [
        made.record("rra", 0, 0.8), made.record("rra", 0, 0.8, size="parameters"),
        made.record("rra", 1, 0.7, size="parameters"),  # its twin has not been run
        made.record("rau", 0, 0.6), made.record("rau", 0, None, size="parameters", hidden_size=9),
        made.record("rau", 1, 0.5), made.record("rau", 1, None, size="parameters", **other),
    ]  # fmt: skip
    runs, results = made.run_folders(tmp_path, records), tmp_path / "made"
    for record in records:
        if record.job.size == "hidden":
            (runs / record.job.name / "run").mkdir()
            for file in ("history.csv", "checks.csv"):
                path = runs / record.job.name / "run" / file
                path.write_text(f"epoch,step,loss\n1,5,{record.test}\n")
    update_results(made.study(more=sizes), runs, results)
    for found in (
        open_curves(results, size="parameters").histories, open_checks(results, size="parameters")
    ):  # fmt: skip
        assert {cell: [one["loss"].item() for one in found[cell]] for cell in found} == {
            "rra": [0.8]
        }


def test_curves_at_equal_parameters_are_of_every_cell_that_the_table_has():
    histories = open_curves(RESULTS / "har", size="parameters").histories
    assert [*histories] == ["rra", "larnn", "rau", "lstm", "gru"]
    assert {len(tables) for tables in histories.values()} == {5}
    same = open_curves(RESULTS / "har").histories["rra"]
    for one, other in zip(histories["rra"], same, strict=True):
        assert one.equals(other)


def test_checks_are_those_on_fresh_sequences(results):
    found = open_checks(results)
    assert [*found] == ["rra"] and len(found["rra"]) == 3
    assert found["rra"][1]["loss"].tolist() == [0.1]


def test_trials_say_what_was_searched_and_what_came_out(results):
    table = open_curves(results).trials
    assert table["cell"].tolist() == ["rra", "rra", "lstm"]  # as the study has them
    assert table["model.options.window"].tolist()[:2] == [5, 2]
    assert np.isnan(table["model.options.window"].tolist()[2])
    ax = attnviz.plot_score_against(table, value="model.options.window")
    (line,) = [line for line in ax.lines if line.get_gid() == "mean"]
    np.testing.assert_allclose(line.get_xydata(), [[2, 0.25], [5, 0.5]])


def test_damage_and_absence_are_said(results, tmp_path):
    (results / "histories" / "rau-hidden-seed-0.csv").write_text("nothing")
    with pytest.raises(ValueError, match=r"rau-hidden-seed-0.csv is no table of a training"):
        open_curves(results)
    with pytest.raises(FileNotFoundError, match="holds no results"):
        open_curves(tmp_path)


def test_an_equal_share_of_the_trials_has_each_seed():
    text = made.TEXT.format(score="accuracy").replace(
        "trials.count = 2", "trials.count = 6\ntrials.seeds = [7, 4]"
    )
    study = parse_study(text + MORE, name="made", where="made.toml")
    tried = [
        (study.trials.training_seed(number), values["model.options.window"])
        for number, values in enumerate(draw_trials(study, "rra"))
    ]
    assert sorted(tried) == [(seed, window) for seed in (4, 7) for window in (2, 5, 10)]
    assert [seed for seed, _ in tried] == [7, 7, 7, 4, 4, 4]
    assert Trials(4, 9, {}).training_seed(3) == 9
    with pytest.raises(ValueError, match="count is 6, which 4 seeds cannot share evenly"):
        parse_study(text.replace("[7, 4]", "[7, 4, 6, 5]"), name="x", where="x")
    with pytest.raises(ValueError, match="seeds holds something twice"):
        parse_study(text.replace("[7, 4]", "[7, 7]"), name="x", where="x")


def test_trials_are_trained_with_their_seed():
    from attnviz.studies.recipes import recipe_of
    from tests.attnviz.training.tiny import number_task

    text = 'cells = ["gru"]\nscore = "accuracy"\ntask.name = "x"\nfinal.seeds = [5]\n'
    text += "recipe.model.hidden_size = 4\ntrials.count = 4\ntrials.seeds = [8, 2]\n"
    study = parse_study(text, name="x", where="x")
    seeds = [recipe_of(study, Job("gru", "trial", n), {}, number_task()).seed for n in range(4)]
    assert seeds == [8, 8, 2, 2]
    assert recipe_of(study, Job("gru", "final", 5), {}, number_task()).seed == 5


SAID = {
    "recipe": {"model": {"cell": "rau"}, "epochs": 3},
    "data": {"file": "made"},
    "command": "attnviz train rau adding",
}
ROWS = "epoch,step,validation_loss\n1,5,0.5\n2,10,0.25\n"


def a_run(folder, said=SAID, rows=ROWS):
    folder.mkdir(parents=True)
    (folder / "recipe.json").write_text(said if isinstance(said, str) else json.dumps(said))
    if rows is not None:
        (folder / "history.csv").write_text(rows)
    return folder


def test_a_run_has_a_curve_as_far_as_it_has_come(tmp_path, monkeypatch):
    found = open_run_curve(a_run(tmp_path / "mine"))
    assert (found.name, found.cell, found.command) == ("mine", "RAU", SAID["command"])
    assert found.recipe == SAID["recipe"] and found.data == SAID["data"]
    assert found.history["validation_loss"].tolist() == [0.5, 0.25]
    assert found.history["step"].tolist() == [5, 10]
    begun = open_run_curve(a_run(tmp_path / "begun", rows=None))
    assert len(begun.history) == 0 and "step" in begun.history
    monkeypatch.chdir(tmp_path / "mine")
    assert open_run_curve(".").name == "mine"


@pytest.mark.parametrize(
    ("said", "rows", "named"),
    [
        ("{", ROWS, "recipe.json"),
        ("[]", ROWS, "recipe.json"),
        ({"recipe": {}, "data": {}}, ROWS, "recipe.json"),
        ({"recipe": SAID["recipe"]}, ROWS, "recipe.json"),
        (SAID, "epoch,loss\n1,2\n", "history.csv"),
        (SAID, "step,loss\nfirst,2\n", "history.csv"),
        (SAID, "", "history.csv"),
        (SAID, "step,validation_loss\n4,low\n", "history.csv"),
    ],
)
def test_a_damaged_run_is_refused_by_the_name_of_its_file(tmp_path, said, rows, named):
    folder = a_run(tmp_path / "run", said, rows)
    with pytest.raises(ValueError, match=f"run/{named}"):
        open_run_curve(folder)


def test_a_folder_without_a_run_is_no_run(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no recipe\.json"):
        open_run_curve(tmp_path)
