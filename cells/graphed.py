"""One CUDA graph over a layer's reading of batches of one shape."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from cells.recurrent import Recurrent, State

__all__ = ["CUDAGraph", "cuda_graph"]


def cuda_graph(layer: Recurrent, x: Tensor, *, signals: Iterable[str] = ()) -> "CUDAGraph":
    """Captures how a layer reads, forward and backward, for all batches of this shape.

    A recurrence launches dozens of small kernels a timestep, and launching takes longer than
    running them; a graph launches all of them at once. It holds whichever path the layer would
    take (`layer.path`), of any cell, one's own included.

    A call gives what `layer(x)` gives, begins at the initial state and reads every row to its end.
    The parameters may be trained between calls. Fixed at the capture are the shape, precision and
    device of the input, whether gradients are taken, training or eval mode, and the signals. A
    backward pass must follow its own forward pass before the next one.

    Arguments:
        layer: On a CUDA device, with no edits and no gradient hooks.
        x: A batch such as will come.
        signals: What readout hooks will ask for.

    Returns:
        A module that is called like the layer.

    Raises:
        ValueError: If the input is not on a CUDA device, or the layer is edited or its gradients
            are watched.
        KeyError: If no cell of the layer declares a signal.
    """
    if not x.is_cuda:
        raise ValueError(f"A CUDA graph needs an input on a CUDA device, got one on {x.device}.")
    return CUDAGraph(layer, x, frozenset(signals))


class CUDAGraph(nn.Module):
    """What `cuda_graph` makes."""

    def __init__(self, layer: Recurrent, x: Tensor, signals: frozenset[str]) -> None:
        super().__init__()
        self.layer, self.signals = layer, signals
        self._refuse_watchers()
        self._fixed = _fixed(layer, x)
        self._calls = [0]
        self._parameters_held = list(layer.parameters())
        self._buffers_held = [
            (module, name, buffer)
            for module in layer.modules()
            for name, buffer in module._buffers.items()
            if buffer is not None
        ]
        sample = x.detach().clone().requires_grad_(x.requires_grad)
        before = [buffer.clone() for _, _, buffer in self._buffers_held]
        for cell in layer.groups.values():
            cell.before_sequence(x.shape[0 if layer.batch_first else 1])
        core = _Core(layer, signals)
        core.train(layer.training)
        self._run: Callable[[Tensor], Any] = torch.cuda.make_graphed_callables(
            core, (sample,), allow_unused_input=True
        )
        for (_, _, buffer), value in zip(self._buffers_held, before, strict=True):
            buffer.copy_(value)  # the capture's trial runs may have moved them

    def forward(self, x: Tensor) -> tuple[Tensor, State]:
        """Reads a batch.

        Arguments:
            x: As the layer takes it, of the shape that was captured.

        Returns:
            As the layer: the output, and the state of each group.

        Raises:
            ValueError: If something that the capture fixed has changed.
        """
        self._refuse_watchers()
        parameters = zip(self._parameters_held, self.layer.parameters(), strict=True)
        if any(held is not parameter for held, parameter in parameters):
            raise ValueError("Parameters were replaced since the capture. Capture another graph.")
        if (now := _fixed(self.layer, x)) != self._fixed:
            raise ValueError(
                f"The graph was captured for {self._fixed} and cannot read {now}. Capture another "
                "one, or call the layer itself."
            )
        self._settle()
        output, state, readouts, statistics = self._run(x)
        # Copies: the next call writes over what the graph gave.
        output, state, readouts = torch.utils._pytree.tree_map(
            torch.clone, (output, state, readouts)
        )
        for group, cell in self.layer.groups.items():
            if group in statistics:
                cell.after_sequence(statistics[group])
        self._settle()
        self._report(readouts)
        self._calls[0] += 1
        turned: Tensor = _InTurn.apply(  # type: ignore[no-untyped-call]
            output, self._calls, self._calls[0]
        )
        return turned, state

    def _settle(self) -> None:
        """Puts buffers back where the graph reads them, with the values that took their place."""
        for module, name, held in self._buffers_held:
            current = module._buffers[name]
            if current is not held and current is not None:
                module._buffers[name] = held.copy_(current)

    def _report(self, readouts: dict[str, tuple[dict[str, Tensor], Tensor]]) -> None:
        for hook, wanted in list(self.layer._readout_hooks.values()):
            for group, (values, lengths) in readouts.items():
                kept = {k: v for k, v in values.items() if k in wanted or k not in self.signals}
                hook(group, kept, lengths)

    def _refuse_watchers(self) -> None:
        if self.layer.edited:
            raise ValueError("A CUDA graph cannot be edited. Call the layer itself.")
        if self.layer._gradient_hooks:
            raise ValueError("A CUDA graph cannot watch gradients. Call the layer itself.")
        wanted = {name for _, names in self.layer._readout_hooks.values() for name in names}
        if missing := wanted - self.signals:
            raise ValueError(
                f"The graph was captured with the signals {sorted(self.signals)}, but a hook asks "
                f"for {sorted(missing)}. Capture with signals={sorted(self.signals | wanted)}."
            )


class _Core(nn.Module):
    """A layer as a function of tensors alone, which is what can be captured."""

    def __init__(self, layer: Recurrent, signals: frozenset[str]) -> None:
        super().__init__()
        self.layer, self.signals = layer, signals

    def forward(self, x: Tensor) -> tuple[Tensor, State, dict[str, Any], dict[str, Any]]:
        """Output and state, readouts by group, and batch statistics by group."""
        readouts: dict[str, Any] = {}

        def collect(group: str, values: Any, lengths: Tensor) -> None:  # noqa: ANN401
            readouts[group] = (dict(values), lengths)

        with _alone(self.layer) as statistics:
            handle = self.layer.register_readout_hook(collect, self.signals)
            try:
                output, state = self.layer(x)
            finally:
                handle.remove()
        return output, state, readouts, statistics


@contextmanager
def _alone(layer: Recurrent) -> Iterator[dict[str, Any]]:
    """A scope without the user's hooks, in which statistics are collected and nothing checked.

    Checks wait for values, and running statistics move outside the graph.
    """
    hooks, layer._readout_hooks = layer._readout_hooks, OrderedDict()
    collected: dict[str, Any] = {}
    for group, cell in layer.groups.items():
        # Over the methods, in the instance, and gone again below.
        vars(cell)["before_sequence"] = lambda batch: None
        vars(cell)["after_sequence"] = lambda found, group=group: collected.update({group: found})
    try:
        yield collected
    finally:
        layer._readout_hooks = hooks
        for cell in layer.groups.values():
            del vars(cell)["before_sequence"], vars(cell)["after_sequence"]


class _InTurn(torch.autograd.Function):
    """The output, whose backward pass refuses to come after a later forward pass."""

    @staticmethod
    def forward(ctx: Any, output: Tensor, calls: list[int], call: int) -> Tensor:  # noqa: ANN401
        """The output itself."""
        ctx.calls, ctx.call = calls, call
        return output.view_as(output)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        """Its gradient, if the graph still holds what that needs."""
        if ctx.calls[0] != ctx.call:
            raise RuntimeError(
                "A CUDA graph holds what the backward pass of its last call needs, and was called "
                "again since. Call backward before the next forward pass."
            )
        return gradient, None, None


def _fixed(layer: Recurrent, x: Tensor) -> str:
    """What a capture fixes, in words."""
    return (
        f"{tuple(x.shape)} {x.dtype} on {x.device}, "
        f"{'training' if layer.training else 'eval'} mode, path {layer.path!r}, "
        f"gradients {'on' if torch.is_grad_enabled() else 'off'}, "
        f"{'with' if x.requires_grad else 'without'} the input's"
    )
