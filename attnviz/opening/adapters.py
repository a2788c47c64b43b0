"""Open layers that are called as torch.nn's are, and pass for them."""

from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

import cells

__all__ = [
    "OpenGRU",
    "OpenGRUCell",
    "OpenLSTM",
    "OpenLSTMCell",
    "is_weight",
]

C = TypeVar("C", bound=cells.Cell[Any])
States = tuple[Tensor, ...]


def is_weight(name: str) -> bool:
    """Whether torch.nn's recurrent modules have weights of that name."""
    return name.startswith(("weight_ih", "weight_hh", "bias_ih", "bias_hh"))


class _Opened(nn.Module):
    """What stands in for a recurrent module of torch.nn and has its weights in other tensors."""

    inside: str

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (as nn.Module's)
        if is_weight(name):
            raise AttributeError(
                f"{type(self).__name__} has no {name}: the weights of an opened model stand in "
                f"{self.inside}, gate by gate. The model that was opened still has its own."
            )
        return super().__getattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:  # noqa: ANN401  (as nn.Module's)
        if is_weight(name):
            raise AttributeError(
                f"{name} cannot be set on {type(self).__name__}, which would not read it: its "
                f"weights stand in {self.inside}. Set it before the model is opened."
            )
        super().__setattr__(name, value)

    def __setstate__(self, state: dict[str, Any]) -> None:
        # torch.nn's own look for their weights.
        nn.Module.__setstate__(self, state)  # type: ignore[no-untyped-call]


class _OpenLayer(_Opened, nn.RNNBase):
    """An open layer behind the calls of `torch.nn.LSTM` and `torch.nn.GRU`."""

    inside = "its `layer`"
    layer: cells.Recurrent

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._flat_weight_refs = []  # left out of the state, and looked for by the next copy

    def flatten_parameters(self) -> None:
        """Does nothing: there are no weights of cuDNN to lay out."""

    def _read(
        self, sequences: Tensor | PackedSequence, given: States | None
    ) -> tuple[Tensor | PackedSequence, tuple[States, ...]]:
        """The output, and of each state hidden or memory the parts `(batch, unit)` by group."""
        if isinstance(sequences, PackedSequence):
            batch, one = int(sequences.batch_sizes[0]), False
            x: Tensor | PackedSequence = sequences
        else:
            one = sequences.dim() == 2
            x = sequences.unsqueeze(0 if self.batch_first else 1) if one else sequences
            if x.dim() != 3:
                raise ValueError(
                    f"{type(self).__name__} reads input of 2 axes (one sequence) or 3, got shape "
                    f"{tuple(sequences.shape)}."
                )
            batch = x.shape[0 if self.batch_first else 1]
        if given is not None:
            given = tuple(part.unsqueeze(1) if one else part for part in given)
            self._check_given(given, batch)
        output, final = self.layer(x, self._as_state(given))
        if one and isinstance(output, Tensor):
            output = output.squeeze(0 if self.batch_first else 1)
            final = tuple(type(state)(*(part.squeeze(0) for part in state)) for state in final)
        return output, tuple(zip(*final, strict=True))

    def _check_given(self, given: States, batch: int) -> None:
        needed = (len(self.layer.groups), batch, self.hidden_size)
        for part in given:
            if tuple(part.shape) != needed:
                raise ValueError(
                    f"{type(self).__name__} begins at a state of shape (layers and directions, "
                    f"batch, unit) = {needed}, got {tuple(part.shape)}."
                )

    def _as_state(self, given: States | None) -> tuple[Any, ...] | None:
        if given is None:
            return None
        kind = cells.LSTMState if len(given) == 2 else cells.GRUState
        return tuple(kind(*parts) for parts in zip(*given, strict=True))


class OpenLSTM(_OpenLayer, nn.LSTM):
    """An open LSTM that is called as `torch.nn.LSTM` is and returns what it returns.

    It keeps the attributes of the module it was made from (`hidden_size`, `batch_first`, hooks,
    one's own); its weights stand in `layer`, a `cells.LSTM`.
    """

    def forward(  # type: ignore[override]  # torch declares the call twice, by kind of input
        self, input: Tensor | PackedSequence, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor | PackedSequence, tuple[Tensor, Tensor]]:
        """`output, (h_n, c_n)`."""
        output, (hidden, memory) = self._read(input, hx)
        return output, (torch.stack(hidden), torch.stack(memory))


class OpenGRU(_OpenLayer, nn.GRU):
    """An open GRU that is called as `torch.nn.GRU` is and returns what it returns.

    Its weights stand in `layer`, a `cells.GRU`.
    """

    def forward(  # type: ignore[override]  # torch declares the call twice, by kind of input
        self, input: Tensor | PackedSequence, hx: Tensor | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """`output, h_n`."""
        output, (hidden,) = self._read(input, None if hx is None else (hx,))
        return output, torch.stack(hidden)


class _OpenCell(_Opened, nn.RNNCellBase, Generic[C]):
    """An open step behind the calls of `torch.nn.LSTMCell` and `torch.nn.GRUCell`."""

    inside = "its `cell`"
    cell: C

    def _step(self, x: Tensor, given: States | None) -> States:
        """The new state; each part `(batch, unit)`, or `(unit,)` for a single example."""
        one = x.dim() == 1
        x = x.unsqueeze(0) if one else x
        state = self.cell.initial_state(len(x), device=x.device, dtype=x.dtype)
        if given is not None:
            state = type(state)(*(part.unsqueeze(0) if one else part for part in given))
        new: States = self.cell(x, state)[0]
        return tuple(part.squeeze(0) for part in new) if one else new


class OpenLSTMCell(_OpenCell[cells.LSTMCell], nn.LSTMCell):
    """An open step that is called as `torch.nn.LSTMCell` is: `h, c = cell(x, (h, c))`.

    The loop is the model's own, so `record` cannot see it. A forward hook on `cell`, which
    returns its state and a dict of its gates, sees each step.
    """

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """The hidden state and the memory after one timestep."""
        hidden, memory = self._step(input, hx)
        return hidden, memory


class OpenGRUCell(_OpenCell[cells.GRUCell], nn.GRUCell):
    """An open step that is called as `torch.nn.GRUCell` is: `h = cell(x, h)`.

    As `OpenLSTMCell`.
    """

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The hidden state after one timestep."""
        (hidden,) = self._step(input, None if hx is None else (hx,))
        return hidden
