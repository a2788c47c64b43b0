"""Which files figures are."""

from pathlib import Path

__all__ = ["FORMATS", "unknown_suffix"]

#: The suffixes of figures; `.pgf` is drawn by TeX.
FORMATS = (".pdf", ".svg", ".png", ".pgf")


def unknown_suffix(path: Path, who: str) -> str:
    """What to say of a file that is none of them.

    Arguments:
        path: The file.
        who: Refuses it, such as `save_figure writes`.

    Returns:
        A message.
    """
    given = f"{path.name} ends in {path.suffix!r}" if path.suffix else f"{path.name} has no suffix"
    return f"{who} {', '.join(FORMATS)}, but {given}. Name the file with one of these suffixes."
