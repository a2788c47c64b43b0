"""In sound models nothing is found, whatever their cells and options."""

import pytest
import torch
from torch import nn

import attnviz
import cells
from attnviz.models import ModelSettings, build_model
from tests.attnviz.checkup.broken import Model, Tagger, layer_of
from tests.cells.own_cell import GlanceCell

OPTIONS = {
    "LSTM": [{}, {"bias": False}],
    "GRU": [{}, {"reset": "before"}],
    "RAU": [{}, {"reading": "hidden"}, {"reading": "hidden_outside"}, {"rescale": True}],
    "RRA": [
        {"window": 3},
        {"window": 2, "first_lag": 1, "normalization": "softmax"},
        {"window": 2, "missing": "renormalise"},
        {"window": 1},
    ],
    "LARNN": [
        *({"window": 3, "heads": 2, "options": options} for options in cells.PRESETS.values()),
        {"window": 1, "heads": 1},
    ],
}
ALL = [(kind, options) for kind, several in OPTIONS.items() for options in several]


def nothing_wrong(model, **arguments):
    report = attnviz.doctor(model, **arguments)
    assert report.ok and not report.of("fault", "warning"), report
    return {finding.check: finding for finding in report.findings}


@pytest.mark.parametrize(("kind", "options"), ALL)
def test_every_cell_with_its_options_is_sound(kind, options):
    found = nothing_wrong(getattr(cells, kind)(3, 6, **options))
    assert {one.status for check, one in found.items() if check in ("lengths", "recording")} == {
        "passed"
    }


@pytest.mark.parametrize("kind", OPTIONS)
def test_stacked_and_in_two_directions(kind):
    options = OPTIONS[kind][0]
    layer = getattr(cells, kind)(3, 6, 2, bidirectional=True, batch_first=True, dropout=0.2,
                                 **options)  # fmt: skip
    assert nothing_wrong(layer.train())["capture"].numbers.keys() == layer.groups.keys()
    assert layer.training


@pytest.mark.parametrize("head", ["per_step", "classification", "regression"])
def test_sequence_models(head):
    reads = (
        {"input_size": 3} if head == "regression" else {"vocabulary_size": 11, "embedding_size": 4}
    )
    nothing_wrong(build_model(ModelSettings("rra", 5, 2, head=head, dropout=0.3, **reads)))


@pytest.mark.parametrize("cell", ["rra", "larnn", "rau", "lstm", "gru"])
def test_what_ships(cell):
    torch.set_default_dtype(torch.float32)  # as the command runs
    found = nothing_wrong(f"{cell}-imdb")
    assert found["trained"].status == "passed" and found["trained"].numbers["least"] > 1e-3
    assert found["saved"].status == "passed" and "folder" in found["saved"].measured


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
@pytest.mark.parametrize("whole", [True, False])
def test_opened_models(kind, whole):
    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(13, 3)
            self.rnn = kind(3, 4, num_layers=2, batch_first=True)
            self.head = nn.Linear(4, 2)

        def forward(self, ids):
            return self.head(self.rnn(self.words(ids))[0][:, -1])

    model = Classifier() if whole else kind(3, 4, bidirectional=True)
    found = nothing_wrong(attnviz.open_model(model))
    assert found["lengths"].status == "note"  # torch's layers take none


def test_a_packed_reader_with_inputs_of_its_own():
    class Packed(nn.Module):
        def __init__(self):
            super().__init__()
            self.rnn, self.head = nn.LSTM(3, 4), nn.Linear(4, 2)

        def forward(self, x, lengths, scale):
            packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
            return self.head(self.rnn(packed)[1][0][-1]) * scale

    model = attnviz.open_model(Packed())
    with pytest.raises(TypeError, match=r"takes \(x, lengths, scale\).*Pass inputs="):
        attnviz.doctor(model)

    inputs = (torch.randn(7, 4, 3), torch.tensor([7, 2, 5, 1]), 2.0)
    found = nothing_wrong(model, inputs=inputs)
    assert found["lengths"].status == "passed" and found["lengths"].numbers["padding"] == 13


class Attends(nn.Module):
    """Pools packed sequences by attention, and returns its weights up to the longest of a batch."""

    def __init__(self):
        super().__init__()
        self.rnn, self.head = nn.GRU(3, 4, batch_first=True), nn.Linear(4, 1, bias=False)

    def forward(self, x, lengths):
        packed = nn.utils.rnn.pack_padded_sequence(
            x, lengths, batch_first=True, enforce_sorted=False
        )
        output, _ = nn.utils.rnn.pad_packed_sequence(self.rnn(packed)[0], batch_first=True)
        inside = torch.arange(output.shape[1]) < lengths[:, None]
        scores = self.head(output)[..., 0].masked_fill(~inside, -torch.inf)
        weights = scores.softmax(dim=1)
        return {"pooled": (weights[..., None] * output).sum(dim=1), "weights": weights}


def test_what_is_as_long_as_the_longest_of_a_batch():
    inputs = torch.randn(5, 9, 3), torch.tensor([9, 3, 1, 4, 2])
    model = attnviz.open_model(Attends().eval(), example=inputs)
    found = nothing_wrong(model, inputs=inputs)
    assert {found[name].status for name in ("lengths", "batch", "causality")} == {"passed"}


def test_a_cell_and_a_layer_of_ones_own():
    assert nothing_wrong(GlanceCell(3, 5))["path"].measured.startswith("step by step: GlanceCell")
    nothing_wrong(layer_of(GlanceCell, num_layers=2, bidirectional=True))


@pytest.mark.parametrize("shape", [(1, 4, 3), (2, 1, 3), (3, 3, 3)])
def test_short_and_few_sequences(shape):
    found = nothing_wrong(cells.LARNN(3, 4, window=2, heads=2), inputs=torch.randn(shape))
    assert found["dropout"].status == "skipped"  # batch norm wants eight sequences
    assert (found["pieces"].status == "skipped") == (shape[0] == 1)


class Keeping(nn.Module):
    """Leaves what it attended where it can be looked at, with its graph."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.LSTM(4, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x):
        output, _ = self.layer(x)
        self.weights = output.mean(dim=-1).softmax(dim=-1)
        self.kept = {"context": [(self.weights[..., None] * output).sum(dim=1)]}
        return self.head(self.kept["context"][0])


@pytest.mark.parametrize("called", [False, True])
def test_a_model_may_keep_results_of_its_last_call(called):
    inputs = torch.randn(3, 7, 4)
    for model in (Keeping(), attnviz.open_model(Keeping().eval(), example=inputs)):
        if called:
            model(inputs)
        assert attnviz.doctor(model, inputs=inputs).ok


def test_inputs_by_name():
    layer = cells.GRU(3, 4, batch_first=True)
    inputs = {"x": torch.randn(5, 8, 3), "lengths": [8, 3, 1, 4, 4]}
    assert nothing_wrong(layer, inputs=inputs)["lengths"].numbers["padding"] == 20


class TwoWays(Tagger):
    """Reads in both directions, the second made by hand."""

    def __init__(self):
        super().__init__()
        self.back = cells.GRU(3, 5, batch_first=True)

    def forward(self, x):
        back, _ = self.back(x.flip(1))  # called first, too
        return self.head(self.layer(x)[0] + back.flip(1))


class Repeats(Tagger):
    """An encoder, and a decoder that reads its end at every timestep."""

    def __init__(self):
        super().__init__()
        self.decoder = cells.GRU(5, 5, batch_first=True)

    def forward(self, x):
        end = self.layer(x)[0][:, -1:]
        return self.head(self.decoder(end.expand(-1, x.shape[1], -1))[0])


class Pools(Tagger):
    """Returns its weights over all timesteps too."""

    def forward(self, x):
        output, _ = self.layer(x)
        weights = self.head(output)[..., 0].softmax(dim=1)
        return (weights[..., None] * output).sum(dim=1), weights


class AfterTime(Tagger):
    """Classifies; as many classes as there are timesteps."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(5, 12)

    def forward(self, x):
        return self.head(self.layer(x)[0][:, -1])


@pytest.mark.parametrize("kind", [Tagger, TwoWays, Repeats, Pools, AfterTime])
def test_models_that_see_all_of_a_sequence_where_they_may(kind):
    found = nothing_wrong(kind())
    assert found["causality"].status == ("note" if kind in (TwoWays, Repeats) else "passed")


def test_a_layer_behind_one_of_two_directions():
    class Behind(Tagger):
        def __init__(self):
            super().__init__()
            self.both = cells.GRU(3, 4, batch_first=True, bidirectional=True)
            self.layer = cells.GRU(8, 5, batch_first=True)

        def forward(self, x):
            return super().forward(self.both(x)[0])

    found = nothing_wrong(Behind(), inputs=torch.randn(9, 12, 3))
    assert found["causality"].status == "passed"


def test_frozen_layers_have_their_routes_followed():
    layer = cells.LSTM(3, 6)
    found = {f.check: f for f in attnviz.doctor(layer.requires_grad_(False)).findings}
    assert found["routes"].status == "passed"


def test_predictions_of_two_directions():
    class Both(Tagger):
        def __init__(self):
            super().__init__()
            self.layer = cells.GRU(3, 5, batch_first=True, bidirectional=True)
            self.head = nn.Linear(10, 2)

    nothing_wrong(Both())


class FixedTime(Model):
    """Takes lengths, and one number of timesteps only."""

    def features(self, x):
        return super().features(x) + torch.linspace(0, 1, 12)[:, None]


@pytest.mark.parametrize("kind", [Model, FixedTime])
def test_that_padding_was_cut_off_is_told_where_it_was(kind):
    said = nothing_wrong(kind())["lengths"].measured
    assert said.endswith("nor without them.") == (kind is Model)


def test_parts_that_add_up():
    found = nothing_wrong(cells.LSTM(3, 6, bidirectional=True))
    assert found["gates"].measured.endswith("(l0, l0_reverse).")
    assert found["gates"].numbers["difference"] < 1e-12
    assert found["routes"].numbers["difference"] < 1e-12
