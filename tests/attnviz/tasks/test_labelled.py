import numpy as np
import pytest

from attnviz.tasks import LabelledSplit, LabelledTask


def make_split(count=4, first=0, values=None, labels=None, ids=None):
    if values is None:
        values = np.arange(count * 3 * 2, dtype=np.uint8).reshape(count, 3, 2) * 10
    labels = np.arange(count) % 3 if labels is None else np.array(labels)
    ids = tuple(f"s{first + number}" for number in range(count)) if ids is None else ids
    return LabelledSplit(values, labels, ids, np.arange(count) + 50)


def make_task(features=(), classes=("a", "b", "c"), **splits):
    return LabelledTask("t", classes, features, splits, {})


def test_bytes_are_divided_by_255_and_floats_left_as_they_are():
    split = make_split()

    assert split.features().tolist() == (split.values.astype(np.float32) / 255).tolist()
    assert split.features().dtype == np.float32
    kept = np.linspace(-7, 9, 24, dtype=np.float32).reshape(4, 3, 2)
    assert np.array_equal(make_split(values=kept).features(), kept)


@pytest.mark.parametrize("rows", [[2, 0], slice(1, 3), np.array([3, 3, 1])])
def test_rows_are_read_in_the_order_given(rows):
    split = make_split()

    assert np.array_equal(split.features(rows), split.features()[rows])
    assert len(split.features([])) == 0


def test_selected_rows_keep_what_belongs_to_them():
    chosen = make_split().select([2, 1])

    assert (chosen.ids, chosen.labels.tolist()) == (("s2", "s1"), [2, 1])
    assert chosen.groups.tolist() == [52, 51]
    assert chosen.values[:, 0, 0].tolist() == [120, 60]
    assert (len(chosen), len(make_split().select([]))) == (2, 0)


def test_fields_of_different_length_are_refused():
    with pytest.raises(ValueError, match="4 sequences, 2 labels, 4 ids and 4 groups"):
        make_split(labels=[0, 1])


@pytest.mark.parametrize("kind", [np.float64, np.int64, np.int8])
def test_values_of_another_type_are_refused(kind):
    with pytest.raises(ValueError, match=f"keeps uint8 or float32, but got {np.dtype(kind)}"):
        make_split(values=np.zeros((4, 3, 2), dtype=kind))


def test_a_task_knows_its_lengths():
    task = make_task(features=("x", "y"), train=make_split(), test=make_split(2, first=9))

    assert (task.length, task.feature_count, task.metric) == (3, 2, "accuracy")


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_without_a_class_is_refused(label):
    with pytest.raises(ValueError, match=f"3 classes, but s1 in train has label {label}"):
        make_task(train=make_split(labels=[0, label, 2, -5]))


def test_an_id_in_two_splits_is_refused():
    with pytest.raises(ValueError, match="7 sequences but 6 ids"):
        make_task(train=make_split(), test=make_split(3, first=3))


def test_splits_of_different_shape_are_refused():
    other = make_split(2, first=9, values=np.zeros((2, 3, 5), dtype=np.uint8))

    with pytest.raises(ValueError, match="train 3 x 2, test 3 x 5"):
        make_task(train=make_split(), test=other)


def test_names_for_other_features_are_refused():
    with pytest.raises(ValueError, match="names 3 features but has 2"):
        make_task(features=("x", "y", "z"), train=make_split())


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_sequence_that_is_no_number_is_named(value):
    values = np.zeros((4, 3, 2), np.float32)
    values[2, 1, 0] = value
    with pytest.raises(ValueError, match=r"features of 1 of 4 sequences hold NaN .*: s2\."):
        make_split(values=values)


def test_ids_that_come_twice_are_named():
    with pytest.raises(ValueError, match=r"4 sequences but 2 ids: 'a', 'b' come more than once"):
        make_task(train=make_split(ids=("a", "b", "a", "b")))
