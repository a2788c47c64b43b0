"""Recordings made up from the row number, so that every block can be computed again."""

import hashlib
import json
from pathlib import Path

import numpy as np
import xarray as xr

from attnviz.store import TraceWriter, make_plan
from attnviz.trace import Trace

WORDS = ["été", "漢字", "😀", '"quoted"', "", "it's", "<br />", "naïve\ttab", "new\nline"]
HEADS, LAGS, UNITS = 3, 5, 2
SIGNALS = {
    "attention": {"axes": ["head", "lag"], "bounds": [0.0, 1.0]},
    "contribution": {"axes": ["head", "lag"], "bounds": None},
}
ATTRIBUTES = {
    "model": "made up",
    "seed": 7,
    "options": json.dumps({"window": LAGS}),
    "mode": "eval",
}


def lengths_of(count, *, longest=11):
    return [1 + (5 * row + 3) % longest for row in range(count)]


def plan_of(count=14, *, block_size=4, longest=11):
    return make_plan(
        [f"row {row} é" for row in range(count)],
        lengths_of(count, longest=longest),
        block_size=block_size,
        batch_size=3,
    )


def tokens_of(row, length):
    return [WORDS[(row + time) % len(WORDS)] for time in range(length)]


def rows_tree(plan, start, stop, *, time=None, beyond=np.nan):
    """The rows of a block, as a recorder would give them; `beyond` stands after each end."""
    lengths = plan.lengths[start:stop]
    time = max(lengths) if time is None else time
    shape = (stop - start, time, HEADS, LAGS)
    attention = np.empty(shape, np.float32)
    hidden = np.empty((*shape[:2], UNITS))
    span = np.full((*shape[:2], 2), -1, np.int32)
    texts = []
    for at, (row, length) in enumerate(zip(range(start, stop), lengths, strict=True)):
        draw = np.random.default_rng(row)
        attention[at] = beyond
        hidden[at] = beyond
        attention[at, :length] = draw.random((length, HEADS, LAGS), np.float32)
        hidden[at, :length] = draw.normal(size=(length, UNITS))
        words = tokens_of(row, length)
        ends = np.cumsum([len(word) + 1 for word in words]) - 1
        span[at, :length, 1] = ends
        span[at, :length, 0] = ends - [len(word) for word in words]
        texts.append(" ".join(words))
    by_step = ("sequence", "time")
    root = xr.Dataset(
        {
            "id": ("sequence", list(plan.ids[start:stop])),
            "length": ("sequence", np.array(lengths)),
            "history": ("sequence", np.arange(start, stop, dtype=np.int32)),
            "label": ("sequence", np.arange(start, stop, dtype=np.int32) % 2),
            "text": ("sequence", np.array(texts, dtype=object)),
            "span": ((*by_step, "edge"), span),
            "prediction": (("sequence", "class"), attention[:, 0, 0, :2]),
        },
        coords={"class": ["negative", "positive"]},
    )
    layer = xr.Dataset(
        {
            "attention": ((*by_step, "head", "lag"), attention, {"long_name": "α", "a": 1.5}),
            "contribution": ((*by_step, "head", "lag"), 1e6 * attention),
            "lag_kernel": (("head", "lag"), np.arange(15.0).reshape(HEADS, LAGS)),
        },
        coords={"lag": np.arange(2, 2 + LAGS)},
        attrs={"direction": 1, "cell": "RRA", "signals": json.dumps(SIGNALS)},
    )
    reverse = xr.Dataset(
        {"hidden": ((*by_step, "unit"), hidden)},
        coords={"unit_kind": ("unit", ["first", "other"])},
        attrs={"direction": -1, "cell": "RRA", "bounds": [0.25, None]},
    )
    return xr.DataTree.from_dict({"/": root, "l0": layer, "l0_reverse": reverse})


def whole(plan):
    """The trace that a recording of the plan should give."""
    tree = rows_tree(plan, 0, len(plan.ids), time=plan.time)
    tree["length"] = tree["length"].astype(np.int32)
    tree.attrs = {**ATTRIBUTES, "format": "attnviz-trace/1"}
    return Trace(tree)


def write(path, plan, blocks=None, *, half=False):
    writer = TraceWriter(path, plan, ATTRIBUTES, half=half)
    for block in plan.blocks if blocks is None else blocks:
        writer.write(block, rows_tree(plan, block.start, block.stop))
    return writer


def files_of(directory):
    """Name and content of every file, folders left out."""
    return {
        file.relative_to(directory).as_posix(): hashlib.md5(file.read_bytes()).hexdigest()
        for file in Path(directory).rglob("*")
        if file.is_file()
    }
