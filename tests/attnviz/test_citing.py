import ast
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import attnviz
from attnviz import citing
from attnviz.cards import SHIPPED, read_card
from attnviz.citing import all_references, bibtex, references
from attnviz.trace import Trace
from tests.attnviz import traces
from tests.attnviz.bib import read_bib

ROOT = Path(__file__).parents[2]


def keys(subject):
    return [one.key for one in references(subject)]


def changed(trace, **attributes):
    tree = trace.tree.copy()
    tree.attrs |= attributes
    return Trace(tree)


def test_the_file_is_strict_bibtex_and_every_entry_is_cited():
    entries = read_bib((ROOT / "attnviz" / "papers.bib").read_text(encoding="utf-8"))
    assert set(entries) == {one.key for one in all_references()}
    assert attnviz.__version__ in bibtex(traces.rra())
    assert all(re.fullmatch(r"(1|2)\d{3}", fields["year"]) for _, fields in entries.values())


def test_the_strict_reader_refuses_what_is_broken():
    good = "@misc{a,\n  title = {T}, author = {A {B}}, year = {2020},\n}\n"
    assert read_bib(good) == {"a": ("misc", {"title": "T", "author": "A {B}", "year": "2020"})}
    for broken in (
        good + good,
        good.replace("year = {2020},", ""),
        good.replace("{T},", "{T}"),
        good.replace("misc", "software"),
        good.replace("T}", "Ü}"),
        good + "left over",
    ):
        with pytest.raises(AssertionError):
            read_bib(broken)


def test_every_key_in_the_code_resolves_and_all_that_is_printed_parses():
    named = {key for group in citing.CELLS.values() for key in group}
    named |= {key for pairs in citing.DATA.values() for key, _ in pairs}
    named |= {key for key, _ in (*citing.SIGNALS.values(), *citing.STATISTICS)}
    entries = read_bib(bibtex())
    assert named <= set(entries) and next(iter(entries)) == "attnviz"


def test_every_paper_that_the_code_refers_to_has_an_entry():
    held = (ROOT / "attnviz" / "papers.bib").read_text(encoding="utf-8")
    found = set()
    for path in [*(ROOT / "attnviz").rglob("*.py"), *(ROOT / "cells").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                text = (ast.get_docstring(node) or "").partition("References:")[2]
                found |= set(re.findall(r"https://(?:arxiv\.org/abs|doi\.org)/([\w./-]*\w)", text))
    assert len(found) >= 10
    assert not {name for name in found if name not in held}


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (traces.rra, ["attnviz", "wang2017rra", "maas2011imdb", "kobayashi2020norms"]),
        (traces.gru, ["attnviz", "cho2014gru", "maas2011imdb"]),
        (traces.rau, ["attnviz", "zhong2018rau", "maas2011imdb"]),
    ],
)
def test_a_trace_cites_its_cell_its_data_and_its_methods(make, expected):
    assert keys(make()) == expected


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("har", "anguita2013har"),
        ("ptb", "marcus1993treebank"),
        ("ptb", "mikolov2010recurrent"),
        ("row-mnist", "lecun1998gradient"),
        ("permuted-mnist", "le2015simple"),
        ("row-fashion-mnist", "xiao2017fashion"),
        # As earlier versions called them.
        ("mnist-row", "lecun1998gradient"),
        ("mnist-permuted", "le2015simple"),
        ("fashion-mnist-row", "xiao2017fashion"),
    ],
)
def test_a_trace_cites_the_data_it_is_of(task, expected):
    assert expected in keys(changed(traces.rra(), task=task, model="mine"))


def test_larnn_cites_the_norm_it_has():
    larnn = traces.larnn()
    assert "ioffe2015batchnorm" in keys(changed(larnn, options="{}"))  # its default
    unknown = larnn.tree.copy()
    unknown.attrs.pop("options", None)
    assert not {"ba2016layernorm", "ioffe2015batchnorm"} & set(keys(Trace(unknown)))
    stable = keys(changed(larnn, options='{"preset": "stable"}'))
    assert "ba2016layernorm" in stable and "ioffe2015batchnorm" not in stable
    without = keys(changed(larnn, options='{"preset": "stable", "norm": "none"}'))
    assert not {"ba2016layernorm", "ioffe2015batchnorm"} & set(without)


def test_a_chrono_bias_and_the_adding_problem_are_cited():
    trace = changed(traces.rra(), options='{"forget_bias": {"chrono": 9}}', task="adding-100")
    found = {one.key: one.why for one in references(trace)}
    assert "tallec2018chrono" in found and "arjovsky2016unitary" in found
    assert found["hochreiter1997lstm"] == "the adding problem"


def test_a_model_that_ships_cites_its_data_also_on_other_texts():
    found = {one.key: one.why for one in references(changed(traces.rra(), task="own text"))}
    assert found["maas2011imdb"] == "the reviews, on which rra-imdb was trained"
    assert "maas2011imdb" not in keys(changed(traces.rra(), task="own text", model="mine"))


def test_foreign_attention_cites_what_is_known_of_it():
    trace = attnviz.from_arrays(np.ones((1, 3, 2)), name="anything")
    assert keys(trace) == ["attnviz"]


def test_models_and_effects_are_cited():
    assert keys(read_card(SHIPPED / "lstm-imdb")) == [
        "attnviz", "hochreiter1997lstm", "gers2000forget", "maas2011imdb",
    ]  # fmt: skip
    effects = xr.Dataset(attrs={"cell": "GRU", "model": "gru-imdb"})
    assert keys(effects)[-2:] == ["efron1979bootstrap", "spearman1904"]
