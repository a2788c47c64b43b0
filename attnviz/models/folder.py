"""A model as a folder of files: weights, settings with the card, word list."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from attnviz.files import replacing
from attnviz.models.sequence_model import Reading, SequenceModel
from attnviz.models.settings import ModelSettings, build_model
from attnviz.text import Vocabulary

__all__ = ["halved", "load_folder", "save_folder"]

WEIGHTS, SETTINGS, VOCABULARY = "model.safetensors", "model.json", "vocabulary.txt"


def save_folder(
    model: SequenceModel, settings: ModelSettings, folder: Path | str, *, half: bool = False
) -> None:
    """Writes a model as a folder: weights, settings with the card, word list.

    Arguments:
        model: Its name, reading, classes and card are written too.
        settings: What it was built from.
        folder: Made if it is not there; files in it are replaced whole.
        half: Store weights in float16. Statistics, which may be of any size, stay as they are.

    Raises:
        ValueError: If a weight is too large for float16, or the settings do not build this model:
            those of a cell of one's own cannot. Nothing is written then.
    """
    folder = Path(folder)
    _check_settings(model, settings)
    state = halved(model) if half else model.state_dict()
    folder.mkdir(parents=True, exist_ok=True)
    described = {
        "format": "attnviz-model/1",
        "name": model.name,
        "settings": asdict(settings),
        "reading": model.reading._asdict(),
        "classes": list(model.classes),
        "card": model.card,
    }
    with replacing(folder / WEIGHTS) as path:
        path.write_bytes(save({name: values.contiguous() for name, values in state.items()}))
    if model.vocabulary is not None:
        model.vocabulary.save(folder / VOCABULARY)
    with replacing(folder / SETTINGS) as path:
        text = json.dumps(described, indent=2, ensure_ascii=False) + "\n"
        path.write_text(text, encoding="utf-8")


def load_folder(folder: Path | str) -> SequenceModel:
    """Reads a model that `save_folder` wrote.

    Arguments:
        folder: With `model.json`, `model.safetensors` and, for text, `vocabulary.txt`.

    Returns:
        The model in float32, in eval mode, on the CPU.

    Raises:
        FileNotFoundError: If the folder holds no model.
        ValueError: If its files are damaged or do not fit together.
    """
    folder = Path(folder)
    described = _read_settings(folder)
    try:
        settings = ModelSettings(**described["settings"])
        model = build_model(settings)
        model.load_state_dict(_read_weights(folder / WEIGHTS))
        model.name, model.card = described["name"], described["card"]
        model.reading, model.classes = Reading(**described["reading"]), tuple(described["classes"])
    except (TypeError, KeyError, RuntimeError) as error:
        raise ValueError(
            f"The files of the model in {folder} do not fit together: {error}. "
            "Save or fetch the model again."
        ) from error
    # The words of a language model are its classes; it reads no text of its own.
    if settings.vocabulary_size is not None and (
        settings.head != "language_model" or (folder / VOCABULARY).is_file()
    ):
        model.vocabulary = Vocabulary.load(folder / VOCABULARY)
        if len(model.vocabulary) != settings.vocabulary_size:
            raise ValueError(
                f"{folder / VOCABULARY} lists {len(model.vocabulary)} words, but the model was "
                f"built for {settings.vocabulary_size}. The files do not belong together."
            )
    return model.eval()


def _check_settings(model: SequenceModel, settings: ModelSettings) -> None:
    with torch.device("meta"):  # nothing is drawn, nothing takes memory
        built = build_model(settings)
    wanted, found = (
        {name: tuple(values.shape) for name, values in one.state_dict().items()}
        for one in (built, model)
    )
    if differing := [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]:
        name = differing[0]
        raise ValueError(
            f"The settings build another model than {model.name}, which could not be loaded again: "
            f"{name} is {wanted.get(name, 'not there')} by them and {found.get(name, 'not there')} "
            "in the model. Save a model that build_model did not build by its state_dict()."
        )


def halved(model: SequenceModel) -> dict[str, Tensor]:
    """A model's state with its weights in float16.

    Raises:
        ValueError: If a weight is too large for that.
    """
    state = model.state_dict()
    for name, _ in model.named_parameters(remove_duplicate=False):
        whole, state[name] = state[name], state[name].half()
        if (lost := whole.isfinite() & state[name].isinf()).any():
            raise ValueError(
                f"Weights in float16 have to stay below 65,520, but {name} of {model.name} has "
                f"{whole[lost][0]:,.0f}."
            )
    return state


def _read_settings(folder: Path) -> dict[str, Any]:
    path = folder / SETTINGS
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no model: it has no {SETTINGS}.")
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        found = described["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error!r}. Save or fetch the model again.") from error
    if found != "attnviz-model/1":
        raise ValueError(f"{path} is in format {found!r}; this version reads 'attnviz-model/1'.")
    return dict(described)


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        weights = load(path.read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged: {error}. Save or fetch the model again.") from error
    return {k: v.float() if v.is_floating_point() else v for k, v in weights.items()}
