"""A tiny training, to be shared by processes. Arguments: kind, cell, devices, folder, end.

Lightning starts this script once more for each further process. With an end above 0 the run is
asked to stop after so many steps.
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

KINDS = {
    "numbers": (number_recipe, number_task),
    "language": (language_recipe, language_task),
}


def run(kind, cell, devices, folder, end=0):
    """Trains without dropout, which each process draws for itself."""
    recipe, task = KINDS[kind]
    made = recipe(cell, devices=devices, epochs=2)
    made = dataclasses.replace(made, model=dataclasses.replace(made.model, dropout=0.0))

    def progress(done, total):
        if 0 < done == end:
            os.kill(os.getpid(), signal.SIGTERM)

    train(made, task(), folder, checkpoint_every=1000, progress=progress)


if __name__ == "__main__":
    kind, cell, devices, folder, end = sys.argv[1:]
    run(kind, cell, int(devices), Path(folder), int(end))
