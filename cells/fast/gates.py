"""What LSTM, RRA and LARNN have in common: four gates side by side, i, f, o and the candidate g."""

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from cells.fast.functions import sigmoid_slope, tanh, tanh_slope
from cells.fast.products import mapped
from cells.fast.sweep import Sweep, Use
from cells.gates import LSTMGates

__all__ = ["GateDeltas", "Gates", "gate_uses", "gate_weights"]


def gate_weights(gates: LSTMGates) -> dict[str, Tensor]:
    """The maps of all gates from the input, with the bias, and from the hidden state."""
    recurrent = (gates.gates_from_hidden.weight, gates.candidate_from_hidden.weight)
    weights = {"from_input": gates.from_input.weight, "from_hidden": torch.cat(recurrent)}
    if gates.from_input.bias is not None:
        weights["bias"] = gates.from_input.bias
    return weights


def gate_uses(sweep: Sweep, start: int, end: int) -> Iterator[Use]:
    """The uses of the hidden state by gates and candidate, and of the memory before."""
    delta, inner = sweep.used("gates", start, end), 3 * sweep.units
    for name, part, weight in (
        ("gates", delta[..., :inner], sweep.from_hidden[:inner]),
        ("candidate", delta[..., inner:], sweep.from_hidden[inner:]),
    ):
        yield Use(name, None, 1, mapped(part, weight))
    _, f, _, _ = sweep.gates[start:end].chunk(4, dim=-1)
    yield Use("memory", None, 1, sweep.used("memory", start, end) * f)


class Gates:
    """The gates of all timesteps, in the buffer that begins as what the input adds to them.

    Arguments:
        sweep: For its sizes.
        gates: `(time, batch, 4 unit)`.
    """

    def __init__(self, sweep: Sweep, gates: Float[Tensor, "time batch four_units"]) -> None:
        self._all, self._sigmoids = sweep.steps(gates), sweep.steps(gates[..., : 3 * sweep.units])
        self.i, self.f, self.o, self.g = map(sweep.steps, gates.chunk(4, dim=-1))

    def write(self, t: int, more: Tensor, c_past: Tensor, out: Tensor) -> Tensor:
        r"""Opens the gates of a timestep and writes its memory.

        .. math:: c_t = f \odot c_{t-1} + i \odot g

        Arguments:
            t: The timestep.
            more: What else enters them, `(running, 4 unit)`.
            c_past: The memory before.
            out: Where the memory goes.
        """
        self._all[t].add_(more)
        self._sigmoids[t].sigmoid_()
        tanh(self.g[t], out=self.g[t])
        written: Tensor = torch.mul(self.f[t], c_past, out=out).addcmul_(self.i[t], self.g[t])
        return written


class GateDeltas:
    r"""The gradients of what enters the gates, for a piece of the backward pass.

    They begin as what each gate is worth to the memory or the hidden state by its slope, for all
    timesteps of the piece at once, and are multiplied by that state's gradient one by one.

    .. math::
        \delta_i = i(1-i)\, g \,\lambda^c, \quad \delta_f = f(1-f)\, c_{t-1} \lambda^c, \quad
        \delta_o = o(1-o)\, s_t \lambda^h, \quad \delta_g = (1-g^2)\, i \,\lambda^c

    Arguments:
        sweep: For its sizes.
        start: The piece's first timestep.
        gates: The piece's gates `(time, batch, 4 unit)`.
        out: Where the gradients go, of that shape.
        c_past: The memories before.
        squashed: What the output gate lets through.

    Attributes:
        steps: The gradients of the running rows, by timestep of the piece.
        whole: All of them, zero where rows have ended.
    """

    def __init__(
        self, sweep: Sweep, start: int, gates: Tensor, *, out: Tensor, c_past: Tensor,
        squashed: Tensor,
    ) -> None:  # fmt: skip
        i, f, o, g = gates.chunk(4, dim=-1)
        of_i, of_f, of_o, of_g = out.chunk(4, dim=-1)
        sigmoid_slope(g, i, out=of_i)
        sigmoid_slope(c_past, f, out=of_f)
        sigmoid_slope(squashed, o, out=of_o)
        tanh_slope(i, g, out=of_g)
        sweep.blank(out, start)
        self.whole, self.steps = out, sweep.piece(out, start)
        of_i_f = out[..., : 2 * sweep.units].unflatten(-1, (2, sweep.units))
        self._of_i_f, self._of_o, self._of_g = (
            sweep.piece(part, start) for part in (of_i_f, of_o, of_g)
        )

    def take(self, s: int, d_memory: Tensor, d_hidden: Tensor) -> Tensor:
        """The gradients of a timestep of the piece, from those of what its gates wrote."""
        self._of_i_f[s].mul_(d_memory.unsqueeze(1))
        self._of_o[s].mul_(d_hidden)
        self._of_g[s].mul_(d_memory)
        return self.steps[s]
