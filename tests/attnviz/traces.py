"""Small traces in the format's layout, built by hand: no model, no file, no torch."""

import json
import re

import numpy as np
import xarray as xr

from attnviz.trace import FORMAT, Trace

REVIEW = (
    "I went into this film expecting very little, and for the first twenty minutes it gave me "
    "exactly that. The camera wobbles, the jokes fall flat and the lead actor mumbles his way "
    "through every scene as if he were reading the script for the first time. But then, somewhere "
    "around the dinner party, something quite unexpected happens: the story begins to breathe. "
    "What looked like clumsy writing turns out to be patience, and what looked like bad acting "
    "turns out to be a man who has forgotten how to talk to his own daughter. The scene in the "
    "kitchen, shot in one long take, is among the best things I have seen this year. It isn't "
    "perfect; the score is far too loud, the subplot about the stolen bicycle goes nowhere, and "
    "the ending is telegraphed from a mile away. Still, I found myself thinking about it for days. "
    "If you can forgive a slow start, there's a wonderful, unsentimental little movie hiding in "
    "here, and the two leads deserve every bit of praise they are getting. Not for everybody, "
    "certainly not for children, but I would gladly watch it again. 8/10. "
)

SIGNALS = {
    "RRA": {"attention": {"symbol": "ŵ", "bounds": None, "normalised_over": "lag"}},
    "LARNN": {"attention": {"symbol": "α", "bounds": [0.0, 1.0], "normalised_over": "lag"}},
    "RAU": {"feature_attention": {"symbol": "U", "bounds": [0.0, 1.0]}},
    "GRU": {"gate_attention": {"symbol": "w_t(a)", "bounds": [0.0, 1.0]}},
}


def spans_of(text):
    """Start and end of each word and punctuation mark."""
    return np.array([match.span() for match in re.finditer(r"[\w'’]+|[^\w\s]", text)], np.int32)


def review(count):
    """A text with exactly `count` tokens."""
    text = REVIEW
    while len(spans_of(text)) < count:
        text += REVIEW
    return text[: spans_of(text)[count - 1, 1]]


def beyond(array, lengths):
    """The array with NaN beyond each sequence's length."""
    array = np.asarray(array, np.float32).copy()
    for row, length in enumerate(lengths):
        array[row, length:] = np.nan
    return array


def softmax(scores, axis=-1):
    weights = np.exp(scores - scores.max(axis, keepdims=True))
    return weights / weights.sum(axis, keepdims=True)


def root(texts, *, classes=("neg", "pos"), labels=None, history=None, seed=0):
    """The root group: texts with their spans, labels and running scores of a two-class head."""
    draw = np.random.default_rng(seed)
    spans = [spans_of(text) for text in texts]
    lengths = np.array([len(span) for span in spans], np.int32)
    span = np.full((len(texts), lengths.max(), 2), -1, np.int32)
    for row, own in enumerate(spans):
        span[row, : len(own)] = own
    steps = draw.normal(0.02, 0.25, (len(texts), lengths.max(), len(classes)))
    score = beyond(np.cumsum(steps, axis=1), lengths)
    prediction = np.stack([score[row, length - 1] for row, length in enumerate(lengths)])
    labels = np.arange(len(texts)) % len(classes) if labels is None else np.asarray(labels)
    history = np.zeros(len(texts)) if history is None else np.asarray(history)
    variables = {
        "id": ("sequence", np.array([f"test/pos/{row}_8.txt" for row in range(len(texts))])),
        "length": ("sequence", lengths),
        "history": ("sequence", history.astype(np.int32)),
        "label": ("sequence", labels.astype(np.int32)),
        "text": ("sequence", np.array(texts, dtype=object)),
        "span": (("sequence", "time", "edge"), span),
        "prediction": (("sequence", "class"), prediction),
        "score": (("sequence", "time", "class"), score),
    }
    return xr.Dataset(variables, coords={"class": list(classes)}), lengths


def build(dataset, group, *, cell, name=None, direction=1):
    """A trace of one layer group, `l0` (or `l0_reverse`)."""
    dataset = dataset.assign_attrs(
        format=FORMAT, model=name or f"{cell.lower()}-imdb", cell=cell, task="imdb", split="test",
        mode="eval", truncation=json.dumps({"side": "end", "length": 400}),
    )  # fmt: skip
    group = group.assign_attrs(
        direction=direction, cell=cell, signals=json.dumps(SIGNALS.get(cell, {}))
    )
    child = "l0" if direction > 0 else "l0_reverse"
    return Trace(xr.DataTree.from_dict({"/": dataset, f"/{child}": group}))


def lagged(values, lengths, lags, extra=()):
    """A group with one `(sequence, time, head, lag)` variable for each name."""
    variables = {
        name: (("sequence", "time", "head", "lag"), beyond(array, lengths))
        for name, array in values.items()
    }
    variables.update(extra)
    return xr.Dataset(variables, coords={"lag": np.asarray(lags)})


def rra(texts=None, *, lags=range(2, 12), weights=None, direction=1, history=None, seed=1):
    """RRA: one static kernel that sums to one and may be negative; contributions vary."""
    draw = np.random.default_rng(seed)
    dataset, lengths = root(texts or [review(37), review(23)], history=history, seed=seed)
    lags = np.asarray(list(lags))
    if weights is None:
        weights = 0.9 * 0.7 ** np.arange(len(lags)) * np.cos(0.9 * np.arange(len(lags)))
        weights = weights / weights.sum()
    kernel = np.asarray(weights)
    shape = (len(lengths), lengths.max(), 1, len(lags))
    step = np.arange(shape[1])
    step = (step[None, :] if direction > 0 else lengths[:, None] - 1 - step[None, :])[..., None]
    carried = np.zeros(len(lengths)) if history is None else np.asarray(history)
    real = (step + carried[:, None, None] >= lags)[:, :, None, :]
    norms = np.abs(kernel) * real * draw.gamma(3.0, 0.5, shape)
    return build(
        dataset,
        lagged(
            {"attention": np.broadcast_to(kernel, shape), "contribution": norms},
            lengths, lags, {"lag_kernel": (("head", "lag"), kernel[None])},
        ),
        cell="RRA", direction=direction,
    )  # fmt: skip


def larnn(texts=None, *, heads=3, window=7, labels=None, seed=2):
    """LARNN: a softmax over the slots present (c_0 included), for each head."""
    draw = np.random.default_rng(seed)
    dataset, lengths = root(texts or [review(41), review(29)], labels=labels, seed=seed)
    shape = (len(lengths), lengths.max(), heads, window)
    lags = np.arange(1, window + 1)
    focus = np.arange(heads)[:, None] * 2 + 1
    scores = draw.normal(0, 0.9, shape) - 0.5 * np.abs(lags - focus)
    present = (np.arange(shape[1])[:, None] - lags >= -1)[None, :, None, :]
    weights = softmax(np.where(present, scores, -1e9))
    real = (np.arange(shape[1])[:, None] - lags >= 0)[None, :, None, :]
    norms = weights * real * draw.gamma(4.0, 0.3, shape)
    extra = {
        "hidden_gradient_norm": (
            ("sequence", "time"),
            beyond(draw.gamma(1.0, 0.01, shape[:2]), lengths),
        )
    }
    group = lagged({"attention": weights, "contribution": norms}, lengths, lags, extra)
    return build(dataset, group, cell="LARNN")


def gates(update, ages):
    """Weights by age of h_t = (1−z_t) h_{t−1} + z_t candidate_t, unit by unit, then their mean."""
    time, units = update.shape
    by_age, initial = np.zeros((time, time, units)), np.ones((time, units))
    for t in range(time):
        carry = np.ones(units)
        for age in range(t + 1):
            by_age[t, age] = update[t - age] * carry
            carry = carry * (1 - update[t - age])
        initial[t] = carry
    mean = by_age.mean(-1)
    map_ = np.pad(mean, ((0, 0), (0, max(0, ages - time))))[:, :ages]
    return map_, mean[:, ages:].sum(-1), initial.mean(-1)


def gru(texts=None, *, ages=8, units=5, seed=3):
    """GRU: the exact attention of its update gates, by age."""
    draw = np.random.default_rng(seed)
    dataset, lengths = root(texts or [review(31), review(19)], seed=seed)
    time = lengths.max()
    centre = np.linspace(-2.5, 0.5, units)
    parts = []
    for _ in lengths:
        update = 1 / (1 + np.exp(-draw.normal(centre, 1.0, (time, units))))
        parts.append(gates(update, ages))
    by_age, past, initial = (np.array(part) for part in zip(*parts, strict=True))
    residual = np.abs(draw.normal(0, 2e-8, (len(lengths), time)))
    row = ("sequence", "time")
    group = xr.Dataset(
        {
            "gate_attention": ((*row, "age"), beyond(by_age, lengths)),
            "gate_attention_beyond": (row, beyond(past, lengths)),
            "gate_attention_initial": (row, beyond(initial, lengths)),
            "gate_attention_residual": (row, beyond(residual, lengths)),
        },
        coords={"age": np.arange(ages)},
    )
    return build(dataset, group, cell="GRU")


def rau(texts=None, *, inputs=11, hidden=13, seed=4):
    """RAU: a softmax over the features of [x_t, h_{t−1}], close to uniform."""
    draw = np.random.default_rng(seed)
    dataset, lengths = root(texts or [review(33), review(17)], seed=seed)
    shape = (len(lengths), lengths.max(), inputs + hidden)
    bias = draw.normal(0, 0.5, inputs + hidden)
    weights = softmax(bias + draw.normal(0, 0.5, shape))
    group = xr.Dataset(
        {"feature_attention": (("sequence", "time", "feature"), beyond(weights, lengths))},
        coords={"feature_kind": ("feature", ["input"] * inputs + ["hidden"] * hidden)},
    )
    return build(dataset, group, cell="RAU")


def small(weights, lags, *, lengths=None, history=None, direction=1, cell="LARNN", **others):
    """A trace without text from explicit arrays `(sequence, time, head, lag)`."""
    weights = np.asarray(weights, float)
    lengths = np.asarray([weights.shape[1]] * len(weights) if lengths is None else lengths)
    history = np.zeros(len(weights)) if history is None else np.asarray(history)
    variables = {
        "length": ("sequence", lengths.astype(np.int32)),
        "history": ("sequence", history.astype(np.int32)),
    }
    clipped = np.maximum(lengths, 0)
    group = lagged({"attention": weights, **others}, clipped, lags)
    return build(xr.Dataset(variables), group, cell=cell, direction=direction)
