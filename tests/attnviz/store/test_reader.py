import json
import pickle
import shutil
import zipfile

import numpy as np
import pytest
import xarray as xr
import zarr

from attnviz.store import open_trace, pack_trace, trace_digest
from attnviz.trace import TraceFormatError, sequence_length, signal, tokens
from tests.attnviz.store import blocks


@pytest.fixture
def store(tmp_path):
    return blocks.write(tmp_path / "t.zarr", blocks.plan_of()).path


def edit(path, change):
    """Changes a file of JSON."""
    held = json.loads(path.read_text())
    change(held)
    path.write_text(json.dumps(held))


def repacked(store, path, change=lambda name, content: (name, content)):
    """A zip of the store made by hand."""
    with zipfile.ZipFile(path, "w") as packed:
        for file in sorted(file for file in store.rglob("*") if file.is_file()):
            packed.writestr(*change(file.relative_to(store).as_posix(), file.read_bytes()))
    return path


def test_opening_reads_no_data(store):
    for chunks in store.rglob("c"):
        if chunks.parent.name not in ("class", "lag"):
            shutil.rmtree(chunks)

    trace = open_trace(store)

    assert trace.tree.sizes["sequence"] == 14
    assert signal(trace, "attention").shape == (14, 11, 3, 5)
    assert signal(trace, "attention").dtype == np.float32
    assert trace.tree["l0"]["lag"].values.tolist() == [2, 3, 4, 5, 6]
    assert "attention" in repr(trace)
    with pytest.raises(IndexError, match="planned but not recorded"):
        sequence_length(trace, 3)


def test_one_sequence_touches_one_file(store):
    """All other files of the signal may be gone."""
    for block in (0, 1, 3):
        shutil.rmtree(store / f"l0/attention/c/{block}")

    attention = signal(open_trace(store), "attention").isel(sequence=9)

    expected = signal(blocks.whole(blocks.plan_of()), "attention").isel(sequence=9)
    np.testing.assert_array_equal(attention.values, expected.values)


@pytest.mark.parametrize(
    "key",
    [
        {"sequence": 5},
        {"sequence": [9, 0, 3], "time": slice(2, 9, 3)},
        {"sequence": slice(None, None, -3), "head": [2, 0]},
        {"lag": 4, "head": 1},
        {"sequence": slice(0, 0)},
        {"sequence": [True] * 7 + [False] * 7, "time": [0]},
    ],
)
def test_parts_are_parts_of_the_whole(store, key):
    lazy, whole = open_trace(store), blocks.whole(blocks.plan_of())

    found = signal(lazy, "attention").isel(key)

    np.testing.assert_array_equal(found.values, signal(whole, "attention").isel(key).values)


def test_pointwise_indexing(store):
    at = {"sequence": xr.DataArray([3, 9], dims="p"), "time": xr.DataArray([0, 2], dims="p")}
    lazy, whole = open_trace(store), blocks.whole(blocks.plan_of())
    np.testing.assert_array_equal(
        signal(lazy, "attention").isel(at).values, signal(whole, "attention").isel(at).values
    )


def test_small_arrays_are_read_once(store):
    trace = open_trace(store)
    first = sequence_length(trace, 2)
    shutil.rmtree(store / "length/c")
    assert sequence_length(trace, 2) == first == 3


def test_a_zip_is_read_in_place(store, tmp_path):
    packed = pack_trace(store, tmp_path / "t.zip")
    shutil.rmtree(store)

    trace = open_trace(str(packed))

    assert tokens(trace, 4) == blocks.tokens_of(4, 2)
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.zip"]


def test_a_zip_that_someone_compressed_is_read(store, tmp_path):
    shutil.make_archive(str(tmp_path / "t"), "zip", store)
    assert tokens(open_trace(tmp_path / "t.zip"), 4) == blocks.tokens_of(4, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p.write_text("id,length\n1,2\n"), "file of 14 bytes that is no zip"),
        (lambda p: p.write_bytes(b""), "file of 0 bytes that is no zip"),
        (lambda p: p.mkdir(), "expected a directory with format .* but it is empty"),
        (lambda p: (p.mkdir(), (p / "notes.txt").touch()), r"it holds \['notes.txt'\]"),
        (lambda p: (p.mkdir(), (p / "recipe.json").touch()), "run of training: attnviz info and"),
        (lambda p: (p.mkdir(), (p / "model.json").touch()), "a model: attnviz record makes"),
        (lambda p: (p.mkdir(), (p / "study.toml").touch()), "results of a study: attnviz info"),
        (lambda p: (p.mkdir(), (p / ".zgroup").write_text("{}")), r"it holds \['.zgroup'\]"),
        (lambda p: (p.mkdir(), (p / "zarr.json").write_text("{")), "zarr.json is damaged"),
        (lambda p: (p.mkdir(), (p / "zarr.json").write_text("[" * 99999)), "zarr.json is damaged"),
        (lambda p: (p.mkdir(), (p / "zarr.json").write_bytes(b"\xff\0")), "zarr.json is damaged"),
        (lambda p: (p.mkdir(), (p / "zarr.json").write_text("[]")), "not describe a Zarr v3 group"),
        (lambda p: (p.mkdir(), (p / "zarr.json").mkdir()), "it has no zarr.json"),
        (lambda p: zipfile.ZipFile(p, "w").close(), "expected a zip with format .* it is empty"),
    ],
)
def test_refuses_what_is_no_trace(tmp_path, make, message):
    make(tmp_path / "t")
    with pytest.raises(TraceFormatError, match=message):
        open_trace(tmp_path / "t")


def test_a_path_with_nothing_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no trace at .*t\.zarr.*Check the path"):
        open_trace(tmp_path / "t.zarr")


def test_a_zip_with_the_trace_in_a_folder(store, tmp_path):
    repacked(store, tmp_path / "t.zip", lambda name, content: (f"t.zarr/{name}", content))
    with pytest.raises(
        TraceFormatError, match=r"holds \['t.zarr'\]; if the trace lies in a folder"
    ):
        open_trace(tmp_path / "t.zip")


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
def test_a_zip_cut_short(store, tmp_path, kept):
    packed = pack_trace(store, tmp_path / "t.zip")
    content = packed.read_bytes()
    packed.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(TraceFormatError, match=r"no zip .* cut short or damaged: copy it again"):
        open_trace(packed)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("attnviz-trace/2", "found 'attnviz-trace/2'. A newer attnviz wrote it: upgrade"),
        ("attnviz-trace/²", "found 'attnviz-trace/²'. Traces are written by recording"),
        ("attnviz-trace/0", "found 'attnviz-trace/0'. Traces are written by recording"),
        ("other/1", "found 'other/1'. Traces are written by recording or by save_trace"),
        (None, "found 'None'"),
        (7, "found '7'"),
    ],
)
def test_another_format(store, written, message):
    edit(store / "zarr.json", lambda held: held["attributes"].update(format=written))
    with pytest.raises(TraceFormatError, match=message):
        open_trace(store)


def test_a_store_of_someone_elses_with_our_name(tmp_path):
    zarr.create_group(tmp_path / "t.zarr", attributes={"format": "attnviz-trace/1"})
    with pytest.raises(TraceFormatError, match="that attnviz did not write"):
        open_trace(tmp_path / "t.zarr")


def root(held):
    return held["attributes"]["layout"]


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("zarr.json", lambda h: h["attributes"].update(layout=3), "layout should be a mapping"),
        ("zarr.json", lambda h: root(h).pop("plan"), "'plan' is missing"),
        ("zarr.json", lambda h: root(h)["plan"].update(block_size=0), "block_size should be"),
        ("zarr.json", lambda h: root(h)["plan"].update(block_size="4"), "block_size should be"),
        ("zarr.json", lambda h: root(h)["plan"].update(block_size=2), "does not fit the plan"),
        ("zarr.json", lambda h: root(h)["plan"].update(sequences=9), "does not fit the plan"),
        ("zarr.json", lambda h: root(h)["plan"].update(time=12), "does not fit the plan"),
        ("zarr.json", lambda h: root(h)["variables"].update(l9=[]), "l9/zarr.json is missing"),
        ("zarr.json", lambda h: root(h)["variables"]["l0"].append("x"), "x/zarr.json is missing"),
        ("zarr.json", lambda h: root(h)["variables"].update({"../../x": []}), "'..' is no name"),
        ("zarr.json", lambda h: root(h)["variables"].update({"/etc": []}), "'' is no name"),
        ("zarr.json", lambda h: root(h)["variables"].update({"": ["../x"]}), "'..' is no name"),
        ("zarr.json", lambda h: root(h).update(variables=[1]), "variables should be a mapping"),
        ("zarr.json", lambda h: root(h)["variables"].update(l0=3), "damaged"),
        ("zarr.json", lambda h: root(h)["variables"][""].remove("length"), "length"),
        ("zarr.json", lambda h: root(h)["variables"][""].remove("row_digest"), "row_digest"),
        ("l0/zarr.json", lambda h: h.update(node_type="array"), "not describe a Zarr v3 group"),
        ("l0/zarr.json", lambda h: h.update(attributes=[]), "attributes of l0 should be"),
        ("length/zarr.json", lambda h: h.update(zarr_format=2), "not describe a Zarr v3 array"),
        ("length/zarr.json", lambda h: h.pop("shape"), "'shape' is missing"),
        ("length/zarr.json", lambda h: h.update(shape=[-14]), "of sizes"),
        ("length/zarr.json", lambda h: h.update(shape=["14"]), "of sizes"),
        ("length/zarr.json", lambda h: h.update(shape=14), "damaged"),
        ("length/zarr.json", lambda h: h.update(dimension_names=["sequence", "x"]), "has axes"),
        ("length/zarr.json", lambda h: h.update(dimension_names=[["a"]]), "damaged"),
        ("l0/attention/zarr.json", lambda h: h.update(shape=[14, 11, 3, 6], chunk_grid={
            "name": "regular", "configuration": {"chunk_shape": [4, 11, 3, 6]}}), "lag"),
        ("text/zarr.json", lambda h: h.update(data_type="variable_length_bytes"), "is of type"),
        ("text/zarr.json", lambda h: h.update(data_type={"name": "r8"}), "is of type"),
        ("text/zarr.json", lambda h: h.update(codecs=[{"name": "pickle"}]), "'pickle', no trace"),
        ("text/zarr.json", lambda h: h.update(codecs=[{"name": "numcodecs.pickle"}]), "no trace"),
        ("text/zarr.json", lambda h: h.update(codecs=3), "damaged"),
        ("span/zarr.json", lambda h: h["codecs"][0]["configuration"]["codecs"].append(
            {"name": "numcodecs.zlib"}), "no trace's codec"),
        ("span/zarr.json", lambda h: h.update(storage_transformers=[{"name": "x"}]), "transformer"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("form", ["directory", "zip"])
def test_damaged_metadata(store, tmp_path, file, change, message, form):
    edit(store / file, change)
    path = store if form == "directory" else repacked(store, tmp_path / "t.zip")
    with pytest.raises(TraceFormatError, match=message):
        open_trace(path)


@pytest.mark.parametrize("file", ["l0/zarr.json", "l0/attention/zarr.json", "l0/lag/zarr.json"])
def test_missing_metadata(store, file):
    (store / file).unlink()
    with pytest.raises(TraceFormatError, match=f"{file} is missing.*record again"):
        open_trace(store)


def test_a_missing_label(store):
    shutil.rmtree(store / "l0/lag/c")
    with pytest.raises(TraceFormatError, match="l0/lag/c/0 is missing"):
        open_trace(store)


def test_every_flipped_byte_is_found(store, tmp_path):
    """Of a signal, of text and of a string's length: damage never passes for data."""
    draw = np.random.default_rng(5)
    for file, name in (
        ("l0/contribution/c/1/0/0/0", "l0/contribution"),
        ("text/c/1", "text"),
        ("length/c/1", "length"),
    ):
        whole = (store / file).read_bytes()
        expected = open_trace(store).tree[name].values
        for _ in range(40):
            damaged = bytearray(whole)
            damaged[draw.integers(len(whole))] ^= 1 << draw.integers(8)
            (store / file).write_bytes(damaged)
            try:
                found = open_trace(store).tree[name].values
            except TraceFormatError as error:
                assert f"{name} of " in str(error)
            else:  # a bit that no reader looks at
                np.testing.assert_array_equal(found, expected)
        (store / file).write_bytes(whole)


@pytest.mark.parametrize("kept", [0, 10, 200])
def test_a_chunk_cut_short(store, kept):
    file = store / "l0/attention/c/2/0/0/0"
    file.write_bytes(file.read_bytes()[:kept])
    trace = open_trace(store)
    with pytest.raises(TraceFormatError, match="attention"):
        signal(trace, "attention").isel(sequence=9).load()
    assert np.isfinite(signal(trace, "attention").isel(sequence=3, time=0).values).all()


def test_a_missing_chunk_of_a_recorded_block(store):
    (store / "l0/attention/c/2/0/0/0").unlink()
    attention = signal(open_trace(store), "attention")
    with pytest.raises(
        TraceFormatError, match="l0/attention/c/2/0/0/0 is missing or empty, though"
    ):
        attention.isel(sequence=8).load()
    with pytest.raises(TraceFormatError, match="is missing or empty, though"):
        attention.load()
    assert attention.isel(sequence=[0, 12]).shape == (2, 11, 3, 5)


def test_nothing_in_a_store_is_run(store, tmp_path):
    """Pickles, wherever they lie, are neither loaded nor looked at."""

    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    bomb = pickle.dumps(Bomb())
    (store / "text/c/0").write_bytes(bomb)
    (store / "evil").mkdir()
    (store / "evil/.zarray").write_text(
        json.dumps({"zarr_format": 2, "shape": [1], "chunks": [1], "dtype": "|O", "order": "C",
                    "compressor": None, "fill_value": None, "filters": [{"id": "pickle"}]})
    )  # fmt: skip
    (store / "evil/0").write_bytes(bomb)

    trace = open_trace(store)
    with pytest.raises(TraceFormatError, match=r"text of .* is damaged"):
        trace.tree["text"].load()
    assert "evil" not in trace.tree
    assert not (tmp_path / "exploded").exists()


def test_a_zip_with_ways_out_writes_nothing(store, tmp_path):
    path = repacked(store, tmp_path / "t.zip")
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr("../outside.txt", "out")
        packed.writestr("/tmp/outside.txt", "out")
    trace = open_trace(path)
    trace.tree.load()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["t.zarr", "t.zip"]


def test_the_digest_of_what_is_no_trace(tmp_path):
    with pytest.raises(FileNotFoundError):
        trace_digest(tmp_path / "t.zarr")
    (tmp_path / "t.zarr").mkdir()
    with pytest.raises(TraceFormatError):
        trace_digest(tmp_path / "t.zarr")
