"""Arrays where they are taken, and what is said of what is none."""

import numpy as np
import pytest
import torch

import attnviz
import cells
from attnviz.recording import Numbers, record_numbers
from attnviz.tasks import LabelledSplit, NumberSplit

X, Y = np.random.default_rng(0).normal(size=(6, 5, 3)).astype(np.float32), np.arange(6) % 2
NAMES, GROUPS = tuple("abcdef"), np.arange(6)

REFUSED = {
    "a list of arrays": (
        lambda: Numbers([X[0], X[1, :2]], Y[:2]),
        r"^Numbers takes features as a NumPy array of numbers \(sequence, time, feature\), got a "
        r"list\. Give numpy\.stack\(features\), of several lengths padded to one, with lengths=\.$",
    ),
    "nothing": (
        lambda: Numbers(None, Y),
        r"\(sequence, time, feature\), got a NoneType\.$",
    ),
    "a list of values": (
        lambda: LabelledSplit([X[0], X[1, :2]], Y[:2], NAMES[:2], GROUPS[:2]),
        r"got a list\. Give numpy\.stack\(values\), of several",
    ),
    "a tensor": (
        lambda: Numbers(torch.tensor(X), Y),
        r"got a torch\.Tensor\. Give features\.detach\(\)\.cpu\(\)\.numpy\(\)\.",
    ),
    "a list of targets": (lambda: Numbers(X, [0] * 6), r"got a list\. Give numpy\.array\(targets"),
    "targets in words": (
        lambda: Numbers(X, np.array(["a"] * 6)),
        r"targets as a NumPy array of numbers \(sequence\), .*got one of <U1\.",
    ),
    "numbers with one axis": (lambda: Numbers(X, Y / 2), r"got targets of float64 with one axis"),
    "features without an axis": (lambda: Numbers(X[..., 0], Y), r"features .*got shape \(6, 5\)"),
    "values of torch": (
        lambda: LabelledSplit(torch.tensor(X), Y, NAMES, GROUPS),
        r"^LabelledSplit takes values as a NumPy array .*got a torch\.Tensor\. Give values\.detach",
    ),
    "labels in words": (
        lambda: LabelledSplit(X, np.array(NAMES), NAMES, GROUPS),
        r"labels as a NumPy array of whole numbers, got one of <U1\.",
    ),
    "a list of labels": (
        lambda: LabelledSplit(X, [0] * 6, NAMES, GROUPS),
        r"labels as a NumPy array of whole numbers, got a list\. Give numpy\.array\(labels",
    ),
    "targets of torch": (
        lambda: NumberSplit(X, torch.zeros(6, 1)),
        r"NumberSplit takes targets as .*got a torch\.Tensor\. Give targets\.detach",
    ),
    "a list of inputs": (
        lambda: attnviz.Sequences([X[0], X[1]]),
        r"^Sequences takes a tensor or array, .*got a list\. Pad",
    ),
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_array_is_refused_when_it_is_given(name):
    make, said = REFUSED[name]
    with pytest.raises((TypeError, ValueError), match=said):
        make()


def test_sequences_are_arrays_or_tensors():
    layer, lengths = cells.GRU(3, 4, batch_first=True), [5, 4, 3, 2, 1, 5]
    found = [
        attnviz.linear_influence(layer, attnviz.Sequences(given, lengths), reference=X, at="last")
        for given in (X, torch.tensor(X))
    ]
    assert found[0].equals(found[1])


def test_a_split_is_no_numbers_yet(unchecked):
    model = attnviz.SequenceModel(cells.GRU(3, 4, batch_first=True), outputs=2)
    split = LabelledSplit(X, Y, NAMES, GROUPS)
    with pytest.raises(TypeError, match=r"got a LabelledSplit\. .*Numbers\(split\.features\(\)"):
        record_numbers(model, split)
    numbers = Numbers(split.features(), split.labels, split.ids, lengths=split.lengths)
    assert record_numbers(model, numbers).tree.sizes["sequence"] == 6
    with pytest.raises(TypeError, match=r"takes a SequenceModel, .*got GRU"):
        record_numbers(model.layer, numbers)
