"""What is measured: the five cells in training, and a shipped model on one review."""

from collections.abc import Callable

import torch

import attnviz
import cells

__all__ = ["CELLS", "SIZES", "reading", "training"]

# batch, hidden units (and features), timesteps
SIZES = ((32, 128, 400), (64, 128, 128), (128, 128, 28))

CELLS: dict[str, Callable[[int], cells.Recurrent]] = {
    "LSTM": lambda units: cells.LSTM(units, units),
    "GRU": lambda units: cells.GRU(units, units),
    "RRA": lambda units: cells.RRA(units, units, window=10),
    "RAU": lambda units: cells.RAU(units, units),
    "LARNN fixed": lambda units: cells.LARNN(units, units, window=10, heads=4),
    "LARNN stable": lambda units: cells.LARNN(
        units, units, window=10, heads=4, options=cells.STABLE
    ),
}
ATTENTION = ("attention", "contribution", "feature_attention")


def training(
    name: str, size: tuple[int, int, int], *, device: str, step: bool, graph: bool = False
) -> dict[str, Callable[[], object]]:
    """Forward and backward of a cell and of torch's own, and of the cell under each recording.

    Arguments:
        name: One of `CELLS`.
        size: Batch, units and timesteps.
        device: Where they run.
        step: Whether the looped step is among them.
        graph: Whether CUDA graphs are, with nothing recorded and with all signals.

    Raises:
        AssertionError: If the paths do not give the same output.
    """
    batch, units, time = size
    torch.manual_seed(0)
    x = torch.randn(time, batch, units, device=device, requires_grad=True)
    layer = CELLS[name](units).to(device)
    reference = (torch.nn.GRU if name == "GRU" else torch.nn.LSTM)(units, units).to(device)
    _check(layer, x, "fast", to="step")
    if graph:  # which draws other numbers for dropout
        _check(layer.eval(), x, "graph", to="fast")
        layer.train()
    declared = {signal for cell in layer.groups.values() for signal in cell.signals}

    def run(model: torch.nn.Module) -> None:
        model(x)[0].sum().backward()

    def on(path: str, signals: set[str] | None = None, norms: bool = False) -> None:
        layer.path = path  # type: ignore[assignment]  # checked by the layer
        handles = []
        if signals:
            handles.append(layer.register_readout_hook(lambda *call: None, signals))
        if norms:
            handles.append(layer.register_gradient_hook(lambda *call: None))
        run(layer)
        for handle in handles:
            handle.remove()

    functions: dict[str, Callable[[], object]] = {
        "torch": lambda: run(reference),
        "fast": lambda: on("fast"),
    }
    shown = declared & set(ATTENTION)
    if shown:
        functions["attention"] = lambda: on("fast", shown)
    functions["all signals"] = lambda: on("fast", declared)
    functions["gradient norms"] = lambda: on("fast", norms=True)
    if step:
        functions["step"] = lambda: on("step")
    if graph:
        functions["graph"] = lambda: on("graph")
        functions["graph, all signals"] = lambda: on("graph", declared)
    return functions


def _check(layer: cells.Recurrent, x: torch.Tensor, path: str, *, to: str) -> None:
    outputs = []
    for one in (path, to):
        layer.path = one  # type: ignore[assignment]
        torch.manual_seed(1)
        outputs.append(layer(x[:20])[0].detach())
    torch.testing.assert_close(*outputs, rtol=0, atol=1e-3)


def reading(name: str, words: int, *, device: str) -> dict[str, Callable[[], object]]:
    """One review through a shipped model: attention and a prediction at every timestep.

    Arguments:
        name: Of the model.
        words: Length of the review.
        device: Where it runs.
    """
    model = attnviz.load_model(name).to(device)
    text = " ".join(["the first half drags , but what an ending it has !"] * words)
    text = " ".join(text.split()[:words])
    available = set(attnviz.available_signals(model))
    keep = available & {"attention", "feature_attention"} or {"gate_attention"}

    def on(path: str) -> None:
        model.layer.path = path  # type: ignore[assignment]
        attnviz.record_texts(model, [text], keep=keep, gradients=False)

    return {"fast": lambda: on("fast"), "step": lambda: on("step")}
