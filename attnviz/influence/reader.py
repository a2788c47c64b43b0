"""Any sequence model as one function, run so that nothing of it changes, and held to be causal."""

from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

import cells
from attnviz.influence.sequences import Model
from attnviz.models import SequenceModel

__all__ = ["Reader", "check_causal", "make_reader", "rounding"]

#: Features in, states (or logits) out: `(batch, time, feature) -> (batch, time, unit)`.
Reader = Callable[[Tensor], Tensor]

_PLACES = 64


def make_reader(model: Model, *, logits: bool) -> Reader:
    """A model as a function of its features.

    Arguments:
        model: A `SequenceModel`, a recurrent layer of `cells` or of torch, or any module or
            function `(batch, time, feature) -> (batch, time, unit)`.
        logits: Whether the units are to be classes: a `SequenceModel`'s head then reads every
            timestep; of anything else the output is taken as it is.

    Returns:
        The function; it checks what comes out.

    Raises:
        ValueError: If the model reads in both directions, or has no classes.
    """
    _refuse_bidirectional(model)
    function = _function(model, logits)
    name = type(model).__name__ if isinstance(model, nn.Module) else repr(model)

    def read(x: Tensor) -> Tensor:
        output = function(x)
        if not isinstance(output, Tensor) or output.ndim != 3 or output.shape[:2] != x.shape[:2]:
            came = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(
                f"Influence needs a function from (batch, time, feature) to (batch, time, unit), "
                f"but {name} made {came} of {tuple(x.shape)}. Wrap it in a function that returns "
                "the states alone, such as lambda x: model(x)[0]."
            )
        _refuse_not_finite(output, name)
        return output

    return read


@torch.no_grad()
def check_causal(read: Reader, x: Float[Tensor, "time feature"]) -> None:
    """Refuses a function whose output at a timestep depends on anything but the inputs up to it.

    Up to 64 timesteps, evenly spread, are disturbed one at a time; the output before each must
    stay, to within the square root of the precision, relative to the largest output. So must the
    output on the first half of the sequence alone, on the same input once more, and next to other
    rows.

    Arguments:
        read: The function.
        x: The sequence to try it on.

    Raises:
        ValueError: If it is random, couples rows, or looks ahead; says where it leaks most.
    """
    base = read(x[None])[0]
    tolerance = rounding(base)
    if float((read(x[None])[0] - base).abs().max()) > tolerance:
        raise ValueError(
            "Influence needs a function without chance, but two calls with the same input differ. "
            "Put the model behind it in eval mode, or pass the module itself."
        )
    count = min(len(x), _PLACES)
    places = torch.tensor([round(n * (len(x) - 1) / max(count - 1, 1)) for n in range(count)])
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal((count, x.shape[1])))
    batch = x.repeat(1 + len(places), 1, 1)
    size = 1.0 + float(x.abs().max())
    batch[1 + torch.arange(len(places)), places] += (size * noise).to(x)
    output = read(batch)
    if float((output[0] - base).abs().max()) > tolerance:
        raise ValueError(
            "Influence runs many rows at once, so a row must not depend on the others, but here "
            "the same row differs alone and in a batch. Is there batch norm in training mode?"
        )
    _refuse_leak(output, places, tolerance)
    half = (len(x) + 1) // 2
    moved = (read(x[None, :half])[0] - base[:half]).abs().amax(dim=-1)
    if float(moved.max()) > tolerance:
        raise ValueError(
            f"Influence needs a causal model, but the output at timestep {int(moved.argmax())} "
            f"changes by {float(moved.max()):.3g} when the sequence is cut after timestep "
            f"{half - 1}: it depends on what follows, or on the length."
        )


def rounding(output: Tensor) -> float:
    """How far two runs of the same may differ: √ε of the largest output."""
    return float(torch.finfo(output.dtype).eps ** 0.5 * output.abs().max())


def _refuse_leak(output: Tensor, places: Tensor, tolerance: float) -> None:
    moved = (output[1:] - output[0]).abs().amax(dim=-1).cpu()  # (place, time)
    before = torch.arange(output.shape[1])[None] < places[:, None]
    leak = torch.where(before, moved, 0.0)
    if float(leak.max()) <= tolerance:
        return
    row, time = divmod(int(leak.argmax()), leak.shape[1])
    raise ValueError(
        f"Influence needs a causal model, but the output at timestep {time} changes by "
        f"{float(leak.max()):.3g} with the input at timestep {int(places[row])}, which comes "
        "later. Mask the future, or read in one direction only."
    )


def _function(model: Model, logits: bool) -> Callable[[Tensor], object]:
    if isinstance(model, SequenceModel):
        if not logits:
            return lambda x: model.read(x, None)
        if model.kind == "regression" or model.head.out_features < 2:
            raise ValueError(
                f"A margin needs a model that tells classes apart, but {model.name} is for "
                f"{model.kind} with {model.head.out_features} output(s). Leave margin out."
            )
        return lambda x: model.head(model.read(x, None))
    if isinstance(model, cells.Recurrent | nn.RNNBase):
        if model.batch_first:
            return lambda x: model(x)[0]
        return lambda x: model(x.transpose(0, 1))[0].transpose(0, 1)
    return model


def _refuse_bidirectional(model: Model) -> None:
    layer = model.layer if isinstance(model, SequenceModel) else model
    if isinstance(layer, cells.Recurrent | nn.RNNBase) and layer.bidirectional:
        raise ValueError(
            f"Influence by lag needs a model that reads in one direction, but this "
            f"{type(layer).__name__} is bidirectional: its output at a timestep depends on later "
            "inputs. Use a layer of one direction."
        )


def _refuse_not_finite(output: Tensor, name: str) -> None:
    wrong = ~torch.isfinite(output)
    if not bool(wrong.any()):
        return
    time = int(wrong.any(dim=0).any(dim=-1).nonzero()[0])
    unit = int(wrong[:, time].any(dim=0).nonzero()[0])
    raise ValueError(
        f"Influence needs finite outputs, but those of {name} are not from timestep {time} on "
        f"(unit {unit} first). Look at the weights and at the inputs up to there."
    )
