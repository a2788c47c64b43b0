"""Files that are whole or not there."""

import errno
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from attnviz.files import replacing


def test_what_stood_there_stays_until_the_new_is_on_the_disk(tmp_path, monkeypatch):
    path, seen = tmp_path / "a.txt", []
    path.write_text("old")

    def watched(number):
        seen.append((os.pread(number, 9, 0), path.read_text()))

    monkeypatch.setattr(os, "fsync", watched)
    with replacing(path) as beside:
        beside.write_text("new")
    assert seen == [(b"new", "old")]
    assert path.read_text() == "new"


def test_a_folder_is_moved_too(tmp_path):
    with replacing(tmp_path / "place") as beside:
        beside.mkdir()
        (beside / "a.txt").write_text("in it")
    assert [str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*.txt")] == ["place/a.txt"]


def test_those_who_write_at_once_each_write_a_file_of_their_own(tmp_path):
    path, together = tmp_path / "a.txt", Barrier(4, timeout=60)

    def write(text):
        with replacing(path) as beside:
            beside.write_text(text)
            together.wait()
            return beside.read_text(), beside.suffix

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(write, "abcd")) == [(text, ".txt") for text in "abcd"]
    assert path.read_text() in "abcd"
    assert [one.name for one in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_told_by_the_name_of_the_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(OSError, match=r"Cannot write .*/a\.txt: No space left"), replacing(path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert path.read_text() == "old"
