import json
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import attnviz
from attnviz.outcomes import outcome
from attnviz.store import Part, export_trace, open_trace, read_netcdf, save_trace, trace_digest
from attnviz.trace import FORMAT, Trace, TraceFormatError
from tests.attnviz import traces

pytest.importorskip("h5netcdf")
pytest.importorskip("pyarrow")

MAKERS = [traces.rra, traces.larnn, traces.gru, traces.rau]
CUT = {"keep_default_na": False, "na_values": ""}


def read_csv(path, **options):
    lines = path.read_text(encoding="utf-8").splitlines()
    above = next(n for n, line in enumerate(lines) if not line.startswith("#"))
    return pd.read_csv(path, skiprows=above, **CUT, **options)


def awkward():
    """Two layers, three sequences, labels along axes, truth values, odd attributes and words."""
    draw = np.random.default_rng(0)
    texts = ["NA null # ,", 'a "b" = 1', "Ünï cødé 😀 nan"]
    dataset, lengths = traces.root([*texts], seed=1)
    shape = (3, int(lengths.max()), 2)
    values = draw.normal(size=shape) * 10.0 ** draw.integers(-37, 37, shape)
    group = xr.Dataset(
        {
            "route_norm": (("sequence", "time", "route"), traces.beyond(values, lengths)),
            "fired": (("sequence", "time", "route"), draw.random(shape) < 0.5),
            "rank": (("sequence", "time"), draw.integers(-9, 9, shape[:2]).astype(np.int16)),
            "double": (("sequence", "time"), draw.normal(size=shape[:2])),
            "kernel": ("route", np.array([0.5, 2.0], np.float32)),
        },
        coords={"route": ["in", "out"], "route_lag": ("route", np.array([3, 1], np.int32))},
        attrs={"direction": 1, "signals": "{}", "initial_state": False, "empty": "", "list": [3]},
    )
    attributes = {"format": FORMAT, "model": "own", "cell": "own", "nested": {"a": [1, None]}}
    tree = {"/": dataset.assign_attrs(attributes), "l0": group, "l1": group.isel(route=[0])}
    return Trace(xr.DataTree.from_dict(tree))


@pytest.mark.parametrize("make", [*MAKERS, awkward])
@pytest.mark.parametrize("stored", [False, True])
def test_netcdf_back_is_the_trace(tmp_path, make, stored):
    trace = make()
    if stored:
        trace = open_trace(save_trace(trace, tmp_path / "trace.zip"))
    again = read_netcdf(export_trace(trace, tmp_path / "trace.nc"))
    assert trace_digest(again) == trace_digest(trace)
    for path, node in trace.tree.subtree_with_keys:
        assert set(again.tree[path].data_vars) == set(node.data_vars)


def test_an_exported_file_is_no_store_and_each_says_what_to_use(tmp_path):
    path = export_trace(traces.gru(), tmp_path / "trace.nc")
    with pytest.raises(TraceFormatError, match=r"netCDF .* attnviz\.store\.read_netcdf"):
        open_trace(path)
    for name in ("a.nc", "a.csv", "a.parquet"):
        with pytest.raises(
            ValueError, match=rf"got .*{name}\. Write .*attnviz\.export_trace makes \.nc"
        ):
            save_trace(traces.gru(), tmp_path / name)
        assert not (tmp_path / name).exists()


def test_any_program_reads_the_netcdf_file(tmp_path):
    trace = awkward()
    export_trace(trace, tmp_path / "trace.nc")
    with xr.open_datatree(tmp_path / "trace.nc", engine="h5netcdf") as tree:
        assert tree["l0"]["fired"].dtype == bool
        np.testing.assert_array_equal(tree["l0/fired"], trace.tree["l0/fired"])
        assert tree["l1"]["route_lag"].values.tolist() == [3]
        assert tree["l0"].coords["route"].values.tolist() == ["in", "out"]
        assert "route_lag" in tree["l0"].coords
        assert tree["text"].values.tolist() == trace.tree["text"].values.tolist()
        assert json.loads(tree.attrs["attnviz_export"]) == {"exported_from": "memory"}
        assert tree.attrs["cell"] == "own"


def test_half_precision_is_widened_without_loss(tmp_path):
    narrow = open_trace(save_trace(traces.larnn(), tmp_path / "half.zarr", half=True))
    again = read_netcdf(export_trace(narrow, tmp_path / "half.nc"))
    found = attnviz.signal(again, "attention")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, attnviz.signal(narrow, "attention"))


def test_a_part_is_what_was_chosen_in_the_order_chosen(tmp_path):
    trace = awkward()
    part = Part(["rank"], [2, 0], "l1")
    again = read_netcdf(export_trace(trace, tmp_path / "part.nc", part=part))
    assert list(again.tree.children) == ["l1"] and list(again.tree["l1"].data_vars) == ["rank"]
    assert again.tree["id"].values.tolist() == trace.tree["id"].values[[2, 0]].tolist()
    np.testing.assert_array_equal(again.tree["l1/rank"], trace.tree["l1/rank"][[2, 0]])


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("make", [traces.rra, traces.larnn])
def test_tables_hold_every_value_to_the_last_digit(tmp_path, suffix, make):
    trace = make()
    part = Part(["attention", "contribution"])
    path = export_trace(trace, tmp_path / f"table{suffix}", part=part)
    types = {"attention": np.float32, "contribution": np.float32}
    table = pd.read_parquet(path) if suffix == ".parquet" else read_csv(path, dtype=types)

    assert list(table.columns) == [
        "sequence", "id", "label", "predicted", "layer", "time", "token", "head", "lag", "holds",
        "attention", "contribution",
    ]  # fmt: skip
    said = [outcome(trace, row) for row in range(len(trace.tree["length"]))]
    assert table["label"].tolist() == [said[row].true for row in table["sequence"]]
    assert table["predicted"].tolist() == [said[row].predicted for row in table["sequence"]]
    lengths = trace.tree["length"].values
    attention = attnviz.signal(trace, "attention")
    assert len(table) == lengths.sum() * attention.sizes["head"] * attention.sizes["lag"]
    lag = {int(label): place for place, label in enumerate(attention["lag"].values)}
    for name in types:
        whole = attnviz.signal(trace, name).values
        places = (table["sequence"], table["time"], table["head"], table["lag"].map(lag))
        expected = whole[tuple(np.asarray(place) for place in places)]
        assert table[name].dtype == np.float32
        assert table[name].to_numpy().tobytes() == expected.tobytes()
    before = table["time"] - table["lag"]
    kinds = np.where(before >= 0, "real", np.where(before == -1, "initial", "missing"))
    assert table["holds"].tolist() == kinds.tolist() and len(set(kinds)) == 3
    for row in range(len(lengths)):
        words = table[(table["sequence"] == row) & (table["head"] == 0)]
        words = words[words["lag"] == attention["lag"].values[0]]
        assert words["token"].tolist() == attnviz.tokens(trace, row)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_odd_words_and_extreme_numbers_survive(tmp_path, suffix):
    trace = awkward()
    path = tmp_path / f"odd{suffix}"
    export_trace(trace, path, part=Part(["route_norm"], [2, 0], "l0"))
    table = (
        pd.read_parquet(path)
        if suffix == ".parquet"
        else read_csv(path, dtype={"route_norm": np.float32})
    )
    assert table["sequence"].drop_duplicates().tolist() == [2, 0]
    assert table["route_lag"].tolist()[:4] == [3, 1, 3, 1]
    words = [*attnviz.tokens(trace, 2), *attnviz.tokens(trace, 0)]
    assert table[table["route"] == "in"]["token"].tolist() == words
    held = trace.tree["l0/route_norm"].values
    lengths = trace.tree["length"].values
    expected = np.concatenate([held[row, : lengths[row]].ravel() for row in (2, 0)])
    assert table["route_norm"].to_numpy().tobytes() == expected.tobytes()


def test_layers_stand_below_one_another_and_sequences_have_tables_too(tmp_path):
    trace = awkward()
    table = pd.read_parquet(export_trace(trace, tmp_path / "a.parquet", part=Part(["double"])))
    assert table["layer"].drop_duplicates().tolist() == ["l0", "l1"]
    assert table["double"].dtype == np.float64
    root = export_trace(trace, tmp_path / "root.csv", part=Part(["label"]))
    assert read_csv(root)["label"].tolist() == [0, 1, 0]


def test_tables_say_where_they_come_from(tmp_path):
    trace = open_trace(save_trace(traces.rra(), tmp_path / "trace.zarr"))
    part = Part(["attention"])
    text = export_trace(trace, tmp_path / "t.csv", part=part).read_text()
    assert f"# trace_digest: {trace_digest(trace)}\n" in text and "# cell: RRA\n" in text
    import pyarrow.parquet

    path = export_trace(trace, tmp_path / "t.parquet", part=part)
    told = json.loads(pyarrow.parquet.read_schema(path).metadata[b"attnviz"])
    assert told["trace_digest"] == trace_digest(trace) and told["model"] == "rra-imdb"


def test_only_what_is_recorded_is_exported(tmp_path):
    trace = traces.small(np.ones((3, 4, 1, 2)), [1, 2], lengths=[4, -1, 2])
    table = pd.read_parquet(export_trace(trace, tmp_path / "t.parquet"))
    assert table["sequence"].drop_duplicates().tolist() == [0, 2] and len(table) == (4 + 2) * 2
    with pytest.raises(IndexError, match="planned but not recorded"):
        export_trace(trace, tmp_path / "u.parquet", part=Part(sequences=[1]))


@pytest.mark.parametrize(
    ("name", "part", "error", "message"),
    [
        ("t.xlsx", Part(), ValueError, r"exported as \.nc, \.parquet, \.csv, but t\.xlsx"),
        ("t.csv", Part(), ValueError, "--signals attention,contribution"),
        ("t.csv", Part(["attention", "lag_kernel"]), ValueError, "lag_kernel has none"),
        ("t.nc", Part(["atention"]), KeyError, "holds no atention"),
        ("t.nc", Part([]), ValueError, "no signal to export"),
        ("t.nc", Part(sequences=[]), ValueError, "no sequence to export"),
        ("t.nc", Part(sequences=[7]), IndexError, "has no sequence 7"),
        ("t.nc", Part(sequences=[1, 0, -1]), ValueError, "exported once"),
        ("t.nc", Part(group="l7"), KeyError, "no layer 'l7'"),
    ],
)
def test_what_does_not_fit_is_refused_and_nothing_is_written(tmp_path, name, part, error, message):
    trace = traces.rra()
    group = trace.tree["l0"].to_dataset()
    norms = traces.beyond(np.ones(group["attention"].shape[:2]), trace.tree["length"].values)
    group["hidden_gradient_norm"] = (("sequence", "time"), norms)
    trace = Trace(xr.DataTree.from_dict({"/": trace.tree.to_dataset(), "l0": group}))
    with pytest.raises(error, match=message):
        export_trace(trace, tmp_path / name, part=part)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".nc", ".csv", ".parquet"])
def test_when_stopped_nothing_is_left_and_what_stood_there_stays(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    path.write_text("before")

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_trace(traces.rra(), path, part=Part(["attention"]), progress=stop)
    assert path.read_text() == "before" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("suffix", "few", "time"), [(".nc", 48, 60), (".csv", 16, 30), (".parquet", 16, 30)]
)
def test_memory_does_not_grow_with_the_trace(tmp_path, monkeypatch, suffix, few, time):
    monkeypatch.setattr("attnviz.store.netcdf.BLOCK_BYTES", 2**17)
    monkeypatch.setattr("attnviz.store.tables.BLOCK_ROWS", 2**11)
    peaks = {}
    for count in (few, 8 * few):
        weights = np.random.default_rng(0).random((count, time, 2, 10)).astype(np.float32)
        trace = attnviz.from_arrays(weights)
        stored = open_trace(save_trace(trace, tmp_path / f"{count}.zarr", block_size=8))
        export_trace(stored, tmp_path / f"warm{count}{suffix}", part=Part(sequences=[0]))  # imports
        found = []
        for _ in range(3):  # reading ahead in threads, the store holds now more, now less
            tracemalloc.start()
            export_trace(stored, tmp_path / f"{count}{suffix}")
            found.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        peaks[count] = min(found)
    # Names and lengths are held at once, a kilobyte a sequence at most; numbers are not.
    assert peaks[8 * few] < 1.2 * peaks[few] + 1024 * 7 * few
    assert 2 * time * 2 * 10 * 4 > 4 * 1024  # what a sequence would add if all were held


def test_files_that_hold_no_trace_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        read_netcdf(tmp_path / "nothing.nc")
    (tmp_path / "bad.nc").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 64)
    with pytest.raises(TraceFormatError, match="no readable netCDF-4 file: it is cut short"):
        read_netcdf(tmp_path / "bad.nc")
    xr.Dataset({"a": ("x", [1.0])}).to_netcdf(tmp_path / "other.nc", engine="h5netcdf")
    with pytest.raises(TraceFormatError, match="its format is None"):
        read_netcdf(tmp_path / "other.nc")


def test_a_missing_package_is_named_with_its_extra(tmp_path):
    script = (
        "import sys\n"
        "for name in ('h5netcdf', 'pyarrow'): sys.modules[name] = None\n"
        "from attnviz.cli import main\nmain()\n"
    )
    save_trace(traces.rra(), tmp_path / "t.zarr")
    command = ["export", str(tmp_path / "t.zarr"), "--signals", "attention"]
    for name, package in (("t.nc", "h5netcdf"), ("t.parquet", "pyarrow")):
        done = subprocess.run(
            [sys.executable, "-c", script, *command, "-o", str(tmp_path / name)],
            capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": "200"},
        )  # fmt: skip
        assert done.returncode == 1 and f"This needs {package}" in done.stderr
        assert "attnviz[export]" in done.stderr and "Traceback" not in done.stderr
