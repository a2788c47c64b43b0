import asyncio
import re
import threading
import time
from html.parser import HTMLParser

import ipywidgets
import numpy as np
import pandas as pd
import pytest
import traitlets

import attnviz
from attnviz import Texts
from attnviz.explorer import background
from attnviz.explorer.selection import turning_point
from attnviz.explorer.widget import Explorer
from tests.attnviz import traces
from tests.attnviz.explorer.subjects import (
    LABELS,
    REFERENCE,
    SHORT,
    TEXT,
    TEXTS,
    gru,
    larnn,
    named,
    names,
    rra,
)
from tests.attnviz.explorer.test_page import Read
from tests.attnviz.explorer.test_twin import strips_of

SELECTED = {
    "sequence": 0, "sentence": TEXT, "timestep": 9, "cell": "larnn", "layer": "l0",
    "lens": "attention", "head": -1, "edits": {}, "filters": {}, "window": (0, 0),
}  # fmt: skip


@pytest.fixture
def explorer():
    made = Explorer(
        [larnn(), gru()], Texts(TEXTS, labels=LABELS, ids=list("abcd")), reference=REFERENCE
    )
    yield made
    made.close()


@pytest.fixture
def recorded():
    texts = [traces.review(9), traces.review(14)]
    made = Explorer({"a": traces.larnn(texts), "b": traces.gru(texts)})
    yield made
    made.close()


def selected(explorer):
    return {name: getattr(explorer, name) for name in SELECTED}


def array(held):
    """A buffer as the browser reads it."""
    return np.frombuffer(held, "<f4")


def test_what_is_shown_first(explorer):
    assert selected(explorer) == SELECTED
    assert [panel.key for panel in explorer.panels] == ["larnn", "gru"]
    assert explorer._abilities == {"live": True, "layers": ["l0"]}
    assert explorer._status == {"busy": ["gradients", "predictions"], "error": None}
    assert explorer._rows["total"] == explorer._rows["matching"] == 4
    assert explorer._rows["rows"][1] == {
        "sequence": 1, "id": "b", "start": SHORT, "label": 0, "prediction": -1, "length": 5,
    }  # fmt: skip


def test_it_opens_where_the_prediction_turns():
    explorer = Explorer([larnn(), gru()], [TEXT])
    score = named(explorer.panels[0].tracks, "score").series[0].values
    assert explorer.timestep == 3 + np.argmax(np.abs(np.diff(score))[2:])
    explorer.close()


def test_everything_that_is_selected_is_shared_with_the_browser(explorer):
    shared = set(explorer.traits(sync=True))
    assert set(SELECTED) | {"_panels", "_rows", "_status", "_abilities"} <= shared
    state = explorer.get_state()
    assert {name: state[name] for name in SELECTED} == SELECTED
    link = ipywidgets.jslink((explorer, "timestep"), (ipywidgets.IntSlider(), "value"))
    slider = ipywidgets.IntSlider(max=12)
    traitlets.link((slider, "value"), (explorer, "timestep"))
    slider.value = 7
    assert explorer.timestep == 7
    explorer.timestep = 4
    assert slider.value == 4
    link.close()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("sequence", 7, "There are 4 texts"),
        ("timestep", 13, "timestep is one of 0 to 12"),
        ("cell", "rra", r"cell is one of \['larnn', 'gru'\]"),
        ("layer", "l1", "layer is one of"),
        ("lens", "feature_attention", "lens is one of"),
        ("head", 2, "head is one of 0 to 1"),
        ("edits", {"lags": [4]}, r"switches off lag 4, .* have \[1, 2, 3\]"),
        ("edits", {"lags": "3"}, "is a list of whole numbers"),
        ("filters", {"right": "yes"}, "'right' is true or false or none"),
        ("window", (5, 2), "window is"),
        ("timestep", "3", "expected an int"),
        ("sentence", 3, "expected a unicode string"),
        ("edits", [3], "expected a dict"),
    ],
)
def test_what_cannot_be_selected_is_refused_and_nothing_moves(explorer, name, value, said):
    shown, seen = explorer.panels, []
    explorer.observe(seen.append)

    with pytest.raises(traitlets.TraitError, match=said):
        setattr(explorer, name, value)
    assert selected(explorer) == SELECTED
    assert seen == []
    assert all(one is other for one, other in zip(explorer.panels, shown, strict=True))
    if type(value) is type(SELECTED[name]):
        told = []
        explorer.send_state = lambda key=None, **_: told.append(key)
        explorer.set_state({name: value})  # what a browser sends: it is told why, and what is
        assert selected(explorer) == SELECTED
        assert re.search(said, explorer._status["error"]) and name in told[-1]


def test_what_a_browser_sends_together_belongs_together(explorer):
    heard = []
    explorer.observe(lambda change: heard.append((change["name"], change["new"])), ["timestep"])
    explorer.set_state({"sequence": 1, "timestep": -1, "window": [0, 0]})
    assert (explorer.sequence, explorer.timestep, explorer.sentence) == (1, -1, SHORT)
    assert heard == [("timestep", -1)]
    longest = len(explorer.panels[0].tokens())
    explorer.set_state({"sequence": 0, "timestep": 11})  # beyond the text that was shown
    assert (longest, explorer.timestep) == (5, 11)
    explorer.set_state({"timestep": 99, "sequence": 1})
    assert explorer.timestep == 4


def test_who_observes_hears_once_and_finds_it_done(explorer):
    heard = []

    def hear(change):
        heard.append((change["name"], change["new"], [panel.text for panel in explorer.panels]))

    explorer.observe(hear, ["sequence", "sentence", "timestep", "edits", "window"])
    explorer.timestep = 9
    explorer.window = (2, 8)
    heard.clear()
    explorer.sequence = 1

    said = {name: new for name, new, _ in heard}
    turn = turning_point(explorer.panels[0])
    assert said == {"sequence": 1, "sentence": SHORT, "timestep": turn, "window": (0, 0)}
    assert len(heard) == 4 and all(texts == [SHORT, SHORT] for _, _, texts in heard)
    heard.clear()
    explorer.edits = {"lags": [3]}
    assert [new for _, new, _ in heard] == [{"lags": [3], "heads": [], "uniform": False}]
    assert explorer.edits == heard[0][1]
    explorer.edits = {"lags": []}
    assert explorer.edits == {} and len(heard) == 2


def test_what_the_browser_selects_is_selected(explorer):
    explorer.set_state({"sequence": 1, "timestep": 3, "lens": "contribution", "window": [1, 4]})

    assert (explorer.sequence, explorer.sentence, explorer.timestep) == (1, SHORT, 3)
    assert (explorer.lens, explorer.window) == ("contribution", (1, 4))
    explorer.set_state({"sentence": "good very good", "edits": {"heads": [1]}})
    assert (explorer.sequence, explorer.timestep) == (-1, 2)
    assert explorer.panels[0].edited.label == "head 1 off"
    explorer.set_state({"filters": {
        "label": None, "right": None, "shortest": None, "longest": None, "contains": "BAD",
    }})  # fmt: skip
    assert explorer._rows["matching"] == 3
    assert [row["sequence"] for row in explorer._rows["rows"]] == [0, 1, 2]


def test_panels_go_to_the_browser_as_bytes(explorer):
    explorer.timestep = 5
    for told, panel in zip(explorer._panels, explorer.panels, strict=True):
        for lens, held in zip(told["lenses"], panel.lenses, strict=True):
            mean, *each = lens["values"]
            np.testing.assert_array_equal(array(mean), held.head(-1).ravel())
            assert each == [None] * (held.heads if held.heads > 1 else 0)
        for track, held in zip(told["tracks"], panel.tracks, strict=True):
            for series, line in zip(track["series"], held.series, strict=True):
                np.testing.assert_array_equal(array(series["values"]), line.values)
        spans = np.frombuffer(told["spans"], "<i4")
        np.testing.assert_array_equal(spans, panel.spans.ravel())
    explorer.head = 1
    explorer.sequence = 2
    values = explorer._panels[0]["lenses"][0]["values"]
    assert values[1] is None
    np.testing.assert_array_equal(array(values[2]), explorer.panels[0].lenses[0].values[1].ravel())


def test_panels_are_sent_only_when_they_change(explorer):
    sent = explorer._panels
    explorer.timestep, explorer.lens, explorer.cell = 3, "contribution", "gru"
    explorer.filters = {"label": 1}
    assert explorer._panels is sent
    explorer.edits = {"lags": [1]}
    assert explorer._panels is not sent


def asked(explorer, monkeypatch, **content):
    """What the widget answers to a message."""
    answers = []
    monkeypatch.setattr(explorer, "send", lambda told, buffers: answers.append((told, buffers)))
    explorer._handle_custom_msg({"kind": "slice", **content}, [])
    return answers


def test_what_follows_from_a_sentence_goes_in_one_message(explorer):
    explorer.wait()
    told = []
    explorer.send_state = lambda key=None, **_: told.append(set(key))
    explorer.set_state({"sentence": "not good at all"})
    assert told == [{"sequence", "timestep", "_panels", "_rows", "_status"}]


def test_one_head_is_sent_when_it_is_asked_for(explorer, monkeypatch):
    explorer.edits = {"lags": [2]}
    panel = explorer.panels[0]
    for edited, held in ((False, panel), (True, panel.edited)):
        for head in (0, 1):
            wanted = {"key": "larnn", "lens": "contribution", "head": head, "edited": edited}
            request = {**wanted, "generation": 5, "view": "a", "layer": "l0"}
            ((told, buffers),) = asked(explorer, monkeypatch, **request)
            assert told == {"kind": "slice", **request}
            expected = named(held.lenses, "contribution").values[head]
            np.testing.assert_array_equal(array(buffers[0]), expected.ravel())
    ((told, buffers),) = asked(explorer, monkeypatch, key="larnn", lens="attention", head=1)
    assert told["edited"] is False
    np.testing.assert_array_equal(array(buffers[0]), panel.lenses[0].values[1].ravel())


@pytest.mark.parametrize(
    "wrong",
    [{"key": "rra"}, {"lens": "nothing"}, {"head": 2}, {"head": -1}, {"edited": True},
     {"kind": "else"}],
)  # fmt: skip
def test_what_is_not_there_is_not_answered(explorer, monkeypatch, wrong):
    wanted = {"key": "larnn", "lens": "attention", "head": 0, "edited": False}
    assert len(asked(explorer, monkeypatch, **wanted)) == 1
    assert asked(explorer, monkeypatch, **(wanted | wrong)) == []


def test_sources_and_readers_are_tables(explorer):
    explorer.timestep, explorer.head = 6, 1
    values = explorer.panels[0].lenses[0].values[1]
    words = TEXT.split()

    found = explorer.sources()
    assert list(found.columns) == ["word", "timestep", "lag", "attention"]
    assert dict(zip(found["lag"], found["attention"], strict=True)) == {
        lag: float(values[6, lag - 1]) for lag in (1, 2, 3)
    }
    assert list(found["word"]) == [words[6 - lag] for lag in found["lag"]]
    assert found["attention"].is_monotonic_decreasing
    later = explorer.readers()
    assert dict(zip(later["timestep"], later["attention"], strict=True)) == {
        6 + lag: float(values[6 + lag, lag - 1]) for lag in (1, 2, 3)
    }
    explorer.cell = "gru"
    assert list(explorer.sources().columns) == ["word", "timestep", "age", "gate_attention"]
    explorer.timestep = -1
    assert explorer.sources().empty and isinstance(explorer.readers(), pd.DataFrame)


def test_what_follows_can_be_waited_for(explorer):
    explorer.lens = "influence"
    explorer.timestep = 4
    assert explorer._status["busy"] == ["gradients", "influence", "predictions"]
    assert len(explorer.sources()) == 5  # who asks gets it at once
    assert explorer._status["busy"] == ["gradients", "predictions"]
    explorer.wait()

    assert explorer._status == {"busy": [], "error": None}
    assert list(explorer.sources().columns) == ["word", "timestep", "lag", "influence"]
    assert sorted(explorer.sources()["timestep"]) == [0, 1, 2, 3, 4]
    assert {row["prediction"] for row in explorer._rows["rows"]} <= {0, 1}
    (told,) = [lens for lens in explorer._panels[0]["lenses"] if lens["name"] == "influence"]
    assert told["at"] == [4] and len(array(told["values"][0])) == 5


def test_results_come_by_themselves_where_a_loop_runs(explorer, monkeypatch):
    monkeypatch.setattr(background, "_QUIET_SECONDS", 0.01)
    heard = []
    explorer.observe(
        lambda change: heard.append(threading.current_thread()), ["_panels", "_status"]
    )

    async def run():
        explorer.sequence = 1
        end = time.monotonic() + 20
        while explorer._status["busy"] and time.monotonic() < end:
            await asyncio.sleep(0.01)

    asyncio.run(run())
    assert explorer._status == {"busy": [], "error": None}
    assert all("gradient" in names(panel.tracks) for panel in explorer.panels)
    assert set(heard) == {threading.current_thread()}
    (worker,) = [one for one in threading.enumerate() if one.name.startswith("attnviz-explorer")]
    explorer.close()
    worker.join(5)
    assert not worker.is_alive()


def test_a_sentence_that_cannot_be_read_is_said(explorer):
    explorer.sentence = ""

    assert "Type a word" in explorer._status["error"]
    assert explorer.panels[0].text == TEXT and explorer.sequence == -1
    explorer.sentence = "very good"
    assert explorer._status["error"] is None
    assert [panel.text for panel in explorer.panels] == ["very good"] * 2


def test_the_figure_is_that_of_what_is_selected():
    explorer = Explorer(
        [
            rra(),
            rra(
                "other",
            ),
        ],
        [TEXT],
    )
    explorer.timestep, explorer.lens, explorer.window = 8, "contribution", (2, 11)
    figure = explorer.figure()

    shown = explorer.panels[0]
    read, _, mapped, line, *_ = strips_of(figure)
    values = named(shown.lenses, "contribution").values[0]
    np.testing.assert_array_equal(mapped, values.T[:, 2:11])
    np.testing.assert_array_equal(line[0], shown.tracks[0].series[0].values[2:11])
    assert read[0, 8 - 2 - 2] == values[8, 0]  # lag 2
    assert len(strips_of(figure)) == 8
    explorer.close()


def test_a_page_is_written(explorer, tmp_path):
    explorer.timestep = 3
    path = explorer.to_html(tmp_path / "e.html", [0, 2])
    found = Read(path.read_text(encoding="utf-8"))

    assert path == tmp_path / "e.html"
    assert list(found.header["panels"]) == ["0", "2"]
    assert (found.header["state"]["timestep"], found.header["state"]["cell"]) == (3, "larnn")
    with pytest.raises(ValueError, match=r"written as \.html"):
        explorer.to_html(tmp_path / "e.pdf")


class Frame(HTMLParser):
    """The one element of a notebook's output."""

    def handle_starttag(self, tag, attrs):
        self.found = (*getattr(self, "found", ()), (tag, dict(attrs)))


def test_a_notebook_keeps_the_widget_and_a_page(explorer):
    explorer.timestep, explorer.edits = 5, {"lags": [1]}
    data, _ = explorer._repr_mimebundle_()

    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == explorer.model_id
    frame = Frame()
    frame.feed(data["text/html"])
    ((tag, held),) = frame.found
    assert tag == "iframe" and "allow-same-origin" not in held["sandbox"]
    found = Read(held["srcdoc"])
    (shown, other) = found.header["panels"]["0"]
    for one in (shown, other):  # a page cannot wait for gradients: they are made for it
        assert "gradient" in [track["name"] for track in one["tracks"]]
    assert explorer._status == {"busy": ["predictions"], "error": None}
    assert found.header["rows"][0]["label"] == 1
    assert (shown["text"], other["key"]) == (TEXT, "gru")
    assert found.header["rows"][0]["text"] == TEXT
    assert (found.header["state"]["timestep"], found.header["state"]["edits"]) == (5, {})
    np.testing.assert_array_equal(
        found.array(shown["lenses"][0]["values"][2]),
        explorer.panels[0].lenses[0].values[1].ravel(),
    )
    assert "explorer" in data["text/plain"].lower()


def test_a_hostile_sentence_stays_inside_the_frame(explorer):
    hostile = """good "' onload="alert(1)"></iframe><script>alert(2)</script>"""
    explorer.sentence = hostile
    frame = Frame()
    frame.feed(explorer._repr_mimebundle_()[0]["text/html"])

    ((_tag, held),) = frame.found
    assert set(held) == {"srcdoc", "sandbox", "style", "title"}
    assert Read(held["srcdoc"]).header["panels"]["-1"][0]["text"] == hostile


def test_traces_are_shown_and_refuse_what_models_do(recorded):
    assert recorded._abilities == {"live": False, "layers": ["l0"]}
    assert recorded._status == {"busy": [], "error": None}
    for name, value, said in (
        ("sentence", "good", "reads no other sentence"), ("edits", {"uniform": True}, "be edited"),
        ("sequence", -1, "These are traces"),
    ):  # fmt: skip
        before = getattr(recorded, name)
        with pytest.raises(traitlets.TraitError, match=said):
            setattr(recorded, name, value)
        assert getattr(recorded, name) == before
    recorded.sequence, recorded.timestep, recorded.head = 1, 9, 2
    assert len(recorded.sources()) == 7
    recorded.wait()
    assert recorded.figure().axes


def test_many_texts_are_offered_a_part_at_a_time():
    texts = [f"good film {n}" for n in range(305)]
    explorer = Explorer(gru(), texts)
    assert (explorer._rows["total"], explorer._rows["matching"]) == (305, 305)
    assert len(explorer._rows["rows"]) == 300
    explorer.filters = {"contains": "film 30"}
    assert [row["sequence"] for row in explorer._rows["rows"]] == [30, 300, 301, 302, 303, 304]
    explorer.close()
    explorer.close()


def test_a_probability_that_is_no_number_is_none_in_json():
    model = larnn()
    model.head.bias.data[0] = np.nan
    with pytest.warns(RuntimeWarning, match="not finite"):
        explorer = Explorer(model, [SHORT])
        assert explorer._panels[0]["prediction"] == [None, None]
        assert "iframe" in explorer._repr_mimebundle_()[0]["text/html"]
    explorer.close()


def test_large_lenses_stand_in_a_notebook_as_their_mean():
    values = np.random.default_rng(0).dirichlet(np.ones(12), size=(1, 900, 27))
    explorer = Explorer(attnviz.from_arrays(values, lags=range(1, 13)))
    bundle = explorer._repr_mimebundle_()[0]["text/html"]
    assert len(bundle) < 600_000
    assert "mean over 27 heads" in bundle
    explorer.close()
