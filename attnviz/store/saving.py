"""Writing a trace that is in memory, or open, as a whole."""

import tempfile
from pathlib import Path

from attnviz.store.export import EXPORTED
from attnviz.store.pack import pack_trace
from attnviz.store.rows import plan_of, rows_of
from attnviz.store.writer import TraceWriter
from attnviz.trace import Trace, check_trace

__all__ = ["check_store_path", "save_trace"]


def check_store_path(path: Path) -> None:
    """Refuses to write a trace by a name that says it is a file for other programs.

    Raises:
        ValueError: If the path ends as `export_trace` lets one end.
    """
    if path.suffix.lower() in EXPORTED:
        raise ValueError(
            f"A trace is written as a folder (.zarr) or a .zip, got {path}. Write one of these; "
            f"attnviz.export_trace makes {', '.join(EXPORTED)} of it."
        )


def save_trace(trace: Trace, path: Path | str, *, half: bool = False, block_size: int = 64) -> Path:
    """Writes a whole trace to a directory, or to a zip if the path ends in `.zip`.

    Arguments:
        trace: Any trace whose rows all exist.
        path: Where to write; nothing may lie there.
        half: Store bounded signals as float16; see `TraceWriter`.
        block_size: Rows that are written, and held in memory, at once.

    Returns:
        The path.

    Raises:
        FileExistsError: If something lies at `path`.
        ValueError: If the trace holds what cannot be stored, or rows that do not exist; or if the
            path ends as a file for other programs does.
    """
    check_trace(trace)
    path = Path(path)
    check_store_path(path)
    if path.exists() or path.is_symlink():
        raise FileExistsError(f"{path} exists already. Move it away or choose another path.")
    plan = plan_of(trace.tree, block_size=block_size)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as beside:
        writer = TraceWriter(Path(beside) / "trace.zarr", plan, trace.tree.attrs, half=half)
        for block in plan.blocks:
            writer.write(block, rows_of(trace.tree, block))
        if path.suffix == ".zip":
            return pack_trace(writer.path, path)
        return writer.path.rename(path)
