import re

import pytest
import torch
from torch import nn

import cells
from attnviz import Sequences, linear_influence, replacement_influence
from attnviz.models import SequenceModel
from tests.attnviz.influence.subjects import FEATURES, CausalTransformer

KINDS = [replacement_influence, linear_influence]


def inputs(sequences=2, time=6):
    return torch.randn(sequences, time, FEATURES)


def mixed(x):
    """A causal function of all units."""
    return (x.cumsum(1) @ torch.ones(FEATURES, 2) * torch.tensor([1.0, -2.0])).tanh()


@pytest.mark.parametrize("measure", KINDS)
@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.LSTM(FEATURES, 4, bidirectional=True),
        lambda: cells.GRU(FEATURES, 4, bidirectional=True),
        lambda: SequenceModel(
            cells.RRA(FEATURES, 4, bidirectional=True, batch_first=True), outputs=2
        ),
    ],
)
def test_bidirectional_layers(measure, make):
    with pytest.raises(ValueError, match=r"this (LSTM|GRU|RRA) is bidirectional.*one direction"):
        measure(make(), inputs(), reference=inputs())


@pytest.mark.parametrize("measure", KINDS)
def test_a_function_that_looks_ahead_is_told_where(measure):
    def ahead(x):
        states = mixed(x).clone()
        states[:, 2] += 0.01 * x[:, 4, :2]
        return states

    with pytest.raises(ValueError, match=r"output at timestep 2 changes by \S+ with the input at "
                       r"timestep 4, which comes later"):  # fmt: skip
        measure(ahead, inputs(), reference=inputs())


def test_a_transformer_without_its_mask():
    model = CausalTransformer()

    with pytest.raises(ValueError, match="which comes later"):
        replacement_influence(
            lambda x: model.eval().layer(model.into(x)), inputs(), reference=inputs()
        )


def test_a_leak_is_found_in_a_long_sequence():
    def ahead(x):  # timestep 0 sees the last of all
        states = mixed(0.1 * x).clone()
        states[:, 0] += 1e-3 * x[:, -1, :2]
        return states

    with pytest.raises(ValueError, match=r"output at timestep 0 .* input at timestep 299,"):
        replacement_influence(ahead, inputs(2, 300), reference=inputs())


def test_a_function_of_the_length():
    with pytest.raises(ValueError, match=r"cut after timestep 2: it depends on what follows"):
        replacement_influence(lambda x: mixed(x) / x.shape[1], inputs(), reference=inputs())


def test_a_function_with_chance():
    model = nn.Dropout(0.5)

    with pytest.raises(ValueError, match=r"without chance.*pass the module itself"):
        replacement_influence(lambda x: model(mixed(x)), inputs(), reference=inputs())


def test_a_function_that_couples_rows():
    norm = nn.BatchNorm1d(2)

    with pytest.raises(ValueError, match=r"must not depend on the others.*batch norm"):
        replacement_influence(
            lambda x: norm(mixed(x).transpose(1, 2)).transpose(1, 2), inputs(), reference=inputs()
        )


@pytest.mark.parametrize("measure", KINDS)
def test_numbers_that_are_not_finite(measure):
    def overflowing(x):
        return torch.where(torch.arange(x.shape[1])[:, None] >= 3, torch.nan, mixed(x))

    with pytest.raises(ValueError, match=r"not from timestep 3 on \(unit 0 first\)"):
        measure(overflowing, inputs(), reference=inputs(2, 2))
    with pytest.raises(ValueError, match=r"inputs must be finite.*feature 1 at timestep 4 of seq"):
        x = inputs()
        x[1, 4, 1] = torch.inf
        measure(mixed, x, reference=inputs())
    with pytest.raises(ValueError, match=r"reference must be finite"):
        measure(mixed, inputs(), reference=inputs() * torch.nan)


@pytest.mark.parametrize("measure", KINDS)
def test_a_reference_that_says_nothing(measure):
    with pytest.raises(ValueError, match="reference must hold at least one sequence"):
        measure(mixed, inputs(), reference=inputs(0))
    with pytest.raises(ValueError, match=r"1 of 2 units never change there \(unit 1\)"):
        measure(lambda x: mixed(x) * torch.tensor([1.0, 0.0]) + 3, inputs(), reference=inputs())
    with pytest.raises(ValueError, match="it must be like the inputs, but the inputs have 3"):
        measure(mixed, inputs(), reference=torch.randn(2, 3, 5))


def test_a_covariance_of_nothing():
    same = torch.full((2, 4, FEATURES), 0.1)

    with pytest.raises(ValueError, match="the 8 of the reference are all the same"):
        linear_influence(mixed, inputs(), reference=same)  # the states still change
    replacement_influence(mixed, inputs(), reference=same)


def test_what_a_function_returns():
    model = nn.LSTM(FEATURES, 4, batch_first=True)

    with pytest.raises(ValueError, match=r"made tuple of \(1, 6, 3\).*lambda x: model\(x\)\[0\]"):
        replacement_influence(lambda x: model(x), inputs(), reference=inputs())
    with pytest.raises(ValueError, match=r"made \(1, 4\) of \(1, 6, 3\)"):
        replacement_influence(lambda x: model(x)[0][:, -1], inputs(), reference=inputs())


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ([6], "sequence 0 has 6 timesteps and none numbered 6"),
        ([-7], "none numbered -7"),
        ([], "at least one timestep"),
        ("first", "'all', 'last' or a list of timesteps, but it is 'first'"),
    ],
)
def test_timesteps_that_are_not_there(at, message, unchecked):
    with pytest.raises(ValueError, match=message):
        replacement_influence(mixed, inputs(), reference=inputs(), at=at)


def test_lengths_that_do_not_fit():
    for lengths, message in (
        ([6], "hold 2 sequences, but 1 lengths"),
        ([6, 0], "that of sequence 1 is 0"),
        ([7, 3], "between 1 and their 6 timesteps"),
    ):
        with pytest.raises(ValueError, match=message):
            replacement_influence(mixed, Sequences(inputs(), lengths), reference=inputs())


def test_margins_that_do_not_fit():
    x = inputs()
    one = SequenceModel(cells.GRU(FEATURES, 4, batch_first=True), outputs=1, head="regression")

    with pytest.raises(ValueError, match="the function has 1 output"):
        replacement_influence(lambda x: mixed(x)[..., :1], x, reference=x, margin=[0, 0])
    with pytest.raises(ValueError, match=r"class between 0 and 1 for each of the 2 .* \[1\]"):
        replacement_influence(mixed, x, reference=x, margin=[1])
    with pytest.raises(ValueError, match="is for regression with 1 output"):
        replacement_influence(one, x, reference=x, margin="predicted")


def test_counts(unchecked):
    x = inputs()
    with pytest.raises(ValueError, match="needs a replacement, but got 0"):
        replacement_influence(mixed, x, reference=x, replacements=0)
    with pytest.raises(ValueError, match="at least 1 probe, but got 0"):
        linear_influence(mixed, x, reference=x, probes=0)
    with pytest.raises(ValueError, match="rows is 0"):
        linear_influence(mixed, x, reference=x, rows=0)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ("one text", TypeError, "must be a list of texts"),
        (["one text"], TypeError, "need a SequenceModel with a vocabulary"),
        (torch.tensor([[1, 2]]), TypeError, "SequenceModel with an embedding; got torch.int64"),
        (torch.ones(2, 3, FEATURES).long(), TypeError, "must be floating point numbers"),
        (torch.ones(3), ValueError, re.escape("but their shape is (3,)")),
    ],
)
def test_inputs_that_a_function_cannot_read(given, error, message, unchecked):
    with pytest.raises(error, match=message):
        replacement_influence(mixed, given, reference=inputs())
