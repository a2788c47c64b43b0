"""A report as one page of HTML that fetches nothing."""

import base64
import tempfile
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from attnviz.pages import framed
from attnviz.plots import save_figure
from attnviz.reporting.contents import (
    Block,
    Code,
    Facts,
    Paragraph,
    Picture,
    Report,
    Section,
    Table,
    Warn,
)

__all__ = ["html_page"]


def html_page(report: Report) -> str:
    """The report as a page: figures as SVG inside it, every text escaped."""
    sections = [section for section in report.sections if section.blocks]
    links = "".join(
        f'<li><a href="#s{n}">{escape(section.title)}</a></li>'
        for n, section in enumerate(sections)
    )
    body = "\n".join(_section(n, one, report.provenance) for n, one in enumerate(sections))
    main = _MAIN.format(
        title=escape(report.title), subtitle=escape(report.subtitle), links=links, body=body
    )
    return framed(report.title, main, style=_STYLE)


def _section(number: int, section: Section, provenance: Mapping[str, str]) -> str:
    blocks = "\n".join(_block(block, provenance) for block in section.blocks)
    return f'<section id="s{number}">\n<h2>{escape(section.title)}</h2>\n{blocks}\n</section>'


def _block(block: Block, provenance: Mapping[str, str]) -> str:
    match block:
        case Paragraph(text):
            return f"<p>{escape(text)}</p>"
        case Warn(text):
            return f'<p class="warning" role="note"><strong>Beware.</strong> {escape(text)}</p>'
        case Code(text):
            return f"<pre>{escape(text)}</pre>"
        case Facts(rows):
            held = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in rows)
            return f"<dl>{held}</dl>"
        case Table():
            return _table(block)
        case Picture():
            return _picture(block, provenance)


def _table(table: Table) -> str:
    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{'' if n < table.words else _RIGHT}>{escape(cell)}</{tag}>"
            for n, cell in enumerate(row)
        )

    head = f"<thead><tr>{cells(table.head, 'th')}</tr></thead>"
    rows = "\n".join(f"<tr>{cells(row, 'td')}</tr>" for row in table.rows)
    caption = f"<caption>{escape(table.caption)}</caption>" if table.caption else ""
    return f'<div class="wide"><table>{caption}{head}<tbody>{rows}</tbody></table></div>'


def _picture(picture: Picture, provenance: Mapping[str, str]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = save_figure(picture.figure, Path(folder) / "figure.svg", provenance=provenance)
        held = base64.b64encode(path.read_bytes()).decode()
    said = escape(picture.caption)
    width = picture.figure.get_figwidth()
    return (
        f'<figure><img style="width:{width:.2f}in" alt="{said}" '
        f'src="data:image/svg+xml;base64,{held}"><figcaption>{said}</figcaption></figure>'
    )


_RIGHT = ' class="number"'
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 0; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem; }
h1 { font-size: 1.7rem; margin: 0; }
h2 { font-size: 1.2rem; margin: 2.2rem 0 .6rem; border-bottom: 1px solid #ccc; }
.subtitle, figcaption, caption { color: #555; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; padding: 0; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; margin: 0 0 1rem; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 0 0 1.2rem; }
table { border-collapse: collapse; font-size: .9rem; }
caption { text-align: left; caption-side: bottom; padding-top: .3rem; }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; vertical-align: top; }
thead { border-bottom: 1px solid #999; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 0 0 1.6rem; }
img { max-width: 100%; height: auto; }
figcaption { font-size: .9rem; }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; font-size: .85rem; }
.warning { background: #fff4e0; border-left: 4px solid #b35900; padding: .5rem .8rem; }
@media print { nav { display: none; } main { max-width: none; } figure { break-inside: avoid; } }
"""
_MAIN = """<main>
<h1>{title}</h1>
<p class="subtitle">{subtitle}</p>
<nav aria-label="Sections"><ul>{links}</ul></nav>
{body}
</main>"""
