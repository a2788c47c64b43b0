"""What is asked of the doctor, what it leaves alone, and how a report is read."""

import copy
import json
import random
import subprocess
import sys
import warnings

import pytest
import torch

import attnviz
import cells
from attnviz.checkup import Finding, Report
from attnviz.models import SequenceModel
from cells.fast import SWEEPS
from tests.attnviz.checkup.broken import FEATURES, UNITS, Doubled, InPlaceOutside, Model, layer_of
from tests.cells.own_cell import GlanceCell


def test_the_model_and_the_random_states_stay_as_they_are(unchecked):  # the checker draws some
    model = SequenceModel(
        cells.LARNN(3, 4, heads=2, window=2, batch_first=True, num_layers=2, dropout=0.2),
        outputs=2,
    )
    model.head.eval()
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    states, python = torch.get_rng_state(), random.getstate()
    seen = []
    model.layer.register_readout_hook(lambda *call: seen.append(call), ["attention"])

    attnviz.doctor(model)

    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), states) and random.getstate() == python
    assert not seen and len(model.layer._readout_hooks) == 1
    assert all(p.grad is None for p in model.parameters()) and model.layer.last_path is None


def test_a_fast_path_that_is_not_the_step(monkeypatch):
    monkeypatch.setitem(SWEEPS, Doubled, SWEEPS[cells.LSTMCell])
    report = attnviz.doctor(layer_of(Doubled))
    found = report.of("fault", "warning")
    assert [one.check for one in found] == ["path"], report
    assert "the fast path gives another" in found[0].measured


def test_which_path_runs_and_why():
    layer = cells.RRA(3, 4, window=2)
    assert path_of(layer).numbers["path"] == "fast"
    layer.path = "step"
    assert "its path is set to 'step'" in path_of(layer).measured
    hooked = cells.RRA(3, 4, window=2)
    hooked.groups["l0"].gates.register_forward_hook(lambda *_: None)
    assert "gates has hooks" in path_of(hooked).measured and path_of(hooked).status == "note"


def path_of(layer):
    [finding] = [one for one in attnviz.doctor(layer).findings if one.check == "path"]
    return finding


def test_a_parameter_that_training_never_moved(double_precision):
    torch.set_default_dtype(torch.float32)  # as the command runs
    model = attnviz.load_model("gru-imdb")
    recipe = model.card["recipe"]
    torch.manual_seed(recipe["seed"])
    begun = attnviz.build_model(
        attnviz.ModelSettings(**{**recipe["model"], "vocabulary_size": len(model.vocabulary)})
    )
    with torch.no_grad():
        model.head.weight.copy_(begun.head.weight.half())  # as it would ship

    torch.set_default_dtype(torch.float64)
    report = attnviz.doctor(model)

    found = report.of("fault", "warning")
    assert [(one.check, one.status) for one in found] == [("trained", "fault")], report
    assert "head.weight is as training began" in found[0].measured


def test_a_traced_model_has_nothing_to_record():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(torch.nn.GRU(3, 4), torch.randn(5, 2, 3))
    report = attnviz.doctor(traced)
    [finding] = report.of("fault", "warning")
    assert finding.check == "capture" and "compiled away" in finding.measured


def test_a_model_without_a_layer_of_ours():
    [finding] = attnviz.doctor(torch.nn.RNN(3, 4)).of("fault", "warning")
    assert finding.check == "capture" and "attnviz.open_model" in finding.advice


def test_a_model_of_torchs_layers_is_opened_first():
    model = torch.nn.GRU(3, 4)
    with torch.no_grad():
        model.weight_hh_l0[0, 1] = torch.nan
    report = attnviz.doctor(model, torch.randn(6, 5, 3))
    [finding] = report.of("fault", "warning")
    assert finding.check == "finite" and "NaN begins at timestep 0" in finding.measured
    assert "opened as by attnviz.open_model" in report.model and type(model) is torch.nn.GRU

    [finding] = attnviz.doctor(torch.nn.LSTM(3, 4, proj_size=2)).of("fault", "warning")
    assert finding.check == "capture" and "projects its hidden state to 2" in finding.measured


def test_parameters_without_gradient_are_all_named_as_the_model_names_them():
    class Tagger(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn = torch.nn.GRU(3, 4, bidirectional=True, batch_first=True)
            self.unused = torch.nn.Linear(7, 1)

        def forward(self, x):
            return self.rnn(x)[0][:, -1]  # where the other direction has read one timestep only

    report = attnviz.doctor(Tagger(), torch.randn(5, 6, 3))
    [finding] = report.of("fault")
    assert finding.check == "gradient"
    names = finding.numbers["names"].split(", ")
    assert names == ["rnn.weight_hh_l0_reverse", "unused.weight", "unused.bias"]
    assert ", ".join(names) in finding.measured
    [registered] = [one for one in report.findings if one.check == "registered"]
    assert "all 200 parameters that" in registered.measured and "and 8 that" in registered.measured


def test_cells_of_torch_in_a_plain_list():
    class Released(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.into = torch.nn.Linear(3, 4)
            self.cells = [torch.nn.LSTMCell(4, 4)]

    found = attnviz.doctor(Released()).of("fault", "warning")
    assert [one.check for one in found] == ["capture", "registered"]
    assert found[1].numbers == {"unseen": 4 * 4 * (4 + 4) + 2 * 4 * 4, "seen": 3 * 4 + 4}


def test_what_is_changed_in_place_outside_a_cell_is_told_as_such():
    raised = [
        one for one in attnviz.doctor(InPlaceOutside()).of("fault") if "raised" in one.measured
    ]
    assert raised and all("seems to be changed in place" in one.advice for one in raised)


def test_what_another_fault_would_upset_is_left_out_and_says_so():
    class Twice(Model):
        def read(self, x, lengths):
            return self.second(self.back(super().read(x, lengths)), lengths=lengths)[0]

    report = attnviz.doctor(Twice())
    left_out = {one.check: one for one in report.of("skipped")}
    assert {"eval", "lengths", "recording"} <= set(left_out)
    assert "the fault in capture would show here too" in left_out["lengths"].measured


@pytest.mark.slow
def test_hooks_lost_under_the_compiler():
    subprocess.run([sys.executable, "-m", "tests.attnviz.checkup.compiled"], check=True)


@pytest.mark.parametrize(
    ("model", "inputs", "error", "says"),
    [
        (3, None, TypeError, "examines a torch.nn.Module.*got int"),
        ("nobody", None, FileNotFoundError, "There is no model 'nobody'"),
        (cells.GRU(3, 4), (1, 2, 3, 4), TypeError, "inputs do not fit GRU, whose forward takes"),
    ],
)
def test_what_is_refused(unchecked, model, inputs, error, says):
    with pytest.raises(error, match=says):
        attnviz.doctor(model, inputs)


class Raises(GlanceCell):
    def forward(self, x, state):
        return super().forward(x, state)


class StateAlone(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        return super().forward(x, state, edit=edit, via=via)[0]


class PlainState(GlanceCell):
    def initial_state(self, batch, *, device=None, dtype=None):
        return tuple(super().initial_state(batch, device=device, dtype=dtype))


class NoDevice(GlanceCell):
    def initial_state(self, batch):
        return super().initial_state(batch)


class OtherSize(GlanceCell):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.hidden_size = 5


@pytest.mark.parametrize("inputs", [None, torch.zeros(6, 2, 3)])
@pytest.mark.parametrize(
    ("kind", "says"),
    [
        (
            Raises,
            r"^doctor cannot read with Recurrent\. The step of Raises raises TypeError: .*'edit'.*"
            r"forward\(x, state, \*, edit, via\) returns \(state, readout\)\.$",
        ),
        (StateAlone, r"Recurrent\. A step of StateAlone must return its new state and the readout"),
        (PlainState, r"PlainState\.initial_state must return a named tuple .* got a tuple"),
        (
            NoDevice,
            r"NoDevice\.initial_state raises TypeError: .*initial_state\(batch, device=\.\.\.",
        ),
        (OtherSize, r"step of OtherSize raises RuntimeError: .* whose hidden is \(2, 5\) float64"),
    ],
)
def test_a_cell_that_cannot_take_a_step_is_blamed_and_not_the_inputs(unchecked, kind, says, inputs):
    with pytest.raises(TypeError, match=says):
        attnviz.doctor(cells.Recurrent(lambda features: kind(features, 4), 3), inputs)


class ReadsMore(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        state, readout = super().forward(x, state, edit=edit, via=via)
        return state, readout | {"extra": state.hidden}


def test_what_is_read_out_and_not_declared_is_told():
    [finding] = attnviz.doctor(ReadsMore(3, 4)).of("fault", "warning")
    assert (finding.check, finding.status) == ("declaration", "warning")
    assert "the readout holds ['extra'], which `signals` does not declare" in finding.measured


@pytest.mark.parametrize("make", [lambda: cells.GRU(3, 4), lambda: torch.nn.GRU(3, 4)])
def test_parameters_that_are_not_finite_are_named(make):
    model = make()
    name, values = next(iter(model.named_parameters()))
    with torch.no_grad():
        values[0, 0] = torch.nan
    [finding] = attnviz.doctor(model).of("fault")
    assert finding.check == "finite" and finding.where == "l0"
    assert f"{name} is not finite: NaN begins at timestep 0" in finding.measured


FINDINGS = (
    Finding("lengths", "passed", "fine."),
    Finding("finite", "fault", "<b>nan</b>! " * 20, "Look there.", "l0", {"worst": float("nan")}),
    Finding("gradient", "warning", "frozen.", "Thaw."),
)


def test_a_report_reads_as_text_table_and_json():
    report = Report("model", "inputs", FINDINGS)

    assert not report.ok and report.wrong().findings == FINDINGS[1:]
    assert str(report).splitlines()[-1] == "1 fault (finite), 1 warning (gradient), 1 passed."
    assert max(map(len, str(report).splitlines())) <= 100
    frame = report.to_frame()
    assert list(frame["status"]) == ["passed", "fault", "warning"]
    assert list(frame["advice"]) == ["Nothing to do.", "Look there.", "Thaw."]
    read = json.loads(report.to_json())
    assert read["ok"] is False and read["findings"][1]["numbers"] == {"worst": "nan"}
    page = report._repr_html_()
    assert "&lt;b&gt;nan" in page and "<b>nan" not in page
    assert Report("m", "i", (FINDINGS[0], FINDINGS[2])).ok


def test_sizes_are_small_enough_to_be_told_apart():
    assert len({FEATURES, UNITS, 9, 12}) == 4  # features, units, sequences, timesteps
