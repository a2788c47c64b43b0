import os
import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import pytest
from fontTools import subset

from attnviz.plots import (
    KINDS,
    PlotOptions,
    plot_gate_attention,
    plot_heatmap,
    plot_text,
    read_provenance,
    save_figure,
)
from attnviz.plots.figures import new_figure
from tests.attnviz import traces
from tests.attnviz.plots.test_kinds import MAKERS
from tests.attnviz.plots.test_styling import DRAWN

PROVENANCE = {
    "model": "é “x” \\ (a(b)) ) </dc:description> &amp;",
    "command": "attnviz plot\n--kind text",
    "日本": "😀",
}


def names(folder):
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png", ".PDF"])
def test_provenance_comes_back(tmp_path, suffix):
    path = save_figure(new_figure(1.0, 1.0), tmp_path / f"new/a{suffix}", provenance=PROVENANCE)

    assert path == tmp_path / f"new/a{suffix}"
    assert read_provenance(path) == PROVENANCE
    assert names(path.parent) == [path.name]


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
@pytest.mark.parametrize(
    ("plot", "make"),
    [(plot_heatmap, traces.rra), (plot_text, traces.larnn), (plot_gate_attention, traces.gru)],
)
def test_the_same_figure_gives_the_same_bytes(tmp_path, suffix, plot, make):
    one = save_figure(plot(make()), tmp_path / f"one{suffix}", provenance=PROVENANCE)
    two = save_figure(plot(make()), tmp_path / f"two{suffix}", provenance=PROVENANCE)

    assert one.read_bytes() == two.read_bytes()


def test_other_kinds_of_file_are_refused(tmp_path):
    message = r"\.pdf, \.svg, \.png, \.pgf, but a\.tiff ends in '\.tiff'"
    with pytest.raises(ValueError, match=message):
        save_figure(new_figure(1.0, 1.0), tmp_path / "a.tiff", provenance={})
    with pytest.raises(ValueError, match="but figure has no suffix"):
        save_figure(new_figure(1.0, 1.0), tmp_path / "figure", provenance={})
    assert names(tmp_path) == []


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.svg"
    path.write_text("old")
    figure = new_figure(1.0, 1.0)

    def fail(target, **_):
        target.write_text("half")
        raise RuntimeError("no space")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(RuntimeError, match="no space"):
        save_figure(figure, path, provenance={})

    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.svg"]


def test_fonts_of_a_pdf_are_cut_without_the_tables_for_setting_type(tmp_path, monkeypatch):
    options, made = subset.Options, []

    class Watched(subset.Subsetter):
        def __init__(self, options):
            super().__init__(options)
            made.append(options.drop_tables)

    monkeypatch.setattr(subset, "Subsetter", Watched)
    save_figure(plot_heatmap(traces.rra()), tmp_path / "a.pdf")

    assert made, "matplotlib does not cut fonts by fontTools.subset.Subsetter any more"
    for tables in made:
        assert {"GDEF", "GPOS", "GSUB"} <= set(tables), (
            "matplotlib does not look fontTools.subset.Options up when it cuts fonts any more, so "
            "that attnviz.plots.saving cannot leave tables out: PDFs take longer"
        )
    assert subset.Options is options


def test_fonts_are_cut_as_before_after_a_failure(tmp_path, monkeypatch):
    options, figure = subset.Options, new_figure(1.0, 1.0)

    def fail(*given, **named):
        assert subset.Options is not options
        raise RuntimeError("no space")

    monkeypatch.setattr(figure, "savefig", fail)
    with pytest.raises(RuntimeError, match="no space"):
        save_figure(figure, tmp_path / "a.pdf")
    assert subset.Options is options


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
@pytest.mark.parametrize("content", [b"", b"not a figure", b"\x89PNG\r\n\x1a\n\xff\xff"])
def test_foreign_files_say_nothing(tmp_path, suffix, content):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)

    with pytest.raises(
        ValueError, match=f"no whole {suffix[1:].upper()} file.*{len(content)} bytes"
    ):
        read_provenance(path)
    path.write_bytes(content + b"%%EOF </svg> IEND")
    with pytest.raises(ValueError, match="says nothing about where it comes from"):
        read_provenance(path)


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
def test_a_figure_that_was_cut_short_is_named_so(tmp_path, suffix):
    path = save_figure(new_figure(1.0, 1.0), tmp_path / f"a{suffix}", provenance=PROVENANCE)
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with pytest.raises(ValueError, match="was cut short"):
        read_provenance(path)


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
def test_figures_saved_otherwise_say_nothing(tmp_path, suffix):
    new_figure(1.0, 1.0).savefig(tmp_path / f"a{suffix}")

    with pytest.raises(ValueError, match="not written by save_figure"):
        read_provenance(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("suffix", [".pdf", ".svg"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_same_data_give_the_same_bytes(tmp_path, kind, suffix):
    def saved(name):
        figure = KINDS[kind].draw(MAKERS[kind](), PlotOptions(sequence=1))
        return save_figure(figure, tmp_path / f"{name}{suffix}", provenance=PROVENANCE)

    one = saved("one")
    # What was set globally, or shown before, leaves no trace in the file.
    with matplotlib.rc_context(
        {"savefig.bbox": "tight", "svg.fonttype": "none", "font.size": 20, "axes.grid": True,
         "xtick.direction": "in", "hatch.linewidth": 3, "figure.facecolor": "red"}
    ):  # fmt: skip
        two = saved("two")
    figure = KINDS[kind].draw(MAKERS[kind](), PlotOptions(sequence=1))
    assert figure._repr_png_()
    three = save_figure(figure, tmp_path / f"three{suffix}", provenance=PROVENANCE)

    assert one.read_bytes() == two.read_bytes() == three.read_bytes()


@pytest.mark.parametrize("suffix", [".pdf", ".svg"])
@pytest.mark.parametrize("name", ["kernel", "classes"])
def test_the_same_axes_give_the_same_bytes(tmp_path, name, suffix):
    paths = [save_figure(DRAWN[name](), tmp_path / f"{n}{suffix}") for n in range(2)]
    plt.close("all")

    assert paths[0].read_bytes() == paths[1].read_bytes()


SAVES = """
import hashlib, sys, tempfile
from pathlib import Path
from attnviz.plots import plot_text, plot_lag_kernel, save_figure
from tests.attnviz import traces
folder = Path(tempfile.mkdtemp())
for name in ("a.svg", "a.pdf"):
    for figure in (plot_text(traces.rra()), plot_lag_kernel(traces.larnn())):
        path = save_figure(figure, folder / name, provenance={"b": "1", "a": "2"})
        print(hashlib.sha256(path.read_bytes()).hexdigest())
"""


def test_another_process_writes_the_same_bytes():
    root = Path(__file__).parents[3]
    told = [
        subprocess.run(
            [sys.executable, "-c", SAVES], cwd=root, check=True, capture_output=True, text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout.split()
        for seed in ("1", "2")
    ]  # fmt: skip
    assert len(told[0]) == 4 and len(set(told[0])) == 4
    assert told[0] == told[1]
