"""Trains a tiny model in a folder; to be killed. Arguments: cell, folder."""

import sys
from pathlib import Path

from attnviz.training import train
from tests.attnviz.training.tiny import tiny_recipe, tiny_task


def progress(done, total):
    print(done, flush=True)


sys.argv[0] = "killed.py"
train(
    tiny_recipe(sys.argv[1]), tiny_task(), Path(sys.argv[2]), checkpoint_every=2, progress=progress
)
