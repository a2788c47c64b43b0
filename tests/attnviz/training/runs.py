"""What a run leaves, to be compared, and how one is ended."""

import csv

import torch


class KilledError(BaseException):
    """Not an Exception: no handler of errors may stop it."""


def after(step, steps=None):
    """A progress that ends the run when so many steps are done, of so many in all."""

    def progress(done, total):
        assert steps in (None, total)
        if done == step:
            raise KilledError

    return progress


def history_of(folder):
    """The epochs, but for the time they took."""
    with (folder / "history.csv").open() as file:
        return [
            {k: v for k, v in row.items() if "seconds" not in k} for row in csv.DictReader(file)
        ]


def result(folder):
    """Everything a run leaves, but for the time it took."""
    files = {path.name: path.read_bytes() for path in (folder / "model").iterdir()}
    last = torch.load(folder / "checkpoint.ckpt", weights_only=True)
    weights = {name: values.numpy().tobytes() for name, values in last["model"].items()}
    moments = {
        (index, name): values.numpy().tobytes()
        for index, state in last["optimizer"]["state"].items()
        for name, values in state.items()
        if values is not None
    }
    return files, history_of(folder), weights, moments, (last["epoch"], last["batch"], last["step"])
