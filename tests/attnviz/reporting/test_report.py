import base64
import json
import re
import shutil
import warnings
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr

import attnviz
from attnviz.cards import SHIPPED, read_card
from attnviz.plots import read_provenance
from attnviz.reporting import Sources, write_report
from attnviz.reporting.card import model_section
from attnviz.reporting.contents import Code, Paragraph, Picture, Report, Section, Table, Warn
from attnviz.reporting.health import health_section
from attnviz.reporting.html import html_page
from attnviz.reporting.markdown import markdown_page
from attnviz.reporting.pictures import chosen_sequences, figure_sections
from attnviz.reporting.recorded import flow_section, trace_section
from attnviz.trace import Trace
from tests.attnviz import traces
from tests.attnviz.analysis import test_flow

HOSTILE = '<script>alert(1)</script> | `x` *b* [l](javascript:1) "&amp;" <img src=x onerror=y>'


class Page(HTMLParser):
    """The tags, attributes and text of a page; every tag that is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.images, self.open, self.text = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "img":
            self.images.append(dict(attrs))
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def with_flow():
    vectors = np.random.default_rng(2).normal(size=(2, 20, 4, 2))
    return test_flow.made(vectors, lengths=[20, 16])


def changed(trace, group="l0", **variables):
    """The trace with some of its signals in place of others, or with attributes."""
    node = trace.tree[group].to_dataset().assign(variables)
    return Trace(xr.DataTree.from_dict({"/": trace.tree.to_dataset(), group: node}))


def warned(trace):
    return [b.text for b in health_section(trace, "some").blocks if isinstance(b, Warn)]


@pytest.mark.parametrize(
    "make", [traces.rra, traces.larnn, traces.gru, traces.rau, with_flow], ids=lambda f: f.__name__
)
def test_a_page_is_made_of_any_trace(tmp_path, make):
    trace = make()
    path = write_report(trace, tmp_path / "report.html", sources=Sources(command="attnviz x"))
    text = path.read_text(encoding="utf-8")
    page = Page(text)

    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in page.images)
    assert page.images and all(image["alt"] for image in page.images)
    for image in page.images:
        drawn = base64.b64decode(image["src"].partition(",")[2])
        assert ET.fromstring(drawn).tag.endswith("svg")
        (tmp_path / "drawn.svg").write_bytes(drawn)
        assert read_provenance(tmp_path / "drawn.svg")["command"] == "attnviz x"
    assert "default-src 'none'" in text and "http-equiv" in text
    assert not {"script", "iframe", "link", "object"} & {tag for tag, _ in page.tags}
    links = {a["href"][1:] for tag, a in page.tags if tag == "a"}
    assert links == {a["id"] for tag, a in page.tags if tag == "section"}


def test_a_page_holds_card_results_numbers_and_whom_to_cite(tmp_path):
    text = write_report(traces.rra(), tmp_path / "r.html").read_text(encoding="utf-8")
    said = " ".join(Page(text).text)
    for expected in (
        "545,164", "notebooks/results/imdb.toml --cell rra", "Large Movie Review Dataset",
        "89.43%", "89.29%", "mean lag (timesteps)", "wang2017rra", "Residuals and warnings",
    ):  # fmt: skip
        assert expected in said


def test_the_same_trace_gives_the_same_bytes(tmp_path):
    pages = [write_report(with_flow(), tmp_path / f"{n}.html").read_bytes() for n in range(2)]
    assert pages[0] == pages[1]


def test_markdown_has_its_figures_beside_it(tmp_path):
    path = write_report(traces.larnn(), tmp_path / "report.md")
    text = path.read_text(encoding="utf-8")
    shown = re.findall(r"!\[.*?\]\((report-figures/[\w-]+\.png)\)", text)
    assert sorted(shown) == sorted(
        f"report-figures/{one.name}" for one in (tmp_path / "report-figures").iterdir()
    )
    assert len(shown) >= 4 and "| sequence | id |" in text
    write_report(traces.gru(), path)  # a second report takes its place
    kept = {one.name for one in (tmp_path / "report-figures").iterdir()}
    assert kept == {"gate-attention-1.png", "lag-kernel.png", "text-1.png"}
    assert sorted(one.name for one in tmp_path.iterdir()) == ["report-figures", "report.md"]


def test_what_is_of_all_sequences_is_drawn_once():
    vectors = np.random.default_rng(2).normal(size=(2, 20, 4, 2))
    exits = test_flow.made(vectors, lengths=[20, 16], place="input")
    sections = figure_sections(exits, [0, 1])
    drawn = [[block.name for block in one.blocks if isinstance(block, Picture)] for one in sections]
    assert drawn == [["exit-routes"], ["gradient-flow-0"], ["gradient-flow-1"]]


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    (tmp_path / "r-figures").mkdir()
    (tmp_path / "r-figures" / "thesis.tex").write_text("mine")
    with pytest.raises(FileExistsError, match="holds other things"):
        write_report(traces.rra(), tmp_path / "r.md")
    assert (tmp_path / "r-figures" / "thesis.tex").read_text() == "mine"


def test_hostile_text_stays_text(tmp_path):
    trace = traces.rra(texts=[HOSTILE, "plain words here"])
    trace.tree["id"][0] = HOSTILE
    trace.tree.attrs["model"] = HOSTILE
    page = Page(write_report(trace, tmp_path / "r.html").read_text(encoding="utf-8"))
    assert any(HOSTILE in one for one in page.text)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]

    section = Section("s", [Paragraph(HOSTILE), Table(["a|b"], [[HOSTILE]]), Code("``` x")])
    text = markdown_page(Report(HOSTILE, "", [section]), tmp_path, "f")
    assert "<" not in text.replace("\\<", "") and "](" not in text.replace("\\]", "")
    row = text.splitlines()[-5] if "|" in text.splitlines()[-5] else text
    assert row.replace("\\|", "").count("|") == 2
    assert "````\n``` x\n````" in text


@pytest.mark.parametrize("text", ["- a", "# a", "12. a", "1) a", "+ a", "=== a", "> a", "<b>"])
def test_no_line_of_markdown_begins_a_list_or_a_heading(tmp_path, text):
    page = markdown_page(Report("t", "", [Section("s", [Paragraph(text)])]), tmp_path, "f")
    line = page.splitlines()[-1]
    assert line.replace("\\", "") == text and re.match(r"\d*\\", line)


def test_sections_without_anything_are_left_out():
    page = html_page(Report("t", "", [Section("empty", []), Section("full", [Paragraph("x")])]))
    assert "empty" not in page and ">full<" in page


def test_the_surest_right_and_the_surest_wrong_are_chosen():
    texts = ["a b", "c d", "e f", "g h"]
    trace = traces.rra(texts=texts, lags=[2, 3])
    trace.tree["label"][:] = [0, 1, 0, 1]
    trace.tree["prediction"][:] = [[1, 0], [0, 3], [0, 1], [2, 0]]
    assert chosen_sequences(trace) == [1, 3]
    unknown = attnviz.from_arrays(np.ones((2, 3, 2)))
    assert chosen_sequences(unknown) == [0]


def test_a_run_brings_its_history(tmp_path):
    run = tmp_path / "run"
    shutil.copytree(SHIPPED / "rra-imdb", run / "model")
    described = json.loads((run / "model" / "model.json").read_text())
    del described["card"]["test"]
    (run / "model" / "model.json").write_text(json.dumps(described))
    lines = [f"{n},{0.123456 / n}" for n in range(1, 45)]
    (run / "history.csv").write_text("\n".join(["epoch,validation_loss", *lines]))
    page = write_report(traces.rra(), tmp_path / "r.html", sources=Sources(model=run))
    said = " ".join(Page(page.read_text(encoding="utf-8")).text)
    assert "One in 2 is shown." in said
    assert "0.002806" in said and "The test split has not been scored." in said


def test_a_page_says_how_the_model_was_chosen_and_what_it_was_not_tried_on():
    said = dict(model_section(read_card(SHIPPED / "rau-row-mnist")).blocks[0].rows)
    assert said["chosen by"].startswith("the best validation accuracy of 5 seeds at equal hidden")
    assert said["limits"].startswith("Trained, chosen and scored on row-mnist alone; tried on no")
    assert said["licence"].startswith("MIT") and "CC BY-SA" in said["terms"]
    assert said["training"].endswith("weight decay 0.0, seed 3")  # no text that could be cut
    said = dict(model_section(read_card(SHIPPED / "rra-imdb")).blocks[0].rows)
    assert said["training"].endswith("seed 2, limit 400, keep end")
    assert said["chosen by"].startswith("the best validation accuracy of 3 seeds at equal hidden")
    assert "last 400 words" in said["limits"]


def test_ablations_are_reported(tmp_path):
    lags, axes = [2, 3, 4], ("sequence", "lag")
    draw = np.random.default_rng(0)
    margin = draw.normal(size=(5, 3)) * 0.01 + [0.0, 0.5, 0.0]
    effects = xr.Dataset(
        {f"{name}_effect": (axes, margin) for name in ("margin", "probability", "loss")},
        coords={"lag": lags, "id": ("sequence", list("abcde"))},
        attrs={"format": "attnviz-effects/1", "model": "rra-imdb", "cell": "RRA", "group": "l0",
               "level": "lag", "method": "zero"},
    )  # fmt: skip
    page = write_report(traces.rra(), tmp_path / "r.html", sources=Sources(effects=effects))
    said = " ".join(Page(page.read_text(encoding="utf-8")).text)
    assert "What attention does" in said
    assert f"{margin[:, 1].mean():+.4f}" in said
    assert "95 % bootstrap intervals, too narrow with 5 sequences." in said


def test_shares_by_distance_say_of_how_many_sequences_they_are():
    (table,) = flow_section(with_flow(), "2 sequences").blocks
    assert list(table.head[:2]) == ["distance", "sequences"]
    shown = {row[0]: row[1] for row in table.rows}
    assert shown == {"0": "2", "1": "2", "2": "2", "5": "2", "10": "2"}
    longer = test_flow.made(np.random.default_rng(3).normal(size=(2, 30, 4, 2)), lengths=[30, 16])
    (table,) = flow_section(longer, "2 sequences").blocks
    assert [row[:2] for row in table.rows][-2:] == [["10", "2"], ["20", "1"]]
    assert all(len(row) == len(table.head) for row in table.rows)


def test_what_cannot_be_drawn_of_short_sequences_is_said(tmp_path):
    trace = traces.larnn(texts=["Dull.", "A fine film."], window=7)

    (whole, *_) = figure_sections(trace, [0])
    write_report(trace, tmp_path / "r.html")

    (said,) = [block.text for block in whole.blocks if isinstance(block, Paragraph)]
    assert said.startswith("Not drawn, lag-kernel: The mean by lag needs timesteps with every lag")


def test_how_many_tokens_were_unknown():
    trace = traces.gru()
    trace.tree.attrs |= {"tokens": "2400", "unknown_tokens": "36"}
    facts = trace_section(trace, "some").blocks[0]
    assert ("unknown tokens", "36 of 2,400 (1.5%), read as <unk>") in facts.rows


def test_nothing_is_amiss_where_nothing_is():
    trace = traces.gru(texts=["one two three four"] * 12)
    trace.tree.attrs["weights_digest"] = "abc"
    assert warned(trace) == []


def test_planted_faults_are_found():
    trace = traces.larnn()
    weights = trace.tree["l0/attention"].copy(deep=True)
    weights[1, 7, 2, 3] = np.nan
    (found,) = [w for w in warned(changed(trace, attention=weights)) if "NaN" in w]
    assert "l0/attention" in found and "timestep 7 of sequence 1" in found

    doubled = trace.tree["l0/attention"] * 1.1
    nodes = health_section(_declared(changed(trace, attention=doubled)), "some")
    assert any("weights' sum from one is 1.0e-01" in b.text for b in nodes.blocks[:4])

    gate = traces.gru()
    residual = gate.tree["l0/gate_attention_residual"] + 0.5
    assert any("5.0e-01" in w for w in warned(changed(gate, gate_attention_residual=residual)))

    missing = traces.small(np.ones((3, 4, 1, 2)), [1, 2], lengths=[4, -1, 2])
    assert any("1 of 3 sequences were planned" in w for w in warned(missing))
    missing.tree.attrs["mode"] = "train"
    assert any("in mode train" in w for w in warned(missing))


def _declared(trace):
    trace.tree["l0"].attrs["signals"] = json.dumps(
        {"attention": {"axes": ["head", "lag"], "normalised_over": "lag"}}
    )
    return trace


def test_what_warns_while_it_is_drawn_is_on_the_page(tmp_path, monkeypatch):
    def draws(trace, sequences):
        warnings.warn("this is odd", stacklevel=1)
        return []

    monkeypatch.setattr("attnviz.reporting.report.figure_sections", draws)
    text = write_report(traces.rra(), tmp_path / "r.html").read_text(encoding="utf-8")
    assert "this is odd" in text


@pytest.mark.parametrize("name", ["r.html", "r.md"])
def test_when_stopped_nothing_is_left(tmp_path, monkeypatch, name):
    def stop(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("attnviz.reporting.html.save_figure", stop)
    monkeypatch.setattr("attnviz.reporting.markdown.save_figure", stop)
    with pytest.raises(KeyboardInterrupt):
        write_report(traces.rra(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_reported_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.html or \.md, but got r\.pdf"):
        write_report(traces.rra(), tmp_path / "r.pdf")
    with pytest.raises(IndexError, match="no sequence 9"):
        write_report(traces.rra(), tmp_path / "r.html", sources=Sources(sequences=[9]))
    empty = traces.small(np.ones((2, 4, 1, 2)), [1, 2], lengths=[-1, -1])
    with pytest.raises(ValueError, match="no sequence of the trace is recorded"):
        write_report(empty, tmp_path / "r.html")
