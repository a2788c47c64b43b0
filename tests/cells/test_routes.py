"""Gradients by route: against untouched graphs, nudges in the references, and by hand."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import cells
from cells.lengths import Rows
from cells.routes import exit_names, route_entries
from cells.walk import walk
from tests.cells import helpers, test_larnn
from tests.cells.helpers import gru_parameters, lstm_parameters, numpy, ragged, randomise
from tests.cells.test_paths import CASES, LAYERS
from tests.reference.gru import gru
from tests.reference.larnn import larnn
from tests.reference.lstm import lstm
from tests.reference.rau import rau
from tests.reference.rra import rra

STATES = ("hidden", "memory")


def routes(layer, x, *, loss=None, parts="exits", **arguments):
    """What a gradient hook is given, by group."""
    seen = {}
    with layer.register_gradient_hook(
        lambda group, found: seen.update({group: found}), parts=parts
    ):
        output, final = layer(x, **arguments)
        (loss or helpers.weigh)([output, *helpers.flat(final)]).backward()
    return seen


@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        *((case, torch.float64) for case in CASES),
        *((case, torch.float32) for case in ("lengths", "long", "stacked")),
    ],
)
@pytest.mark.parametrize("kind", LAYERS)
def test_the_fast_path_finds_the_routes_of_the_step(kind, case, dtype, device):
    features, units, longest, batch, more = CASES[case]
    given = {name: more[name] for name in more if name in ("lengths", "carried")}
    torch.manual_seed(11)
    layer = LAYERS[kind](features, units, **{k: v for k, v in more.items() if k not in given})
    layer = randomise(layer.eval()).to(device, dtype)
    shape = (batch, longest, features) if more.get("batch_first") else (longest, batch, features)
    x = torch.randn(shape, device=device, dtype=dtype, requires_grad=True)
    state = None
    if "carried" in given:
        earlier = torch.randn(longest * 2, batch, features, device=device, dtype=dtype)
        with torch.no_grad():
            _, state = layer(earlier, lengths=[min(n, len(earlier)) for n in given["carried"]])

    found = {}
    for path in ("step", "auto"):
        layer.path = path
        found[path] = routes(layer, x, state=state, lengths=given.get("lengths"))

    # Of the largest of its kind: what is nearly nothing is rounding in either.
    near = {torch.float64: 1e-10, torch.float32: 2e-3}[dtype]
    for group, expected in found["step"].items():
        assert found["auto"][group].keys() == expected.keys()
        for name, values in expected.items():
            if name.endswith("residual"):
                small = 1e-12 if dtype is torch.float64 else 2e-2
                assert (values.nan_to_num() < small).all()
                assert (found["auto"][group][name].nan_to_num() < small).all()
                continue
            scale = float(values.nan_to_num().abs().max()) + 1e-30
            assert_close(
                found["auto"][group][name] / scale, values / scale, rtol=0, atol=near,
                equal_nan=True, msg=lambda m, name=name: f"{name}: {m}",
            )  # fmt: skip


class Nudges:
    """A tap that adds a zero to every use of a state, to take the gradient there."""

    def __init__(self):
        self.zeros = {}

    def __call__(self, step, slot, value):
        zero = self.zeros[step, slot] = torch.zeros_like(value, requires_grad=True)
        return value + zero


KINDS = [*helpers.LAYERS, "LARNN batch norm"]


def made(kind, *sizes):
    if kind == "LARNN batch norm":
        layer = cells.LARNN(sizes[0], 6, window=3, heads=2, options=cells.FIXED)
        test_larnn.unsettle(layer.groups["l0"])
        return randomise(layer).eval()
    return helpers.made(kind, *sizes)


def order_free(parts):
    """A loss that does not depend on the order of rows."""
    floating = [part for part in parts if part.is_floating_point()]
    return sum((part**2 * torch.arange(1, part.shape[-1] + 1)).sum() for part in floating)


@pytest.mark.parametrize("path", ["step", "auto"])
@pytest.mark.parametrize("kind", KINDS)
def test_routes_are_the_gradients_at_the_uses(kind, path):
    """Against autograd on a walk where every use of a state has a zero of its own added."""
    torch.manual_seed(2)
    layer = made(kind, 3, 5)
    layer.path = path
    cell, (x, lengths) = layer.groups["l0"], ragged(8, 4, 3)
    rows, tap = Rows.sorted(lengths, reverse=False), Nudges()
    inputs = rows.to_walk(x).requires_grad_()
    walked = walk(cell, inputs, rows, cell.initial_state(4), tap=tap)
    loss = order_free([torch.cat(walked.outputs), *helpers.flat([walked.state])])
    *uses, d_input = torch.autograd.grad(loss, [*tap.zeros.values(), inputs], allow_unused=True)
    expected = {
        state: {e: torch.zeros(8, 4, cell.hidden_size) for e in route_entries(cell, state)}
        for state in STATES
        if state in walked.state._fields
    }
    for (step, slot), gradient in zip(tap.zeros, uses, strict=True):
        if gradient is not None:
            _place(expected, cell, rows, step, slot, gradient)

    seen = routes(layer, x.requires_grad_(), loss=order_free, lengths=lengths)["l0"]

    for state, entries in expected.items():
        vectors = torch.stack(list(entries.values()), dim=-1)
        total = vectors.sum(dim=-1)
        norm, norms = (torch.linalg.vector_norm(v, dim=2) for v in (total, vectors))
        along = (vectors * (total / norm[..., None])[..., None]).sum(dim=2)
        _same(seen[f"{state}_gradient_norm"], norm, rows)
        _same(seen[f"{state}_route_norm"], norms, rows)
        _same(seen[f"{state}_route_projection"], along, rows)
        _same(seen[f"{state}_cancellation"], norms.sum(dim=-1) / norm, rows)
        assert seen[f"{state}_route_residual"].nan_to_num().max() < 1e-13
        shares = seen[f"{state}_route_projection"] / seen[f"{state}_gradient_norm"][..., None]
        inside = torch.arange(8)[:, None] < lengths
        assert_close(shares.sum(dim=-1)[inside], torch.ones(int(inside.sum())))
    _same(seen["input_gradient_norm"], torch.linalg.vector_norm(d_input, dim=-1), rows)
    along = seen["input_route_projection"].sum(dim=-1)
    assert_close(along, seen["input_gradient_norm"], equal_nan=True)


def _place(expected, cell, rows, step, slot, gradient):
    """Adds the gradient of a use to the state that was used."""
    if slot.route == "final_state":
        lagged = [route.state for route in cell.routes.values() if route.lagged]
        state = slot.state or lagged[0]
        for place, taken in enumerate(rows.lengths[rows.order].tolist()):
            at = taken - (slot.lag or 1)
            if at >= 0:
                expected[state][cells.RouteEntry("final_state")][at, place] += gradient[place]
        return
    state = "hidden" if slot.route == "output" else cell.routes[slot.route].state
    own = slot.route in ("output", "hidden")
    at = step if own else step - (slot.lag or 1)
    if at >= 0:
        entry = cells.RouteEntry(slot.route, slot.lag)
        expected[state][entry][at, : len(gradient)] += gradient


def _same(seen, expected, rows):
    back = rows.from_walk(expected, longest=len(seen), fill=torch.nan)
    inside = torch.arange(len(seen))[:, None] < rows.lengths
    assert_close(seen[inside], back[inside], rtol=1e-10, atol=1e-12)
    assert seen[~inside].isnan().all()


def test_a_reverse_direction_has_the_routes_of_the_reversed_sequence():
    torch.manual_seed(4)
    layer = helpers.made("RRA", 3, 5)
    both = cells.RRA(3, 5, window=3, bidirectional=True).eval()
    for cell in both.groups.values():
        cell.load_state_dict(layer.groups["l0"].state_dict())
    x, lengths = ragged(8, 4, 3)
    mirrored = x.clone()
    for row, length in enumerate(lengths.tolist()):
        mirrored[:length, row] = x[:length, row].flip(0)

    alone = routes(layer, mirrored.requires_grad_(), loss=order_free, lengths=lengths)["l0"]
    last = lambda parts: order_free([parts[0][..., 5:]])  # noqa: E731
    alone = routes(layer, mirrored, loss=lambda parts: order_free(parts[:1]), lengths=lengths)["l0"]
    seen = routes(both, x.requires_grad_(), loss=last, lengths=lengths)["l0_reverse"]

    for name in seen:
        for row, length in enumerate(lengths.tolist()):
            back = alone[name][:length, row].flip(0)
            if not name.endswith("residual"):
                assert_close(seen[name][:length, row], back, equal_nan=True)


REFERENCES = {
    "LSTM": lambda cell, x, **more: lstm(x, **lstm_parameters(cell), **zeros(cell, "hc"), **more),
    "RRA": lambda cell, x, **more: rra(
        x, **lstm_parameters(cell), w=numpy(cell.lag_scores), **zeros(cell, "hc"), past=[],
        first_lag=2, normalization="sum", missing="zero", **more,
    ),
    "GRU": lambda cell, x, **more: gru(
        x, **gru_parameters(cell), b_hidden=numpy(cell.candidate_from_hidden.bias),
        **zeros(cell, "h"), reset="after", **more,
    ),
    "GRU before": lambda cell, x, **more: gru(
        x, **gru_parameters(cell), b_hidden=np.zeros(3), **zeros(cell, "h"), reset="before", **more
    ),
    "RAU": lambda cell, x, **more: rau(
        x, **gru_parameters(cell), A=numpy(cell.score.weight), b_a=numpy(cell.score.bias),
        V=numpy(cell.attended.weight), b_v=numpy(cell.attended.bias), **zeros(cell, "h"),
        reading="input", rescale=False, **more,
    ),
    "LARNN": lambda cell, x, **more: larnn(
        [x], *test_larnn.parameters(cell), cell.options, heads=1, window=3,
        states=[(np.zeros(3), np.zeros(3), [np.zeros(3)])], training=False, **more,
    )[0][0],
}  # fmt: skip


def zeros(cell, names):
    return {name: np.zeros(cell.hidden_size) for name in names}


@pytest.mark.parametrize("kind", REFERENCES)
def test_routes_are_what_a_nudge_of_one_use_does_in_the_reference(kind):
    """Finite differences, by the name of the route and the lag, in NumPy: labels included."""
    torch.manual_seed(6)
    layer, time, units = helpers.made(kind, 2, 3), 5, 3
    cell, x = layer.groups["l0"], torch.randn(time, 1, 2)
    weights = torch.randn(time, 1, units)
    seen = routes(layer, x.requires_grad_(), loss=lambda parts: (parts[0] * weights).sum())["l0"]

    def loss(nudged, nudge):
        def use(route, lag, t, state):
            return state + nudge if (route, lag, t) == nudged else state

        hidden = REFERENCES[kind](cell, numpy(x)[:, 0], use=use)["hidden"]
        return float((hidden * numpy(weights)[:, 0]).sum())

    def gradient(*nudged):
        steps = 1e-5 * np.eye(units)
        return np.array([loss(nudged, s) - loss(nudged, -s) for s in steps]) / 2e-5

    for state in (name for name in STATES if f"{name}_route_norm" in seen):
        for place, entry in enumerate(route_entries(cell, state)):
            if entry.route in ("output", "final_state"):
                continue
            for t in range(time):
                later = t + (0 if entry.route == "hidden" else entry.lag or 1)
                found = gradient(entry.route, entry.lag, later) if later < time else np.zeros(units)
                norm = float(seen[f"{state}_route_norm"][t, 0, place])
                assert norm == pytest.approx(np.linalg.norm(found), abs=1e-8, rel=1e-6), entry
                if norm > 1e-6:
                    others = [float(n) for n in seen[f"{state}_route_norm"][t, 0]]
                    assert sum(abs(n - norm) < 1e-6 for n in others) == 1  # no label fits two


def test_rra_routes_by_the_closed_forms():
    torch.manual_seed(8)
    layer = helpers.made("RRA", 3, 5)
    cell, x = layer.groups["l0"], torch.randn(7, 2, 3)
    kept = {}
    names = ("input_gate", "forget_gate", "output_gate", "candidate", "memory", "context", "hidden")
    with layer.register_readout_hook(lambda _, values, __: kept.update(values), names):
        layer(x)
    i, f, o, g, c, a, h = (kept[name] for name in names)
    x = x.requires_grad_()
    seen = routes(layer, x, loss=lambda parts: (parts[0][-1] ** 2).sum())["l0"]
    u, weight, zero = (c + a).tanh(), cell.lag_kernel().detach(), torch.zeros_like(h[0])
    U_gates, U_candidate = (
        part.weight.detach()
        for part in (cell.gates.gates_from_hidden, cell.gates.candidate_from_hidden)
    )
    # Backwards in time, by hand: λ^h, λ^c, δu and the gates' δz.
    du, dc, dz = [zero] * 12, [zero] * 8, [torch.zeros(2, 20)] * 8
    forget = [*f, zero]
    for s in reversed(range(7)):
        shortcut = [weight[j] * du[s + lag] for j, lag in enumerate(cell.lags)]
        gates, candidate = dz[s + 1][:, :15] @ U_gates, dz[s + 1][:, 15:] @ U_candidate
        arriving = 2 * h[s] if s == 6 else zero
        total = arriving + gates + candidate + sum(shortcut)
        du[s] = o[s] * (1 - u[s] ** 2) * total
        carried = forget[s + 1] * dc[s + 1]
        dc[s] = du[s] + carried
        past = c[s - 1] if s else zero
        dz[s] = torch.cat(
            [
                dc[s] * g[s] * i[s] * (1 - i[s]),
                dc[s] * past * f[s] * (1 - f[s]),
                total * u[s] * o[s] * (1 - o[s]),
                dc[s] * i[s] * (1 - g[s] ** 2),
            ],
            dim=-1,
        )
        by_hand = torch.stack([arriving, gates, candidate, *shortcut, zero], dim=1)
        norms = torch.linalg.vector_norm(by_hand, dim=-1)
        assert_close(seen["hidden_route_norm"][s], norms, rtol=1e-10, atol=1e-13)
        of_memory = torch.stack([du[s], carried, zero], dim=1)
        norms = torch.linalg.vector_norm(of_memory, dim=-1)
        assert_close(seen["memory_route_norm"][s], norms, rtol=1e-10, atol=1e-13)


def test_the_names_of_routes_and_exits():
    cell = cells.RRA(3, 5, window=2).groups["l0"]
    assert [entry.label for entry in route_entries(cell, "hidden")] == [
        "output", "gates", "candidate", "shortcut 2", "shortcut 3", "final_state",
    ]  # fmt: skip
    assert [e.label for e in route_entries(cell, "memory")] == ["hidden", "memory", "final_state"]
    assert exit_names(cell) == [
        "output", "gates", "candidate", "shortcut", "final_state", "memory",
    ]  # fmt: skip
    assert exit_names(cells.GRU(3, 5).groups["l0"]) == [
        "output", "carry", "update_gate", "reset_gate", "candidate", "final_state",
    ]  # fmt: skip


@pytest.mark.parametrize("path", ["step", "fast"])
def test_exits_are_the_whole_gradient_of_the_input(path):
    torch.manual_seed(9)
    layer = helpers.made("LARNN", 3, 6)
    layer.path = path
    x = torch.randn(6, 2, 3, requires_grad=True)
    seen = routes(layer, x)["l0"]
    assert_close(seen["input_gradient_norm"], torch.linalg.vector_norm(x.grad, dim=-1))
    names = exit_names(layer.groups["l0"])
    assert seen["input_route_norm"].shape == (6, 2, len(names))


def test_dropout_leaves_norms_and_says_so():
    layer = cells.LARNN(3, 4, window=3, heads=1).train()
    x = torch.randn(6, 9, 3)
    layer.zero_grad()
    torch.manual_seed(5)
    helpers.weigh([layer(x)[0]]).backward()
    plain, after = [p.grad for p in layer.parameters()], torch.get_rng_state()
    layer.zero_grad()
    torch.manual_seed(5)
    with pytest.warns(UserWarning, match=r"Routes of l0 are not recorded.*call eval\(\)"):
        seen = routes(layer, x, loss=lambda parts: helpers.weigh(parts[:1]))["l0"]
    assert torch.equal(torch.get_rng_state(), after)
    for one, parameter in zip(plain, layer.parameters(), strict=True):
        assert_close(parameter.grad, one, rtol=0, atol=0)
    assert set(seen) == {"hidden_gradient_norm", "memory_gradient_norm"}
    assert (seen["hidden_gradient_norm"] > 0).all()


@pytest.mark.parametrize("path", ["step", "fast"])
@pytest.mark.parametrize("kind", ["RRA", "GRU", "LARNN"])
def test_watching_routes_changes_no_bit(kind, path):
    torch.manual_seed(3)
    layer = helpers.made(kind, 3, 6, 2)
    layer.path = path
    x, lengths = ragged(7, 4, 3)
    plain = helpers.gradients_of(layer, x, lengths=lengths)
    with layer.register_gradient_hook(lambda *_: None, parts="exits"):
        watched = helpers.gradients_of(layer, x, lengths=lengths)
    for one, other in zip(plain, watched, strict=True):
        assert_close(one, other, rtol=0, atol=0)
    assert all(p.grad is None for p in layer.parameters())


@pytest.mark.parametrize("path", ["step", "fast"])
def test_a_second_backward_reports_its_own(path):
    layer = helpers.made("GRU", 3, 4)
    layer.path = path
    calls = []
    layer.register_gradient_hook(lambda _, found: calls.append(found), parts="routes")
    output, _ = layer(torch.randn(6, 2, 3, requires_grad=True))
    output[-1].sum().backward(retain_graph=True)
    (3 * output[-1]).sum().backward(retain_graph=True)
    output[2].sum().backward()
    assert_close(3 * calls[0]["hidden_route_norm"], calls[1]["hidden_route_norm"])
    assert (calls[2]["hidden_gradient_norm"][3:] == 0).all()
    assert calls[2]["hidden_cancellation"][3:].isnan().all()


def test_tiny_gradients_keep_their_shares():
    layer = helpers.made("RRA", 3, 5).float()
    x = torch.randn(9, 2, 3, dtype=torch.float32)
    shares = []
    for size in (1.0, 1e-24):
        seen = routes(layer, x, loss=lambda parts, size=size: size * (parts[0][-1] ** 2).sum())[
            "l0"
        ]
        shares.append(seen["hidden_route_projection"] / seen["hidden_gradient_norm"][..., None])
    assert_close(shares[0], shares[1], rtol=1e-3, atol=1e-4)


def test_edits_are_read_again_too():
    torch.manual_seed(1)
    layer = helpers.made("RRA", 3, 5)

    def late(weights, values, at):
        return torch.where((at.timestep > 3)[:, None, None], 0.0, weights), values

    with layer.register_edit(late):
        seen = routes(layer, torch.randn(8, 2, 3))["l0"]
    entries = route_entries(layer.groups["l0"], "hidden")
    shortcuts = [place for place, entry in enumerate(entries) if entry.route == "shortcut"]
    norms = seen["hidden_route_norm"][..., shortcuts]  # lags 2, 3, 4, of the state's own time
    assert (norms[4:] == 0).all() and (norms[0, :, :2] > 0).all()
    assert seen["hidden_route_residual"].nan_to_num().max() < 1e-13


class Twice(cells.GRUCell):
    """A cell that uses its state twice under one name."""

    routes = {"candidate": cells.Route("hidden"), "carry": cells.Route("hidden")}  # noqa: RUF012

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        one, other = (via(cells.Slot("candidate"), state.hidden) for _ in range(2))
        first = self.candidate_from_hidden(one) + self.update_from_hidden(other)
        past = via(cells.Slot("carry"), state.hidden)
        hidden = (first + self.from_input(x)[:, : self.hidden_size]).tanh() + 0.3 * past
        return type(state)(hidden), {}


def test_a_route_of_two_uses_is_their_sum():
    torch.manual_seed(3)
    layer = cells.Recurrent(lambda features: Twice(features, 5), 3).eval()
    seen = routes(layer, torch.randn(7, 2, 3))["l0"]
    assert_close(seen["hidden_route_projection"].sum(dim=-1), seen["hidden_gradient_norm"])
    assert seen["hidden_route_residual"].max() < 1e-13


class Hidden(Twice):
    """A cell that uses its state without saying so."""

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        after, readout = super().forward(x, state, edit=edit, via=via)
        return type(state)(after.hidden + 0.5 * state.hidden), readout


def test_routes_that_do_not_add_up_are_said():
    layer = cells.Recurrent(lambda features: Hidden(features, 5), 3).eval()
    with pytest.warns(UserWarning, match=r"The routes into hidden of l0 miss up to"):
        routes(layer, torch.randn(7, 2, 3))


@pytest.mark.parametrize("path", ["step", "fast"])
def test_what_one_backward_pass_left_does_not_reach_the_next(path):
    torch.manual_seed(3)
    layer = helpers.made("LSTM", 3, 5)
    layer.path = path
    calls = []
    layer.register_gradient_hook(lambda _, found: calls.append(found), parts="routes")
    output, final = layer(torch.randn(6, 2, 3, requires_grad=True))
    loss = final[0].hidden.square().sum() + output.sum() * 0
    torch.autograd.grad(loss, final[0].hidden, retain_graph=True)
    torch.autograd.grad(output.sum(), output, retain_graph=True)
    final[0].hidden.square().sum().backward()
    (found,) = calls
    entries = [e.label for e in route_entries(layer.groups["l0"], "hidden")]
    assert (found["hidden_route_norm"][..., entries.index("output")] == 0).all()
    assert found["hidden_route_residual"].nan_to_num().max() < 1e-13


def test_each_hook_gets_what_it_asked_for():
    layer = helpers.made("GRU", 3, 4)
    seen = {}
    for parts in ("norms", "exits", "routes"):
        layer.register_gradient_hook(
            lambda _, found, parts=parts: seen.update({parts: set(found)}), parts=parts
        )
    layer(torch.randn(4, 2, 3))[0].sum().backward()
    assert seen["norms"] == {"hidden_gradient_norm"}
    assert "hidden_route_norm" in seen["routes"]
    assert not any(name.startswith("input_") for name in seen["routes"])
    assert "input_route_norm" in seen["exits"]


def test_other_parts_are_refused(unchecked):
    with pytest.raises(ValueError, match="got 'route'"):
        cells.GRU(3, 4).register_gradient_hook(print, parts="route")


def test_states_that_are_not_finite_are_named_as_such():
    layer = helpers.made("RRA", 3, 4)
    layer.path = "step"
    x = torch.randn(4, 2, 3)
    x[1] = torch.nan
    with pytest.warns(UserWarning, match="its states are not finite"):
        routes(layer, x)
