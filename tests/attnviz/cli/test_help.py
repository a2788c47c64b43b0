"""What every command has: an example that is itself a command, and no traceback when stopped."""

import re
import shlex
import signal
import subprocess
import sys
import time
import weakref

import pytest
from matplotlib.figure import Figure
from rich.text import Text
from typer.main import get_command

from attnviz import save_figure
from attnviz.cli.app import ANEW, RESUMED, WHOLE, app
from tests.attnviz.cli.shell import called, environment


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


@pytest.mark.parametrize(("words", "command"), EVERY, ids=lambda value: "-".join(value)
                         if isinstance(value, tuple) else "")  # fmt: skip
def test_no_word_in_brackets_is_taken_for_markup(words, command):
    for said in (command.help, *(one.help or "" for one in command.params)):
        plain = re.sub(r"\\(?=\[)", "", said)
        assert Text.from_markup(said).plain == plain
    if words == ("figure",):
        assert "a table [traces]" in re.sub(r"\\(?=\[)", "", command.help)


OWN = ("--text", "fine")


@pytest.mark.parametrize(
    ("arguments", "stopped", "said"),
    [
        (["models"], "attnviz.cards.shipped_cards", WHOLE),
        (["cite", "-o", "refs.bib"], "attnviz.citing.bibtex", WHOLE),
        (["data", "list"], "attnviz.tasks.catalogue.place_of", WHOLE),
        (["info", "trace.zarr"], "attnviz.store.open_trace", WHOLE),
        (["plot", "trace.zarr"], "attnviz.store.reader.open_trace", WHOLE),
        (["ablate", "rra-imdb", *OWN, "-o", "e.nc"], "attnviz.pretrained.load_model", WHOLE),
        (["influence", "rra-imdb", *OWN, "-o", "i.nc"], "attnviz.pretrained.load_model", WHOLE),
        (["path-classes", "rra-imdb", *OWN, "-o", "p.nc"], "attnviz.pretrained.load_model", WHOLE),
        (["record", "rra-imdb", *OWN, "-o", "t.zarr"], "attnviz.pretrained.load_model", RESUMED),
        (["demo"], "attnviz.tasks.load_demo_sentences", ANEW),
    ],
)
def test_stopped_by_the_keyboard_it_says_what_is_left(
    monkeypatch, capsys, tmp_path, arguments, stopped, said
):
    def stop(*given, **options):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(stopped, stop)
    status, _, message = called(monkeypatch, capsys, *arguments)
    assert status == 130 and message.strip().splitlines()[-1] == said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("made", [TypeError, RuntimeError])
def test_it_is_stopped_where_a_library_takes_the_keyboard_for_another_error(
    monkeypatch, capsys, made
):
    """As compiled code does whose conversion of an argument is interrupted."""

    def mistaken(*given, **options):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise made("incompatible function arguments") from None

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr("attnviz.store.open_trace", mistaken)
    status, _, message = called(monkeypatch, capsys, "info", "trace.zarr")
    assert (status, message.strip()) == (130, WHOLE)
    assert signal.getsignal(signal.SIGINT) is before


def test_it_is_stopped_where_the_keyboard_is_lost_in_a_callback(monkeypatch, capsys):
    """As those of weak references are, from which no exception comes out."""

    class Waiting:
        pass

    waited = []

    def lost(*given, **options):
        waiting = Waiting()
        kept = weakref.ref(waiting, lambda _: signal.raise_signal(signal.SIGINT))
        del waiting
        time.sleep(20)
        waited.append(kept)

    before = signal.getsignal(signal.SIGINT), sys.unraisablehook
    monkeypatch.setattr("attnviz.store.open_trace", lost)
    status, _, message = called(monkeypatch, capsys, "info", "trace.zarr")
    assert (status, message.strip()) == (130, WHOLE) and not waited
    assert (signal.getsignal(signal.SIGINT), sys.unraisablehook) == before


def test_an_error_without_the_keyboard_stays_what_it_is(monkeypatch, capsys):
    def fails(*given, **options):
        raise RuntimeError("a fault")

    monkeypatch.setattr("attnviz.store.open_trace", fails)
    with pytest.raises(RuntimeError, match="a fault"):
        called(monkeypatch, capsys, "info", "trace.zarr")


def test_a_keyboard_that_is_ignored_stays_ignored(monkeypatch, capsys):
    def pressed(*given, **options):
        signal.raise_signal(signal.SIGINT)
        raise ValueError("a mistake")

    monkeypatch.setattr("attnviz.store.open_trace", pressed)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        status, _, message = called(monkeypatch, capsys, "info", "trace.zarr")
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert status == 1 and "a mistake" in message


def test_scripts_are_answered_in_json():
    with_json = {words for words, command in EVERY
                 if any("--json" in parameter.opts for parameter in command.params)}  # fmt: skip
    assert {("models",), ("cite",), ("data", "list"), ("data", "verify"), ("info",)} <= with_json
    assert {("plot",), ("compare",), ("figure",), ("doctor",)} <= with_json


def test_what_says_more_than_it_is_asked_for_can_be_quiet():
    asked = {("info",), ("data", "terms"), ("data", "where")}
    asked |= {("study", name) for name in ("run", "tables", "recipes")}
    loud = {words for words, command in EVERY
            if not any("--quiet" in parameter.opts for parameter in command.params)}  # fmt: skip
    assert loud <= asked


@pytest.mark.parametrize(
    "words", [("--version",), ("--help",), ("plot", "--help"), ("info", "a.svg")]
)
def test_help_and_what_a_figure_says_wait_for_nothing_that_reads_or_draws(words, tmp_path):
    save_figure(Figure(), tmp_path / "a.svg", provenance={"command": "attnviz plot a.zarr"})
    code = (
        "import sys\nfrom attnviz.cli import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code\n"
        "found = {'numpy', 'pandas', 'xarray', 'zarr', 'matplotlib', 'torch'} & set(sys.modules)\n"
        "sys.exit(str(found) if found else 0)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, *words], env=environment(), check=True, cwd=tmp_path
    )
