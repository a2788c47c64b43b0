"""Probes and studies as a user meets them: trained, then drawn, by commands."""

import json

import pandas as pd
import pytest

from attnviz.plots import TRAINING_KINDS, read_provenance
from attnviz.store import open_probes, pack_trace
from attnviz.studies import open_curves
from tests.attnviz import probes
from tests.attnviz.cli.shell import called
from tests.attnviz.studies.test_curves import results  # noqa: F401  (a fixture)


@pytest.fixture
def typed(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)

    def type_in(*arguments):
        return called(monkeypatch, capsys, *arguments)

    return type_in


def test_a_training_is_probed_and_what_it_says_to_type_draws_it(typed, tmp_path, monkeypatch):
    from attnviz.tasks import load_adding

    made = load_adding(6, epoch_size=64, held_out=70)
    monkeypatch.setattr("attnviz.tasks.load_adding", lambda length: made)
    train = ("train", "rra", "adding", "--hidden", 4, "--epochs", 2, "--batch-size", 16)
    status, output, error = typed(*train, "--option", "window=3", "--probe", 3, "--run", "run")
    assert status == 0, error
    found = open_probes(tmp_path / "run/probes.zarr")
    assert found["step"].values.tolist() == [0, 3, 6, 8] and found.sizes["sequence"] == 64
    (told,) = [line for line in output.splitlines() if line.startswith("Probes: attnviz ")]
    status, output, error = typed(*told.removeprefix("Probes: attnviz ").split())
    assert status == 0, error
    assert read_provenance(tmp_path / "kernel.pdf")["cell"] == "RRA"
    again = typed(*train, "--option", "window=3", "--probe", 3, "--run", "run")
    assert again[0] == 0 and "This run is finished" in again[1]


def test_probes_are_drawn_with_their_numbers(typed, tmp_path):
    probes.written(probes.larnn(), tmp_path / "p.zarr")
    arguments = ("--kind", "kernel-evolution", "--head", 1, "--lags", "2:4", "--data")
    status, output, error = typed("plot", "p.zarr", *arguments, "-o", "k.svg", "--json")
    assert status == 0, error
    assert [file["path"] for file in json.loads(output)["files"]] == ["k.svg", "k.csv"]
    table = pd.read_csv(tmp_path / "k.csv", comment="#")
    assert sorted(set(table["lag"])) == [2, 3] and len(table) == 8
    status, _, error = typed("plot", "p.zarr")
    assert status == 0, error
    assert {path.name for path in (tmp_path / "p-figures").iterdir()} == {
        "kernel-evolution.pdf", "index.html"
    }  # fmt: skip


def test_the_results_of_a_study_are_drawn(typed, tmp_path, results):  # noqa: F811
    status, _, error = typed("plot", results, "-o", "figures", "--data")
    assert status == 0, error
    written = {path.name for path in (tmp_path / "figures").iterdir()}
    assert written == {
        "learning-curves.pdf", "learning-curves.csv", "score-against.pdf", "score-against.csv",
        "index.html",
    }  # fmt: skip
    chosen = ("--kind", "learning-curves", "--score", "validation_accuracy", "-o", "c.pdf")
    status, _, error = typed("plot", results, *chosen)
    assert status == 0, error
    said = read_provenance(tmp_path / "c.pdf")
    assert said["study"] == "made" and "--score validation_accuracy" in said["command"]


def test_what_is_of_another_kind_is_refused(typed, tmp_path, results):  # noqa: F811
    probes.written(probes.rra(), tmp_path / "p.zarr")
    status, _, error = typed("plot", "p.zarr", "--kind", "heatmap", "-o", "a.pdf")
    assert status != 0 and "drawn from a trace (attnviz record), which" in " ".join(error.split())
    status, _, error = typed("plot", results, "--kind", "kernel-evolution", "-o", "a.pdf")
    assert status != 0 and "probes (attnviz train --probe)" in " ".join(error.split())
    status, _, error = typed("plot", "p.zarr", "--kind", "learning-curves", "-o", "a.pdf")
    assert status != 0 and "results (attnviz study run)" in " ".join(error.split())
    arguments = ("--kind", "kernel-evolution", "--sequence", 1, "-o", "a.pdf")
    status, _, error = typed("plot", "p.zarr", *arguments)
    assert status != 0 and "--sequence means nothing" in " ".join(error.split())


def test_every_kind_is_listed_in_the_help(typed):
    status, output, _ = typed("plot", "--help")
    assert status == 0
    assert not [kind for kind in TRAINING_KINDS if kind not in output.replace("\n", " ")]


def test_info_says_what_probes_hold_packed_or_not(typed, tmp_path):
    made = probes.larnn()
    probes.written(made, tmp_path / "p.zarr")
    pack_trace(tmp_path / "p.zarr", tmp_path / "p.zarr.zip")
    steps = made["step"].values
    told = []
    for name in ("p.zarr", "p.zarr.zip"):
        status, output, error = typed("info", name)
        assert status == 0, error
        assert f"{len(steps)}, 0 to {steps[-1]} iterations" in output
        assert "larnn-made" in output and "kernel-evolution" in output and "recipe" not in output
        status, output, error = typed("info", name, "--json")
        assert status == 0, error
        described = json.loads(output)
        assert described.pop("path") == name and described["steps"] == steps.tolist()
        told.append(described)
    assert told[0] == told[1] and told[0]["layers"]["l0"]["attention"]["axes"]["step"] == len(steps)


def test_info_says_what_a_study_has_run(typed, results):  # noqa: F811
    status, output, error = typed("info", results)
    assert status == 0, error
    study = open_curves(results)
    for cell, histories in study.histories.items():
        assert f"histories of {len(histories)} final runs" in output and cell in output
    assert study.about in " ".join(output.split())
    status, output, error = typed("info", results, "--json")
    assert status == 0 and len(json.loads(output)["digest"]) == 64, error
