"""MNIST and Fashion-MNIST, read as sequences: pixel by pixel, permuted, or row by row.

References:
    Gradient-Based Learning Applied to Document Recognition (LeCun et al., 1998),
    https://doi.org/10.1109/5.726791. Fashion-MNIST (Xiao et al., 2017),
    https://arxiv.org/abs/1708.07747. Pixel by pixel and permuted: A Simple Way to Initialize
    Recurrent Networks of Rectified Linear Units (Le et al., 2015),
    https://arxiv.org/abs/1504.00941. Departs from the published splits in that 5,000 images of
    the training half are for validation.
"""

import hashlib
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8

from attnviz.tasks.drawing import pixel_permutation, stratified
from attnviz.tasks.file_sets import locate_files
from attnviz.tasks.idx import read_idx
from attnviz.tasks.labelled import LabelledSplit, LabelledTask
from attnviz.tasks.published import FILE_SETS
from attnviz.tasks.sources import DamagedDataError

__all__ = ["Order", "load_fashion_mnist", "load_mnist"]

Order = Literal["pixel", "permuted", "row"]

_ORDERS: tuple[Order, ...] = ("pixel", "permuted", "row")
_SIDE = 28
_HALVES = {"train": "train", "test": "t10k"}
DIGITS = tuple(str(digit) for digit in range(10))
CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip


class _Half(NamedTuple):
    """What is published together."""

    images: UInt8[np.ndarray, "sequence row column"]
    labels: Int64[np.ndarray, "sequence"]


def load_mnist(
    order: Order, data: Path | str | None = None, *, held_out: int = 5_000, seed: int = 0
) -> LabelledTask:
    """Reads handwritten digits, straight from the published files.

    Images stay as bytes; `LabelledSplit.features` divides by 255 what is asked for. Ids are like
    `train/41`, counted from 0 as published; every split stands in this order.

    Arguments:
        order: `pixel` reads 784 pixels row by row, one a timestep; `permuted` the same in the
            order of `attnviz.tasks.pixel_permutation`; `row` reads 28 rows of 28 pixels.
        data: The folder of the files, or one that holds it; see
            `attnviz.tasks.locate_files` for where else they are looked for.
        held_out: How many training images are for validation, every class by its share.
        seed: Of the validation split. A change makes runs incomparable.

    Raises:
        ValueError: If there is no such order, or nothing would be left to train on.
        DataNotFoundError: If the data is not here and cannot be downloaded.
        DamagedDataError: If a file is not the published one.
    """
    return _loaded("mnist", DIGITS, order, data, held_out, seed)


def load_fashion_mnist(
    order: Order = "row", data: Path | str | None = None, *, held_out: int = 5_000, seed: int = 0
) -> LabelledTask:
    """Reads pictures of clothes, of the shape of MNIST's digits; see `load_mnist`.

    Raises:
        ValueError: If there is no such order, or nothing would be left to train on.
        DataNotFoundError: If the data is not here and cannot be downloaded.
        DamagedDataError: If a file is not the published one.
    """
    return _loaded("fashion-mnist", CLOTHES, order, data, held_out, seed)


def _loaded(
    name: str,
    classes: tuple[str, ...],
    order: Order,
    data: Path | str | None,
    held_out: int,
    seed: int,
) -> LabelledTask:
    if order not in _ORDERS:
        raise ValueError(f"Images are read in the order {_listed()}, but got {order!r}.")
    halves = _read(name, data)
    train = _sequences("train", halves["train"], order)
    in_validation = stratified(train.labels, held_out, seed=seed)
    splits = {
        "train": train.select(np.flatnonzero(~in_validation)),
        "validation": train.select(np.flatnonzero(in_validation)),
        "test": _sequences("test", halves["test"], order),
    }
    provenance: dict[str, str | int | float | None] = {
        "source": FILE_SETS[name].url,
        "terms": FILE_SETS[name].terms,
        **{file.file: f"{file.algorithm} {file.digest}" for file in FILE_SETS[name].files},
        "order": order,
        "held_out": held_out,
        "split_seed": seed,
    }
    if order == "permuted":
        permutation = pixel_permutation().astype("<i8").tobytes()
        provenance["permutation"] = f"sha256 {hashlib.sha256(permutation).hexdigest()}"
    return LabelledTask(f"{order}-{name}", classes, (), splits, provenance)


def _listed() -> str:
    return ", ".join(map(repr, _ORDERS[:-1])) + f" or {_ORDERS[-1]!r}"


def _read(name: str, data: Path | str | None) -> dict[str, _Half]:
    paths, url = locate_files(name, data), FILE_SETS[name].url
    halves = {}
    for half, prefix in _HALVES.items():
        pictures, answers = (
            paths[f"{prefix}-{what}-ubyte.gz"] for what in ("images-idx3", "labels-idx1")
        )
        images = read_idx(pictures, axes=3, url=url)
        labels = read_idx(answers, axes=1, url=url)
        if len(images) != len(labels) or images.shape[1:] != (_SIDE, _SIDE) or not len(images):
            shape = " x ".join(map(str, images.shape))
            reason = f"{shape} pixels and {answers.name} has {len(labels)} labels"
            raise DamagedDataError(_mismatched(pictures, reason, url))
        if labels.max() >= 10:
            reason = f"{answers.name} has the label {labels.max()}, where 9 is the highest"
            raise DamagedDataError(_mismatched(pictures, reason, url))
        halves[half] = _Half(images, labels.astype(np.int64))
    return halves


def _mismatched(path: Path, reason: str, url: str) -> str:
    return (
        f"{path} needs images of {_SIDE} x {_SIDE} pixels and a label of 0 to 9 for each, but has "
        f"{reason}. Delete both and get them again from {url}"
    )


def _sequences(name: str, half: _Half, order: Order) -> LabelledSplit:
    """A half in the order in which it is read; the same bytes as its images."""
    count = len(half.images)
    if order == "row":
        values = half.images
    else:
        values = half.images.reshape(count, _SIDE * _SIDE, 1)
        values = values[:, pixel_permutation()] if order == "permuted" else values
    ids = tuple(f"{name}/{number}" for number in range(count))
    return LabelledSplit(values, half.labels, ids, np.arange(count))
