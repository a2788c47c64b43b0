import os
import shutil
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import xarray as xr

from attnviz.store import Block, TraceWriter, make_plan, open_trace
from tests.attnviz.store import blocks


def test_nothing_is_there_before_the_first_block(tmp_path):
    plan = blocks.plan_of()
    writer = TraceWriter(tmp_path / "deep/er/t.zarr", plan, {})

    assert writer.pending() == list(plan.blocks)
    assert list(tmp_path.iterdir()) == []


def test_blocks_in_any_order_give_the_same_bytes(tmp_path):
    plan = blocks.plan_of()
    first, second, third, last = plan.blocks
    blocks.write(tmp_path / "a.zarr", plan)
    blocks.write(tmp_path / "b.zarr", plan, [last, second, first, third])

    assert blocks.files_of(tmp_path / "a.zarr") == blocks.files_of(tmp_path / "b.zarr")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.zarr", "b.zarr"]


def test_a_new_writer_continues_where_another_stopped(tmp_path):
    plan = blocks.plan_of()
    first, second, third, last = plan.blocks
    blocks.write(tmp_path / "a.zarr", plan)
    blocks.write(tmp_path / "b.zarr", plan, [third, first])

    writer = TraceWriter(tmp_path / "b.zarr", plan, blocks.ATTRIBUTES)
    assert writer.pending() == [second, last]
    blocks.write(tmp_path / "b.zarr", plan, [last, second])

    assert TraceWriter(tmp_path / "b.zarr", plan, blocks.ATTRIBUTES).pending() == []
    assert blocks.files_of(tmp_path / "a.zarr") == blocks.files_of(tmp_path / "b.zarr")


def test_two_writers_share_a_store(tmp_path):
    plan = blocks.plan_of()
    blocks.write(tmp_path / "a.zarr", plan)
    one, two = (TraceWriter(tmp_path / "b.zarr", plan, blocks.ATTRIBUTES) for _ in range(2))
    for writer, block in zip((one, two, two, one), plan.blocks, strict=True):
        writer.write(block, blocks.rows_tree(plan, block.start, block.stop))

    assert one.pending() == two.pending() == []
    assert blocks.files_of(tmp_path / "a.zarr") == blocks.files_of(tmp_path / "b.zarr")


def test_what_a_killed_writer_left_of_a_block_is_replaced(tmp_path):
    plan = blocks.plan_of()
    blocks.write(tmp_path / "a.zarr", plan)
    path = blocks.write(tmp_path / "b.zarr", plan, plan.blocks[:2]).path
    shutil.copy(path / "text/c/0", path / "text/c/2")  # written, not committed
    (path / "l0/attention/c/2/0/0").mkdir(parents=True)
    (path / "l0/attention/c/2/0/0/0").write_bytes(b"cut o")
    (path / "l0/attention/c/2/0/0/0.0123abcd.partial").write_bytes(b"cut off")
    (path / "length/c/2.0123abcd.partial").write_bytes(b"")
    blocks.write(path, plan, plan.blocks[2:])

    assert blocks.files_of(tmp_path / "a.zarr") == blocks.files_of(path)


def test_an_interrupted_recording_opens(tmp_path):
    plan = blocks.plan_of()
    path = blocks.write(tmp_path / "t.zarr", plan, [plan.blocks[2], plan.blocks[0]]).path

    tree, whole = open_trace(path).tree, blocks.whole(plan).tree
    lengths = np.array(plan.lengths)
    lengths[[4, 5, 6, 7, 12, 13]] = -1
    assert tree["length"].values.tolist() == lengths.tolist()
    written = np.flatnonzero(lengths > 0)
    xr.testing.assert_identical(
        tree.isel(sequence=written)["l0"], whole.isel(sequence=written)["l0"]
    )
    assert tree["id"].values[4] == ""
    assert tree["history"].values[4] == -1
    assert np.isnan(tree["l0/attention"].values[4]).all()
    assert (tree["span"].values[13] == -1).all()


def test_a_block_is_written_once(tmp_path):
    plan = blocks.plan_of()
    writer = blocks.write(tmp_path / "t.zarr", plan, plan.blocks[:1])
    with pytest.raises(ValueError, match=r"Block 0 of .* is recorded already"):
        writer.write(plan.blocks[0], blocks.rows_tree(plan, 0, 4))


@pytest.mark.parametrize(
    ("plan", "attributes", "half", "message"),
    [
        (blocks.plan_of(15), {}, False, "sequences is 15 but was 14"),
        (blocks.plan_of(block_size=7), {}, False, "block_size is 7 but was 4"),
        (blocks.plan_of(), {"seed": 8}, False, "seed is 8 but was 7"),
        (blocks.plan_of(), {"split": "test"}, False, "split is test but was nothing"),
        (blocks.plan_of(), {}, True, "half is True but was False"),
        (
            make_plan(["x", *blocks.plan_of().ids[1:]], blocks.plan_of().lengths,
                      block_size=4, batch_size=3),
            {}, False, "with other names or lengths of its sequences",
        ),
    ],
)  # fmt: skip
def test_refuses_to_continue_another_recording(tmp_path, plan, attributes, half, message):
    path = blocks.write(tmp_path / "t.zarr", blocks.plan_of(), blocks.plan_of().blocks[:1]).path
    before = blocks.files_of(path)

    with pytest.raises(ValueError, match=message):
        TraceWriter(path, plan, {**blocks.ATTRIBUTES, **attributes}, half=half)
    assert blocks.files_of(path) == before


def test_resume_can_be_refused(tmp_path):
    plan = blocks.plan_of()
    path = blocks.write(tmp_path / "t.zarr", plan, plan.blocks[:1]).path
    with pytest.raises(FileExistsError, match="resume=True"):
        TraceWriter(path, plan, blocks.ATTRIBUTES, resume=False)


@pytest.mark.parametrize("made", ["file", "empty", "others", "broken"])
def test_never_deletes_what_is_no_trace(tmp_path, made):
    path = tmp_path / "t.zarr"
    if made == "file":
        path.write_text("mine")
    else:
        path.mkdir()
    if made == "others":
        (path / "thesis.tex").write_text("mine")
    if made == "broken":
        (path / "zarr.json").write_text("{")
    with pytest.raises(FileExistsError, match="cannot be continued, so nothing was written"):
        TraceWriter(path, blocks.plan_of(), blocks.ATTRIBUTES)
    assert path.exists()


def test_refuses_to_record_into_a_zip(tmp_path):
    with pytest.raises(ValueError, match="pack it with pack_trace"):
        TraceWriter(tmp_path / "t.zip", blocks.plan_of(), {})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.isel(sequence=[0, 1, 2], missing_dims="ignore"), "the root holds 3"),
        (lambda t: t.isel(time=slice(0, 6), missing_dims="ignore"), "at least 7 timesteps"),
        (lambda t: t.isel(time=[0] * 12, missing_dims="ignore"), "at most 11"),
        (lambda t: t.isel(sequence=[1, 0, 2, 3], missing_dims="ignore"), "id 'row 4 é' at row 4"),
        (lambda t: t.isel(head=[0, 1], missing_dims="ignore"), "l0/attention is"),
        (lambda t: t.isel(lag=[1, 0, 2, 3, 4], missing_dims="ignore"), "l0/lag has other values"),
        (lambda t: t.filter(lambda node: node.name != "l0"), "l0/attention is nothing but was"),
        (lambda t: t.assign(new=t["history"]), "new is .* but was nothing"),
        (lambda t: t.assign(label=t["label"].astype("f4")), "label is .*float32.* but was .*int32"),
        (lambda t: t.map_over_datasets(lambda d: d.assign_attrs(direction=-1)),
         "attributes of l0 is"),
    ],
)  # fmt: skip
def test_refuses_rows_that_are_not_the_blocks(tmp_path, change, message):
    plan = blocks.plan_of()
    writer = blocks.write(tmp_path / "t.zarr", plan, plan.blocks[:1])
    before = blocks.files_of(writer.path)
    tree = change(blocks.rows_tree(plan, 4, 8))

    with pytest.raises(ValueError, match=message):
        writer.write(plan.blocks[1], tree)
    assert blocks.files_of(writer.path) == before


def test_refuses_lengths_that_are_not_the_plans(tmp_path):
    plan = blocks.plan_of()
    tree = blocks.rows_tree(plan, 0, 4)
    tree["length"][2] = 1
    with pytest.raises(ValueError, match="should have length 3 at row 2 by the plan, but holds 1"):
        TraceWriter(tmp_path / "t.zarr", plan, {}).write(plan.blocks[0], tree)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("block", [Block(0, 0, 3, ((0, 1, 2),)), Block(9, 36, 40, ())])
def test_refuses_blocks_of_another_plan(tmp_path, block):
    writer = TraceWriter(tmp_path / "t.zarr", blocks.plan_of(), {})
    with pytest.raises(ValueError, match=f"Block {block.index} .* is none of the plan's 4 blocks"):
        writer.write(block, blocks.rows_tree(blocks.plan_of(), 0, 4))


def test_a_store_far_larger_than_what_is_held_in_memory(tmp_path, monkeypatch):
    """A hundred blocks of a megabyte each pass through a writer that holds a few of them."""
    count, time, lags = 800, 64, 512
    plan = make_plan([str(row) for row in range(count)], [time] * count, block_size=8)
    noise = np.random.default_rng(0).random((8, time, 1, lags), np.float32)
    block_bytes = noise.nbytes
    monkeypatch.setattr("attnviz.store.writer.COLLECT_BYTES", 4 * block_bytes)
    writer = TraceWriter(tmp_path / "t.zarr", plan, {})

    def tree_of(block: Block):
        signal = xr.Dataset(
            {"attention": (("sequence", "time", "head", "lag"), noise + block.index)}
        )
        signal.attrs["direction"] = 1
        return xr.DataTree.from_dict({"l0": signal})

    writer.write(plan.blocks[0], tree_of(plan.blocks[0]))
    tracemalloc.start()
    for block in plan.blocks[1:]:
        writer.write(block, tree_of(block))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    stored = sum(file.stat().st_size for file in (tmp_path / "t.zarr").rglob("*") if file.is_file())
    assert len(plan.blocks) == 100
    assert stored > 60 * block_bytes  # random numbers compress a little
    assert peak < 10 * block_bytes
    part = open_trace(tmp_path / "t.zarr").tree["l0/attention"].isel(sequence=[3, 799])
    np.testing.assert_array_equal(part.values, [noise[3], noise[7] + 99])


def test_another_process_writes_the_same_bytes(tmp_path):
    command = "record", "rra-imdb", "--text", "Good, for once.", "--quiet", "-o"
    for seed in ("1", "3"):  # by which the order of sets differs
        subprocess.run(
            [sys.executable, "-m", "attnviz.cli", *command, str(tmp_path / f"{seed}.zarr")],
            check=True, env={**os.environ, "PYTHONHASHSEED": seed},
        )  # fmt: skip
    assert blocks.files_of(tmp_path / "1.zarr") == blocks.files_of(tmp_path / "3.zarr")
