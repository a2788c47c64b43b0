"""Results: what is written is read, and who is chosen."""

import pytest

from attnviz.studies import choose, open_results, update_results
from attnviz.studies.records import Reached, record_from_json, record_to_json
from attnviz.studies.results import gather, read_results
from tests.attnviz.studies.made import record, run_folders, study
from tests.attnviz.studies.small import TEXT as SMALL
from tests.attnviz.studies.small import small

TRIED = {"learning_rate": 0.012, "model.options.forget_bias": {"chrono": 5}}
RECORDS = [
    record("rra", 0, None, phase="trial", values=TRIED, reached=">18"),
    record("rra", 1, None, phase="trial", values={"learning_rate": 0.1}, reached="12",
           validation=0.1 + 0.2, validation_loss=1e-17),
    record("lstm", 0, None, phase="trial", values=TRIED, status="diverged", validation=None,
           validation_loss=None, epoch=None, epoch_seconds=None, epochs=0, seconds=0.0),
    record("rra", 0, 0.25, values=TRIED, reached="1200"),
    record("rra", 1, 0.125, size="parameters", values={}),
]  # fmt: skip


def filed(place, records):
    runs = run_folders(place, records)
    update_results(small()[0], runs, place / "results" / "small")
    return place / "results" / "small"


def test_what_is_written_is_read(tmp_path):
    assert [record_from_json(record_to_json(one)) for one in RECORDS] == RECORDS
    folder = filed(tmp_path, RECORDS)
    there, read = open_results(folder)
    assert there == small()[0]
    assert sorted(read, key=lambda one: one.job.name) == sorted(
        RECORDS, key=lambda one: one.job.name
    )


def test_results_are_the_same_whatever_the_order(tmp_path):
    one = filed(tmp_path / "one", RECORDS)
    other = filed(tmp_path / "other", RECORDS[:2])
    other = filed(tmp_path / "other", RECORDS[:1:-1])
    for name in ("trials.csv", "finals.csv", "study.toml"):
        assert (one / name).read_bytes() == (other / name).read_bytes()
    lines = (one / "trials.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["cell", "lstm", "rra", "rra"]


def test_what_runs_tell_comes_before_what_results_told(tmp_path):
    filed(tmp_path, RECORDS)
    newer = record("rra", 0, 0.5, values=TRIED)
    assert newer in read_results(filed(tmp_path, [newer]))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [(",finished,", ",finished,x", "finals.csv: the row"), ("1200", "many", "many")],
)
def test_a_damaged_table_is_named(tmp_path, old, new, said):
    folder = filed(tmp_path, RECORDS)
    path = folder / "finals.csv"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(ValueError, match=said):
        open_results(folder)


@pytest.mark.parametrize("left", [b"", b'{"job": {', b"[]", b"\xff"])
def test_a_damaged_result_of_a_run_is_named(tmp_path, left):
    folder = filed(tmp_path, RECORDS)
    path = tmp_path / "runs" / RECORDS[0].job.name / "result.json"
    path.write_bytes(left)
    with pytest.raises(ValueError, match=r"trial-000/result\.json is damaged\. Delete it and run"):
        gather(tmp_path / "runs", folder)
    path.unlink()
    assert len(gather(tmp_path / "runs", folder)) == len(RECORDS)


@pytest.mark.parametrize(
    "changed",
    [
        SMALL.replace("margin = 1.0", "margin = 1.2"),
        SMALL.replace('cells = ["rra", "lstm"]', 'cells = ["lstm", "rra"]'),
        SMALL + '[[question]]\ntext = "Else?"\nclaim = "better"\ncells = ["rra", "gru"]\n',
        SMALL[: SMALL.index("[[question]]")],
    ],
    ids=["margin", "cells", "one more", "none"],
)
def test_questions_are_asked_before_the_first_final_run(tmp_path, changed):
    trials, finals = RECORDS[:3], RECORDS[3:]
    folder = filed(tmp_path, trials)
    other = small(changed)[0]
    update_results(other, tmp_path / "runs", folder)
    assert open_results(folder)[0].asked() == other.asked()
    filed(tmp_path, trials)  # back to what they were
    filed(tmp_path, finals)
    with pytest.raises(ValueError, match="holds final runs of small, but its questions were othe"):
        update_results(other, tmp_path / "runs", folder)
    reworded = small(SMALL.replace("Does RRA solve it sooner", "Is RRA sooner to solve it"))[0]
    update_results(reworded, tmp_path / "runs", folder)
    assert open_results(folder) == (reworded, read_results(folder))


def test_no_results(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no results of a study"):
        open_results(tmp_path)


@pytest.mark.parametrize("text", ["12.5", ">", "-3", ">>3", ""])
def test_iterations_are_whole(text):
    with pytest.raises(ValueError, match="Iterations are written as"):
        Reached.read(text)


def chosen(score, trials):
    made = [record("rra", number, None, phase="trial", **one) for number, one in enumerate(trials)]
    best = choose(study(score), "rra", made)
    return best if best is None else best.job.number


def test_the_best_on_validation_is_chosen():
    assert chosen("accuracy", [{"validation": 0.7}, {"validation": 0.8}]) == 1
    assert chosen("loss", [{"validation": 0.7}, {"validation": 0.8}]) == 0
    assert chosen("perplexity", [{"validation": 99.0}, {"validation": 98.0}]) == 1
    assert chosen("accuracy", [{"validation_loss": 0.4}, {"validation_loss": 0.3}]) == 1
    assert chosen("accuracy", [{}, {}]) == 0


def test_with_checks_the_one_that_solved_it_first():
    assert chosen("loss", [{"reached": "300", "validation": 0.1}, {"reached": "200"}]) == 1
    assert chosen("loss", [{"reached": "300"}, {"reached": ">200"}]) == 0
    unsolved = [
        {"reached": ">300", "validation_loss": 0.4},
        {"reached": ">300", "validation_loss": 0.3},
    ]
    assert chosen("loss", unsolved) == 1


def test_none_is_chosen_before_all_have_been_run_or_if_all_diverged():
    assert chosen("accuracy", [{}]) is None
    assert chosen("accuracy", [{"status": "diverged"}, {"validation": 0.1}]) == 1
    assert chosen("accuracy", [{"status": "diverged"}, {"status": "diverged"}]) is None
