"""The page over a folder of figures: a picture of each, what it shows, and its files."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from attnviz.pages import framed

if TYPE_CHECKING:
    from attnviz.cli.figure_files import Drawn, Written
    from attnviz.cli.sources import Opened

__all__ = ["write_index"]

_STYLE = """
body { font: 16px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem;
  color: #222; background: #fff; }
h1 { font-size: 1.4rem; margin-bottom: .2rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; color: #555;
  font-size: .9rem; }
dd { margin: 0; overflow-wrap: anywhere; }
figure { margin: 2rem 0; }
img { max-width: 100%; border: 1px solid #ddd; }
figcaption { margin-top: .4rem; }
code { font-size: .85rem; color: #555; overflow-wrap: anywhere; }
"""
_FIGURE = """<figure id="{stem}">
<a href="{link}"><img src="data:image/png;base64,{picture}" alt="{shows}"></a>
<figcaption>{shows} {files}<br><code>{command} -o FILE</code></figcaption>
</figure>"""
_FACTS = (
    "model", "cell", "task", "split", "trace", "trace_digest", "run", "run_digest", "study",
    "study_digest", "weights_digest", "versions",
)  # fmt: skip


def write_index(written: "Written", figures: Sequence["Drawn"], source: "Opened") -> Path:
    """Writes `index.html`, which needs nothing but the figures it links to.

    Arguments:
        written: What was written so far, with a thumbnail of each figure.
        figures: In the order of the page.
        source: What they show.

    Returns:
        The page.
    """
    facts = "\n".join(
        f"<dt>{_said(name.replace('_', ' '))}</dt><dd>{_said(source.provenance[name])}</dd>"
        for name in _FACTS
        if name in source.provenance
    )
    page = written.staged / "index.html"
    shown = "\n".join(_figure(written, drawn) for drawn in figures)
    title = f"Figures of {source.name}"
    body = f"<h1>{_said(title)}</h1>\n<dl>\n{facts}\n</dl>\n{shown}"
    page.write_text(framed(title, body, style=_STYLE), encoding="utf-8")
    place = str(written.folder / page.name)
    written.files.append({"path": place, "figure": "", "shows": "A page with all of them."})
    return page


def _figure(written: "Written", drawn: "Drawn") -> str:
    names = [Path(file["path"]).name for file in written.files if file["figure"] == drawn.stem]
    links = [f'<a href="{quote(name)}">{_said(Path(name).suffix[1:])}</a>' for name in names]
    return _FIGURE.format(
        stem=_said(drawn.stem),
        link=quote(names[0]),
        picture=base64.b64encode(written.thumbnails[drawn.stem]).decode("ascii"),
        shows=_said(drawn.shows),
        files=" · ".join(links),
        command=_said(drawn.provenance["command"]),
    )


def _said(text: str) -> str:
    return html.escape(text, quote=True)
