"""The store of probes: what comes back, what is whole, and what is refused."""

import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import attnviz
from attnviz.store.pack import pack_trace
from attnviz.store.probe_writer import ProbeWriter
from attnviz.store.probes import is_probes, open_probes
from attnviz.trace import TraceFormatError
from tests.attnviz import probes


@pytest.fixture
def store(tmp_path):
    probes.written(probes.larnn(), tmp_path / "p.zarr")
    return tmp_path / "p.zarr"


def edited(path, change):
    """Changes a zarr.json."""
    node = json.loads(path.read_text())
    change(node)
    path.write_text(json.dumps(node))


def test_what_was_written_comes_back(tmp_path):
    for make in (probes.rra, probes.larnn, probes.gru):
        made = make()
        probes.written(made, tmp_path / make.__name__)
        found = attnviz.open_probes(tmp_path / make.__name__)
        assert found.attrs == made.attrs
        for path, node in made.subtree_with_keys:
            there = found if path == "." else found[path]
            assert there.to_dataset().identical(node.to_dataset().assign_attrs(there.attrs)), path
            for name, values in node.to_dataset().data_vars.items():
                assert there[name].dtype == values.dtype, name


def test_a_step_is_there_when_it_is_whole(tmp_path):
    made = probes.rra()
    writer = ProbeWriter(tmp_path / "p", {"model": "m"}, every=5, total=12)
    assert writer.steps() == [] and not (tmp_path / "p").exists()
    writer.write(0, probes.one_step(made, 0))
    writer.write(10, probes.one_step(made, 2))
    assert writer.steps() == [0, 10]
    found = open_probes(tmp_path / "p")
    assert found["step"].values.tolist() == [0, 10]
    np.testing.assert_array_equal(
        found["l0/lag_kernel"].values, made["l0/lag_kernel"].values[[0, 2]]
    )
    writer.forget_after(9)
    assert open_probes(tmp_path / "p")["step"].values.tolist() == [0]
    writer.forget_after(-1)
    assert open_probes(tmp_path / "p")["l0/lag_kernel"].shape == (0, 1, 3)


def test_a_zip_holds_the_same_as_its_directory(store, tmp_path):
    packed = pack_trace(store, tmp_path / "p.zarr.zip")
    assert is_probes(packed)
    assert open_probes(packed).identical(open_probes(store))
    again = pack_trace(store, tmp_path / "again.zip")
    assert again.read_bytes() == packed.read_bytes()


def test_a_damaged_zip_is_refused(store, tmp_path):
    whole = pack_trace(store, tmp_path / "p.zip").read_bytes()
    (tmp_path / "cut.zip").write_bytes(whole[:-40])
    assert not is_probes(tmp_path / "cut.zip")
    with pytest.raises(TraceFormatError, match=r"cut\.zip .* copy it again"):
        open_probes(tmp_path / "cut.zip")
    changed = bytearray(whole)
    with zipfile.ZipFile(tmp_path / "p.zip") as packed:
        entry = packed.getinfo("l0/attention/c/2/0/0")
        changed[entry.header_offset + 30 + len(entry.filename)] ^= 0xFF
    (tmp_path / "changed.zip").write_bytes(changed)
    with pytest.raises(TraceFormatError, match="holds damaged probes"):
        open_probes(tmp_path / "changed.zip")
    (store / "l0/lag/c/0").unlink()
    with pytest.raises(TraceFormatError, match="l0/lag/c/0 is missing"):
        open_probes(pack_trace(store, tmp_path / "less.zip"))


def with_root(path, change):
    """A zip of one file, its entry changed where it is described: in front of it and at the end."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("zarr.json", "{}" * 50)
    content = bytearray(path.read_bytes())
    for signature, shift in ((b"PK\x03\x04", 0), (b"PK\x01\x02", 2)):
        change(content, content.index(signature) + shift)
    path.write_bytes(content)


def encrypted(content, at):
    content[at + 6] |= 1


def compressed_otherwise(content, at):
    content[at + 8] = 99


def of_other_bytes(content, at):
    data = content.index(b"zarr.json") + len(b"zarr.json")
    content[data] = 0xFF


def too_long(content, at):
    content[at + 22 : at + 26] = (2**26 + 1).to_bytes(4, "little")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (encrypted, "encrypted"),
        (compressed_otherwise, "compression method"),
        (of_other_bytes, "decompressing"),
        (too_long, "67,108,865 bytes"),
    ],
)
def test_a_zip_whose_root_cannot_be_unpacked_is_neither_probes_nor_a_trace(tmp_path, change, why):
    with_root(tmp_path / "p.zip", change)
    assert not is_probes(tmp_path / "p.zip")
    for opened in (open_probes, attnviz.open_trace):
        with pytest.raises(TraceFormatError, match=rf"p\.zip .*zarr\.json .*{why}"):
            opened(tmp_path / "p.zip")


def test_a_later_step_takes_the_row_of_an_earlier_one_between_two_probes(tmp_path):
    made = probes.rra()
    writer = ProbeWriter(tmp_path / "p", {}, every=5, total=12)
    for step, number, there in (
        (0, 0, [0]),
        (7, 1, [0, 7]),
        (10, 2, [0, 10]),
        (12, 3, [0, 10, 12]),
    ):
        writer.write(step, probes.one_step(made, number))
        assert writer.steps() == there
    found = open_probes(tmp_path / "p")["l0/lag_score_norm"].values
    np.testing.assert_array_equal(found, made["l0/lag_score_norm"].values[[0, 2, 3]])


@pytest.mark.parametrize("step", [-1, 16])
def test_steps_outside_are_refused(tmp_path, step):
    writer = ProbeWriter(tmp_path / "p", {}, every=5, total=12)
    with pytest.raises(ValueError, match=f"Step {step} lies outside the 4 rows"):
        writer.write(step, probes.one_step(probes.rra(), 0))


def test_all_steps_hold_arrays_of_one_kind(store):
    writer = probes.written(probes.larnn(), store)
    with pytest.raises(ValueError, match="same arrays as the first"):
        writer.write(5, probes.one_step(probes.gru(), 1))
    with pytest.raises(ValueError, match=r"attention of .* sizes \(2, 4\) .* \(3, 4\)"):
        writer.write(5, probes.one_step(probes.larnn(heads=3), 1))


def test_other_probes_are_not_gone_on_with(store, tmp_path):
    said = {name: one for name, one in probes.larnn().attrs.items() if name != "format"}
    ProbeWriter(store, {**said, "versions": "newer"}, every=5, total=12)
    for change, message in (
        ({"model": "other"}, "model is other but was larnn-made"),
        ({"more": 1}, "more is 1 but was None"),
    ):
        with pytest.raises(ValueError, match=message):
            ProbeWriter(store, {**said, **change}, every=5, total=12)
    with pytest.raises(ValueError, match="every is 4 but was 5"):
        ProbeWriter(store, said, every=4, total=12)
    with pytest.raises(ValueError, match="rows is 5 but was 4"):
        ProbeWriter(store, said, every=5, total=20)
    file = tmp_path / "file"
    file.write_text("mine")
    with pytest.raises(FileExistsError, match="nothing was written"):
        ProbeWriter(file, said, every=5, total=12)
    assert file.read_text() == "mine"


def test_what_a_killed_writer_left_is_cleared(store):
    leftover = store / "l0/attention/c/1/0/0.8d1.partial"
    leftover.write_bytes(b"half")
    said = {name: one for name, one in probes.larnn().attrs.items() if name != "format"}
    ProbeWriter(store, said, every=5, total=12)
    assert not leftover.exists()


def test_damage_is_found(store, tmp_path):
    for number, (key, act) in enumerate(
        {
            "l0/attention/c/2/0/0": lambda path: path.unlink(),
            "l0/lag/c/0": lambda path: path.write_bytes(b""),
            "loss/c/1/0": lambda path: path.write_bytes(path.read_bytes()[:-3]),
            "prediction/c/0/0/0": lambda path: path.write_bytes(b"no zstd at all"),
            "id/zarr.json": lambda path: path.write_text("{"),
            "l0/zarr.json": lambda path: path.unlink(),
            "step/zarr.json": lambda path: path.unlink(),
        }.items()
    ):
        copied = tmp_path / str(number)
        shutil.copytree(store, copied)
        act(copied / key)
        with pytest.raises(TraceFormatError, match="holds damaged probes"):
            open_probes(copied)


def test_a_store_from_elsewhere_reaches_nothing_and_runs_nothing(store, tmp_path):
    def listed(node):
        node["attributes"]["layout"]["variables"]["../other"] = ["x"]

    changes = {
        "zarr.json": listed,
        "loss/zarr.json": lambda node: node["codecs"].append({"name": "pickle"}),
        "id/zarr.json": lambda node: node.update(data_type="object"),
        "l0/attention/zarr.json": lambda node: node.update(shape=[9, 2, 4]),
        "l0/lag/zarr.json": lambda node: node.update(storage_transformers=[{"name": "x"}]),
    }
    for number, (key, change) in enumerate(changes.items()):
        copied = tmp_path / str(number)
        shutil.copytree(store, copied)
        edited(copied / key, change)
        with pytest.raises(TraceFormatError, match="holds damaged probes"):
            open_probes(copied)


def test_what_holds_no_probes_says_so(tmp_path, store):
    with pytest.raises(FileNotFoundError, match="There are no probes at"):
        open_probes(tmp_path / "nothing")
    with pytest.raises(TraceFormatError, match=r"but zarr.json is missing"):
        open_probes(tmp_path)
    attributes = json.loads((store / "zarr.json").read_text())["attributes"]
    assert attributes["format"] == "attnviz-probes/1" and is_probes(store)
    edited(store / "zarr.json", lambda n: n["attributes"].update(format="attnviz-probes/2"))
    assert is_probes(store)
    with pytest.raises(TraceFormatError, match="found 'attnviz-probes/2'"):
        open_probes(store)
    edited(store / "zarr.json", lambda n: n["attributes"].update(format="attnviz-trace/1"))
    assert not is_probes(store) and not is_probes(tmp_path)


def test_probes_are_opened_and_drawn_without_torch(store):
    script = (
        "import sys, attnviz\n"
        f"attnviz.plot_kernel_evolution(attnviz.open_probes({str(store)!r}))\n"
        "heavy = {'torch', 'cells', 'safetensors', 'pytorch_lightning'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
