import unicodedata
import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure

from attnviz.plots import lettering
from attnviz.plots.lettering import (
    drawable,
    fold,
    fold_evenly,
    own_words,
    right_to_left,
    shorten,
    subscripts,
    text_width,
)


def test_subscripts_of_symbols_stand_below_the_line():
    assert subscripts("‖α W_O V‖ w_t(a) x_1 ŵ") == "‖α Wₒ V‖ wₜ(a) x₁ ŵ"
    assert subscripts("W_Q a_long _t b_ · c_̄") == "W_Q a_long _t b_ · c_̄"


def test_signs_for_what_has_no_shape():
    texts, families = drawable(["a\nb", "\t", "", "\ufeff", "\x00", "plain", "\ud800"])

    assert texts == ["a⏎b", "⇥", "·", "·", "□", "plain", "□"]
    assert families == ["DejaVu Sans"]


def test_without_a_font_of_last_resort_there_are_boxes(monkeypatch):
    covered = lettering._covered
    monkeypatch.setattr(
        lettering, "_covered", lambda f: covered(f) if f == "DejaVu Sans" else frozenset()
    )

    assert drawable(["日本 film"]) == (["□□ film"], ["DejaVu Sans"])


def test_some_of_every_kind_of_character_is_drawn_without_warnings(tmp_path):
    by_category = {}
    for code in range(0x110000):
        by_category.setdefault(unicodedata.category(chr(code)), []).append(chr(code))
    sample = ["x".join(members[:: max(1, len(members) // 60)]) for members in by_category.values()]
    texts, families = drawable(sample)
    figure = Figure()
    for row, text in enumerate(texts):
        figure.text(0, row / 40, text, family=families, parse_math=False)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for suffix in ("pdf", "svg", "png"):
            figure.savefig(tmp_path / f"a.{suffix}")


def test_width_grows_with_the_size_and_the_text():
    one = text_width("word", 6.0, ["DejaVu Sans"])

    assert 14 < one < 20
    assert text_width("word", 12.0, ["DejaVu Sans"]) == pytest.approx(2 * one)
    assert text_width("wordword", 6.0, ["DejaVu Sans"]) == pytest.approx(2 * one, rel=0.05)


def test_lines_of_a_title_are_of_about_one_length():
    title = "Attention of LARNN to its past states, by timestep and lag"
    for width in np.linspace(0.8, 5.0, 43):
        greedy, even = fold(title, width, 8.0), fold_evenly(title, width, 8.0)
        widths = [text_width(line, 8.0, drawable([line])[1]) / 72 for line in even]
        assert " ".join(even) == title and len(even) == len(greedy)
        assert max(widths) <= width
    assert fold(title, 3.2, 8.0)[-1] == "lag"
    assert fold_evenly(title, 3.2, 8.0) == [
        "Attention of LARNN to its past", "states, by timestep and lag",
    ]  # fmt: skip
    assert fold_evenly("immeasurable", 0.1, 8.0) == ["immeasurable"]


def test_a_line_breaks_at_no_sign_between_numbers():
    text = "95 % of them · κ ≤ 1.51 · residual ≤ 1e-15 · n = 12"
    kept = {"95 %", "κ ≤ 1.51", "residual ≤ 1e-15", "n = 12"}
    for width in np.linspace(0.2, 3.0, 40):
        lines = fold(text, width, 6.0)
        assert " ".join(lines) == text
        assert all(any(part in line for line in lines) for part in kept)
    assert fold("a = b", 0.01, 6.0) == ["a = b"] and fold("100 %s", 0.01, 6.0) == ["100", "%s"]


def test_folded_lines_fit_and_lose_no_word():
    text = "the quick brown fox jumps over the lazy dog " * 4

    lines = fold(text.strip(), 1.5, 6.0)

    assert " ".join(lines) == text.strip()
    assert max(text_width(line, 6.0, ["DejaVu Sans"]) for line in lines) <= 108


def test_shorten():
    assert shorten("twelve chars", 12) == "twelve chars"
    assert shorten("thirteen char", 12) == "thirteen ch…"


def test_direction_of_a_text():
    assert right_to_left("… 12 שלום hello")
    assert not right_to_left("hello שלום")
    assert not right_to_left("12 …")


@pytest.mark.parametrize(
    ("title", "shown", "maths"),
    [
        ("the kernel $w_k$", "the kernel $w_k$", True),
        (r"$\alpha$ and $\beta$", r"$\alpha$ and $\beta$", True),
        (r"$a + b$ for \$5", r"$a + b$ for \$5", True),
        ("costs $5", "costs $5", False),
        (r"\$100 to \$200", "$100 to $200", False),
        (r"$\input{x}$", r"$\input{x}$", False),
        ("a line\nmore $w_k$", "a line\nmore $w_k$", False),
    ],
)
def test_mathematics_in_a_title_is_what_matplotlib_can_set(title, shown, maths):
    assert own_words(title) == (shown, maths)


def test_mathematics_is_not_broken_and_measured_as_it_is_set():
    title = "the weights $w_k + w_j$ of the kernel"
    words = ["the", "weights", "$w_k + w_j$", "of", "the", "kernel"]
    assert fold(title, 0.01, 8.0, maths=True) == words
    beside = fold(r"$a + b$ for \$5 and $c - d$", 0.01, 8.0, maths=True)
    assert beside == ["$a + b$", "for", r"\$5", "and", "$c - d$"]
    set_, plain = (text_width("$w_{kkkk}$", 8.0, ["DejaVu Sans"], maths=m) for m in (True, False))
    assert 0 < set_ < plain
