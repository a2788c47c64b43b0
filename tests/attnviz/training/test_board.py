"""The history for TensorBoard, by a stand-in for its writer."""

import sys
import types

import pytest

from attnviz.training.board import Board
from tests.attnviz.cli.shell import called
from tests.attnviz.training.tiny import number_task

WRITTEN = []


class Writer:
    def __init__(self, folder):
        self.folder, self.open = folder, True

    def add_scalar(self, name, value, step):
        assert self.open
        WRITTEN.append((self.folder.name, name, value, step))

    def close(self):
        self.open = False


@pytest.fixture
def standing_in(monkeypatch):
    module = types.ModuleType("torch.utils.tensorboard")
    module.SummaryWriter = Writer
    WRITTEN.clear()
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    return WRITTEN


def test_every_score_of_an_epoch_is_written_at_its_step(standing_in, tmp_path):
    row = {"epoch": 2, "step": 10, "train_loss": 0.5, "validation_accuracy": 0.75, "seconds": 3.0}
    Board(tmp_path / "board").report(row)
    assert standing_in == [
        ("board", "train/loss", 0.5, 10),
        ("board", "validation/accuracy", 0.75, 10),
        ("board", "seconds", 3.0, 10),
    ]


def test_the_command_writes_it_if_asked_to(standing_in, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("attnviz.tasks.load_har", lambda data, *, fold: number_task())
    (tmp_path / "small.toml").write_text("epochs = 2\n[model]\nhidden_size = 3\ninput_size = 3\n")
    train = ("train", "gru", "har", "--recipe", "small.toml", "--tensorboard")
    status, output, error = called(monkeypatch, capsys, *train)
    assert status == 0, error
    assert "epoch 2: loss" in output
    assert {name for _, name, _, _ in standing_in} == {
        "train/loss", "train/accuracy", "validation/loss", "validation/accuracy", "seconds",
        "processor/seconds",
    }  # fmt: skip
    assert len(standing_in) == 2 * 6


def test_without_tensorboard_the_message_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ModuleNotFoundError, match=r"not installed: pip install tensorboard\."):
        Board(tmp_path)
