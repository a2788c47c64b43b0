import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import pack_padded_sequence

import cells
from tests.cells.own_cell import GlanceCell


@pytest.mark.parametrize(
    ("x", "arguments", "message"),
    [
        ((5, 2, 4), {}, r"\(time, batch, feature\) with 3 features, got shape \(5, 2, 4\)"),
        ((5, 3), {}, r"\(time, batch, feature\) with 3 features, got shape \(5, 3\)"),
        ((0, 2, 3), {}, r"at least one timestep and one sequence, got input of shape \(0, 2, 3\)"),
        ((5, 0, 3), {}, r"at least one timestep and one sequence, got input of shape \(5, 0, 3\)"),
        (
            (5, 2, 3),
            {"lengths": [5, 0]},
            "between 1 and the input's 5 timesteps.*sequence 1 has 0",
        ),
        (
            (5, 2, 3),
            {"lengths": [6, 5]},
            "between 1 and the input's 5 timesteps.*sequence 0 has 6",
        ),
        ((5, 2, 3), {"lengths": [5]}, r"one entry for each of the 2 sequences, got shape \(1,\)"),
    ],
)
def test_refuses_input_that_does_not_fit(x, arguments, message):
    with pytest.raises(ValueError, match=message):
        cells.RRA(3, 4)(torch.randn(x), **arguments)


def test_says_which_axes_it_reads_batch_first():
    with pytest.raises(ValueError, match=r"RRA reads input of shape \(batch, time, feature\)"):
        cells.RRA(3, 4, batch_first=True)(torch.randn(5, 2, 4))


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("path", ["step", "auto"])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (
            torch.zeros(5, 2, 3, dtype=torch.float64),
            r"torch\.float32, got input of torch\.float64\.",
        ),
        (torch.zeros(5, 2, 3, dtype=torch.int64), r"float32, got input of torch\.int64\. Give it"),
        (torch.zeros(5, 2, 3, dtype=torch.bfloat16), r"x\.to\(torch\.float32\)"),
        (np.zeros((5, 2, 3)), r"a tensor \(time, batch, feature\) .*, got a numpy\.ndarray"),
        ([[[0.0] * 3]], r"got a builtins\.list\. Make it one with torch\.as_tensor"),
    ],
)
def test_refuses_input_of_another_kind_or_precision(path, x, message):
    layer = cells.GRU(3, 4).float()
    layer.path = path
    with pytest.raises(TypeError, match=f"GRU .*{message}"):
        layer(x)


@pytest.mark.parametrize("kind", [torch.int64, torch.float64])
def test_mixed_precision_reads_no_whole_numbers_and_no_doubles_in_single(kind):
    with torch.autocast("cpu", torch.bfloat16), pytest.raises(TypeError, match="got input of"):
        cells.GRU(3, 4).float()(torch.zeros(5, 2, 3, dtype=kind))


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("path", ["step", "fast"])
def test_mixed_precision_reads_single_and_half(kind, path):
    layer = cells.GRU(3, 4).float()
    layer.path = path
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.zeros(5, 2, 3, dtype=kind))[0].dtype == torch.float32


def test_refuses_states_that_do_not_fit():
    x = torch.randn(5, 2, 3)
    layer, both = cells.GRU(3, 4, 2), cells.GRU(3, 4, bidirectional=True)
    _, state = layer(x)
    with pytest.raises(ValueError, match=r"one named tuple for each .*'l0', 'l1'.*, got 1"):
        layer(x, state[:1])
    with pytest.raises(ValueError, match="state of l0 is for 2 sequences, the input has 1"):
        layer(x[:, :1], state)
    with pytest.raises(
        ValueError, match=r"from both ends and cannot go on from a state.*allow_reverse_state"
    ):
        both(x, both(x)[1])
    with pytest.raises(
        ValueError, match=r"l0 has a hidden of shape \(2, 4\), but this GRUCell needs \(2, 5\)"
    ):
        cells.GRU(3, 5, 2)(x, state)
    with pytest.raises(TypeError, match="state of l0 is a GRUState, RRACell needs a RRAState"):
        cells.RRA(3, 4, 2)(x, state)
    _, state = cells.RRA(3, 4, window=2)(x)
    with pytest.raises(ValueError, match="state of l0 has a window of shape"):
        cells.RRA(3, 4, window=3)(x, state)


def test_refuses_lengths_beside_a_packed_sequence():
    packed = pack_padded_sequence(torch.randn(5, 2, 3), [5, 3])
    with pytest.raises(ValueError, match="carries its own lengths"):
        cells.GRU(3, 4)(packed, lengths=[5, 3])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((3, 4, 0), {}, "num_layers must be at least 1, got 0"),
        ((3, 4), {"dropout": 1.0}, "dropout is a probability below 1, got 1.0"),
        ((3, 4), {"dropout": -0.5}, "dropout is a probability below 1, got -0.5"),
        ((0, 4), {}, "needs input_size of at least 1, got 0"),
        ((3, 0), {}, "needs hidden_size of at least 1, got 0"),
    ],
)
@pytest.mark.parametrize("layer", [cells.RRA, cells.RAU, cells.LSTM, cells.GRU])
def test_refuses_sizes_that_cannot_be(layer, arguments, options, message):
    with pytest.raises(ValueError, match=message):
        layer(*arguments, **options)


@pytest.mark.usefixtures("unchecked")
def test_refuses_what_is_not_a_cell():
    with pytest.raises(TypeError, match=r"must return a cells\.Cell, got Linear\. Derive"):
        cells.Recurrent(lambda features: torch.nn.Linear(features, 4), 3)


class Nameless(GlanceCell):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        del self.hidden_size


class Bare(cells.Cell):
    """Declares nothing."""

    initial_state = forward = None


def test_refuses_a_cell_that_does_not_declare_what_it_must():
    with pytest.raises(TypeError, match=r"^Nameless has no hidden_size, which a cell declares\."):
        cells.Recurrent(lambda features: Nameless(features, 4), 3)
    with pytest.raises(TypeError, match=r"^Bare has no hidden_size and no signals and no routes,"):
        cells.Recurrent(lambda features: Bare(), 3)
