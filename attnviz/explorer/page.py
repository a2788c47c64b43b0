"""The explorer as one self-contained page: the same JavaScript, the data inside, no network."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from attnviz.explorer.encoding import encode_panel
from attnviz.explorer.panels import Panel
from attnviz.explorer.selection import Row
from attnviz.explorer.session import Session
from attnviz.files import replacing
from attnviz.pages import framed

__all__ = ["page", "script", "stylesheet", "write_page"]

# Nothing may be fetched from anywhere, whatever a text contains.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data: blob:; font-src data:"
)


def page(
    panels: Mapping[int, Sequence[Panel]],
    rows: Sequence[Row],
    *,
    state: Mapping[str, Any],
    title: str = "attnviz explorer",
) -> str:
    """One HTML page that shows panels without a kernel and without a network.

    Arguments:
        panels: For each sequence on the page its panels, one a cell.
        rows: What can be chosen; those without panels are left out.
        state: What is selected at first, by the names of the explorer's traits.
        title: The page's title.

    Returns:
        The page. Numbers stand in it as float32, base64, and are decoded when they are looked at.
    """
    places: dict[tuple[str, str], int] = {}  # equal numbers, as of unedited runs, stand there once

    def numbers(values: np.ndarray) -> dict[str, Any]:
        narrow = np.ascontiguousarray(values)
        plain = narrow.astype(f"<{narrow.dtype.kind}4", copy=False)
        kind = "int32" if plain.dtype.kind == "i" else "float32"
        held = (base64.b64encode(plain.tobytes()).decode(), kind)
        return {"buffer": places.setdefault(held, len(places)), "type": kind}

    encoded = {
        str(sequence): [encode_panel(panel, numbers) for panel in shown]
        for sequence, shown in panels.items()
    }
    header = {
        "state": dict(state),
        "rows": [_row(row) for row in rows if row.sequence in panels],
        "panels": encoded,
    }
    held = "\n".join(
        f'<script type="text/plain" data-buffer="{n}">{text}</script>'
        for n, (text, _) in enumerate(places)
    )
    body = _BODY.format(header=_json(header), buffers=held, script=script())
    return framed(title, body, style=f"\n{stylesheet()}\n", policy=_POLICY)


def write_page(session: Session, path: Path | str, sequences: Sequence[int] | None = None) -> Path:
    """Writes what a session can show as a page; beside its place and then renamed.

    Arguments:
        session: With its shelf and selection.
        path: Where to write, ending in `.html`.
        sequences: Which texts; those that the filter leaves, at most twenty, if not given.

    Returns:
        The path.

    Raises:
        ValueError: If the path does not end so, there is no such text, or no text is left.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"The explorer's page is written as .html, but got {path.name}.")
    panels, rows = session.on_page(sequences)
    if not rows:
        raise ValueError("No text is left by the filter, so there is nothing to put on a page.")
    state = session.selection.told() | {"filters": {}}
    made = [variant.edits for shown in panels.values() for one in shown for variant in one.variants]
    if state["edits"] not in made:
        state["edits"] = {}
    if state["sequence"] not in panels:
        first = {"sequence": rows[0].sequence, "sentence": rows[0].text}
        state |= first | {"timestep": 0, "window": (0, 0)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as beside:
        beside.write_text(page(panels, rows, state=state), encoding="utf-8")
    return path


def script() -> str:
    """The explorer's JavaScript, one ES module."""
    return files("attnviz.explorer").joinpath("explorer.js").read_text(encoding="utf-8")


def stylesheet() -> str:
    """The explorer's style sheet."""
    return files("attnviz.explorer").joinpath("explorer.css").read_text(encoding="utf-8")


def _row(row: Row) -> dict[str, Any]:
    return {
        "sequence": row.sequence, "id": row.id, "text": row.text, "start": row.text[:80],
        "label": row.label, "prediction": row.prediction, "length": row.length,
    }  # fmt: skip


def _json(header: Mapping[str, Any]) -> str:
    """JSON that can stand in a script element: no text in it ends the element."""
    told = json.dumps(header, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair cannot be written as UTF-8, but as an escape it can.
    return re.sub("[<>&\ud800-\udfff]", lambda found: f"\\u{ord(found[0]):04x}", told)


_BODY = """<main class="attnviz-page"></main>
<script type="application/json" data-header>{header}</script>
{buffers}
<script type="module">
{script}
mount(document.querySelector("main"), document);
</script>"""
