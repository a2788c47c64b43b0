"""Every use of a state is a slot: their gradients sum to the state's own, and no use is missed."""

from collections import defaultdict
from functools import partial

import pytest
import torch
from torch.testing import assert_close

from cells import Slot, alias
from cells.lengths import Rows
from cells.walk import walk
from tests.cells.helpers import EXACT, LAYERS, flat, ragged, randomise, weigh

# Uses of a state within its own step; every other use is of the step before, or of its lag.
OWN_STEP = {("output", "hidden"), ("hidden", "memory")}


def walked(cell, x, rows, tap=None):
    state = cell.initial_state(x.shape[1])
    return walk(cell, rows.to_walk(x), rows, state, tap=tap)


def loss_of(walk):
    """Depends on every output and on the whole final state."""
    return weigh([torch.cat(walk.outputs), *flat(walk.state)])


def source(cell, step, slot, lengths):
    """The state that a slot uses, and its step for each row that is running."""
    if slot.route == "final_state":
        return slot.state or lagged_state(cell), lengths - (slot.lag or 1)
    state = "hidden" if slot.route == "output" else cell.routes[slot.route].state
    back = slot.lag or (0 if (slot.route, state) in OWN_STEP else 1)
    return state, torch.full_like(lengths, step - back)


def lagged_state(cell):
    """Which state the window holds."""
    return next(route.state for route in cell.routes.values() if route.lagged)


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("even", [True, False])
def test_gradients_of_all_slots_sum_to_the_gradient_of_the_state(kind, even):
    [cell] = randomise(LAYERS[kind](2, 5)).eval().groups.values()
    x, lengths = ragged(7, 4, 2)
    rows = Rows.sorted(torch.full((4,), 7) if even else lengths, reverse=False)
    untapped = walked(cell, x, rows)
    names = [(name, step) for name, steps in untapped.states.items() for step in range(len(steps))]
    states = [untapped.states[name][step] for name, step in names]
    expected = dict(zip(names, torch.autograd.grad(loss_of(untapped), states), strict=True))

    slots = []

    def tap(step, slot, value):
        slots.append((step, slot, value.view_as(value).requires_grad_()))
        return slots[-1][-1]

    gradients = torch.autograd.grad(
        loss_of(walked(cell, x, rows, tap)), [value for _, _, value in slots]
    )

    sums = defaultdict(lambda: torch.zeros(4, 5))
    ends = rows.lengths[rows.order]
    for (step, slot, _), gradient in zip(slots, gradients, strict=True):
        name, steps = source(cell, step, slot, ends[: len(gradient)])
        for row, at in enumerate(steps.tolist()):
            sums[name, at][row] += gradient[row]
    for (name, step), total in expected.items():
        assert_close(sums[name, step][: len(total)], total, **EXACT, msg=f"{name} {step}")
    assert {slot.route for _, slot, _ in slots} == {*cell.routes, "output", "final_state"}
    for route, declared in cell.routes.items():
        lags = {slot.lag for _, slot, _ in slots if slot.route == route}
        assert lags == (set(cell.lags) if declared.lagged else {None})


def test_an_alias_is_a_tensor_of_its_own_with_the_same_numbers():
    value = torch.randn(2, 3, requires_grad=True)
    first, second = (alias(Slot("gates"), value) for _ in range(2))
    of_first, of_second = torch.autograd.grad((2 * first + 5 * second).sum(), [first, second])
    assert first.data_ptr() == second.data_ptr() == value.data_ptr()
    assert (of_first == 2).all() and (of_second == 5).all()


@pytest.mark.parametrize("kind", LAYERS)
def test_tapping_changes_no_gradient_bit_for_bit(kind):
    [cell] = randomise(LAYERS[kind](2, 5)).eval().groups.values()
    x, lengths = ragged(7, 4, 2)
    rows = Rows.sorted(lengths, reverse=False)
    weights = [weight for name, weight in cell.named_parameters() if name not in cell.untrainable()]
    seen = []

    def tap(step, slot, value):
        seen.append(value.view_as(value))
        if seen[-1].requires_grad:
            seen[-1].register_hook(lambda gradient: None)
        return seen[-1]

    plain = torch.autograd.grad(loss_of(walked(cell, x, rows)), weights)
    tapped = torch.autograd.grad(loss_of(walked(cell, x, rows, tap)), weights)

    assert seen
    assert all(map(torch.equal, plain, tapped))


@pytest.mark.parametrize("kind", LAYERS)
def test_with_every_slot_cut_nothing_is_left_of_the_past(kind):
    [cell] = randomise(LAYERS[kind](2, 5)).eval().groups.values()
    x = torch.randn(6, 1, 2, requires_grad=True)
    rows = Rows.sorted(torch.tensor([6]), reverse=False)

    def cut(step, slot, value):
        return value if slot.route == "output" or slot == ("hidden", None, None) else value.detach()

    outputs = walked(cell, x, rows, cut).outputs

    for step, output in enumerate(outputs):
        [gradient] = torch.autograd.grad(output.sum(), [x], retain_graph=True)
        reached = gradient.abs().sum(dim=(1, 2)) > 0
        assert reached.tolist() == [at == step for at in range(6)]


@pytest.mark.parametrize("kind", LAYERS)
def test_gradients_of_slots_are_finite_differences(kind):
    """Adding a little to one use moves the loss by that use's gradient."""
    [cell] = randomise(LAYERS[kind](2, 3)).eval().groups.values()
    x, rows = torch.randn(5, 2, 2), Rows.sorted(torch.tensor([5, 5]), reverse=False)
    slots = {}

    def tap(step, slot, value):
        slots[step, slot] = value.view_as(value).requires_grad_()
        return slots[step, slot]

    tapped = loss_of(walked(cell, x, rows, tap))
    gradients = dict(zip(slots, torch.autograd.grad(tapped, list(slots.values())), strict=True))
    change = torch.zeros(2, 3)
    change[1, 2] = 1e-6
    for here in [slot for slot in slots if slot[0] in (3, 5)]:  # one step, and the final state
        losses = [
            loss_of(walked(cell, x, rows, partial(moved, here, by))) for by in (change, -change)
        ]
        difference = (losses[0] - losses[1]).item() / 2e-6
        assert_close(gradients[here][1, 2].item(), difference, rtol=1e-6, atol=1e-8)


def moved(here, change, step, slot, value):
    return value + change if (step, slot) == here else value
