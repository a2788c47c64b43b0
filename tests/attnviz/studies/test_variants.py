"""Variants of cells in a study, and studies in which nothing is searched."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from attnviz.models import build_model
from attnviz.studies import Job, list_jobs, open_results, parse_study, read_study
from attnviz.studies.checking import check_study
from attnviz.studies.recipes import recipe_of
from attnviz.studies.running import run_study
from attnviz.studies.tables import study_section
from attnviz.tasks import LabelledSplit, LabelledTask
from attnviz.training import Schedule, recipe_for
from attnviz.training.optimising import trained
from tests.attnviz.studies.small import small

STUDIES = Path(__file__).parents[3] / "notebooks" / "results"
TEXT = """
cells = ["still", "gru"]
score = "loss"
variants.still = "gru"

[task]
name = "adding"
length = 5
epoch_size = 48
held_out = 30

[recipe]
batch_size = 8
epochs = 2
test_every_epoch = true
model.hidden_size = 6

[recipe.still]
frozen = ["layer."]

[trials]
count = 0

[final]
seeds = [0, 1]
"""


def test_a_variant_is_a_cell_with_a_recipe_of_its_own():
    study, task = small(TEXT)
    assert study.variants == {"still": "gru"}
    assert [study.kind(cell) for cell in study.cells] == ["gru", "gru"]
    still, gru = (recipe_of(study, Job(cell, "final", 1), {}, task) for cell in study.cells)
    assert still.model == gru.model and still.model.cell == "gru"
    assert (still.frozen, gru.frozen, still.seed) == (("layer.",), (), 1)


def test_where_nothing_is_searched_each_seed_is_trained_with_the_setting_of_the_file(tmp_path):
    study, task = small(TEXT)
    assert {job.phase for job in list_jobs(study)} == {"final"}
    done = run_study(study, task, tmp_path / "runs", tmp_path / "results")
    assert len(done.finished) == 4 and not done.open

    _, records = open_results(tmp_path / "results" / "small")
    head, whole = 6 + 1, 3 * 6 * (2 + 6 + 1) + 6 + 6 + 1
    assert {one.job.cell: one.parameters for one in records} == {"still": head, "gru": whole}
    for one in records:
        history = tmp_path / "results" / "small" / "histories" / f"{one.job.name}.csv"
        with history.open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert float(rows[one.epoch - 1]["test_loss"]) == pytest.approx(one.test, rel=1e-9)
        assert one.values == {}

    told = study_section(study, records)
    assert "| GRU, still | 6 | 7 | 2 |" in told and f"| GRU | 6 | {whole} | 2 |" in told
    assert "Nothing was searched" in told and "every epoch was scored on the test split" in told
    plain = parse_study(TEXT.replace("test_every_epoch = true", ""), name="a", where="")
    assert "every epoch" not in study_section(plain, records)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"still", "gru"]', '"calm", "gru"]', "cells can be rra, .*gru, still, got 'calm'"),
        ('still = "gru"', 'still = "rnn"', "variants.still can be rra, .*got 'rnn'"),
        ('still = "gru"', 'still = "gru"\nvariants.lstm = "gru"', "not as a cell is"),
        ('still = "gru"', 'still = "gru"\nvariants."A b" = "gru"', "small letters and digits"),
        ("count = 0", "count = -1", "trials.count has to be at least 0, where nothing is searched"),
        ("count = 0", "count = 0\n[search]\nclip = {choice = [1.0]}", "has to be at least 1"),
    ],
)  # fmt: skip
def test_a_mistake_is_named(old, new, said):
    with pytest.raises(ValueError, match=said):
        small(TEXT.replace(old, new))


@pytest.mark.parametrize(
    ("new", "said"),
    [
        ('frozen = "layer."', "frozen has to be a list, got 'layer.'"),
        ("frozen = [3]", "frozen has to be a list, got"),
        ('frozen = ["body."]', "freezes 'body.', but no parameter's name begins so"),
    ],
)
def test_a_recipe_that_cannot_be_trained_is_known_before_anything_is(new, said):
    study, task = small(TEXT.replace('frozen = ["layer."]', new))
    with pytest.raises(ValueError, match=said):
        check_study(study, task)


def test_results_of_another_variant_are_not_taken_up(tmp_path):
    study, task = small(TEXT.replace("epochs = 2", "epochs = 1"))
    run_study(study, task, tmp_path / "runs", tmp_path / "results")
    other, task = small(
        TEXT.replace("epochs = 2", "epochs = 1").replace('still = "gru"', 'still = "rau"')
    )
    with pytest.raises(ValueError, match="another study small: variants differ"):
        run_study(other, task, tmp_path / "runs", tmp_path / "results")


def har_like():
    """A task with the sizes of UCI HAR."""
    split = LabelledSplit(
        np.zeros((6, 128, 9), np.float32), np.arange(6), tuple("abcdef"), np.arange(6)
    )
    return LabelledTask("har", tuple("abcdef"), (), {"train": split}, {})


def test_the_study_of_the_released_model_trains_what_its_arms_say():
    study = read_study(STUDIES / "released-larnn.toml")
    task = har_like()
    counts = {}
    for cell in study.cells:
        recipe = recipe_of(study, Job(cell, "final", 0), {}, task)
        model = build_model(recipe.model)
        left = sum(one.numel() for one in trained(model, recipe).values())
        counts[cell] = left, sum(one.numel() for one in model.parameters()) - left
        assert recipe.test_every_epoch
        if cell == "released":
            assert recipe == replace(
                recipe_for("larnn", "har", "released"),
                batch_size=64,
                epochs=10,
                schedule=Schedule(0.75, every=3),
                test_every_epoch=True,
            )
    assert counts["released"] == (1_302, 113_643)
    assert counts["trained"] == (114_945, 0)
    assert counts["lstm-untrained"] == (1_302, 4 * 81 * (81 + 81 + 1))
    assert counts["lstm"] == (1_302 + 3 * 4 * 81 * (81 + 81 + 1), 0)
