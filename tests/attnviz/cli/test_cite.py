import json

import attnviz
from tests.attnviz import traces
from tests.attnviz.bib import read_bib
from tests.attnviz.cli.shell import called


def test_a_trace_is_cited_from_the_shell(monkeypatch, capsys, tmp_path):
    attnviz.save_trace(traces.rra(), tmp_path / "trace.zip")
    status, said, message = called(monkeypatch, capsys, "cite", tmp_path / "trace.zip")
    assert status == 0 and not message
    assert list(read_bib(said)) == ["attnviz", "wang2017rra", "maas2011imdb", "kobayashi2020norms"]
    assert "% for the cell RRA\n@misc{wang2017rra," in said


def test_a_model_is_cited_into_a_file(monkeypatch, capsys, tmp_path):
    place = tmp_path / "paper.bib"
    status, said, message = called(monkeypatch, capsys, "cite", "gru-imdb", "-o", place)
    assert status == 0 and not said and "3 entries" in message
    assert set(read_bib(place.read_text())) == {"attnviz", "cho2014gru", "maas2011imdb"}
    assert [path.name for path in tmp_path.iterdir()] == ["paper.bib"]


def test_a_figure_is_cited_by_what_it_says_of_itself(monkeypatch, capsys, tmp_path):
    attnviz.save_trace(traces.rra(), tmp_path / "trace.zarr")
    figure = tmp_path / "figure.png"
    typed = ("plot", tmp_path / "trace.zarr", "--kind", "contribution", "-o", figure)
    assert called(monkeypatch, capsys, *typed)[0] == 0
    status, said, _ = called(monkeypatch, capsys, "cite", figure)
    assert status == 0
    assert list(read_bib(said)) == ["attnviz", "wang2017rra", "maas2011imdb", "kobayashi2020norms"]
    assert len(attnviz.bibtex({"cell": "RRA, GRU", "task": "har"}).split("% for")) == 5


def test_what_is_made_of_a_model_cites_its_options(monkeypatch, capsys, tmp_path):
    trace, other, effects = (tmp_path / name for name in ("a.zarr", "b.zarr", "e.nc"))
    for model, place in (("larnn-imdb", trace), ("lstm-imdb", other)):
        typed = ("record", model, "--text", "Good, for once.", "-o", place)
        assert called(monkeypatch, capsys, *typed)[0] == 0
    typed = ("ablate", "larnn-imdb", "--text", "Good, for once.", "-o", effects)
    assert called(monkeypatch, capsys, *typed, "--figure", tmp_path / "effects.pdf")[0] == 0
    one, both, drawn = (tmp_path / name for name in ("one.pdf", "both.pdf", "drawn.pdf"))
    for typed in (
        ("plot", trace, "--kind", "text", "-o", one),
        ("compare", trace, other, "--kind", "text", "-o", both),
        ("plot", effects, "--kind", "ablation", "-o", drawn),
    ):
        assert called(monkeypatch, capsys, *typed)[0] == 0
    for subject in (trace, effects, one, both, drawn, tmp_path / "effects.pdf"):
        status, said, _ = called(monkeypatch, capsys, "cite", subject)
        found = set(read_bib(said))
        assert status == 0 and {"ba2016layernorm", "tallec2018chrono"} <= found, subject
        assert "ioffe2015batchnorm" not in found
        assert ("spearman1904" in found) == (subject == effects)


def test_json_names_keys_and_reasons(monkeypatch, capsys):
    _, said, _ = called(monkeypatch, capsys, "cite", "--json")
    found = json.loads(said)
    assert found[0]["key"] == "attnviz" and len(found) == len(read_bib(said and _bib(found)))


def _bib(found):
    return "\n".join(one["bibtex"] for one in found)


def test_what_cannot_be_cited_is_one_message(monkeypatch, capsys, tmp_path):
    status, _, message = called(monkeypatch, capsys, "cite", "rra-imbd")
    assert status == 1 and "nothing to cite at 'rra-imbd'" in message and "rra-imdb" in message
    (tmp_path / "x.nc").write_bytes(b"CDF nonsense")
    status, _, message = called(monkeypatch, capsys, "cite", tmp_path / "x.nc")
    assert status == 1 and "netCDF" in message and "Traceback" not in message
    status, _, message = called(monkeypatch, capsys, "cite", "-o", tmp_path / "refs.txt")
    assert status == 1 and "cite writes .bib" in message
