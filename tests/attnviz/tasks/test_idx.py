import gzip

import numpy as np
import pytest

from attnviz.tasks import DamagedDataError
from attnviz.tasks.idx import read_idx
from tests.attnviz.tasks.images import packed

ARRAY = np.arange(2 * 3 * 5).reshape(2, 3, 5)


def read(tmp_path, content, axes=3):
    path = tmp_path / "images.gz"
    path.write_bytes(content)
    return read_idx(path, axes=axes, url="http://x/")


def test_it_is_read_as_described(tmp_path):
    # Written out by hand: two zeros, bytes (8), two axes of 2 and 3, six entries.
    content = bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 10, 11, 12, 250, 251, 255])

    array = read(tmp_path, gzip.compress(content), axes=2)

    assert array.tolist() == [[10, 11, 12], [250, 251, 255]]
    assert array.dtype == np.uint8


def test_the_last_axis_moves_fastest(tmp_path):
    assert np.array_equal(read(tmp_path, packed(ARRAY)), ARRAY)


def test_sizes_above_a_byte_are_read_with_the_highest_first(tmp_path):
    assert read(tmp_path, packed(np.zeros(70_000)), axes=1).shape == (70_000,)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.7, 0.95])
def test_a_file_cut_off_is_refused(tmp_path, part):
    whole = packed(np.random.default_rng(0).integers(0, 256, size=(4, 9, 9)))

    with pytest.raises(DamagedDataError, match=r"not a complete IDX file.*Delete it .* http://x/"):
        read(tmp_path, whole[: int(part * len(whole))])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (bytes([0, 0, 8, 1]) + bytes(20), "begins with 00000801, not 00000803"),
        (bytes([0, 0, 9, 3]) + bytes(20), "begins with 00000903, not 00000803"),
        (bytes([1, 0, 8, 3]) + bytes(20), "begins with 01000803, not 00000803"),
        (bytes([0, 0, 8]), "begins with 000008, not 00000803"),
        (bytes([0, 0, 8, 3]) + bytes(11), "ends within its header of 16 bytes"),
        (gzip.decompress(packed(ARRAY))[:-1], "says 2 x 3 x 5 bytes, but 29 follow"),
        (gzip.decompress(packed(ARRAY)) + b"x", "says 2 x 3 x 5 bytes, but 31 follow"),
        (bytes([0, 0, 8, 3]) + b"\xff" * 12 + b"xyz", "says 4294967295 x .* bytes, but 3 follow"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path, content, message):
    with pytest.raises(DamagedDataError, match=message):
        read(tmp_path, gzip.compress(content))


def test_what_is_not_gzipped_is_refused(tmp_path):
    with pytest.raises(DamagedDataError, match="cannot be unzipped"):
        read(tmp_path, b"<html>404</html>")
