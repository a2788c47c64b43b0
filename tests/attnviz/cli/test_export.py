import pandas as pd
import pytest

import attnviz
from attnviz.store import read_netcdf
from tests.attnviz import traces
from tests.attnviz.cli.shell import called

pytest.importorskip("h5netcdf")
pytest.importorskip("pyarrow")


@pytest.fixture
def stored(tmp_path):
    return attnviz.save_trace(traces.larnn(), tmp_path / "trace.zarr")


def test_netcdf_from_the_shell_is_the_trace(monkeypatch, capsys, tmp_path, stored):
    place = tmp_path / "trace.nc"
    status, said, message = called(monkeypatch, capsys, "export", stored, "-o", place)
    assert status == 0 and not said
    assert f'xarray.open_datatree("{place}", engine="h5netcdf")' in message
    assert attnviz.trace_digest(read_netcdf(place)) == attnviz.trace_digest(stored)


def test_the_advice_reads_the_csv(monkeypatch, capsys, tmp_path, stored):
    place = tmp_path / "t.csv"
    options = ("--signals", "attention,contribution", "--sequences", "1:9", "-o", place)
    status, _, message = called(monkeypatch, capsys, "export", stored, *options)
    assert status == 0
    call = message.partition("Read it with ")[2].strip().removesuffix(".")
    table = eval(call, {"pandas": pd})
    assert table["sequence"].unique().tolist() == [1]
    words = attnviz.tokens(attnviz.open_trace(stored), 1)
    assert table["token"].tolist() == [word for word in words for _ in range(3 * 7)]


def test_quiet_says_nothing(monkeypatch, capsys, tmp_path, stored):
    place = tmp_path / "t.parquet"
    options = ("--signals", "attention", "--layer", "l0", "--quiet", "-o", place)
    assert called(monkeypatch, capsys, "export", stored, *options) == (0, "", "")
    assert pd.read_parquet(place)["layer"].unique().tolist() == ["l0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "t.csv"], "--signals attention,contribution  (time, head, lag)"),
        (["-o", "t.doc"], "exported as .nc, .parquet, .csv"),
        (["-o", "t.nc", "--sequences", "one"], "--sequences takes numbers and ranges"),
        (["-o", "t.nc", "--sequences", "9"], "has no sequence 9"),
        (["-o", "nowhere/t.nc"], "the folder nowhere does not exist"),
    ],
)
def test_mistakes_are_one_message(monkeypatch, capsys, tmp_path, stored, options, message):
    monkeypatch.chdir(tmp_path)
    status, said, told = called(monkeypatch, capsys, "export", stored, *options)
    assert status == 1 and message in told and "Traceback" not in told and not said
    assert [path.name for path in tmp_path.iterdir()] == ["trace.zarr"]
