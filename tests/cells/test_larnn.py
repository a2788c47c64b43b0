import dataclasses

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from cells import LARNN, Chrono, LARNNCell, LARNNOptions, LARNNState, Recurrent, Slot, alias
from cells.larnn import FIXED, PAPER, PRESETS, RELEASED, STABLE
from cells.larnn_attention import position_code
from cells.lengths import Rows
from cells.norms import Norm
from cells.walk import map_state, walk
from tests.cells.helpers import (
    EXACT,
    assert_row,
    by_gate,
    flat,
    lstm_parameters,
    numpy,
    ragged,
    randomise,
    read,
    weigh,
)
from tests.reference.larnn import larnn

EVERY_CHOICE = {
    "norm": ["batch", "layer", "none"],
    "query": ["elu", "linear"],
    "key_value": ["own", "share", "linear"],
    "context": ["elu", "linear"],
    "mode": ["residual", "layer"],
    "attention_into": ["all", "candidate"],
    "layer_candidate": ["tanh", "linear"],
    "gate_norm": ["none", "applied", "discarded"],
    "redundant": [False, True],
    "start": ["orthogonal", "uniform"],
    "gain": [0.1, 1.0],
    "positions": [False, True],
    "first_position": [0, 1],
}


def still(options, **changes):
    """The same options without dropout."""
    return dataclasses.replace(
        options, attention_dropout=0.0, slot_dropout=0.0, hidden_dropout=0.0, **changes
    )


def drawn(seed):
    choose = np.random.default_rng(seed).integers
    chosen = {name: values[choose(len(values))] for name, values in EVERY_CHOICE.items()}
    return still(LARNNOptions(**chosen))


def carried(cell, history):
    """A state that has seen so many steps, row by row; what it has not seen is zero."""
    batch, units, window = len(history), cell.hidden_size, len(cell.lags)
    past = torch.randn(batch, window, units)
    past *= (torch.arange(window) < history[:, None])[..., None]
    hidden = torch.randn(batch, units) * (history > 0)[:, None]
    return LARNNState(hidden, past[:, 0], past.unbind(dim=1), history)


def parameters(cell):
    """Weights, biases and norms as the reference takes them."""
    n, attention = cell.hidden_size, cell.attention

    def bias(layer):
        return np.zeros(len(layer.weight)) if layer.bias is None else numpy(layer.bias)

    lstm = lstm_parameters(cell)
    own = cell.candidate_bias
    lstm["b"]["g"] = lstm["b"]["g"] + (0 if own is None else numpy(own))
    reads = "ifog" if len(cell.from_attention.weight) == 4 * n else "g"
    p = {
        "W_x": lstm["W"],
        "W_h": lstm["U"],
        "b_x": lstm["b"],
        "W_a": by_gate(cell.from_attention.weight, reads),
        "b_a": by_gate(torch.as_tensor(bias(cell.from_attention)), reads),
        "W_q": np.hstack(
            [numpy(attention.query_from_input.weight), numpy(attention.query_from_hidden.weight)]
        ),
        "b_q": bias(attention.query_from_input),
    }
    for name, layer in {"K": attention.key, "V": attention.value, "O": attention.output}.items():
        p[f"W_{name}"], p[f"b_{name}"] = numpy(layer.weight), bias(layer)
    norms = {
        name.split(".")[-1].removesuffix("_norm"): {
            "gamma": np.ones(norm.units) if norm.weight is None else numpy(norm.weight),
            "beta": np.zeros(norm.units) if norm.bias is None else numpy(norm.bias),
            "mean": numpy(norm.running_mean).copy() if norm.kind == "batch" else None,
            "var": numpy(norm.running_var).copy() if norm.kind == "batch" else None,
        }
        for name, norm in cell.named_modules()
        if isinstance(norm, Norm)
    }
    return p, norms


@torch.no_grad()
def unsettle(cell):
    """Gives running statistics values at random."""
    for norm in cell.modules():
        if isinstance(norm, Norm) and norm.kind == "batch":
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.3, 2.0)


CASES = [
    *((preset, mode, training) for preset in PRESETS for mode in ("residual", "layer")
      for training in (False, True)),
    *((seed, None, seed % 2 == 1) for seed in range(40)),
]  # fmt: skip


@pytest.mark.parametrize(("preset", "mode", "training"), CASES)
def test_matches_the_equations(preset, mode, training, device):
    seed = preset if mode is None else 100
    options = drawn(seed) if mode is None else still(PRESETS[preset], mode=mode)
    choose = np.random.default_rng(seed).choice
    heads, features = int(choose([1, 2, 3])), int(choose([1, 2, 3, 5]))
    units, window = heads * int(choose([2, 3])), int(choose([1, 2, 3, 5]))
    longest, batch = int(choose([3, 6])), int(choose([8, 10]))
    if training:  # so that some steps have fewer than 8 rows, and some more
        batch = 11
    torch.manual_seed(seed)
    layer = LARNN(
        features,
        units,
        window=window,
        heads=heads,
        options=options,
        forget_bias=[0.0, 1.0, 3.0, Chrono(20)][choose(4)],
        bias=mode is not None or bool(choose([True, False])),
    )
    if seed % 3:
        randomise(layer)
    cell = layer.groups["l0"]
    unsettle(cell)
    x, lengths = ragged(longest, batch, features)
    given = carried(cell, torch.arange(batch) % (1 + 3 * (seed % 4)))
    p, norms = parameters(cell)

    state = map_state(lambda part: part.to(device), given)
    layer.to(device).train(training)
    output, final, seen = read(layer, x.to(device), lengths=lengths, state=(state,))

    states = [
        (
            numpy(given.hidden)[row],
            numpy(given.memory)[row],
            [numpy(c)[row] for c in given.window[: int(given.steps[row]) + 1]][::-1],
        )
        for row in range(batch)
    ]
    sequences = [numpy(x)[:length, row] for row, length in enumerate(lengths.tolist())]
    sizes = {"heads": heads, "window": window}
    expected, running = larnn(
        sequences, p, norms, options, **sizes, states=states, training=training
    )
    for row, length in enumerate(lengths.tolist()):
        assert_row(seen["l0"], row, length, expected[row])
        np.testing.assert_allclose(
            numpy(output)[:length, row], expected[row]["hidden"], rtol=1e-12, atol=1e-12
        )
        np.testing.assert_array_equal(
            numpy(final[0].memory)[row], numpy(seen["l0"]["memory"])[length - 1, row]
        )
    _, after = parameters(cell)
    assert bool(running) == (training and options.norm == "batch")
    for name, statistics in running.items():
        for which, values in statistics.items():
            np.testing.assert_allclose(after[name][which], values, rtol=1e-12, atol=1e-12)
    if training:
        largest = max(np.abs(row["memory"]).max() for row in expected)
        np.testing.assert_allclose(numpy(cell.largest_memory), largest, rtol=1e-12)


def test_presets_are_what_their_names_say():
    assert LARNNOptions() == FIXED == LARNNOptions.preset("fixed")
    assert dataclasses.replace(FIXED, norm="layer") == STABLE == LARNNOptions.preset("stable")
    assert PAPER == LARNNOptions.preset("paper")
    assert RELEASED == LARNNOptions.preset("released")
    with pytest.raises(ValueError, match="no LARNN preset 'best'; there are"):
        LARNNOptions.preset("best")


def counts(cell):
    return {name: parameter.numel() for name, parameter in cell.named_parameters()}


def test_counts_the_parameters_of_the_released_best_configuration():
    cell = LARNNCell(81, 81, window=38, heads=27, options=RELEASED)
    found = counts(cell)

    def count(*starts):
        return sum(n for name, n in found.items() if name.startswith(starts))

    assert count("attention.query") == 13_203
    assert count("attention.key", "attention.value", "attention.output") == 19_926
    assert count("gates.from_input") == 26_568
    assert count("gates.gates_from_hidden", "gates.candidate_from_hidden") == 26_244
    assert count("from_attention") == 26_568
    assert sum(n for name, n in found.items() if "_norm." in name) == 1_134
    assert sum(found.values()) == 113_643
    assert sum(found[name] for name in cell.untrainable()) == 648


@pytest.mark.parametrize(
    ("options", "total"),
    [
        (FIXED, 113_643 - 648 + 3 * 81),  # no norm on the gates; the key's has no β
        (STABLE, 113_643 - 648 + 3 * 81),
        # Attention into one gate, biases in the norm on the gates, none after the output map.
        (PAPER, 113_643 - 81 * 243 - 2 * 324 - 81 - 162 + 3 * 81),
        (dataclasses.replace(RELEASED, key_value="linear"), 113_643),
        (dataclasses.replace(FIXED, key_value="linear"), 113_643 - 648 - 81),
        (dataclasses.replace(RELEASED, positions=True), 113_643 + 2 * 16 * 81),
    ],
)
def test_counts_its_parameters(options, total):
    cell = LARNNCell(81, 81, window=38, heads=27, options=options)
    assert sum(counts(cell).values()) == total


@pytest.mark.parametrize("seed", range(60))
def test_every_parameter_that_can_receives_gradient(seed):
    options = drawn(seed)
    window = 1 + seed % 3
    layer = randomise(LARNN(3, 4, window=window, heads=2, options=options))
    for name, parameter in layer.named_parameters():
        if name.endswith("norm.weight"):
            parameter.data.abs_().add_(0.5)
    output, final = layer(torch.randn(5, 9, 3))
    weigh([output, final[0].memory]).backward()

    cell, dead = layer.groups["l0"], set()
    for name, parameter in cell.named_parameters():
        if parameter.grad is None or parameter.grad.abs().max() < 1e-11:
            dead.add(name)
    assert dead == cell.untrainable()
    if not options.redundant and options.gate_norm != "discarded" and window > 1:
        # An offset of the values would need weights that do not sum to one, as in dropout.
        assert all("attention.value" in name for name in dead)


@pytest.mark.parametrize("mode", ["residual", "layer"])
@pytest.mark.parametrize("preset", ["fixed", "paper", "stable"])
def test_nothing_in_a_repaired_preset_is_untrainable(preset, mode):
    options = dataclasses.replace(LARNNOptions.preset(preset), mode=mode)
    layer = randomise(LARNN(3, 4, window=3, heads=2, options=options))
    output, _ = layer(torch.randn(5, 12, 3))
    weigh([output]).backward()
    assert layer.groups["l0"].untrainable() == frozenset()
    assert all(parameter.grad.abs().max() > 1e-9 for parameter in layer.parameters())


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("preset", PRESETS)
def test_gradients_are_those_of_its_function(preset, training):
    options = still(PRESETS[preset], positions=preset == "fixed")
    layer = randomise(LARNN(2, 4, window=2, heads=2, options=options)).train(training)
    unsettle(layer)
    batch = 8 if training else 3
    state = carried(layer.groups["l0"], torch.arange(batch) + 2)
    names = [name for name, _ in layer.named_parameters()]
    inputs = [torch.randn(4, batch, 2), state.hidden, state.memory, *state.window]

    def function(*values):
        x, hidden, memory, *rest = values
        given = LARNNState(hidden, memory, tuple(rest[:2]), state.steps)
        # A copy of the buffers: training moves them.
        buffers = {name: buffer.clone() for name, buffer in layer.named_buffers()}
        values = {**dict(zip(names, rest[2:], strict=True)), **buffers}
        output, final = torch.func.functional_call(layer, values, (x, (given,)))
        return output, final[0].memory

    every = [value.detach().clone().requires_grad_() for value in (*inputs, *layer.parameters())]
    assert torch.autograd.gradcheck(function, every, fast_mode=True, atol=1e-6)


def test_reads_no_future():
    layer = randomise(LARNN(2, 4, window=3, heads=2, options=STABLE)).eval()
    x = torch.randn(6, 2)
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x[:, None])[0][:, 0], x)
    reach = jacobian.abs().amax(dim=(1, 3)) > 0
    assert torch.equal(reach, torch.ones(6, 6).tril().bool())


@pytest.mark.parametrize("window", [1, 2, 4])
def test_attention_reaches_back_over_its_window(window):
    cell = randomise(LARNNCell(2, 4, window=window, heads=2, options=still(STABLE)))
    # Attention opens only the output gate, and nothing else looks back.
    with torch.no_grad():
        for layer in (
            cell.gates.gates_from_hidden,
            cell.gates.candidate_from_hidden,
            cell.attention.query_from_hidden,
        ):
            layer.weight.zero_()
        i, f, _, g = cell.from_attention.weight.split(4)
        i.zero_(), f.zero_(), g.zero_()
        cell.gates.from_input.bias[4:8] = -1e4
    layer = Recurrent(lambda _: cell, 2)
    x = torch.randn(7, 2)
    jacobian = torch.autograd.functional.jacobian(lambda x: layer(x[:, None])[0][:, 0], x)
    lag = torch.arange(7)[:, None] - torch.arange(7)
    assert torch.equal(jacobian.abs().amax(dim=(1, 3)) > 0, (lag >= 0) & (lag <= window))


def test_slots_sum_to_the_gradient_of_their_state():
    time, batch, window = 6, 9, 3
    for options in (FIXED, PAPER, dataclasses.replace(STABLE, positions=True, hidden_dropout=0.2)):
        cell = randomise(LARNNCell(2, 4, window=window, heads=2, options=options))
        uses = {}

        def tap(step, slot, value, uses=uses, cell=cell):
            state = slot.state or ("memory" if slot.lag else cell.routes.get(slot.route))
            state = getattr(state, "state", state) or "hidden"
            here = slot.route in ("hidden", "output")
            used = alias(slot, value)
            if used.requires_grad:
                used.retain_grad()
                uses.setdefault((state, step - (0 if here else slot.lag or 1)), []).append(
                    (slot, used)
                )
            return used

        rows = Rows.sorted(torch.full((batch,), time), reverse=False)
        walked = walk(cell, torch.randn(time, batch, 2), rows, cell.initial_state(batch), tap=tap)
        for steps in walked.states.values():
            for state in steps:
                state.retain_grad()
        weigh([torch.stack(walked.outputs), *flat(walked.state)]).backward()
        for name, steps in walked.states.items():
            for t, state in enumerate(steps):
                parts = [used.grad for _, used in uses[name, t] if used.grad is not None]
                assert_close(sum(parts), state.grad, **EXACT)
        slots = {slot for slot, _ in uses["memory", 2]}
        assert slots == {
            Slot("hidden"),
            Slot("memory"),
            *(Slot(route, j) for route in ("attention_key", "attention_value") for j in (1, 2, 3)),
        }
        assert {slot for slot, _ in uses["hidden", 2]} == {
            Slot("output"), Slot("gates"), Slot("candidate"), Slot("query")
        }  # fmt: skip


@pytest.mark.parametrize(
    "slot",
    [
        Slot("gates"),
        Slot("candidate"),
        Slot("query"),
        Slot("memory"),
        Slot("hidden"),
        Slot("attention_key", 2),
        Slot("attention_value", 1),
    ],
)
def test_a_slot_gradient_is_what_a_change_of_that_use_alone_does(slot):
    cell = randomise(LARNNCell(2, 4, window=3, heads=2, options=still(STABLE)))
    state = carried(cell, torch.tensor([4, 5]))
    x, change = torch.randn(2, 2), torch.randn(2, 4)
    amount = torch.zeros((), requires_grad=True)

    def loss(amount):
        def via(used, value):
            return value + amount * change if used == slot else alias(used, value)

        return weigh(flat(cell(x, state, via=via)[0]))

    (gradient,) = torch.autograd.grad(loss(amount), amount)
    difference = (loss(torch.tensor(1e-5)) - loss(torch.tensor(-1e-5))) / 2e-5
    assert gradient.abs() > 1e-3
    assert_close(gradient, difference.detach(), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("options", [still(FIXED), still(RELEASED), still(PAPER), still(STABLE)])
def test_padding_changes_nothing(options, training):
    layers = []
    for _ in range(2):
        torch.manual_seed(1)
        layers.append(randomise(LARNN(3, 4, window=2, heads=2, options=options)).train(training))
    x, lengths = ragged(5, 9, 3)
    filled = torch.cat([x, torch.full((2, 9, 3), torch.nan)])
    for row, length in enumerate(lengths.tolist()):
        filled[length:, row] = torch.nan
    (output, final), (padded, padded_final) = (
        layers[0](x, lengths=lengths),
        layers[1](filled, lengths=lengths),
    )
    assert torch.equal(padded[:5], output)
    assert not padded[5:].any()
    for one, other in zip(flat(final), flat(padded_final), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(layers[0].buffers(), layers[1].buffers(), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("options", [FIXED, RELEASED, PAPER, STABLE])
def test_a_sequence_in_pieces_is_the_sequence(options):
    layer = randomise(LARNN(3, 4, window=3, heads=2, options=options)).eval()
    unsettle(layer)
    x = torch.randn(9, 2, 3)
    whole, final = layer(x)
    pieces, state = [], None
    for piece in x.split([1, 3, 5]):
        output, state = layer(piece, state)
        pieces.append(output)
    assert_close(torch.cat(pieces), whole, **EXACT)
    assert_close(flat(state), flat(final), **EXACT)
    assert state[0].steps.tolist() == [9, 9]


@pytest.mark.parametrize("options", [still(FIXED), STABLE])
def test_both_directions_are_two_runs(options):
    both = randomise(LARNN(3, 4, window=2, heads=2, options=options, bidirectional=True))
    both.train(options.norm == "batch")
    x, lengths = ragged(5, 9, 3)
    runs = []
    for name, cell in both.groups.items():
        layer = LARNN(3, 4, window=2, heads=2, options=options).train(both.training)
        layer.groups["l0"].load_state_dict(cell.state_dict())
        turned = x
        if name == "l0_reverse":
            turned = torch.zeros_like(x)
            for row, length in enumerate(lengths.tolist()):
                turned[:length, row] = x[:length, row].flip(0)
        run, _ = layer(turned, lengths=lengths)
        if name == "l0_reverse":
            back = torch.zeros_like(run)
            for row, length in enumerate(lengths.tolist()):
                back[:length, row] = run[:length, row].flip(0)
            run = back
        runs.append(run)
    output, _ = both(x, lengths=lengths)
    assert_close(output, torch.cat(runs, dim=-1), **EXACT)


def test_steps_of_few_rows_use_running_statistics_and_say_so():
    layer = LARNN(3, 4, window=2, heads=2)
    lengths = torch.tensor([3, 5, 5, 5, 5, 5, 5, 5, 4])
    _, _, seen = read(layer, torch.randn(5, 9, 3), lengths=lengths)
    running = seen["l0"]["running_statistics"]
    assert running[:, 1].tolist() == [0, 0, 0, 0, 1]  # 9, 9, 9, 8, 7 rows
    assert torch.isnan(running[3:, 0]).all()
    _, _, seen = read(layer.eval(), torch.randn(5, 9, 3), lengths=lengths)
    assert seen["l0"]["running_statistics"][:, 1].tolist() == [1, 1, 1, 1, 1]


def test_statistics_move_in_training_only():
    layer = LARNN(3, 4, window=2, heads=2)
    before = {name: buffer.clone() for name, buffer in layer.named_buffers()}
    layer.eval()(torch.randn(5, 9, 3))
    for name, buffer in layer.named_buffers():
        assert torch.equal(buffer, before[name]), name
    layer.train()(torch.randn(5, 9, 3))
    for name, buffer in layer.named_buffers():
        assert not torch.equal(buffer, before[name]), name


@pytest.mark.parametrize("options", [STABLE, dataclasses.replace(FIXED, norm="none")])
def test_other_norms_keep_the_largest_memory_too(options):
    layer = LARNN(3, 4, window=2, heads=2, options=options)
    _, _, seen = read(layer, torch.randn(5, 2, 3))
    largest = seen["l0"]["memory"].abs().max()
    assert torch.equal(layer.groups["l0"].largest_memory, largest)
    layer(torch.zeros(1, 2, 3))
    assert torch.equal(layer.groups["l0"].largest_memory, largest)


def test_batch_norm_refuses_a_small_batch_in_training():
    layer = LARNN(3, 4, heads=2)
    with pytest.raises(ValueError, match="at least 8 sequences in a training batch, got 7"):
        layer(torch.randn(5, 7, 3))
    layer.eval()(torch.randn(5, 1, 3))
    LARNN(3, 4, heads=2, options=STABLE)(torch.randn(5, 1, 3))


def test_evaluation_that_is_not_honoured_goes_on_as_in_training():
    options = dataclasses.replace(RELEASED, eval_honoured=False)
    layer = LARNN(3, 4, window=2, heads=2, options=options).eval()
    before = [buffer.clone() for buffer in layer.buffers()]
    x = torch.randn(5, 9, 3)
    first, second = layer(x)[0], layer(x)[0]
    assert not torch.equal(first, second)  # dropout
    _, _, seen = read(layer, x)
    assert not seen["l0"]["running_statistics"].any()
    for buffer, was in zip(layer.buffers(), before, strict=True):
        assert torch.equal(buffer, was)
    with pytest.raises(ValueError, match="at least 8 sequences"):
        layer(torch.randn(5, 7, 3))


@pytest.mark.parametrize("name", ["attention_dropout", "slot_dropout", "hidden_dropout"])
def test_dropout_acts_in_training_only(name):
    options = dataclasses.replace(still(STABLE, positions=True), **{name: 0.5})
    layer = randomise(LARNN(3, 4, window=3, heads=2, options=options))
    x = torch.randn(6, 9, 3)
    assert not torch.equal(layer(x)[0], layer(x)[0])
    layer.eval()
    assert torch.equal(layer(x)[0], layer(x)[0])


def test_the_hidden_state_that_is_fed_back_is_dropped():
    options = dataclasses.replace(still(STABLE), hidden_dropout=0.5)
    layer = randomise(LARNN(3, 8, window=3, heads=2, options=options))
    output, final, seen = read(layer, torch.randn(6, 9, 3))
    assert (output == 0).any()
    assert torch.equal(final[0].hidden, output[-1])
    assert torch.equal(seen["l0"]["hidden"], output)


def uniform(weights, values, at):
    present = at.reachable[:, None].to(weights)
    return (present / present.sum(dim=-1, keepdim=True)).expand_as(weights), values


@pytest.mark.parametrize("options", [FIXED, STABLE])
def test_edits_change_what_is_read(options):
    layer = randomise(LARNN(3, 4, window=3, heads=2, options=options)).eval()
    layer.path = "step"  # for both arms, to compare them bit for bit
    x = torch.randn(6, 2, 3)
    plain = layer(x)[0]
    with layer.register_edit(lambda weights, values, at: (weights, values)):
        assert torch.equal(layer(x)[0], plain)
    with layer.register_edit(uniform):
        edited, _, seen = read(layer, x)
    assert torch.equal(edited[0], plain[0])  # one slot to read
    assert ((edited[1:] - plain[1:]).abs().amax(dim=-1) > 1e-6).all()
    used, drawn_weights = seen["l0"]["attention_used"], seen["l0"]["attention"]
    assert_close(used[4], torch.full_like(used[4], 1 / 3), **EXACT)
    assert not torch.equal(used[4], drawn_weights[4])
    with layer.register_edit(lambda weights, values, at: (weights, values * 0)):
        read_nothing, _, seen = read(layer, x)
    assert not seen["l0"]["context"].any()
    assert not seen["l0"]["contribution"].any()
    assert not torch.equal(read_nothing, plain)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("preset", PRESETS)
def test_signals_obey_their_declaration(preset, training):
    options = PRESETS[preset]
    layer = randomise(LARNN(3, 6, window=4, heads=2, options=options)).train(training)
    cell = layer.groups["l0"]
    _, _, seen = read(layer, torch.randn(7, 9, 3))
    sizes = {"head": 2, "lag": 4, "unit": 6}
    for name, signal in cell.signals.items():
        values = seen["l0"][name]
        assert values.shape == (7, 9, *(sizes[axis] for axis in signal.axes))
        if signal.bounds:
            assert values.min() >= signal.bounds[0]
            assert values.max() <= signal.bounds[1]
    attention = seen["l0"]["attention"]
    assert_close(attention.sum(dim=-1), torch.ones(7, 9, 2), **EXACT)
    present = torch.arange(1, 5) <= torch.arange(1, 8)[:, None]  # c_0 counts
    assert torch.equal((attention > 0).all(dim=(1, 2)), present)
    assert not attention.permute(1, 2, 0, 3)[..., ~present].any()
    dropped = training and options.attention_dropout
    assert torch.equal(seen["l0"]["attention_used"], attention) != dropped
    assert (seen["l0"]["contribution"] >= 0).all()
    defaults = {name for name, signal in cell.signals.items() if signal.default}
    batch = {"running_statistics"} if options.norm == "batch" else set()
    assert defaults == {"attention", "contribution"} | batch


def test_the_memory_without_a_norm_is_written_through_gates():
    assert LARNNCell(3, 4, options=STABLE).gated is None
    cell = LARNNCell(3, 4, options=dataclasses.replace(STABLE, norm="none"))
    state = carried(cell, torch.tensor([3, 4]))
    after, seen = cell(torch.randn(2, 3), state)
    gated = cell.gated
    written = seen[gated.keep] * state.memory + seen[gated.write] * seen[gated.candidate]
    assert_close(after.memory, written, **EXACT)


def test_positions_are_powers_of_two():
    code = position_code(4, 1)  # b = 4
    assert code.shape == (4, 8)
    assert_close(code[0, :4], torch.cos(2 * torch.pi / torch.tensor([2.0, 4, 8, 16])), **EXACT)
    assert_close(code[0, 4:], torch.sin(2 * torch.pi / torch.tensor([4.0, 8, 16, 32])), **EXACT)
    assert_close(code[3, 3], torch.cos(torch.tensor(torch.pi / 2)), **EXACT)
    assert_close(position_code(4, 0)[1:], code[:3], **EXACT)


@pytest.mark.parametrize("forget_bias", [0.0, 3.0, Chrono(50)])
@pytest.mark.parametrize("options", [FIXED, PAPER, RELEASED])
def test_begins_forgetting_as_told(options, forget_bias):
    cell = LARNNCell(3, 64, options=options, forget_bias=forget_bias)
    bias = cell.gate_norm.bias if options.gate_norm == "applied" else cell.gates.from_input.bias
    i, f, o, g = bias.detach().split(64)
    spread = 1 / 8 if options.start == "uniform" else 0.0
    if isinstance(forget_bias, Chrono):
        assert f.max() <= np.log(49) + spread
        assert f.mean() > 1
        assert_close(i, -f, rtol=0, atol=2 * spread + 1e-12)
    else:
        assert (f - forget_bias).abs().max() <= spread
        assert i.abs().max() <= spread
    assert max(o.abs().max(), g.abs().max()) <= spread


def test_begins_with_small_gains_or_draws_everything():
    for name, parameter in LARNNCell(3, 64).named_parameters():
        if name.endswith("_norm.weight"):
            assert (parameter == 0.1).all()
        elif name.endswith("_norm.bias"):
            assert not parameter.any()
    for name, parameter in LARNNCell(3, 64, options=RELEASED, forget_bias=0.0).named_parameters():
        assert 0.1 < parameter.abs().max() <= 1 / 8, name


def test_first_inputs_of_zeros_do_not_blow_up_gradients():
    layer = LARNN(3, 64, options=dataclasses.replace(STABLE, gain=1.0))
    x = torch.cat([torch.zeros(12, 5, 3), torch.randn(4, 5, 3)])
    layer(x)[0][-1].sum().backward()
    assert max(parameter.grad.norm() for parameter in layer.parameters()) < 1e3


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LARNNCell(3, 0), "hidden_size of at least 1, got 0"),
        (lambda: LARNNCell(3, 4, window=0), "window of at least 1, got 0"),
        (lambda: LARNNCell(3, 4, heads=0), "heads of at least 1, got 0"),
        (lambda: LARNNCell(3, 6, heads=4), "splits its 6 units.*got 4 heads"),
        (lambda: LARNNOptions(norm="instance"), "norm is one of .*got 'instance'"),
        (lambda: LARNNOptions(first_position=2), "first_position is one of .*got 2"),
        (lambda: LARNNOptions(attention_dropout=1.0), "attention_dropout is a probability"),
    ],
)
def test_refuses_what_it_does_not_know(make, message):
    with pytest.raises(ValueError, match=message):
        make()
