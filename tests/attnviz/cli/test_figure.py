"""`attnviz compare` and `attnviz figure` as a user types them."""

import json
import re
import shlex
import shutil
import tomllib
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

import attnviz
from attnviz.plots import read_provenance
from tests.attnviz import traces
from tests.attnviz.cli.shell import names, run

SPECS = Path(__file__).parents[3] / "notebooks" / "figures" / "specs"
SPEC = """
columns = 2
share = true
[traces]
one = "rra.zarr"
two = "larnn.zarr"
[[panel]]
trace = "one"
kind = "heatmap"
tokens = "0:12"
[[panel]]
trace = "two"
kind = "heatmap"
head = [1]
tokens = "0:12"
title = ""
"""


def test_traces_are_compared_in_one_plot(place, typed):
    status, output, error = typed(
        "compare", "rra.zarr", "larnn.zarr", "--name", "mine", "--name", "theirs", "--data",
        "--style", write_sheet(place), "-o", "k.svg",
    )  # fmt: skip

    assert status == 0, error
    assert "k.svg: lag-kernel of mine, theirs." in output
    said = re.findall(r"<text[^>]*>([^<]*)</text>", (place / "k.svg").read_text())
    assert "mine" in said and sum(text.startswith("theirs, head") for text in said) == 3
    assert names(place) == [
        "k-mine.csv", "k-theirs.csv", "k.svg", "larnn.zarr", "rra.zarr", "text.mplstyle",
    ]  # fmt: skip
    table = pd.read_csv("k-mine.csv", comment="#")
    kernel = traces.rra().tree["l0"]["lag_kernel"].values[0]
    np.testing.assert_allclose(table["value"], kernel, rtol=1e-6)


def write_sheet(place):
    sheet = place / "text.mplstyle"
    sheet.write_text("svg.fonttype: none\n")
    return sheet.name


@pytest.mark.parametrize("own", [False, True])
def test_panels_are_on_one_scale_unless_asked_otherwise(place, typed, monkeypatch, own):
    seen = remember(monkeypatch)
    more = ("--own-scale",) if own else ()
    status, _, error = typed(
        "compare", "rra.zarr", "larnn.zarr", "--kind", "heatmap", *more, "-o", "maps.png"
    )

    assert status == 0, error
    ends = [panel.limits for panel in seen[-1].panels]
    norms = [{image.get_clim() for ax in panel.axes for image in ax.images}
             for panel in seen[-1].panels]  # fmt: skip
    assert (ends[0] == ends[1]) != own
    assert (norms[0] == norms[1]) != own
    if not own:
        assert norms[0] == {ends[0]} and ends[0][0] == -ends[0][1]


def remember(monkeypatch):
    """The compositions that are made."""
    from attnviz.plots import composition

    seen, compose = [], composition.compose

    def remembered(*given, **named):
        seen.append(compose(*given, **named))
        return seen[-1]

    monkeypatch.setattr(composition, "compose", remembered)
    return seen


@pytest.mark.parametrize("asked", [True, False])
def test_each_panel_says_which_trace_it_is_of(place, typed, asked):
    shutil.copytree("rra.zarr", "again.zarr")  # the model has the same name
    names = ("A", "B") if asked else ("rra", "again")
    given = ("--name", "A", "--name", "B") if asked else ()
    for kind in ("heatmap", "lag-kernel"):
        status, _, error = typed(
            "compare", "rra.zarr", "again.zarr", *given, "--kind", kind, "--layout", "panels",
            "--style", write_sheet(place), "-o", "p.svg",
        )  # fmt: skip

        assert status == 0, error
        said = re.findall(r"<text[^>]*>([^<]*)</text>", (place / "p.svg").read_text())
        assert all(any(re.match(rf"{name}\b", text) for text in said) for name in names)
        assert not any("rra-imdb" in text for text in said)


@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_a_comparison_can_be_made_again_to_the_byte(place, suffix):
    path = place / f"c.{suffix}"
    compare = ("compare", "larnn.zarr", "rra.zarr", "--kind", "contribution", "--columns", 2)
    one = run(*compare, "--sequence", "1", "--lags", "2:6", "-o", path, PYTHONHASHSEED="3")
    assert one.returncode == 0, one.stderr
    before = path.read_bytes()
    told = run("info", path)
    said, _, command = told.stdout.partition("made again by\n")
    for store in ("rra.zarr", "larnn.zarr"):
        assert attnviz.trace_digest(place / store) in said
    path.unlink()

    again = run(*shlex.split(command)[1:], PYTHONHASHSEED="4")

    assert again.returncode == 0, again.stderr
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("rra.zarr",), "takes two traces or more, got one: attnviz plot draws it"),
        (
            ("rra.zarr", "larnn.zarr", "--sequence", "0", "--sequence", "1"),
            "draws one sequence of each trace, got 2",
        ),
        (("rra.zarr", "rra.zarr"), "called the same (rra, rra). Give each a --name"),
        (("rra.zarr", "larnn.zarr", "--name", "x"), "2 traces and 1 --name"),
        (("rra.zarr", "larnn.zarr", "--kind", "shortcut"), "Record with gradients='routes'"),
        (
            ("rra.zarr", "larnn.zarr", "--kind", "heatmap", "--layout", "together"),
            "'heatmap' draws one trace at a time",
        ),
        (
            ("rra.zarr", "larnn.zarr", "--tokens", "1:2"),
            "--tokens means nothing for the kind lag-k",
        ),
    ],
)
def test_what_cannot_be_compared_is_said(place, typed, arguments, message):
    status, _, error = typed("compare", *arguments, "-o", "x.pdf")

    assert status == 1
    assert message in " ".join(error.split()) and "Traceback" not in error
    assert names(place) == ["larnn.zarr", "rra.zarr"]


def test_a_specification_becomes_a_figure_with_aligned_panels(place, typed, monkeypatch):
    seen = remember(monkeypatch)
    (place / "two.toml").write_text(SPEC)

    status, output, error = typed("figure", "two.toml", "--format", "png,pdf", "--data", "--json")

    assert status == 0, error
    files = [file["path"] for file in json.loads(output)["files"]]
    assert files == ["two.png", "two.pdf", "two-a.csv", "two-b.csv"]
    whole = seen[-1]
    assert [text.get_text() for text in whole.texts] == ["a", "b"]
    assert all(text.get_fontweight() == "bold" for text in whole.texts)
    maps = [next(ax for ax in panel.axes if ax.images and ax.get_label() != "colour bar")
            for panel in whole.panels]  # fmt: skip
    tops = [
        ax.get_position().y1 * panel.get_figheight() + bottom
        for ax, panel, (_, bottom) in zip(maps, whole.panels, whole.corners, strict=True)
    ]
    assert tops[0] == pytest.approx(tops[1], abs=1e-6)
    assert maps[0].images[0].get_clim() == maps[1].images[0].get_clim()
    across = matplotlib.image.imread("two.png").shape[1]
    assert across == pytest.approx(175 / 25.4 * 300, abs=2)
    # The second has no title, the first its own.
    assert not any(text.get_text().startswith("Attention") for text in whole.panels[1].texts)
    assert any(text.get_text().startswith("Attention") for text in whole.panels[0].texts)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("sequence = 99", "Panel 2: "),
        ('sequence = ""', "Panel 2: 2 sequences have the words ''"),
    ],
)
def test_a_sequence_that_is_not_there_is_said_of_its_panel(place, typed, change, message):
    (place / "two.toml").write_text(SPEC.replace('title = ""', change))
    status, _, error = typed("figure", "two.toml", "-o", "two.svg")
    assert status == 1 and message in " ".join(error.split())


def test_a_figure_from_a_specification_can_be_made_again(place, typed):
    (place / "in").mkdir()
    (place / "in" / "two.toml").write_text(SPEC)
    shutil.move(place / "larnn.zarr", place / "in" / "larnn.zarr")
    one = run("figure", "in/two.toml", "--trace", "one=rra.zarr", "-o", "out/a.svg")
    assert one.returncode == 0, one.stderr
    before = (place / "out/a.svg").read_bytes()
    told = run("info", "out/a.svg")
    missing, _, command = told.stdout.partition("made again by\n")
    assert "not found here" not in missing  # the specification lies in a folder of its own
    assert "attnviz figure in/two.toml --trace=one=rra.zarr" in command

    again = run(*shlex.split(command)[1:])

    assert again.returncode == 0, again.stderr
    assert (place / "out/a.svg").read_bytes() == before


def test_labels_of_a_specification_are_those_that_were_asked_for(place, typed):
    top = (
        f"style = '{write_sheet(place)}'\nlabels = ['timestep=step', 'lag (timesteps back)=lag']\n"
    )
    (place / "two.toml").write_text(top + SPEC)
    status, _, error = typed("figure", "two.toml", "-o", "a.svg")
    assert status == 0, error
    said = re.findall(r"<text[^>]*>([^<]*)</text>", (place / "a.svg").read_text())
    assert {"step", "lag"} <= set(said) and not {"timestep", "lag (timesteps back)"} & set(said)


def test_a_trace_that_is_not_there_is_said_with_what_to_do(place, typed):
    missing = SPEC.replace("rra.zarr", "gone.zarr")
    (place / "two.toml").write_text(missing)
    status, _, error = typed("figure", "two.toml")
    said = " ".join(error.split())
    assert status == 1 and "from gone.zarr, which is not there. Make it with attnviz rec" in said
    assert "or draw another: --trace one=PATH" in said
    (place / "two.toml").write_text("#     attnviz record ...\n" + missing)
    assert "The comments of two.toml say how to make it" in " ".join(
        typed("figure", "two.toml")[2].split()
    )


def test_the_specification_of_the_readme_draws_what_the_demo_records(place, typed):
    shipped = SPECS / "demo.toml"
    (place / "demo.toml").write_text(shipped.read_text().replace("58:96", "0:12"))
    traces = [f"--trace={name}={place}/{name}.zarr" for name in ("rra", "larnn")]
    status, _, error = typed("figure", "demo.toml", *traces, "-o", "demo.svg")
    assert status == 0, error
    held = tomllib.loads(shipped.read_text())["traces"]
    assert set(held) == {"rra", "larnn"}
    for name, path in held.items():
        told = (shipped.parent / path).resolve()
        assert told == shipped.parents[3] / f"demo-output/traces/{name}-imdb.zarr"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("columns = 2", "labels = [1]"), "labels is a list such as"),
        (("columns = 2", "labels = ['steps=t']"), "No label of this figure reads 'steps'"),
        (("share", "shared"), "has the key 'shared'; known are width, style, font, font_size"),
        (("tokens =", "token ="), "has the key 'token'; known are trace, traces, kind"),
        (('kind = "heatmap"', 'kind = "map"'), "panel 1 needs a kind, one of heatmap"),
        (("columns = 2", "columns = true"), "two.toml: columns is a whole number, got True"),
        (("head = [1]", 'head = ["a"]'), "panel 2: head is a number or a list of them, got 'a'"),
        (('"0:12"', '"0-12"'), "tokens takes a first number and one after the last"),
        (('trace = "two"', 'trace = "three"'), "of 'three', but [traces] has only one, two"),
        (("share = true", "share = true ="), "two.toml is no TOML"),
        (("head = [1]", "span = 3"), "spans 1 to 2 of the figure's columns, but span is 3"),
        (('kind = "heatmap"\nhead', 'kind = "lag-kernel"\nhead'), "Panel 2: tokens means nothing"),
        (('trace = "two"', 'traces = ["one", "two"]'), "'heatmap' draws one trace at a time"),
    ],
)  # fmt: skip
def test_a_wrong_specification_is_explained(place, typed, change, message):
    assert change[0] in SPEC
    (place / "two.toml").write_text(SPEC.replace(*change))

    status, _, error = typed("figure", "two.toml")

    assert status == 1
    assert message in " ".join(error.split()) and "Traceback" not in error
    assert names(place) == ["larnn.zarr", "rra.zarr", "two.toml"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["heatmaps", "gradient-flow", "ablation"])
def test_the_examples_run_as_their_comments_say(tmp_path, monkeypatch, typed, name):
    pytest.importorskip("torch")
    shutil.copy(SPECS / f"{name}.toml", tmp_path)
    monkeypatch.chdir(tmp_path)
    text = (tmp_path / f"{name}.toml").read_text()
    commands = re.findall(r"^#     attnviz (.*)$", text, re.MULTILINE)
    assert commands[-1].startswith(f"figure {name}.toml")

    for command in commands:
        status, _, error = typed(*shlex.split(command))
        assert status == 0, (command, error)

    said = read_provenance(f"{name}.pdf")
    assert said["command"] == f"attnviz figure {name}.toml"
    assert said["model"].startswith("rra-imdb") and len(said["weights_digest"]) >= 64
