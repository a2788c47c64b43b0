"""The command as it is typed: in a process of its own, or in this one."""

import os
import subprocess
import sys

import pytest

from attnviz.cli import main

LONG_ENOUGH = 120


def environment(**more):
    return {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", **more}


def run(*arguments, cwd=None, **more):
    """Runs the command in a new process."""
    return subprocess.run(
        [sys.executable, "-m", "attnviz.cli", *map(str, arguments)],
        capture_output=True, text=True, env=environment(**more), timeout=LONG_ENOUGH, check=False,
        cwd=cwd,
    )  # fmt: skip


def called(monkeypatch, capsys, *arguments):
    """Runs the command in this process: its exit status, output and messages."""
    monkeypatch.setattr(sys, "argv", ["attnviz", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err


def names(folder):
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())
