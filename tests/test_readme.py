"""What the README shows runs as it stands."""

import re
from pathlib import Path

import nbformat
import pytest
from typer.main import get_command

import attnviz
from attnviz.cards import shipped_cards
from attnviz.cli.app import app
from attnviz.training.recipe_files import read_recipe

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


def test_its_recipe_can_be_read(tmp_path):
    (block,) = re.findall(r"```toml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "mine.toml"
    path.write_text(block, encoding="utf-8")

    recipe = read_recipe(path, "rra", "ptb")

    assert (recipe.carry_windows, recipe.precision, recipe.devices) == (False, "bf16-mixed", 2)
    assert (recipe.model.options, recipe.batch_size) == ({"window": 5}, 20)


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


def test_what_it_tells_of_the_studies_stands_in_their_tables_and_notebooks():
    text = README.read_text(encoding="utf-8")
    told = text.partition("### Five cells under one protocol")[2]
    told = told.partition("<!-- results: begin")[0]
    notebooks = README.parent / "notebooks"
    known = (notebooks / "results" / "README.md").read_text(encoding="utf-8")
    for name in ("released_larnn", "why"):
        read = nbformat.read(notebooks / f"{name}.ipynb", as_version=4)
        for output in [one for cell in read.cells for one in cell.get("outputs", [])]:
            known += output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))

    spreads = re.findall(r"[\d.]+ ±\s[\d.]+", told)
    single = {"89.72"}  # of a setting that was given up, as the decisions say
    numbers = set(re.findall(r"(?<![\d.,])\d+\.\d\d(?!\d)", told)) - single

    assert len(spreads) >= 10 and len(numbers) >= 30
    for one in [*spreads, *numbers]:
        assert " ".join(one.split()) in known, one


@pytest.mark.parametrize("command", get_command(app).commands)
def test_every_command_is_shown(command):
    assert f"attnviz {command}" in README.read_text(encoding="utf-8")
