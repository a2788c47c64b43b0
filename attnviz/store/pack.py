"""One file to send: a finished trace, or probes, in a zip."""

import os
import shutil
import uuid
import zipfile
from pathlib import Path

from attnviz.store.files import Files
from attnviz.store.layout import read_layout
from attnviz.store.probes import is_probes

__all__ = ["pack_trace"]

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first moment a zip can name


def pack_trace(directory: Path | str, zip_path: Path | str) -> Path:
    """Packs a finished trace into a zip, which `open_trace` reads in place; or probes.

    The same trace gives the same bytes: names are sorted, times are fixed, nothing is compressed
    again. The zip is written beside its place and then renamed.

    Arguments:
        directory: A trace whose rows are all recorded; or the probes of a training, which
            `open_probes` reads in place.
        zip_path: The file to write; nothing may lie there.

    Returns:
        The path of the zip.

    Raises:
        FileExistsError: If something lies at `zip_path`.
        FileNotFoundError: If nothing lies at `directory`.
        TraceFormatError: If what lies at `directory` is neither a trace nor probes.
        ValueError: If `directory` is a zip already, or some of its rows are not recorded.
    """
    directory, zip_path = Path(directory), Path(zip_path)
    files = Files(directory)
    if files.sizes is not None:
        raise ValueError(f"{directory} is packed already.")
    if zip_path.exists():
        raise FileExistsError(f"{zip_path} exists already. Move it away or choose another path.")
    if not is_probes(directory):  # of which every step is whole, or not there
        _check_finished(files)
    found = (Path(root) / name for root, _, names in os.walk(directory) for name in names)
    by_name = {file.relative_to(directory).as_posix(): file for file in found}
    beside = zip_path.with_name(f".{zip_path.name}.{uuid.uuid4().hex}.partial")
    try:
        with zipfile.ZipFile(beside, "x", zipfile.ZIP_STORED) as packed:
            for name in sorted(name for name in by_name if not name.endswith(".partial")):
                entry = zipfile.ZipInfo(name, EARLIEST)
                entry.external_attr = 0o644 << 16
                entry.file_size = by_name[name].stat().st_size
                with by_name[name].open("rb") as source, packed.open(entry, "w") as target:
                    shutil.copyfileobj(source, target)
        beside.rename(zip_path)
    finally:
        beside.unlink(missing_ok=True)
    return zip_path


def _check_finished(files: Files) -> None:
    layout = read_layout(files)
    rows = int(str(layout.plan["sequences"]))
    blocks = -(-rows // layout.block_size)
    absent = [block for block in range(blocks) if not files.has(f"length/c/{block}")]
    if absent:
        raise ValueError(
            f"Only a finished trace can be packed, but {len(absent)} of the {blocks} blocks of "
            f"{files.path} are not recorded. Resume the recording first."
        )
