"""PGF, compiled by TeX where there is one."""

import shutil
import subprocess
from pathlib import Path

import pytest
from matplotlib.backends import backend_pgf

from attnviz.plots import plot_heatmap, plot_path_classes, save_figure
from attnviz.plots.figures import new_figure
from attnviz.plots.pgf import PlainWords, _around_maths, as_tex, plain_words
from tests.attnviz import traces
from tests.attnviz.path_data import paths

HOSTILE = r"50% of $it & a_b {x} #1 ~ ^ \input{secret} fin"
needs_tex = pytest.mark.skipif(
    shutil.which("xelatex") is None or shutil.which("pdftotext") is None,
    reason="needs xelatex and pdftotext to compile a PGF and read the page",
)


def compiled(folder, *files):
    """The words of a page with these figures, set by TeX."""
    places = [(Path(file).parent.as_posix(), Path(file).name) for file in files]
    figures = "\n\n".join(
        rf"\noindent\input{{{file}}}"
        if folder == "."
        else rf"\noindent\import{{{folder}/}}{{{file}}}"
        for folder, file in places
    )
    (folder / "page.tex").write_text(
        "\\documentclass{article}\n\\usepackage[margin=1in]{geometry}\n\\usepackage{pgf,import}\n"
        f"\\begin{{document}}\n{figures}\n\\end{{document}}\n"
    )
    (folder / "secret.tex").write_text("INCLUDED")
    command = ["xelatex", "-interaction=nonstopmode", "-halt-on-error", "page.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Missing character" not in (folder / "page.log").read_text(errors="replace")
    read = subprocess.run(
        ["pdftotext", "-layout", "page.pdf", "-"], cwd=folder, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    return read.stdout


def test_words_mean_nothing_to_tex():
    assert as_tex("a_b 5% {x} $1 & #2") == r"a\_b 5\% \{x\} \$1 \& \#2"
    assert as_tex(r"\input{x}") == r"\textbackslash{}input\{x\}"
    assert as_tex("‖α Wₒ V‖ w₂").split() == [
        r"\ensuremath{\Vert}\ensuremath{\alpha}", r"\ensuremath{W_O}", r"V\ensuremath{\Vert}",
        r"\ensuremath{w_2}",
    ]  # fmt: skip
    assert as_tex("plain words, κ") == r"plain words, \ensuremath{\kappa}"


def test_matplotlib_draws_pgf_with_our_renderer_and_its_own_again():
    own = backend_pgf.RendererPgf
    canvas = backend_pgf.FigureCanvasPgf(new_figure(1.0, 1.0))

    with pytest.raises(RuntimeError, match="stop"), plain_words():
        assert isinstance(canvas.get_renderer(), PlainWords), (
            "matplotlib does not look backend_pgf.RendererPgf up when it draws any more, so that "
            "words of the data would be run by TeX: attnviz.plots.pgf needs another way"
        )
        raise RuntimeError("stop")
    assert type(canvas.get_renderer()) is own


@needs_tex
def test_words_that_tex_would_act_on_are_set_as_they_are(tmp_path):
    trace = traces.rra([HOSTILE], lags=[2, 3])
    save_figure(plot_heatmap(trace), tmp_path / "map.pgf", provenance={"model": "50% a_b"})

    page = compiled(tmp_path, "map.pgf")

    assert "INCLUDED" not in page
    # Each word stands upright, letter by letter in its own order.
    for word in ("fin", "50", "%", "$", "&", "#", "~", "^", "\\", "{", "secret"):
        assert word in page


@needs_tex
def test_a_logarithmic_axis_needs_no_definition_of_the_document(tmp_path):
    made = paths([[[0.5, 0.7], [1e-3, 0.1], [1e-5, 0.01]], [[0.4, 0.9], [2e-3, 0.2], [1e-5, 0.02]]])
    save_figure(plot_path_classes(made), tmp_path / "paths.pgf")

    page = compiled(tmp_path, "paths.pgf")

    assert "Gradient of LSTM by class of path" in page and "κ ≤" in page
    assert "distance from the loss (timesteps)" in page


def test_words_around_mathematics_are_escaped():
    assert _around_maths(r"R&D, 5% of $w_k & x$ and \$") == r"R\&D, 5\% of $w_k & x$ and \$"
    assert _around_maths(r"$\mathdefault{10^{-1}}$") == r"$\mathdefault{10^{-1}}$"
