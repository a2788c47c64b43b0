import numpy as np
import pandas as pd
import pytest

from attnviz.analysis import learning_curve, learning_curves, score_against, scores_of


def history(steps, scores, column="validation_accuracy"):
    return pd.DataFrame({"epoch": range(1, len(steps) + 1), "step": steps, column: scores})


def test_a_curve_is_the_mean_over_seeds_with_their_range():
    runs = [history([5, 10], [0.2, 0.6]), history([5, 10], [0.4, 0.5]), history([5, 10], [0.6, 1])]
    found = learning_curve(runs)
    assert found.name == "validation accuracy"
    np.testing.assert_allclose(found.values.sel(step=[5, 10]), [0.4, 0.7], rtol=1e-12)
    np.testing.assert_allclose(found.uncertainty.sel(end="low"), [0.2, 0.5])
    np.testing.assert_allclose(found.uncertainty.sel(end="high"), [0.6, 1.0])
    assert found.uncertainty_of == "range over 3 runs"
    assert learning_curve(runs[:1]).uncertainty is None


def test_a_curve_ends_with_the_shortest_run_and_takes_no_step_for_another():
    runs = [history([5, 10, 15], [0.2, 0.6, 0.9]), history([10, 5], [0.4, 0.0])]
    found = learning_curve(runs)
    assert found.values["step"].values.tolist() == [5, 10]
    np.testing.assert_allclose(found.values, [0.1, 0.5], rtol=1e-12)
    with pytest.raises(ValueError, match="2 runs have no step in common"):
        learning_curve([history([5], [1]), history([6], [1])])


def test_the_first_score_that_all_have_is_drawn():
    both = history([5], [1]).assign(validation_loss=0.5, train_loss=0.7, seconds=3.0)
    other = history([5], [1], "validation_loss").assign(train_loss=0.7)
    assert scores_of([both]) == ["validation_accuracy", "validation_loss", "train_loss"]
    assert scores_of([both, other]) == ["validation_loss", "train_loss"]
    assert learning_curve([both, other]).name == "validation loss"
    assert scores_of([]) == []


def test_what_has_no_such_column_is_refused():
    with pytest.raises(ValueError, match="history 1 lacks validation_loss; it has epoch, step"):
        learning_curve([history([5], [1], "validation_loss"), history([5], [1])],
                       score="validation_loss")  # fmt: skip
    with pytest.raises(ValueError, match="at least one run"):
        learning_curve([])


def test_several_curves_in_one_table():
    found = learning_curves(
        {"rra": [history([5, 10], [0.2, 0.6]), history([5, 10], [0.4, 0.8])],
         "gru": [history([5, 15], [0.1, 0.3])]}
    )  # fmt: skip
    assert found.values.dims == ("cell", "step")
    np.testing.assert_allclose(
        found.values.sel(cell=["rra", "gru"]), [[0.3, 0.7, np.nan], [0.1, np.nan, 0.3]]
    )
    np.testing.assert_allclose(found.uncertainty.sel(cell="rra", step=10), [0.6, 0.8])
    np.testing.assert_allclose(found.uncertainty.sel(cell="gru", step=15), [0.3, 0.3])


def trials():
    return pd.DataFrame(
        [
            {"cell": "rra", "model.options.window": 5, "validation": 0.5},
            {"cell": "rra", "model.options.window": 5, "validation": 0.9},
            {"cell": "rra", "model.options.window": 20, "validation": 0.8},
            {"cell": "larnn", "model.options.window": 20, "validation": 0.2},
            {"cell": "larnn", "model.options.window": 20, "validation": None},
        ]
    )


def test_a_score_against_a_value_is_the_mean_of_the_runs_that_had_it():
    found = score_against(trials(), "model.options.window")
    assert found.values.dims == ("cell", "window") and found.name == "validation by window"
    assert found.values["cell"].values.tolist() == ["rra", "larnn"]
    np.testing.assert_allclose(found.values.sel(window=[5, 20]), [[0.7, 0.8], [np.nan, 0.2]])
    np.testing.assert_allclose(found.uncertainty.sel(cell="rra", window=5), [0.5, 0.9])
    assert found.values["runs"].values.tolist() == [[2, 1], [0, 1]]


def test_values_that_are_no_numbers_are_told_apart_too():
    table = trials().assign(bias=[0.0, {"chrono": 100}, {"chrono": 100}, 0.0, 0.0])
    found = score_against(table, "bias")
    assert found.values["bias"].values.tolist() == ["0.0", '{"chrono": 100}']
    np.testing.assert_allclose(found.values.sel(cell="rra"), [0.5, 0.85])


def test_missing_columns_and_runs_are_refused():
    with pytest.raises(ValueError, match="needs the column 'window'"):
        score_against(trials(), "window")
    with pytest.raises(ValueError, match="No run has both"):
        score_against(trials().iloc[4:], "model.options.window")
