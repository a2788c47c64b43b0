"""The frame of a page that stands alone: it fetches nothing, and the browser holds it to that."""

from html import escape

__all__ = ["ONLY_PICTURES", "framed"]

#: What a page may use: pictures and a style that stand in it, and no script at all.
ONLY_PICTURES = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"

_FRAME = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def framed(title: str, body: str, *, style: str, policy: str = ONLY_PICTURES) -> str:
    """A whole page.

    Arguments:
        title: Any text; it is escaped.
        body: HTML, in which every text is escaped already.
        style: A style sheet.
        policy: What the page may use, whatever a text in it contains.

    Returns:
        The page.
    """
    return _FRAME.format(policy=policy, title=escape(title), style=style, body=body)
