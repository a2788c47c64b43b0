"""What tests of the command share: a folder to type in, and typing."""

import pytest

import attnviz
from tests.attnviz import traces
from tests.attnviz.cli.shell import called


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with traces, as the current one."""
    attnviz.save_trace(traces.rra(), tmp_path / "rra.zarr")
    attnviz.save_trace(traces.larnn(), tmp_path / "larnn.zarr")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def typed(monkeypatch, capsys):
    def type_in(*arguments):
        return called(monkeypatch, capsys, *arguments)

    return type_in
