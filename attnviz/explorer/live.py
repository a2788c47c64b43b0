"""A model that reads sentences for the explorer, as they are typed, with and without edits."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

import cells
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
from attnviz.opening.copying import copy_module
from attnviz.recording import Texts, available_signals, record, record_texts
from attnviz.recording.texts import encoded_texts
from attnviz.text import UNKNOWN, UNKNOWN_ID
from attnviz.trace import Trace

__all__ = ["Reader"]

_SHOWN = (
    "attention", "attention_used", "contribution", "gate_attention", "feature_attention",
    "input_gate", "forget_gate", "output_gate", "update_gate", "reset_gate",
)  # fmt: skip

_NAMED = 8  # of the words that a model does not know


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
        self._twin: Reader | None = None
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
        panel = panel_of(trace, 0, key=self.key, layer=layer)
        return replace(panel, notes=[*panel.notes, *self._not_known(text)])

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
        lens = influence_lens(measured)
        if len(self.layers) > 1:
            lens = replace(lens, label=f"{lens.label} on the last layer")
        return lens

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
        trace, used = self._under([Edits(), *known], text, group)
        arms = [one_sequence(trace, row) for row in range(len(known) + 1)]
        seen = [_as_used(lenses(arm, group, used=True), used, n) for n, arm in enumerate(arms)]
        before, unedited = tracks(arms[0], group), _predicted(trace, 0)
        return [
            Edited(edits.label, _predicted(trace, row), seen[row], tracks(arms[row], group),
                   unedited, seen[0], before)
            if edits else None
            for row, edits in enumerate(known, start=1)
        ]  # fmt: skip

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
        if self._twin is None:
            self._twin = Reader(copy_module(self.model), self.key, self.reference)
        else:  # it may have been trained since
            self._twin.model.load_state_dict(self.model.state_dict())
        return self._twin

    def _under(
        self, rows: Sequence[Edits], text: str, group: str
    ) -> tuple[Trace, Float[np.ndarray, "row time head source"]]:
        """A trace of copies of the text, each edited in its own way, and the weights as used."""
        encoded = encoded_texts(self.model, Texts([text]))[0]
        device = next(self.model.parameters()).device
        ids = torch.from_numpy(encoded.ids).to(device).expand(len(rows), -1)
        layer, used = self.model.layer, _Used()
        path, layer.path = layer.path, "step"
        try:
            with ExitStack() as scope, evaluated(self.model), torch.no_grad():
                for edit in self._ablations(rows, group):
                    scope.enter_context(layer.register_edit(edit, group=group))
                scope.enter_context(layer.register_edit(used, group=group))
                recording = scope.enter_context(record(self.model, self._keep, gradients=False))
                recording.describe(
                    id=[str(row) for row in range(len(rows))],
                    text=[text] * len(rows),
                    span=[encoded.spans] * len(rows),
                )
                self.model(ids)
        finally:
            layer.path = path
        return recording.trace, used.weights(backwards=group.endswith("_reverse"))

    def _not_known(self, text: str) -> list[str]:
        encoded = encoded_texts(self.model, Texts([text]))[0]
        spans = encoded.spans[encoded.ids == UNKNOWN_ID]
        found: dict[str, str] = {}
        for start, end in spans:
            found.setdefault(text[start:end].casefold(), text[start:end])
        if not found:
            return []
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        named = ", ".join(f"“{word}”" for word in [*found.values()][:_NAMED])
        return [f"Not known to {self.key}, which reads them all as {UNKNOWN}: {named}{more}."]

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


class _Used:
    """An edit that changes nothing and keeps the weights that the others left."""

    def __init__(self) -> None:
        self._steps: list[Tensor] = []

    def __call__(self, weights: Tensor, values: Tensor, at: cells.At) -> tuple[Tensor, Tensor]:
        """The weights and values themselves."""
        self._steps.append(weights.detach())
        return weights, values

    def weights(self, *, backwards: bool) -> Float[np.ndarray, "row time head source"]:
        """What was kept, in original time."""
        steps = self._steps[::-1] if backwards else self._steps
        return torch.stack(steps, dim=1).cpu().numpy()


def _as_used(
    seen: Sequence[Lens], used: Float[np.ndarray, "row time head source"], row: int
) -> list[Lens]:
    """Lenses whose feature attention is that after the edit, in multiples of an equal share."""
    return [
        replace(lens, values=np.ascontiguousarray(used[row].transpose(1, 0, 2) * used.shape[-1]))
        if lens.axis == "feature" else lens
        for lens in seen
    ]  # fmt: skip


def _predicted(trace: Trace, row: int) -> list[float]:
    return [
        float(p) for p in probabilities(trace.tree.dataset["prediction"].values[row].astype(float))
    ]
