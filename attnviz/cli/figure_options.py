"""What `plot`, `compare` and `figure` are told: what to show, how it looks, what to write.

The fields of `Choice`, `Appearance` and `Outputs` are their options.
"""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from attnviz.plots import PlotOptions

__all__ = ["Appearance", "Choice", "Outputs", "command_line"]

Measure = Literal["margin", "probability", "loss"]
Sequences = Annotated[
    list[str] | None,
    typer.Option("--sequence", help="Number, id, or words of the text; several times."),
]
Layer = Annotated[str | None, typer.Option(help="Layer and direction, such as l0.")]
Heads = Annotated[
    list[int] | None, typer.Option("--head", help="One head; may be given several times.", min=0)
]
Tokens = Annotated[
    str | None, typer.Option(help="From a timestep up to, not including, another: 100:160.")
]
Lags = Annotated[
    str | None, typer.Option(help="From a lag (or age) up to, not including, another: 1:6.")
]
Limits = Annotated[
    str | None, typer.Option(help="Ends of the colour scale, or of a curve's axis: 0:0.5.")
]
Score = Annotated[
    str | None,
    typer.Option(
        help="What colours the text view, what effects stand against, where gradients arrive, "
        "which score is drawn, or what scores are drawn against."
    ),
]
MeasureOption = Annotated[
    Measure | None,
    typer.Option("--measure", help="Of effects, on what; the margin where there is one."),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="A figure (the suffix says pdf, svg, ...), or a folder."),
]
Width = Annotated[str | None, typer.Option(help="column, page, or millimetres.")]
Style = Annotated[str, typer.Option(help="paper, slides, notebook, or an .mplstyle file.")]
Font = Annotated[str | None, typer.Option(help="A font family that is installed.")]
FontSize = Annotated[
    float | None, typer.Option(help="Points of the text in general; the paper style has 7.")
]
Title = Annotated[
    str | None, typer.Option(help="In place of the plot's own; $...$ is mathematics.")
]
NoTitle = Annotated[bool, typer.Option("--no-title", help="No title: the caption has it.")]
Colours = Annotated[str | None, typer.Option(help="A colour map of matplotlib, such as viridis.")]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", help="OLD=NEW writes NEW where a label reads OLD; several times."),
]
Dpi = Annotated[
    float | None, typer.Option(help="Dots an inch of a PNG; the style's if not given.", min=30)
]
Formats = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="pdf, svg, png or pgf; several with commas between. A text in another folder than a "
        "PGF and its images reads them with the command import of LaTeX's package import.",
    ),
]
Data = Annotated[bool, typer.Option("--data", help="Write the plotted numbers as CSV as well.")]
Latex = Annotated[bool, typer.Option("--latex", help="Write them as a LaTeX tabular as well.")]
Json = Annotated[bool, typer.Option("--json", help="Print the files written as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


@dataclass(frozen=True)
class Choice:
    """What part of a trace is shown, as typed; `None` where nothing is said."""

    sequence: Sequences = None
    layer: Layer = None
    head: Heads = None
    tokens: Tokens = None
    lags: Lags = None
    limits: Limits = None
    score: Score = None
    measure: MeasureOption = None

    @property
    def sequences(self) -> list[str]:
        """Which sequences; the first where nothing is said."""
        return self.sequence or ["0"]

    @property
    def given(self) -> dict[str, str]:
        """The options that say something, by their name in `PlotKind.takes`."""
        said = {"sequence": self.sequence, **self._said, "head": self.head}
        return {name: _option(name) for name, value in said.items() if value}

    @property
    def _said(self) -> dict[str, str | None]:
        """Those of one value each, by that name; `None` where nothing is said."""
        return {
            "group": self.layer, "tokens": self.tokens, "lags": self.lags, "limits": self.limits,
            "score": self.score, "measure": self.measure,
        }  # fmt: skip

    def options(self, sequence: int = 0) -> "PlotOptions":
        """The same for a plot of one sequence."""
        from attnviz.plots.options import PlotOptions
        from attnviz.plots.ranges import real_range, whole_range

        return PlotOptions(
            sequence=sequence,
            group=self.layer,
            head=tuple(self.head) if self.head else None,
            tokens=None if self.tokens is None else whole_range(self.tokens, "--tokens"),
            limits=None if self.limits is None else real_range(self.limits, "--limits"),
            score=self.score,
            lags=None if self.lags is None else whole_range(self.lags, "--lags"),
            measure=self.measure,
        )

    def words(self, takes: tuple[str, ...], sequence: int) -> list[str]:
        """The options that mean something for a kind, as they are typed."""
        words = []
        for name, value in {"sequence": str(sequence), **self._said}.items():
            if value is not None and name in takes:
                words += _typed(_option(name), value)
        heads = self.head if "head" in takes else None
        return words + [word for head in heads or () for word in ("--head", str(head))]


@dataclass(frozen=True)
class Appearance:
    """How figures look, as typed."""

    width: Width = None
    style: Style = "paper"
    font: Font = None
    font_size: FontSize = None
    title: Title = None
    no_title: NoTitle = False
    colours: Colours = None
    labels: Labels = None
    dpi: Dpi = None

    def __post_init__(self) -> None:
        """Refuses what contradicts itself."""
        if self.no_title and self.title is not None:
            raise ValueError("Give either --title or --no-title.")
        for label in self.labels or ():
            if not label.partition("=")[0] or "=" not in label:
                raise ValueError(
                    f"--label takes OLD=NEW, such as 'lag (timesteps back)=lag', got {label!r}."
                )

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The style, while figures are drawn and saved."""
        from attnviz.plots.styling import Lettering, style

        title = "" if self.no_title else self.title
        lettering = Lettering(self.font, self.font_size, title)
        with style(self.style, width=self._width(), lettering=lettering, colours=self.colours):
            yield

    def _width(self) -> str | float | None:
        if self.width in (None, "column", "page"):
            return self.width
        try:
            return float(str(self.width).removesuffix("mm"))
        except ValueError as error:
            raise ValueError(
                f"--width takes column, page, or millimetres such as 120, got {self.width!r}."
            ) from error

    def words(self) -> list[str]:
        """The options as they are typed; of a style file its name alone."""
        style = Path(self.style).name if self.style.endswith(".mplstyle") else self.style
        said = {
            "--width": self.width, "--style": None if style == "paper" else style,
            "--font": self.font,
            "--font-size": None if self.font_size is None else f"{self.font_size:g}",
            "--title": self.title, "--colours": self.colours,
            "--dpi": None if self.dpi is None else f"{self.dpi:g}",
        }  # fmt: skip
        words = [
            word
            for name, value in said.items()
            if value is not None
            for word in _typed(name, value)
        ]
        words += ["--no-title"] if self.no_title else []
        return words + [word for label in self.labels or () for word in _typed("--label", label)]


@dataclass(frozen=True)
class Outputs:
    """What is written and printed, as typed."""

    output: Output = None
    formats: Formats = None
    data: Data = False
    latex: Latex = False
    json: Json = False
    quiet: Quiet = False

    def suffixes(self, usual: str = "pdf") -> list[str]:
        """The suffixes of figures, that of the output first.

        Raises:
            ValueError: If there is no such format.
        """
        from attnviz.plots.suffixes import FORMATS

        asked = [] if self.formats is None else self.formats.lower().split(",")
        for name in asked:
            if f".{name.strip()}" not in FORMATS:
                raise ValueError(
                    f"There is no format {name!r}; there are "
                    f"{', '.join(suffix[1:] for suffix in FORMATS)}."
                )
        own = [self.output.suffix.lower()] if self.output and self.is_file else []
        found = [*own, *(f".{name.strip()}" for name in asked)] or [f".{usual}"]
        return list(dict.fromkeys(found))

    @property
    def is_file(self) -> bool:
        """Whether the output names one figure, and no folder.

        Raises:
            ValueError: If it has the suffix of something else.
        """
        from attnviz.plots.suffixes import FORMATS, unknown_suffix

        if self.output is None or self.output.is_dir() or not self.output.suffix:
            return False
        if self.output.suffix.lower() not in FORMATS:
            raise ValueError(unknown_suffix(self.output, "attnviz writes"))
        return True


def _option(name: str) -> str:
    """How what a plot takes is typed."""
    return "--layer" if name == "group" else f"--{name}"


def _typed(name: str, value: str) -> list[str]:
    """An option and its value; together where the value would pass for an option."""
    return [f"{name}={value}"] if value.startswith("-") else [name, value]


def command_line(*words: str) -> str:
    """A command as it is typed in a shell."""
    return shlex.join(["attnviz", *words])
