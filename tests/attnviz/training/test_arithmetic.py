"""How a training computes, and that afterwards the process computes as before."""

import subprocess
import sys

import pytest
import torch

from attnviz.training import run as running
from attnviz.training import score_test, train
from attnviz.training.arithmetic import flushing_denormals
from tests.attnviz.training.runs import KilledError, after
from tests.attnviz.training.tiny import number_recipe, number_task

DENORMAL = 2.0**-140
NEWER_WAY = """
import torch
from attnviz.training.arithmetic import computing_products
torch.backends.mkldnn.matmul.fp32_precision = "bf16"
try:
    with computing_products("highest"):
        pass
except ValueError as error:
    print(error)
"""


@pytest.fixture(autouse=True)
def _as_it_was():
    yield
    torch.set_flush_denormal(False)
    torch.set_float32_matmul_precision("highest")
    torch.set_default_dtype(torch.float32)


def is_flushed():
    """By arithmetic on a number too small to be held exactly in float32."""
    return (torch.tensor([DENORMAL], dtype=torch.float32) * 2).item() == 0


def computed():
    return is_flushed(), torch.get_float32_matmul_precision()


def seen_by_steps(folder, **recipe):
    """How each step of a training computes."""
    seen = {}
    train(
        number_recipe("gru", epochs=1, **recipe),
        number_task(),
        folder,
        progress=lambda step, steps: seen.update({step: computed()}),
    )
    return [seen[step] for step in range(1, 6)]


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("before", ["highest", "high"])
@pytest.mark.parametrize("precision", ["highest", "medium"])
def test_a_training_computes_as_its_recipe_says(tmp_path, flushed, before, precision):
    assert torch.set_flush_denormal(flushed)
    torch.set_float32_matmul_precision(before)
    assert seen_by_steps(tmp_path, matmul_precision=precision) == [(True, precision)] * 5
    assert computed() == (flushed, before)


def test_one_that_failed_leaves_nothing_behind(tmp_path):
    torch.set_float32_matmul_precision("high")
    recipe = number_recipe("gru", epochs=1, matmul_precision="medium")
    with pytest.raises(KilledError):
        train(recipe, number_task(), tmp_path, progress=after(2))
    assert computed() == (False, "high")


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_denormals_are_as_before_whatever_kind_numbers_have_by_default(flushed, dtype):
    assert torch.set_flush_denormal(flushed)
    torch.set_default_dtype(dtype)
    with flushing_denormals():
        assert is_flushed()
    assert is_flushed() is flushed


def test_the_test_split_is_scored_exactly_after_each_epoch(tmp_path, monkeypatch):
    seen, score = [], running.score

    def scored(*given):
        seen.append(computed()[1])
        return score(*given)

    monkeypatch.setattr(running, "score", scored)
    recipe = number_recipe("gru", epochs=2, matmul_precision="medium", test_every_epoch=True)
    run = train(recipe, number_task(), tmp_path)
    assert seen == ["highest"] * 2
    torch.set_float32_matmul_precision("medium")  # put back by the fixture
    score_test(run, number_task())
    assert seen == ["highest"] * 3
    assert torch.get_float32_matmul_precision() == "medium"


def test_a_precision_set_in_torchs_other_way_is_refused_with_what_to_do():
    # In a process of its own: what is set so cannot be taken back.
    told = subprocess.run(
        [sys.executable, "-c", NEWER_WAY], capture_output=True, text=True, check=True
    ).stdout
    assert "fp32_precision of torch.backends" in told
    assert "set matmul_precision in the recipe" in told
