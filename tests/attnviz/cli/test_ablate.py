import json
import shlex

import numpy as np
import pytest
from typer.testing import CliRunner

import attnviz
from attnviz.cli.app import app
from tests.attnviz.cli.shell import called


def run(*arguments):
    return CliRunner().invoke(app, ["ablate", *map(str, arguments)])


def test_a_table_a_figure_and_a_file(tmp_path):
    pytest.importorskip("torch")
    found = run(
        "rra-imdb", "--text", "Slow at first, but then wonderful.", "--text", "Far too long.",
        "-o", tmp_path / "e.nc", "--figure", tmp_path / "e.svg",
    )  # fmt: skip
    assert found.exit_code == 0, found.output
    assert "effect on the margin" in found.output and "mean over 2 texts" in found.output
    assert "95 % bootstrap intervals, too narrow with 2 sequences." in found.output
    effects = attnviz.open_effects(tmp_path / "e.nc")
    assert effects.sizes["lag"] == 10 and effects.attrs["model"] == "rra-imdb"
    assert "attnviz" in (tmp_path / "e.svg").read_text()


def test_lags_that_no_text_reaches_have_no_effect_to_show():
    pytest.importorskip("torch")
    found = run("rra-imdb", "--text", "Slow, but wonderful.", "--text", "Far too long.")
    rows = {
        line.split()[0]: line.split()[1:]
        for line in found.output.splitlines()
        if line[:3].strip().isdigit()
    }
    assert rows["11"] == ["—"] * 4 and "—" not in rows["2"]
    assert "—: no text is long enough to read this lag." in found.output


def test_its_figure_says_how_it_is_made_again(monkeypatch, capsys, tmp_path):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    text = ("--text", "Slow at first, but then wonderful.")
    typed = ("ablate", "rra-imdb", *text, "--level", "head", "-o", "e.nc", "--figure=e.svg")
    assert called(monkeypatch, capsys, *typed)[0] == 0
    before = (tmp_path / "e.svg").read_bytes()

    said = json.loads(called(monkeypatch, capsys, "info", "e.svg", "--json")[1])

    assert "matplotlib" in said["versions"] and len(said["weights_digest"]) == 64
    again = shlex.split(said["again"])
    assert again == ["attnviz", *typed[:6], "--figure", "e.svg"]
    (tmp_path / "e.svg").unlink()
    assert called(monkeypatch, capsys, *again[1:])[0] == 0
    assert (tmp_path / "e.svg").read_bytes() == before


def test_quiet_it_prints_the_table_alone_and_nothing_where_files_are_asked_for(
    monkeypatch, capsys, tmp_path
):
    pytest.importorskip("torch")
    typed = ("ablate", "rra-imdb", "--text", "Slow, but wonderful.", "--quiet")
    status, output, error = called(monkeypatch, capsys, *typed)
    assert (status, error) == (0, "") and "effect on the margin" in output
    assert called(monkeypatch, capsys, *typed, "-o", tmp_path / "e.nc") == (0, "", "")
    assert attnviz.open_effects(tmp_path / "e.nc").sizes["lag"] == 10
    # The next is heard again, and so is a mistake.
    status, _, error = called(monkeypatch, capsys, "ablate", "rra-imdb", "--quiet")
    assert status == 1 and "Say what to read" in error


def test_a_seed_decides_what_is_drawn(tmp_path):
    pytest.importorskip("torch")
    text, found = "Slow at first, but then wonderful, in the end a very good film.", []
    for name, seed in (("a", 0), ("b", 0), ("c", 3)):
        path = tmp_path / f"{name}.nc"
        done = run(
            "rra-imdb", "--text", text, "--method", "resample", "--reference", text * 3,
            "--seed", seed, "-o", path,
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        found.append(attnviz.open_effects(path)["margin_effect"].values)
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(found[2] - found[0]).max() > 1e-6


def test_a_table_is_read_evenly_spread_and_maps_show_their_strongest(tmp_path):
    pytest.importorskip("torch")
    table = tmp_path / "reviews.csv"
    rows = [f"a fine film of its kind {n},{'positive' if n % 2 else 'negative'}" for n in range(40)]
    table.write_text("\n".join(["text,label", *rows]) + "\n")
    read = ("--task", table, "--text-column", "text", "--label-column", "label", "--limit", 2)
    done = run("rra-imdb", *read, "--split", "train", "--level", "step")
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "mean over 2 texts of reviews (train split), edited" in said
    assert "the 15 strongest" in said
    effects = [float(line.split()[2]) for line in done.output.splitlines()[-15:]]
    assert np.abs(effects).tolist() == sorted(np.abs(effects), reverse=True)


def test_mistakes_are_said_before_anything_is_read(tmp_path):
    for arguments, said in (
        (("rra-imdb",), "Say what to read"),
        (("rra-imdb", "--text", "x", "-o", tmp_path / "e.csv"), "netCDF"),
        (("gru-imdb", "--text", "good film"), "cannot be ablated"),
    ):
        found = run(*arguments)
        assert found.exit_code != 0
        assert said in str(found.exception)
    assert not list(tmp_path.iterdir())
