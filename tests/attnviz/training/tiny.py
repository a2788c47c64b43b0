"""Small tasks that can be learnt, and their recipes."""

import dataclasses

import numpy as np

from attnviz.models import ModelSettings
from attnviz.tasks import (
    LabelledSplit,
    LabelledTask,
    LanguageSplit,
    LanguageTask,
    TextSplit,
    TextTask,
)
from attnviz.training import Recipe

FILLER = "the a film it was and of plot actor scene".split()
OPTIONS = {
    "rra": {"window": 3},
    "larnn": {"window": 3, "heads": 2, "preset": "fixed"},
    "gru": {},
}


def tiny_split(name, count, seed):
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    texts = []
    for label in labels:
        words = random.choice(FILLER, size=random.integers(2, 9)).tolist()
        words.insert(int(random.integers(0, len(words))), "good" if label else "bad")
        texts.append(" ".join(words))
    ids = tuple(f"{name}/{row}" for row in range(count))
    return TextSplit(ids, tuple(texts), labels.astype(np.int64), ids)


def tiny_task():
    splits = {
        name: tiny_split(name, count, seed)
        for seed, (name, count) in enumerate({"train": 83, "validation": 23, "test": 31}.items())
    }
    return TextTask("tiny", ("negative", "positive"), splits, {"source": "made here"})


def tiny_recipe(cell="rra", **changes):
    settings = ModelSettings(
        cell,
        hidden_size=4,
        outputs=2,
        vocabulary_size=50,
        embedding_size=5,
        dropout=0.3,
        options=OPTIONS[cell],
    )
    recipe = Recipe(settings, batch_size=16, epochs=3, limit=8, learning_rate=0.02)
    return dataclasses.replace(recipe, **changes)


def number_split(name, count, seed, *, kind=np.float32):
    """Windows of 5 timesteps of 3 features: the class is which feature rises at the third."""
    random = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    values = random.integers(0, 100, size=(count, 5, 3))
    values[np.arange(count), 2, labels] += 150
    values = values.astype(np.uint8) if kind is np.uint8 else (values / 255).astype(np.float32)
    ids = tuple(f"{name}/{row}" for row in range(count))
    return LabelledSplit(values, labels.astype(np.int64), ids, np.arange(count))


def number_task(kind=np.float32):
    splits = {
        name: number_split(name, count, seed, kind=kind)
        for seed, (name, count) in enumerate({"train": 83, "validation": 23, "test": 301}.items())
    }
    return LabelledTask("rises", ("x", "y", "z"), (), splits, {"source": "made here", "fold": 2})


def number_recipe(cell="rra", **changes):
    settings = ModelSettings(
        cell, hidden_size=4, outputs=3, input_size=3, dropout=0.1, options=OPTIONS[cell]
    )
    recipe = Recipe(settings, batch_size=16, epochs=3, limit=None, learning_rate=0.02)
    return dataclasses.replace(recipe, **changes)


def language_split(count, seed):
    """Counting in circles of seven words; now and then a step is left out."""
    steps = 1 + (np.random.default_rng(seed).random(count) < 0.1)
    return LanguageSplit((np.cumsum(steps) % 7).astype(np.int32))


def language_task():
    splits = {
        name: language_split(count, seed)
        for seed, (name, count) in enumerate({"train": 205, "validation": 62, "test": 95}.items())
    }
    return LanguageTask("circle", tuple("abcdefg"), splits, {"source": "made here"})


def language_recipe(cell="rra", **changes):
    settings = ModelSettings(
        cell, hidden_size=6, outputs=7, head="language_model", vocabulary_size=7,
        embedding_size=5, num_layers=2, dropout=0.1, options=OPTIONS[cell],
    )  # fmt: skip
    recipe = Recipe(
        settings, batch_size=8, epochs=3, limit=None, learning_rate=0.02, bptt=6,
        validation_streams=3,
    )  # fmt: skip
    return dataclasses.replace(recipe, **changes)
