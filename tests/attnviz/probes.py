"""Probes made up, so that what becomes of them can be computed by hand."""

import json

import numpy as np
import xarray as xr

STEPS = [0, 5, 10, 12]


def rra(window=3, steps=STEPS, model="rra-made"):
    """Lag scores that grow each by a pace of its own; lags begin at 2."""
    scores = 1.0 + np.arange(window) * np.asarray(steps)[:, None] / 10
    kernel = scores / scores.sum(axis=1, keepdims=True)
    l0 = xr.Dataset(
        {
            "lag_kernel": (("step", "head", "lag"), kernel[:, None]),
            "lag_score_norm": ("step", np.sqrt((scores**2).sum(axis=1))),
        },
        {"step": steps, "lag": np.arange(2, 2 + window)},
        {"cell": "RRA", "direction": 1},
    )
    return _tree(l0, steps, model, "RRA")


def larnn(heads=2, window=4, steps=STEPS, model="larnn-made"):
    """Attention that differs from head to head, with its spread."""
    random = np.random.default_rng(3)
    weights = random.dirichlet(np.ones(window), size=(len(steps), heads))
    l0 = xr.Dataset(
        {
            "attention": (("step", "head", "lag"), weights),
            "attention_spread": (("step", "head", "lag"), weights / 10),
        },
        {"step": steps, "lag": np.arange(1, 1 + window)},
        {"cell": "LARNN", "direction": 1},
    )
    return _tree(l0, steps, model, "LARNN")


def gru(steps=STEPS):
    """Gate attention by age."""
    weights = 0.5 ** (1 + np.arange(5)) * (1 + np.asarray(steps)[:, None] / 100)
    l0 = xr.Dataset(
        {"gate_attention": (("step", "age"), weights)},
        {"step": steps, "age": np.arange(5)},
        {"cell": "GRU", "direction": 1},
    )
    return _tree(l0, steps, "gru-made", "GRU")


def _tree(l0, steps, model, cell):
    random = np.random.default_rng(1)
    root = xr.Dataset(
        {
            "id": ("sequence", np.array(["a", "b", "c"], dtype=object)),
            "length": ("sequence", np.array([4, 6, 2], dtype=np.int32)),
            "label": ("sequence", np.array([1, 0, 1], dtype=np.int32)),
            "loss": (("step", "sequence"), random.random((len(steps), 3))),
            "prediction": (("step", "sequence", "class"), random.normal(size=(len(steps), 3, 2))),
        },
        {"step": steps, "class": np.array(["no", "yes"], dtype=object)},
    )
    tree = xr.DataTree.from_dict({"/": root, "l0": l0})
    tree.attrs = {
        "format": "attnviz-probes/1", "model": model, "cell": cell, "task": "made", "seed": "4",
        "recipe": json.dumps({"epochs": 3}),
    }  # fmt: skip
    return tree


def written(tree, path, every=5, total=12):
    """A store of such probes."""
    from attnviz.store.probe_writer import ProbeWriter

    attributes = {name: said for name, said in tree.attrs.items() if name != "format"}
    writer = ProbeWriter(path, attributes, every=every, total=total)
    for number, step in enumerate(tree["step"].values.tolist()):
        writer.write(step, one_step(tree, number))
    return writer


def one_step(tree, number):
    """What a writer is given of a step."""

    def cut(node):
        dataset = node.to_dataset()
        dataset = dataset.isel(step=[number])
        return dataset.drop_vars("step")

    return xr.DataTree.from_dict(
        {"/": cut(tree), **{name: cut(child) for name, child in tree.children.items()}}
    )
