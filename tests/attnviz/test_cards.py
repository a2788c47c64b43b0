import json
import shutil
import subprocess
import sys

import pytest

import attnviz
from attnviz import cards, models
from attnviz.cards import (
    READ_BY_NAME,
    SHIPPED,
    current_task,
    find_cards,
    read_card,
    recording_command,
    shipped_cards,
    typed_task,
)


def test_shipped_models_are_all_there_and_as_torch_sees_them():
    cards = {card.name: card for card in shipped_cards()}

    assert list(cards) == attnviz.shipped_models()
    for name, card in cards.items():
        model = attnviz.load_model(name)
        state = model.state_dict()
        assert card.parameters == sum(values.numel() for values in state.values())
        assert card.card == model.card and card.shipped
        assert card.cell == model.card["recipe"]["model"]["cell"].upper()


def test_shipped_models_can_be_asked_for_by_task():
    cells = ("gru", "larnn", "lstm", "rau", "rra")
    for task in ("har", "imdb", "row-mnist"):
        assert attnviz.shipped_models(task) == [f"{cell}-{task}" for cell in cells]
    assert set(attnviz.shipped_models(task="imdb")) < set(attnviz.shipped_models())
    with pytest.raises(
        ValueError, match=r"'row-mnits' \(did you mean 'row-mnist'\?\) ships; .*imdb"
    ):
        attnviz.shipped_models("row-mnits")


def test_accuracy_comes_before_loss_and_what_is_unknown_is_none(tmp_path):
    card = read_card(SHIPPED / "rra-imdb")
    name, value = card.score("validation")
    assert name == "accuracy" and value == card.card["validation"]["accuracy"]

    described = json.loads((SHIPPED / "rra-imdb" / "model.json").read_text())
    described["card"] = {"validation": {"loss": 0.25}}
    copy = tmp_path / "own"
    shutil.copytree(SHIPPED / "rra-imdb", copy)
    (copy / "model.json").write_text(json.dumps(described))
    own = read_card(copy)
    assert own.score("validation") == ("loss", 0.25) and own.score("test") is None
    assert not own.shipped


def test_a_task_is_called_as_commands_call_it_whatever_the_model_was_written_by(tmp_path):
    described = json.loads((SHIPPED / "gru-imdb" / "model.json").read_text())
    described["card"]["task"] = "fashion-mnist-row"
    shutil.copytree(SHIPPED / "gru-imdb", tmp_path / "old")
    (tmp_path / "old" / "model.json").write_text(json.dumps(described))
    assert read_card(tmp_path / "old").card["task"] == "row-fashion-mnist"
    assert current_task("mnist-pixel") == "pixel-mnist" and current_task("imdb") == "imdb"


@pytest.mark.parametrize(
    ("task", "typed"),
    [("har", "har"), ("mnist-row", "row-mnist"), ("adding-100", "adding"), ("ptb", "ptb")],
)
def test_a_model_is_recorded_on_its_task_as_it_is_typed(task, typed):
    assert typed_task({"task": task}) == typed
    command = recording_command({"task": task}, "runs/mine")
    assert command.startswith(f"attnviz record runs/mine --task {typed} --limit ")


@pytest.mark.parametrize("card", [{"task": "waves"}, {}])
def test_a_model_of_a_task_of_ones_own_is_recorded_in_python(card):
    told = recording_command(card, "runs/mine")
    assert "attnviz.recording.record_numbers(attnviz.load_model('runs/mine'), ...)" in told
    assert "--task" not in told
    assert "record_running(" in recording_command(card, by="record_running")


def test_the_tasks_read_by_name_are_those_of_the_commands():
    pytest.importorskip("torch")
    from attnviz.cli.given import READABLE

    assert set(READ_BY_NAME) == {"imdb", *READABLE}


def test_runs_are_found_by_folder_and_links_are_not_followed(tmp_path):
    run = tmp_path / "runs" / "week" / "rra-imdb"
    shutil.copytree(SHIPPED / "rra-imdb", run / "model")
    shutil.copytree(SHIPPED / "gru-imdb", tmp_path / "runs" / "plain")
    (tmp_path / "runs" / "unfinished").mkdir()
    (tmp_path / "runs" / "around").symlink_to(tmp_path / "runs")

    assert [card.folder for card in find_cards(tmp_path / "runs")] == [
        tmp_path / "runs" / "plain",
        run,
    ]
    assert [card.name for card in find_cards(run)] == ["rra-imdb"]


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("model.json", b"{", "is damaged"),
        ("model.json", b'{"format": "attnviz-model/9", "name": "x", "settings": {"cell": "rra"}, '
         b'"card": {}}', "is in format 'attnviz-model/9'"),
        ("model.safetensors", b"\xff" * 16, "its header would have"),
        ("model.safetensors", b"\x02" + b"\0" * 7 + b"[]", "is damaged"),
    ],
)  # fmt: skip
def test_damaged_files_are_named(tmp_path, file, content, message):
    shutil.copytree(SHIPPED / "gru-imdb", tmp_path / "gru")
    (tmp_path / "gru" / file).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_card(tmp_path / "gru")


def test_it_needs_no_torch():
    script = (
        "import sys, attnviz.cards\nattnviz.cards.shipped_cards()\n"
        "sys.exit('torch' in sys.modules or 'safetensors' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_cells_known_without_torch_are_those_that_models_are_made_of():
    assert cards.CELLS == tuple(models.CELLS)
