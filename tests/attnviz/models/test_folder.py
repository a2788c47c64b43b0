"""A model's folder: what float16 holds, and what it does not."""

from dataclasses import replace

import pytest
import torch

from attnviz.models import ModelSettings, build_model, load_folder, save_folder


def larnn():
    options = {"preset": "stable", "window": 2, "heads": 2}
    settings = ModelSettings("larnn", hidden_size=4, outputs=2, input_size=3, options=options)
    return build_model(settings), settings


@pytest.mark.parametrize("largest", [1e6, 1e-9])
def test_statistics_are_kept_whatever_their_size_where_weights_are_rounded(tmp_path, largest):
    model, settings = larnn()
    model.layer.groups["l0"].largest_memory.fill_(largest)
    save_folder(model, settings, tmp_path, half=True)

    again, parameters = load_folder(tmp_path).state_dict(), dict(model.named_parameters())
    for name, values in model.state_dict().items():
        expected = values.half().float() if name in parameters else values
        assert torch.equal(again[name], expected), name
    assert float(again["layer.cells.l0.largest_memory"]) == pytest.approx(largest)


def test_a_weight_beyond_float16_is_named_and_nothing_is_written(tmp_path):
    model, settings = larnn()
    with torch.no_grad():
        model.head.bias[1] = -70_000.0
    with pytest.raises(ValueError, match=r"head\.bias of \S+ has -70,000"):
        save_folder(model, settings, tmp_path / "model", half=True)
    assert not (tmp_path / "model").exists()

    save_folder(model, settings, tmp_path / "model")
    assert load_folder(tmp_path / "model").head.bias[1] == -70_000.0


@pytest.mark.parametrize(
    ("change", "said"),
    [({"hidden_size": 6}, "layer.cells.l0."), ({"cell": "gru", "options": {}}, "layer.cells.l0.")],
)
def test_settings_of_another_model_are_refused_before_anything_is_written(tmp_path, change, said):
    model, settings = larnn()
    with pytest.raises(ValueError, match=r"another model than .*could not be loaded again: ") as e:
        save_folder(model, replace(settings, **change), tmp_path / "model")
    assert said in str(e.value) and not (tmp_path / "model").exists()


def test_folders_may_be_strings(tmp_path):
    model, settings = larnn()
    save_folder(model, settings, str(tmp_path / "model"))
    assert load_folder(str(tmp_path / "model")).name == model.name
