"""Copies of modules, also with nothing wrapped around them, and what torch does not see in one."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

__all__ = ["copy_model", "copy_module", "unregistered"]


def copy_module(
    module: nn.Module,
    instead: Mapping[int, object] | None = None,
) -> Any:  # noqa: ANN401  (of the module's own type)
    """A copy that shares nothing with a module.

    Results of earlier calls that it keeps (a state, attention weights), which torch does not copy,
    are copied as plain numbers.

    Arguments:
        module: Any.
        instead: What to put in the place of a part, by the part's `id`.
    """
    return copy.deepcopy(module, {**_results(module), **(instead or {})})


def copy_model(model: nn.Module) -> nn.Module:
    """A copy that shares nothing with a model, without wrappers around it or its parts.

    Results of earlier calls that a model keeps (a state, attention weights) are copied as plain
    numbers. `torch.compile`, `DataParallel` and `DistributedDataParallel` are taken off: the copy
    holds the module inside.

    Arguments:
        model: Any module.

    Returns:
        The copy, on the same device and in the same mode.

    Raises:
        ValueError: If a part of the model cannot be copied.
    """
    memo = _results(model)
    try:
        for module in reversed(list(model.modules())):  # the inner ones first
            if (inside := _inside(module)) is not None:
                memo[id(module)] = copy.deepcopy(inside, memo)
        return copy.deepcopy(model, memo)
    except (TypeError, RuntimeError, NotImplementedError) as error:
        raise ValueError(
            f"open_model works on a copy, but {type(model).__name__} cannot be copied "
            f"(copy.deepcopy): {error}. Open the part of it that holds the recurrent layers."
        ) from error


def unregistered(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules that torch does not see, because they stand in a plain list, tuple or dict.

    Arguments:
        model: Any module.

    Yields:
        Where each is kept, and the module.
    """
    known = {id(module) for module in model.modules()}
    for name, module in model.named_modules():
        for attribute, held in vars(module).items():
            if attribute.startswith("_") or not isinstance(held, (list, tuple, dict)):
                continue
            for value in _flat(held):
                if isinstance(value, nn.Module) and id(value) not in known:
                    where = f"{name}.{attribute}" if name else attribute
                    for inner in value.modules():
                        yield where, inner


def _inside(module: nn.Module) -> nn.Module | None:
    """The module within a wrapper that computes the same."""
    if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        inside: nn.Module = module.module
        return inside
    # By name: importing the compiler takes longer than importing torch.
    if type(module).__name__ == "OptimizedModule":
        return module._modules.get("_orig_mod")
    return None


def _results(model: nn.Module) -> dict[int, object]:
    """What stands for results of earlier calls in a copy: the same numbers without their graph."""
    held = (value for module in model.modules() for value in _held(module))
    return {
        id(value): value.detach().clone()
        for value in held
        if isinstance(value, Tensor) and not value.is_leaf
    }


def _held(module: nn.Module) -> Iterator[object]:
    """What a module keeps outside its parameters and submodules."""
    for name, value in vars(module).items():
        if name not in ("_parameters", "_modules"):
            yield from _flat(value)


def _flat(value: object) -> Iterator[object]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _flat(part)
    elif isinstance(value, (list, tuple, set)):
        for part in value:
            yield from _flat(part)
    else:
        yield value
