import json
from contextlib import nullcontext

import numpy as np
import pytest
import torch

import attnviz
import cells
from attnviz.models import SequenceModel
from attnviz.recording.assembly import Batch, report_not_finite
from attnviz.trace import layer_groups, signal, source_kind
from tests.cells.own_cell import GlanceCell
from tests.cells.pretend_cuda import pretend_cuda

LENGTHS = torch.tensor([7, 3, 11])
IDS = torch.randint(0, 13, (3, 11), generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([1, 0, 1])

LAYERS = {
    "rra": lambda **o: cells.RRA(5, 4, batch_first=True, window=3, **o),
    "rra softmax": lambda **o: cells.RRA(
        5, 4, batch_first=True, window=2, first_lag=1, normalization="softmax", **o
    ),
    "larnn": lambda **o: cells.LARNN(
        5, 4, batch_first=True, window=3, heads=2, options=cells.LARNNOptions.preset("stable"), **o
    ),
    "rau": lambda **o: cells.RAU(5, 4, batch_first=True, **o),
    "rau hidden": lambda **o: cells.RAU(5, 4, batch_first=True, reading="hidden", **o),
    "lstm": lambda **o: cells.LSTM(5, 4, batch_first=True, **o),
    "gru": lambda **o: cells.GRU(5, 4, batch_first=True, **o),
    "gru before": lambda **o: cells.GRU(5, 4, batch_first=True, reset="before", **o),
    "own": lambda **o: cells.Recurrent(lambda n: GlanceCell(n, 4), 5, batch_first=True, **o),
}


def make_model(name, *, dropout=0.0, head="classification", **options):
    torch.manual_seed(3)
    return SequenceModel(
        LAYERS[name](**options), outputs=2, head=head, vocabulary_size=13, dropout=dropout
    )


def loss_of(model):
    return torch.nn.functional.cross_entropy(model(IDS, LENGTHS), LABELS, reduction="sum")


@pytest.mark.filterwarnings("ignore:Routes of")  # dropout cannot be read again
@pytest.mark.parametrize("name", LAYERS)
def test_recording_changes_no_bit_of_outputs_and_gradients(name):
    def run(recorded):
        model = make_model(name, dropout=0.3, num_layers=2, bidirectional=True)
        torch.manual_seed(9)
        if recorded:
            with attnviz.record(model, keep="all"):
                loss = loss_of(model)
                loss.backward()
        else:
            loss = loss_of(model)
            loss.backward()
        return loss, {key: p.grad for key, p in model.named_parameters()}

    plain, gradients = run(recorded=False)
    watched, watched_gradients = run(recorded=True)

    assert torch.equal(plain, watched)
    assert set(gradients) == set(watched_gradients)
    for key, gradient in gradients.items():
        if gradient is None:
            assert watched_gradients[key] is None
        else:
            assert torch.equal(gradient, watched_gradients[key]), key


@pytest.mark.parametrize("name", LAYERS)
def test_every_signal_can_be_recorded_with_its_declared_axes(name):
    model = make_model(name).eval()

    with attnviz.record(model, keep="all") as recording:
        loss_of(model).backward()

    group = recording.trace.tree["l0"]
    declared = json.loads(group.attrs["signals"])
    for signal_name, cell_signal in model.layer.groups["l0"].signals.items():
        values = group[signal_name]
        assert values.dims == ("sequence", "time", *cell_signal.axes)
        assert declared[signal_name]["symbol"] == cell_signal.symbol
        assert (values.sizes["sequence"], values.sizes["time"]) == (3, 11)
        for row, length in enumerate(LENGTHS.tolist()):
            assert np.isfinite(values.values[row, :length]).all()
            assert np.isnan(values.values[row, length:]).all()


@pytest.mark.filterwarnings("ignore:Routes of")  # dropout cannot be read again
@pytest.mark.parametrize("preset", ["fixed", "paper", "released", "stable"])
def test_recording_changes_nothing_of_larnn_in_training(preset):
    def run(recorded):
        torch.manual_seed(2)
        options = cells.LARNNOptions.preset(preset)
        layer = cells.LARNN(5, 4, window=3, heads=2, options=options)
        x = torch.randn(6, 9, 5)
        with attnviz.record(layer, keep="all") if recorded else nullcontext():
            output, _ = layer(x, lengths=[6, 6, 6, 6, 6, 6, 6, 6, 2])
            output.square().sum().backward()
        gradients = {name: p.grad for name, p in layer.named_parameters()}
        return output, gradients, dict(layer.named_buffers())

    plain, gradients, buffers = run(recorded=False)
    watched, watched_gradients, watched_buffers = run(recorded=True)

    assert torch.equal(plain, watched)
    for name, values in buffers.items():
        assert torch.equal(values, watched_buffers[name]), name
    for name, gradient in gradients.items():
        if gradient is None:
            assert watched_gradients[name] is None
        else:
            assert torch.equal(gradient, watched_gradients[name]), name


def test_what_is_recorded_is_what_the_cell_computed():
    model = make_model("rra").eval()

    with attnviz.record(model, keep=["hidden", "attention", "contribution"]) as recording:
        model(IDS, LENGTHS)

    hidden, _ = model.layer(model.embedding(IDS), lengths=LENGTHS)
    trace = recording.trace
    for row, length in enumerate(LENGTHS.tolist()):
        np.testing.assert_array_equal(
            signal(trace, "hidden").values[row, :length], hidden[row, :length].detach()
        )
    kernel = model.layer.groups["l0"].lag_kernel().detach().numpy()
    np.testing.assert_array_equal(signal(trace, "attention").values[1, 2, 0], kernel)
    np.testing.assert_array_equal(trace.tree["l0"]["lag_kernel"].values[0], kernel)
    assert trace.tree["l0"]["lag"].values.tolist() == [2, 3, 4]
    # At the last step of row 0, lag 3 reads the state three steps before.
    past = hidden[0, 6 - 3].detach().norm().item()
    np.testing.assert_allclose(
        signal(trace, "contribution").values[0, 6, 0, 1], abs(kernel[1]) * past, rtol=1e-6
    )


def test_gradient_norms_equal_those_of_an_unwatched_graph():
    model = make_model("lstm").double().eval()

    with attnviz.record(model) as recording:
        loss_of(model).backward()

    features = model.embedding(IDS).detach()
    cell, row, length = model.layer.groups["l0"], 0, int(LENGTHS[0])
    state = cell.initial_state(1, dtype=torch.float64)
    hidden, memory = [], []
    for time in range(length):
        state, _ = cell(features[row, time][None], state)
        hidden.append(state.hidden)
        memory.append(state.memory)
    loss = torch.nn.functional.cross_entropy(model.head(state.hidden), LABELS[row][None])
    norms = [g.norm().item() for g in torch.autograd.grad(loss, hidden + memory)]
    for name, expected in (("hidden", norms[:length]), ("memory", norms[length:])):
        found = signal(recording.trace, f"{name}_gradient_norm").values[row]
        np.testing.assert_allclose(found[:length], expected, rtol=1e-12)
        assert np.isnan(found[length:]).all()


def test_gradients_of_two_calls_go_to_the_call_they_belong_to():
    model = make_model("gru").eval()

    with attnviz.record(model) as apart:
        loss_of(model).backward()
    with attnviz.record(model) as mixed:
        first, second = loss_of(model), 100 * loss_of(model)
        second.backward()
        first.backward()

    norms = signal(mixed.trace, "hidden_gradient_norm").values
    alone = signal(apart.trace, "hidden_gradient_norm").values
    np.testing.assert_allclose(norms[:3], alone, rtol=1e-5)
    np.testing.assert_allclose(norms[3:], 100 * alone, rtol=1e-5)


def test_a_mean_loss_is_stored_as_a_sum():
    model = make_model("gru").eval()
    with attnviz.record(model) as summed:
        loss_of(model).backward()
    with attnviz.record(model, loss_reduction="mean") as averaged:
        torch.nn.functional.cross_entropy(model(IDS, LENGTHS), LABELS).backward()

    np.testing.assert_allclose(
        signal(averaged.trace, "hidden_gradient_norm").values,
        signal(summed.trace, "hidden_gradient_norm").values,
        rtol=1e-5,
    )


@pytest.mark.parametrize("name", ["gru", "gru before", "rau", "rau hidden", "lstm", "rra"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_gate_attention_adds_up_to_the_state(name, bidirectional):
    model = make_model(name, bidirectional=bidirectional).double().eval()

    with attnviz.record(model, ages=4) as recording:
        model(IDS, LENGTHS)

    for group in layer_groups(recording.trace):
        node = recording.trace.tree[group]
        residual = node["gate_attention_residual"].values
        assert np.nanmax(residual) <= 1e-12
        total = node["gate_attention"].sum("age", skipna=False)
        total = total + node["gate_attention_beyond"] + node["gate_attention_initial"]
        if name not in ("lstm", "rra"):
            for row, length in enumerate(LENGTHS.tolist()):
                np.testing.assert_allclose(total.values[row, :length], 1, rtol=1e-12)


def test_gate_attention_of_one_gru_unit_by_hand():
    cell = cells.GRUCell(1, 1)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.zero_()  # every update gate is one half
    layer = cells.Recurrent(lambda _: cell, 1)

    with attnviz.record(layer, ages=2) as recording:
        layer(torch.ones(4, 1, 1))

    node = recording.trace.tree["l0"]
    np.testing.assert_array_equal(node["gate_attention"].values[0, 3], [1 / 2, 1 / 4])
    np.testing.assert_array_equal(node["gate_attention"].values[0, 0], [1 / 2, 0])
    np.testing.assert_array_equal(
        node["gate_attention_beyond"].values[0], [0, 0, 1 / 8, 1 / 8 + 1 / 16]
    )
    np.testing.assert_array_equal(
        node["gate_attention_initial"].values[0], [1 / 2, 1 / 4, 1 / 8, 1 / 16]
    )


def test_predictions_and_running_scores():
    model = make_model("lstm").eval()

    with attnviz.record(model) as recording:
        logits = model(IDS, LENGTHS)

    root = recording.trace.tree
    np.testing.assert_array_equal(root["prediction"].values, logits.detach())
    for row, length in enumerate(LENGTHS.tolist()):
        np.testing.assert_allclose(
            root["score"].values[row, length - 1], logits[row].detach(), rtol=1e-6
        )
        shorter = model(IDS[row, :2][None], torch.tensor([2]))[0].detach()
        np.testing.assert_allclose(root["score"].values[row, 1], shorter, rtol=1e-5)
        assert np.isnan(root["score"].values[row, length:]).all()


def test_language_model_losses():
    torch.manual_seed(0)
    model = SequenceModel(
        LAYERS["gru"](), outputs=13, head="language_model", vocabulary_size=13
    ).eval()

    with attnviz.record(model) as recording:
        logits = model(IDS, LENGTHS)

    loss = recording.trace.tree["loss"].values
    expected = -logits.log_softmax(-1)[2, 4, IDS[2, 5]].item()
    np.testing.assert_allclose(loss[2, 4], expected, rtol=1e-5)
    for row, length in enumerate(LENGTHS.tolist()):
        assert np.isfinite(loss[row, : length - 1]).all()
        assert np.isnan(loss[row, length - 1 :]).all()


def test_batches_of_different_lengths_become_one_trace():
    model = make_model("larnn").eval()
    with attnviz.record(model) as recording:
        recording.describe(id=["a", "b", "c"], label=[1, 0, 1])
        model(IDS, LENGTHS)
        model(IDS[:2, :5], torch.tensor([5, 2]))

    trace = recording.trace
    assert trace.tree["length"].values.tolist() == [7, 3, 11, 5, 2]
    assert trace.tree["id"].values.tolist() == ["a", "b", "c", "3", "4"]
    assert trace.tree["label"].values.tolist() == [1, 0, 1, -1, -1]
    attention = signal(trace, "attention")
    assert attention.sizes == {"sequence": 5, "time": 11, "head": 2, "lag": 3}
    assert np.isnan(attention.values[4, 2:]).all()


def test_the_words_of_each_sequence_are_its_text():
    model = make_model("larnn").eval()
    words = [[f"w{time}" for time in range(length)] for length in (7, 3, 11)]
    with attnviz.record(model) as recording:
        recording.describe(tokens=words)
        model(IDS, LENGTHS)

    trace = recording.trace
    assert [attnviz.trace.tokens(trace, row) for row in range(3)] == words
    assert trace.tree["text"].values[1] == "w0 w1 w2"
    with pytest.raises(ValueError, match="either the tokens"):
        recording.describe(tokens=words, text=["a", "b", "c"])


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"tokens": [["a"] * 7, ["b"] * 3]}, "told text of 2 sequences, but the call read 3"),
        ({"label": [1, 0]}, "told label of 2 sequences"),
        ({"id": list("abcd")}, "told id of 4 sequences"),
        (
            {"tokens": [["a"] * 7, ["b"] * 4, ["c"] * 11]},
            "told 4 tokens of sequence 1, but the call read 3 timesteps",
        ),
    ],
)
def test_what_is_told_has_to_fit_what_is_read(told, said):
    model = make_model("gru").eval()
    with pytest.raises(ValueError, match=said), attnviz.record(model) as recording:
        recording.describe(**told)
        model(IDS, LENGTHS)


def test_a_sink_takes_each_batch_once():
    model, seen = make_model("rra").eval(), []
    with attnviz.record(model, sink=seen.append) as recording:
        for _ in range(3):
            loss_of(model).backward()

    assert [int(trace.tree.sizes["sequence"]) for trace in seen] == [3, 3, 3]
    assert all("hidden_gradient_norm" in trace.tree["l0"] for trace in seen)
    with pytest.raises(RuntimeError, match="sink"):
        _ = recording.trace


def hooks_of(model):
    return [
        len(hooks)
        for module in model.modules()
        for hooks in (
            module._forward_hooks,
            module._forward_pre_hooks,
            getattr(module, "_readout_hooks", ()),
            getattr(module, "_gradient_hooks", ()),
        )
    ]


def test_hooks_are_gone_after_the_block_an_exception_and_nesting():
    model = make_model("rra").eval()
    foreign = model.layer.register_readout_hook(lambda *_: None, ["hidden"])
    before = hooks_of(model)

    with pytest.raises(ZeroDivisionError), attnviz.record(model):
        model(IDS, LENGTHS)
        raise ZeroDivisionError
    assert hooks_of(model) == before
    with pytest.raises(ValueError, match="lengths"), attnviz.record(model):
        model(IDS, torch.tensor([1, 2, 99]))
    assert hooks_of(model) == before
    with attnviz.record(model, keep=["context"]) as outer:
        with attnviz.record(model, keep=["attention"]) as inner:
            model(IDS, LENGTHS)
        model(IDS, LENGTHS)
    assert hooks_of(model) == before
    assert "attention" not in outer.trace.tree["l0"]
    assert "context" not in inner.trace.tree["l0"]
    assert (outer.trace.tree.sizes["sequence"], inner.trace.tree.sizes["sequence"]) == (6, 3)
    foreign.remove()


def test_two_layers_in_one_model_keep_their_names():
    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.low, self.high = LAYERS["lstm"](), cells.RRA(4, 3, batch_first=True, window=2)

        def forward(self, x):
            return self.high(self.low(x)[0])[0]

    model = Two()
    with attnviz.record(model) as recording:
        model(torch.randn(2, 6, 5)).sum().backward()

    assert layer_groups(recording.trace) == ["low.l0", "high.l0"]
    assert signal(recording.trace, "attention").sizes["lag"] == 2


def test_history_carried_in_moves_the_sources():
    layer = cells.RRA(5, 4, window=3)
    _, state = layer(torch.randn(6, 2, 5))

    with attnviz.record(layer) as recording:
        layer(torch.randn(4, 2, 5), state)

    trace = recording.trace
    assert trace.tree["history"].values.tolist() == [6, 6]
    assert (source_kind(trace, "l0", 0).values == 0).all()


def test_values_that_are_not_finite_are_reported_where_they_begin():
    layer = cells.LSTM(2, 3)
    x = torch.zeros(7, 2, 2)
    x[4, 1] = torch.nan

    with pytest.warns(RuntimeWarning) as warned, attnviz.record(layer, keep=["hidden", "memory"]):
        layer(x)

    (one,) = warned
    assert str(one.message).startswith(
        "hidden of l0 is not finite from timestep 4 of sequence 1 of its batch on (nor memory). The"
    )


def test_what_is_first_not_finite_is_named_first():
    found = {
        "hidden_gradient_norm": np.full((2, 7), np.nan), "hidden": np.zeros((2, 7, 3)),
        "memory": np.zeros((2, 7, 3)), "input_gate": np.zeros((2, 7, 3)),
    }  # fmt: skip
    found["hidden_gradient_norm"][0, 6] = 1.0
    found["hidden"][1, 4:, 0], found["memory"][1, 2:, 1] = np.inf, np.nan
    batch = Batch({})
    batch.root["length"], batch.groups["l0"] = np.array([7, 6], np.int32), found

    with pytest.warns(RuntimeWarning) as warned:
        report_not_finite(batch)

    (one,) = warned
    assert "memory of l0 is not finite from timestep 2 of sequence 1 of its" in str(one.message)
    assert "(nor hidden_gradient_norm, hidden)" in str(one.message)


def test_what_cannot_be_recorded_is_refused():
    with pytest.raises(TypeError, match=r"holds no recurrent layer.*open_model"):
        attnviz.record(torch.nn.LSTM(2, 3))
    with pytest.raises(KeyError, match=r"no signal \['atention'\]"):
        attnviz.record(make_model("rra"), keep=["atention"])
    with pytest.raises(RuntimeError, match="Nothing was recorded"), attnviz.record(cells.GRU(2, 3)):
        pass


def test_layers_that_read_different_lengths_are_refused():
    class Pair(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder, self.decoder = cells.GRU(2, 3), cells.GRU(2, 3)

        def forward(self, x):
            return self.decoder(x[:5])[0].sum() + self.encoder(x)[0].sum()

    with pytest.raises(RuntimeError, match=r"lengths \[7, 7\].*read \[5, 5\]"):
        with attnviz.record(Pair()) as recording:
            recording.model(torch.randn(7, 2, 2))


def test_a_layer_called_twice_in_one_forward_is_refused():
    class Twice(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = cells.GRU(2, 3)

        def forward(self, x):
            return self.layer(x)[0] + self.layer(x)[0]

    with pytest.raises(RuntimeError, match="l0 was called twice"):
        with attnviz.record(Twice()) as recording:
            recording.model(torch.randn(7, 2, 2))


def test_the_mode_and_weights_are_those_of_the_calls():
    layer = cells.GRU(2, 3).eval()
    before = attnviz.recording.weights_digest(layer)

    with attnviz.record(layer) as recording:
        layer(torch.randn(4, 2, 2))
        layer.train()
        torch.nn.init.zeros_(layer.groups["l0"].from_input.weight)

    assert recording.trace.tree.attrs["mode"] == "eval"
    assert recording.trace.tree.attrs["weights_digest"] == before


def test_not_finite_values_are_reported_under_wider_padding():
    layer = cells.LSTM(2, 3)
    x = torch.zeros(9, 2, 2)
    x[1, 0] = torch.inf - torch.inf

    with pytest.warns(RuntimeWarning, match="from timestep 1 of sequence 0"):
        with attnviz.record(layer, keep=["hidden"]):
            layer(x, lengths=[4, 3])


def test_inputs_given_by_name_are_recorded():
    model = SequenceModel(
        LAYERS["gru"](), outputs=13, head="language_model", vocabulary_size=13
    ).eval()

    with attnviz.record(model) as recording:
        model(inputs=IDS, lengths=LENGTHS)

    assert np.isfinite(recording.trace.tree["loss"].values[2, :-1]).all()


def test_under_an_edit_the_weights_that_were_used_are_recorded_too():
    layer = cells.RRA(2, 3, window=2)

    def nothing(weights, values, at):
        return torch.zeros_like(weights), values

    with layer.register_edit(nothing), attnviz.record(layer) as edited:
        layer(torch.randn(5, 2, 2))
    with attnviz.record(layer) as plain:
        layer(torch.randn(5, 2, 2))

    assert not signal(edited.trace, "attention_used").values.any()
    assert signal(edited.trace, "attention").values.any()
    assert "attention_used" not in plain.trace.tree["l0"]


def test_a_hook_on_the_head_sees_only_the_models_own_calls():
    model, calls = make_model("gru").eval(), []
    model.head.register_forward_hook(lambda *_: calls.append(1))

    with attnviz.record(model):
        model(IDS, LENGTHS)

    assert len(calls) == 1


@pytest.mark.parametrize("name", ["rra", "own"])
def test_a_recording_is_the_same_where_graphs_are_replayed(name, monkeypatch):
    pretend_cuda(monkeypatch)
    model = make_model(name, num_layers=2).eval()
    traces = {}
    for path in ("step", "graph"):
        model.layer.path = path
        with attnviz.record(model, keep="all", gradients=False) as recording:
            for ids in (IDS, IDS.flip(0)):
                model(ids, torch.full_like(LENGTHS, 11))
        assert model.layer.last_path == path
        traces[path] = recording.trace
    assert layer_groups(traces["graph"]) == ["l0", "l1"]
    for group in layer_groups(traces["graph"]):
        found, expected = (traces[path].tree[group].to_dataset() for path in ("graph", "step"))
        assert found.sizes == expected.sizes
        for signal_name in expected.data_vars:
            np.testing.assert_allclose(
                found[signal_name], expected[signal_name], rtol=1e-4, atol=1e-5
            )


@pytest.mark.parametrize("name", ["rra", "larnn", "own"])
def test_pieces_of_a_sequence_are_recorded_with_what_came_before(name):
    torch.manual_seed(5)
    layer, x = LAYERS[name]().eval(), torch.randn(2, 9, 5)
    with attnviz.record(layer) as recording:
        _, state = layer(x[:, :6])
        layer(x[:, 6:], state)
    with attnviz.record(layer) as whole:
        layer(x)

    trace = recording.trace
    assert trace.tree["history"].values.tolist() == [0, 0, 6, 6]
    pieces, together = (signal(one, "attention").values for one in (trace, whole.trace))
    np.testing.assert_allclose(pieces[2:, :3], together[:, 6:], rtol=1e-5, atol=1e-6)
    assert (attnviz.trace.source_kind(trace, "l0", 3) == attnviz.trace.SOURCE_REAL).all()


@pytest.mark.parametrize("gradients", [False, "norms", "routes"])
@pytest.mark.parametrize("path", ["auto", "step"])
@pytest.mark.parametrize("name", ["rra", "larnn", "rau", "lstm", "gru", "own"])
@pytest.mark.filterwarnings("ignore:Routes of l0 are not recorded")
def test_a_call_under_autocast_is_recorded_in_float32(name, path, gradients):
    torch.manual_seed(5)
    layer, x = LAYERS[name]().eval(), torch.randn(3, 7, 5)
    layer.path = path if name != "own" else "auto"
    with attnviz.record(layer, gradients=gradients) as recording:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            output, _ = layer(x, lengths=[7, 4, 1])
        if gradients:
            output.float().sum().backward()

    held = recording.trace.tree["l0"].data_vars
    assert {str(values.dtype) for values in held.values()} == {"float32"}
    assert ("hidden_gradient_norm" in held) == bool(gradients)


def test_a_call_that_was_refused_is_not_recorded():
    model = make_model("gru").eval()
    with attnviz.record(model) as recording:
        recording.describe(id=["a", "b"])
        with pytest.raises(ValueError, match="told id of 2 sequences"):
            model(IDS, LENGTHS)
        recording.describe(id=["a", "b", "c"])
        model(IDS, LENGTHS)
    assert recording.trace.tree["id"].values.tolist() == ["a", "b", "c"]
