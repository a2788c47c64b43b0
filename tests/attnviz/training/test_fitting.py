"""What a training sets for the whole process is as it was afterwards."""

import pytest
import torch

from attnviz.training import train
from tests.attnviz.training.runs import KilledError, after
from tests.attnviz.training.tiny import number_recipe, number_task

DENORMAL = 2.0**-140


@pytest.fixture
def flushing():
    yield torch.set_flush_denormal
    torch.set_flush_denormal(False)


def is_flushed():
    """By arithmetic on a number too small to be held exactly in float32."""
    return (torch.tensor([DENORMAL]) * 2).item() == 0


@pytest.mark.parametrize("before", [False, True])
def test_denormals_are_zero_while_training_and_as_before_after_it(tmp_path, flushing, before):
    assert flushing(before)
    assert is_flushed() is before
    seen = {}
    train(
        number_recipe("gru", epochs=1),
        number_task(),
        tmp_path,
        progress=lambda step, steps: seen.update({step: is_flushed()}),
    )
    assert [seen[step] for step in range(1, 6)] == [True] * 5
    assert is_flushed() is before


def test_denormals_are_as_before_after_a_training_that_failed(tmp_path, flushing):
    assert flushing(False)
    with pytest.raises(KilledError):
        train(number_recipe("gru", epochs=1), number_task(), tmp_path, progress=after(2))
    assert not is_flushed()


@pytest.mark.parametrize("precision", ["highest", "high", "medium"])
def test_products_are_as_exact_as_the_recipe_says_only_while_training(tmp_path, precision):
    seen = {}
    train(
        number_recipe("gru", epochs=1, matmul_precision=precision),
        number_task(),
        tmp_path,
        progress=lambda step, steps: seen.update({step: torch.get_float32_matmul_precision()}),
    )
    assert {seen[step] for step in range(1, 6)} == {precision}
    assert torch.get_float32_matmul_precision() == "highest"
