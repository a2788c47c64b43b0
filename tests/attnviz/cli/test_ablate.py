import pytest
from typer.testing import CliRunner

import attnviz
from attnviz.cli.app import app


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
    effects = attnviz.open_effects(tmp_path / "e.nc")
    assert effects.sizes["lag"] == 10 and effects.attrs["model"] == "rra-imdb"
    assert "attnviz" in (tmp_path / "e.svg").read_text()


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
