"""The same classes by closing doors: every set of labels in turn, and inclusion-exclusion."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from attnviz.path_classes.labels import PathClasses
from attnviz.path_classes.steps import Gradients, Steps, detached, gradients_at
from cells import Slot, alias
from cells.lengths import Rows
from cells.walk import walk

__all__ = ["class_gradients_by_doors"]


def class_gradients_by_doors(
    steps: Steps, paths: PathClasses, injected: Float[Tensor, "batch unit"]
) -> Gradients:
    r"""The gradient at every state and input by class of path, from gradients with closed doors.

    .. math:: g_\sigma = \sum_{A \subseteq \sigma} (-1)^{|\sigma \setminus A|} N(A)

    N(A) is the gradient that is left when every use of a state with a label outside A is
    detached. It takes a backward pass for each set of labels, and a class much smaller than the
    whole is lost in the rounding of the difference.

    Arguments:
        steps: What the cell read.
        paths: The classes; hops are not told apart.
        injected: The gradient at each row's last hidden state.

    Returns:
        As `class_gradients`.
    """
    opened = [_gradients(steps, paths, number, injected) for number in range(paths.count)]
    found: Gradients = {name: [] for name in opened[0]}
    for name, collected in found.items():
        for step in range(len(steps.inputs)):
            classes = torch.stack([gradients[name][step] for gradients in opened])
            for bit in range(len(paths.labels)):  # Möbius inversion, one label after the other
                holding = [n for n in range(paths.count) if n >> bit & 1]
                classes[holding] -= classes[[n ^ (1 << bit) for n in holding]]
            collected.append(classes)
    return found


def _gradients(
    steps: Steps, paths: PathClasses, number: int, injected: Float[Tensor, "batch unit"]
) -> Gradients:
    """N(A): the gradients with only the doors of the labels in A open."""
    opened = {None, *paths.members(number)}

    def tap(step: int, slot: Slot, value: Tensor) -> Tensor:
        closed = paths.label_of.get(slot.route) not in opened
        return alias(slot, value.detach() if closed else value)

    running = [len(values) for values in steps.inputs]
    lengths = torch.tensor([sum(n > row for n in running) for row in range(running[0])])
    with torch.enable_grad():
        inputs = [values.detach().requires_grad_() for values in steps.inputs]
        x = pad_sequence(inputs, batch_first=True)
        rows = Rows.sorted(lengths, reverse=False)
        walked = walk(steps.cell, x, rows, detached(steps.before[0]), tap=tap)
    after = {name: walked.states[name] for name in steps.after}
    return gradients_at(after, inputs, injected)
