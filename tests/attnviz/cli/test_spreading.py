"""Options written once, as the fields of a dataclass."""

import inspect
from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from attnviz.cli.spreading import spread


@dataclass(frozen=True)
class Place:
    there: Annotated[str, typer.Option("--at")]
    heads: Annotated[list[int] | None, typer.Option("--head")] = None
    whole: Annotated[bool, typer.Option("--whole", help="All of it.")] = False

    def __post_init__(self):
        if self.there == "nowhere":
            raise ValueError("There is no such place.")


def made(*typed):
    seen, app = [], typer.Typer()

    @app.command()
    @spread
    def command(name: Annotated[str, typer.Argument()], *, place: Place, times: int = 1) -> None:
        """Goes."""
        seen.append((name, place, times))

    assert list(inspect.signature(command).parameters) == [
        "name", "there", "heads", "whole", "times",
    ]  # fmt: skip
    done = CliRunner().invoke(app, list(typed))
    return done, seen


def test_fields_are_options_and_come_back_as_the_dataclass():
    done, seen = made("x", "--at", "y", "--head", "2", "--head", "0", "--whole", "--times", "3")
    assert done.exit_code == 0, done.output
    assert seen == [("x", Place("y", [2, 0], True), 3)]
    done, seen = made("x", "--at", "y")
    assert seen == [("x", Place("y"), 1)]


def test_help_and_refusals_are_those_of_the_fields():
    done, _ = made("--help")
    assert "--whole" in done.output and "All of it." in done.output and "--place" not in done.output
    done, seen = made("x")
    assert done.exit_code == 2 and not seen
    done, seen = made("x", "--at", "nowhere")
    assert str(done.exception) == "There is no such place." and not seen
