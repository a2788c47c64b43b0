"""Are all parameters known to torch, reached by gradient, trained, and saved?"""

import itertools
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

import cells
from attnviz.checkup.calls import Unit, apart, fresh, identical, read, weighed
from attnviz.checkup.report import Finding
from attnviz.checkup.subject import Subject
from attnviz.models import ModelSettings, SequenceModel, build_model, load_folder, save_folder
from attnviz.modes import undisturbed
from attnviz.opening.copying import unregistered

__all__ = ["check_gradient", "check_registered", "check_saved", "check_trained"]


def check_registered(subject: Subject) -> list[Finding]:
    """The optimiser, eval(), to() and state_dict() reach every parameter."""
    model = subject.whole.module
    known = {id(parameter) for parameter in model.parameters()}
    places: Counter[str] = Counter()
    hidden = {}
    for where, module in unregistered(model):
        for parameter in module.parameters(recurse=False):
            if id(parameter) not in known:
                hidden[id(parameter)] = parameter
                places[where] += 1
    loose = [p for p in _leaves(subject) if id(p) not in known and id(p) not in hidden]
    if not hidden and not loose:
        count = sum(parameter.numel() for parameter in model.parameters())
        said = f"torch knows all {count:,} parameters that the outputs depend on."
        return [Finding("registered", "passed", said, numbers={"parameters": count})]
    lost = sum(p.numel() for p in [*hidden.values(), *loose])
    trained = sum(p.numel() for p in model.parameters())
    kept = f"in {_few(places)}, a plain list, tuple or dict" if places else "as plain tensors"
    return [
        Finding(
            "registered",
            "fault",
            f"{lost:,} parameters are kept {kept}, where torch does not see them; {trained:,} are "
            "seen. The others stay at their random start, and eval(), to() and state_dict() leave "
            "them out.",
            "Keep modules in a torch.nn.ModuleList or ModuleDict and tensors as nn.Parameter "
            "attributes, then train again: the released LARNN has this fault.",
            numbers={"unseen": lost, "seen": trained},
        )
    ]


def _leaves(subject: Subject) -> list[Tensor]:
    """Tensors at the ends of the graph of a call: what a backward pass would give gradients."""
    if not subject.whole.layers:
        return []
    with torch.enable_grad():
        loss = weighed(read(subject.whole).outputs)
    if loss is None or loss.grad_fn is None:
        return []
    waiting, met, found = [loss.grad_fn], {loss.grad_fn}, []
    while waiting:
        node = waiting.pop()
        variable = getattr(node, "variable", None)
        if isinstance(variable, Tensor):
            found.append(variable)
        for following, _ in node.next_functions:
            if following is not None and following not in met:
                met.add(following)
                waiting.append(following)
    return found


def check_gradient(subject: Subject) -> list[Finding]:
    """Every parameter that can receive a gradient does."""
    unit = subject.whole
    named = dict(unit.module.named_parameters())
    exempt = _untrainable(unit)
    frozen = [name for name, p in named.items() if not p.requires_grad and name not in exempt]
    asking = {name: p for name, p in named.items() if p.requires_grad}
    found = []
    if frozen:
        found.append(
            Finding(
                "gradient",
                "warning",
                f"{_few(frozen)} {_ask(frozen)} for no gradient: frozen, so that training leaves "
                f"{'it' if len(frozen) == 1 else 'them'} as {'it is' if len(frozen) == 1 else 'they are'}.",  # noqa: E501
                "Call requires_grad_() if that was not meant.",
                numbers={"frozen": len(frozen)},
            )
        )
    with torch.enable_grad():
        loss = weighed(read(unit).outputs)
    if loss is None or not asking:
        return found or [_no_graph()]
    gradients = torch.autograd.grad(loss, list(asking.values()), allow_unused=True)
    of = dict(zip(asking, gradients, strict=True))
    none = [n for n, g in of.items() if n not in exempt and (g is None or not bool(g.any()))]
    broken = [n for n, g in of.items() if g is not None and not bool(torch.isfinite(g).all())]
    if none:
        found.append(_unreached(none))
    if broken:
        found.append(_broken(broken))
    if found:
        return found
    said = f"all {len(asking)} parameters receive gradient"
    if left_out := sorted(exempt & set(named)):
        said += f"; {_few(left_out)} cannot under these options, as the cell says"
    return [Finding("gradient", "passed", said + ".", numbers={"parameters": len(asking)})]


def _no_graph() -> Finding:
    return Finding(
        "gradient",
        "fault",
        "no output depends on a parameter in a way that gradients can follow.",
        "Take out detach(), no_grad() and .data on the way from the parameters to the output.",
    )


def _unreached(names: list[str]) -> Finding:
    return Finding(
        "gradient",
        "fault",
        f"{_few(names)} {'receives' if len(names) == 1 else 'receive'} no gradient: every entry "
        "is zero, so that training leaves it at its start.",
        "Use it in the output, or take it out; look for detach() and no_grad() on its way. A "
        "parameter that cannot learn by design belongs into the cell's untrainable().",
        numbers={"unreached": len(names)},
    )


def _broken(names: list[str]) -> Finding:
    return Finding(
        "gradient",
        "fault",
        f"the gradient of {_few(names)} is not finite, though outputs are.",
        "Look for a square root or norm at zero, or 0 · ∞ behind a mask (torch.where): both have "
        "finite values and NaN gradients. Keep their arguments away from zero.",
        numbers={"not finite": len(names)},
    )


@torch.no_grad()
def check_trained(subject: Subject) -> list[Finding]:
    """The parameters of a trained model are not those that it began with."""
    model = subject.whole.module
    begun = _begun(model)
    if begun is None:
        said = "the model does not say how it was trained."
        return [Finding("trained", "skipped", said, "Train it with attnviz train to know.")]
    exempt = _untrainable(subject.whole)
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
                f"{_few(same)} {'is' if len(same) == 1 else 'are'} as training began: not an entry "
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


def _untrainable(unit: Unit) -> frozenset[str]:
    """Parameters that cannot receive gradient, as their cells say, by their names in the unit."""
    found = set()
    for name, module in unit.module.named_modules():
        if isinstance(module, cells.Cell):
            found |= {f"{name}.{one}" if name else one for one in module.untrainable()}
    return frozenset(found)


def _few(names: Sequence[str] | Counter[str], most: int = 3) -> str:
    listed = list(names)
    shown = ", ".join(itertools.islice(listed, most))
    return shown if len(listed) <= most else f"{shown} and {len(listed) - most} more"


def _ask(names: list[str]) -> str:
    return "asks" if len(names) == 1 else "ask"
