"""`attnviz plot` as a user types it: real files, exit codes, messages."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import matplotlib.image
import numpy as np
import pandas as pd
import pytest
import torch

import attnviz
import cells
from attnviz.pages import ONLY_PICTURES
from attnviz.plots import KINDS, read_provenance
from tests.attnviz import traces
from tests.attnviz.analysis.test_flow import made
from tests.attnviz.cli.shell import environment, names, run
from tests.attnviz.plots.test_ablation import made as made_effects
from tests.attnviz.plots.test_pgf import compiled, needs_tex

EFFECTS = {"format": "attnviz-effects/1", "method": "zero", "group": "l0"}


def numbers(path):
    return pd.read_csv(path, comment="#", keep_default_na=False)


def test_without_a_kind_the_sensible_set_goes_to_a_folder_with_a_page(place, typed):
    texts = [traces.review(14), "<script>alert(1)</script> & a fine film, as far as it goes"]
    attnviz.save_trace(traces.larnn(texts), place / "a&b.zarr")

    status, output, error = typed("plot", "a&b.zarr", "--data")

    assert status == 0, error
    kinds = ["heatmap", "contribution", "text", "lag-kernel"]
    folder = place / "a&b-figures"
    files = [f"{kind}.{suffix}" for kind in kinds for suffix in ("csv", "pdf")]
    assert names(folder) == sorted([*files, "index.html"])
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert page.count('<img src="data:image/png;base64,') == len(kinds)
    assert "<title>Figures of a&amp;b.zarr</title>" in page and "<script" not in page
    assert f'content="{ONLY_PICTURES}"' in page
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    for name in files:
        assert f'href="{name}"' in page
        assert f"{Path('a&b-figures', name)}: " in output
    assert attnviz.trace_digest(place / "a&b.zarr") in page


def test_it_says_that_there_are_other_layers(place, typed):
    layer = cells.RRA(3, 4, window=2, num_layers=2, bidirectional=True)
    with attnviz.record(layer) as recording:
        layer(torch.randn(6, 2, 3))
    attnviz.save_trace(recording.trace, place / "both.zarr")
    typing = ("plot", "both.zarr", "--kind", "lag-kernel", "-o", "a.svg")
    status, _, error = typed(*typing)
    assert status == 0
    assert error == "Of the layers, l0 was drawn. For l0_reverse, l1, l1_reverse give --layer.\n"
    for more in (("--layer", "l1"), ("--quiet",)):
        assert typed(*typing, *more)[::2] == (0, "")
    assert typed("plot", "rra.zarr", *typing[2:])[::2] == (0, "")


@pytest.mark.parametrize("folder", ["set", "sets/new"])
def test_several_kinds_and_sequences_go_to_a_folder(place, typed, folder):
    kinds = ("--kind", "contribution", "--kind", "lag-kernel")
    chosen = ("--sequence", 1, "--sequence", "test/pos/0_8.txt")
    status, _, error = typed("plot", "rra.zarr", *kinds, *chosen, "-o", folder, "--format", "svg")

    assert status == 0, error
    expected = ["contribution-0.svg", "contribution-1.svg", "index.html", "lag-kernel.svg"]
    assert names(place / folder) == expected
    # Each file says how it is made alone.
    alone = read_provenance(place / folder / "contribution-1.svg")["command"]
    assert alone == "attnviz plot rra.zarr --kind contribution --sequence 1"


def test_the_numbers_stand_beside_the_figure(place, typed):
    plot = ("plot", "larnn.zarr", "--kind", "heatmap", "--sequence", 1, "--head", 2, "--head", 0)
    plot = (*plot, "--tokens", "3:11", "--lags", "2:5", "--data", "--latex", "-o", "map.pdf")

    status, _, error = typed(*plot)

    assert status == 0, error
    assert names(place) == ["larnn.zarr", "map.csv", "map.pdf", "map.tex", "rra.zarr"]
    table = numbers("map.csv")
    assert sorted(set(table["timestep"])) == list(range(3, 11))
    assert sorted(set(table["lag"])) == [2, 3, 4]
    assert list(dict.fromkeys(table["head"])) == [2, 0]
    drawn = attnviz.signal(attnviz.open_trace("larnn.zarr"), "attention").values[1]
    for row in table.itertuples():
        assert row.value == pytest.approx(drawn[row.timestep, row.head, row.lag - 1], rel=1e-6)
    assert attnviz.trace_digest("larnn.zarr") in (place / "map.csv").read_text()
    rows = [
        line for line in (place / "map.tex").read_text().splitlines() if line[0] in "0123456789"
    ]
    assert len(rows) == 8 * 2
    assert [float(cell) for cell in rows[0].rstrip("\\ ").split("&")[3:]] == pytest.approx(
        drawn[3, 2, 1:4], abs=5e-3
    )


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png"])
def test_two_processes_write_the_same_bytes_wherever(place, suffix):
    (place / "far").mkdir()
    look = ("--kind", "heatmap", "--width", "column", "--no-title", "--colours", "viridis")
    one = run("plot", "rra.zarr", *look, "-o", f"one.{suffix}", PYTHONHASHSEED="1")
    two = run(
        "plot", place / "rra.zarr", *look, "-o", f"two.{suffix}", cwd=place / "far",
        PYTHONHASHSEED="2",
    )  # fmt: skip

    assert one.returncode == two.returncode == 0, one.stderr + two.stderr
    assert (place / f"one.{suffix}").read_bytes() == (place / f"far/two.{suffix}").read_bytes()


@pytest.mark.parametrize("suffix", ["svg", "pdf", "png", "csv"])
def test_info_tells_the_command_that_makes_the_same_bytes_again(place, typed, suffix):
    look = (
        "--label",
        "lag (timesteps back)=$j$, in 'steps'",
        "--font-size",
        8,
        "--style",
        "my.mplstyle",
    )
    (place / "my.mplstyle").write_text("axes.linewidth: 1.5\n")
    first = (
        "plot",
        "rra.zarr",
        "--kind",
        "contribution",
        "--sequence",
        1,
        "--limits",
        "0:0.7",
        *look,
    )
    status, _, error = typed(*first, "--title", "-x  y; 'z'", "--format", "svg,png", "--data",
                             "--tokens", "0:12", "-o", "out/a.pdf")  # fmt: skip
    assert status == 0, error
    path = place / "out" / f"a.{suffix}"
    before = path.read_bytes()

    told = run("info", path)
    assert told.returncode == 0, told.stderr
    said, _, command = told.stdout.partition("made again by\n")
    for expected in (attnviz.trace_digest("rra.zarr"), "attnviz 0.", "matplotlib", "contribution"):
        assert expected in said
    path.unlink()
    words = shlex.split(command)
    assert words[0] == "attnviz"
    again = run(*words[1:])

    assert again.returncode == 0, again.stderr
    assert path.read_bytes() == before


def test_info_says_when_the_trace_is_not_the_same_any_more(place, typed):
    typed("plot", "rra.zarr", "--kind", "text", "-o", "out/a.svg")
    (place / "rra.zarr").rename(place / "other.zarr")
    attnviz.save_trace(traces.rra(seed=9), place / "rra.zarr")

    status, output, _ = typed("info", "out/a.svg")

    assert status == 0
    digest = attnviz.trace_digest("other.zarr")
    assert f"not found here  rra.zarr (digest {digest[:12]}" in output
    status, output, _ = typed("info", "out/a.svg", "--json")
    said = json.loads(output)
    assert said["trace_digest"] == digest
    assert said["again"] == "attnviz plot rra.zarr --kind text --sequence 0 -o out/a.svg"


def test_a_sequence_is_found_by_its_number_id_or_words(place, typed):
    texts = ["A slow start, and then the ending!", "No start at  all,\nbut an ENDING.", "Nothing."]
    attnviz.save_trace(traces.larnn(texts), place / "t.zarr")
    plot = ("plot", "t.zarr", "--kind", "text", "-o", "t.svg", "--sequence")

    for what, number in (("2", 2), ("-1", 2), ("test/pos/1_8.txt", 1), ("all, but AN end", 1)):
        status, _, error = typed(*plot, what)
        assert status == 0, error
        assert f"--sequence {number}" in read_provenance(place / "t.svg")["command"]
    for what, message in (
        ("ending", "2 sequences have the words 'ending': 0, 1. Add words"),
        ("beginning", "No sequence has the number or id 'beginning', nor these words"),
        ("7", "holds 3 sequences, numbered 0 to 2, and has no sequence 7"),
    ):
        status, _, error = typed(*plot, what)
        assert status == 1
        assert message in " ".join(error.split())


@pytest.mark.parametrize(
    ("options", "width"),
    [(("--width", "column"), 85), (("--width", "120"), 120), (("--width", "page"), 175)],
)
def test_figures_are_as_wide_as_asked(place, typed, options, width):
    status, _, error = typed("plot", "rra.zarr", "--kind", "lag-kernel", *options, "--dpi", 100,
                             "-o", "k.png")  # fmt: skip

    assert status == 0, error
    across = matplotlib.image.imread("k.png").shape[1]
    assert across == pytest.approx(width / 25.4 * 100, abs=1)


def test_titles_and_labels_are_those_that_were_asked_for(place, typed):
    sheet = place / "text.mplstyle"
    sheet.write_text("svg.fonttype: none\n")
    plot = ("plot", "rra.zarr", "--kind", "heatmap", "--style", sheet, "-o", "a.svg")

    def written(*more):
        status, _, error = typed(*plot, *more)
        assert status == 0, error
        return re.findall(r"<text[^>]*>([^<]*)</text>", (place / "a.svg").read_text())

    own, none = written(), written("--no-title")
    other = written("--title", "My $5 map", "--label", "attention ŵ (weight)=w & more")

    assert any(text.startswith("Attention of RRA") for text in own)
    assert any(text.startswith("rra-imdb · layer l0") for text in own)
    assert not any("RRA" in text or "rra-imdb" in text for text in none)
    assert "attention ŵ (weight)" in none
    assert {"My $5 map", "w &amp; more"} <= set(other)
    assert not any(text.startswith(("Attention of RRA", "attention ŵ")) for text in other)
    # Which sequence it is no title of one's own says.
    assert any(text.startswith("rra-imdb · layer l0 · sequence 0") for text in other)


def test_the_font_and_the_layer_are_those_that_were_asked_for(place, typed):
    (place / "text.mplstyle").write_text("svg.fonttype: none\n")
    plot = ("plot", "rra.zarr", "--kind", "lag-kernel", "--style", "text.mplstyle", "-o", "a.svg")
    fonts = []
    for more in ((), ("--font", "DejaVu Serif", "--layer", "l0")):
        status, _, error = typed(*plot, *more)
        assert status == 0, error
        fonts.append("DejaVu Serif" in (place / "a.svg").read_text().partition("</metadata>")[2])
    assert fonts == [False, True]
    command = read_provenance(place / "a.svg")["command"]
    assert "--layer l0" in command and "--font 'DejaVu Serif'" in command
    status, _, error = typed(*plot, "--layer", "l7")
    assert status == 1 and "l7" in error and "l0" in error


def test_a_colour_map_of_ones_own(place, typed):
    plot = ("plot", "larnn.zarr", "--kind", "heatmap", "-o", "a.png", "--dpi", 60)
    pictures = {}
    for name in ("Blues", "Reds"):
        assert typed(*plot, "--colours", name)[0] == 0
        pictures[name] = matplotlib.image.imread("a.png")[..., :3].astype(float)
    blue, red = (pictures[name].mean(axis=(0, 1)) for name in ("Blues", "Reds"))
    assert blue[2] - blue[0] > 0.02 and red[0] - red[2] > 0.02


@pytest.mark.parametrize(("option", "suffix"), [("--data", ".csv"), ("--latex", ".tex")])
def test_numbers_are_not_written_over_a_file_of_ones_own(place, typed, option, suffix):
    plot = ("plot", "rra.zarr", "--kind", "lag-kernel", option, "-o", "mine.png")
    own = place / f"mine{suffix}"
    own.write_text("# my words\ntext,label\n")

    status, _, error = typed(*plot)

    assert status == 1 and f"mine{suffix}, which holds something else" in " ".join(error.split())
    assert own.read_text() == "# my words\ntext,label\n" and not (place / "mine.png").exists()
    own.unlink()
    assert [typed(*plot)[0] for _ in range(2)] == [0, 0]  # its own numbers it writes anew


def test_effects_of_ablations_are_drawn_too(place, typed):
    effects = made_effects(("lag",), (3, 4), "lag").assign_attrs(EFFECTS)
    attnviz.save_effects(effects, "lags.nc")

    status, output, error = typed("plot", "lags.nc", "--data", "--latex", "-o", "a.svg")

    assert status == 0, error
    assert "What changes when attention cannot read something" in output
    table = numbers("a.csv")
    assert {"lag", "value", "low", "high"} <= set(table)
    mean = effects["margin_effect"].mean("sequence").values
    np.testing.assert_allclose(table["value"], mean, rtol=1e-6)
    assert "[" in (place / "a.tex").read_text()
    said = json.loads(typed("info", "a.svg", "--json")[1])
    assert said["again"] == "attnviz plot lags.nc --kind ablation -o a.svg"
    status, _, error = typed("plot", "lags.nc", "--kind", "heatmap", "-o", "b.svg")
    assert status == 1
    assert "'heatmap' is drawn from a trace (attnviz record), which lags.nc is not" in error


def test_a_script_reads_which_files_there_are(place, typed):
    status, output, _ = typed(
        "plot", "rra.zarr", "--kind", "text", "--format", "svg,png", "--data", "--json"
    )
    assert status == 0
    files = json.loads(output)["files"]
    assert [file["path"] for file in files] == ["text.svg", "text.png", "text.csv"]
    assert all((place / file["path"]).is_file() for file in files)
    status, output, error = typed("plot", "rra.zarr", "--kind", "text", "--quiet")
    assert (status, output, error) == (0, "", "")
    assert (place / "text.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--format", "jpg"), "There is no format 'jpg'; there are pdf, svg, png, pgf"),
        (("-o", "x.jpg"), "attnviz writes .pdf, .svg, .png, .pgf, but x.jpg ends in '.jpg'"),
        (("--kind", "heatmap", "--kind", "text", "-o", "x.pdf"), "Name a folder: -o x."),
        (("--kind", "ablation"), "'ablation' is drawn from effects (attnviz ablate -o)"),
        (
            ("--kind", "lag-kernel", "--tokens", "1:3"),
            "--tokens means nothing for the kind lag-kernel",
        ),
        (
            ("--kind", "heatmap", "--lags", "40:50"),
            "holds no lag of the attention, which has lags 2 to 11",
        ),
        (
            ("--kind", "heatmap", "--lags", "5"),
            "--lags takes a first number and one after the last",
        ),
        (
            ("--kind", "heatmap", "--lags", "5:5"),
            "Lags go from a first one, 0 at least, up to a larger",
        ),
        (("--kind", "heatmap", "--limits", "1:0"), "--limits takes a lower and an upper end"),
        (("--kind", "heatmap", "--head", "3"), "has 1 head, number 0; there is no head 3"),
        (("--width", "wide"), "--width takes column, page, or millimetres such as 120, got 'wide'"),
        (("--width", "3"), "between 20 and 2000 mm wide, but width is 3"),
        (("--style", "papr"), "There is no style 'papr'"),
        (
            ("--font", "DejaVu Sanz"),
            "'DejaVu Sanz' is not installed, as far as matplotlib sees. Near it: DejaVu Sans",
        ),
        (("--font-size", "2"), "between 5 and 60 points, but the font size is 2"),
        (("--colours", "virids"), "no colour map 'virids'. Near it: viridis"),
        (("--title", "x", "--no-title"), "Give either --title or --no-title"),
        (
            ("--kind", "heatmap", "--label", "lag=x"),
            "No label of this figure reads 'lag'. They read:",
        ),
        (("--kind", "heatmap", "--label", "lag"), "--label takes OLD=NEW"),
        (("--kind", "gradient-flow"), "attnviz record --gradients routes"),
    ],
)
def test_a_mistake_is_one_message_and_writes_nothing(place, typed, arguments, message):
    status, _, error = typed("plot", "rra.zarr", *arguments)

    assert status == 1
    assert message in " ".join(error.split())
    assert "Traceback" not in error and error.count("attnviz:") == 1
    assert names(place) == ["larnn.zarr", "rra.zarr"]


def test_a_figure_higher_than_a_page_says_what_makes_it_lower(place, typed):
    attnviz.save_trace(traces.larnn([traces.review(200)]), "long.zarr")
    column = ("plot", "long.zarr", "--kind", "heatmap", "--kind", "lag-kernel", "--width", "column")
    status, _, error = typed(*column, "-o", "all")
    assert status == 0
    (said,) = (line for line in error.splitlines() if line.startswith("Higher than a page: "))
    height = int(re.search(r"heatmap \((\d+) mm\)", said)[1])

    assert height > 247 and "lag-kernel" not in said
    assert "--tokens 0:60 draws some of the timesteps, --width page draws more" in said
    for less in (("--tokens", "0:20"), ("-q",), ("--json",)):
        assert "Higher than a page" not in typed(*column, "-o", "again", *less)[2]


def test_pgf_without_tex_says_what_is_missing(place, typed, monkeypatch):
    monkeypatch.setenv("PATH", str(place))
    status, _, error = typed("plot", "rra.zarr", "--kind", "lag-kernel", "-o", "k.pgf")

    assert status == 1
    assert "k.pgf needs TeX, which measures its words" in error and "or write a .pdf" in error
    assert names(place) == ["larnn.zarr", "rra.zarr"]


@needs_tex
def test_pgf_comes_with_its_images_and_as_the_same_bytes(place, typed):
    plot = ("plot", "larnn.zarr", "--kind", "heatmap", "--head", 1, "--dpi", 100, "--json")
    status, output, error = typed(*plot, "--format", "pgf,svg", "-o", "one")
    assert status == 0, error
    files = [Path(file["path"]) for file in json.loads(output)["files"]]
    images = [path.name for path in files if path.suffix == ".png"]
    assert images and names(place / "one") == sorted(path.name for path in files)
    page = compiled(place / "one", "heatmap.pgf")
    assert "attention" in page
    shown = [file["shows"] for file in json.loads(output)["files"] if "img" in file["path"]]
    assert shown[0].endswith(r"\usepackage{import} and \import{one/}{heatmap.pgf}.")
    assert not any("import" in said for said in shown[1:])
    assert "attention" in compiled(place, "one/heatmap.pgf")
    typed(*plot, "--format", "pgf", "-o", "two")
    for name in ("heatmap.pgf", *images):
        assert (place / "one" / name).read_bytes() == (place / "two" / name).read_bytes()
    said = read_provenance(place / "one" / "heatmap.pgf")
    assert (
        said["command"] == "attnviz plot larnn.zarr --kind heatmap --sequence 0 --head 1 --dpi 100"
    )


@pytest.mark.slow
def test_the_keyboard_leaves_nothing_half_written(place):
    sequences = [word for number in (0, 1) for word in ("--sequence", str(number))]
    many = (
        *sequences,
        "--format",
        "pdf,svg,png",
    )  # not done before it is stopped
    command = [sys.executable, "-m", "attnviz.cli", "plot", "larnn.zarr", *many, "-o", "set"]
    process = subprocess.Popen(
        command, env=environment(), stderr=subprocess.PIPE, text=True, cwd=place
    )
    until = time.monotonic() + 60
    # Once it writes: the folder beside holds its first files.
    while time.monotonic() < until and not list(place.glob(".attnviz-*/*.pdf")):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)

    assert process.returncode == 130, error
    assert "Stopped." in error and "Traceback" not in error
    assert names(place) == ["larnn.zarr", "rra.zarr"]


# What a figure may import besides the standard library; each costs time at every start.
NEEDED = {
    "attnviz", "numpy", "pandas", "xarray", "zarr", "matplotlib", "typer", "jaxtyping",
    # What these bring with them, where it is installed.
    "PIL", "annotated_doc", "annotated_types", "cycler", "cython_runtime", "dateutil",
    "donfig", "fontTools", "fsspec", "google_crc32c", "kiwisolver", "mpl_toolkits",
    "numcodecs", "packaging", "pyarrow", "pydantic", "pydantic_core", "pyparsing",
    "shellingham", "typing_extensions", "typing_inspection", "yaml",
}  # fmt: skip
HEAVY = {"scipy", "seaborn", "rich", "dask", "IPython", "torch", "cells", "safetensors"}


def test_a_figure_imports_little_and_neither_torch_nor_pyplot(place):
    code = (
        "import gc, sys\nbefore = set(sys.modules)\nfrom attnviz.cli import main\n"
        "rounds = []\ngc.callbacks.append(lambda *said: rounds.append(said))\n"
        "sys.argv = ['attnviz', 'plot', 'rra.zarr', '--kind', 'heatmap', '-o', 'a.pdf', '-q']\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code\n"
        "print(*sorted(set(sys.modules) - before))\n"
        "assert not rounds, 'the collector came while a figure started'\n"
        "gc.collect()\nassert gc.get_threshold()[0] == 50_000\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, cwd=place,
        check=True,
    )  # fmt: skip
    found = set(done.stdout.split())
    packages = {name.partition(".")[0] for name in found} - sys.stdlib_module_names
    foreign = {name for name in packages if not name.startswith("_")}

    assert foreign - NEEDED == set()
    assert not foreign & HEAVY
    assert "matplotlib.pyplot" not in found
    assert "attnviz.cli.train" not in found
    assert not {name for name in found if name.startswith("attnviz.plots.gradient")}
    assert (place / "a.pdf").is_file()


def test_what_cannot_be_drawn_of_a_set_is_left_out_with_a_word(place, typed):
    # Too short for a mean over timesteps at which every lag is reachable.
    attnviz.save_trace(traces.larnn([traces.review(4)]), place / "short.zarr")
    status, output, error = typed("plot", "short.zarr")

    assert status == 0, error
    assert "Left out lag-kernel: " in error
    assert "lag-kernel" not in output and "heatmap.pdf" in output


def test_every_kind_can_be_named(place, typed):
    vectors = np.random.default_rng(0).normal(size=(2, 9, 4, 2))
    attnviz.save_trace(made(vectors, lengths=[9, 7], place="input"), place / "exits.zarr")
    attnviz.save_trace(made(vectors, lengths=[9, 7]), place / "routes.zarr")
    attnviz.save_trace(traces.gru(), place / "gru.zarr")
    attnviz.save_trace(traces.rau(), place / "rau.zarr")
    of = {"gate-attention": "gru", "feature-attention": "rau", "gradient-flow": "routes",
          "shortcut": "routes", "exit-routes": "exits"}  # fmt: skip
    for kind in KINDS:
        done = typed("plot", f"{of.get(kind, 'larnn')}.zarr", "--kind", kind, "-o", f"{kind}.svg")
        assert done[0] == 0, (kind, done[2])
        assert f"{kind}.svg: {KINDS[kind].shows}" in done[1]
