"""`attnviz doctor` as a user types it: its words, its exit status."""

import json
import subprocess
import sys

import pytest
import torch

from attnviz.cli import main
from attnviz.models import ModelSettings, build_model, save_folder


def called(monkeypatch, capsys, *arguments):
    """The command in this process: its exit status, output and messages."""
    monkeypatch.setattr(sys, "argv", ["attnviz", "doctor", *map(str, arguments)])
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    return ended.value.code or 0, said.out, said.err


def saved(folder, spoil):
    """A small model's folder, with something done to it before it was written."""
    settings = ModelSettings(
        "larnn", 4, 2, vocabulary_size=None, input_size=3, options={"heads": 2, "window": 2}
    )
    model = build_model(settings)
    with torch.no_grad():
        spoil(model)
    save_folder(model, settings, folder)
    return folder


def not_finite(model):
    model.head.bias[1] = torch.nan


def outgrown(model):
    model.layer.groups["l0"].largest_memory.fill_(1e-6)


def nothing(model):
    pass


def test_a_sound_model_in_a_process_of_its_own():
    command = [sys.executable, "-m", "attnviz.cli", "doctor", "gru-imdb", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert report["ok"] and "gru-imdb" in report["model"]
    statuses = {one["check"]: one["status"] for one in report["findings"]}
    assert statuses["trained"] == statuses["recording"] == "passed"
    assert all(one["advice"] and one["measured"] for one in report["findings"])


def test_exit_statuses(monkeypatch, capsys, tmp_path):
    sound, warned = saved(tmp_path / "sound", nothing), saved(tmp_path / "warned", outgrown)
    broken = saved(tmp_path / "broken", not_finite)

    status, output, _ = called(monkeypatch, capsys, sound)
    assert status == 0 and "✓ recording" in output and "0 faults, 0 warnings" in output
    assert called(monkeypatch, capsys, sound, "--strict", "--quiet")[:2] == (0, "")

    status, output, _ = called(monkeypatch, capsys, warned, "--quiet")
    assert status == 0 and "! bounds" in output and "recording" not in output
    assert called(monkeypatch, capsys, warned, "--strict", "--quiet")[0] == 1

    status, output, _ = called(monkeypatch, capsys, broken)
    assert status == 1 and "✗ finite" in output
    assert "head.bias is not finite" in output and "→ Load parameters" in output
    assert max(map(len, output.splitlines())) <= 100


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nobody"], "There is no model 'nobody'"),
        (["{empty}"], "holds no model"),
        (["{damaged}"], "is damaged"),
        (["rra-imdb", "--stict"], "No such option"),
    ],
)
def test_a_mistake_in_the_call_is_status_2(monkeypatch, capsys, tmp_path, arguments, message):
    (tmp_path / "empty").mkdir()
    (saved(tmp_path / "damaged", nothing) / "model.safetensors").write_bytes(b"no weights")
    places = {name: tmp_path / name for name in ("empty", "damaged")}

    status, output, said = called(monkeypatch, capsys, *(one.format(**places) for one in arguments))

    assert status == 2 and not output
    assert message in said and "Traceback" not in said
