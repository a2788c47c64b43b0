"""Versions, device, precision, and what a compiler leaves of the hooks."""

import importlib.metadata
import platform
from collections import Counter

import torch
from torch import nn

import cells
from attnviz.checkup.calls import Outcome, Unit, apart, fresh, read, tolerance, within
from attnviz.checkup.report import Finding
from attnviz.checkup.subject import Subject

__all__ = ["check_compiled", "check_precision", "check_versions"]

PACKAGES = ("attnviz", "torch", "numpy", "xarray", "zarr")


def check_versions(subject: Subject) -> list[Finding]:
    """What runs, and where."""
    versions: dict[str, float | int | str] = {"python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in PACKAGES}
    devices = sorted({str(p.device) for p in subject.whole.module.parameters()})
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    threads = torch.get_num_threads()
    where = " and ".join(devices) or "no device: there are no parameters"
    numbers = versions | {"device": where, "threads": threads}
    if len(devices) > 1:
        return [
            Finding(
                "versions",
                "warning",
                f"parameters lie on {where}; {listed}.",
                "Move the model as a whole, model.to(device), unless it is split on purpose.",
                numbers=numbers,
            )
        ]
    said = f"{listed}; on {where}, {threads} thread{'' if threads == 1 else 's'}."
    return [Finding("versions", "note", said, numbers=numbers)]


def check_precision(subject: Subject) -> list[Finding]:
    """One precision, wide enough for a recurrence."""
    found = [p.dtype for p in subject.whole.module.parameters() if p.is_floating_point()]
    counts = Counter(str(dtype).removeprefix("torch.") for dtype in found)
    listed = ", ".join(f"{count} in {name}" for name, count in counts.items())
    if len(counts) > 1:
        return [
            Finding(
                "precision",
                "warning",
                f"parameters have several precisions: {listed}.",
                "Make them one with model.to(dtype); mixed precision is torch.autocast's task.",
            )
        ]
    half = next((dtype for dtype in (torch.bfloat16, torch.float16) if dtype in found), None)
    if half is not None:
        eps = torch.finfo(half).eps
        return [
            Finding(
                "precision",
                "warning",
                f"all parameters are {listed.split()[-1]}, which rounds at {eps:.1e}: it adds "
                "up over the timesteps, and small gradients are zero.",
                "Read in float32, model.float(), or with torch.autocast, which keeps states in "
                "float32; half precision is for storing (save_folder(half=True)).",
                numbers={"rounding": eps},
            )
        ]
    return [Finding("precision", "passed", f"all parameters are {next(iter(counts), 'none')}.")]


def check_compiled(subject: Subject) -> list[Finding]:
    """Compiled, the model gives the same, and its hooks fire."""
    model = subject.given
    compiled = _is_compiled(model)
    if not compiled and not subject.compiled:
        said = "the model is not compiled."
        return [
            Finding(
                "compiled",
                "skipped",
                said,
                "Ask for it, compiled=True or --compiled, to try torch.compile.",
            )
        ]
    with torch.no_grad():
        plain = read(subject.whole)
        unit = _compiled(subject, compiled)
        read(Unit("", unit.module, unit.example, {}))  # compiled while nobody watched
        found = read(unit)
    return [_judged(plain, found, tolerance(subject.whole))]


def _judged(plain: Outcome, found: Outcome, allowed: float) -> Finding:
    fired, expected = (Counter(one.group for one in outcome.seen) for outcome in (found, plain))
    if lost := sorted((expected - fired).elements()):
        return Finding(
            "compiled",
            "fault",
            f"under torch.compile the hooks of {', '.join(lost)} do not fire: nothing of it would "
            "be recorded.",
            "Let the layer's forward be cells.Recurrent's, which leaves its loop uncompiled, or "
            "record the model without torch.compile.",
            numbers={"lost": len(lost)},
        )
    gap, place = apart(plain.everything(), found.everything())
    if gap > allowed:
        return Finding(
            "compiled",
            "fault",
            f"compiled, the model gives another {place}, by {gap:.3g} of the largest entry.",
            "Compare with backend='eager' to see whether the compiler or the model's own code is "
            "to blame, and record the model without torch.compile.",
            numbers={"difference": gap},
        )
    said = f"compiled, every hook fires, and numbers are the same {within(gap)}."
    return Finding("compiled", "passed", said, numbers={"difference": gap})


def _compiled(subject: Subject, already: bool) -> Unit:
    """The model as the user compiled it, or a copy compiled now."""
    whole = subject.whole
    if not already:
        copied = fresh(whole)
        copied.module.compile(backend="eager")
        return copied
    names = dict(_names(whole))
    found = {_uncompiled(name): module for name, module in subject.given.named_modules()}
    layers = {
        names[name]: module
        for name, module in found.items()
        if name in names and isinstance(module, cells.Recurrent)
    }
    return Unit("", subject.given, whole.example, layers)


def _uncompiled(name: str) -> str:
    """The name of a part without the wrappers around it."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")


def _names(whole: Unit) -> list[tuple[str, str]]:
    prefixes = {id(layer): prefix for prefix, layer in whole.layers.items()}
    return [(n, prefixes[id(m)]) for n, m in whole.module.named_modules() if id(m) in prefixes]


def _is_compiled(model: nn.Module) -> bool:
    return any(
        type(module).__name__ == "OptimizedModule" or module._compiled_call_impl is not None
        for module in model.modules()
    )
