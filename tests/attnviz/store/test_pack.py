import os
import zipfile

import pytest

from attnviz.store import pack_trace
from attnviz.trace import TraceFormatError
from tests.attnviz.store import blocks


def test_the_same_trace_gives_the_same_zip(tmp_path):
    plan = blocks.plan_of()
    one = blocks.write(tmp_path / "a.zarr", plan).path
    two = blocks.write(tmp_path / "b.zarr", plan, plan.blocks[::-1]).path
    for file in two.rglob("*"):
        os.utime(file, (10**9, 10**9))

    first = pack_trace(one, tmp_path / "a.zip")
    second = pack_trace(str(two), str(tmp_path / "b.zip"))

    assert second == tmp_path / "b.zip"
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as packed:
        assert packed.namelist() == sorted(blocks.files_of(one))
        assert {entry.compress_type for entry in packed.infolist()} == {zipfile.ZIP_STORED}
        assert {entry.date_time for entry in packed.infolist()} == {(1980, 1, 1, 0, 0, 0)}


def test_what_a_killed_writer_left_is_not_packed(tmp_path):
    path = blocks.write(tmp_path / "t.zarr", blocks.plan_of()).path
    (path / "text/c/0.0123.partial").write_bytes(b"cut")
    with zipfile.ZipFile(pack_trace(path, tmp_path / "t.zip")) as packed:
        assert "text/c/0.0123.partial" not in packed.namelist()


def test_refuses_an_unfinished_trace(tmp_path):
    plan = blocks.plan_of()
    path = blocks.write(tmp_path / "t.zarr", plan, plan.blocks[1:]).path
    with pytest.raises(ValueError, match=r"1 of the 4 blocks .* not recorded. Resume"):
        pack_trace(path, tmp_path / "t.zip")
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.zarr"]


def test_refuses_what_is_no_directory_of_a_trace(tmp_path):
    packed = pack_trace(
        blocks.write(tmp_path / "t.zarr", blocks.plan_of()).path, tmp_path / "t.zip"
    )
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match="is packed already"):
        pack_trace(packed, tmp_path / "again.zip")
    with pytest.raises(FileNotFoundError, match="There is no trace"):
        pack_trace(tmp_path / "nowhere", tmp_path / "again.zip")
    with pytest.raises(TraceFormatError, match="is not a trace"):
        pack_trace(tmp_path / "other", tmp_path / "again.zip")
    with pytest.raises(FileExistsError, match="exists already"):
        pack_trace(tmp_path / "t.zarr", packed)
