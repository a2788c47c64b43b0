"""Did training move the parameters, and does what is saved give the same?"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

import cells
from attnviz.checkup.calls import Unit, apart, fresh, identical, read
from attnviz.checkup.parameters import few, untrainable
from attnviz.checkup.report import Finding
from attnviz.checkup.subject import Subject
from attnviz.models import ModelSettings, SequenceModel, build_model, load_folder, save_folder
from attnviz.modes import undisturbed

__all__ = ["check_saved", "check_trained"]


@torch.no_grad()
def check_trained(subject: Subject) -> list[Finding]:
    """The parameters of a trained model are not those that it began with."""
    model = subject.whole.module
    begun = _begun(model)
    if begun is None:
        said = "the model does not say how it was trained."
        return [Finding("trained", "skipped", said, "Train it with attnviz train to know.")]
    exempt = untrainable(subject.whole)
    same, moved = [], []
    for name, now in model.named_parameters():
        start = begun[name].to(now)
        rounded = begun[name].half().to(now)  # a model that was exported in half the size
        if name not in exempt and (torch.equal(now, start) or torch.equal(now, rounded)):
            same.append(name)
        moved.append(float((now - start).norm() / start.norm().clamp_min(1e-12)))
    if same:
        return [
            Finding(
                "trained",
                "fault",
                f"{few(same)} {'is' if len(same) == 1 else 'are'} as training began: not an entry "
                "has moved.",
                "See that the optimiser was given all of model.parameters() and that nothing was "
                "frozen, then train again.",
                numbers={"untrained": len(same)},
            )
        ]
    least = min(moved)
    said = f"all {len(moved)} parameters moved in training, by {least:.2g} of their norm or more."
    return [Finding("trained", "passed", said, numbers={"least": least})]


def _begun(model: nn.Module) -> dict[str, Tensor] | None:
    """The parameters that a run began with, drawn again from its seed."""
    settings = _settings(model)
    if settings is None or not isinstance(model, SequenceModel):
        return None
    with undisturbed(), _single_precision():
        torch.manual_seed(int(model.card["recipe"]["seed"]))
        drawn = build_model(settings)
    return {name: values.detach() for name, values in drawn.named_parameters()}


def _settings(model: nn.Module) -> ModelSettings | None:
    """What a trained model was built from, as its card tells."""
    recipe = model.card.get("recipe") if isinstance(model, SequenceModel) else None
    if not isinstance(model, SequenceModel) or not isinstance(recipe, dict):
        return None
    settings = ModelSettings(**recipe["model"])
    if model.vocabulary is None:
        return settings
    return replace(settings, vocabulary_size=len(model.vocabulary))


@torch.no_grad()
def check_saved(subject: Subject) -> list[Finding]:
    """What is saved gives the same outputs when it is loaded."""
    unit = subject.whole
    settings = _settings(unit.module)
    single = {p.dtype for p in unit.module.parameters()} == {torch.float32}
    if settings is not None and single and isinstance(unit.module, SequenceModel):
        loaded = _from_folder(unit.module, settings).to(next(unit.module.parameters()).device)
        [layer] = [m for m in loaded.modules() if isinstance(m, cells.Recurrent)]
        how, again = "folder", replace(unit, module=loaded, layers={"": layer})
    else:
        how, again = "state_dict in safetensors", _from_state(unit)
    before, after = read(unit).outputs, read(again).outputs
    if identical(before, after) is None:
        said = f"saved as a {how} and loaded again, it gives the same, bit for bit."
        return [Finding("saved", "passed", said)]
    gap, place = apart(before, after)
    return [
        Finding(
            "saved",
            "fault",
            f"saved as a {how} and loaded again, it gives another {place}, by {gap:.3g} of the "
            "largest entry.",
            "Register every tensor that outputs depend on, as nn.Parameter or register_buffer: a "
            "plain attribute is neither saved nor moved by to().",
            numbers={"difference": gap},
        )
    ]


def _from_folder(model: SequenceModel, settings: ModelSettings) -> SequenceModel:
    with tempfile.TemporaryDirectory() as place, undisturbed(), _single_precision():
        save_folder(model, settings, Path(place))
        return load_folder(Path(place))


@contextmanager
def _single_precision() -> Iterator[None]:
    """New models in float32, as runs begin and folders are read, whatever is set now."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _from_state(unit: Unit) -> Unit:
    """A copy with other numbers in all tensors, into which the saved ones are loaded."""
    again = fresh(unit)
    state = unit.module.state_dict()
    with undisturbed():
        torch.manual_seed(1)
        for tensor in [*again.module.state_dict().values(), *_plain_tensors(again.module)]:
            if tensor.is_floating_point():
                tensor.uniform_(-1, 1)
    packed = save({name: values.detach().clone() for name, values in state.items()})
    again.module.load_state_dict(load(packed))
    return again


def _plain_tensors(model: nn.Module) -> Iterator[Tensor]:
    """Tensors kept as attributes that torch does not save."""
    for module in model.modules():
        for value in vars(module).values():
            if isinstance(value, Tensor) and value.is_leaf:
                yield value.data
