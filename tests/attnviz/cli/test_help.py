"""What every command has: an example that is itself a command, and no traceback when stopped."""

import re
import shlex

import pytest
from typer.main import get_command

from attnviz.cli.app import WHOLE, app
from tests.attnviz.cli.shell import called


def commands(group=None, before=()):
    """Every command with the words that call it."""
    group = get_command(app) if group is None else group
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*before, name))
        else:
            yield (*before, name), command


EVERY = [*commands()]


@pytest.mark.parametrize(("words", "command"), EVERY, ids=lambda value: "-".join(value)
                         if isinstance(value, tuple) else "")  # fmt: skip
def test_help_has_an_example_whose_options_there_are(words, command):
    examples = re.findall(r"Example: attnviz (.+)", command.help)
    assert examples, f"{' '.join(words)} has no example"
    known = {option for parameter in command.params for option in parameter.opts}
    for example in examples:
        typed = shlex.split(example)
        assert typed[: len(words)] == list(words)
        assert {word for word in typed if word.startswith("-")} <= known


@pytest.mark.parametrize(
    ("arguments", "stopped"),
    [
        (["models"], "attnviz.cards.shipped_cards"),
        (["cite", "-o", "refs.bib"], "attnviz.citing.bibtex"),
        (["data", "list"], "attnviz.tasks.catalogue.place_of"),
    ],
)
def test_stopped_by_the_keyboard_it_says_so_and_leaves_nothing(
    monkeypatch, capsys, tmp_path, arguments, stopped
):
    def stop(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stopped, stop)
    status, _, message = called(monkeypatch, capsys, *arguments)
    assert status == 130 and message.strip() == WHOLE
    assert not list(tmp_path.iterdir())


def test_scripts_are_answered_in_json():
    with_json = {words for words, command in EVERY
                 if any("--json" in parameter.opts for parameter in command.params)}  # fmt: skip
    assert {("models",), ("cite",), ("data", "list"), ("data", "verify")} <= with_json
