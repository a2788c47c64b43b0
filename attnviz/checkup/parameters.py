"""Are all parameters known to torch, and reached by gradient?"""

import itertools
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

import cells
from attnviz.checkup.calls import Unit, read, weighed
from attnviz.checkup.report import Finding
from attnviz.checkup.subject import Subject
from attnviz.opening.convert import given_names
from attnviz.opening.copying import unregistered

__all__ = ["check_gradient", "check_registered", "few", "untrainable"]

MOST_NAMES = 12
ENOUGH = 3  # timesteps for every parameter of a cell to matter


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
    leaves = _leaves(subject)
    loose = [p for p in leaves if id(p) not in known and id(p) not in hidden]
    if not hidden and not loose:
        count = sum(parameter.numel() for parameter in model.parameters())
        used = sum(p.numel() for p in leaves if id(p) in known)
        numbers = {"parameters": count, "used": used}
        said = f"torch knows all {count:,} parameters"
        if leaves:
            said = f"torch knows all {used:,} parameters that the outputs depend on"
        if leaves and used < count:
            said += f", and {count - used:,} that they do not (frozen, or not in use)"
        return [Finding("registered", "passed", f"{said}.", numbers=numbers)]
    lost = sum(p.numel() for p in [*hidden.values(), *loose])
    trained = sum(p.numel() for p in model.parameters())
    kept = f"in {few(places)}, a plain list, tuple or dict" if places else "as plain tensors"
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
    exempt = untrainable(unit)
    frozen = [name for name, p in named.items() if not p.requires_grad and name not in exempt]
    asking = {name: p for name, p in named.items() if p.requires_grad}
    found = []
    if frozen:
        found.append(
            Finding(
                "gradient",
                "warning",
                f"{few(frozen)} {_ask(frozen)} for no gradient: frozen, so that training leaves "
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
    if none and _short(unit):
        said = f"{_named(unit, none)[0]} cannot receive gradient from so few timesteps."
        found.append(Finding("gradient", "skipped", said, "Pass sequences of three or more."))
    elif none:
        found.append(_unreached(unit, none))
    if broken:
        found.append(_broken(unit, broken))
    if found:
        return found
    said = f"all {len(asking)} parameters receive gradient"
    if left_out := sorted(exempt & set(named)):
        said += f"; {few(left_out)} cannot under these options, as the cell says"
    return [Finding("gradient", "passed", said + ".", numbers={"parameters": len(asking)})]


def _short(unit: Unit) -> bool:
    """Whether no sequence is long enough for attention to choose between earlier states."""
    return all(int(one.lengths.max()) < ENOUGH for one in read(unit).seen)


def _no_graph() -> Finding:
    return Finding(
        "gradient",
        "fault",
        "no output depends on a parameter in a way that gradients can follow.",
        "Take out detach(), no_grad() and .data on the way from the parameters to the output.",
    )


def _named(unit: Unit, parameters: list[str]) -> tuple[str, str]:
    """Parameters by the names the model had before it was opened: in short, and all of them."""
    names = list(dict.fromkeys(n for p in parameters for n in given_names(unit.module, p)))
    return few(names, MOST_NAMES), ", ".join(names)


def _unreached(unit: Unit, names: list[str]) -> Finding:
    few_of_them, each = _named(unit, names)
    return Finding(
        "gradient",
        "fault",
        f"{few_of_them} {'receives' if len(names) == 1 else 'receive'} no gradient: every entry "
        "is zero, so that training leaves it at its start.",
        "Use it in the output, or take it out; look for detach() and no_grad() on its way. A "
        "parameter that cannot learn by design belongs into the cell's untrainable().",
        numbers={"unreached": len(names), "names": each},
    )


def _broken(unit: Unit, names: list[str]) -> Finding:
    few_of_them, each = _named(unit, names)
    return Finding(
        "gradient",
        "fault",
        f"the gradient of {few_of_them} is not finite, though outputs are.",
        "Look for a square root or norm at zero, or 0 · ∞ behind a mask (torch.where): both have "
        "finite values and NaN gradients. Keep their arguments away from zero.",
        numbers={"not finite": len(names), "names": each},
    )


def untrainable(unit: Unit) -> frozenset[str]:
    """Parameters that cannot receive gradient, as their cells say, by their names in the unit."""
    found = set()
    for name, module in unit.module.named_modules():
        if isinstance(module, cells.Cell):
            found |= {f"{name}.{one}" if name else one for one in module.untrainable()}
    return frozenset(found)


def few(names: Sequence[str] | Counter[str], most: int = 3) -> str:
    """The first names of a list, and how many more there are."""
    listed = list(names)
    shown = ", ".join(itertools.islice(listed, most))
    return shown if len(listed) <= most else f"{shown} and {len(listed) - most} more"


def _ask(names: list[str]) -> str:
    return "asks" if len(names) == 1 else "ask"
