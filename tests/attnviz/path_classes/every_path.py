"""All paths a gradient can take, one by one: slow, and written from the definition alone."""

from collections import defaultdict

import torch

from cells import Slot
from cells.lengths import Rows
from cells.walk import walk

LABELS = {
    "gates": "G", "candidate": "G", "memory": "M", "shortcut": "S", "carry": "C",
    "update_gate": "G", "reset_gate": "G", "query": "G", "attention_key": "A",
    "attention_value": "A", "attention_score": "A", "key": "K", "value": "V",
}  # fmt: skip


def by_class(cell, x, injected, labels=LABELS):
    """The gradient at every state and input of one sequence, by the set of labels and S edges.

    Every use of a state is a leaf of its own, so that a step's Jacobian for each use is known.
    Then each path is walked from the last hidden state back, as a product of these Jacobians.

    Returns:
        `{(place, step): {(labels, edges labelled S): gradient}}`.
    """
    edges, inputs = _edges(cell, x)
    found = defaultdict(lambda: defaultdict(lambda: torch.zeros(())))
    paths = 0

    def follow(node, gradient, passed, shortcuts):
        nonlocal paths
        paths += 1
        found[node][passed, shortcuts] = found[node][passed, shortcuts] + gradient
        step = node[1]
        key = (passed, shortcuts)
        found["input", step][key] = found["input", step][key] + gradient @ inputs[node]
        for slot, source, jacobian in edges[node]:
            label = None if source[1] == step else labels[slot.route]
            onward = passed if label is None else passed | {label}
            follow(source, gradient @ jacobian, onward, shortcuts + (label == "S"))

    follow(("hidden", len(x) - 1), injected, frozenset(), 0)
    assert paths > len(x)
    return found


def _edges(cell, x):
    """The Jacobian of each state of each step for each use of a state, and for the input."""
    uses = defaultdict(list)

    def tap(step, slot, value):
        leaf = value.detach().requires_grad_()
        uses[step].append((slot, leaf))
        return leaf

    rows = Rows.sorted(torch.tensor([len(x)]), reverse=False)
    leaf = x.clone().requires_grad_()
    walked = walk(cell, leaf, rows, cell.initial_state(1), tap=tap)
    edges, inputs = {}, {}
    for step in range(len(x)):
        inside = [use for use in uses[step] if use[0].route in cell.routes]
        for name, states in walked.states.items():
            node = (name, step)
            jacobians = _jacobians(states[step], [leaf, *(value for _, value in inside)])
            inputs[node] = jacobians[0][:, step, 0]
            edges[node] = [
                (slot, source, jacobian[:, 0])
                for (slot, _), jacobian in zip(inside, jacobians[1:], strict=True)
                if (source := _source(cell, slot, step))[1] >= 0 and jacobian.any()
            ]
    return edges, inputs


def _source(cell, slot: Slot, step):
    """c → h is within a step; every other use reaches back."""
    state = cell.routes[slot.route].state
    return (state, step) if slot.route == "hidden" else (state, step - (slot.lag or 1))


def _jacobians(outputs, leaves):
    rows = [
        torch.autograd.grad(
            outputs[0, unit], leaves, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        for unit in range(outputs.shape[1])
    ]
    return [torch.stack(parts) for parts in zip(*rows, strict=True)]
