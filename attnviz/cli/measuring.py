"""What commands that measure a model and write a result share."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from attnviz.cli.console import checked_output, next_commands, out
from attnviz.cli.given import READABLE
from attnviz.cli.reading import Asked, told

if TYPE_CHECKING:
    import xarray as xr

    from attnviz.models import SequenceModel
    from attnviz.recording import Numbers, Running, Texts

__all__ = [
    "Measured",
    "Model",
    "Output",
    "Seed",
    "checked_result",
    "counted",
    "what_is_read",
    "write_result",
]

Model = Annotated[str, typer.Argument(help="A shipped model, or a folder of a run or model.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="The result to write, a .nc file.")]
Task = Annotated[
    str | None,
    typer.Option(
        help=f"Read this data set: imdb, {', '.join(READABLE)}, or a CSV, TSV or .txt file."
    ),
]
Seed = Annotated[int, typer.Option(help="For what is drawn.", min=0)]


@dataclass(frozen=True)
class Measured(Asked):
    """What is measured on: texts, labelled sequences of numbers, or pieces of a running text."""

    task: Task = None


def checked_result(path: Path) -> Path:
    """The path, if a result can be written there; said before anything is read.

    Raises:
        FileNotFoundError: If its folder does not exist.
        ValueError: If it does not end in `.nc`.
    """
    if path.suffix.lower() != ".nc":
        raise ValueError(f"Results are written as .nc (netCDF), but {path.name} does not end so.")
    return checked_output(path)


def write_result(
    result: "xr.Dataset",
    model: "SequenceModel",
    given: "Texts | Numbers | Running",
    path: Path,
    kinds: list[str],
) -> None:
    """Writes a result with what it was measured on, and says what can be drawn from it.

    Arguments:
        result: Of a measurement.
        model: What was measured.
        given: What it read.
        path: Where to write.
        kinds: That it can be drawn as.
    """
    from attnviz.recording.assembly import provenance
    from attnviz.recording.signals import recurrent_layers
    from attnviz.store import save_result

    said = provenance(model, recurrent_layers(model))
    wanted = ("cell", "options", "weights_digest", "versions")
    about = {name: said[name] for name in wanted if name in said}
    count = result.sizes["sequence"]
    ids = given.ids if given.ids is not None else [str(n) for n in range(count)]
    named = result.assign_coords(id=("sequence", [str(name) for name in ids]))
    save_result(named.assign_attrs({**about, **dict(given.about or {})}), path)
    read = f"{counted(count, given)}{told(given.about or {})}"
    out().print(f"{path}: from {read} (attnviz.open_result).")
    for kind in kinds:
        next_commands(["plot", path, "--kind", kind, "-o", f"{kind}.pdf"])


def what_is_read(given: "Texts | Numbers | Running") -> str:
    """What one of them is called, for a sentence: a text, a piece of one, or a sequence."""
    from attnviz.recording import Running, Texts

    names = {Texts: "text", Running: "piece"}
    return names.get(type(given), "sequence")


def counted(count: int, given: "Texts | Numbers | Running") -> str:
    """So many texts, pieces or sequences, for a sentence."""
    return f"{count} {what_is_read(given)}{'' if count == 1 else 's'}"
