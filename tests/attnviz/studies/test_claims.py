"""Claims: one holder, and none that outlives its process."""

import json
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from attnviz.studies import claims
from attnviz.studies.claims import claim, holder


def dead_pid():
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def rewrite(folder, **changes):
    path = max(folder.glob("*.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_only_one_holds_it_until_it_is_released(tmp_path):
    held = claim(tmp_path / "job")
    assert held is not None
    assert claim(tmp_path / "job") is None
    assert f"process {os.getpid()} on" in holder(tmp_path / "job")
    held.release()
    assert holder(tmp_path / "job") is None
    assert claim(tmp_path / "job") is not None


def test_a_dead_process_holds_nothing(tmp_path):
    claim(tmp_path)
    rewrite(tmp_path, pid=dead_pid())
    assert holder(tmp_path) is None
    assert claim(tmp_path) is not None
    assert claim(tmp_path) is None


def test_another_process_of_the_same_number_does_not_hold_it(tmp_path):
    claim(tmp_path)
    rewrite(tmp_path, began="1")
    assert holder(tmp_path) is None


def of_another_user(pid, number):
    raise PermissionError(1, "Operation not permitted")


def test_another_users_process_of_the_same_number_does_not_hold_it(tmp_path, monkeypatch):
    claim(tmp_path)
    monkeypatch.setattr(os, "kill", of_another_user)
    assert holder(tmp_path) is not None
    rewrite(tmp_path, began="1")
    assert holder(tmp_path) is None
    monkeypatch.setattr(claims, "_began", lambda pid: None)  # the system does not tell
    assert holder(tmp_path) is not None


@pytest.mark.parametrize("left", [b"", b"\0" * 60], ids=["empty", "zeros"])
def test_what_a_power_cut_left_empty_is_taken_over(tmp_path, left):
    claim(tmp_path)
    path = max(tmp_path.glob("*.json"))
    path.write_bytes(left)
    assert holder(tmp_path) is None
    assert claim(tmp_path) is not None
    assert path.read_bytes() == left  # taken over, not taken away
    assert claim(tmp_path) is None


@pytest.mark.parametrize(
    "left", [b'{"pid": 1', b'{"pid": 1}', b'{"pid": "", "host": "", "began": ""}', b"[]", b"\xff"]
)
def test_a_damaged_claim_is_named(tmp_path, left):
    claim(tmp_path)
    max(tmp_path.glob("*.json")).write_bytes(left)
    for ask in (claim, holder):
        with pytest.raises(ValueError, match=r"000000\.json is damaged.* If none is, delete it"):
            ask(tmp_path)


def test_a_claim_is_on_the_disk_before_it_is_seen_and_no_other_writes_to_it(tmp_path, monkeypatch):
    synced, linked, link = [], [], os.link
    monkeypatch.setattr(os, "fsync", lambda number: synced.append(os.fstat(number).st_ino))

    def watched(beside, path):
        linked.append((beside.stat().st_ino, beside.name))
        link(beside, path)

    monkeypatch.setattr(os, "link", watched)
    for _ in range(2):  # of equal process and thread, as two hosts may have them
        claim(tmp_path).release()
    assert linked[0][0] in synced and linked[1][0] in synced
    first, second = (name.removesuffix(f"-00000{n}.json") for n, (_, name) in enumerate(linked))
    assert first != second


def test_another_host_may_be_at_work(tmp_path):
    claim(tmp_path)
    rewrite(tmp_path, host="elsewhere", pid=dead_pid())
    assert claim(tmp_path) is None
    assert "on elsewhere" in holder(tmp_path)


@pytest.mark.parametrize("stale", [False, True])
def test_of_many_who_try_at_once_one_gets_it(tmp_path, stale):
    for attempt in range(20):
        folder = tmp_path / str(attempt)
        if stale:
            claim(folder)
            rewrite(folder, pid=1 << 22)
        with ThreadPoolExecutor(8) as pool:
            got = list(pool.map(lambda _, place=folder: claim(place), range(8)))
        assert sum(one is not None for one in got) == 1


def hold(folder, queue):
    queue.put(claim(folder) is not None)


def test_a_process_that_ends_lets_go(tmp_path):
    context = multiprocessing.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=hold, args=(tmp_path, queue))
    process.start()
    assert queue.get(timeout=60)
    process.join()
    assert holder(tmp_path) is None
    assert claim(tmp_path) is not None
