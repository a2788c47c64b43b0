"""Run as a program: records with writers that are killed at random, then finishes the recording.

Prints one line of JSON for each kill: blocks recorded when it fell, and what was left on disk.
"""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from attnviz.store import open_trace
from attnviz.trace import sequence_length
from tests.attnviz.store import blocks


def killed_writer(path, plan, blocks_first, delay):
    """Writes in a process of its own and kills it some time after a number of blocks."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        writer = blocks.TraceWriter(path, plan, blocks.ATTRIBUTES)
        for block in writer.pending():
            os.write(write, b".")
            writer.write(block, blocks.rows_tree(plan, block.start, block.stop))
        os._exit(0)
    os.close(write)
    for _ in range(blocks_first + 1):
        os.read(read, 1)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(read)


def readable_rows(path, plan):
    """In a process of its own, for this one must not start Zarr's threads before it forks."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, json.dumps(checked_rows(path, plan)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as answer:
        return json.loads(answer.read())


def checked_rows(path, plan):
    """How many rows exist; −1 if one of them does not hold what it should."""
    if not path.exists():
        return 0
    trace, whole = open_trace(path), blocks.whole(plan)
    lengths = trace.tree["length"].values
    rows = [row for row in range(len(plan.ids)) if lengths[row] >= 0]
    same = trace.tree.isel(sequence=rows).identical(whole.tree.isel(sequence=rows))
    return len(rows) if same and all(sequence_length(trace, row) for row in rows) else -1


def main(directory, kills, seed):
    plan = blocks.plan_of(60, block_size=3)
    draw = random.Random(seed)
    path = Path(directory) / "killed.zarr"
    for _ in range(kills):
        killed_writer(path, plan, draw.randint(0, 2), draw.uniform(0.0, 0.02))
        rows = readable_rows(path, plan)
        left = [file.name for file in Path(directory).rglob("*.partial")]
        print(json.dumps({"rows": rows, "partial": len(left)}), flush=True)
    blocks.write(Path(directory) / "unbroken.zarr", plan)
    writer = blocks.TraceWriter(path, plan, blocks.ATTRIBUTES)
    for block in writer.pending():
        writer.write(block, blocks.rows_tree(plan, block.start, block.stop))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
