import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from attnviz import Texts, record_texts
from attnviz.explorer.live_shelf import ModelShelf
from attnviz.explorer.page import page, write_page
from attnviz.explorer.reading import panel_of
from attnviz.explorer.selection import Row
from attnviz.explorer.session import Session
from attnviz.explorer.shelf import TraceShelf
from tests.attnviz import traces
from tests.attnviz.explorer.subjects import (
    LABELS,
    REFERENCE,
    SHORT,
    TEXTS,
    gru,
    larnn,
    panel,
    rra,
    spans_of,
)

HOSTILE = [
    "</script><script>alert(1)</script>",
    "<!-- <script> --> <!--<script>",
    "]]> &lt;/script&gt; & &amp; \" ' ` </SCRIPT >",
    "</title></style></main><img src=x onerror=alert(1)>",
    "\u2028 \u2029 \x00 \r\n \\u003c/script \\",
    "🎬 e\u0301 שלום عالم 漢字",
    "{header} %s {0} ${a}",
    "half \ud83d a pair \udfac",
]


class Read(HTMLParser):
    """The elements of a page, with what stands in those that hold text alone."""

    def __init__(self, text):
        super().__init__(convert_charrefs=False)
        self.elements, self.attributes, self.inside, self.within = [], [], [], False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.attributes.append(dict(attrs))
        self.inside.append("")
        self.within = True

    def handle_endtag(self, tag):
        self.within = False

    def handle_data(self, data):
        if self.within:
            self.inside[-1] += data

    def with_attribute(self, name):
        """Of each element with an attribute: its value, and what stands inside."""
        found = zip(self.attributes, self.inside, strict=True)
        return [(held[name], text) for held, text in found if name in held]

    @property
    def header(self):
        ((_, text),) = self.with_attribute("data-header")
        return json.loads(text)

    def array(self, told):
        text = dict(self.with_attribute("data-buffer"))[str(told["buffer"])]
        kinds = {"float32": "<f4", "int32": "<i4"}
        return np.frombuffer(base64.b64decode(text, validate=True), kinds[told["type"]])


def page_of(text, **how):
    """A page of one text that stands everywhere a text can stand."""
    spans = spans_of(text.split(" ")) if text.split(" ")[0] else spans_of(["x"])
    shown = panel(
        time=len(spans), text=text, spans=spans, key=text, classes=[text, "b"], notes=[text],
        layer=text, layers=[text],
    )  # fmt: skip
    rows = [Row(3, text, text, 1, 0, 7)]
    return page({3: [shown]}, rows, state={"sequence": 3, "sentence": text}, title=text, **how)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_can_end_an_element_or_open_one(text):
    raw = page_of(text)
    plain, found = Read(page_of("nothing but words here")), Read(raw)

    (begin,) = re.finditer('<script type="application/json" data-header>', raw)
    header = raw[begin.end() : raw.index("</script>", begin.end())]
    assert not set("<>&") & set(header)
    others = [tag for tag in plain.elements if tag != "script"]
    assert [tag for tag in found.elements if tag != "script"] == others
    assert found.elements.count("script") == len(found.with_attribute("data-buffer")) + 2
    assert (
        len(re.findall("<script", raw.replace(found.inside[-1], "")))
        == len(found.with_attribute("data-buffer")) + 2
    )
    assert found.header["rows"] == [
        {"sequence": 3, "id": text, "text": text, "start": text, "label": 1, "prediction": 0,
         "length": 7}
    ]  # fmt: skip
    (shown,) = found.header["panels"]["3"]
    for name in ("text", "key", "title", "layer"):
        assert shown[name] == text
    assert shown["notes"] == shown["layers"] == [text] and shown["classes"] == [text, "b"]
    assert found.header["state"] == {"sequence": 3, "sentence": text}
    if "\ud83d" not in text:  # a title is the package's own; a half pair has no UTF-8
        raw.encode("utf-8")


def test_a_half_surrogate_can_be_written(tmp_path):
    text = "good \ud83d film"
    session = Session(ModelShelf({"rra": rra()}, Texts([text]), REFERENCE), lambda: None)

    found = Read(write_page(session, tmp_path / "e.html").read_text(encoding="utf-8"))

    assert found.header["rows"][0]["text"] == text
    assert found.header["panels"]["0"][0]["text"] == "good \ufffd film"


def test_numbers_are_those_of_the_trace_bit_by_bit():
    trace = record_texts(larnn(), [SHORT, TEXTS[0]], gradients="exits")
    panels = {n: [panel_of(trace, n, key="k")] for n in (0, 1)}
    found = Read(page(panels, [Row(0, "", SHORT), Row(1, "", TEXTS[0])], state={}))

    seen = set()
    for sequence, (shown,) in panels.items():
        (told,) = found.header["panels"][str(sequence)]
        held = trace.tree["l0/attention"].values[sequence, : shown.length].astype("<f4")
        attention = told["lenses"][0]
        for head in (0, 1):
            array = found.array(attention["values"][head + 1])
            np.testing.assert_array_equal(array, held[:, head].ravel())
        mean = held.astype(float).mean(axis=1).astype("<f4")
        np.testing.assert_array_equal(found.array(attention["values"][0]), mean.ravel())
        np.testing.assert_array_equal(found.array(told["spans"]), shown.spans.ravel())
        for track, one in zip(told["tracks"], shown.tracks, strict=True):
            for series, held_series in zip(track["series"], one.series, strict=True):
                np.testing.assert_array_equal(found.array(series["values"]), held_series.values)
        seen |= set(re.findall(r'"buffer": (\d+)', json.dumps(told)))
    assert len(seen) == len(found.with_attribute("data-buffer"))


def test_nan_passes_through_and_rows_without_panels_are_left_out():
    shown = panel(time=3)
    shown.lenses[0].values[0, 1, 2] = np.nan
    found = Read(page({5: [shown]}, [Row(4, "a", "x"), Row(5, "b", "y")], state={}))

    assert [row["id"] for row in found.header["rows"]] == ["b"]
    values = found.array(found.header["panels"]["5"][0]["lenses"][0]["values"][1])
    np.testing.assert_array_equal(values, shown.lenses[0].values[0].ravel())


def test_nothing_is_loaded_from_anywhere():
    raw = page_of("plain words")
    found = Read(raw)

    (policy,) = [held for held in found.attributes if "http-equiv" in held]
    assert policy["http-equiv"] == "Content-Security-Policy"
    rules = dict(rule.split(maxsplit=1) for rule in policy["content"].split("; "))
    assert rules["default-src"] == "'none'"
    assert set(rules) == {"default-src", "script-src", "style-src", "img-src", "font-src"}
    assert not re.search(r"eval|\*|https?:", policy["content"])
    # The rule stands before anything that it is to rule.
    assert found.elements.index("meta") < found.elements.index("style")
    assert found.attributes[found.elements.index("meta") + 1] is policy
    for held in found.attributes:
        assert not {"src", "href", "action", "srcset", "data"} & set(held)
    spaces = r"http://www\.w3\.org/(?:2000/svg|1999/xhtml|1999/xlink)"  # names, not places
    assert not re.findall(r"https?://", re.sub(spaces, "", raw))
    assert not re.findall(
        r"@import|url\(\s*[\"']?(?!data:|#)", found.inside[found.elements.index("style")]
    )


def test_the_page_mounts_what_it_holds():
    found = Read(page_of("plain words"))

    script = found.inside[-1]
    assert found.attributes[-1] == {"type": "module"}
    assert script.rstrip().endswith('mount(document.querySelector("main"), document);')
    assert found.attributes[found.elements.index("main")] == {"class": "attnviz-page"}
    assert {"charset": "utf-8"} in found.attributes


def session_of(*models):
    shelf = ModelShelf(
        {model.name: model for model in models}, Texts(TEXTS, labels=LABELS), REFERENCE
    )
    return Session(shelf, lambda: None)


def test_a_page_of_models_holds_every_edit(tmp_path):
    session = session_of(larnn(), gru())
    session.change("edits", {"lags": [2]})
    session.change("timestep", 3)
    session.change("filters", {"shortest": 5})
    path = write_page(session, tmp_path / "new" / "e.html", [1, 0])

    assert path == tmp_path / "new" / "e.html"
    found = Read(path.read_text(encoding="utf-8"))
    assert list(found.header["panels"]) == ["1", "0"]
    one, other = found.header["panels"]["1"]
    assert [variant["label"] for variant in one["variants"]] == [
        "lag 1 off", "lag 2 off", "lag 3 off", "head 0 off", "head 1 off", "uniform attention",
    ]  # fmt: skip
    assert other["variants"] == []
    state = found.header["state"]
    assert (state["edits"]["lags"], state["filters"]) == ([2], {})
    assert (state["sequence"], state["timestep"], state["cell"]) == (0, 3, "larnn")
    variant = one["variants"][1]
    assert variant["edits"] == {"lags": [2], "heads": [], "uniform": False}
    edited = session.shelf.readers["larnn"].variants(SHORT, [session.selection.edits])[0]
    np.testing.assert_allclose(variant["edited"]["prediction"], edited.prediction, atol=1e-12)


def test_a_selection_that_is_not_on_the_page_becomes_the_first_text(tmp_path):
    session = session_of(rra())
    session.change("timestep", 9)
    session.change("window", (7, 11))
    found = Read(write_page(session, tmp_path / "e.htm", [1, 2]).read_text(encoding="utf-8"))

    state = found.header["state"]
    assert (state["sequence"], state["sentence"], state["timestep"]) == (1, SHORT, 0)
    assert state["window"] == [0, 0]
    whole = Read(write_page(session, tmp_path / "w.html").read_text(encoding="utf-8"))
    assert whole.header["state"]["window"] == [7, 11]
    assert [row["sequence"] for row in whole.header["rows"]] == [0, 1, 2, 3]


@pytest.mark.parametrize("name", ["e.txt", "e", "e.html.gz"])
def test_another_suffix_is_refused(tmp_path, name):
    session = Session(TraceShelf({"a": traces.rra([traces.review(4)])}), lambda: None)

    with pytest.raises(ValueError, match=rf"written as \.html, but got {name}"):
        write_page(session, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_page_of_nothing_is_refused(tmp_path):
    session = Session(TraceShelf({"a": traces.rra([traces.review(4)])}), lambda: None)
    session.change("filters", {"contains": "nowhere"})
    with pytest.raises(ValueError, match="No text is left by the filter"):
        write_page(session, tmp_path / "e.html")
    with pytest.raises(ValueError, match="1 texts, numbered 0 to 0, but 3 was asked for"):
        write_page(session, tmp_path / "e.html", [3])
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_is_interrupted_leaves_the_old_one(tmp_path, monkeypatch):
    session = Session(TraceShelf({"a": traces.rra([traces.review(4)])}), lambda: None)
    path = write_page(session, tmp_path / "e.html")
    old, plain = path.read_bytes(), Path.write_text

    def interrupted(self, text, **how):
        plain(self, text[: len(text) // 2], **how)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", interrupted)
    session.change("timestep", 2)
    with pytest.raises(KeyboardInterrupt):
        write_page(session, path)

    assert path.read_bytes() == old
    assert list(tmp_path.iterdir()) == [path]
    monkeypatch.undo()
    assert write_page(session, path).read_bytes() != old
