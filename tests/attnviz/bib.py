"""A strict reader of BibTeX: what it takes, every program takes."""

import re

NEEDED = {
    "misc": {"title", "author", "year"},
    "article": {"title", "author", "year", "journal", "volume", "pages"},
    "inproceedings": {"title", "author", "year", "booktitle"},
}


def read_bib(text):
    """Entries by key, as pairs of kind and fields; anything out of place is refused."""
    text = "\n".join(line for line in text.splitlines() if not line.startswith("%"))
    assert text.isascii(), "BibTeX of old reads ASCII"
    entries, at = {}, 0
    while match := re.compile(r"\s*@(\w+)\{([A-Za-z]\w*),").match(text, at):
        kind, key = match.groups()
        fields, at = _fields(text, match.end())
        assert key not in entries, f"{key} stands twice"
        assert kind in NEEDED, f"{kind} of {key} is no kind of BibTeX"
        assert NEEDED[kind] <= set(fields), f"{key} lacks {NEEDED[kind] - set(fields)}"
        entries[key] = (kind, fields)
    assert not text[at:].strip(), f"this is no entry: {text[at : at + 60]!r}"
    return entries


def _fields(text, at):
    fields = {}
    while match := re.compile(r"\s*(\w+)\s*=\s*\{").match(text, at):
        depth, end = 1, match.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        assert match[1] not in fields, f"{match[1]} stands twice"
        fields[match[1]] = " ".join(text[match.end() : end - 1].split())
        comma = re.compile(r"\s*,").match(text, end)
        assert comma, f"no comma after {match[1]}"
        at = comma.end()
    close = re.compile(r"\s*\}").match(text, at)
    assert close, f"the entry does not end: {text[at : at + 60]!r}"
    return fields, close.end()
