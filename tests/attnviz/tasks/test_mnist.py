import hashlib
from collections import Counter

import numpy as np
import pytest

from attnviz.tasks import (
    DamagedDataError,
    DataNotFoundError,
    load_fashion_mnist,
    load_mnist,
    pixel_permutation,
)
from attnviz.tasks.mnist import CLOTHES
from tests.attnviz.tasks.images import packed, small_mnist

ORDERS = ("pixel", "permuted", "row")
LOADERS = {"mnist": load_mnist, "fashion-mnist": load_fashion_mnist}


@pytest.fixture
def small(publish_files):
    def write(name="mnist", **changes):
        return publish_files(name, {**small_mnist(), **changes})

    return write


@pytest.fixture
def load(small):
    folder = small()
    return lambda order, held_out=10, **options: load_mnist(
        order, folder, held_out=held_out, **options
    )


def by_id(task):
    return {
        id: (split.values[place], split.labels[place])
        for split in task.splits.values()
        for place, id in enumerate(split.ids)
    }


def test_all_orders_hold_the_same_pixels_of_the_same_images(load):
    pixel, permuted, row = (by_id(load(order)) for order in ORDERS)

    assert set(pixel) == set(permuted) == set(row)
    assert len(pixel) == 42
    for id, (values, label) in pixel.items():
        assert values.shape == (784, 1)
        assert row[id][0].shape == (28, 28)
        assert np.array_equal(values.ravel(), row[id][0].ravel())
        assert sorted(permuted[id][0].ravel()) == sorted(values.ravel())
        assert label == permuted[id][1] == row[id][1]


def test_permuted_timesteps_read_the_pixels_of_the_permutation(load):
    pixel, permuted = by_id(load("pixel")), by_id(load("permuted"))

    for t, place in enumerate(pixel_permutation()):
        assert permuted["test/3"][0][t, 0] == pixel["test/3"][0][place, 0]


def test_rows_are_timesteps_and_columns_features(load):
    from_file = np.random.default_rng(4).integers(0, 256, size=(30, 28, 28))

    assert np.array_equal(by_id(load("row"))["train/7"][0], from_file[7])


@pytest.mark.parametrize("order", ORDERS)
def test_bytes_are_kept_until_they_are_read(load, order):
    split = load(order).splits["validation"]

    features = split.features([2, 0])
    assert split.values.dtype == np.uint8
    assert features.dtype == np.float32
    assert np.array_equal(features, (split.values[[2, 0]] / 255).astype(np.float32))
    assert 0 <= features.min() < 0.05
    assert 0.95 < features.max() <= 1


def test_every_class_is_validated_on_by_its_share(load):
    splits = load("row").splits

    assert {name: len(split) for name, split in splits.items()} == {
        "train": 20,
        "validation": 10,
        "test": 12,
    }
    assert np.bincount(splits["train"].labels).tolist() == [2] * 10
    assert np.bincount(splits["validation"].labels).tolist() == [1] * 10
    ids = splits["train"].ids + splits["validation"].ids
    assert sorted(ids) == sorted(f"train/{number}" for number in range(30))


def test_validation_depends_on_the_seed_alone(load):
    def drawn(order, seed):
        return load(order, seed=seed).splits["validation"].ids

    assert drawn("row", 0) == drawn("pixel", 0) == drawn("permuted", 0)
    assert len({drawn("row", seed) for seed in range(4)}) == 4


def test_the_task_says_what_it_is(load):
    task = load("permuted")

    assert (task.name, task.metric) == ("permuted-mnist", "accuracy")
    assert (task.length, task.feature_count) == (784, 1)
    assert task.classes == tuple("0123456789")
    digest = hashlib.sha256(pixel_permutation().astype("<i8").tobytes()).hexdigest()
    assert task.provenance["permutation"] == f"sha256 {digest}"
    assert task.provenance["order"] == "permuted"
    assert task.provenance["terms"] == "cite us"
    assert "permutation" not in load("pixel").provenance


def test_clothes_are_read_row_by_row_unless_asked_otherwise(small):
    folder = small("fashion-mnist")

    assert load_fashion_mnist(data=folder, held_out=5).name == "row-fashion-mnist"
    assert load_fashion_mnist("pixel", folder, held_out=5).length == 784
    assert load_fashion_mnist(data=folder, held_out=5).classes[9] == "Ankle boot"
    assert len(set(CLOTHES)) == 10


def test_an_unknown_order_is_refused(load, unchecked):
    with pytest.raises(ValueError, match=r"order 'pixel', 'permuted' or 'row', .* 'column'"):
        load("column")


def test_something_is_left_to_train_on(load):
    with pytest.raises(ValueError, match=r"Of 30 sequences 0 to 29 can be held out.* got 30"):
        load("row", held_out=30)


def test_a_file_that_is_not_the_published_one_is_refused(small):
    folder = small()
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(packed(np.arange(12)[::-1] % 10))

    with pytest.raises(DamagedDataError, match=r"t10k-labels-idx1-ubyte\.gz is not the published"):
        load_mnist("row", folder)


def test_digits_are_not_taken_for_clothes(publish_files, small):
    folder = small()
    publish_files("fashion-mnist", small_mnist(train=31))

    with pytest.raises(DamagedDataError, match="not the published file of fashion-mnist"):
        load_fashion_mnist(data=folder)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("train-labels-idx1-ubyte.gz", np.zeros(29), r"30 x 28 x 28 .*train-la.* has 29 labels"),
        ("t10k-images-idx3-ubyte.gz", np.zeros((12, 28, 27)), r"has 12 x 28 x 27 pixels"),
        ("t10k-labels-idx1-ubyte.gz", np.full(12, 10), r"t10k-labels.* has the label 10, where 9"),
        ("train-images-idx3-ubyte.gz", np.zeros((0, 28, 28)), "has 0 x 28 x 28 pixels"),
        ("train-images-idx3-ubyte.gz", np.zeros(30), "begins with 00000801"),
    ],
)
def test_files_that_do_not_belong_together_are_refused(small, name, array, message):
    folder = small(**{name: packed(array)})

    with pytest.raises(DamagedDataError, match=rf"{message}.* again from http"):
        load_mnist("row", folder)


def test_a_published_file_cut_off_is_refused(small):
    name = "train-images-idx3-ubyte.gz"
    folder = small(**{name: small_mnist()[name][:9000]})

    with pytest.raises(DamagedDataError, match=r"train-images.* cannot be unzipped"):
        load_mnist("row", folder)


def test_it_may_be_nowhere(nowhere, tmp_path):
    with pytest.raises(DataNotFoundError, match="The mnist data set is needed"):
        load_mnist("row", tmp_path)


@pytest.fixture(scope="module", params=LOADERS)
def full(request, full_data):
    return LOADERS[request.param]("row", full_data)


@pytest.mark.data
def test_all_images_are_there(full):
    counts = {name: np.bincount(split.labels).tolist() for name, split in full.splits.items()}
    digits = full.name == "row-mnist"

    assert {name: len(split) for name, split in full.splits.items()} == {
        "train": 55000,
        "validation": 5000,
        "test": 10000,
    }
    # Digits are counted as in the files; of clothes there are 6,000 and 1,000 of each kind.
    test = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009] if digits else [1000] * 10
    train = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949] if digits else [6000] * 10
    assert counts["test"] == test
    assert np.add(counts["train"], counts["validation"]).tolist() == train
    assert (np.abs(np.array(counts["validation"]) - np.array(train) / 12) < 1).all()
    assert full.length == full.feature_count == 28


@pytest.mark.data
def test_the_validation_split_never_changes(full):
    # Numbers of the images in the file, drawn by their classes: digits and clothes differ.
    ids = " ".join(full.splits["validation"].ids).encode()

    assert (
        hashlib.sha256(ids).hexdigest()[:16]
        == {
            "row-mnist": "87f72e8e5c1a5ba3",
            "row-fashion-mnist": "eec75cd0eb1b9303",
        }[full.name]
    )


@pytest.mark.data
def test_pixels_have_the_known_mean_and_spread(full):
    # Of the 60,000 training images, as they are commonly used to standardise.
    pixels = np.concatenate([full.splits[name].values for name in ("train", "validation")])
    counts = np.bincount(pixels.ravel(), minlength=256)
    levels = np.arange(256) / 255
    mean = (counts * levels).sum() / counts.sum()
    spread = np.sqrt((counts * (levels - mean) ** 2).sum() / counts.sum())

    known = {"row-mnist": (0.1307, 0.3081), "row-fashion-mnist": (0.2860, 0.3530)}[full.name]
    assert (round(mean, 4), round(spread, 4)) == known


@pytest.mark.data
@pytest.mark.parametrize("name", LOADERS)
def test_orders_of_the_full_test_split_hold_the_same_pixels(full_data, name):
    row, permuted = (
        LOADERS[name](order, full_data).splits["test"] for order in ("row", "permuted")
    )

    back = np.empty((10000, 784), dtype=np.uint8)
    back[:, pixel_permutation()] = permuted.values[:, :, 0]
    assert np.array_equal(back, row.values.reshape(10000, 784))
    assert Counter(row.labels.tolist()) == Counter(permuted.labels.tolist())
