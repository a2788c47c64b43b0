"""What the README shows runs as it stands."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

import attnviz
from attnviz.cards import shipped_cards
from attnviz.cli.app import app

README = Path(__file__).parents[1] / "README.md"


def test_the_examples_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}

    for block in blocks:
        exec(compile(block, str(README), "exec"), names)

    assert len(blocks) == 6
    assert attnviz.open_trace("trace.zarr").tree.attrs["model"] == "rra-imdb"
    assert (tmp_path / "contribution.pdf").read_bytes().startswith(b"%PDF")
    for name in ("flow", "exits", "classes", "ablation", "influence"):
        assert (tmp_path / f"{name}.pdf").read_bytes().startswith(b"%PDF")
    assert "attnviz explorer" in (tmp_path / "explorer.html").read_text(encoding="utf-8")
    assert "forget_gate" in capsys.readouterr().out
    echo = names["recording"].trace
    assert attnviz.layer_groups(echo) == ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert (tmp_path / "echo.svg").stat().st_size > 1000
    assert names["trace"].tree.attrs["model"] == "echo"
    assert names["trace"].tree["prediction"].shape == (2, 2)
    assert names["effects"]["margin_effect"].sizes == {"sequence": 2, "lag": 2}


def test_every_file_it_points_to_is_there():
    text = README.read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
        assert (README.parent / target).is_file(), target


def test_its_table_of_models_says_what_the_cards_say():
    cards = {card.name: card.card for card in shipped_cards()}
    row = r"^\| `([\w-]+)` \| (\d+) \| ([\d.]+) % \| ([\d.]+) % \|$"
    for name, seed, *scores in re.findall(row, README.read_text(encoding="utf-8"), re.MULTILINE):
        card = cards.pop(name)
        assert card["recipe"]["seed"] == int(seed)
        shown = [f"{100 * card[split]['accuracy']:.2f}" for split in ("validation", "test")]
        assert scores == shown
    assert not cards


@pytest.mark.parametrize("command", get_command(app).commands)
def test_every_command_is_shown(command):
    assert f"attnviz {command}" in README.read_text(encoding="utf-8")
