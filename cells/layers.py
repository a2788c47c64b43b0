"""The five cells as layers, each constructed like `torch.nn.LSTM`."""

from typing import Literal

import torch
from torch import nn

from cells.gates import ForgetBias
from cells.gru import GRUCell
from cells.larnn import LARNNCell
from cells.larnn_options import FIXED, LARNNOptions
from cells.lstm import LSTMCell
from cells.rau import RAUCell, Reading
from cells.recurrent import Recurrent
from cells.rra import RRACell
from cells.torch_weights import give_gru, give_lstm, refuse, take_gru, take_lstm

__all__ = ["GRU", "LARNN", "LSTM", "RAU", "RRA"]


class RRA(Recurrent):
    """Recurrent residual attention over time; the equations are `RRACell`'s.

    Example:
        >>> layer = cells.RRA(3, 8, window=5)
        >>> output, state = layer(torch.randn(20, 2, 3), lengths=[20, 12])
        >>> output.shape
        torch.Size([20, 2, 8])

    Arguments:
        input_size: Features of the input.
        hidden_size: Units of the hidden state.
        num_layers: Layers on top of each other.
        bias: Whether the gates have biases.
        batch_first: Whether input and output are `(batch, time, feature)`.
        dropout: Dropout on the output of every layer but the last.
        bidirectional: Whether a second cell reads each sequence backwards.
        device: Where the parameters live.
        dtype: Their precision.
        window: How many past hidden states are attended.
        first_lag: The nearest of them, 1 or 2.
        normalization: `"sum"` as published, or `"softmax"`, which is always stable.
        missing: `"zero"` as released, or `"renormalise"` over the steps that exist.
        forget_bias: The forget gate's bias at the start; a number or `Chrono(longest)`.

    Raises:
        ValueError: If a size or an option is not one of those above.
    """

    def __init__(  # noqa: PLR0913  (mirrors torch.nn)
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        window: int = 10,
        first_lag: Literal[1, 2] = 2,
        normalization: Literal["sum", "softmax"] = "sum",
        missing: Literal["zero", "renormalise"] = "zero",
        forget_bias: ForgetBias = 1.0,
    ) -> None:
        super().__init__(
            lambda features: RRACell(
                features,
                hidden_size,
                bias,
                window=window,
                first_lag=first_lag,
                normalization=normalization,
                missing=missing,
                forget_bias=forget_bias,
                device=device,
                dtype=dtype,
            ),
            input_size,
            num_layers=num_layers,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
        )


class LARNN(Recurrent):
    """The linear attention recurrent network over time; the equations are `LARNNCell`'s.

    Example:
        >>> layer = cells.LARNN(9, 24, window=10, heads=4)
        >>> output, state = layer(torch.randn(128, 16, 9))
        >>> output.shape
        torch.Size([128, 16, 24])

    Arguments:
        input_size: Features of the input.
        hidden_size: Units of the hidden state.
        num_layers: Layers on top of each other.
        bias: Whether the linear maps have biases.
        batch_first: Whether input and output are `(batch, time, feature)`.
        dropout: Dropout on the output of every layer but the last; the cell's own dropouts are
            in `options`.
        bidirectional: Whether a second cell reads each sequence backwards.
        device: Where the parameters live.
        dtype: Their precision.
        window: How many past memories are attended.
        heads: Heads of the attention; they divide `hidden_size`.
        options: The details of the computation, where paper, released code and repairs differ:
            `FIXED`, `PAPER`, `RELEASED`, `STABLE`, or one's own.
        forget_bias: The forget gate's bias at the start; a number or `Chrono(longest)`.
        residual: Whether a layer's input is added to its output, where sizes agree.

    Raises:
        ValueError: If a size or an option is not one of those above.
    """

    def __init__(  # noqa: PLR0913  (mirrors torch.nn)
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        window: int = 10,
        heads: int = 4,
        options: LARNNOptions = FIXED,
        forget_bias: ForgetBias = 1.0,
        residual: bool = False,
    ) -> None:
        super().__init__(
            lambda features: LARNNCell(
                features,
                hidden_size,
                bias,
                window=window,
                heads=heads,
                options=options,
                forget_bias=forget_bias,
                device=device,
                dtype=dtype,
            ),
            input_size,
            num_layers=num_layers,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
            residual=residual,
        )


class RAU(Recurrent):
    """The recurrent attention unit over time; the equations are `RAUCell`'s.

    Example:
        >>> layer = cells.RAU(28, 32, batch_first=True)
        >>> output, state = layer(torch.randn(4, 28, 28))
        >>> output.shape
        torch.Size([4, 28, 32])

    Arguments:
        input_size: Features of the input.
        hidden_size: Units of the hidden state.
        num_layers: Layers on top of each other.
        bias: Whether gates, attention and candidates have biases.
        batch_first: Whether input and output are `(batch, time, feature)`.
        dropout: Dropout on the output of every layer but the last.
        bidirectional: Whether a second cell reads each sequence backwards.
        device: Where the parameters live.
        dtype: Their precision.
        reading: What the attention weighs: `"input"`, `"hidden"` or `"hidden_outside"`.
        rescale: Multiply the attention by the number of features it is spread over.

    Raises:
        ValueError: If a size is less than 1 or `reading` is none of the three.
    """

    def __init__(  # noqa: PLR0913  (mirrors torch.nn)
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        reading: Reading = "input",
        rescale: bool = False,
    ) -> None:
        super().__init__(
            lambda features: RAUCell(
                features,
                hidden_size,
                bias,
                reading=reading,
                rescale=rescale,
                device=device,
                dtype=dtype,
            ),
            input_size,
            num_layers=num_layers,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
        )


class LSTM(Recurrent):
    """An open LSTM over time, with the function and the weights of `torch.nn.LSTM`.

    Example:
        >>> layer = cells.LSTM.from_torch(torch.nn.LSTM(3, 8, bidirectional=True))
        >>> output, state = layer(torch.randn(20, 2, 3))
        >>> output.shape
        torch.Size([20, 2, 16])

    Arguments:
        input_size: Features of the input.
        hidden_size: Units of the hidden state.
        num_layers: Layers on top of each other.
        bias: Whether the gates have biases.
        batch_first: Whether input and output are `(batch, time, feature)`.
        dropout: Dropout on the output of every layer but the last.
        bidirectional: Whether a second cell reads each sequence backwards.
        device: Where the parameters live.
        dtype: Their precision.
        forget_bias: The forget gate's bias at the start; a number or `Chrono(longest)`.

    Raises:
        ValueError: If a size or an option is not one of those above.
    """

    def __init__(  # noqa: PLR0913  (mirrors torch.nn)
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        forget_bias: ForgetBias = 1.0,
    ) -> None:
        super().__init__(
            lambda features: LSTMCell(
                features,
                hidden_size,
                bias,
                forget_bias=forget_bias,
                device=device,
                dtype=dtype,
            ),
            input_size,
            num_layers=num_layers,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
        )

    @classmethod
    def from_torch(cls, module: nn.LSTM) -> "LSTM":
        """The same function with a copy of the weights; its two biases become their sum.

        Arguments:
            module: Stacked, bidirectional and without biases as it may be.

        Returns:
            A layer on the same device, in the same precision and mode.

        Raises:
            TypeError: If it is no `torch.nn.LSTM`.
            ValueError: If it projects its hidden state (`proj_size`).
        """
        refuse(module, nn.LSTM)
        first = module.get_parameter("weight_ih_l0")
        layer = cls(
            module.input_size,
            module.hidden_size,
            module.num_layers,
            module.bias,
            module.batch_first,
            module.dropout,
            module.bidirectional,
            first.device,
            first.dtype,
        )
        take_lstm(layer, module)
        return layer.train(module.training)

    def to_torch(self) -> nn.LSTM:
        """A `torch.nn.LSTM` with a copy of the weights; `bias_hh` is zero."""
        return give_lstm(self)


class GRU(Recurrent):
    """An open GRU over time, with the function and the weights of `torch.nn.GRU`.

    Its update gate is the weight of the candidate, one minus `torch.nn.GRU`'s.

    Example:
        >>> layer = cells.GRU(3, 8, num_layers=2)
        >>> output, state = layer(torch.randn(20, 2, 3))
        >>> output.shape
        torch.Size([20, 2, 8])

    Arguments:
        input_size: Features of the input.
        hidden_size: Units of the hidden state.
        num_layers: Layers on top of each other.
        bias: Whether the gates have biases.
        batch_first: Whether input and output are `(batch, time, feature)`.
        dropout: Dropout on the output of every layer but the last.
        bidirectional: Whether a second cell reads each sequence backwards.
        device: Where the parameters live.
        dtype: Their precision.
        reset: Whether the reset gate acts `"after"` the recurrent product, as in
            `torch.nn.GRU`, or `"before"` it, as published.

    Raises:
        ValueError: If a size or an option is not one of those above.
    """

    def __init__(  # noqa: PLR0913  (mirrors torch.nn)
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        reset: Literal["after", "before"] = "after",
    ) -> None:
        super().__init__(
            lambda features: GRUCell(
                features, hidden_size, bias, reset=reset, device=device, dtype=dtype
            ),
            input_size,
            num_layers=num_layers,
            batch_first=batch_first,
            dropout=dropout,
            bidirectional=bidirectional,
        )

    @classmethod
    def from_torch(cls, module: nn.GRU) -> "GRU":
        """The same function with a copy of the weights; the gates' two biases become their sum.

        Arguments:
            module: Stacked, bidirectional and without biases as it may be.

        Returns:
            A layer on the same device, in the same precision and mode.

        Raises:
            TypeError: If it is no `torch.nn.GRU`.
        """
        refuse(module, nn.GRU)
        first = module.get_parameter("weight_ih_l0")
        layer = cls(
            module.input_size,
            module.hidden_size,
            module.num_layers,
            module.bias,
            module.batch_first,
            module.dropout,
            module.bidirectional,
            first.device,
            first.dtype,
        )
        take_gru(layer, module)
        return layer.train(module.training)

    def to_torch(self) -> nn.GRU:
        """A `torch.nn.GRU` with a copy of the weights; `bias_hh` is zero for the two gates.

        Raises:
            ValueError: If the reset gate acts before the recurrent product.
        """
        return give_gru(self)
