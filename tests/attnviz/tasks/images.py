"""Small files of MNIST's format, made by its description and not by the reader's code."""

import gzip
import struct

import numpy as np


def packed(array):
    """A gzipped IDX file of bytes."""
    head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(head + array.astype(np.uint8).tobytes())


def small_mnist(train=30, test=12, side=28):
    """Images of random bytes, of ten classes in turn, as files by their published names."""
    random = np.random.default_rng(4)
    files = {}
    for prefix, count in (("train", train), ("t10k", test)):
        images = random.integers(0, 256, size=(count, side, side))
        files[f"{prefix}-images-idx3-ubyte.gz"] = packed(images)
        files[f"{prefix}-labels-idx1-ubyte.gz"] = packed(np.arange(count) % 10)
    return files
