"""What figures and tables say of where they come from, read back without what draws them."""

import html
import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path

from attnviz.plots.suffixes import FORMATS, unknown_suffix

__all__ = ["comments", "holds_numbers", "read_comments", "read_provenance"]

_PNG_START = b"\x89PNG\r\n\x1a\n"
_ENDS = {".pdf": b"%%EOF", ".svg": b"</svg>", ".png": b"IEND"}
_ESCAPED = {b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"\b", b"f": b"\f"}


def read_provenance(path: Path | str) -> dict[str, str]:
    """Reads back what `save_figure` wrote about a figure.

    Arguments:
        path: A PDF, SVG, PNG or PGF file.

    Returns:
        The provenance.

    Raises:
        ValueError: If the file is of another kind, cut short, or says nothing that `save_figure`
            wrote.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in FORMATS:
        raise ValueError(unknown_suffix(path, "read_provenance reads"))
    if kind == ".pgf" and (above := read_comments(path)):
        return above
    read_as = {".pdf": _from_pdf, ".svg": _from_svg, ".png": _from_png}
    data = path.read_bytes() if kind in read_as else b""
    if kind in read_as and _ENDS[kind] not in data[-1024:]:
        raise ValueError(
            f"{path} is no whole {kind[1:].upper()} file: its end is missing ({len(data):,} bytes "
            "are there), so it was cut short, or is something else. Copy or draw it again."
        )
    found = read_as[kind](data) if kind in read_as else None
    try:
        read = json.loads(found or "")
    except ValueError:
        read = None
    if not isinstance(read, dict):
        raise ValueError(
            f"{path} says nothing about where it comes from: it was not written by save_figure, "
            "or another program has rewritten it since."
        )
    return {str(key): str(value) for key, value in read.items()}


def read_comments(path: Path | str) -> dict[str, str]:
    """Reads back the provenance that stands above a table.

    Arguments:
        path: What `save_numbers` wrote, or lines that begin with `#` or `%` in another text file.

    Returns:
        The provenance; empty if there is none.
    """
    found = {}
    with Path(path).open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.startswith(("# ", "% ")):
                break
            key, colon, value = line[2:].rstrip("\n").partition(": ")
            if colon:
                found[key] = str(json.loads(value)) if value.startswith('"') else value
    return found


def holds_numbers(path: Path) -> bool:
    """Whether a file is a table of numbers that was written with a figure."""
    try:
        return "statistic" in read_comments(path)
    except (OSError, ValueError):
        return False


def comments(said: Mapping[str, str], sign: str) -> str:
    """Provenance as lines of a comment.

    Arguments:
        said: The provenance.
        sign: What a comment begins with.

    Returns:
        A line for each, sorted by name.
    """
    return "".join(f"{sign} {key}: {_line(str(said[key]))}\n" for key in sorted(said))


def _line(value: str) -> str:
    """A value on one line; in quotes, as JSON, where it would change."""
    plain = " ".join(value.split()) == value and not value.startswith('"')
    return value if plain else json.dumps(value, ensure_ascii=False)


def _from_pdf(data: bytes) -> str | None:
    info = re.search(rb"/Info (\d+) 0 R", data[data.rfind(b"trailer") :])
    start = data.find(b"\n%s 0 obj" % info[1]) if info else -1
    words = re.search(rb"/Keywords \(((?:[^\\()]|\\.|\((?:[^\\()]|\\.)*\))*)\)", data[start:], re.S)
    if start < 0 or words is None:
        return None
    plain = re.sub(rb"\\(.)", lambda m: _ESCAPED.get(m[1], m[1]), words[1], flags=re.S)
    return plain.decode("latin-1")


def _from_svg(data: bytes) -> str | None:
    words = re.search(rb"<dc:description>(.*?)</dc:description>", data, re.S)
    return html.unescape(words[1].decode("utf-8", "replace")) if words else None


def _from_png(data: bytes) -> str | None:
    at = len(_PNG_START)
    while data.startswith(_PNG_START) and at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        key, _, text = data[at + 8 : at + 8 + length].partition(b"\0")
        if kind == b"tEXt" and key == b"Description":
            return text.decode("latin-1")
        at += 12 + length
    return None
