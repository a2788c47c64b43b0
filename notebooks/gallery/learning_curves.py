"""How fast two cells learn to add: the mean over seeds, their range, and each run."""

import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd

import attnviz
from attnviz.tasks import load_adding
from attnviz.training import adding_recipe, train

task = load_adding(10, epoch_size=1600, held_out=200)
curves = {"GRU": [], "LSTM": []}
with tempfile.TemporaryDirectory() as folder:
    for cell, histories in curves.items():
        recipe = adding_recipe(cell.lower(), hidden_size=16)
        for seed in range(3):
            run = Path(folder, f"{cell}-{seed}")
            train(replace(recipe, epochs=10, batch_size=32, seed=seed), task, run)
            histories.append(pd.read_csv(run / "history.csv"))

axes = attnviz.plot_learning_curves(curves, logarithmic=True)
attnviz.save_figure(axes, "learning_curves.png")
