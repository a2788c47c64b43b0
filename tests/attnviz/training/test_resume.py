"""A run that ends anywhere goes on to what an unbroken one gives.

The process is not killed here, as in `test_run.py`, but left by an exception that nothing catches:
that is fast enough to try every step, and the places between two files.
"""

import errno
import os
import random
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from attnviz.training import data, module, resume, run, train
from tests.attnviz.training.runs import KilledError, after, result
from tests.attnviz.training.tiny import tiny_recipe, tiny_task

CELLS = ["gru", "rra", "larnn"]
STEPS = 15  # 5 batches an epoch, 3 epochs


@pytest.fixture(scope="module", params=CELLS)
def unbroken(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    train(tiny_recipe(request.param), tiny_task(), folder, checkpoint_every=3)
    return request.param, result(folder)


def cut(cell, folder, step, *, every):
    """A run that is left after a step."""
    stop = after(step, STEPS)
    with pytest.raises(KilledError):
        train(tiny_recipe(cell), tiny_task(), folder, checkpoint_every=every, progress=stop)


def test_wherever_a_run_ends_it_goes_on_to_the_same(unbroken, tmp_path):
    cell, expected = unbroken

    for step in range(1, STEPS + 1):
        folder = tmp_path / str(step)
        cut(cell, folder, step, every=3)
        train(tiny_recipe(cell), tiny_task(), folder, checkpoint_every=3)

        assert result(folder) == expected, step


def test_a_run_that_ends_again_and_again_goes_on_to_the_same(unbroken, tmp_path):
    cell, expected = unbroken

    for step in (2, 4, 4, 7, 9, 13, 14):
        cut(cell, tmp_path, step, every=1)
    train(tiny_recipe(cell), tiny_task(), tmp_path, checkpoint_every=1)

    assert result(tmp_path) == expected


def test_how_often_checkpoints_are_written_and_other_random_states_change_nothing(
    unbroken, tmp_path
):
    cell, expected = unbroken

    for every in (1, 4, 1000):
        torch.manual_seed(every)
        np.random.seed(every)  # noqa: NPY002  (the global state is what is meant)
        random.seed(every)
        train(tiny_recipe(cell), tiny_task(), tmp_path / str(every), checkpoint_every=every)

        assert result(tmp_path / str(every)) == expected


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_a_checkpoint_of_the_step_at_hand(unbroken, tmp_path, number):
    cell, expected = unbroken
    heard, steps = [], (1, 4, 5, 8, 10, STEPS)  # 5, 10 and 15 are the last of an epoch
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGTERM, lambda *_: heard.append("terminated"))
    mine = signal.getsignal(signal.SIGTERM)

    try:
        for step in steps:
            folder, said = tmp_path / str(step), []

            def ask(done, total, step=step):
                if done == step:
                    signal.raise_signal(number)

            stopped = KeyboardInterrupt if number == signal.SIGINT else SystemExit
            with pytest.raises(stopped):
                train(
                    tiny_recipe(cell), tiny_task(), folder, checkpoint_every=1000, progress=ask,
                    say=said.append,
                )  # fmt: skip
            assert signal.getsignal(signal.SIGINT) is before[signal.SIGINT]
            assert signal.getsignal(signal.SIGTERM) is mine

            left = resume.load_checkpoint(folder / "checkpoint.ckpt")
            assert left["step"] == step
            assert said[-1] == f"A checkpoint is written at step {step} of {STEPS}."
            train(tiny_recipe(cell), tiny_task(), folder, say=said.append)
            assert (said[-1] == f"Resuming at step {step} of {STEPS}.") == (step < STEPS)
            assert result(folder) == expected, step
    finally:
        signal.signal(signal.SIGTERM, before[signal.SIGTERM])
    assert len(heard) == (len(steps) if number == signal.SIGTERM else 0)


@pytest.mark.parametrize("mistaken", [False, True])
def test_a_second_signal_stops_at_once(tmp_path, mistaken):
    """Also where a library takes it for an error of its own."""

    def ask(done, total):
        if done == 7:
            signal.raise_signal(signal.SIGINT)
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                if mistaken:
                    raise TypeError("incompatible function arguments") from None
                raise

    with pytest.raises(KeyboardInterrupt):
        train(tiny_recipe("gru"), tiny_task(), tmp_path, checkpoint_every=2, progress=ask)

    assert resume.load_checkpoint(tmp_path / "checkpoint.ckpt")["step"] == 6


def test_a_signal_that_is_ignored_stays_ignored(tmp_path):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        run = train(
            tiny_recipe("gru"), tiny_task(), tmp_path,
            progress=lambda done, total: signal.raise_signal(signal.SIGINT),
        )  # fmt: skip
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(run.history) == 3


@contextmanager
def ended(monkeypatch, place, name, *, call, done=True):
    """Ends the run at one call of a function, after or before the function has done its work."""
    real, calls = getattr(place, name), [0]

    def ending(*args, **options):
        calls[0] += 1
        if calls[0] == call and not done:
            raise KilledError
        real(*args, **options)
        if calls[0] == call:
            raise KilledError

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(place, name, ending)
        yield


@pytest.mark.parametrize("done", [False, True])
@pytest.mark.parametrize(
    ("place", "name", "call"),
    [
        (run, "save_folder", 1),
        (run, "save_folder", 2),
        (run, "write_history", 1),
        (run, "write_history", 3),  # after the last epoch
        (torch, "save", 1),
        (torch, "save", 6),  # at the end of the last epoch
    ],
)
def test_a_run_that_ends_between_two_files_goes_on_to_the_same(
    tmp_path, monkeypatch, place, name, call, done
):
    train(tiny_recipe("rra"), tiny_task(), tmp_path / "whole", checkpoint_every=3)

    folder = tmp_path / "cut"
    with ended(monkeypatch, place, name, call=call, done=done):
        train(tiny_recipe("rra"), tiny_task(), folder, checkpoint_every=3)
    train(tiny_recipe("rra"), tiny_task(), folder, checkpoint_every=3)

    assert result(folder) == result(tmp_path / "whole")


def cut_off(error):
    """Writing that fails in the middle of the third checkpoint."""
    real, calls = Path.write_bytes, [0]

    def write(path, content):
        calls[0] += path.suffix == ".ckpt"
        if path.suffix == ".ckpt" and calls[0] == 3:
            real(path, content[:1000])
            raise error
        return real(path, content)

    return write


def test_a_checkpoint_cut_off_while_written_does_not_replace_the_last(tmp_path, monkeypatch):
    train(tiny_recipe("rra"), tiny_task(), tmp_path / "whole", checkpoint_every=3)
    folder = tmp_path / "cut"
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(Path, "write_bytes", cut_off(KilledError()))
        train(tiny_recipe("rra"), tiny_task(), folder, checkpoint_every=3)
    # As a process leaves it that had no time to clean up.
    (folder / ".checkpoint.1.ckpt").write_bytes(b"half of a checkpoint")

    left = resume.load_checkpoint(folder / "checkpoint.ckpt")
    assert left is not None
    assert left["step"] == 5
    train(tiny_recipe("rra"), tiny_task(), folder, checkpoint_every=3)
    assert result(folder) == result(tmp_path / "whole")


def test_a_full_disk_is_a_systems_error_and_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    train(tiny_recipe("rra"), tiny_task(), tmp_path / "whole", checkpoint_every=3)
    folder = tmp_path / "full"
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    said = r"Cannot write .*/full/checkpoint\.ckpt: No space left on device\."
    with monkeypatch.context() as patch, pytest.raises(OSError, match=said):
        patch.setattr(Path, "write_bytes", cut_off(full))
        train(tiny_recipe("rra"), tiny_task(), folder, checkpoint_every=3)

    assert [one.name for one in folder.glob("*.ckpt")] == ["checkpoint.ckpt"]
    assert resume.load_checkpoint(folder / "checkpoint.ckpt")["step"] == 5
    train(tiny_recipe("rra"), tiny_task(), folder, checkpoint_every=3)
    assert result(folder) == result(tmp_path / "whole")


def test_a_run_that_goes_on_learns_only_from_what_was_left(tmp_path, monkeypatch):
    learnt, step = [], module.Classifier.training_step

    def watched(self, batch, index):
        learnt.append(batch[0].tolist())
        return step(self, batch, index)

    monkeypatch.setattr(module.Classifier, "training_step", watched)
    train(tiny_recipe("gru"), tiny_task(), tmp_path / "whole")
    whole = list(learnt)
    assert len(whole) == STEPS

    with pytest.raises(KilledError):
        train(
            tiny_recipe("gru"),
            tiny_task(),
            tmp_path / "cut",
            checkpoint_every=2,
            progress=after(9, STEPS),
        )
    learnt.clear()
    train(tiny_recipe("gru"), tiny_task(), tmp_path / "cut", checkpoint_every=2)

    assert learnt == whole[8:]


def test_the_history_tells_each_epoch_alone(tmp_path, monkeypatch):
    losses, step = [], module.Classifier.training_step

    def watched(self, batch, index):
        loss = step(self, batch, index)
        losses.append((len(batch[0]), float(loss.detach())))
        return loss

    monkeypatch.setattr(module.Classifier, "training_step", watched)
    history = train(tiny_recipe("gru"), tiny_task(), tmp_path).history

    for row, first in zip(history, range(0, STEPS, 5), strict=True):
        epoch = losses[first : first + 5]
        assert sum(count for count, _ in epoch) == 83
        mean = sum(count * loss for count, loss in epoch) / 83
        assert row["train_loss"] == pytest.approx(mean, rel=1e-12)
        assert row["step"] == first + 5


@pytest.mark.parametrize(("clip", "changed"), [(1e-3, True), (1e9, False)])
def test_the_gradient_is_clipped_by_its_norm(tmp_path, clip, changed):
    norms = []

    def note(optimizer, arguments, options):
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        norms.append(float(torch.nn.utils.get_total_norm([p.grad for p in parameters])))

    handle = register_optimizer_step_post_hook(note)
    try:
        train(tiny_recipe("rra", clip=clip, epochs=1), tiny_task(), tmp_path)
    finally:
        handle.remove()

    assert len(norms) == 5
    if changed:
        assert norms == pytest.approx([clip] * 5, rel=1e-2)  # torch adds 1e-6 to the norm
    else:
        assert min(norms) > 1e-2


def test_scoring_reads_every_example_once():
    task = data.TextData(tiny_task(), tiny_recipe())

    batches = list(data.evaluation_loader(task.train))

    lengths = torch.cat([lengths for _, lengths, _ in batches])
    assert lengths.tolist() == sorted(task.train.lengths.tolist())
    labels = torch.cat([labels for _, _, labels in batches])
    assert torch.bincount(labels).tolist() == np.bincount(task.train.labels).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("missing", ["pytorch_lightning", "torchmetrics", "torch"])
def test_training_without_its_extra_says_what_to_install(missing):
    code = f"import sys; sys.modules[{missing!r}] = None\nimport attnviz.training"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last == (
        f"ModuleNotFoundError: Training needs {missing}, which is not installed: "
        "pip install 'attnviz[train]'."
    )
