"""One training in two processes is the training in one with the same batches."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from attnviz.training import train
from attnviz.training.processes import Place, own_rows, share_of
from attnviz.training.resume import load_checkpoint
from tests.attnviz.training.runs import KilledError, after, history_of, result
from tests.attnviz.training.shared import run
from tests.attnviz.training.tiny import (
    language_recipe,
    language_task,
    number_recipe,
    number_task,
)

ROOT = Path(__file__).parents[3]


def trained(kind, cell, folder, *, end=0):
    """A run in two processes."""
    arguments = (kind, cell, "2", str(folder), str(end))
    done = subprocess.run(
        [sys.executable, "-m", "tests.attnviz.training.shared", *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode == 0) == (end == 0), done.stderr
    return load_checkpoint(folder / "checkpoint.ckpt")


def check_same(folder, expected):
    found, wanted = (
        load_checkpoint(one / "checkpoint.ckpt")["model"] for one in (folder, expected)
    )
    for name, values in wanted.items():
        torch.testing.assert_close(found[name], values, rtol=1e-4, atol=1e-6, msg=name)
    assert (folder / "model" / "model.safetensors").is_file()
    for row, other in zip(history_of(folder), history_of(expected), strict=True):
        assert set(row) == set(other)
        for name, value in other.items():
            assert float(row[name]) == pytest.approx(float(value), rel=1e-4), name


@pytest.mark.slow
def test_two_processes_with_half_a_batch_each_give_what_one_gives(tmp_path):
    run("numbers", "rra", 1, tmp_path / "one")
    trained("numbers", "rra", tmp_path / "two")
    check_same(tmp_path / "two", tmp_path / "one")


@pytest.mark.slow
def test_two_processes_stop_together_and_go_on_with_every_streams_state(tmp_path):
    run("language", "gru", 1, tmp_path / "one")
    left = trained("language", "gru", tmp_path / "two", end=3)
    assert left["step"] == 3
    assert [len(tensor) for tensor in left["carried"]] == [8, 8]
    trained("language", "gru", tmp_path / "two")
    check_same(tmp_path / "two", tmp_path / "one")


def test_rows_are_shared_and_losses_weighted_by_rows():
    batch = [torch.arange(7), torch.arange(7) * 10]
    owned = [own_rows(Place(rank, 3), batch) for rank in range(3)]

    assert [rows[0].tolist() for rows in owned] == [[0, 3, 6], [1, 4], [2, 5]]
    shares = [share_of(Place(rank, 3), batch, rows) for rank, rows in enumerate(owned)]
    weighed = sum(s * rows[1].double().mean() for s, rows in zip(shares, owned, strict=True)) / 3
    assert float(weighed) == pytest.approx(30.0)
    assert all(torch.equal(a, b) for a, b in zip(own_rows(Place(), batch), batch, strict=True))
    with pytest.raises(ValueError, match="7 sequences cannot be shared among 8 processes"):
        share_of(Place(0, 8), batch, owned[0])
    with pytest.raises(ValueError, match="3 devices cannot share batches of 16 evenly"):
        number_recipe("gru", devices=3)
    with pytest.raises(ValueError, match="devices above 0"):
        number_recipe("gru", devices=0)


@pytest.mark.parametrize("cell", ["rra", "larnn", "gru"])
def test_half_precision_trains_close_to_single_precision(cell, tmp_path):
    losses = {}
    for precision in ("32-true", "bf16-mixed"):
        recipe = number_recipe(cell, precision=precision, epochs=2)
        history = train(recipe, number_task(), tmp_path / precision).history
        losses[precision] = history[-1]["train_loss"]
        kept = load_checkpoint(tmp_path / precision / "checkpoint.ckpt")["model"]
        assert {values.dtype for values in kept.values() if values.is_floating_point()} == {
            torch.float32
        }
    assert losses["bf16-mixed"] != losses["32-true"]
    assert losses["bf16-mixed"] == pytest.approx(losses["32-true"], rel=0.05)


def test_a_language_model_trains_in_half_precision_and_goes_on(tmp_path):
    recipe = language_recipe("rra", precision="bf16-mixed", epochs=1)
    train(recipe, language_task(), tmp_path / "whole", checkpoint_every=1)
    with pytest.raises(KilledError):
        train(recipe, language_task(), tmp_path / "cut", checkpoint_every=1, progress=after(3))
    train(recipe, language_task(), tmp_path / "cut", checkpoint_every=1)
    assert result(tmp_path / "cut") == result(tmp_path / "whole")


@pytest.mark.parametrize("seed", [-1, 1 << 40])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(ValueError, match="A seed is from 0 to 1,099,511,627,775, got"):
        dataclasses.replace(number_recipe("gru"), seed=seed)


def test_a_precision_that_there_is_not_is_refused(unchecked):
    with pytest.raises(ValueError, match="no precision '8-true'; there are"):
        dataclasses.replace(number_recipe("gru"), precision="8-true")
    with pytest.raises(ValueError, match="no matmul_precision 'low'; there are highest, high, med"):
        dataclasses.replace(number_recipe("gru"), matmul_precision="low")
