import json
import subprocess
import sys

import pytest

from tests.attnviz.store import blocks

KILLS = 12


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_killed_a_dozen_times_it_ends_with_the_bytes_of_an_unbroken_recording(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.attnviz.store.killed", str(tmp_path), str(KILLS), "3"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    kills = [json.loads(line) for line in done.stdout.splitlines()]
    rows = [kill["rows"] for kill in kills]
    assert len(kills) == KILLS
    assert all(count >= 0 and count % 3 == 0 for count in rows)  # whole blocks, exact, or nothing
    assert rows == sorted(rows)  # what was committed stays
    assert len({count for count in rows if 0 < count < 60}) >= 3  # the kills fell within the work
    unbroken = blocks.files_of(tmp_path / "unbroken.zarr")
    assert blocks.files_of(tmp_path / "killed.zarr") == unbroken
