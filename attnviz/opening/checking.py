"""Whether two modules return the same."""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

from attnviz.modes import undisturbed

__all__ = [
    "TOLERANCES",
    "call",
    "difference",
    "example_arguments",
    "generated",
    "tensors_in",
    "tolerance_of",
]

# By precision, of the largest entry: rounding over many timesteps, far below any mistake.
TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 5e-2}

Returned = dict[str, Tensor]


def tolerance_of(module: nn.Module) -> float:
    """How far outputs may lie apart, by the precision of the parameters."""
    precisions = {p.dtype for p in module.parameters() if p.is_floating_point()}
    return max(TOLERANCES.get(precision, 0.0) for precision in precisions)


def example_arguments(example: object) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """An example as positional and named arguments: a tuple, a dict, or a single input."""
    if type(example) is tuple:  # a PackedSequence is a tuple too, and one input
        return example, {}
    if type(example) is dict:
        return (), example
    return (example,), {}


def call(
    run: Callable[..., object], arguments: tuple[Any, ...], named: Mapping[str, Any]
) -> Returned:
    """All tensors that a call returns, by their place in what it returns.

    Random numbers are drawn from the same state in every call; cuDNN, which would round its
    products to TF32, stays out.
    """
    with torch.no_grad(), undisturbed(), torch.backends.cudnn.flags(enabled=False):
        torch.manual_seed(0)
        random.seed(0)
        return dict(tensors_in(run(*arguments, **named), "output"))


def generated(module: Any) -> tuple[Tensor, Any]:  # noqa: ANN401  (any recurrent module of torch.nn)
    """An input of the right size for a recurrent module, and a state to begin with."""
    like = next(module.parameters())
    source = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=source, dtype=torch.float64).to(like)

    batch, time = 3, 5
    axes: tuple[int, ...]
    before: list[int] = []
    if isinstance(module, nn.RNNBase):
        groups = module.num_layers * (2 if module.bidirectional else 1)
        axes, before = (batch, time) if module.batch_first else (time, batch), [groups]
    else:
        axes = (batch,)
    states = [draw(*before, batch, module.hidden_size) for _ in range(2)]
    pair = isinstance(module, (nn.LSTM, nn.LSTMCell))
    return draw(*axes, module.input_size), tuple(states) if pair else states[0]


def difference(expected: Returned, found: Returned) -> tuple[float, str]:
    """The largest difference between two returns, as a part of the largest entry, and where.

    Arguments:
        expected: What should be returned.
        found: What is.

    Returns:
        The difference; infinite where one has a tensor or a shape that the other has not.
    """
    worst = 0.0, ""
    for place in {**expected, **found}:
        apart = _apart(expected.get(place), found.get(place))
        if not apart <= worst[0]:  # NaN too
            worst = apart, place
    return worst


def _apart(expected: Tensor | None, found: Tensor | None) -> float:
    if expected is None or found is None or expected.shape != found.shape:
        return float("inf")
    if not expected.numel():
        return 0.0
    wide = torch.complex128 if expected.is_complex() else torch.float64
    one, other = expected.to(wide), found.to(wide)
    # Where both are the same infinity or NaN, as in a mask, nothing differs.
    gap = torch.where((one == other) | (one.isnan() & other.isnan()), 0, (one - other).abs())
    finite = one.abs()[one.isfinite()]
    largest = float(finite.max()) if finite.numel() else 0.0
    return float(gap.abs().max()) / max(largest, 1.0)


def tensors_in(value: object, place: str) -> Iterator[tuple[str, Tensor]]:
    """Every tensor in what a call returns, with its place in it."""
    if isinstance(value, Tensor):
        yield place, value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from tensors_in(part, f"{place}[{name!r}]")
    elif isinstance(value, (list, tuple)):
        for index, part in enumerate(value):
            yield from tensors_in(part, f"{place}[{index}]")
    elif is_dataclass(value):
        for each in fields(value):
            yield from tensors_in(getattr(value, each.name), f"{place}.{each.name}")
