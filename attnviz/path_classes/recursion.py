"""Gradients by class of path: one gradient a class, carried backwards through the cell's steps."""

import torch
from jaxtyping import Float
from torch import Tensor

from attnviz.path_classes.labels import PathClasses
from attnviz.path_classes.steps import Gradients, State, Steps, detached, own_use
from cells import Slot, alias
from cells.base import StateName

__all__ = ["class_gradients"]

# How far a step, run again, may be from itself: rounding of another batch size.
_REPEATS = 1e-9


def class_gradients(
    steps: Steps, paths: PathClasses, injected: Float[Tensor, "batch unit"]
) -> Gradients:
    r"""The gradient at every state and input, by the labels of the edges it travelled.

    With J the step's Jacobian for one use (slot) of the state it leaves to, over all later uses,

    .. math:: \lambda^{\sigma}_s = [\sigma = \emptyset]\, \partial L / \partial h_\tau
        + \sum_{\text{slots}} \sum_{\sigma' \cup \text{label} = \sigma}
        J_\text{slot}^\top \lambda^{\sigma'}_{s + \text{lag}}

    A step is run once for all classes, as rows of one batch, so that one backward pass through it
    moves every class. It needs nothing of a cell but that each use of a state goes through `via`
    and that rows do not depend on each other.

    Arguments:
        steps: What the cell read.
        paths: The classes, and hops behind them.
        injected: The gradient at each row's last hidden state.

    Returns:
        For `hidden`, `memory` (where there is one) and `input`, at every step:
        `(class, running, unit)`, hops behind the classes.

    Raises:
        ValueError: If a step, run again, does not give what it gave, or the cell uses a state by a
            route that it does not declare.
    """
    entries, last = paths.count + paths.hops, len(steps.inputs) - 1
    pending: dict[tuple[StateName, int], Tensor] = {}
    found: Gradients = {name: [] for name in (*steps.after, "input")}
    for step in range(last, -1, -1):
        n = steps.running(step)
        arriving = {
            name: pending.pop((name, step), _nothing(entries, states[step]))
            for name, states in steps.after.items()
        }
        ending = slice(steps.running(step + 1), n)
        arriving["hidden"][0, ending] += injected[ending]
        totals, leaving = _through(steps, step, arriving)
        for name, values in totals.items():
            found[name].append(values)
        for slot, gradient in leaving:
            source = step - (slot.lag or 1)
            if source >= 0:  # what leaves for the state before the first step is not followed
                _put(pending, _state_of(steps, slot), source, (paths, slot, gradient), steps)
    return {name: values[::-1] for name, values in found.items()}


def _nothing(
    entries: int, state: Float[Tensor, "running unit"]
) -> Float[Tensor, "entry running unit"]:
    return state.new_zeros(entries, *state.shape)


def _put(
    pending: dict[tuple[StateName, int], Tensor],
    name: StateName,
    source: int,
    sent: tuple[PathClasses, Slot, Float[Tensor, "entry running unit"]],
    steps: Steps,
) -> None:
    """Adds what leaves by one slot to the state it uses, each class as what it becomes."""
    paths, slot, gradient = sent
    if (name, source) not in pending:
        pending[name, source] = _nothing(len(gradient), steps.after[name][source])
    passing, becoming = (index.to(gradient.device) for index in paths.moves(slot.route))
    rows = pending[name, source][:, : gradient.shape[1]]
    rows.index_add_(0, becoming, gradient[passing])


def _through(
    steps: Steps, step: int, arriving: dict[StateName, Float[Tensor, "entry running unit"]]
) -> tuple[dict[str, Tensor], list[tuple[Slot, Tensor]]]:
    """One step, backwards, for every class: the totals at its states, and what leaves by slots."""
    entries, n = len(arriving["hidden"]), steps.running(step)

    def spread(tensor: Tensor) -> Tensor:
        return tensor.expand(entries, *tensor.shape).flatten(0, 1)

    uses: list[tuple[Slot, Tensor]] = []

    def via(slot: Slot, value: Tensor) -> Tensor:
        if own_use(value):
            return alias(slot, value)
        uses.append((slot, value.detach().requires_grad_()))
        return uses[-1][1]

    with torch.enable_grad():
        x = spread(steps.inputs[step].detach()).requires_grad_()
        state, _ = steps.cell(x, detached(steps.before[step], spread), via=via)
        _check_repeats(steps, step, state)
        ends = [getattr(state, name) for name in arriving]
        gradients = torch.autograd.grad(
            ends,
            [*ends, x, *(value for _, value in uses)],
            [gradient.flatten(0, 1) for gradient in arriving.values()],
            allow_unused=True,
            materialize_grads=True,
        )
    apart = [gradient.reshape(entries, n, -1) for gradient in gradients]
    totals = dict(zip([*arriving, "input"], apart, strict=False))
    slots = [slot for slot, _ in uses]
    return totals, list(zip(slots, apart[len(totals) :], strict=True))


def _check_repeats(steps: Steps, step: int, state: State) -> None:
    """Refuses cells in which chance or the rest of the batch plays a part."""
    before = steps.after["hidden"][step].detach()
    again = state.hidden.detach().reshape(-1, *before.shape)
    if not bool(torch.isfinite(before).all()):
        raise ValueError(
            f"The hidden state of {type(steps.cell).__name__} is not finite at step {step}, so no "
            "gradient can be followed through it. Look where its values begin to grow."
        )
    apart = float((again - before).abs().max())
    if apart > _REPEATS * (1 + float(before.abs().max())):
        raise ValueError(
            f"{type(steps.cell).__name__} gave another hidden state when step {step} was run "
            f"again (apart by {apart:.2g}), so its gradient has no classes of paths. Rows that "
            "depend on each other (batch statistics) or on chance (dropout) do that; choose "
            "options that honour eval mode."
        )


def _state_of(steps: Steps, slot: Slot) -> StateName:
    routes = steps.cell.routes
    if slot.route not in routes:
        raise ValueError(
            f"{type(steps.cell).__name__} uses a state by the route {slot.route!r}, but declares "
            f"only {sorted(routes)}. Declare it in `routes`, with the state that it uses."
        )
    return routes[slot.route].state
