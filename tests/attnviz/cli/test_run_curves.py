"""Runs as a user meets them after `attnviz train`: told of, drawn and compared."""

import json
import re
import shutil

import pandas as pd
import pytest

from attnviz.cards import SHIPPED, read_card
from attnviz.plots import read_provenance
from attnviz.plots.provenance import read_comments
from tests.attnviz.cli.shell import called, names
from tests.attnviz.studies.test_curves import SAID, a_run, results  # noqa: F401  (a fixture)

ACCURATE = (
    "epoch,step,validation_loss,validation_accuracy\n1,4,0.9,0.5\n2,8,0.7,0.75\n3,12,0.8,0.6\n"
)


@pytest.fixture
def typed(monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    a_run(tmp_path / "runs" / "one", rows=ACCURATE)
    a_run(tmp_path / "runs" / "two", rows=ACCURATE.replace("0.75", "0.875"))
    lstm = {**SAID, "recipe": {"model": {"cell": "lstm"}, "epochs": 3}}
    a_run(tmp_path / "runs" / "other", lstm, ACCURATE.replace("12,", "11,"))

    def type_in(*arguments):
        return called(monkeypatch, capsys, *arguments)

    return type_in


def test_a_run_is_drawn_with_its_numbers_and_says_how_to_draw_it_again(typed, tmp_path):
    status, output, error = typed("plot", "runs/one", "-o", "one.svg", "--data")
    assert status == 0, error
    assert "one.svg: A score of a run against iterations." in output
    table = pd.read_csv("one.csv", comment="#")
    assert {*zip(table["step"], table["value"], strict=True)} == {(4, 0.5), (8, 0.75), (12, 0.6)}
    said = read_provenance(tmp_path / "one.svg")
    assert said["run"] == "one" and said["model"] == "RAU"
    before = (tmp_path / "one.svg").read_bytes()
    status, output, _ = typed("info", "one.svg")
    assert status == 0 and "not found here" not in output
    again = output.splitlines()[-1].removeprefix("attnviz ").split()
    assert again[:2] == ["plot", "runs/one"]
    assert typed(*again)[0] == 0
    assert (tmp_path / "one.svg").read_bytes() == before
    # It has gone on since: the figure is of another history.
    with (tmp_path / "runs" / "one" / "history.csv").open("a") as file:
        file.write("4,16,0.6,0.8\n")
    assert "not found here" in typed("info", "one.svg")[1]


def test_the_score_can_be_chosen_and_what_is_not_there_is_refused(typed):
    status, _, error = typed(
        "plot", "runs/one", "--score", "validation_loss", "-o", "a.pdf", "--data"
    )
    assert status == 0, error
    assert pd.read_csv("a.csv", comment="#")["value"].tolist()[0] == 0.9
    for asked, reason in (
        (("--score", "perplexity"), "lacks perplexity"),
        (("--kind", "score-against"), "drawn from a folder of results (attnviz study run)"),
        (("--kind", "heatmap"), "drawn from a trace"),
        (("--head", 1), "--head means nothing"),
    ):
        status, _, error = typed("plot", "runs/one", *asked, "-o", "b.pdf")
        assert status == 1 and reason in error


def test_runs_are_compared_in_one_plot_by_cell_or_by_folder(typed, tmp_path):
    status, output, error = typed("compare", "runs/one", "runs/other", "-o", "cells.svg", "--data")
    assert status == 0, error
    assert "learning-curves of RAU, LSTM" in output
    assert {"cells-RAU.csv", "cells-LSTM.csv"} <= {*names(tmp_path)}
    assert read_provenance(tmp_path / "cells.svg")["run"].splitlines() == ["one", "other"]
    status, output, error = typed("compare", "runs/one", "runs/two", "-o", "seeds.svg")
    assert status == 0, error
    assert "learning-curves of one, two" in output
    status, output, error = typed("info", "seeds.svg")
    assert output.splitlines()[-1].startswith("attnviz compare runs/one runs/two --kind learning-")


def test_studies_are_compared_cell_by_cell(typed, results):  # noqa: F811
    status, _, error = typed("compare", results, "runs/other", "--name", "ours", "--name", "mine",
                             "--style", "slides", "-o", "c.pdf")  # fmt: skip
    assert status == 0, error
    status, output, error = typed("info", "c.pdf")
    assert status == 0 and "not found here" not in output, error
    assert "compare results/made runs/other" in output
    from attnviz.analysis import RunCurve, StudyCurves
    from attnviz.cli.sources import open_source
    from attnviz.plots import PlotOptions

    study, run = open_source(results), open_source(results.parents[1] / "runs" / "other")
    assert isinstance(study.data, StudyCurves) and isinstance(run.data, RunCurve)
    figure = study.kind("learning-curves").together(
        {"ours": study.data, "mine": run.data}, PlotOptions()
    )
    legend = figure.axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["ours: RRA", "ours: RAU", "mine"]


def test_info_says_how_far_a_run_has_come(typed, tmp_path):
    status, output, error = typed("info", "runs/one")
    assert status == 0, error
    said = dict(re.split(r"  +", line.strip(), maxsplit=1) for line in output.splitlines())
    assert said["epochs"] == "3 of 3 are over" and said["cell"] == "RAU"
    assert said["command"] == SAID["command"]
    assert said["validation accuracy"] == "0.6 after step 12, best 0.75"
    status, output, error = typed("info", "runs/one", "--json")
    assert status == 0, error
    told = json.loads(output)
    assert told["kinds"] == ["learning-curves"] and told["recipe"] == SAID["recipe"]
    assert [row["step"] for row in told["history"]] == [4, 8, 12] and len(told["digest"]) == 64


def test_info_says_what_a_run_trains_and_how_its_model_tested(typed, tmp_path):
    model = {"cell": "rra", "hidden_size": 64, "options": {"window": 3, "norm": "none"}}
    a_run(tmp_path / "runs" / "mine", {**SAID, "recipe": {"model": model}}, ACCURATE)
    _, output, _ = typed("info", "runs/mine")
    assert re.search(r"layers × units +1 × 64", output) and "test" not in output
    assert re.search(r"options +window 3, norm none", output)
    shutil.copytree(SHIPPED / "rra-imdb", tmp_path / "runs" / "mine" / "model")
    score = read_card(SHIPPED / "rra-imdb").score("test")[1]
    assert re.search(rf"test accuracy +{score:.4g}", typed("info", "runs/mine")[1])


def test_a_run_whose_first_epoch_is_not_over_says_so(typed, tmp_path):
    a_run(tmp_path / "runs" / "begun", rows=None)
    status, output, error = typed("info", "runs/begun")
    assert status == 0 and "0 of 3 are over" in output and "none yet" in output, error
    status, _, error = typed("plot", "runs/begun", "--kind", "learning-curves", "-o", "a.pdf")
    assert status == 1 and "none of its epochs is over" in error
    status, _, error = typed("plot", "runs/begun")
    assert status == 1 and "none of its epochs is over" in error
    status, _, error = typed("compare", "runs/one", "runs/begun")
    assert status == 1 and "begun has no learning curve yet" in error
    assert names(tmp_path) == ["runs"]


def test_a_run_that_diverged_is_told_of_and_not_drawn(typed, tmp_path):
    a_run(tmp_path / "runs" / "lost", rows="step,validation_loss\n4,nan\n8,nan\n")
    status, output, error = typed("info", "runs/lost")
    assert status == 0 and "nan after step 8, best nan" in output, error
    status, output, error = typed("info", "runs/lost", "--json")
    assert status == 0, error
    assert json.loads(output)["history"][0] == {"step": 4, "validation_loss": "nan"}
    status, _, error = typed("plot", "runs/lost", "-o", "lost.pdf")
    assert status == 1 and "the training diverged" in error
    status, _, error = typed("compare", "runs/lost", "runs/other", "-o", "both.pdf")
    assert status == 0, error


def test_runs_with_different_scores_are_drawn_by_what_they_share(typed, tmp_path):
    a_run(tmp_path / "runs" / "loss", rows="epoch,step,validation_loss\n1,4,0.3\n2,8,0.2\n")
    for layout in ("together", "panels"):
        asked = ("--layout", layout, "--data", "-o", "s.pdf")
        status, _, error = typed("compare", "runs/one", "runs/loss", *asked)
        assert status == 0, error
        # By cell both are RAU, so by folder.
        for name, values in (("one", [0.9, 0.7, 0.8]), ("loss", [0.3, 0.2])):
            path = tmp_path / f"s-{name}.csv"
            assert read_comments(path)["statistic"] == "validation loss"
            assert pd.read_csv(path, comment="#")["value"].tolist() == values
    a_run(tmp_path / "runs" / "odd", rows="epoch,step,loss\n1,4,0.3\n")
    status, _, error = typed("compare", "runs/one", "runs/odd")
    assert status == 1 and "no score in common" in error


def test_figures_have_panels_of_runs(typed, tmp_path):
    (tmp_path / "f.toml").write_text(
        '[traces]\nrau = "runs/one"\nlstm = "runs/other"\n'
        '[[panel]]\ntraces = ["rau", "lstm"]\nkind = "learning-curves"\n'
        '[[panel]]\ntrace = "rau"\nkind = "learning-curves"\nscore = "validation_loss"\n'
    )
    status, _, error = typed("figure", "f.toml", "--data", "-o", "f.svg")
    assert status == 0, error
    assert {"f-a1.csv", "f-a2.csv", "f-b.csv"} <= {*names(tmp_path)}
    assert pd.read_csv("f-b.csv", comment="#")["value"].tolist() == [0.9, 0.7, 0.8]
    status, output, _ = typed("info", "f.svg")
    assert status == 0 and "not found here" not in output


def test_folders_are_called_by_their_whole_names(typed, tmp_path, monkeypatch):
    for name in ("lr0.001", "lr0.01", "a/run", "b/run", "my.nc"):
        a_run(tmp_path / "runs" / name, rows=ACCURATE)
    for name in ("lr0.001", "lr0.01"):
        assert typed("plot", f"runs/{name}")[0] == 0
    assert {"lr0.001-figures", "lr0.01-figures"} <= {*names(tmp_path)}
    for pair in (("lr0.001", "lr0.01"), ("a/run", "b/run")):
        status, output, error = typed("compare", *(f"runs/{n}" for n in pair), "-o", "two.svg")
        assert status == 0, error
        assert f"of {pair[0].partition('/run')[0]}, {pair[1].partition('/run')[0]}" in output
    status, output, error = typed("plot", "runs/my.nc", "-o", "nc.svg")
    assert status == 0, error
    assert typed("info", "nc.svg")[0] == 0 and typed("info", "runs/my.nc")[0] == 0
    monkeypatch.chdir(tmp_path / "runs" / "one")
    assert typed("plot", ".", "-o", "../../dot.svg")[0] == 0
    assert read_provenance(tmp_path / "dot.svg")["command"].startswith("attnviz plot one ")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("step,validation_accuracy\n4,nan\n", "nan after step 4, best nan"),
        ("step,epoch\n4,1\n", "none yet"),
    ],
)
def test_info_of_a_run_without_a_score(typed, tmp_path, rows, said):
    a_run(tmp_path / "runs" / "none", rows=rows)
    status, output, error = typed("info", "runs/none")
    assert status == 0 and said in output, error
