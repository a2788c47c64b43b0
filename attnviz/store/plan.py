"""The plan of a recording: which rows there will be, in which blocks and batches.

A plan is a pure function of ids, lengths and three numbers, made before the model runs. Because
it fixes every row's place and every batch's members, a recording that was interrupted, resumed or
shared by several processes gives the bytes of an unbroken one.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int

__all__ = [
    "Block",
    "Plan",
    "Truncation",
    "make_plan",
    "plan_digest",
    "plan_from_json",
    "plan_to_json",
]

LONGEST = 2**31 - 1  # lengths are stored as int32


@dataclass(frozen=True)
class Truncation:
    """Which part of a long sequence is kept.

    Arguments:
        side: `"start"` keeps the first timesteps, `"end"` the last ones.
        length: How many timesteps are kept at most.
    """

    side: Literal["start", "end"]
    length: int


@dataclass(frozen=True)
class Block:
    """A contiguous range of rows: what is written, committed, resumed and owned as one.

    Arguments:
        index: The block's number, counted from 0.
        start: Its first row.
        stop: The row after its last.
        batches: Rows to run together, as indices into the whole plan; each row once, rows of
            similar length in one batch.
    """

    index: int
    start: int
    stop: int
    batches: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Plan:
    """All rows of a recording in the order they were given, cut into blocks and batches.

    Make one with `make_plan`, which checks what it is given.

    Arguments:
        ids: One name a sequence, each once.
        lengths: Timesteps of each sequence after truncation.
        truncation: Which part of long sequences is kept; none are cut if not given.
        block_size: Rows a block; the last block may have fewer.
        batch_size: Rows a batch at most.
        blocks: The blocks in order.
    """

    ids: tuple[str, ...]
    lengths: tuple[int, ...]
    truncation: Truncation | None
    block_size: int
    batch_size: int
    blocks: tuple[Block, ...]

    @property
    def time(self) -> int:
        """The longest sequence's number of timesteps."""
        return max(self.lengths)


def make_plan(
    ids: Sequence[str],
    lengths: Sequence[int] | Int[np.ndarray, " sequence"],
    *,
    truncation: Truncation | None = None,
    block_size: int = 64,
    batch_size: int = 32,
) -> Plan:
    """Plans a recording: rows stay in the order given, batches gather similar lengths.

    Arguments:
        ids: One name a sequence, each once.
        lengths: Timesteps of each sequence before truncation.
        truncation: Which part of long sequences is kept; none are cut if not given.
        block_size: Rows a block. A block is held in memory while it is recorded.
        batch_size: Rows a batch at most.

    Returns:
        The plan; its lengths are those after truncation.

    Raises:
        ValueError: If there are no sequences, an id comes twice, ids and lengths differ in number,
            a sequence is empty, or a size is less than 1.
    """
    _check_size("block_size", block_size)
    _check_size("batch_size", batch_size)
    if truncation is not None:
        _check_size("truncation.length", truncation.length)
        if truncation.side not in ("start", "end"):
            raise ValueError(
                f"A truncation keeps the 'start' or the 'end', but side is {truncation.side!r}."
            )
    names, steps = tuple(map(str, ids)), [int(length) for length in lengths]
    _check_rows(names, steps)
    limit = LONGEST if truncation is None else truncation.length
    kept = tuple(min(length, limit) for length in steps)
    block_size = min(block_size, len(names))
    blocks = tuple(
        _block(index, start, min(start + block_size, len(names)), kept, batch_size)
        for index, start in enumerate(range(0, len(names), block_size))
    )
    return Plan(names, kept, truncation, block_size, batch_size, blocks)


def plan_to_json(plan: Plan) -> str:
    """Writes a plan as JSON, the same text for the same plan."""
    cut = plan.truncation
    return json.dumps(
        {
            "ids": plan.ids,
            "lengths": plan.lengths,
            "truncation": None if cut is None else {"side": cut.side, "length": cut.length},
            "block_size": plan.block_size,
            "batch_size": plan.batch_size,
        },
        sort_keys=True,
    )


def plan_from_json(text: str) -> Plan:
    """Reads a plan that `plan_to_json` wrote.

    Raises:
        ValueError: If the text is not a plan.
    """
    try:
        read = json.loads(text)
        cut = read["truncation"]
        return make_plan(
            [str(name) for name in read["ids"]],
            [int(length) for length in read["lengths"]],
            truncation=None if cut is None else Truncation(cut["side"], int(cut["length"])),
            block_size=int(read["block_size"]),
            batch_size=int(read["batch_size"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"This text is not a plan ({error!r}); a plan is the JSON that plan_to_json writes."
        ) from error


def plan_digest(plan: Plan) -> str:
    """The SHA-256 of a plan: equal exactly when rows, lengths, blocks and batches are equal."""
    return hashlib.sha256(plan_to_json(plan).encode()).hexdigest()


def _block(index: int, start: int, stop: int, lengths: tuple[int, ...], batch_size: int) -> Block:
    """Cuts a range of rows into batches, shortest sequences first; ties keep their order."""
    rows = sorted(range(start, stop), key=lambda row: lengths[row])
    batches = (rows[first : first + batch_size] for first in range(0, len(rows), batch_size))
    return Block(index, start, stop, tuple(map(tuple, batches)))


def _check_size(name: str, size: int) -> None:
    if size < 1:
        raise ValueError(f"A plan needs a {name} of at least 1, but it is {size}.")


def _check_rows(ids: tuple[str, ...], lengths: list[int]) -> None:
    if len(ids) != len(lengths):
        raise ValueError(
            f"A plan needs one length a sequence, but got {len(ids)} ids and {len(lengths)} "
            "lengths."
        )
    if not ids:
        raise ValueError("A plan needs at least one sequence, but got none.")
    first_row: dict[str, int] = {}
    for row, name in enumerate(ids):
        if name in first_row:
            raise ValueError(
                f"A plan needs each id once, but {name!r} stands at rows {first_row[name]} and "
                f"{row}. Add the row number or the source file to the ids."
            )
        first_row[name] = row
    for row, length in enumerate(lengths):
        if not 1 <= length <= LONGEST:
            raise ValueError(
                f"A plan needs sequences of 1 to {LONGEST} timesteps, but sequence {row} "
                f"({ids[row]!r}) has {length}. Leave it out, or give it a token such as '<unk>'."
            )
