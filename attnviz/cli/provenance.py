"""What a figure says about itself, and the command that makes it again."""

import hashlib
import itertools
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from glob import escape
from pathlib import Path

from attnviz.cards import RUN

__all__ = ["Again", "again", "file_digest", "run_digest", "style_provenance"]

_FOLDERS = (".", "traces", "..", "../traces")


def file_digest(path: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def run_digest(folder: Path) -> str:
    """The SHA-256 of a run's recipe and, as far as it has come, of its history."""
    files = [folder / name for name in (RUN, "history.csv")]
    return hashlib.sha256(b"".join(f.read_bytes() for f in files if f.is_file())).hexdigest()


def style_provenance(style: str) -> dict[str, str]:
    """The digest of a style that is a file; of a named one nothing."""
    path = Path(style)
    if path.suffix != ".mplstyle" or not path.is_file():
        return {}
    return {"style": path.name, "style_digest": file_digest(path)}


@dataclass(frozen=True)
class Again:
    """The command that makes a figure again.

    Arguments:
        command: With the paths of what it is made from, as far as they were found.
        missing: Names and digests of what was not found.
    """

    command: str
    missing: tuple[tuple[str, str], ...]


def again(said: Mapping[str, str], figure: Path) -> Again | None:
    """The command that makes a figure again, and writes it where it is.

    Files know what they are made from by name and digest. It is looked for in the current folder,
    beside the figure, in the folder above, there also in `traces`, and in any folder of the current
    one or of the figure's; only what has the digest counts.

    Arguments:
        said: What the figure says about itself.
        figure: The figure, or the table of its numbers.

    Returns:
        The command; none where the figure does not say it.
    """
    if "command" not in said:
        return None
    words = shlex.split(said["command"])
    missing: list[tuple[str, str]] = []
    passed: set[int] = set()  # several may have the same name
    for name, digest in _inputs(said):
        found = _find(name, digest, figure)
        named = (n for n, word in enumerate(words) if word == name or word.endswith(f"={name}"))
        at = next((n for n in named if n not in passed), None)
        if at is not None:
            passed.add(at)
        if found is None:
            missing.append((name, digest))
        elif at is not None:
            words[at] = words[at][: len(words[at]) - len(name)] + str(found)
    return Again(shlex.join([*words, *_output(words[1], said, figure)]), tuple(missing))


def _inputs(said: Mapping[str, str]) -> list[tuple[str, str]]:
    """Names and digests, in the order of the command."""
    found = []
    for key in ("spec", "trace", "study", "run", "style"):
        names = said.get(key, "").splitlines()
        digests = said.get(f"{key}_digest", "").splitlines()
        found += [pair for pair in zip(names, digests, strict=False) if all(pair)]
    return found


def _output(command: str, said: Mapping[str, str], figure: Path) -> list[str]:
    """Where to write: for a table the figure beside which it stood.

    A report says itself where it stands, and its figures with it.
    """
    if command == "report":
        return []
    if command == "ablate":
        return ["--figure", str(figure)]
    suffix = figure.suffix.lower()
    if suffix not in (".csv", ".tex"):
        return ["-o", str(figure)]
    stem = figure.stem.removesuffix(f"-{said['panel']}") if "panel" in said else figure.stem
    asked = "--data" if suffix == ".csv" else "--latex"
    return ["-o", str(figure.with_name(f"{stem}.pdf")), asked]


def _find(name: str, digest: str, figure: Path) -> Path | None:
    near = [place / name for place in (Path(), *(figure.parent / one for one in _FOLDERS))]
    below = [sorted(place.glob(f"*/{escape(name)}")) for place in (Path(), figure.parent)]
    for path in [*near, *itertools.chain(*below)]:
        if path.exists() and _digest(path) == digest:
            return path
    return None


def _digest(path: Path) -> str | None:
    if path.suffix in (".nc", ".mplstyle", ".toml") and path.is_file():
        return file_digest(path)
    if (path / "study.toml").is_file():
        return file_digest(path / "study.toml")
    if (path / RUN).is_file():
        return run_digest(path)
    from attnviz.store.digest import trace_digest

    try:
        return trace_digest(path)
    except (ValueError, OSError):
        return None
