"""The explorer in a notebook: a session whose selection are traits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anywidget
import numpy as np
import pandas as pd
import traitlets
from matplotlib.figure import Figure

from attnviz.explorer.encoding import encode_panel
from attnviz.explorer.opening import shelf_of
from attnviz.explorer.page import page, script, stylesheet, write_page
from attnviz.explorer.panels import Panel
from attnviz.explorer.selection import Link, Row
from attnviz.explorer.session import Session
from attnviz.explorer.shelf import lightened
from attnviz.explorer.twin import explorer_figure

if TYPE_CHECKING:
    from attnviz.explorer.opening import Given, Texty

__all__ = ["Explorer"]

_DECIDE = ("sequence", "sentence")
_OFFERED = 300  # texts listed in the browser at once; others are found by searching
_SELECTED = (
    "sequence", "sentence", "timestep", "cell", "layer", "lens", "head", "edits", "filters",
    "window",
)  # fmt: skip


class Explorer(anywidget.AnyWidget):
    """A text, word by word, and what cells read at each: click, walk, switch off, save.

    The last line of a notebook's cell shows it. What is selected are traits: set them, `observe`
    them, link them to other controls. Gradients, influence and what is said of all texts are
    computed when it is quiet, and shown when they are ready.

    Arguments:
        given: A trace or a model; the name of a model that ships, or the folder of either; several
            in a list, or by name in a dictionary, stand side by side. Models read sentences as
            they are typed; traces show what was recorded.
        texts: For models: what to choose from; the sentences that ship if not given.
        reference: For models: texts whose words stand in for others when influence is measured;
            the sentences that ship if not given.

    Attributes:
        sequence: Which text is shown; −1 for a sentence of one's own.
        sentence: The text that is shown; set it to have another read.
        timestep: The selected word, by the first panel; −1 for none.
        cell: The panel in focus, by its name.
        layer: The layer and direction.
        lens: What is looked through: `attention`, `contribution`, `gate_attention`,
            `feature_attention` or `influence`.
        head: One head; −1 for the mean over heads.
        edits: What is switched off, such as `{"lags": [3], "heads": [0], "uniform": True}`.
        filters: Which texts are offered, such as `{"right": False, "contains": "plot"}`; by
            `label`, `right`, `shortest`, `longest` and `contains`.
        window: First timestep on the axis and the one after the last; `(0, 0)` for all.

    Raises:
        TypeError: If traces and models are mixed, or something else is given.
        ValueError: If there is nothing to show, or traces are not of the same texts.
    """

    _esm = script()
    _css = stylesheet()

    sequence = traitlets.Int(0).tag(sync=True)
    sentence = traitlets.Unicode("").tag(sync=True)
    timestep = traitlets.Int(0).tag(sync=True)
    cell = traitlets.Unicode("").tag(sync=True)
    layer = traitlets.Unicode("").tag(sync=True)
    lens = traitlets.Unicode("").tag(sync=True)
    head = traitlets.Int(-1).tag(sync=True)
    edits = traitlets.Dict().tag(sync=True)
    filters = traitlets.Dict().tag(sync=True)
    window = traitlets.Tuple(traitlets.Int(), traitlets.Int(), default_value=(0, 0)).tag(sync=True)

    _panels: Any = traitlets.List().tag(sync=True)
    _rows = traitlets.Dict().tag(sync=True)
    _status = traitlets.Dict().tag(sync=True)
    _abilities = traitlets.Dict().tag(sync=True)

    def __init__(
        self,
        given: "Given | Sequence[Given] | Mapping[str, Given]",
        texts: "Texty | None" = None,
        *,
        reference: Sequence[str] | None = None,
    ) -> None:
        self._session: Session | None = None
        self._sent: list[Panel] = []
        self._listed: object = None
        session = Session(shelf_of(given, texts, reference), self._tell)
        known = {"live": session.shelf.live, "layers": list(session.shelf.layers)}
        super().__init__(_abilities=known)
        self._session = session
        self._tell()
        self.on_msg(self._asked)
        self.observe(self._chosen, list(_SELECTED))

    @property
    def panels(self) -> list[Panel]:
        """What is shown, one panel a cell."""
        return list(self._its.panels)

    def sources(self) -> pd.DataFrame:
        """What the selected word read, in the panel in focus, the largest first."""
        self._its.background.finish("influence")
        return self._table(self._its.sources())

    def readers(self) -> pd.DataFrame:
        """Which later words read the selected word, in the panel in focus, the largest first."""
        self._its.background.finish("influence")
        return self._table(self._its.readers())

    def figure(self) -> Figure:
        """What is shown and selected as a figure; `attnviz.save_figure` saves it."""
        self._its.background.finish("influence")
        chosen = self._its.selection
        said = {
            "cells": ", ".join(f"{panel.key} ({panel.cell})" for panel in self._its.panels),
            "selection": json.dumps(chosen.told(), ensure_ascii=False),
            **self._its.shelf.provenance,
        }
        return explorer_figure(
            self._its.panels, lens=chosen.lens, head=chosen.head, timestep=chosen.timestep,
            window=chosen.window, provenance=said,
        )  # fmt: skip

    def to_html(self, path: Path | str, sequences: Sequence[int] | None = None) -> Path:
        """Writes the explorer as one page that needs neither a kernel nor a network.

        Of models, the gradients and every ablation of one lag or head are made beforehand.

        Arguments:
            path: Where to write, ending in `.html`.
            sequences: Which texts; those that the filter leaves, at most twenty, if not given. A
                sentence of one's own that is shown goes along.

        Returns:
            The path.

        Raises:
            ValueError: If the path does not end so, or there is no such text.
        """
        return write_page(self._its, path, sequences)

    def wait(self) -> None:
        """Computes now what else would follow when it is quiet."""
        self._its.background.wait()

    def close(self) -> None:
        """Ends the widget and what it still computes."""
        if self._session is not None:
            self._session.background.close()
        super().close()

    @property
    def _its(self) -> Session:
        if self._session is None:
            raise RuntimeError("The explorer is not made yet.")
        return self._session

    @traitlets.validate(*_SELECTED)
    def _check(self, proposal: Any) -> Any:  # noqa: ANN401
        """Refuses what cannot be selected, before anything changes."""
        if self._session is not None:
            name = proposal["trait"].name
            told = self._session.selection.told()
            if name == "timestep" and any(getattr(self, n) != told[n] for n in _DECIDE):
                return proposal["value"]  # of a text that is not read yet, which may be longer
            try:
                held = self._session.checked(name, proposal["value"])
            except ValueError as error:
                raise traitlets.TraitError(str(error)) from error
            # As the session will tell it, so that nobody who observes hears of two changes.
            return replace(self._session.selection, **{name: held}).told()[name]
        return proposal["value"]

    def _chosen(self, change: Any) -> None:  # noqa: ANN401
        """Takes over all that differs at once: what comes together belongs together."""
        del change
        told = self._its.selection.told()
        changes = {n: getattr(self, n) for n in _SELECTED if getattr(self, n) != told[n]}
        self._its.change_all(changes)
        self._tell()

    def set_state(self, sync_data: Any) -> None:  # noqa: ANN401
        """Takes what the browser selects; where that cannot be, the browser is told what is."""
        try:
            super().set_state(sync_data)
        except traitlets.TraitError as error:
            self._status = {**self._status, "error": str(error)}
            self.send_state(list(_SELECTED))

    def _tell(self) -> None:
        """Brings the traits to what the session says; only what differs is sent."""
        session = self._session
        if session is None:
            return
        told = session.selection.told()
        # Notified of while still held: all goes in one message.
        with self.hold_sync(), self.hold_trait_notifications():
            for name in _SELECTED:
                if getattr(self, name) != told[name]:
                    setattr(self, name, told[name])
            if any(a is not b for a, b in zip(session.panels, self._sent, strict=False)) or len(
                session.panels
            ) != len(self._sent):
                self._sent = list(session.panels)
                head = session.selection.head
                self._panels = [encode_panel(one, _bytes, only=head) for one in session.panels]
            chosen = (id(session.rows), session.selection.filters, session.selection.sequence)
            if self._listed != chosen:
                self._listed, self._rows = chosen, _offered(session)
            self._status = {"busy": session.background.busy, "error": session.error}

    def _asked(self, _: object, content: Mapping[str, Any], __: object) -> None:
        """Sends the values of one head that the browser has not got."""
        if content.get("kind") != "slice":
            return
        wanted = {name: content[name] for name in ("key", "lens", "head")}
        wanted["edited"] = bool(content.get("edited"))
        panel = next((one for one in self._its.panels if one.key == wanted["key"]), None)
        shown = panel.edited if panel is not None and wanted["edited"] else panel
        if shown is None:  # it is gone since it was asked for
            return
        lens = next((one for one in shown.lenses if one.name == wanted["lens"]), None)
        if lens is not None and 0 <= int(wanted["head"]) < lens.heads:
            values = _bytes(lens.head(int(wanted["head"])))
            same = {name: content.get(name) for name in ("generation", "view", "layer")}
            answer = {"kind": "slice", **same, **wanted}
            self.send(answer, buffers=[values])

    def _table(self, links: Sequence[Link]) -> pd.DataFrame:
        lens = self._its.lens_of(self._its.panel)
        return pd.DataFrame(
            [(link.label, link.timestep, link.distance, link.value) for link in links],
            columns=["word", "timestep", lens.axis, lens.name],
        )

    def _repr_mimebundle_(self, **options: Any) -> Any:  # noqa: ANN401
        """The widget, and the page for wherever no kernel is: in exported notebooks."""
        bundle = super()._repr_mimebundle_(**options)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        session = self._its
        session.background.finish("gradients")  # a page cannot wait for them
        chosen = session.selection
        row = Row(-1, "own sentence", chosen.sentence)
        if chosen.sequence >= 0:
            row = session.row(chosen.sequence)
        state = chosen.told() | {"edits": {}, "filters": {}}
        light = [lightened(panel) for panel in session.panels]
        held = page({row.sequence: light}, [row], state=state)
        height = min(14 + 66 * -(-len(light) // 2), 150)  # two panels stand side by side
        # In a frame of its own, so that neither its style nor its script meets the notebook's.
        frame = (
            f'<iframe srcdoc="{escape(held)}" sandbox="allow-scripts allow-downloads" '
            f'style="width:100%;height:{height}rem;border:0" title="attnviz explorer"></iframe>'
        )
        return {**data, "text/html": frame}, metadata


def _bytes(values: np.ndarray) -> bytes:
    narrow = np.ascontiguousarray(values)
    return narrow.astype(f"<{narrow.dtype.kind}4", copy=False).tobytes()


def _offered(session: Session) -> dict[str, Any]:
    left = session.matching()
    before = [row.sequence for row in left if row.sequence < session.selection.sequence]
    after = (row.sequence for row in left if row.sequence > session.selection.sequence)
    return {
        "previous": before[-1] if before else None,
        "next": next(after, None),
        "total": len(session.rows),
        "matching": len(left),
        "rows": [
            {"sequence": row.sequence, "id": row.id, "start": row.text[:80], "label": row.label,
             "prediction": row.prediction, "length": row.length}
            for row in left[:_OFFERED]
        ],
    }  # fmt: skip
