"""Calls captured as CUDA graphs: once for their shapes, and replayed for every other of the same.

A recurrence launches dozens of small kernels a timestep, and launching takes longer than running
them. A CUDA graph launches all of a sequence's at once, and those of its backward pass likewise.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from cells.fast import SWEEPS, Sweep
from cells.lengths import Rows
from cells.paths import Call, Read, foreign_part, read, transformed

__all__ = ["Graphs", "graph_obstacle"]

# Captures that a group keeps. Each holds the memory of a whole forward and backward pass.
MOST = 8

# Takes the tensors of a call; gives those that gradients come back to, and all else.
Function = Callable[..., tuple[tuple[Tensor, ...], Any]]


def graph_obstacle(call: Call) -> str | None:
    """Why a call cannot be captured; None if it can."""
    if not can_capture(call.x):
        return f"a CUDA graph needs CUDA tensors, and the input is on {call.x.device}"
    if call.edits:
        return "an edit is registered"
    if call.watch is not None:
        return "gradients are watched"
    if transformed():
        return "a function transform (vmap, jvp, torch.func.grad) is active"
    if not call.rows.even:
        return "the sequences have different lengths"
    for name, module in call.cell.named_modules():
        if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks:
            return f"{name or 'the cell'} has hooks"
    return call.cell.looks(len(call.rows.order)) if _inner(call) == "step" else None


def can_capture(x: Tensor) -> bool:
    """Whether there can be a graph where a tensor lies."""
    return x.is_cuda


def _inner(call: Call) -> Literal["step", "fast"]:
    """The path that is captured: the fast one if it reaches, and looks at no value on its way."""
    kind = SWEEPS.get(type(call.cell))
    if kind is None or foreign_part(call.cell) is not None:
        return "step"
    looks_at_state = kind.carry_on is not Sweep.carry_on
    if kind.obstacle(call.cell, None) is not None or (call.carried and looks_at_state):
        return "step"
    return "fast"


class Graphs:
    """The captured calls of a layer, `most` a group; the one longest unused leaves first.

    Copies and pickles of it are empty: a graph belongs to the memory that it was captured with.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._kept: dict[str, OrderedDict[tuple[Any, ...], _Captured]] = {}

    def __reduce__(self) -> tuple[type["Graphs"], tuple[int]]:
        return Graphs, (self.most,)

    def __len__(self) -> int:
        return sum(map(len, self._kept.values()))

    def clear(self) -> None:
        """Lets go of all of them, and of their memory."""
        self._kept.clear()

    def read(self, call: Call) -> Read:
        """Reads the sequences by a graph, which is captured first if there is none of their kind.

        Raises:
            RuntimeError: If the capture fails.
        """
        kept = self._kept.setdefault(call.group, OrderedDict())
        key = _key(call)
        if key not in kept:
            while len(kept) >= self.most:
                kept.popitem(last=False)
            kept[key] = _Captured(call)
        kept.move_to_end(key)
        return kept[key](call)


class _Captured:
    """One graph over the reading of calls of one kind."""

    def __init__(self, call: Call) -> None:
        self.turn = 0
        _, self.form = tree_flatten(call.state)
        samples = _samples(call)
        function = self._function(call)
        try:
            # Mixed precision is entered inside, where it can do without its cache of weights, and
            # where the backward pass is outside it as ever.
            with torch.autocast(call.x.device.type, enabled=False):
                self.run, (self.readouts, self.statistics) = capture(function, samples)
        except RuntimeError as error:
            raise RuntimeError(
                f"{type(call.cell).__name__} could not be captured as a CUDA graph: {error} "
                "What is captured must look at no value and copy nothing from the host. Set the "
                "layer's path to 'auto' or 'step'."
            ) from error

    def _function(self, call: Call) -> Function:
        """The call as a function of tensors alone, in the order of `_tensors`."""
        reader, names = _Reader(call), [f"cell.{name}" for name in _held(call.cell)]
        leaves, form = self.form.num_leaves, self.form
        device = call.x.device.type
        enabled, dtype = torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)

        def function(x: Tensor, *tensors: Tensor) -> tuple[tuple[Tensor, ...], Any]:
            state = tree_unflatten(tensors[:leaves], form)
            held = dict(zip(names, tensors[leaves:], strict=True))
            with torch.autocast(device, dtype, enabled, cache_enabled=False):
                found: Read = torch.func.functional_call(reader, held, (x, state))
            rest = tree_map(torch.Tensor.detach, (found.readouts, found.statistics))
            return (found.output, *tree_flatten(found.state)[0]), rest

        return function

    def __call__(self, call: Call) -> Read:
        """Reads sequences of the kind that was captured."""
        weights = tuple(call.cell.parameters())
        outputs = self.run(*_Entered.apply(*_tensors(call)))  # type: ignore[no-untyped-call]
        output, *leaves = _Left.apply(self, len(outputs), *outputs, *weights)  # type: ignore[no-untyped-call]
        return Read(
            output,
            tree_unflatten(leaves, self.form),
            # The next call writes over what the graph gave. Hooks may keep what they are handed;
            # statistics are taken in before that.
            {name: readout.clone() for name, readout in self.readouts.items()},
            self.statistics,
        )


def capture(
    function: Function, samples: tuple[Tensor, ...]
) -> tuple[Callable[..., tuple[Tensor, ...]], Any]:
    """Captures a function of tensors, and its backward pass where gradients are on.

    Arguments:
        function: Gives a tuple of tensors that gradients come back to, and anything else.
        samples: Where it reads its arguments: others are copied there.

    Returns:
        The function's first part, replayed; and the second, which every replay writes over.
    """
    last: dict[str, Any] = {}

    def outputs(*tensors: Tensor) -> tuple[Tensor, ...]:
        # The rest is held aside: a backward pass would make zeros for every output there is.
        found, last["rest"] = function(*tensors)
        return found

    run: Any
    with torch.cuda.device_of(samples[0]):  # type: ignore[no-untyped-call]
        run = torch.cuda.make_graphed_callables(outputs, samples, allow_unused_input=True)
    return run, last["rest"]


class _Reader(nn.Module):
    """A call with other tensors: a module, so that its weights can be among them."""

    def __init__(self, call: Call) -> None:
        super().__init__()
        self.cell, self.inner = call.cell, _inner(call)
        self.rows: Rows = call.rows
        self.keep, self.group = call.keep, call.group

    def forward(self, x: Tensor, state: Any) -> Read:  # noqa: ANN401  (the cell's)
        """Reads it by the path that is captured."""
        call = Call(self.cell, x, self.rows, state, False, self.keep, group=self.group)
        return read(call, self.inner)


class _Entered(torch.autograd.Function):
    """The arguments themselves; their gradients in memory of their own.

    A graph leaves gradients where its next replay writes, and a parameter's `grad` may be that
    very memory.
    """

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401
        """Views: a copy of a weight would have to be copied back."""
        ctx.set_materialize_grads(False)
        return tuple(tensor.view_as(tensor) for tensor in tensors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor | None) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """Copies."""
        return tuple(None if g is None else g.clone() for g in gradients)


class _Left(torch.autograd.Function):
    """What a graph gave, in memory of its own; its backward pass refuses what would be wrong."""

    @staticmethod
    def forward(ctx: Any, captured: _Captured, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:  # noqa: ANN401
        """Copies of the first `count` tensors; the others are the weights."""
        captured.turn += 1
        ctx.captured, ctx.turn = captured, captured.turn
        # Not needed, but so torch notices if they are changed before the backward pass.
        ctx.save_for_backward(*tensors[count:])
        return tuple(tensor.clone() for tensor in tensors[:count])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        """The gradients themselves, if the graph still holds what its backward pass reads."""
        if torch.is_grad_enabled():
            raise RuntimeError(
                "A gradient of a gradient (create_graph=True) needs the step: a CUDA graph's "
                "backward pass cannot be differentiated. Set the layer's path to 'step'."
            )
        weights = ctx.saved_tensors
        if ctx.captured.turn != ctx.turn:
            raise RuntimeError(
                "A CUDA graph holds what one backward pass of its last call needs, and the layer "
                "was called again since, or went backward already. Call backward once, before the "
                "next forward pass of this shape, or set the layer's path to 'auto'."
            )
        ctx.captured.turn += 1  # the backward pass writes over what it has read
        return None, None, *gradients, *(None for _ in weights)


def _held(cell: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by name."""
    return {**dict(cell.named_parameters()), **dict(cell.named_buffers())}


def _tensors(call: Call) -> tuple[Tensor, ...]:
    """Every tensor that a call reads."""
    return (call.x, *tree_flatten(call.state)[0], *_held(call.cell).values())


def _samples(call: Call) -> tuple[Tensor, ...]:
    """Memory for the arguments of a graph: that of the weights themselves, and room for others."""
    weights = {id(parameter) for parameter in call.cell.parameters()}
    return tuple(
        (tensor.detach() if id(tensor) in weights else tensor.detach().clone()).requires_grad_(
            tensor.requires_grad
        )
        for tensor in _tensors(call)
    )


def _key(call: Call) -> tuple[Any, ...]:
    """All that a capture fixes."""
    cell, device = call.cell, call.x.device.type
    arguments = (call.x, *tree_flatten(call.state)[0], *cell.buffers())
    return (
        id(cell),
        _inner(call),
        len(call.rows.running),
        call.rows.reverse,
        call.keep & set(cell.signals),
        tuple(module.training for module in cell.modules()),
        (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        (torch.is_autocast_enabled(device), torch.get_autocast_dtype(device)),
        torch.get_float32_matmul_precision(),
        tuple((t.shape, t.dtype, t.device, t.requires_grad) for t in arguments),
        # Their memory is read where it lies.
        tuple((p.data_ptr(), p.shape, p.requires_grad) for p in cell.parameters()),
    )
