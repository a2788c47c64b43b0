"""Trains a tiny model in one or more processes. Arguments: kind, cell, devices, folder, end.

Lightning starts this script once more for each further process. With an end above 0 the run is
left after so many steps.
"""

import dataclasses
import os
import signal
import sys
from pathlib import Path

from attnviz.training import train
from tests.attnviz.training.tiny import (
    language_recipe,
    language_task,
    number_recipe,
    number_task,
)

kind, cell, devices, folder, end = sys.argv[1:]
recipe, task = {
    "numbers": (number_recipe, number_task),
    "language": (language_recipe, language_task),
}[kind]
made = recipe(cell, devices=int(devices), epochs=2)
made = dataclasses.replace(made, model=dataclasses.replace(made.model, dropout=0.0))


def progress(done, total):
    if 0 < done == int(end):
        os.kill(os.getpid(), signal.SIGTERM)


train(made, task(), Path(folder), checkpoint_every=1000, progress=progress)
