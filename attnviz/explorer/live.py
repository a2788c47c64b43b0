"""A model that reads sentences for the explorer, as they are typed, with and without edits."""

import copy
from collections.abc import Sequence
from contextlib import ExitStack

import torch

from attnviz.analysis import one_sequence
from attnviz.edits import Ablation
from attnviz.explorer.edits import Edits
from attnviz.explorer.lenses import influence_lens, lenses
from attnviz.explorer.panels import Edited, Lens, Panel, Track, Variant
from attnviz.explorer.reading import panel_of
from attnviz.explorer.tracks import probabilities, tracks
from attnviz.influence import replacement_influence
from attnviz.models import SequenceModel
from attnviz.modes import evaluated
from attnviz.recording import Texts, available_signals, record, record_texts
from attnviz.recording.texts import encoded_texts
from attnviz.trace import Trace

__all__ = ["Reader"]

_SHOWN = (
    "attention", "attention_used", "contribution", "gate_attention", "feature_attention",
    "input_gate", "forget_gate", "output_gate", "update_gate", "reset_gate",
)  # fmt: skip


class Reader:
    """Reads one sentence at a time with one model.

    Arguments:
        model: Classifies texts, such as `load_model` returns.
        key: What its panel is called.
        reference: Texts whose words stand in for others, to measure influence.

    Raises:
        ValueError: If the model reads no text or does not classify.
    """

    def __init__(self, model: SequenceModel, key: str, reference: Sequence[str]) -> None:
        self.model, self.key, self.reference = model, key, list(reference)
        self._keep = [name for name in available_signals(model) if name in _SHOWN]
        self.switches = {layer: self.read("a", layer=layer).switches for layer in self.layers}

    @property
    def layers(self) -> list[str]:
        """The names of the model's layers and directions."""
        return list(self.model.layer.groups)

    def read(self, text: str, *, label: int = -1, layer: str | None = None) -> Panel:
        """Prediction, attention and gates of a sentence, unedited.

        Arguments:
            text: The sentence.
            label: Its right class; −1 where it is not known.
            layer: The layer and direction; the first if not given.

        Raises:
            ValueError: If the text holds no token.
        """
        texts = Texts([text], labels=[label])
        trace = record_texts(self.model, texts, keep=self._keep, gradients=False)
        return panel_of(trace, 0, key=self.key, layer=layer)

    def flow(self, text: str, *, label: int = -1, layer: str | None = None) -> list[Track]:
        """The gradient's norm and the shares of its routes at every word."""
        texts = Texts([text], labels=[label])
        trace = record_texts(self.model, texts, keep=[], gradients="exits")
        group = self.layers[0] if layer is None else layer
        return [t for t in tracks(one_sequence(trace, 0), group) if t.name != "score"]

    def influence(self, text: str, timestep: int) -> Lens:
        """How far the model's state at a word moves when an earlier word is another."""
        measured = replacement_influence(
            self.model, [text], reference=self.reference, at=[timestep]
        )
        return influence_lens(measured)

    def edited(self, text: str, edits: Edits, *, layer: str | None = None) -> Edited | None:
        """The sentence under edits; None where the cell knows none of them.

        Both arms are rows of one batch on one path, so that an edit that changes nothing shows
        no difference at all.
        """
        return self.variants(text, [edits], layer=layer)[0]

    def variants(
        self, text: str, choices: Sequence[Edits], *, layer: str | None = None
    ) -> list[Edited | None]:
        """The sentence under several edits, each a row of one batch."""
        group = self.layers[0] if layer is None else layer
        known = [edits.within(self.switches[group]) for edits in choices]
        if not any(known):
            return [None] * len(known)
        trace = self._under([Edits(), *known], text, group)
        unedited = _predicted(trace, 0)
        found: list[Edited | None] = []
        for row, edits in enumerate(known, start=1):
            one = one_sequence(trace, row)
            found.append(
                Edited(edits.label, _predicted(trace, row), lenses(one, group, used=True),
                       tracks(one, group), unedited)
                if edits else None
            )  # fmt: skip
        return found

    def ablations(self, text: str, *, layer: str | None = None) -> list[Variant]:
        """Each lag, each head and uniform attention as edits of their own, for a page."""
        group = self.layers[0] if layer is None else layer
        switches = self.switches[group]
        if switches is None:
            return []
        choices = [Edits(lags=(lag,)) for lag in switches.lags]
        if switches.heads > 1:
            choices += [Edits(heads=(head,)) for head in range(switches.heads)]
        choices.append(Edits(uniform=True))
        found = self.variants(text, choices, layer=group)
        return [
            Variant(edits.told(), edited)
            for edits, edited in zip(choices, found, strict=True)
            if edited is not None
        ]

    def twin(self) -> "Reader":
        """The same with a copy of the model, to read in another thread."""
        return Reader(copy.deepcopy(self.model), self.key, self.reference)

    def _under(self, rows: Sequence[Edits], text: str, group: str) -> Trace:
        """A trace of copies of the text, each edited in its own way."""
        encoded = encoded_texts(self.model, Texts([text]))[0]
        device = next(self.model.parameters()).device
        ids = torch.from_numpy(encoded.ids).to(device).expand(len(rows), -1)
        layer = self.model.layer
        path, layer.path = layer.path, "step"
        try:
            with ExitStack() as scope, evaluated(self.model), torch.no_grad():
                for edit in self._ablations(rows, group):
                    scope.enter_context(layer.register_edit(edit, group=group))
                recording = scope.enter_context(record(self.model, self._keep, gradients=False))
                recording.describe(
                    id=[str(row) for row in range(len(rows))],
                    text=[text] * len(rows),
                    span=[encoded.spans] * len(rows),
                )
                self.model(ids)
        finally:
            layer.path = path
        return recording.trace

    def _ablations(self, rows: Sequence[Edits], group: str) -> list[Ablation]:
        """The edits of all rows, kind by kind: each changes the weights that the last one left."""
        switches = self.switches[group]
        if switches is None or not any(rows):
            return []
        lags, heads = list(switches.lags), switches.heads
        features = self.model.layer.groups[group].coordinates().get("feature_kind", ())
        sources = torch.ones(len(rows), len(lags) or len(features), dtype=torch.bool)
        every, always = torch.ones(len(rows), heads, dtype=torch.bool), torch.full((len(rows),), -1)
        uniform = torch.tensor([row.uniform for row in rows])[:, None] & every
        off = torch.tensor([[head in row.heads for head in range(heads)] for row in rows])
        found = [
            Ablation("uniform", sources, always, uniform),
            Ablation("zero", sources, always, off),
        ]
        if lags:
            those = torch.tensor([[lag in row.lags for lag in lags] for row in rows])
            found.append(Ablation("zero", those, always, every))
        return found


def _predicted(trace: Trace, row: int) -> list[float]:
    return [
        float(p) for p in probabilities(trace.tree.dataset["prediction"].values[row].astype(float))
    ]
