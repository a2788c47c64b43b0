"""The format of MNIST: a magic number, the size of each axis, bytes."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from attnviz.tasks.sources import DamagedDataError

__all__ = ["read_idx"]

_BYTES = 0x08  # the type of the entries


def read_idx(path: Path, *, axes: int, url: str) -> UInt8[np.ndarray, "..."]:
    """Reads a gzipped IDX file of bytes.

    It begins with two zeros, the type of its entries and its number of axes, a byte each; then
    come the axes' sizes, four bytes each, the highest first, and then the entries, the last axis
    moving fastest.

    References:
        The MNIST Database of Handwritten Digits (LeCun, Cortes and Burges),
        http://yann.lecun.com/exdb/mnist/, at its end.

    Arguments:
        path: The file.
        axes: How many it must have.
        url: Where errors say to get it again.

    Raises:
        DamagedDataError: If it is cut off, or something else, or has bytes left over.
    """
    try:
        content = gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise _damaged(path, f"it cannot be unzipped ({error})", url) from error
    expected = bytes([0, 0, _BYTES, axes])
    if content[:4] != expected:
        reason = f"it begins with {content[:4].hex()}, not {expected.hex()}"
        raise _damaged(path, reason, url)
    start = 4 + 4 * axes
    if len(content) < start:
        raise _damaged(path, f"it ends within its header of {start} bytes", url)
    shape = tuple(int(size) for size in np.frombuffer(content[4:start], dtype=">u4"))
    if len(content) - start != math.prod(shape):
        needed = " x ".join(map(str, shape))
        reason = f"its header says {needed} bytes, but {len(content) - start:,} follow"
        raise _damaged(path, reason, url)
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _damaged(path: Path, reason: str, url: str) -> DamagedDataError:
    return DamagedDataError(
        f"{path} is not a complete IDX file: {reason}. Delete it and get it again from {url}"
    )
