"""The command called as it is typed, in this process."""

import sys

import pytest

from attnviz.cli import main


def called(monkeypatch, capsys, *arguments):
    """Runs the command: its exit status, output and messages."""
    monkeypatch.setattr(sys, "argv", ["attnviz", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err
