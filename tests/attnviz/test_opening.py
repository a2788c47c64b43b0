import copy
import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from torch.testing import assert_close

import attnviz
import cells
from attnviz.opening import OpenGRU, OpeningWarning, OpenLSTM
from attnviz.trace import layer_groups
from tests.cells.helpers import EXACT, randomise, weigh
from tests.cells.test_torch_weights import as_ours

KINDS = {"LSTM": nn.LSTM, "GRU": nn.GRU}
SHAPES = [
    {},
    {"bias": False, "batch_first": True},
    {"num_layers": 2, "bidirectional": True, "dropout": 0.4},
    {"num_layers": 3, "bidirectional": True, "bias": False, "batch_first": True},
]
LENGTHS = torch.tensor([4, 7, 2, 4])
WORDS, TIME = 13, 7


pytestmark = pytest.mark.usefixtures("double_precision")


class Reader(nn.Module):
    """Embedding, LSTM over packed texts, attention over its outputs, a linear head."""

    def __init__(self, rnn=nn.LSTM):
        super().__init__()
        self.embedding = nn.Embedding(WORDS, 3)
        self.rnn = rnn(3, 5, batch_first=True, bidirectional=True)
        self.score, self.head = nn.Linear(10, 1), nn.Linear(10, 2)

    def forward(self, ids, lengths):
        self.rnn.flatten_parameters()
        packed = pack_padded_sequence(
            self.embedding(ids), lengths, batch_first=True, enforce_sorted=False
        )
        output, _ = self.rnn(packed)
        output, _ = pad_packed_sequence(output, batch_first=True)
        outside = torch.arange(output.shape[1]) >= lengths[:, None]
        scores = self.score(output).squeeze(-1).masked_fill(outside, -torch.inf)
        self.attention = scores.softmax(-1)  # kept with its graph, as many models do
        return self.head((self.attention[..., None] * output).sum(1)), scores


class Translator(nn.Module):
    """Reads with one LSTM, and writes step by step with another from the state it ended in."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.LSTM(3, 5)
        self.decoder = nn.ModuleDict({"rnn": nn.LSTM(2, 5), "head": nn.Linear(5, 2)})

    def forward(self, source, steps=3):
        _, state = self.encoder(source)
        written, word = [], source.new_zeros(1, source.shape[1], 2)
        for _ in range(steps):
            output, state = self.decoder["rnn"](word, state)
            word = self.decoder["head"](output)
            written.append(word)
        return {"written": torch.cat(written), "state": state}


class Looper(nn.Module):
    """Loops over a step by itself."""

    def __init__(self, kind=nn.LSTMCell, **options):
        super().__init__()
        self.step = kind(3, 5, **options)

    def forward(self, x):
        state, hidden = None, []
        for one in x:
            state = self.step(one, state)
            hidden.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(hidden), state


def reader(**options):
    return randomise(Reader(**options))


def batch():
    return torch.randint(0, WORDS, (len(LENGTHS), TIME)), LENGTHS


def states_for(module, batch):
    groups = module.num_layers * (2 if module.bidirectional else 1)
    given = [torch.randn(groups, *batch, 5).requires_grad_() for _ in range(2)]
    return tuple(given) if isinstance(module, nn.LSTM) else given[0]


def flat(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    return [] if value is None else [tensor for part in value for tensor in flat(part)]


def sequences(form, module):
    x = torch.randn(TIME, 4, 3)
    if form == "one":
        return torch.randn(TIME, 3).requires_grad_(), ()
    x = (x.transpose(0, 1) if module.batch_first else x).requires_grad_()
    return x, (4,)


def read(module, form, x, hx):
    given = x
    if form.startswith("packed"):
        lengths, ordered = (LENGTHS, False) if form == "packed" else (LENGTHS.sort()[0].flip(0), 1)
        given = pack_padded_sequence(
            x, lengths, batch_first=module.batch_first, enforce_sorted=bool(ordered)
        )
    return module(given) if hx is None else module(given, hx)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", ["padded", "packed", "packed and sorted", "one"])
@pytest.mark.parametrize("begun", [False, True])
def test_a_layer_returns_and_passes_back_what_torchs_does(kind, shape, form, begun):
    module = randomise(KINDS[kind](3, 5, **shape)).eval()
    opened = attnviz.open_model(module)
    x, rows = sequences(form, module)
    hx = states_for(module, rows) if begun else None
    theirs, ours = read(module, form, x, hx), read(opened, form, x, hx)

    assert [type(part) for part in ours] == [type(part) for part in theirs]
    assert_close(flat(ours), flat(theirs), **EXACT)
    if isinstance(ours[0], PackedSequence):
        for one, other in zip(ours[0][1:], theirs[0][1:], strict=True):  # all but the data
            assert one is other or torch.equal(one, other)
    inputs = [x, *flat(hx)]

    def loss(returned):
        floats = [part for part in flat(returned) if part.is_floating_point()]
        return weigh(floats)

    expected = torch.autograd.grad(loss(theirs), [*inputs, *module.parameters()])
    loss(ours).backward(inputs=[*inputs, *opened.parameters()])
    assert_close([one.grad for one in inputs], list(expected[: len(inputs)]), **EXACT)
    per_group = 4 if module.bias else 2
    for place, cell in enumerate(opened.layer.groups.values()):
        start = len(inputs) + place * per_group
        gradients = list(expected[start : start + per_group])
        gradients += [torch.zeros(20 if kind == "LSTM" else 15)] * (4 - per_group)
        of_ours = as_ours(kind, gradients, 5)
        for name, parameter in cell.named_parameters():
            assert_close(parameter.grad, of_ours[name], **EXACT)


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(4, 2, 3), (4, 3)])
def test_a_step_returns_and_passes_back_what_torchs_does(kind, bias, shape):
    model = randomise(Looper(kind, bias=bias))
    with pytest.warns(OpeningWarning, match=r"step is one step of a loop in the model's own code"):
        opened = attnviz.open_model(model, torch.randn(shape))
    x = torch.randn(shape, requires_grad=True)

    theirs, ours = model(x), opened(x)

    assert_close(flat(ours), flat(theirs), **EXACT)
    (expected,) = torch.autograd.grad(weigh(flat(theirs)), x)
    (found,) = torch.autograd.grad(weigh(flat(ours)), x)
    assert_close(found, expected, **EXACT)
    assert isinstance(opened.step, kind)


def test_the_gates_of_a_step_are_in_what_its_cell_returns():
    model, x = randomise(Looper()), torch.randn(4, 2, 3)
    with pytest.warns(OpeningWarning):
        opened = attnviz.open_model(model)
    seen = []
    opened.step.cell.register_forward_hook(lambda cell, given, result: seen.append(result[1]))

    hidden, _ = opened(x)

    step = model.step
    first = x[0] @ step.weight_ih.T + step.bias_ih + step.bias_hh
    assert_close(seen[0]["forget_gate"], first.chunk(4, dim=-1)[1].sigmoid(), **EXACT)
    assert_close(torch.stack([gates["hidden"] for gates in seen]), hidden, **EXACT)
    with pytest.raises(TypeError, match="holds no recurrent layer"):
        attnviz.record(opened)


@pytest.mark.parametrize("rnn", [nn.LSTM, nn.GRU])
def test_a_reader_with_attention_gives_the_same_and_is_recorded(rnn):
    model, (ids, lengths) = reader(rnn=rnn), batch()
    model(ids, lengths)  # leaves its attention behind, which has a graph
    before = {name: values.clone() for name, values in model.state_dict().items()}

    opened = attnviz.open_model(model, (ids, lengths))
    with attnviz.record(opened, keep=["hidden", "candidate", "gate_attention"]) as recording:
        found = opened(ids, lengths)
        weigh([found[0]]).backward()

    expected = model.eval()(ids, lengths)
    weigh([expected[0]]).backward()
    assert_close(found, expected, **EXACT)
    for name in ("embedding.weight", "score.weight", "head.bias"):
        ours, theirs = opened.get_parameter(name), model.get_parameter(name)
        assert_close(ours.grad, theirs.grad, **EXACT)
    trace = recording.trace
    assert layer_groups(trace) == ["l0", "l0_reverse"]
    assert trace.tree.attrs["model"] == "Reader"
    assert trace.tree["length"].values.tolist() == LENGTHS.tolist()
    for group in layer_groups(trace):
        residual = trace.tree[group]["gate_attention_residual"].values
        assert np.nanmax(residual) < 1e-12
        assert np.nanmin(trace.tree[group]["hidden_gradient_norm"].values) > 0
    # The model that was opened is as it was.
    assert type(model.rnn) is rnn
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())


def test_gates_and_gradient_norms_are_those_of_the_torch_model():
    module, x = randomise(nn.LSTM(3, 5)), torch.randn(TIME, 2, 3)
    opened = attnviz.open_model(nn.Sequential(module))
    with attnviz.record(opened, keep=["forget_gate", "output_gate", "memory"]) as recording:
        output, _ = opened(x)
        weigh([output]).backward()

    state, hidden = None, []
    for one in x:
        _, state = module(one[None], state)
        hidden.append(state[0])
        state[0].retain_grad()
    weigh([torch.cat(hidden)]).backward()

    group = recording.trace.tree["l0"]
    norms = torch.cat([part.grad for part in hidden]).norm(dim=-1)
    assert_close(torch.tensor(group["hidden_gradient_norm"].values).T, norms, **EXACT)
    last = torch.cat([torch.zeros(1, 2, 5), *hidden[:-1]])
    before = x @ module.weight_ih_l0.T + last @ module.weight_hh_l0.T
    gates = (before + module.bias_ih_l0 + module.bias_hh_l0).chunk(4, dim=-1)
    for name, place in (("forget_gate", 1), ("output_gate", 3)):
        recorded = torch.tensor(group[name].values).transpose(0, 1)
        assert_close(recorded, gates[place].sigmoid().detach(), **EXACT)


def test_the_copy_passes_for_what_it_was():
    class Named(nn.LSTM):
        """As users write them, to have their initial state at hand."""

        def begin(self, batch):
            return (torch.zeros(self.num_layers, batch, self.hidden_size),) * 2

    calls = []
    module = randomise(Named(3, 5, num_layers=2, dropout=0.5))
    module.note = "mine"
    module.register_forward_hook(lambda *given: calls.append(given))
    model = nn.ModuleDict({"rnn": module, "rest": nn.Linear(5, 2)}).train()

    rnn = attnviz.open_model(model)["rnn"]

    assert not calls and not rnn.training and model.training
    assert isinstance(rnn, (Named, OpenLSTM)) and not isinstance(module, OpenLSTM)
    shape = (rnn.input_size, rnn.hidden_size, rnn.num_layers, rnn.batch_first, rnn.bidirectional)
    assert shape == (3, 5, 2, False, False)
    assert (rnn.mode, rnn.dropout, rnn.proj_size, rnn.note) == ("LSTM", 0.5, 0, "mine")
    x = torch.randn(TIME, 4, 3)
    assert_close(rnn(x, rnn.begin(4)), module.eval()(x, module.begin(4)), **EXACT)
    assert len(calls) == 2
    assert rnn.flatten_parameters() is None
    again = copy.deepcopy(rnn).float()
    assert again(x.float())[0].dtype == torch.float32
    again.load_state_dict(rnn.state_dict())
    with pytest.raises(AttributeError, match="has no weight_hh_l0: the weights of an opened"):
        _ = rnn.weight_hh_l0
    with pytest.raises(AttributeError, match="bias_ih_l0 cannot be set"):
        rnn.bias_ih_l0 = nn.Parameter(torch.zeros(20))
    with pytest.raises(AttributeError, match="object has no attribute 'nothing'"):
        _ = rnn.nothing
    with pytest.raises(ValueError, match=r"2 axes .* or 3, got shape \(3,\)"):
        rnn(torch.zeros(3))
    with pytest.raises(ValueError, match=r"= \(2, 4, 5\), got \(2, 5, 5\)"):
        rnn(x, rnn.begin(5))


def test_gradients_are_asked_for_where_they_were():
    model = nn.ModuleList([nn.LSTM(3, 5), nn.GRU(5, 5), nn.GRU(5, 5), nn.Linear(5, 2)])
    model[0].requires_grad_(False)
    model[1].weight_ih_l0.requires_grad_(False)
    model[1].bias_ih_l0.requires_grad_(False)
    model[3].bias.requires_grad_(False)

    opened = attnviz.open_model(model)

    assert not any(p.requires_grad for p in opened[0].parameters())
    asking = {name for name, p in opened[1].layer.cells["l0"].named_parameters() if p.requires_grad}
    assert asking == {
        "from_input.bias",  # the sum of both, and one of them asked
        "update_from_hidden.weight",
        "reset_from_hidden.weight",
        "candidate_from_hidden.weight",
        "candidate_from_hidden.bias",
    }
    assert all(p.requires_grad for p in opened[2].parameters())
    assert not opened[3].bias.requires_grad and opened[3].weight.requires_grad
    with attnviz.record(opened[0]) as recording:  # of a frozen layer the input still asks
        opened[0](torch.randn(TIME, 2, 3, requires_grad=True))[0].sum().backward()
    assert (recording.trace.tree["l0"]["hidden_gradient_norm"].values > 0).all()


def test_an_encoder_and_decoder_give_the_same_and_each_can_be_recorded():
    model, source = randomise(Translator()), torch.randn(TIME, 2, 3)

    opened = attnviz.open_model(model, {"source": source, "steps": 4})

    assert_close(flat(opened(source)), flat(model(source)), **EXACT)
    with pytest.raises(RuntimeError, match=r"Record the layer"), attnviz.record(opened):
        opened(source)
    with attnviz.record(opened.encoder, keep=["forget_gate"]) as recording:
        opened(source)["written"].sum().backward()
    trace = recording.trace
    assert trace.tree["length"].values.tolist() == [TIME, TIME]
    assert (trace.tree["l0"]["hidden_gradient_norm"].values[:, -1] > 0).all()
    with attnviz.record(opened.decoder["rnn"], keep=["forget_gate"], gradients=False) as recording:
        opened(source, steps=3)
    assert recording.trace.tree["l0"]["forget_gate"].shape == (6, 1, 5)  # one call a step


def test_a_model_that_goes_on_from_its_last_call_is_compared_from_where_it_is():
    class Stateful(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.state = nn.GRU(3, 5), None

        def forward(self, x):
            output, self.state = self.rnn(x, self.state)
            return output

    model, x = randomise(Stateful()), torch.randn(TIME, 2, 3)
    model(x)

    opened = attnviz.open_model(model, x)

    assert_close(opened(x), model(x), **EXACT)
    assert_close(opened(x), model(x), **EXACT)


def wrap_parallel(model):
    return nn.DataParallel(model)


def wrap_compiled(model):
    return torch.compile(model, backend="eager")


def wrap_both(model):
    return nn.DataParallel(torch.compile(model, backend="eager"))


@pytest.mark.parametrize("wrap", [wrap_parallel, wrap_compiled, wrap_both])
def test_wrappers_are_taken_off(wrap):
    model, given = reader(), batch()
    expected = model.eval()(*given)

    opened = attnviz.open_model(wrap(model))

    assert type(opened) is Reader
    assert_close(opened(*given), expected, **EXACT)
    inner = attnviz.open_model(nn.ModuleList([wrap(model), nn.Linear(2, 2)]))
    assert type(inner[0]) is Reader and type(inner[0].rnn) is OpenLSTM
    with attnviz.record(inner[0]) as recording:
        inner[0](*given)
    assert layer_groups(recording.trace) == ["l0", "l0_reverse"]


def test_a_model_compiled_in_place_is_opened_uncompiled():
    model, given = reader(), batch()
    model.compile(backend="eager")
    opened = attnviz.open_model(model, given)
    assert opened._compiled_call_impl is None
    assert_close(opened(*given)[0], model.eval().forward(*given)[0], **EXACT)


def old_norm(function):
    def reparametrise(module, name):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            function(module, name)

    return reparametrise


REPARAMETRISED = {
    "weight norm": parametrizations.weight_norm,
    "orthogonal": parametrizations.orthogonal,
    "old weight norm": old_norm(nn.utils.weight_norm),
    "old spectral norm": old_norm(nn.utils.spectral_norm),
    "pruned": lambda module, name: prune.l1_unstructured(module, name, 0.5),
    "pruned twice": lambda module, name: [
        prune.random_unstructured(module, name, part) for part in (0.3, 0.4)
    ],
}


@pytest.mark.parametrize("how", REPARAMETRISED)
@pytest.mark.parametrize("frozen", [False, True])
def test_reparametrised_weights_are_taken_as_they_amount_to(how, frozen):
    model, given = reader(), batch()
    for name in ("weight_hh_l0", "weight_hh_l0_reverse"):
        REPARAMETRISED[how](model.rnn, name)
    with torch.no_grad():  # what older ones keep from the last call is out of date
        for name, parameter in model.rnn.named_parameters():
            if "weight_hh" in name and how != "orthogonal":
                parameter.mul_(1.3)
            parameter.requires_grad_(not (frozen and "weight_hh" in name))
    expected = copy.deepcopy(model.state_dict())

    opened = attnviz.open_model(model, given)

    assert_close(opened(*given), model.eval()(*given), **EXACT)
    assert set(model.state_dict()) == set(expected) != set(reader().state_dict())
    gates = opened.rnn.layer.cells["l0"].gates
    assert gates.gates_from_hidden.weight.requires_grad is not frozen
    assert gates.from_input.weight.requires_grad


def test_one_module_under_two_names_stays_one():
    rnn = randomise(nn.GRU(3, 3))
    model = nn.ModuleDict({"one": rnn, "two": nn.Sequential(rnn)})
    opened = attnviz.open_model(model)
    assert opened["one"] is opened["two"][0]
    assert type(opened["one"]) is OpenGRU


def test_parameters_that_are_shared_are_told():
    model = nn.ModuleDict({"one": nn.GRU(3, 5), "two": nn.GRU(3, 5)})
    model["two"].weight_hh_l0 = model["one"].weight_hh_l0
    with pytest.warns(OpeningWarning, match=r"\['one', 'two'\] share the parameter one.weight_hh"):
        attnviz.open_model(model)


class Listed(nn.Module):
    def __init__(self, seen=True):
        super().__init__()
        self.layers = [nn.LSTM(3, 5)]
        self.seen = nn.GRU(3, 5) if seen else nn.Linear(3, 5)


def test_a_layer_in_a_plain_list_is_told():
    with pytest.warns(OpeningWarning, match=r"LSTM in layers of Listed is kept in a plain list"):
        opened = attnviz.open_model(Listed())
    assert type(opened.layers[0]) is nn.LSTM and type(opened.seen) is OpenGRU
    with pytest.raises(TypeError, match=r"its LSTM in layers is kept in a plain list .*ModuleList"):
        attnviz.open_model(Listed(seen=False))


@pytest.mark.parametrize(
    ("given", "came"),
    [(nn.GRU(3, 4).state_dict(), "OrderedDict"), ("net.pt", r"the path 'net\.pt'")],
)
def test_weights_alone_are_no_model(unchecked, given, came):
    with pytest.raises(TypeError, match=rf"got {came}\. Weights alone .*load_state_dict"):
        attnviz.open_model(given)
    with pytest.raises(TypeError, match=r"got int\.$"):
        attnviz.open_model(3)


def test_scripted_modules_are_refused():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        scripted = torch.jit.script(nn.LSTM(3, 5))
    with pytest.raises(TypeError, match=r"the model is one .* Open the model before torch.jit"):
        attnviz.open_model(scripted)
    with pytest.raises(TypeError, match=r"and 1 is one"):
        attnviz.open_model(nn.Sequential(nn.GRU(3, 3), scripted))


def test_what_is_not_torchs_function_is_refused_or_skipped():
    class Own(nn.LSTM):
        def forward(self, x, hx=None):
            return super().forward(2 * x, hx)

    class Extra(nn.GRU):
        def __init__(self, *sizes):
            super().__init__(*sizes)
            self.raw = nn.Parameter(torch.ones(2))

    model = randomise(
        nn.ModuleDict(
            {"small": nn.LSTM(3, 5, proj_size=2), "own": Own(3, 5), "more": Extra(3, 5),
             "good": nn.LSTM(3, 5)}
        )
    )  # fmt: skip
    with pytest.raises(ValueError) as refused:
        attnviz.open_model(model)
    told = str(refused.value)
    assert "small: it projects its hidden state to 2 features (proj_size)" in told
    assert "own: Own has a forward of its own" in told
    assert "more: its parameters are not those of torch.nn.GRU: ['raw']" in told
    assert told.endswith("pass skip=['small', 'own', 'more'].")

    opened = attnviz.open_model(model, skip=["small", "own", "more"])

    assert type(opened["own"]) is Own and type(opened["good"]) is OpenLSTM
    with pytest.raises(KeyError, match=r"skip names \['smal'\], .* are \['good', 'more'"):
        attnviz.open_model(model, skip=["smal"])
    with pytest.raises(TypeError, match=r"skip names all of \['0'\]"):
        attnviz.open_model(nn.Sequential(nn.LSTM(3, 5)), skip="0")
    held = nn.LSTM(3, 5)
    held.forward = lambda x: x
    with pytest.raises(ValueError, match="the model: LSTM has a forward of its own"):
        attnviz.open_model(held)


def test_a_model_with_nothing_to_open_says_what_was_looked_for(unchecked):
    with pytest.raises(TypeError) as refused:
        attnviz.open_model(nn.Sequential(nn.RNN(3, 5), nn.Linear(5, 2)))
    told = str(refused.value)
    assert "looked for torch.nn.LSTM, GRU, LSTMCell and GRUCell" in told
    assert "made of ['Linear', 'RNN']" in told
    assert "cells.Recurrent" in told and "attnviz.from_arrays" in told
    opened = attnviz.open_model(nn.LSTM(3, 5))
    for ready in (opened, nn.Sequential(cells.RRA(3, 5))):
        with pytest.raises(TypeError, match=r"open already: use attnviz.record"):
            attnviz.open_model(ready)
    with pytest.raises(TypeError, match=r"opens a torch.nn.Module, got the path 'model.pt'"):
        attnviz.open_model("model.pt")


def test_a_difference_is_refused():
    class Fickle(nn.Module):
        """Computes something else once its LSTM is not torch's."""

        def __init__(self):
            super().__init__()
            self.rnn = nn.LSTM(3, 5)

        def forward(self, x):
            output, (hidden, _) = self.rnn(x)
            shift = 1e-3 if hasattr(self.rnn, "layer") else 0.0
            return {"output": output, "hidden": (hidden + shift,)}

    model, x = randomise(Fickle()), torch.randn(TIME, 2, 3)
    with pytest.raises(ValueError, match=r"Fickle, opened, .* output\['hidden'\]\[0\] differs by"):
        attnviz.open_model(model, x)
    attnviz.open_model(model, x, tolerance=1e-2)
    attnviz.open_model(model)  # the layer itself is right


def test_an_lstm_whose_weights_are_not_numbers_is_the_same():
    module = randomise(nn.LSTM(3, 5))
    with torch.no_grad():
        module.bias_ih_l0[2] = torch.nan
    opened = attnviz.open_model(module)
    assert opened(torch.randn(2, 1, 3))[0].isnan().any()


def test_random_numbers_in_the_forward_do_not_matter(unchecked):  # the checker draws some
    class Noisy(Reader):
        def forward(self, ids, lengths):
            found, _ = super().forward(ids, lengths)
            return found + torch.randn(2) + random.random()

    model, given = randomise(Noisy()), batch()
    before = torch.random.get_rng_state(), random.getstate()

    attnviz.open_model(model, given)

    assert torch.equal(torch.random.get_rng_state(), before[0]) and random.getstate() == before[1]
    with pytest.raises(ValueError, match="compares the tensors that Silent returns"):
        attnviz.open_model(Silent(), torch.randn(TIME, 2, 3))


class Silent(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(3, 5)

    def forward(self, x):
        self.rnn(x)


def test_a_model_that_cannot_be_copied_says_so():
    model = reader()
    model.source = (number for number in range(3))
    with pytest.raises(ValueError, match=r"Reader cannot be copied .*generator"):
        attnviz.open_model(model)


def test_precision_is_kept():
    model, (ids, lengths) = reader().float(), batch()
    opened = attnviz.open_model(model, (ids, lengths))
    assert {p.dtype for p in opened.parameters()} == {torch.float32}
    apart = (opened(ids, lengths)[0] - model.eval()(ids, lengths)[0]).abs().max()
    assert 0 <= apart < 1e-5
    half = attnviz.open_model(nn.GRU(3, 5).bfloat16())
    assert half(torch.randn(2, 1, 3).bfloat16())[0].dtype == torch.bfloat16


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_a_copy_of_an_opened_model_can_be_copied_and_cast(kind):
    opened = attnviz.open_model(kind(3, 4))
    x = torch.randn(5, 2, 3)
    twice = copy.deepcopy(copy.deepcopy(opened))
    assert torch.equal(twice(x)[0], opened(x)[0])
    assert twice.float()(x.float())[0].dtype == torch.float32
