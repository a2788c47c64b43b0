"""Equal effort: every cell is tried with the same values of what it shares."""

import numpy as np
import pytest

from attnviz.studies import draw_trials
from tests.attnviz.studies.small import TEXT, small

MANY = TEXT.replace("count = 2", "count = 12")


def test_every_cell_gets_the_same_draws_of_what_it_shares():
    study, _ = small(MANY)
    rra, lstm, gru = (draw_trials(study, cell) for cell in study.cells)
    assert len(rra) == len(lstm) == len(gru) == 12
    assert rra == lstm  # the forget bias too, which both have, though each in its own table
    shared = [{name: one[name] for name in study.search} for one in rra]
    assert gru == shared
    assert len({one["learning_rate"] for one in rra}) == 12


def test_a_range_is_drawn_once_in_each_of_its_parts():
    rates = [one["learning_rate"] for one in draw_trials(small(MANY)[0], "gru")]
    parts = 12 * np.log(np.array(rates) / 1e-3) / np.log(50)
    assert sorted(np.floor(parts)) == list(range(12))
    assert list(np.floor(parts)) != list(range(12))  # not in order
    assert np.std(parts - np.floor(parts)) > 0.1


def test_choices_are_dealt_equally_often():
    drawn = draw_trials(small(MANY)[0], "rra")
    biases = [one["model.options.forget_bias"] for one in drawn]
    assert [biases.count(bias) for bias in (0.0, 1.0, {"chrono": 5})] == [4, 4, 4]
    assert [one["model.dropout"] for one in drawn].count(0.1) == 6


def test_draws_are_those_of_the_seed():
    study, _ = small(MANY)
    other, _ = small(MANY.replace("seed = 7", "seed = 8"))
    assert draw_trials(study, "rra") == draw_trials(small(MANY)[0], "rra")
    assert draw_trials(study, "rra") != draw_trials(other, "rra")


def test_parameters_are_drawn_apart():
    text = MANY.replace(
        "model.dropout = {choice = [0.0, 0.1]}", "clip = {log_uniform = [1e-3, 5e-2]}"
    )
    drawn = draw_trials(small(text)[0], "gru")
    rates = np.log([[one["learning_rate"], one["clip"]] for one in drawn])
    assert abs(np.corrcoef(rates.T)[0, 1]) < 0.7
    assert rates[:, 0] != pytest.approx(rates[:, 1])
