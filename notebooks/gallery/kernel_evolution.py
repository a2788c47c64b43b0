"""How RRA's attention comes about: the weight of each lag while two windows are trained."""

import tempfile
from dataclasses import replace
from pathlib import Path

import attnviz
from attnviz.tasks import load_adding
from attnviz.training import adding_recipe, train
from attnviz.training.probe import Probe

task = load_adding(20, epoch_size=3200, held_out=64)
recipe = replace(adding_recipe("rra", hidden_size=16), epochs=3, batch_size=32)
probes = {}
with tempfile.TemporaryDirectory() as folder:
    for window in (3, 10):
        place = Path(folder, f"window-{window}")
        model = replace(recipe.model, options={**recipe.model.options, "window": window})
        probe = Probe(place / "probes.zarr", every=10, sequences=16)
        train(replace(recipe, model=model), task, place, callbacks=[probe])
        probes[f"window {window}"] = attnviz.open_probes(place / "probes.zarr")

figure = attnviz.plot_kernel_evolution(probes)
attnviz.save_figure(figure, "kernel_evolution.png")
