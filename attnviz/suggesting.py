"""What somebody may have meant by a name that is none."""

import difflib
from collections.abc import Iterable

__all__ = ["meant"]


def meant(name: str, known: Iterable[str]) -> str:
    """The known name that is most like another, for a message.

    Arguments:
        name: What was given.
        known: What there is.

    Returns:
        `` (did you mean 'heatmap'?)``, or nothing where none is like it.
    """
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.75)
    return f" (did you mean {found[0]!r}?)" if found else ""
