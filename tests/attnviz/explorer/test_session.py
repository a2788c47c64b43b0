import numpy as np
import pytest

from attnviz import Texts, replacement_influence
from attnviz.explorer.edits import Edits
from attnviz.explorer.live_shelf import ModelShelf
from attnviz.explorer.selection import Filter, turning_point
from attnviz.explorer.session import Selection, Session
from attnviz.explorer.shelf import TraceShelf
from attnviz.models import Reading
from tests.attnviz import traces
from tests.attnviz.explorer.subjects import (
    LABELS,
    REFERENCE,
    SHORT,
    TEXT,
    TEXTS,
    gru,
    larnn,
    lstm,
    named,
    names,
    rra,
    said_of,
)

OWN = "a very very good film"


class Counted(ModelShelf):
    """Counts what is asked of it."""

    def __init__(self, *models, texts=None):
        chosen = Texts(TEXTS, labels=LABELS) if texts is None else texts
        super().__init__({model.name: model for model in models}, chosen, REFERENCE)
        self.read, self.edited_under, self.flows, self.influences = [], [], [], []

    def sentence(self, text, label, layer, edits):
        self.read.append((text, label, layer, edits))
        return super().sentence(text, label, layer, edits)

    def edited(self, text, layer, edits):
        self.edited_under.append(edits)
        return super().edited(text, layer, edits)

    def flow(self, text, label, layer):
        self.flows.append((text, label, layer))
        return super().flow(text, label, layer)

    def influence(self, text, timesteps):
        self.influences.append((text, dict(timesteps)))
        return super().influence(text, timesteps)


def live(*models, **how):
    """A session over models, two if none are given."""
    shelf = Counted(*(models or (rra(), gru())), **how)
    return Session(shelf, lambda: None), shelf


def recorded():
    one, two = traces.review(9), traces.review(14)
    return Session(
        TraceShelf({"a": traces.larnn([one, two]), "b": traces.gru([one, two])}), lambda: None
    )


def test_at_first_the_first_text_is_read():
    session, shelf = live()

    model, words = shelf.readers["rra"].model, TEXT.split()
    score = [said_of(model, " ".join(words[: n + 1]))[1] for n in range(13)]
    turn = max(range(3, 13), key=lambda t: abs(score[t] - score[t - 1]))  # past the first quarter
    assert session.selection == Selection(0, TEXT, turn, "rra", "l0", "attention")
    assert shelf.read == [(TEXT, 1, "l0", Edits())]
    assert [panel.key for panel in session.panels] == ["rra", "gru"]
    assert session.background.busy == ["gradients", "predictions"]
    assert (session.error, len(session.rows), session.panel.key) == (None, 4, "rra")
    assert session.selection.told() == {
        "sequence": 0, "sentence": TEXT, "timestep": turn, "cell": "rra", "layer": "l0",
        "lens": "attention", "head": -1, "edits": {}, "filters": {}, "window": (0, 0),
    }  # fmt: skip


def test_a_sequence_brings_its_sentence_and_a_sentence_its_sequence():
    session, shelf = live()

    session.change("sequence", 1)
    assert (session.selection.sequence, session.selection.sentence) == (1, SHORT)
    assert [panel.text for panel in session.panels] == [SHORT, SHORT]
    session.change("sentence", OWN)
    assert (session.selection.sequence, session.selection.sentence) == (-1, OWN)
    np.testing.assert_allclose(
        session.panels[1].prediction, said_of(gru_again(shelf), OWN), atol=1e-12
    )
    session.change("sentence", TEXTS[2])
    assert (session.selection.sequence, session.selection.sentence) == (2, TEXTS[2])
    session.change("sequence", 0)
    assert session.selection.sentence == TEXT
    session.change("sequence", -1)
    assert (session.selection.sequence, session.selection.sentence) == (-1, TEXT)
    told = [(text, label) for text, label, _, _ in shelf.read]
    assert told == [(TEXT, 1), (SHORT, 0), (OWN, -1), (TEXTS[2], -1), (TEXT, 1), (TEXT, -1)]


def gru_again(shelf):
    return shelf.readers["gru"].model


def test_the_timestep_stays_within_the_text_and_the_window_begins_anew():
    session, _ = live()
    session.change("timestep", 11)
    session.change("window", [3, 9])
    session.change("layer", "l0")
    assert session.selection.window == (3, 9)

    session.change("sentence", "a very very bad film")
    assert (session.selection.timestep, session.selection.window) == (4, (0, 0))
    session.change("timestep", -1)
    session.change("window", (1, 3))
    session.change("edits", {"lags": [2]})
    assert (session.selection.timestep, session.selection.window) == (-1, (1, 3))
    session.change("sequence", 0)
    turn = turning_point(session.panels[0])
    assert (session.selection.timestep, session.selection.window) == (turn, (0, 0))


def test_another_text_of_the_same_words_has_its_own_label():
    twice = Texts([SHORT, TEXT, SHORT], labels=[0, 1, 1])
    session, _ = live(rra(), texts=twice)
    assert session.panels[0].label == 0
    session.change("sequence", 2)
    assert (session.selection.sequence, session.panels[0].label) == (2, 1)
    session.change("sequence", -1)
    assert session.panels[0].label == -1
    session = Session(TraceShelf({"a": traces.larnn([SHORT, SHORT])}), lambda: None)
    first = session.panels[0].lenses[0].values
    session.change("sequence", 1)
    assert session.selection.sequence == 1
    assert not np.array_equal(session.panels[0].lenses[0].values, first)


def test_what_did_not_change_is_not_read_again():
    session, shelf = live()
    panels = session.panels
    for name, value in (
        ("timestep", 3), ("cell", "gru"), ("lens", "contribution"), ("window", (0, 4)),
        ("filters", {"label": 1}), ("edits", {}), ("sequence", 0), ("sentence", TEXT),
    ):  # fmt: skip
        session.change(name, value)
    assert session.panels is panels and len(shelf.read) == 1
    assert session.panel.key == "gru"


def test_edits_are_read_beside_what_is_unedited():
    session, shelf = live(larnn(), gru())
    session.change("edits", {"lags": [3], "heads": [1]})

    assert shelf.edited_under[-1] == Edits((3,), (1,))
    assert len(shelf.read) == 1  # the unedited text is not read again
    one, other = session.panels
    assert one.edited.label == "lag 3 off, head 1 off" and other.edited is None
    assert session.selection.told()["edits"] == {"lags": [3], "heads": [1], "uniform": False}
    session.change("head", 0)
    session.change("timestep", 6)
    used = named(one.edited.lenses, "attention")
    assert session.lens_of(session.panel) is used
    found = {link.distance: link.value for link in session.sources()}
    assert found == {lag: float(used.values[0, 6, lag - 1]) for lag in (1, 2, 3)}
    assert found[3] == 0 < found[1]
    session.change("edits", {})
    assert session.panels[0].edited is None


REFUSED = [
    ("sequence", 9, "There are 4 texts, numbered 0 to 3, but 9 was asked for"),
    ("timestep", 13, "timestep is one of 0 to 12, −1 for none; got 13"),
    ("timestep", -2, "got -2"),
    ("cell", "lstm", r"cell is one of \['rra', 'gru'\], but got 'lstm'"),
    ("layer", "l1", r"layer is one of \['l0'\], but got 'l1'"),
    ("lens", "feature_attention", r"lens is one of \['attention', .*'influence'\]"),
    ("head", 1, "head is one of 0 to 0, −1 for their mean; got 1"),
    ("head", -2, "got -2"),
    ("edits", {"lags": [1]}, r"switches off lag 1, .* have \[2, 3, 4, 5, 6\]"),
    ("edits", {"lag": 1}, "edits knows"),
    ("filters", {"words": 3}, "A filter knows"),
    ("filters", {"contains": 3}, "'contains' is a text"),
    ("window", (4, 4), r"window is \(first, one after the last\), got \(4, 4\)"),
    ("window", (-1, 4), r"got \(-1, 4\)"),
]


@pytest.mark.parametrize(("name", "value", "said"), REFUSED)
def test_what_is_refused_leaves_everything_as_it_was(name, value, said):
    session, shelf = live()
    before, panels, busy = session.selection, session.panels, session.background.busy

    with pytest.raises(ValueError, match=said):
        session.change(name, value)

    assert session.selection is before and session.panels is panels
    assert (len(shelf.read), session.error, session.background.busy) == (1, None, busy)


def test_traces_refuse_what_only_models_can_do():
    session = recorded()
    before = session.selection
    for name, value, said in (
        ("sentence", "good", "A trace holds what was recorded"),
        ("sequence", -1, "These are traces"),
        ("edits", {"uniform": True}, "A trace cannot be edited"),
        ("lens", "influence", r"lens is one of \['attention', 'contribution', 'gate_attention'\]"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=said):
            session.change(name, value)
    assert session.selection is before
    session.change("edits", {})
    session.change("sentence", session.rows[1].text)
    assert session.selection.sequence == 1
    assert session.background.busy == []


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "Type a word: what is shown is the last text"), ("  ", "Type a word"),
     ("<br />", "at least one word or mark")],
)  # fmt: skip
def test_a_sentence_that_cannot_be_read_leaves_what_was_shown_and_says_why(text, said):
    session, shelf = live()
    session.background.wait()
    panels = session.panels
    session.change("sentence", text)

    assert session.panels is panels and said in session.error
    assert (session.selection.sentence, session.selection.sequence) == (text, -1)
    session.change("lens", "influence")
    session.change("timestep", 2)
    assert session.background.busy == []  # of nothing nothing more is asked
    session.change("sentence", OWN)
    assert session.error is None and session.panels[0].text == OWN
    session.background.wait()
    assert [text for text, _, _ in shelf.flows] == [TEXT, OWN]


def test_gradients_come_later_and_once():
    session, shelf = live()
    session.background.wait()
    assert [sorted(names(panel.tracks)) for panel in session.panels] == [
        ["gates", "gradient", "routes", "score"]
    ] * 2
    for timestep in (1, 2):
        session.change("timestep", timestep)
    assert session.background.busy == []
    session.change("edits", {"lags": [2]})
    session.background.wait()
    session.change("sequence", 2)
    session.background.wait()
    assert shelf.flows == [(TEXT, 1, "l0"), (TEXTS[2], -1, "l0")]
    assert {"gradient", "routes"} <= set(names(session.panels[1].tracks))


def test_influence_is_measured_only_where_it_is_looked_at_and_missing():
    session, shelf = live()
    session.background.wait()
    session.change("timestep", 5)
    assert shelf.influences == [] and session.background.busy == []

    session.change("lens", "influence")
    assert session.background.busy == ["influence"] and session.sources() == []
    session.background.wait()
    session.change("timestep", 3)
    session.background.wait()
    session.change("timestep", 5)
    assert session.background.busy == []
    session.change("timestep", -1)
    assert session.background.busy == []
    session.change("timestep", 3)

    assert shelf.influences == [(TEXT, {"rra": 5, "gru": 5}), (TEXT, {"rra": 3, "gru": 3})]
    assert named(session.panels[1].lenses, "influence").at == [3, 5]
    model = shelf.readers["rra"].model
    held = replacement_influence(model, [TEXT], reference=REFERENCE, at=[3])["influence"].values
    found = {link.timestep: link.value for link in session.sources()}
    assert found == {3 - lag: float(np.float32(held[0, 0, lag])) for lag in range(4)}
    assert {link.timestep for link in session.readers()} == {5}
    session.change("sequence", 1)
    assert session.background.busy == ["gradients", "influence"]
    session.background.wait()
    assert shelf.influences[-1] == (SHORT, {"rra": 3, "gru": 3})


def test_a_word_that_one_cell_does_not_read_is_measured_in_the_others():
    cut = gru()
    cut.reading = Reading(4, "end")
    session, shelf = live(rra(), cut)
    session.background.wait()
    session.change("lens", "influence")
    session.change("timestep", 2)
    session.background.wait()
    assert shelf.influences == [(TEXT, {"rra": 2})]
    session.change("cell", "gru")
    assert session.sources() == [] == session.readers()

    session.change("timestep", 10)
    session.background.wait()
    assert shelf.influences[-1] == (TEXT, {"rra": 10, "gru": 1})
    assert {link.timestep for link in session.sources()} == {0, 1}
    assert named(session.panels[0].lenses, "influence").at == [2, 10]


def test_influence_of_what_reads_both_ways_is_refused_in_words():
    session, _ = live(gru(bidirectional=True))
    session.background.wait()
    session.change("lens", "influence")
    with pytest.raises(ValueError, match="bidirectional"):
        session.background.wait()
    assert session.background.busy == []


def test_the_texts_are_read_once_and_filtered():
    session, shelf = live()
    assert [row.prediction for row in session.matching()] == [-1] * 4
    session.change("filters", {"right": True})
    assert session.matching() == []
    session.background.wait()

    model = shelf.readers["rra"].model
    said = [int(said_of(model, text).argmax()) for text in TEXTS]
    right = [n for n in range(4) if LABELS[n] == said[n]]
    assert [row.sequence for row in session.matching()] == right
    session.change("filters", {"right": False})
    wrong = [n for n in range(4) if LABELS[n] >= 0 and LABELS[n] != said[n]]
    assert [row.sequence for row in session.matching()] == wrong
    assert len(right) + len(wrong) == 3
    session.change("filters", {"contains": "FILM", "longest": 7})
    assert [row.sequence for row in session.matching()] == [1, 2]
    assert session.selection.filters == Filter(contains="FILM", longest=7)
    session.change("sequence", 3)
    assert "predictions" not in session.background.busy


def test_layers_are_read_each_for_itself():
    session, _ = live(lstm(num_layers=2, bidirectional=True))
    session.background.wait()
    for layer, direction in (("l1_reverse", -1), ("l0", 1)):
        session.change("layer", layer)
        assert (session.panels[0].layer, session.panels[0].direction) == (layer, direction)
        assert session.background.busy == ["gradients"]
        session.background.wait()
    session.change("layer", "l0_reverse")
    session.change("timestep", 4)
    assert {link.timestep for link in session.readers()} == {0, 1, 2, 3}


def test_a_head_that_one_cell_does_not_have_is_its_mean():
    session = recorded()
    session.change("timestep", 6)
    session.change("head", 2)
    larnn_values = session.panels[0].lenses[0].values[2, 6]
    assert {link.value for link in session.sources()} <= {float(v) for v in larnn_values}
    session.change("cell", "b")
    values = session.panels[1].lenses[0].values[0, 6]
    by_age = [link for link in session.sources() if link.distance >= 0]
    assert {link.value for link in by_age} == {float(v) for v in values[:7]}


def test_a_page_gets_what_the_filter_leaves_or_what_is_asked_for():
    session, _ = live(larnn())
    session.change("filters", {"label": 1})
    panels, rows = session.on_page(None)
    assert [row.sequence for row in rows] == list(panels) == [0, 3]
    assert len(panels[0][0].variants) == 6
    assert "gradient" in names(panels[3][0].tracks)

    panels, rows = session.on_page([2, 1])
    assert [row.sequence for row in rows] == list(panels) == [2, 1]
    assert panels[1][0].text == SHORT and panels[1][0].label == 0
    with pytest.raises(ValueError, match="4 texts, numbered 0 to 3, but 4 was asked for"):
        session.on_page([1, 4])

    session.change("sentence", OWN)
    panels, rows = session.on_page([1])
    assert [row.sequence for row in rows] == [-1, 1]
    assert (rows[0].text, rows[0].length, panels[-1][0].text) == (OWN, 5, OWN)
    session.change("filters", {"contains": "nowhere"})
    assert [row.sequence for row in session.on_page(None)[1]] == [-1]


def test_at_most_twenty_texts_go_along_unasked():
    many = [traces.review(3 + n) for n in range(23)]
    session = Session(TraceShelf({"a": traces.rra(many)}), lambda: None)

    panels, rows = session.on_page(None)
    assert [row.sequence for row in rows] == list(range(20)) and len(panels) == 20
    panels, _ = session.on_page(range(23))
    assert len(panels) == 23


def test_what_is_known_of_a_text_survives_an_edit():
    session, _ = live()
    session.change("lens", "influence")
    session.background.wait()
    measured = session.sources()
    assert measured

    session.change("edits", {"uniform": True})

    assert session.background.busy == []
    assert "gradient" in names(session.panels[0].tracks)
    assert session.lens_of(session.panel).label == "replacement influence, unedited"
    assert session.sources() == measured


def test_steps_do_not_begin_the_gradients_again():
    session, _ = live()
    wanted = session.background._pending
    session.change("timestep", 3)
    session.change("head", -1)
    after = session.background._pending
    assert len(after) == 2 and all(a is b for a, b in zip(wanted, after, strict=True))
    session.change("sentence", OWN)
    assert session.background._pending[0] is not wanted[0]


def test_what_was_measured_goes_along_on_a_page():
    session, _ = live()
    session.change("lens", "influence")
    session.background.wait()
    shown, _ = session.on_page([0, 1])
    assert [named(panel.lenses, "influence").at for panel in shown[0]] == [
        [session.selection.timestep]
    ] * 2
    assert "influence" not in names(shown[1][0].lenses)
