"""A cell of one's own that is not what it declares, recorded: said with what to correct."""

from collections.abc import Mapping

import pytest
import torch

import attnviz
import cells
from tests.cells.own_cell import GlanceCell


class Read(GlanceCell):
    """Reads out something else than its declaration says."""

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        state, readout = super().forward(x, state, edit=edit, via=via)
        return state, readout | self.otherwise(readout)


class OneHead(Read):
    def otherwise(self, readout):
        return {"attention": readout["attention"][:, 0]}


class Transposed(Read):
    def otherwise(self, readout):
        return {"attention": readout["attention"].mT}


class TwoHeads(Read):
    def otherwise(self, readout):
        return {"contribution": readout["contribution"].repeat(1, 2, 1)}


class NoBatch(Read):
    def otherwise(self, readout):
        return {"attention": readout["attention"][0]}


class NotRead(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        state, readout = super().forward(x, state, edit=edit, via=via)
        del readout["contribution"]
        return state, readout


class NumPy(Read):
    def otherwise(self, readout):
        return {"attention": readout["attention"].detach().numpy()}


class InTime(GlanceCell):
    signals = GlanceCell.signals | {"hidden": cells.Signal(("time",), "h", default=True)}


class NoSuchGate(GlanceCell):
    gated = cells.GatedState("hidden", "z", None, "hidden")


class NoKeyRoute(GlanceCell):
    routes: Mapping[str, cells.Route] = {
        name: route for name, route in GlanceCell.routes.items() if name != "key"
    }


class NoVia(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        return super().forward(x, state, edit=edit)


class StateAlone(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        return super().forward(x, state, edit=edit, via=via)[0]


class Exchanged(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        return super().forward(x, state, edit=edit, via=via)[::-1]


class PlainState(GlanceCell):
    def initial_state(self, batch, *, device=None, dtype=None):
        return tuple(super().initial_state(batch, device=device, dtype=dtype))


def recorded(kind, **arguments):
    layer = cells.Recurrent(lambda features: kind(features, 4), 3)
    with attnviz.record(layer, **arguments) as recording:
        layer(torch.randn(6, 5, 3), lengths=[6, 5, 3, 2, 1])[0].sum().backward()
    return recording.trace


WRONG = {
    OneHead: (
        r"^OneHead declares the signal attention with axes \(batch, head, lag\), but reads out "
        r"shape \(5, 2\)\. Return it with these axes"
    ),
    Transposed: r"reads out shape \(5, 2, 1\), where lag has 2 entries in coordinates\(\)\.",
    TwoHeads: r"contribution .*shape \(5, 2, 2\), where head has 1 entries in attention\.",
    NoBatch: r"\(batch, head, lag\), but of 5 sequences reads out shape \(1, 2\)\.",
    NotRead: (
        r"^NotRead declares the signal contribution with axes \(batch, head, lag\), but its "
        r"readout holds \['attention', 'hidden'\]"
    ),
    NumPy: r"attention with axes \(batch, head, lag\), but reads out a ndarray and no tensor",
    InTime: r"hidden with axes \(batch, time\), but a trace has an axis time of its own\.",
    NoSuchGate: r"^NoSuchGate names \['z'\] in `gated`, but its `signals` declares \['attention'",
    NoKeyRoute: (
        r"^A step of NoKeyRoute uses states by the routes \['key'\], but its `routes` declares "
        r"\['carry', 'value'\]"
    ),
    NoVia: r"^NoVia declares the routes \['carry', 'key', 'value'\], but its step passes no state",
    StateAlone: (
        r"^A step of StateAlone must return its new state and the readout, \(GlanceState, dict\), "
        r"got GlanceState\."
    ),
    Exchanged: r"\(GlanceState, dict\), got \(dict, GlanceState\)\.",
    PlainState: r"^PlainState\.initial_state must return a named tuple .*, got a tuple\.",
}


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("kind", WRONG)
def test_what_a_cell_declares_otherwise_is_said_with_what_came(kind):
    with pytest.raises((TypeError, ValueError), match=WRONG[kind]):
        recorded(kind)


def test_norms_need_no_routes_and_a_gate_is_only_looked_for_where_it_is_recorded():
    assert "hidden_gradient_norm" in recorded(NoVia, gradients="norms").tree["l0"]
    assert "attention" in recorded(NoSuchGate, keep=["attention"]).tree["l0"]


class Forgetful(GlanceCell):
    """Uses no state, and declares none."""

    routes: Mapping[str, cells.Route] = {}

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        return super().forward(x, self.initial_state(len(x)), edit=edit)


def test_a_cell_that_uses_no_state_has_its_gradient_from_the_output_alone():
    found = recorded(Forgetful, keep=["hidden"]).tree["l0"]
    assert float(found["hidden_gradient_norm"].max()) > 0
