"""Text from the data: made drawable, measured and shortened.

Tokens come in any script. The fonts at hand may lack it, and matplotlib then warns while drawing,
long after the plot was made. So the fonts are chosen by what the text needs.
"""

import functools
import re
import unicodedata
from collections.abc import Iterable, Sequence

from matplotlib import cbook, font_manager
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser

from attnviz.plots.sizes import look

__all__ = [
    "SUBSCRIPTS", "drawable", "fold", "fold_evenly", "own_words", "right_to_left", "shorten",
    "subscripts", "text_width",
]  # fmt: skip

# Outline fonts of the common systems by script; colour emoji fonts cannot be drawn.
_OTHERS = (
    "DejaVu Sans",
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK KR", "Noto Sans SC", "Noto Sans JP",
    "Noto Sans KR", "Source Han Sans", "Noto Sans Arabic", "Noto Sans Hebrew",
    "Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Tamil", "Noto Sans Thai",
    "Noto Emoji", "Noto Sans Symbols", "Noto Sans Symbols2", "WenQuanYi Zen Hei",
    "WenQuanYi Micro Hei", "Droid Sans Fallback", "Hiragino Sans", "PingFang SC",
    "Arial Unicode MS", "Apple Symbols", "Microsoft YaHei", "Yu Gothic", "Malgun Gothic",
    "Nirmala UI", "Segoe UI Symbol", "Segoe UI Emoji", "Symbola", "Unifont",
)  # fmt: skip
# Draws a box with a letter of the script for every character there is; newer matplotlib ships it.
_LAST_RESORT = "Last Resort High-Efficiency"
_SHOWN = {"\n": "⏎", "\r": "⏎", "\t": "⇥", "\v": "⏎", "\f": "⏎"}
#: Signs that stand below the line, by what they are; there is no capital O that does.
SUBSCRIPTS = dict(zip("Oaehijklmnprstuvx0123456789", "ₒₐₑₕᵢⱼₖₗₘₙₚᵣₛₜᵤᵥₓ₀₁₂₃₄₅₆₇₈₉", strict=True))
_JOINERS = {"\u200c", "\u200d"}
_BOX = "□"
# Blanks where a line may break: none beside a sign that stands between numbers, or before %.
_MATHS = re.compile(r"(?<!\\)\$(?:\\.|[^$\\])*\$")
_UNBROKEN = re.compile(r"(?<! [≤≥=±]) (?![≤≥=±%](?: |$))")


def drawable(texts: Iterable[str]) -> tuple[list[str], list[str]]:
    """Texts as they can be drawn, and the fonts to draw them with.

    Line breaks and tabs become signs, other control characters boxes, invisible marks go. A
    character that no font at hand has is drawn by the font of last resort, else as a box.

    Arguments:
        texts: Any strings from the data.

    Returns:
        The texts, one line each and never empty, and the font families for all of them.
    """
    cleaned = ["".join(map(_printable, text)) or "·" for text in texts]
    missing = {ord(character) for text in cleaned for character in text} - _covered(look().family)
    families = [look().family]
    for family in (*_OTHERS, _LAST_RESORT):
        if missing and missing & _covered(family):
            families.append(family)
            missing -= _covered(family)
    if missing:
        boxes = dict.fromkeys(missing, _BOX)
        cleaned = [text.translate(boxes) for text in cleaned]
    return cleaned, families


def own_words(text: str) -> tuple[str, bool]:
    """A title of one's own as it is written, and whether it holds mathematics.

    Arguments:
        text: Of whoever asks for the figure; one from the data is never read so. What stands
            between dollar signs is mathematics if matplotlib can set it and has the letters around
            it; an escaped dollar sign is none.
    """
    around = _MATHS.sub(" ", text)
    if cbook.is_math_text(text) and drawable([around]) == ([around], [look().family]):
        try:
            MathTextParser("agg").parse(text)
        except ValueError:
            pass
        else:
            return text, True
    return text.replace(r"\$", "$"), False


def text_width(text: str, size: float, families: Sequence[str], *, maths: bool = False) -> float:
    """How wide a text is when drawn.

    Arguments:
        text: One line, made by `drawable`.
        size: Type size in points.
        families: Font families.
        maths: Whether it holds mathematics.

    Returns:
        The width in points.
    """
    return _width(text, tuple(families), maths) * size / 10


def shorten(text: str, length: int) -> str:
    """The text, or its beginning with an ellipsis.

    Arguments:
        text: Any text.
        length: Characters at most, the ellipsis included.

    Returns:
        The text if it is short enough.
    """
    return text if len(text) <= length else text[: length - 1] + "…"


def fold(text: str, width: float, size: float, *, maths: bool = False) -> list[str]:
    """Breaks a text into lines that fit.

    Arguments:
        text: Words separated by blanks. A sign such as ≤ stays with what stands beside it.
        width: In inches.
        size: Type size in points.
        maths: Whether it holds mathematics, which is not broken.

    Returns:
        The lines; a word wider than a line has a line of its own.
    """
    if maths:
        whole = _MATHS.sub(lambda found: found[0].replace(" ", "\0"), text)
        words, families = [word.replace("\0", " ") for word in whole.split()], [look().family]
    else:
        words, families = drawable(_UNBROKEN.split(text))
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, size, families, maths=maths) > 72 * width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def fold_evenly(text: str, width: float, size: float, *, maths: bool = False) -> list[str]:
    """Breaks a title into no more lines than it needs, of about one length.

    Arguments:
        text: Words separated by blanks.
        width: In inches, at most.
        size: Type size in points.
        maths: Whether it holds mathematics, which is not broken.

    Returns:
        As many lines as `fold` makes; the last of them is no word by itself where others could
        stand beside it.
    """
    lines = fold(text, width, size, maths=maths)
    for twentieths in range(19, 9, -1):
        narrower = fold(text, width * twentieths / 20, size, maths=maths)
        if len(narrower) > len(lines):
            break
        lines = narrower
    return lines


def subscripts(symbol: str) -> str:
    """A symbol with its subscripts below the line, as in `Wₒ` for `W_O`.

    Arguments:
        symbol: As a cell declares it; what has no sign below the line stays as it is.
    """
    return re.sub(r"(?<=\w)_(\w)(?!\w)", lambda at: SUBSCRIPTS.get(at[1], at[0]), symbol)


def right_to_left(text: str) -> bool:
    """Whether a text starts in a script that is written from right to left.

    Arguments:
        text: Any text.

    Returns:
        True if the first character with a direction of its own runs to the left.
    """
    for character in text:
        direction = unicodedata.bidirectional(character)
        if direction in ("L", "R", "AL"):
            return direction != "L"
    return False


def _printable(character: str) -> str:
    if character in _SHOWN or character in _JOINERS:
        return _SHOWN.get(character, character)
    category = unicodedata.category(character)
    if category in ("Cf", "Zl", "Zp"):
        return ""
    return _BOX if category in ("Cc", "Cs", "Cn", "Co") else character


@functools.cache
def _covered(family: str) -> frozenset[int]:
    if family not in {font.name for font in font_manager.fontManager.ttflist}:
        return frozenset()
    path = font_manager.findfont(FontProperties(family=[family]), fallback_to_default=False)
    return frozenset(font_manager.get_font(path).get_charmap())


@functools.lru_cache(maxsize=50_000)
def _width(text: str, families: tuple[str, ...], maths: bool) -> float:
    prop = FontProperties(family=list(families), size=10)
    width, _, _ = _measuring().get_text_width_height_descent(text, prop, maths)  # type: ignore[no-untyped-call]
    return float(width) / 10


@functools.cache
def _measuring() -> RendererAgg:
    # 720 dots an inch: ten dots a point, so that hinting to whole dots does not matter.
    return RendererAgg(1, 1, 720)  # type: ignore[no-untyped-call]
