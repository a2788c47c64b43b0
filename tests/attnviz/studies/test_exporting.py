"""The models that a study chose, as folders with cards."""

import json
import shutil

import pytest
import torch

import attnviz
from attnviz.studies import open_results
from attnviz.studies.choices import chosen_seed
from attnviz.studies.exporting import export_models
from attnviz.studies.running import run_study
from attnviz.training import open_run, score
from tests.attnviz.cli.shell import called
from tests.attnviz.studies.small import TEXT, small

QUICK = TEXT.replace('["rra", "lstm", "gru"]', '["lstm", "gru"]').replace("count = 2", "count = 1")
QUICK = QUICK[: QUICK.index("[[question]]")].replace("[0, 1]", "[3, 1]")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A study of two cells and two seeds, in `runs` and `results`."""
    place = tmp_path_factory.mktemp("ran")
    study, task = small(QUICK, name="quick")
    run_study(study, task, place / "runs", place / "results")
    return place


def test_the_best_seed_of_each_cell_is_written_with_what_it_was_chosen_among(ran, tmp_path):
    written = export_models(ran / "results" / "quick", ran / "runs", tmp_path)

    study, records = open_results(ran / "results" / "quick")
    assert written == [tmp_path / "lstm-quick", tmp_path / "gru-quick"]
    for cell, folder in zip(study.cells, written, strict=True):
        model, chosen = attnviz.load_model(folder), chosen_seed(study, cell, records)
        run = attnviz.load_model(ran / "runs" / "quick" / chosen.job.name / "run")
        for name, weights in run.state_dict().items():
            assert torch.equal(model.state_dict()[name], weights.half().float())
        assert model.name == f"{cell}-quick"
        finals = [one for one in records if one.job.phase == "final" and one.job.cell == cell]
        finals = [one for one in finals if one.job.size == "hidden"]
        assert model.card["study"] == {
            "name": "quick",
            "run": chosen.job.name,
            "chosen_by": "the best validation loss of 2 seeds at equal hidden size, then the "
            "smallest validation loss; the test score decides nothing",
            "seeds": {
                str(one.job.number): {"validation": one.validation, "test": one.test}
                for one in finals
            },
        }
        assert len(finals) == 2 and set(model.card["study"]["seeds"]) == {"1", "3"}
        assert chosen.validation == min(one.validation for one in finals)
        assert model.card["test"]["loss"] == chosen.test
        assert model.card["recipe"]["seed"] == chosen.job.number
        assert model.card["command"] == f"attnviz study run quick.toml --cell {cell}"
        assert model.card["weights"] == "float16" and "licence" not in model.card
        assert [said.split()[0] for said in model.card["limits"]] == ["Trained,", "The", "Scored"]
        assert "on adding-5 alone" in model.card["limits"][0]
        assert model.card["data"]["length"] == 5
        _, task = small(QUICK, name="quick")
        assert score(model, task, "test", run_recipe(ran, chosen))["loss"] == pytest.approx(
            chosen.test, rel=1e-2
        )


def run_recipe(place, record):
    return open_run(place / "runs" / "quick" / record.job.name / "run").recipe


def test_nothing_is_written_where_a_run_is_not_there_or_another(ran, tmp_path):
    results, out = ran / "results" / "quick", tmp_path / "out"
    with pytest.raises(FileNotFoundError, match=r"choose lstm-hidden-seed-\d, but .*--runs"):
        export_models(results, tmp_path, out)

    study, records = open_results(results)
    one = chosen_seed(study, "gru", records).job.name
    other = next(
        job.name for job in (held.job for held in records)
        if (job.cell, job.phase, job.size) == ("gru", "final", "hidden") and job.name != one
    )  # fmt: skip
    shutil.copytree(ran / "runs", tmp_path / "runs")
    shutil.rmtree(tmp_path / "runs" / "quick" / one / "run")
    shutil.copytree(
        tmp_path / "runs" / "quick" / other / "run", tmp_path / "runs" / "quick" / one / "run"
    )
    with pytest.raises(ValueError, match=f"is another run than .* that of {one} is"):
        export_models(results, tmp_path / "runs", out)
    assert not out.exists()


def test_by_the_command(ran, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code, said, _ = called(
        monkeypatch, capsys, "study", "models", ran / "results" / "quick", "--runs", ran / "runs",
        "--cell", "gru", "-o", "models", "--licence", "CC0", "--limits", "Not tried on sums of 3.",
    )  # fmt: skip
    assert code == 0 and said.split()[:1] == ["models/gru-quick"]
    assert said.rstrip().endswith("Next: attnviz models models")
    assert [path.name for path in (tmp_path / "models").iterdir()] == ["gru-quick"]
    card = json.loads((tmp_path / "models" / "gru-quick" / "model.json").read_text())["card"]
    assert card["licence"] == "CC0" and card["limits"][-1] == "Not tried on sums of 3."
    code, said, _ = called(
        monkeypatch, capsys, "study", "models", ran / "results" / "quick", "--runs", ran / "runs",
        "--cell", "gru", "-o", "others", "--quiet",
    )  # fmt: skip
    assert (code, said) == (0, "") and (tmp_path / "others" / "gru-quick").is_dir()
    code, listed, _ = called(monkeypatch, capsys, "models", "models", "--quiet")
    assert code == 0 and listed.split()[-1] == "models/gru-quick"

    code, _, err = called(
        monkeypatch, capsys, "study", "models", ran / "results" / "quick", "-o", "models"
    )
    assert code == 1 and "Say with --runs where the runs lie" in err and "Traceback" not in err
