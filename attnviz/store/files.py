"""The files of a store, wherever they lie."""

import zipfile
import zlib
from functools import cached_property
from pathlib import Path

from zarr.abc.store import Store
from zarr.storage import LocalStore, ZipStore

from attnviz.trace import TraceFormatError

__all__ = ["Files"]

HDF5 = b"\x89HDF\r\n\x1a\n"  # begins every netCDF-4 file
LONGEST = 2**26  # bytes; what describes a group or array is far shorter, but a zip may claim any


class Files:
    """The files of a store, in a directory or a zip, which is never unpacked.

    Arguments:
        path: A directory or a zip.

    Raises:
        FileNotFoundError: If nothing is there.
        TraceFormatError: If it is neither a directory nor a zip that can be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.sizes: dict[str, int] | None = None
        if not path.exists():
            raise FileNotFoundError(
                f"There is no trace at {path}: neither a directory nor a .zip file. Check the path."
            )
        if path.is_dir():
            return
        try:
            with zipfile.ZipFile(path) as packed:
                self.sizes = {entry.filename: entry.file_size for entry in packed.infolist()}
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
            with path.open("rb") as file:
                begins = file.read(len(HDF5))
            if begins == HDF5:
                raise TraceFormatError(
                    f"{path} is not a trace on disk, but netCDF (HDF5). An exported trace is read "
                    "by attnviz.store.read_netcdf, a measured result by attnviz.open_result."
                ) from error
            raise TraceFormatError(
                f"{path} is not a trace: expected a directory or a .zip that attnviz wrote, but "
                f"got a file of {path.stat().st_size} bytes that is no zip ({error}). If it was "
                "one, it was cut short or damaged: copy it again."
            ) from error

    def has(self, key: str) -> bool:
        """Whether a file is there with something in it; Zarr takes an empty one for none."""
        if self.sizes is not None:
            return self.sizes.get(key, 0) > 0
        file = self.path / key
        return file.is_file() and file.stat().st_size > 0

    def read(self, keys: list[str]) -> dict[str, bytes]:
        """The bytes of those files that are there, each of which describes a group or array.

        Raises:
            TraceFormatError: If one in a zip is too long, or cannot be unpacked.
        """
        found = [key for key in keys if self.has(key)]
        if self.sizes is None:
            return {key: (self.path / key).read_bytes() for key in found}
        with zipfile.ZipFile(self.path) as packed:
            return {key: self._unpacked(packed, key) for key in found}

    @cached_property
    def store(self) -> Store:
        """The same files for Zarr, read-only."""
        if self.sizes is None:
            return LocalStore(self.path, read_only=True)
        return ZipStore(self.path, mode="r")

    def _unpacked(self, packed: zipfile.ZipFile, key: str) -> bytes:
        size = packed.getinfo(key).file_size
        if size > LONGEST:
            raise TraceFormatError(
                f"{key} would have {size:,} bytes, and at most {LONGEST:,} are read."
            )
        try:
            return packed.read(key)
        except (zipfile.BadZipFile, RuntimeError, zlib.error, EOFError) as error:
            raise TraceFormatError(f"{key} cannot be unpacked ({error}).") from error
