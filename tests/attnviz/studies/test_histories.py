"""Which epoch is chosen, and which one the test split would choose."""

import pytest

from attnviz.studies import update_results
from attnviz.studies.histories import Epochs, epochs_of, read_history
from tests.attnviz.studies.made import record, run_folders, study

VALIDATION = [0.5, 0.9, 0.7, 0.9, 0.8]
TEST = [0.6, 0.4, 0.8, 0.7, 0.8]


def rows(name="accuracy"):
    pairs = zip(VALIDATION, TEST, strict=True)
    return [{f"validation_{name}": one, f"test_{name}": other} for one, other in pairs]


def test_the_first_of_the_best_is_chosen_and_the_last_is_the_last():
    assert epochs_of(rows()) == Epochs(chosen=2, final=5, best_on_test=3)
    assert epochs_of(rows("loss"), "loss") == Epochs(chosen=1, final=5, best_on_test=2)
    assert epochs_of(rows()[:1]) == Epochs(1, 1, 1)


def test_a_history_is_read_by_the_name_of_its_run(tmp_path):
    one = record("rra", 3, 0.5)
    with pytest.raises(FileNotFoundError, match="no history of rra-hidden-seed-3"):
        read_history(tmp_path, one)
    path = tmp_path / "histories" / "rra-hidden-seed-3.csv"
    path.parent.mkdir()
    path.write_text("epoch,validation_accuracy,test_accuracy\n1,0.5,0.25\n2,0.75,0.125\n")
    assert read_history(tmp_path, one) == [
        {"epoch": 1, "validation_accuracy": 0.5, "test_accuracy": 0.25},
        {"epoch": 2, "validation_accuracy": 0.75, "test_accuracy": 0.125},
    ]
    path.write_text("epoch,test_accuracy\n1,x\n")
    with pytest.raises(ValueError, match=r"rra-hidden-seed-3\.csv is damaged: could not convert"):
        read_history(tmp_path, one)
    path.write_text("epoch,test_accuracy\n1\n")
    with pytest.raises(ValueError, match="is damaged"):
        read_history(tmp_path, one)


def test_a_run_at_both_sizes_has_the_history_that_is_kept_at_equal_hidden_size(tmp_path):
    both = [record("rra", 3, 0.5), record("rra", 3, 0.5, size="parameters")]
    runs, results = run_folders(tmp_path, both), tmp_path / "made"
    (runs / "rra-hidden-seed-3" / "run").mkdir()
    (runs / "rra-hidden-seed-3" / "run" / "history.csv").write_text("epoch,loss\n1,0.25\n")
    update_results(study(), runs, results)
    assert read_history(results, both[1]) == [{"epoch": 1, "loss": 0.25}]
    smaller = record("rra", 3, 0.5, size="parameters", hidden_size=7)
    with pytest.raises(FileNotFoundError, match=r"no history of rra-parameters-seed-3: no rra-pa"):
        read_history(results, smaller)


def test_without_test_scores_or_epochs_there_is_nothing_to_compare():
    with pytest.raises(ValueError, match=r"no test_accuracy, but validation_accuracy\. .*= true"):
        epochs_of([{"validation_accuracy": 0.5}])
    with pytest.raises(ValueError, match="without an epoch"):
        epochs_of([])
