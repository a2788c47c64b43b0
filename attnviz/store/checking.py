"""Whether the files of a trace can be read, found without reading them all."""

from pathlib import Path

import numpy as np

from attnviz.store.files import Files
from attnviz.store.layout import read_layout
from attnviz.store.reader import open_trace
from attnviz.trace import TraceFormatError

__all__ = ["damage"]


def damage(path: Path | str) -> list[str]:
    """What of a trace cannot be read.

    One sequence of every block is read of every array: a file that is missing, empty or cut short
    is found, a bit that changed in another sequence is not.

    Arguments:
        path: Of the trace.

    Returns:
        A message for each damaged array; none if all is well.

    Raises:
        FileNotFoundError: If nothing lies there.
        TraceFormatError: If it cannot even be opened.
    """
    block_size = read_layout(Files(Path(path))).block_size
    found = []
    for node in open_trace(path).tree.subtree:
        for values in node.to_dataset(inherit=False).variables.values():
            rows = np.arange(0, values.sizes.get("sequence", 0), block_size)
            try:
                values.isel(sequence=rows, missing_dims="ignore").load()
            except TraceFormatError as error:
                found.append(str(error))
    return found
