"""Options that commands share where a script calls them, and how a script is answered."""

import json
from typing import Annotated

import typer

__all__ = ["Json", "Quiet", "answer"]

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for a script.")]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print only what was asked for, and no hints.")
]


def answer(value: object) -> None:
    """Prints a value as JSON, and nothing else, to standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))
