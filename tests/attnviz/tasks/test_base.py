import numpy as np
import pytest

from attnviz.tasks import TextSplit, TextTask


def make_split(ids=("a", "b", "c"), labels=(1, 0, 1)):
    texts = tuple(f"text of {id}" for id in ids)
    return TextSplit(tuple(ids), texts, np.array(labels), tuple(f"group of {id}" for id in ids))


def test_selected_rows_keep_what_belongs_to_them():
    chosen = make_split().select([2, 1])

    assert len(chosen) == 2
    assert (chosen.ids, chosen.labels.tolist()) == (("c", "b"), [1, 0])
    assert (chosen.texts, chosen.groups) == (
        ("text of c", "text of b"),
        ("group of c", "group of b"),
    )
    assert len(chosen.select([])) == 0


def test_fields_of_different_length_are_refused():
    with pytest.raises(ValueError, match="3 ids, 3 texts, 2 labels and 3 groups"):
        make_split(labels=(1, 0))


def test_a_label_without_a_class_is_refused():
    with pytest.raises(ValueError, match="2 classes, but b in train has label 2"):
        TextTask("t", ("no", "yes"), {"train": make_split(labels=(1, 2, -1))}, {})


def test_an_id_in_two_splits_is_refused():
    splits = {"train": make_split(), "test": make_split(ids=("d", "c"), labels=(0, 1))}

    with pytest.raises(ValueError, match="5 examples but 4 ids"):
        TextTask("t", ("no", "yes"), splits, {})
