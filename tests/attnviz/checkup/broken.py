"""Models with one planted fault each, and what the doctor must find in it."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import cells
from attnviz.models import SequenceModel
from tests.cells.own_cell import GlanceCell, GlanceState

FEATURES, UNITS = 3, 5


class Wrong(NamedTuple):
    """What makes a broken model, and the one finding that must come of it."""

    make: object
    check: str
    says: str  # a regular expression
    status: str = "fault"
    where: str = ""


def layer_of(kind, **options):
    """A layer of one's own cell."""
    return cells.Recurrent(lambda features: kind(features, UNITS), FEATURES, **options)


# Cells


class Twice(cells.LSTMCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        state, _ = super().forward(x, state, edit=edit, via=via)
        return super().forward(x, state, edit=edit, via=via)


class HiddenMaps(cells.GRUCell):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.maps = [nn.Linear(self.input_size, self.input_size)]  # not a ModuleList

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        return super().forward(self.maps[0](x), state, edit=edit, via=via)


class LooseTensor(cells.GRUCell):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        scale = torch.ones(self.input_size, requires_grad=True)
        self.scaled = lambda x: x * scale

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        return super().forward(self.scaled(x), state, edit=edit, via=via)


class AfterDropout(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        state, readout = super().forward(x, state, edit=edit, via=via)
        attention = F.dropout(readout["attention"], 0.3, self.training)
        return state, readout | {"attention": attention}


class AfterDropoutUndeclared(AfterDropout):
    signals = GlanceCell.signals | {"attention": cells.Signal(("head", "lag"), "α")}


class HalfWeights(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        state, readout = super().forward(x, state, edit=edit, via=via)
        return state, readout | {"attention": readout["attention"] / 2}


class OutOfBounds(GlanceCell):
    signals = GlanceCell.signals | {"hidden": cells.Signal(("unit",), "h_t", (0.0, 1.0))}


class NotFinite(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        state, readout = super().forward(x, state, edit=edit, via=via)
        broken = (state.steps == 6)[:, None] & (torch.arange(UNITS) == 2)
        hidden = state.hidden.masked_fill(broken, torch.nan)
        new = state._replace(hidden=hidden, window=(hidden, state.window[1]))
        return new, readout | {"hidden": hidden}


class Frozen(cells.GRUCell):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.candidate_from_hidden.weight.requires_grad_(False)


class Detached(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        kept = self.query.weight, self.query.bias
        with torch.no_grad():
            q = F.linear(x, *kept)
        self.query.forward = lambda _: q
        return super().forward(x, state, edit=edit, via=via)


class GradientNaN(cells.GRUCell):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.gain = nn.Parameter(torch.zeros(1))

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        state, readout = super().forward(x, state, edit=edit, via=via)
        safe = torch.where(self.gain > 0, self.gain.sqrt(), 1.0)  # its gradient is 0 · ∞
        hidden = state.hidden * safe
        return state._replace(hidden=hidden), readout | {"hidden": hidden}


class DropoutInEval(cells.GRUCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        return super().forward(F.dropout(x, 0.2), state, edit=edit, via=via)


class KeepsState(cells.GRUCell):
    def __init__(self, *sizes):
        super().__init__(*sizes)
        self.kept = None

    def initial_state(self, batch, *, device=None, dtype=None):
        fresh = super().initial_state(batch, device=device, dtype=dtype)
        return fresh if self.kept is None or len(self.kept.hidden) != batch else self.kept

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        state, readout = super().forward(x, state, edit=edit, via=via)
        self.kept = cells.GRUState(state.hidden.detach())
        return state, readout


class CountsItself(cells.GRUCell):
    """Counts timesteps beside the state: right for whole sequences only."""

    step = 0

    def before_sequence(self, batch):
        self.step = 0

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        self.step += 1
        return super().forward(x / self.step, state, edit=edit, via=via)


class MixesRows(cells.GRUCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        return super().forward(x - x.mean(dim=0), state, edit=edit, via=via)


class Unrouted(GlanceCell):
    routes = {name: route for name, route in GlanceCell.routes.items() if name != "carry"}  # noqa: RUF012


class OverRouted(GlanceCell):
    routes = GlanceCell.routes | {"memory": cells.Route("hidden")}


class BesideVia(cells.GRUCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        x = x + state.hidden.mean(dim=-1, keepdim=True)
        return super().forward(x, state, edit=edit, via=via)


class InPlace(cells.GRUCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        new, readout = super().forward(x, state, edit=edit, via=via)
        with torch.no_grad():
            state.hidden.zero_()
        return new, readout


class InPlaceInGraph(cells.LSTMCell):
    """Changes a state to what it was, with its gradient: torch alone would raise."""

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        new, readout = super().forward(x, state, edit=edit, via=via)
        state.memory.mul_(1.0)
        return new, readout


class BesideLag(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        def some(slot, value):
            return value if slot == cells.Slot("value", 2) else via(slot, value)

        return super().forward(x, state, edit=edit, via=some)


class BesideMemory(cells.LSTMCell):
    """Its hidden state is made of the new memory itself."""

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        def some(slot, value):
            return value if slot.route == "hidden" else via(slot, value)

        return super().forward(x, state, edit=edit, via=some)


class WindowTwice(GlanceCell):
    """Its window moves by two states a step: what is called lag 2 is lag 1."""

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        new, readout = super().forward(x, state, edit=edit, via=via)
        return new._replace(window=(new.hidden, new.hidden)), readout


class LagsReversed(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        def other(slot, value):
            return via(slot if slot.lag is None else slot._replace(lag=3 - slot.lag), value)

        return super().forward(x, state, edit=edit, via=other)


class NotTheState(cells.GRUCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        def halved(slot, value):
            return 2 * via(slot, value / 2)

        return super().forward(x, state, edit=edit, via=halved)


class ValuesReversed(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        def other(weights, values, at):
            return edit(weights, values.flip(2), at)

        return super().forward(x, state, edit=other, via=via)


class EditsDropped(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        def asked(weights, values, at):
            edit(weights, values, at)
            return weights, values

        return super().forward(x, state, edit=asked, via=via)


class EditedValuesDropped(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        def asked(weights, values, at):
            return edit(weights, values, at)[0], values

        return super().forward(x, state, edit=asked, via=via)


class WindowDetached(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        window = tuple(one.detach() for one in state.window)
        return super().forward(x, state._replace(window=window), edit=edit, via=via)


class GatesExchanged(cells.LSTMCell):
    gated = cells.GatedState("memory", "forget_gate", "input_gate", "candidate")


class CandidateHalved(cells.LSTMCell):
    """Reads out another candidate than it writes."""

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        new, readout = super().forward(x, state, edit=edit, via=via)
        return new, readout | {"candidate": readout["candidate"] / 2}


class GateUnread(cells.LSTMCell):
    gated = cells.GatedState("memory", "input_gate", "forget_gate", "proposal")


class Uneditable(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        return super().forward(x, state, via=via)


class Unread(GlanceCell):
    signals = GlanceCell.signals | {"context": cells.Signal(("unit",), "c")}


class OddShape(GlanceCell):
    signals = GlanceCell.signals | {"hidden": cells.Signal(("head", "unit"), "h")}


class Transposed(GlanceCell):
    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        state, readout = super().forward(x, state, edit=edit, via=via)
        return state, readout | {"attention": readout["attention"].mT}


class Doubled(cells.LSTMCell):
    """Not what LSTM's fast path computes."""

    def forward(self, x, state, *, edit=cells.same, via=cells.alias):
        return super().forward(2 * x, state, edit=edit, via=via)


# Layers


class LooksAhead(cells.RRA):
    def _layers(self, x, lengths, state):
        return super()._layers(x + x.roll(-1, 0), lengths, state)


class CallsTwice(cells.RRA):
    def _group(self, *arguments):
        super()._group(*arguments)
        return super()._group(*arguments)


class FiresTwice(cells.GRU):
    def _group(self, group, x, lengths, state, reverse):
        cell = self.groups[group]
        if self.path == "step":
            cell(x[0], cell.initial_state(x.shape[1], dtype=x.dtype))  # to see what it does
        return super()._group(group, x, lengths, state, reverse)


class WatchedOtherwise(cells.GRU):
    """Draws a random number when somebody looks."""

    def _report_readouts(self, *arguments):
        if self._gradient_hooks:
            torch.rand(1)
        super()._report_readouts(*arguments)


# Models


class Model(nn.Module):
    """A sound model: a map, two layers, a head after each sequence's last timestep."""

    def __init__(self):
        super().__init__()
        self.front = nn.Linear(2, FEATURES)
        self.first = cells.GRU(FEATURES, UNITS, batch_first=True)
        self.second = layer_of(GlanceCell, batch_first=True)
        self.back = nn.Linear(UNITS, FEATURES)
        self.head = nn.Linear(UNITS, 1)

    def features(self, x):
        return self.front(x)

    def read(self, x, lengths):
        middle, _ = self.first(x, lengths=lengths)
        return self.second(self.back(middle), lengths=lengths)[0]

    def pooled(self, output, lengths):
        return output[torch.arange(len(output)), lengths - 1]

    def forward(self, x, lengths):
        return self.head(self.pooled(self.read(self.features(x), lengths), lengths))


class PlainList(Model):
    """As the released LARNN keeps its cells."""

    def __init__(self):
        super().__init__()
        first, second = self.first, self.second
        del self.first, self.second
        self.layers = [first, second]

    def read(self, x, lengths):
        middle, _ = self.layers[0](x, lengths=lengths)
        return self.layers[1](self.back(middle), lengths=lengths)[0]


class LengthsForgotten(Model):
    def read(self, x, lengths):
        return super().read(x, None)


class LastColumn(Model):
    def read(self, x, lengths):
        output = super().read(x, lengths)
        return output + 0.1 * self.back(output).sum(-1, keepdim=True)

    def pooled(self, output, lengths):
        return output.mean(dim=1)  # padding, zeros before the map, has its offset now


class LastOfAll(Model):
    def pooled(self, output, lengths):
        return output[:, -1]  # of most sequences a zero, behind their end


class MeanOfAll(Model):
    def pooled(self, output, lengths):
        return output.mean(dim=1)


class LargestOfAll(Model):
    def pooled(self, output, lengths):
        return output.amax(dim=1)


class LastOfLongest(Model):
    """Padding in its batch alone, as `pad_packed_sequence` leaves it."""

    def pooled(self, output, lengths):
        return output[:, : int(lengths.max())].mean(dim=1)


class PoolsPadding(Model):
    def forward(self, x, lengths):
        features = self.features(x)
        output = self.pooled(self.read(features, lengths), lengths)
        return self.head(output) + features.mean(dim=(1, 2))[:, None]


class LayerTwice(Model):
    def read(self, x, lengths):
        return self.second(self.back(super().read(x, lengths)), lengths=lengths)[0]


class LayerUnused(Model):
    def read(self, x, lengths):
        return self.first(x, lengths=lengths)[0]


class Smeared(Model):
    """A convolution that sees one timestep ahead."""

    def __init__(self):
        super().__init__()
        self.mix = nn.Conv1d(FEATURES, FEATURES, 3, padding=1)

    def features(self, x):
        return super().features(x)

    def read(self, x, lengths):
        inside = torch.arange(x.shape[1]) < lengths[:, None]
        x = x * inside[..., None]
        return super().read(self.mix(x.mT).mT, lengths)


def earlier(x):
    """A timestep to the left: each sees the one that follows."""
    return torch.cat([x[:, 1:], x[:, -1:]], dim=1)


class ShiftedClassifier(Model):
    """Sees a timestep ahead, and at its end what stands in padding."""

    def features(self, x):
        return earlier(super().features(x))


class Tagger(nn.Module):
    """A sound model that predicts at every timestep."""

    def __init__(self):
        super().__init__()
        self.layer = layer_of(GlanceCell, batch_first=True)
        self.head = nn.Linear(UNITS, 4)

    def forward(self, x):
        return self.head(self.layer(x)[0])


class ShiftedTagger(Tagger):
    def forward(self, x):
        return super().forward(earlier(x))


class ShiftedTaggerOfLengths(Tagger):
    def forward(self, x, lengths):
        return self.head(self.layer(earlier(x), lengths=lengths)[0])


class ScoresOfPooling(nn.Module):
    """Returns beside its answer what it pools by, before the softmax: that may be meant."""

    def __init__(self):
        super().__init__()
        self.layer = cells.GRU(FEATURES, UNITS, batch_first=True)
        self.head = nn.Linear(UNITS, 2)

    def forward(self, x):
        output, _ = self.layer(x)
        scores = (output * output[:, -1:]).sum(dim=-1)
        return self.head((scores.softmax(dim=1)[..., None] * output).sum(dim=1)), scores


class ShiftedPredictions(Tagger):
    def forward(self, x):
        return {"scores": earlier(super().forward(x))}


class NormedOverTime(Tagger):
    def forward(self, x):
        return super().forward(x - x.mean(dim=1, keepdim=True))


class DropsInEval(Model):
    def features(self, x):
        return F.dropout(super().features(x), 0.1)


class NumPyNoise(Model):
    def features(self, x):
        return super().features(x) + float(np.random.standard_normal())  # noqa: NPY002


class Carries(Model):
    def __init__(self):
        super().__init__()
        self.before = 0.0

    def features(self, x):
        found = super().features(x) + self.before
        self.before = float(found.detach().mean())
        return found


class Centred(Model):
    def features(self, x):
        return super().features(x) - x[:, :1].mean()  # of timesteps that no sequence lacks


class PlainScale(Model):
    def __init__(self):
        super().__init__()
        self.scale = torch.full((FEATURES,), 0.7)  # not a buffer

    def features(self, x):
        return super().features(x) * self.scale


class NaNInHead(Model):
    def forward(self, x, lengths):
        return super().forward(x, lengths) - (lengths - 3.0)[:, None].log()


class Cut(Model):
    def features(self, x):
        return super().features(x).detach()


class Idle(Model):
    def __init__(self):
        super().__init__()
        self.spare = nn.Linear(UNITS, UNITS)


class InPlaceOutside(Model):
    def pooled(self, output, lengths):
        for parameter in self.head.parameters():
            parameter.mul_(1.0)
        return super().pooled(output, lengths)


class Raises(Model):
    def features(self, x):
        if len(x) == 1:
            raise ZeroDivisionError("a batch of one")
        return super().features(x)


class MixedPrecision(Model):
    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(FEATURES, dtype=torch.float32))

    def features(self, x):
        return super().features(x) * self.gain


def edited():
    layer = layer_of(GlanceCell)
    layer.register_edit(lambda weights, values, at: (weights * 0.5, values))
    return layer


def backwards():
    """NaN in the direction that reads from the end."""

    def make(features):
        made.append(NotFinite if len(made) else GlanceCell)
        return made[-1](features, UNITS)

    made = []
    return cells.Recurrent(make, FEATURES, bidirectional=True)


def outgrown():
    model = SequenceModel(cells.LARNN(FEATURES, 8, batch_first=True, window=2), outputs=1)
    model.layer.groups["l0"].largest_memory.fill_(1e-4)
    return model


BROKEN = {
    "cells in a plain list": Wrong(
        PlainList, "registered", r"parameters are kept in layers, a plain list.*; 33 are seen"
    ),
    "maps in a plain list": Wrong(
        lambda: layer_of(HiddenMaps), "registered", r"12 parameters are kept in cells\.l0\.maps"
    ),
    "a parameter nobody holds": Wrong(
        lambda: layer_of(LooseTensor), "registered", "3 parameters are kept as plain tensors"
    ),
    "a cell that goes two steps": Wrong(
        lambda: layer_of(Twice), "capture", "Twice used its state by the slot .* 6 times in 3"
    ),
    "a cell called once more": Wrong(
        lambda: FiresTwice(FEATURES, UNITS), "capture", "GRUCell fired 13 times in 12 timesteps"
    ),
    "a group that reads twice": Wrong(
        lambda: CallsTwice(FEATURES, UNITS, window=2), "capture", "read 2 times in one forward"
    ),
    "a layer called twice": Wrong(LayerTwice, "capture", "read 2 times", where="second.l0"),
    "a layer never called": Wrong(LayerUnused, "capture", "read 0 times", where="second.l0"),
    "a signal of another shape": Wrong(
        lambda: layer_of(OddShape), "capture", r"hidden has shape \(12, 9, 5\), but declares axes"
    ),
    "a signal with its axes exchanged": Wrong(
        lambda: layer_of(Transposed), "capture", r"shape \(9, 2, 1\), where lag has 2 entries in"
    ),
    "lengths not passed on": Wrong(
        LengthsForgotten, "lengths", r"read 12 timesteps of sequence \d, whose length is \d"
    ),
    "the last of padded timesteps": Wrong(
        LastOfAll, "lengths", "how much padding follows a sequence changes output, by 0"
    ),
    "a mean over padding": Wrong(MeanOfAll, "lengths", "how much padding follows"),
    "a mean over padding with an offset": Wrong(LastColumn, "lengths", "how much padding"),
    "a maximum over padding": Wrong(LargestOfAll, "lengths", "how much padding follows"),
    "a mean up to the longest": Wrong(LastOfLongest, "batch", "depends on the others"),
    "padding in a mean": Wrong(PoolsPadding, "lengths", "in padding changes output"),
    "attention after dropout": Wrong(
        lambda: layer_of(AfterDropout), "dropout", "in training mode attention sums to .* after"
    ),
    "attention after dropout, sum not declared": Wrong(
        lambda: layer_of(AfterDropoutUndeclared), "dropout", "% more of attention is zero"
    ),
    "weights of one half": Wrong(
        lambda: layer_of(HalfWeights), "weights", "sums to 0.5 at timestep 0 of sequence"
    ),
    "bounds that are wrong": Wrong(
        lambda: layer_of(OutOfBounds), "bounds", r"declares the bounds \(0.0, 1.0\), but is -"
    ),
    "NaN at a timestep": Wrong(
        lambda: layer_of(NotFinite), "finite", "NaN begins at timestep 5 of sequence .*in hidden"
    ),
    "NaN on the way back": Wrong(
        backwards, "finite", "NaN begins at timestep", where="l0_reverse"
    ),
    "NaN in the head": Wrong(NaNInHead, "finite", r"output holds \d+ NaN, though every signal"),
    "a memory that outgrew training": Wrong(
        outgrown, "bounds", "more than 10 times the 0.0001 of training", "warning"
    ),
    "a frozen parameter": Wrong(
        lambda: layer_of(Frozen), "gradient", r"candidate_from_hidden\.weight asks", "warning"
    ),
    "a parameter cut off": Wrong(
        lambda: layer_of(Detached), "gradient", r"query\.weight, .*query\.bias receive no gradient"
    ),
    "a map cut off": Wrong(Cut, "gradient", r"front\.weight, front\.bias receive no gradient"),
    "a parameter nobody uses": Wrong(Idle, "gradient", r"spare\.weight, spare\.bias receive no"),
    "a gradient that is NaN": Wrong(
        lambda: layer_of(GradientNaN), "gradient", r"gain is not finite, though outputs are"
    ),
    "dropout in eval, in a cell": Wrong(lambda: layer_of(DropoutInEval), "eval", "in eval mode"),
    "dropout that eval does not reach": Wrong(
        lambda: cells.LARNN(
            FEATURES, 6, heads=2, window=2, options=replace(cells.FIXED, eval_honoured=False)
        ),
        "eval",
        "in eval mode",
    ),
    "dropout in eval, in a model": Wrong(DropsInEval, "eval", "something is still drawn"),
    "a state kept by a cell": Wrong(lambda: layer_of(KeepsState), "calls", "read again after"),
    "a number kept by a model": Wrong(Carries, "calls", "read again after others"),
    "noise of NumPy's": Wrong(NumPyNoise, "calls", "read again after others"),
    "steps counted beside the state": Wrong(
        lambda: layer_of(CountsItself), "pieces", "the state carried over"
    ),
    "rows mixed in a cell": Wrong(lambda: layer_of(MixesRows), "batch", "depends on the others"),
    "rows mixed in a model": Wrong(Centred, "batch", "it depends on the others"),
    "a layer that looks ahead": Wrong(
        lambda: LooksAhead(FEATURES, UNITS, window=2), "causality", "reads what has not come yet"
    ),
    "a convolution that looks ahead": Wrong(
        Smeared, "causality", "something in front of it mixes timesteps", "warning", "first"
    ),
    "a shift to the left before a classifier": Wrong(
        ShiftedClassifier, "causality", "mixes timesteps; padding enters the sequences that way"
    ),
    "a shift to the left before predictions": Wrong(
        ShiftedTagger, "causality", "in front of it mixes timesteps, and output before it changes"
    ),
    "a shift to the left, lengths given": Wrong(
        ShiftedTaggerOfLengths, "causality", "mixes timesteps, and output .* padding enters"
    ),
    "a shift to the left of predictions": Wrong(
        ShiftedPredictions,
        "causality",
        r"from timestep 6 on change output\['scores'\] before it.*code behind them",
    ),
    "scores of a pooling beside the answer": Wrong(
        ScoresOfPooling, "causality", "code behind them mixes timesteps", "warning"
    ),
    "a mean over time before predictions": Wrong(
        NormedOverTime, "causality", "mixes timesteps, and output before it changes"
    ),
    "a window moved twice": Wrong(
        lambda: layer_of(WindowTwice), "declaration", "lag 2 is given the hidden state of lag 1"
    ),
    "lags in the wrong order": Wrong(
        lambda: layer_of(LagsReversed), "declaration", "lag 1 is given the hidden state of lag 2"
    ),
    "a slot of what is no state": Wrong(
        lambda: layer_of(NotTheState), "declaration", "candidate is given no state as it is"
    ),
    "values in the wrong order": Wrong(
        lambda: layer_of(ValuesReversed), "declaration", "for lag 1 is made of the state of lag 2"
    ),
    "a window cut off": Wrong(
        lambda: layer_of(WindowDetached), "routes", "the routes into hidden miss 0"
    ),
    "gates exchanged": Wrong(
        lambda: layer_of(GatesExchanged), "gates", "differs by .*`write` and `keep` are exchanged"
    ),
    "another candidate than was written": Wrong(
        lambda: layer_of(CandidateHalved), "gates", r"memory is declared to be forget_gate · .*y\.$"
    ),
    "a gate that is no signal": Wrong(
        lambda: layer_of(GateUnread), "declaration", r"`gated` names \['proposal'\]"
    ),
    "a route not declared": Wrong(
        lambda: layer_of(Unrouted), "declaration", r"by the routes \['carry'\]"
    ),
    "a route that is none": Wrong(
        lambda: layer_of(OverRouted), "declaration", r"\['memory'\], by which no", "warning"
    ),
    "a use beside via": Wrong(
        lambda: layer_of(BesideVia), "declaration", "depends on state.hidden beside `via`"
    ),
    "a lag beside via": Wrong(
        lambda: layer_of(BesideLag), "declaration", r"depends on state.window\[1\] \(lag 2\) beside"
    ),
    "a memory beside via": Wrong(
        lambda: layer_of(BesideMemory), "declaration", "hidden depends on the new memory beside"
    ),
    "a state changed in place": Wrong(
        lambda: layer_of(InPlace), "declaration", "it writes to state.hidden in place"
    ),
    "a state changed in place, in the graph": Wrong(
        lambda: layer_of(InPlaceInGraph),
        "declaration",
        "a step of InPlaceInGraph changes .* writes to state.memory in place",
    ),
    "edits asked for and dropped": Wrong(
        lambda: layer_of(EditsDropped), "declaration", "the weights and values that `edit` returns"
    ),
    "edited values dropped": Wrong(
        lambda: layer_of(EditedValuesDropped), "declaration", "the values that `edit` returns"
    ),
    "edits not passed on": Wrong(
        lambda: layer_of(Uneditable), "declaration", "`edit` is never called"
    ),
    "a signal not read out": Wrong(
        lambda: layer_of(Unread), "declaration", r"lacks \['context'\]"
    ),
    "a layer that minds being watched": Wrong(
        lambda: WatchedOtherwise(FEATURES, UNITS), "recording", "changes the random state"
    ),
    "a plain tensor": Wrong(PlainScale, "saved", "gives another output"),
    "two precisions": Wrong(
        MixedPrecision, "precision", "1 in float32", "warning"
    ),
    "half precision": Wrong(
        lambda: cells.GRU(FEATURES, UNITS).half(), "precision", "rounds at 9.8e-04", "warning"
    ),
    "brain float": Wrong(
        lambda: cells.GRU(FEATURES, UNITS).bfloat16(), "precision", "rounds at 7.8e-03", "warning"
    ),
    "an edit left behind": Wrong(edited, "path", "an edit is registered", "warning"),
    "a batch it cannot read": Wrong(Raises, "batch", "ZeroDivisionError: a batch of one"),
}  # fmt: skip

__all__ = [
    "BROKEN",
    "FEATURES",
    "UNITS",
    "Doubled",
    "GlanceState",
    "InPlaceOutside",
    "Model",
    "Tagger",
    "Wrong",
    "layer_of",
]
