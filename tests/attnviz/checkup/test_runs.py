"""Runs: what training moved, and what it left at its start."""

import pytest
import torch

import attnviz
from attnviz.models import load_folder, save_folder
from attnviz.training import train
from tests.attnviz.training.tiny import tiny_recipe, tiny_task


@pytest.fixture
def run(tmp_path):
    torch.set_default_dtype(torch.float32)  # as the command runs
    return train(tiny_recipe("rra", epochs=1), tiny_task(), tmp_path / "run")


def trained(folder):
    return {one.check: one for one in attnviz.doctor(folder).findings}["trained"]


def test_the_parameters_of_a_run_have_moved(run):
    assert attnviz.doctor(run.folder).ok
    assert trained(run.folder).status == "passed"


def test_a_parameter_that_a_run_left_at_its_start_is_named(run):
    model = load_folder(run.folder / "model")
    settings = attnviz.ModelSettings(
        **{**model.card["recipe"]["model"], "vocabulary_size": len(model.vocabulary)}
    )
    torch.manual_seed(run.recipe.seed)
    begun = attnviz.build_model(settings)
    with torch.no_grad():
        model.layer.groups["l0"].lag_scores.copy_(begun.layer.groups["l0"].lag_scores)
    save_folder(model, settings, run.folder / "model")

    found = trained(run.folder)
    assert found.status == "fault" and found.numbers == {"untrained": 1}
    assert "layer.cells.l0.lag_scores is as training began" in found.measured
