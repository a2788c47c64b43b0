"""Small models that read texts, and panels made by hand; every axis has another size."""

from collections import Counter

import numpy as np
import torch

import cells
from attnviz.explorer.panels import Extra, Lens, Panel, Series, Switches, Track
from attnviz.models import SequenceModel
from attnviz.text import Vocabulary

WORDS = ["good", "bad", "film", "the", "very", "not", "was"]
TEXT = "The very good film was not the bad film the very very good"
SHORT = "the bad film was good"
TEXTS = [TEXT, SHORT, "not the very bad film at all", "good"]
LABELS = [1, 0, -1, 1]
REFERENCE = [TEXT, "bad bad film the good was not very good the film"]


def reader(layer, outputs=2, name="hand"):
    """A classifier of texts around a layer."""
    vocabulary = Vocabulary(("<pad>", "<unk>", *WORDS))
    model = SequenceModel(layer, outputs=outputs, vocabulary_size=len(vocabulary))
    model.vocabulary, model.name = vocabulary, name
    model.classes = ("negative", "positive", "neither")[:outputs]
    with torch.no_grad():  # far from one half, so that edits are seen
        model.head.weight.mul_(4)
    return model.eval()


def rra(name="rra", **options):
    return reader(cells.RRA(3, 4, window=5, batch_first=True, **options), name=name)


def larnn(name="larnn", window=3, outputs=2):
    stable = {"options": cells.STABLE, "batch_first": True}
    return reader(cells.LARNN(3, 4, window=window, heads=2, **stable), outputs, name)


def gru(name="gru", **options):
    return reader(cells.GRU(3, 4, batch_first=True, **options), name=name)


def rau(name="rau"):
    return reader(cells.RAU(3, 4, batch_first=True), name=name)


def lstm(name="lstm", **options):
    return reader(cells.LSTM(3, 4, batch_first=True, **options), name=name)


def ids_of(model, text):
    """Token ids of a text whose words stand apart by blanks, looked up here."""
    words = model.vocabulary.words
    known = [word.lower() for word in text.split()]
    return torch.tensor([[words.index(word) if word in words else 1 for word in known]])


@torch.no_grad()
def said_of(model, text):
    """The probabilities of the classes, by a plain call."""
    return model(ids_of(model, text)).softmax(dim=-1)[0].numpy()


def spans_of(words):
    """Spans of words with one blank between them."""
    ends = np.cumsum([len(word) + 1 for word in words]) - 1
    return np.array(
        [(end - len(word), end) for word, end in zip(words, ends, strict=True)], "int32"
    )


def lens(values, sources, name="attention", **others):
    """A lens; values `(head, time, source)`."""
    told = {"label": f"the {name}", "says": "what it is", "unit": "weight", "axis": "lag"} | others
    return Lens(name, sources=sources, values=np.asarray(values, np.float32), **told)


def score(values, name="score"):
    """A track of one line."""
    line = Series("positive", np.asarray(values, np.float32))
    return Track(name, "running prediction", "probability", "lines", [line], (0.0, 1.0))


def panel(time=11, heads=2, lags=(1, 2, 4), seed=0, **others):
    """A panel of words that all differ, with one lens of random weights."""
    draw = np.random.default_rng(seed)
    words = [f"w{number}" for number in range(time)]
    told = {
        "key": "hand", "cell": "Hand", "layer": "l0", "layers": ["l0"], "text": " ".join(words),
        "spans": spans_of(words), "lenses": [lens(draw.random((heads, time, len(lags))), lags)],
        "tracks": [score(draw.random(time))], "classes": ["negative", "positive"],
        "prediction": [0.25, 0.75], "label": 1, "switches": Switches(list(lags), heads),
    }  # fmt: skip
    return Panel(**(told | others))


def extra(label, values):
    """A part of a lens at no source."""
    return Extra(label, np.asarray(values, np.float32))


def names(found):
    """Names of lenses or tracks, which must not be there twice."""
    counted = Counter(one.name for one in found)
    assert set(counted.values()) <= {1}
    return list(counted)


def named(found, name):
    """The lens or track of a name."""
    return next(one for one in found if one.name == name)
