"""Models as a shelf: texts to choose from, and any sentence of one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch

from attnviz.explorer.background import Outdated, Stale
from attnviz.explorer.edits import Edits
from attnviz.explorer.lenses import influence_lens
from attnviz.explorer.live import Reader
from attnviz.explorer.panels import Edited, Lens, Panel, Switches, Track
from attnviz.explorer.selection import Row
from attnviz.explorer.shelf import Shelf, with_tracks
from attnviz.models import SequenceModel
from attnviz.recording import Texts
from attnviz.recording.assembly import weights_digest
from attnviz.recording.texts import check_labels, encoded_texts

__all__ = ["ModelShelf"]

_AT_ONCE = 1000


class ModelShelf(Shelf):
    """Models that read texts, one panel each.

    Arguments:
        models: By the names that their panels get.
        texts: To choose from.
        reference: Texts whose words stand in for others, to measure influence.

    Raises:
        ValueError: If there is no model, one reads no text, or a text holds no token.
    """

    live = True

    def __init__(
        self, models: Mapping[str, SequenceModel], texts: Texts, reference: Sequence[str]
    ) -> None:
        if not models:
            raise ValueError("The explorer needs a trace or a model, got none.")
        for model in models.values():
            check_labels(model, texts)
        self.readers = {key: Reader(model, key, reference) for key, model in models.items()}
        self.keys = list(models)
        layers = [reader.layers for reader in self.readers.values()]
        self.layers = [layer for layer in layers[0] if all(layer in other for other in layers)]
        first = next(iter(models.values()))
        count = len(texts.texts)
        labels = texts.right or [-1] * count
        ids = [str(n) for n in range(count)] if texts.ids is None else list(texts.ids)
        # The lengths of very many texts follow with what is predicted of them.
        begun = Texts(texts.texts[:_AT_ONCE], ids=ids[:_AT_ONCE])
        lengths = [len(text.ids) for text in encoded_texts(first, begun)]
        lengths += [-1] * (count - len(lengths))
        self.rows = [
            Row(n, ids[n], texts.texts[n], labels[n], -1, lengths[n]) for n in range(count)
        ]

    def panels(self, sequence: int, layer: str) -> list[Panel]:
        """What every model shows of a text, unedited."""
        row = self.rows[sequence]
        return self.sentence(row.text, row.label, layer, Edits())

    def sentence(self, text: str, label: int, layer: str, edits: Edits) -> list[Panel]:
        """What every model shows of any text, under edits and without."""
        found, changed = [], self.edited(text, layer, edits)
        for reader in self.readers.values():
            panel = reader.read(text, label=label, layer=layer)
            edited = changed[reader.key]
            # What is measured on request is offered from the start.
            offered = [*panel.lenses, influence_lens(None)]
            found.append(replace(panel, edited=edited, lenses=offered))
        return found

    def edited(self, text: str, layer: str, edits: Edits) -> dict[str, Edited | None]:
        """The text under edits in every model; None where it knows none of them."""
        readers = self.readers.items()
        return {
            key: one.edited(text, edits, layer=layer) if edits else None for key, one in readers
        }

    def complete(self, row: Row, layer: str) -> list[Panel]:
        """A text with its gradients, and with every edit of one lag or head made beforehand."""
        found = []
        for reader in self.readers.values():
            panel = reader.read(row.text, label=row.label, layer=layer)
            panel = with_tracks(panel, reader.flow(row.text, label=row.label, layer=layer))
            variants = reader.ablations(row.text, layer=layer)
            found.append(replace(panel, variants=variants))
        return found

    @property
    def provenance(self) -> dict[str, str]:
        """The digest of each model's weights."""
        readers = self.readers.items()
        return {f"weights of {key}": weights_digest(one.model) for key, one in readers}

    @property
    def switches(self) -> list[Switches | None]:
        """What of each cell can be switched off."""
        return [one for reader in self.readers.values() for one in reader.switches.values()]

    def flow(self, text: str, label: int, layer: str) -> "FlowWork":
        """The gradients of a sentence, as work for another thread."""
        return FlowWork([reader.twin() for reader in self.readers.values()], text, label, layer)

    def influence(self, text: str, timesteps: Mapping[str, int]) -> "InfluenceWork":
        """The influence on the word selected in each panel, as work for another thread."""
        asked = [self.readers[key].twin() for key in self.readers if key in timesteps]
        return InfluenceWork(asked, text, timesteps)

    def outcomes(self) -> "OutcomeWork":
        """What the first model says of every text, as work for another thread."""
        return OutcomeWork(next(iter(self.readers.values())).twin(), self.rows)


class FlowWork:
    """The gradients of a sentence in every model."""

    def __init__(self, readers: Sequence[Reader], text: str, label: int, layer: str) -> None:
        self.readers, self.text, self.label, self.layer = readers, text, label, layer

    def __call__(self, stale: Stale) -> dict[str, list[Track]]:
        """The tracks of each panel."""
        found = {}
        for reader in self.readers:
            _stop_if(stale)
            found[reader.key] = reader.flow(self.text, label=self.label, layer=self.layer)
        return found


class InfluenceWork:
    """The influence on a word in every model."""

    def __init__(self, readers: Sequence[Reader], text: str, timesteps: Mapping[str, int]) -> None:
        self.readers, self.text, self.timesteps = readers, text, timesteps

    def __call__(self, stale: Stale) -> dict[str, Lens]:
        """The lens of each panel."""
        found = {}
        for reader in self.readers:
            # A long sentence takes seconds: it is given up between two calls of the model.
            hook = reader.model.layer.register_forward_pre_hook(lambda *_: _stop_if(stale))
            with hook:
                found[reader.key] = reader.influence(self.text, self.timesteps[reader.key])
        return found


class OutcomeWork:
    """What a model says of every text."""

    def __init__(self, reader: Reader, rows: Sequence[Row]) -> None:
        self.reader, self.rows = reader, rows

    def __call__(self, stale: Stale) -> list[Row]:
        """The rows with their predicted classes."""
        found = []
        model = self.reader.model.eval()
        device = next(model.parameters()).device
        for row in self.rows:
            _stop_if(stale)
            text = encoded_texts(model, Texts([row.text], ids=[row.id]))[0]
            with torch.no_grad():
                logits = model(torch.from_numpy(text.ids)[None].to(device))
            predicted = int(logits[0].argmax())
            found.append(replace(row, prediction=predicted, length=len(text.ids)))
        return found


def _stop_if(stale: Stale) -> None:
    if stale():
        raise Outdated
