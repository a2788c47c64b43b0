"""A sequence read step by step in double precision, with what the classes of paths need."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from attnviz.opening.copying import copy_module
from cells import Cell, Slot, alias
from cells.base import StateName
from cells.checks import check_step
from cells.walk import map_state

__all__ = [
    "Gradients",
    "Steps",
    "detached",
    "double_copy",
    "gradients_at",
    "last_rows",
    "own_use",
    "past_routes",
    "watch",
]

State = Any  # the cell's own named tuple

# By name (`hidden`, `memory`, `input`), one tensor for every step of the walk.
Gradients = dict[str, list[Tensor]]


@dataclass
class Steps:
    """What one layer and direction read and became, in the walk's own order of rows and time.

    Rows stand by falling length, so that the rows that still run at a step come first.

    Arguments:
        cell: In double precision, in eval mode.
        inputs: What every step read, `(running, feature)`.
        before: The state every step began from.
        after: The hidden state, and the memory where the cell uses one, that it ended with.
        slopes: RRA's o ⊙ (1 − tanh²(c + a)) of every step, `(running, unit)`; else empty.
    """

    cell: Cell[Any]
    inputs: list[Float[Tensor, "running feature"]] = field(default_factory=list)
    before: list[State] = field(default_factory=list)
    after: dict[StateName, list[Tensor]] = field(default_factory=dict)
    slopes: list[Float[Tensor, "running unit"]] = field(default_factory=list)

    def __post_init__(self) -> None:
        used = {"hidden": None, **{r.state: None for r in self.cell.routes.values()}}
        self.after |= {name: [] for name in used}

    def running(self, step: int) -> int:
        """How many rows take a step; none after the last."""
        return len(self.inputs[step]) if step < len(self.inputs) else 0


@contextmanager
def watch(cell: Cell[Any]) -> Iterator[Steps]:
    """Keeps what a cell reads and becomes inside the block, step by step.

    Arguments:
        cell: Of a layer whose path is the step.

    Yields:
        The steps, filled as the layer is called.

    Raises:
        TypeError: By a call whose first step returns no new state and readout.
    """
    steps = Steps(cell)

    def keep(_: nn.Module, given: tuple[Any, ...], found: tuple[State, dict[str, Tensor]]) -> None:
        x, before = given
        if not steps.inputs:
            check_step(cell, before, found, ())
        after, readout = found
        steps.inputs.append(x)
        steps.before.append(before)
        for name, collected in steps.after.items():
            collected.append(getattr(after, name))
        if "shortcut" in cell.routes and {"output_gate", "memory", "context"} <= set(readout):
            bent = (readout["memory"] + readout["context"]).tanh()
            steps.slopes.append((readout["output_gate"] * (1 - bent**2)).detach())

    handle = cell.register_forward_hook(keep)
    try:
        yield steps
    finally:
        handle.remove()


def last_rows(hidden: list[Float[Tensor, "_ unit"]]) -> Float[Tensor, "batch unit"]:
    """The hidden state of every row after its own last step."""
    running = [len(values) for values in hidden] + [0]
    ends = [values[running[step + 1] :] for step, values in enumerate(hidden)]
    return torch.cat(ends[::-1])


def gradients_at(
    after: Mapping[StateName, list[Tensor]],
    inputs: list[Tensor],
    injected: Float[Tensor, "batch unit"],
) -> Gradients:
    """Autograd's gradients at states and inputs.

    Arguments:
        after: The states of every step, in the graph.
        inputs: Of every step, in the graph.
        injected: The gradient at every row's last hidden state.

    Returns:
        `(running, unit)` or `(running, feature)` of every step, zeros where nothing arrives.
    """
    places: list[tuple[str, list[Tensor]]] = [*after.items(), ("input", inputs)]
    with torch.enable_grad():
        ends = last_rows(after["hidden"])
    found = torch.autograd.grad(
        ends,
        [values for _, held in places for values in held],
        injected,
        retain_graph=True,
        allow_unused=True,
        materialize_grads=True,
    )
    steps = len(inputs)
    return {name: list(found[n * steps : (n + 1) * steps]) for n, (name, _) in enumerate(places)}


def double_copy(module: nn.Module) -> Any:  # noqa: ANN401  (of the module's own type)
    """A copy in double precision and eval mode that nobody watches and that can all be followed.

    Arguments:
        module: Left as it is.

    Returns:
        The copy, without the hooks.
    """
    unwatched = {
        id(hooks): type(hooks)()
        for part in module.modules()
        for name, hooks in vars(part).items()
        if "_hooks" in name and isinstance(hooks, dict)
    }
    return copy_module(module, unwatched).double().eval().requires_grad_(True)


def detached(state: State, change: Callable[[Tensor], Tensor] = torch.Tensor.detach) -> State:
    """A state cut off from the graph, and every tensor changed."""
    return map_state(lambda tensor: change(tensor.detach()), state)


def own_use(value: Tensor) -> bool:
    """Whether a use is of a state that the step itself has made.

    The states a step begins from are cut off from the graph, so that only what the step makes of
    its input and parameters asks for a gradient.
    """
    return value.requires_grad


def past_routes(steps: Steps) -> list[str]:
    """The routes by which a cell uses states of earlier timesteps, in the order of their use.

    Arguments:
        steps: At least one.

    Returns:
        Names.
    """
    seen: dict[str, None] = {}

    def via(slot: Slot, value: Tensor) -> Tensor:
        if not own_use(value):
            seen[slot.route] = None
        return alias(slot, value)

    with torch.enable_grad():
        x = steps.inputs[0].detach().requires_grad_()
        steps.cell(x, detached(steps.before[0]), via=via)
    return list(seen)
