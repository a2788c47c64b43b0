import pytest

from attnviz.plots import (
    plot_gate_attention,
    plot_heatmap,
    plot_text,
    read_provenance,
    save_figure,
)
from attnviz.plots.figures import new_figure
from tests.attnviz import traces

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
    with pytest.raises(ValueError, match=r"\.pdf, \.svg, \.png, but a\.tiff ends in '\.tiff'"):
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


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
@pytest.mark.parametrize("content", [b"", b"not a figure", b"\x89PNG\r\n\x1a\n\xff\xff"])
def test_foreign_files_say_nothing(tmp_path, suffix, content):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(content)

    with pytest.raises(ValueError, match="says nothing about where it comes from"):
        read_provenance(path)


@pytest.mark.parametrize("suffix", [".pdf", ".svg", ".png"])
def test_figures_saved_otherwise_say_nothing(tmp_path, suffix):
    new_figure(1.0, 1.0).savefig(tmp_path / f"a{suffix}")

    with pytest.raises(ValueError, match="not written by save_figure"):
        read_provenance(tmp_path / f"a{suffix}")
